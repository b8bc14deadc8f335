//! Every model: derivatives against numerical ones at random points, and the
//! window methods against the point methods.

use proptest::prelude::*;
use psfphot::image::{Image, PixelBox};
use psfphot::psf::{
    AiryPrf, AiryPsf, CircularGaussianPrf, CircularGaussianPsf, CircularGaussianSigmaPrf, Domain,
    GaussianPrf, GaussianPsf, GriddedPsf, MoffatPrf, MoffatPsf, Placement, PolynomialPsf, Psf,
    SampledPsf, Sampling,
};
use psfphot::{Error, Run};

const SHAPE: (usize, usize) = (45, 37);

/// A smooth lopsided image that differs from plane to plane.
fn image(plane: usize) -> Vec<f64> {
    let p = plane as f64;
    (0..SHAPE.0 * SHAPE.1)
        .map(|k| {
            let (x, y) = ((k % SHAPE.1) as f64 - 18.0, (k / SHAPE.1) as f64 - 22.0);
            let r2 = (x - 0.3 * p).powi(2) / (20.0 + p) + (y + 0.2 * p).powi(2) / (30.0 - p);
            (-0.5 * r2).exp() + 0.02 * (0.3 * x + 0.2 * y * p).sin() / (1.0 + 0.01 * r2)
        })
        .collect()
}

fn sampled(oversampling: (f64, f64)) -> Result<SampledPsf, Error> {
    let samples = image(1);
    SampledPsf::new(Image::new(&samples, SHAPE)?, Sampling::new(oversampling))
}

fn gridded() -> Result<GriddedPsf, Error> {
    let xs = [0.0, 40.0, 100.0];
    let ys = [0.0, 70.0];
    let positions: Vec<_> = ys.iter().flat_map(|&y| xs.map(|x| (x, y))).collect();
    let planes: Vec<f64> = (0..6).flat_map(image).collect();
    GriddedPsf::new(
        &planes,
        SHAPE,
        &positions,
        Sampling::new((4.0, 4.0)),
        Run::new(),
    )
}

fn polynomial(terms: usize, oversampling: f64) -> Result<PolynomialPsf, Error> {
    let planes: Vec<f64> = (0..terms).flat_map(image).collect();
    let domain = Domain::new((40.0, 60.0), (70.0, 90.0))?;
    let sampling = Sampling::new((oversampling, oversampling));
    PolynomialPsf::new(&planes, SHAPE, domain, sampling, Run::new())
}

/// A grid two of whose nodes have no PSF.
fn partly_exposed() -> Result<GriddedPsf, Error> {
    let positions: Vec<_> = (0..9)
        .map(|k| (f64::from(k % 3) * 40.0, f64::from(k / 3) * 40.0))
        .collect();
    let unexposed = |k: usize| matches!(k, 4 | 6);
    let planes = (0..9).flat_map(|k| {
        let factor = if unexposed(k) { 0.0 } else { 1.0 };
        image(k).into_iter().map(move |v| factor * v)
    });
    let sampling = Sampling::new((4.0, 4.0));
    GriddedPsf::new(
        &planes.collect::<Vec<_>>(),
        SHAPE,
        &positions,
        sampling,
        Run::new(),
    )
}

fn models() -> Vec<Box<dyn Psf>> {
    let build = || -> Result<Vec<Box<dyn Psf>>, Error> {
        Ok(vec![
            Box::new(sampled((4.0, 4.0))?),
            Box::new(sampled((2.5, 3.25))?),
            Box::new(sampled((1.0, 2.0))?),
            Box::new(gridded()?),
            Box::new(partly_exposed()?),
            Box::new(polynomial(1, 3.0)?),
            Box::new(polynomial(3, 2.75)?),
            Box::new(polynomial(6, 1.25)?),
            Box::new(polynomial(10, 2.0)?),
            Box::new(polynomial(15, 4.0)?),
            Box::new(CircularGaussianPrf::new(2.3)?),
            Box::new(CircularGaussianSigmaPrf::new(0.9)?),
            Box::new(CircularGaussianPsf::new(2.3)?),
            Box::new(GaussianPsf::new(2.3, 3.1, 0.0)?),
            Box::new(GaussianPsf::new(3.3, 1.6, 31.0)?),
            Box::new(GaussianPrf::new(2.3, 3.1, -90.0)?),
            Box::new(GaussianPrf::new(3.3, 1.6, 31.0)?),
            Box::new(GaussianPrf::new(1.2, 7.5, 130.0)?),
            Box::new(MoffatPsf::new(2.1, 2.5)?),
            Box::new(MoffatPrf::new(1.7, 3.2)?.with_nodes(5)?),
            Box::new(AiryPsf::new(2.9)?),
            Box::new(AiryPrf::new(2.2)?.with_nodes(4)?),
        ])
    };
    build().unwrap_or_else(|error| panic!("{error}"))
}

/// The largest value off the support: wings by a power law do not end.
fn cut_off(psf: &dyn Psf) -> f64 {
    match psf.shape_names() {
        // That of Airy rings is 8/(π u³) · π/(4 q²) at u = π 10 FWHM/q, with
        // q = 2.2/1.22.
        ["alpha", "beta"] | ["radius"] => 2e-5,
        _ => 1e-15,
    }
}

/// Central differences of the value by x, y and the shape parameters.
fn numerical(psf: &dyn Psf, x: f64, y: f64, px: f64, py: f64) -> Vec<f64> {
    let start: Vec<f64> = [x, y]
        .into_iter()
        .chain(psf.shape().iter().copied())
        .collect();
    let h = 1e-5;
    (0..start.len())
        .map(|k| {
            let at = |step: f64| {
                let mut p = start.clone();
                p[k] += step;
                psf.value(
                    Placement {
                        x: p[0],
                        y: p[1],
                        shape: &p[2..],
                    },
                    px,
                    py,
                )
            };
            (at(h) - at(-h)) / (2.0 * h)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn derivatives_match_numerical_ones(
        x in 1.0..99.0, y in 1.0..69.0, dx in -3.5..3.5, dy in -4.0..4.0,
    ) {
        for psf in models() {
            let at = Placement { x, y, shape: psf.shape() };
            let (px, py) = (x + dx, y + dy);
            let mut analytic = vec![0.0; 2 + psf.shape().len()];
            let value = psf.value_and_gradient(at, px, py, &mut analytic);
            prop_assert!((value - psf.value(at, px, py)).abs() < 1e-15);
            for (a, n) in analytic.iter().zip(numerical(&*psf, x, y, px, py)) {
                // A cell boundary of the grid has a kink: stay off it.
                prop_assume!((x - 40.0).abs() > 1e-4);
                prop_assert!((a - n).abs() < 2e-7, "{psf:?}: {a} {n}");
            }
        }
    }

    #[test]
    fn windows_agree_with_points(
        x in -20.0..120.0, y in -20.0..90.0, x0 in -12_i64..3, y0 in -12_i64..3,
        width in 0_i64..20, height in 0_i64..20,
    ) {
        for psf in models() {
            let at = Placement { x, y, shape: psf.shape() };
            let (cx, cy) = (x.round() as i64, y.round() as i64);
            let window = PixelBox::new(cx + x0, cx + x0 + width, cy + y0, cy + y0 + height);
            let n = window.len();
            let parameters = 2 + psf.shape().len();
            // Poisoned, so that an element left unwritten shows.
            let (mut values, mut again) = (vec![f64::NAN; n], vec![f64::NAN; n]);
            let mut gradient = vec![f64::NAN; parameters * n];
            psf.fill(at, window, &mut values);
            psf.fill_with_gradient(at, window, &mut again, &mut gradient);
            let support = psf.support(at);
            for k in 0..n {
                let px = window.x0 + (k % width as usize) as i64;
                let py = window.y0 + (k / width as usize) as i64;
                let mut expected = vec![0.0; parameters];
                let value = psf.value_and_gradient(at, px as f64, py as f64, &mut expected);
                prop_assert!((values[k] - value).abs() < 1e-12);
                prop_assert!((again[k] - value).abs() < 1e-12);
                prop_assert!(support.contains(px, py) || value.abs() < cut_off(&*psf));
                for (plane, e) in expected.iter().enumerate() {
                    prop_assert!((gradient[plane * n + k] - e).abs() < 1e-11);
                }
            }
        }
    }

    /// Where the PSF ends with a step, its continuation does not, and its
    /// derivatives are those of the continuation.
    #[test]
    fn the_continuation_is_continuous(
        x in 1.0..99.0_f64, y in 1.0..69.0_f64, dx in -14.0..14.0_f64, dy in -14.0..14.0_f64,
    ) {
        prop_assume!((x - 40.0).abs() > 1e-4);
        for psf in [&sampled((4.0, 4.0)).unwrap() as &dyn Psf, &gridded().unwrap()] {
            let (px, py) = (x + dx, y + dy);
            let mut gradient = [0.0; 2];
            let mut at = |x: f64, y: f64| {
                psf.continued(Placement { x, y, shape: &[] }, px, py, &mut gradient)
            };
            let h = 1e-5;
            let by_x = (at(x + h, y) - at(x - h, y)) / (2.0 * h);
            let by_y = (at(x, y + h) - at(x, y - h)) / (2.0 * h);
            let value = at(x, y);
            // The ends, 4.5 and 5.5 pixels off, have a kink.
            prop_assume!((dx.abs() - 4.5).abs() > 1e-4 && (dy.abs() - 5.5).abs() > 1e-4);
            prop_assert!((gradient[0] - by_x).abs() < 2e-7);
            prop_assert!((gradient[1] - by_y).abs() < 2e-7);
            if dx.abs() < 4.5 && dy.abs() < 5.5 {
                let here = Placement { x, y, shape: &[] };
                prop_assert_eq!(value.to_bits(), psf.value(here, px, py).to_bits());
            }
        }
    }

    /// What a window shows of a source does not depend on the window.
    #[test]
    fn values_do_not_depend_on_the_window(x in 0.0..100.0, y in 0.0..70.0) {
        for psf in models() {
            let at = Placement { x, y, shape: psf.shape() };
            let whole = psf.support(at);
            let mut all = vec![0.0; whole.len()];
            psf.fill(at, whole, &mut all);
            let row = PixelBox::new(whole.x0 + 2, whole.x1, whole.y0 + 3, whole.y0 + 4);
            let mut part = vec![0.0; row.len()];
            psf.fill(at, row, &mut part);
            prop_assert_eq!(&all[3 * whole.width() + 2..4 * whole.width()], &part[..]);
        }
    }
}

#[test]
fn positions_that_are_no_numbers_have_no_support() {
    for psf in models() {
        for bad in [f64::NAN, f64::INFINITY, 1e300] {
            let at = Placement {
                x: bad,
                y: 0.0,
                shape: psf.shape(),
            };
            assert!(psf.support(at).is_empty());
            let mut values = [0.0; 4];
            psf.fill(at, PixelBox::new(0, 2, 0, 2), &mut values);
            let mut gradient = [0.0; 20];
            psf.fill_with_gradient(at, PixelBox::new(0, 2, 0, 2), &mut values, &mut gradient);
        }
    }
}

#[test]
fn grid_nodes_take_their_own_psf_and_the_outside_is_clamped() -> Result<(), Error> {
    let psf = gridded()?;
    let single = sampled((4.0, 4.0))?; // image(1), the node at (40, 0)
    for (dx, dy) in [(0.0, 0.0), (1.25, -2.5), (-4.5, 5.5)] {
        let node = Placement {
            x: 40.0,
            y: 0.0,
            shape: &[],
        };
        let value = psf.value(node, 40.0 + dx, dy);
        assert!((value - single.value(node, 40.0 + dx, dy)).abs() < 1e-14);
        let below = Placement {
            x: 40.0,
            y: -30.0,
            shape: &[],
        };
        assert!((psf.value(below, 40.0 + dx, dy - 30.0) - value).abs() < 1e-14);
    }
    Ok(())
}

#[test]
fn nodes_without_a_psf_take_no_part() -> Result<(), Error> {
    let psf = partly_exposed()?;
    let of = |x: f64, y: f64| psf.value(Placement { x, y, shape: &[] }, x, y);
    // The middle of the samples.
    let peak = |plane: usize| image(plane)[22 * SHAPE.1 + 18];
    // In the middle of a cell each of the three has a third.
    let third = (peak(0) + peak(1) + peak(3)) / 3.0;
    assert!((of(20.0, 20.0) - third).abs() < 1e-9);
    // On an edge from a node with a PSF to one without.
    assert!((of(40.0, 15.0) - peak(1)).abs() < 1e-6);
    assert!(of(40.0, 40.0) > 0.5 * third);
    // Outside of the corner that has none: its only neighbours in y and x.
    assert!((of(-5.0, 100.0) - f64::midpoint(peak(3), peak(7))).abs() < 1e-6);
    // Far from both the blend is as ever.
    let node = |x: f64, y: f64, plane: usize| (of(x, y) - peak(plane)).abs() < 1e-9;
    assert!(node(0.0, 0.0, 0) && node(80.0, 80.0, 8) && node(80.0, 0.0, 2));
    Ok(())
}

#[test]
fn a_polynomial_of_the_position_is_summed() -> Result<(), Error> {
    let psf = polynomial(6, 2.0)?;
    let (x, y) = (54.0, 42.0);
    let (u, v) = ((x - 40.0) / 70.0, (y - 60.0) / 90.0);
    let factors = [1.0, u, u * u, v, u * v, v * v];
    for (dx, dy) in [(0.0, 0.0), (1.3, -2.1), (-3.7, 5.2)] {
        let at = Placement { x, y, shape: &[] };
        let mut expected = 0.0;
        for (k, factor) in factors.iter().enumerate() {
            let plane = image(k);
            let single = SampledPsf::new(Image::new(&plane, SHAPE)?, Sampling::new((2.0, 2.0)))?;
            expected += factor * single.value(at, x + dx, y + dy);
        }
        assert!((psf.value(at, x + dx, y + dy) - expected).abs() < 1e-13);
    }
    Ok(())
}

#[test]
fn gaussian_sums_to_one_even_when_narrow() -> Result<(), Error> {
    for fwhm in [0.05, 0.5, 3.0] {
        let psf = CircularGaussianPrf::new(fwhm)?;
        let at = Placement {
            x: 10.3,
            y: 9.8,
            shape: &[],
        };
        let window = psf.support(at);
        let mut values = vec![0.0; window.len()];
        psf.fill(at, window, &mut values);
        assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-14);
    }
    Ok(())
}

#[test]
fn bad_input_is_named() {
    let planes = vec![1.0; 3 * 16];
    let grid = |positions: &[(f64, f64)], sampling| {
        GriddedPsf::new(&planes, (4, 4), positions, sampling, Run::new().serial())
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    let four = Sampling::new((4.0, 4.0));
    let diagonal = [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)];
    assert!(grid(&diagonal, four).contains("positions must form a rectangular grid"));
    assert!(grid(&diagonal[..2], four).contains("data must have the shape [32], got [48]"));
    let row = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)];
    assert_eq!(grid(&row, four), "");
    assert!(grid(&row, Sampling::new((0.0, 4.0))).contains("oversampling must be positive"));
    let nan = [1.0, f64::NAN].repeat(8);
    let image = Image::new(&nan, (4, 4)).unwrap_or_else(|e| panic!("{e}"));
    let error = SampledPsf::new(image, four).err().map(|e| e.to_string());
    assert_eq!(
        error.as_deref(),
        Some("data must hold only finite values, got NaN at element 1")
    );
    assert!(CircularGaussianPrf::new(f64::NAN).is_err());
}
