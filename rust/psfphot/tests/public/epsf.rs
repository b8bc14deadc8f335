//! PSFs solved for from stars of known PSFs.

use psfphot::epsf::{Cutout, EpsfSettings, EpsfSolution, Field, solve_epsf};
use psfphot::image::{Image, PixelBox};
use psfphot::psf::{CircularGaussianPrf, MoffatPrf, Placement, Psf};
use psfphot::run::Progress;
use psfphot::{Error, Run};

const SIDE: usize = 17;
const SKY: f64 = 100.0;

/// Numbers from 0 to 1, and of a normal distribution.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A star: its pixels and errors, where it is, and where it is said to be.
struct Made {
    data: Vec<f64>,
    error: Vec<f64>,
    x: f64,
    y: f64,
    start: (f64, f64),
    flux: f64,
}

fn make(psf: &dyn Fn(f64, f64) -> Box<dyn Psf>, n: usize, seed: u64) -> Vec<Made> {
    let mut random = Random(seed);
    let middle = (SIDE / 2) as f64;
    (0..n)
        .map(|_| {
            let (x, y) = (
                middle + random.uniform() - 0.5,
                middle + random.uniform() - 0.5,
            );
            let flux = 2e4 * (1.0 + 9.0 * random.uniform());
            let at = Placement { x, y, shape: &[] };
            let window = PixelBox::new(0, SIDE as i64, 0, SIDE as i64);
            let mut data = vec![0.0; window.len()];
            psf(x, y).fill(at, window, &mut data);
            let error: Vec<f64> = data.iter().map(|d| (flux * d + SKY).sqrt()).collect();
            for (d, e) in data.iter_mut().zip(&error) {
                *d = flux * *d + e * random.normal();
            }
            let start = (x + 0.05 * random.normal(), y + 0.05 * random.normal());
            Made {
                data,
                error,
                x,
                y,
                start,
                flux,
            }
        })
        .collect()
}

fn cutouts(stars: &[Made]) -> Vec<Cutout<'_>> {
    let image = |values| Image::new(values, (SIDE, SIDE)).unwrap_or_else(|e| panic!("{e}"));
    stars
        .iter()
        .map(|star| Cutout {
            error: Some(image(&star.error[..])),
            ..Cutout::new(image(&star.data[..]), star.start.0, star.start.1)
        })
        .collect()
}

fn settings() -> EpsfSettings<'static> {
    EpsfSettings::new((69, 69), (4, 4))
}

fn moffat() -> MoffatPrf {
    MoffatPrf::new(2.0, 3.0).unwrap_or_else(|e| panic!("{e}"))
}

fn solve(cutouts: &[Cutout<'_>], settings: &EpsfSettings<'_>) -> EpsfSolution {
    solve_epsf(cutouts, settings, Run::new().serial()).unwrap_or_else(|e| panic!("{e}"))
}

/// Pixels from the centre to a row or column of samples.
fn offset(k: usize) -> f64 {
    (k as f64 - 34.0) / 4.0
}

fn sampled(psf: &dyn Psf) -> Vec<f64> {
    let at = Placement {
        x: 0.0,
        y: 0.0,
        shape: &[],
    };
    (0..69 * 69)
        .map(|k| psf.value(at, offset(k % 69), offset(k / 69)))
        .collect()
}

/// Rms error within 2.5 pixels of samples that are normalised over the cutout.
fn core_error(samples: &[f64], psf: &dyn Psf) -> f64 {
    let truth = sampled(psf);
    let norm = truth.iter().sum::<f64>() / 16.0;
    let (mut sum, mut count) = (0.0, 0.0);
    for (k, (s, t)) in samples.iter().zip(&truth).enumerate() {
        if offset(k % 69).hypot(offset(k / 69)) < 2.5 {
            sum += (s - t / norm).powi(2);
            count += 1.0;
        }
    }
    let peak = truth[34 * 69 + 34] / norm;
    (sum / count).sqrt() / peak
}

#[test]
fn stars_give_back_the_psf_that_made_them() {
    let stars = make(&|_, _| Box::new(moffat()), 60, 7);
    let found = solve(&cutouts(&stars), &settings());
    assert!(found.has_converged && found.stars.iter().all(|star| star.is_used));
    assert!(core_error(&found.planes[0], &moffat()) < 2e-3);
    let sum: f64 = found.planes[0].iter().sum();
    assert!((sum - 16.0).abs() < 1e-9, "{sum}");
    assert!((found.fwhm - 2.25).abs() < 0.15, "{}", found.fwhm);
    assert!(found.model_error < 0.01, "{}", found.model_error);
    // All positions may be off by the definition of the centre, and all fluxes by
    // the part of the PSF that is on the samples.
    let offsets: Vec<f64> = found
        .stars
        .iter()
        .zip(&stars)
        .map(|(f, s)| f.x - s.x)
        .collect();
    assert!(
        offsets.iter().all(|o| (o - offsets[0]).abs() < 0.02),
        "{offsets:?}"
    );
    let ratios = found.stars.iter().zip(&stars).map(|(f, s)| f.flux / s.flux);
    assert!(
        ratios.clone().all(|r| (0.97..1.02).contains(&r)),
        "{:?}",
        ratios.collect::<Vec<_>>()
    );
    let chi2 = found.stars.iter().map(|star| star.chi2).sum::<f64>() / 60.0;
    assert!((0.85..1.1).contains(&chi2), "{chi2}");
    let errors = found.errors.as_ref().map_or(&[][..], |errors| &errors[0]);
    assert!(errors.len() == 69 * 69 && errors.iter().all(|e| e.is_finite() && *e >= 0.0));
}

#[test]
fn without_errors_the_noise_is_estimated() {
    let stars = make(&|_, _| Box::new(moffat()), 60, 3);
    let mut cutouts = cutouts(&stars);
    for cutout in &mut cutouts {
        cutout.error = None;
    }
    let found = solve(&cutouts, &settings());
    let (constant, slope) = found.noise.unwrap_or_default();
    assert!((constant / SKY - 1.0).abs() < 0.15, "{constant}");
    assert!((slope - 1.0).abs() < 0.3, "{slope}");
    assert!(core_error(&found.planes[0], &moffat()) < 3e-3);
}

#[test]
fn a_field_is_found_at_its_nodes_and_as_a_polynomial() {
    // A Gaussian that widens by a tenth over 100 pixels.
    let psf_at = |place: f64| {
        CircularGaussianPrf::new(2.4 + 0.24 * place / 100.0).unwrap_or_else(|e| panic!("{e}"))
    };
    let mut random = Random(5);
    let places: Vec<f64> = (0..120)
        .map(|_| (random.uniform() * 100.0).round())
        .collect();
    let mut stars = Vec::new();
    for (k, &place) in places.iter().enumerate() {
        stars.extend(make(&|_, _| Box::new(psf_at(place)), 1, 100 + k as u64));
    }
    let mut cutouts = cutouts(&stars);
    for (cutout, &place) in cutouts.iter_mut().zip(&places) {
        cutout.origin = (place - 8.0, 0.0);
    }
    let nodes = Field::Nodes {
        x: vec![0.0, 100.0],
        y: vec![0.0],
    };
    let found = solve(
        &cutouts,
        &EpsfSettings {
            field: nodes,
            ..settings()
        },
    );
    assert_eq!(found.nodes, [(0.0, 0.0), (100.0, 0.0)]);
    for (plane, place) in found.planes.iter().zip([0.0, 100.0]) {
        let error = core_error(plane, &psf_at(place));
        assert!(error < 6e-3, "{place} {error}");
    }
    let linear = Field::Polynomial {
        degree: 1,
        centre: (50.0, 8.0),
        scale: (50.0, 50.0),
    };
    let found = solve(
        &cutouts,
        &EpsfSettings {
            field: linear,
            ..settings()
        },
    );
    for (u, place) in [(-1.0, 0.0), (1.0, 100.0)] {
        let planes = found.planes[0].iter().zip(&found.planes[1]);
        let sum: Vec<f64> = planes.map(|(a, b)| a + u * b).collect();
        let error = core_error(&sum, &psf_at(place));
        assert!(error < 6e-3, "{place} {error}");
    }
}

#[test]
fn a_wrong_library_is_mended() {
    let stars = make(&|_, _| Box::new(moffat()), 50, 11);
    let library = MoffatPrf::new(2.15, 3.0).unwrap_or_else(|e| panic!("{e}"));
    let chosen = EpsfSettings {
        library: Some(&library),
        kappa: Some(1.0),
        ..settings()
    };
    let found = solve(&cutouts(&stars), &chosen);
    let known = sampled(&library);
    let mut sum: Vec<f64> = known
        .iter()
        .zip(&found.planes[0])
        .map(|(a, b)| a + b)
        .collect();
    let norm = |values: &[f64]| values.iter().sum::<f64>() / 16.0;
    let by = norm(&sum);
    for s in &mut sum {
        *s /= by;
    }
    let mut before = known;
    let by = norm(&before);
    for s in &mut before {
        *s /= by;
    }
    let (before, after) = (core_error(&before, &moffat()), core_error(&sum, &moffat()));
    assert!(before > 0.02 && after < 4e-3, "{before} {after}");
}

#[test]
fn linked_cutouts_share_a_star() {
    let mut stars = make(&|_, _| Box::new(moffat()), 40, 13);
    // The second of each pair is the first, dithered and of another depth.
    let mut random = Random(4);
    for pair in stars.chunks_mut(2) {
        let (first, second) = pair.split_at_mut(1);
        let factor = 0.5 * first[0].flux / second[0].flux;
        for (d, e) in second[0].data.iter_mut().zip(&mut second[0].error) {
            *d *= factor;
            *e *= factor;
        }
        second[0].flux = 0.5 * first[0].flux;
        let (dx, dy) = (0.05 * random.normal(), 0.05 * random.normal());
        for star in [&mut first[0], &mut second[0]] {
            star.start = (star.x + dx, star.y + dy);
        }
    }
    let mut cutouts = cutouts(&stars);
    for (k, cutout) in cutouts.iter_mut().enumerate() {
        cutout.link = Some(k / 2);
        cutout.scale = if k % 2 == 0 { 1.0 } else { 0.5 };
    }
    let found = solve(
        &cutouts,
        &EpsfSettings {
            kappa: Some(1.0),
            ..settings()
        },
    );
    for (pair, made) in found.stars.chunks(2).zip(stars.chunks(2)) {
        assert!((pair[1].flux / pair[0].flux - 0.5).abs() < 1e-12);
        let shift = |k: usize| (pair[k].x - made[k].x, pair[k].y - made[k].y);
        let (a, b) = (shift(0), shift(1));
        assert!((a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9);
    }
    assert!(core_error(&found.planes[0], &moffat()) < 4e-3);
}

#[test]
fn cosmic_rays_and_masked_pixels_leave_no_trace() {
    let mut stars = make(&|_, _| Box::new(moffat()), 60, 21);
    let mut random = Random(8);
    for star in &mut stars {
        let k = (random.uniform() * star.data.len() as f64) as usize;
        star.data[k] += 2e4;
        let masked = (random.uniform() * star.data.len() as f64) as usize;
        star.data[masked] = f64::NAN;
    }
    let found = solve(&cutouts(&stars), &settings());
    assert!(core_error(&found.planes[0], &moffat()) < 2.5e-3);
    let rejected = found
        .stars
        .iter()
        .filter(|star| star.n_rejected > 0)
        .count();
    assert!(rejected > 50, "{rejected}");
}

#[test]
fn threads_do_not_change_a_bit_and_a_cancelled_run_stops() {
    let stars = make(&|_, _| Box::new(moffat()), 40, 2);
    let cutouts = cutouts(&stars);
    let parallel = solve_epsf(&cutouts, &settings(), Run::new());
    let serial = solve(&cutouts, &settings());
    let parallel = parallel.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(parallel.planes, serial.planes);
    assert_eq!(parallel.errors, serial.errors);
    assert_eq!(parallel.stars, serial.stars);
    let progress = Progress::default();
    progress.cancel();
    let run = Run::new().with_monitor(&progress);
    assert_eq!(
        solve_epsf(&cutouts, &settings(), run),
        Err(Error::Cancelled)
    );
}

#[test]
fn bad_input_is_named() {
    let stars = make(&|_, _| Box::new(moffat()), 3, 2);
    let good = cutouts(&stars);
    let message = |cutouts: &[Cutout<'_>], settings: &EpsfSettings<'_>| {
        let result = solve_epsf(cutouts, settings, Run::new().serial());
        result
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert!(message(&[], &settings()).starts_with("cutouts must hold at least one star"));
    let off = Cutout {
        x: 99.0,
        ..good[0].clone()
    };
    assert!(message(&[off], &settings()).starts_with("cutouts must have their stars'"));
    let far = Cutout {
        origin: (1e300, 0.0),
        ..good[0].clone()
    };
    assert!(message(&[far], &settings()).starts_with("cutouts.origin must be within"));
    let zeros = vec![0.0; SIDE * SIDE];
    let image = Image::new(&zeros[..], (SIDE, SIDE)).unwrap_or_else(|e| panic!("{e}"));
    let dark = [Cutout::new(image, 8.0, 8.0)];
    assert!(message(&dark, &settings()).starts_with("cutouts must hold stars whose pixels"));
    let base = settings;
    for (bad, name) in [
        (
            EpsfSettings {
                oversampling: (0, 4),
                ..base()
            },
            "oversampling",
        ),
        (
            EpsfSettings {
                shape: (68, 69),
                ..base()
            },
            "shape",
        ),
        (
            EpsfSettings {
                kappa: Some(-1.0),
                ..base()
            },
            "kappa",
        ),
        (
            EpsfSettings {
                cutoff: Some(f64::NAN),
                ..base()
            },
            "cutoff",
        ),
        (
            EpsfSettings {
                knots: Some(9),
                ..base()
            },
            "knots_per_pixel",
        ),
        (
            EpsfSettings {
                model_error: Some(2.0),
                ..base()
            },
            "model_error",
        ),
        (
            EpsfSettings {
                max_rounds: 0,
                ..base()
            },
            "max_rounds",
        ),
        (
            EpsfSettings {
                accuracy: 0.0,
                ..base()
            },
            "accuracy",
        ),
        (
            EpsfSettings {
                field: Field::Nodes {
                    x: vec![],
                    y: vec![],
                },
                ..base()
            },
            "field",
        ),
    ] {
        assert!(message(&good, &bad).starts_with(name), "{name}");
    }
}
