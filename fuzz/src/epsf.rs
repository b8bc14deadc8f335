//! PSFs of stars.

use psfphot::epsf::{Cutout, EpsfSettings, EpsfSolution, Field, solve_epsf};
use psfphot::image::Image;
use psfphot::psf::{Placement, Psf};

use crate::bytes::Bytes;
use crate::calls::call;
use crate::psfs::psf;

/// As many planes as the field has, of finite samples in the shape asked for; a report
/// for each cutout, with no more pixels than it has; no more rounds than asked for.
///
/// # Panics
/// Where the core breaks a promise.
pub fn epsf(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let Some(psf) = psf(&mut bytes) else {
        return;
    };
    let n = bytes.below(10);
    let stars = bytes.list(n, |bytes| Star::new(bytes, &*psf));
    let cutouts: Vec<_> = stars.iter().map(Star::cutout).collect();
    let field = field(&mut bytes);
    let library = bytes.one_in(6).then_some(&*psf);
    let settings = settings(&mut bytes, field, library);
    let solution = call(&mut bytes, None, |run| solve_epsf(&cutouts, &settings, run));
    if let Ok(solution) = solution {
        check(&solution, &cutouts, &settings);
    }
}

/// The pixels of a star.
struct Star {
    shape: (usize, usize),
    data: Vec<f64>,
    error: Option<Vec<f64>>,
    mask: Option<Vec<bool>>,
    at: (f64, f64),
    flux: Option<f64>,
    origin: (f64, f64),
    link: Option<usize>,
    scale: f64,
    jacobian: [[f64; 2]; 2],
}

impl Star {
    fn new(bytes: &mut Bytes<'_>, psf: &dyn Psf) -> Self {
        let shape = (1 + bytes.below(15), 1 + bytes.below(15));
        let inside = |bytes: &mut Bytes<'_>, n: usize| {
            let middle = (n - 1) as f64 / 2.0;
            middle + bytes.number(-0.8, 0.8)
        };
        let at = (inside(bytes, shape.1), inside(bytes, shape.0));
        let (flux, sigma) = (bytes.number(10.0, 1e5), bytes.between(0.0, 10.0));
        let mut noise = bytes.noise();
        let mut pixel = |k: usize| {
            let (x, y) = ((k % shape.1) as f64, (k / shape.1) as f64);
            let place = Placement {
                x: at.0,
                y: at.1,
                shape: psf.shape(),
            };
            flux * psf.value(place, x, y) + sigma * noise.normal()
        };
        let n = shape.0 * shape.1;
        let mut data: Vec<f64> = (0..n).map(&mut pixel).collect();
        if bytes.one_in(6) {
            data[bytes.below(n)] = bytes.number(-100.0, 1e5);
        }
        let error = (!bytes.one_in(3)).then(|| {
            let mut error = vec![sigma.max(0.1); n];
            error[bytes.below(n)] = bytes.number(0.1, 10.0);
            error
        });
        let mask = bytes
            .one_in(4)
            .then(|| (0..n).map(|_| noise.unit() < 0.2).collect());
        Self {
            shape,
            data,
            error,
            mask,
            at,
            flux: bytes.one_in(3).then(|| bytes.number(10.0, 1e5)),
            origin: (bytes.number(0.0, 100.0), bytes.number(0.0, 100.0)),
            link: bytes.one_in(3).then(|| bytes.below(4)),
            scale: bytes.number(0.5, 2.0),
            jacobian: if bytes.one_in(6) {
                [
                    [bytes.number(0.9, 1.1), bytes.number(-0.1, 0.1)],
                    [bytes.number(-0.1, 0.1), bytes.number(0.9, 1.1)],
                ]
            } else {
                [[1.0, 0.0], [0.0, 1.0]]
            },
        }
    }

    fn cutout(&self) -> Cutout<'_> {
        let plane = |values| Image::new(values, self.shape).expect("as many values as pixels");
        let mask = |values| Image::new(values, self.shape).expect("as many values as pixels");
        Cutout {
            error: self.error.as_deref().map(plane),
            mask: self.mask.as_deref().map(mask),
            flux: self.flux,
            origin: self.origin,
            link: self.link,
            scale: self.scale,
            jacobian: self.jacobian,
            ..Cutout::new(plane(&self.data), self.at.0, self.at.1)
        }
    }
}

fn field(bytes: &mut Bytes<'_>) -> Field {
    match bytes.byte() % 6 {
        0 => Field::Polynomial {
            degree: bytes.below(4),
            centre: (bytes.number(0.0, 100.0), bytes.number(0.0, 100.0)),
            scale: (bytes.number(10.0, 100.0), bytes.number(10.0, 100.0)),
        },
        1 => {
            let mut nodes = || {
                let n = bytes.below(4);
                let mut nodes = bytes.list(n, |bytes| bytes.number(0.0, 100.0));
                if !bytes.one_in(6) {
                    nodes.sort_by(f64::total_cmp);
                }
                nodes
            };
            Field::Nodes {
                x: nodes(),
                y: nodes(),
            }
        }
        _ => Field::Constant,
    }
}

fn settings<'a>(
    bytes: &mut Bytes<'_>,
    field: Field,
    library: Option<&'a dyn Psf>,
) -> EpsfSettings<'a> {
    let mut side = || {
        let samples = bytes.size(3);
        let half = samples.saturating_mul(1 + bytes.below(5));
        (half.saturating_mul(2).saturating_add(1), samples)
    };
    let ((ny, sy), (nx, sx)) = (side(), side());
    EpsfSettings {
        kappa: bytes.maybe(|bytes| bytes.number(0.1, 10.0)),
        cutoff: bytes.one_in(4).then(|| bytes.number(0.2, 2.0)),
        field,
        library,
        knots: bytes.maybe(|bytes| bytes.below(6)),
        model_error: bytes.maybe(|bytes| bytes.number(0.0, 0.1)),
        with_background: bytes.one_in(3),
        max_rounds: bytes.below(4),
        accuracy: bytes.number(1e-4, 1e-1),
        with_error: bytes.one_in(2),
        ..EpsfSettings::new((ny, nx), (sy, sx))
    }
}

fn check(solution: &EpsfSolution, cutouts: &[Cutout<'_>], settings: &EpsfSettings<'_>) {
    let (n_planes, n_nodes) = match &settings.field {
        Field::Constant => (1, 0),
        Field::Polynomial { degree, .. } => ((degree + 1) * (degree + 2) / 2, 0),
        Field::Nodes { x, y } => (x.len() * y.len(), x.len() * y.len()),
    };
    let n_samples = settings.shape.0 * settings.shape.1;
    assert_eq!(solution.planes.len(), n_planes, "a plane for each term");
    assert_eq!(solution.nodes.len(), n_nodes);
    assert_eq!(solution.n_stars.len(), n_planes);
    for plane in &solution.planes {
        assert_eq!(plane.len(), n_samples);
        assert!(plane.iter().all(|v| v.is_finite()), "samples: {plane:?}");
    }
    assert_eq!(solution.errors.is_some(), settings.with_error);
    for errors in solution.errors.iter().flatten() {
        assert_eq!(errors.len(), n_samples);
        assert!(!errors.iter().any(|&e| e < 0.0), "errors: {errors:?}");
    }
    assert!(solution.n_rounds <= settings.max_rounds);
    assert_eq!(solution.rounds.len(), solution.n_rounds);
    for round in &solution.rounds {
        assert_eq!(round.samples.len(), n_samples);
        assert_eq!(round.positions.len(), cutouts.len());
    }
    let (kappa, fwhm) = (solution.kappa, solution.fwhm);
    assert!(kappa > 0.0 && kappa.is_finite(), "kappa {kappa}");
    assert!(fwhm > 0.0 && fwhm.is_finite(), "fwhm {fwhm}");
    assert!((1..=4).contains(&solution.knots));
    assert_eq!(solution.phase_counts.len(), solution.knots * solution.knots);
    assert!(solution.phase_counts.iter().sum::<usize>() <= cutouts.len());
    assert_eq!(
        solution.stars.len(),
        cutouts.len(),
        "a report for each cutout"
    );
    for (star, cutout) in solution.stars.iter().zip(cutouts) {
        assert!(star.n_rejected <= star.n_pixels, "{star:?}");
        assert!(star.n_pixels <= cutout.data.as_slice().len(), "{star:?}");
        if star.is_used {
            let numbers = [star.x, star.y, star.flux];
            assert!(numbers.iter().all(|v| v.is_finite()), "{star:?}");
        }
    }
}
