//! The analytic models: formulas against an independent quadrature, and
//! derivatives at random shapes.

use proptest::prelude::*;
use psfphot::Error;
use psfphot::image::PixelBox;
use psfphot::psf::{
    AiryPrf, AiryPsf, CircularGaussianPrf, CircularGaussianPsf, CircularGaussianSigmaPrf,
    GaussianPrf, GaussianPsf, MoffatPrf, MoffatPsf, Placement, Psf,
};

const SIGMA_PER_FWHM: f64 = 0.424_660_900_144_009_5;

const ORIGIN: Placement<'static> = Placement {
    x: 0.0,
    y: 0.0,
    shape: &[],
};

fn value(psf: &dyn Psf, dx: f64, dy: f64) -> f64 {
    psf.value(ORIGIN, dx, dy)
}

/// Nodes and weights for (−½, ½), by bisection between the roots of the
/// Legendre polynomial of one degree less.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let legendre = |n: usize, x: f64| {
        (1..n).fold((1.0, x), |(before, value), k| {
            let k = k as f64;
            (
                value,
                ((2.0 * k + 1.0) * x * value - k * before) / (k + 1.0),
            )
        })
    };
    let mut roots: Vec<f64> = vec![0.0];
    for degree in 2..=n {
        let mut ends = vec![-1.0];
        ends.extend(&roots);
        ends.push(1.0);
        roots = ends
            .windows(2)
            .map(|pair| {
                let (mut low, mut high) = (pair[0], pair[1]);
                let rises = legendre(degree, high).1 > legendre(degree, low).1;
                for _ in 0..80 {
                    let middle = 0.5 * (low + high);
                    if (legendre(degree, middle).1 > 0.0) == rises {
                        high = middle;
                    } else {
                        low = middle;
                    }
                }
                0.5 * (low + high)
            })
            .collect();
    }
    let weight = |x: f64| {
        let before = legendre(n, x).0;
        (1.0 - x * x) / (n as f64 * before).powi(2)
    };
    let sum: f64 = roots.iter().map(|&x| weight(x)).sum();
    roots.iter().map(|&x| (0.5 * x, weight(x) / sum)).collect()
}

/// The integral of `f` over the unit pixel around a point, by five-point
/// Gauss–Legendre in n x n cells.
fn over_pixel(f: impl Fn(f64, f64) -> f64, (px, py): (f64, f64), n: usize) -> f64 {
    let a = (5.0 - 2.0 * (10.0_f64 / 7.0).sqrt()).sqrt() / 3.0;
    let b = (5.0 + 2.0 * (10.0_f64 / 7.0).sqrt()).sqrt() / 3.0;
    let (wa, wb) = (
        (322.0 + 13.0 * 70.0_f64.sqrt()) / 900.0,
        (322.0 - 13.0 * 70.0_f64.sqrt()) / 900.0,
    );
    let rule = [(-b, wb), (-a, wa), (0.0, 128.0 / 225.0), (a, wa), (b, wb)];
    let cell = 1.0 / n as f64;
    let nodes: Vec<(f64, f64)> = (0..n)
        .flat_map(|k| {
            let middle = (k as f64 + 0.5) * cell - 0.5;
            rule.map(|(x, w)| (middle + 0.5 * cell * x, 0.5 * cell * w))
        })
        .collect();
    nodes
        .iter()
        .flat_map(|&(y, wy)| nodes.iter().map(move |&(x, wx)| (x, y, wx * wy)))
        .map(|(x, y, w)| w * f(px + x, py + y))
        .sum()
}

/// The density written out with the quadratic form of x and y.
fn gaussian_density(x_fwhm: f64, y_fwhm: f64, theta: f64, dx: f64, dy: f64) -> f64 {
    let (sx, sy) = (SIGMA_PER_FWHM * x_fwhm, SIGMA_PER_FWHM * y_fwhm);
    let t = theta.to_radians();
    let a = t.cos().powi(2) / (2.0 * sx * sx) + t.sin().powi(2) / (2.0 * sy * sy);
    let b = (2.0 * t).sin() * (1.0 / (2.0 * sx * sx) - 1.0 / (2.0 * sy * sy));
    let c = t.sin().powi(2) / (2.0 * sx * sx) + t.cos().powi(2) / (2.0 * sy * sy);
    (-(a * dx * dx + b * dx * dy + c * dy * dy)).exp() / (2.0 * std::f64::consts::PI * sx * sy)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 200, ..ProptestConfig::default()
    })]

    #[test]
    fn gaussians_are_the_density_and_its_integral(
        x_fwhm in 0.6..6.0_f64, ratio in 1.0..25.0_f64, theta in -200.0..200.0_f64,
        dx in -4.0..4.0_f64, dy in -4.0..4.0_f64,
    ) {
        let y_fwhm = x_fwhm * ratio;
        let density = |dx, dy| gaussian_density(x_fwhm, y_fwhm, theta, dx, dy);
        let psf = GaussianPsf::new(x_fwhm, y_fwhm, theta).unwrap();
        prop_assert!((value(&psf, dx, dy) - density(dx, dy)).abs() < 1e-12 * density(0.0, 0.0));
        let prf = GaussianPrf::new(x_fwhm, y_fwhm, theta).unwrap();
        let cells = (6.0 / x_fwhm).ceil() as usize + 1;
        let expected = over_pixel(density, (dx, dy), 4 * cells);
        let peak = value(&prf, 0.0, 0.0);
        prop_assert!(
            (value(&prf, dx, dy) - expected).abs() < 1e-12 * peak,
            "{} {} {}", value(&prf, dx, dy), expected, peak
        );
    }

    #[test]
    fn radial_prfs_are_the_integrals_of_their_psfs(
        alpha in 1.2..5.0_f64, beta in 1.1..6.0_f64, dx in -6.0..6.0_f64, dy in -6.0..6.0_f64,
    ) {
        let pairs: [(Box<dyn Psf>, Box<dyn Psf>); 3] = [
            (
                Box::new(MoffatPsf::new(alpha, beta).unwrap()),
                Box::new(MoffatPrf::new(alpha, beta).unwrap().with_nodes(20).unwrap()),
            ),
            (Box::new(AiryPsf::new(alpha).unwrap()), Box::new(AiryPrf::new(alpha).unwrap())),
            (
                Box::new(CircularGaussianPsf::new(alpha).unwrap()),
                Box::new(CircularGaussianPrf::new(alpha).unwrap()),
            ),
        ];
        for (psf, prf) in &pairs {
            let expected = over_pixel(|x, y| value(&**psf, x, y), (dx, dy), 12);
            let peak = value(&**prf, 0.0, 0.0);
            prop_assert!((value(&**prf, dx, dy) - expected).abs() < 1e-12 * peak, "{prf:?}");
        }
    }

    /// Nodes that change nothing are left out, no others.
    #[test]
    fn moffats_have_all_the_nodes_that_count(
        alpha in 0.2..8.0_f64, beta in 1.05..9.0_f64, n_nodes in 2_usize..14,
        dx in -25.0..25.0_f64, dy in -25.0..25.0_f64, scale in 0.02..1.0_f64,
    ) {
        let (dx, dy) = (dx * scale, dy * scale);
        let psf = MoffatPsf::new(alpha, beta).unwrap();
        let prf = |n| MoffatPrf::new(alpha, beta).unwrap().with_nodes(n).unwrap();
        let nodes = gauss_legendre(n_nodes);
        let mut expected = [0.0; 5];
        for (y, wy) in &nodes {
            for (x, wx) in &nodes {
                let mut gradient = [0.0; 4];
                expected[4] +=
                    wx * wy * psf.value_and_gradient(ORIGIN, dx + x, dy + y, &mut gradient);
                for (sum, derivative) in expected.iter_mut().zip(gradient) {
                    *sum += wx * wy * derivative;
                }
            }
        }
        let mut gradient = [0.0; 4];
        let value = prf(n_nodes).value_and_gradient(ORIGIN, dx, dy, &mut gradient);
        let peak = self::value(&psf, 0.0, 0.0);
        prop_assert!((value - expected[4]).abs() < 5e-15 * peak, "{value} {expected:?}");
        for (k, derivative) in gradient.iter().enumerate() {
            let unit = if k == 3 { (beta - 1.0).min(1.0) } else { alpha };
            let difference = (derivative - expected[k]).abs();
            prop_assert!(difference * unit < 3e-14 * peak, "{k} {derivative} {expected:?}");
        }
    }

    /// At any shape, as far as central differences can tell.
    #[test]
    fn derivatives_are_those_of_the_values(
        width in 0.3..5.0_f64, ratio in 0.04..25.0_f64, theta in -200.0..200.0_f64,
        beta in 1.05..6.0_f64, dx in -3.0..3.0_f64, dy in -3.0..3.0_f64,
    ) {
        let models: [Box<dyn Psf>; 9] = [
            Box::new(GaussianPsf::new(width, width * ratio, theta).unwrap()),
            Box::new(GaussianPrf::new(width, width * ratio, theta).unwrap()),
            Box::new(CircularGaussianPsf::new(width).unwrap()),
            Box::new(CircularGaussianPrf::new(width).unwrap()),
            Box::new(CircularGaussianSigmaPrf::new(width).unwrap()),
            Box::new(MoffatPsf::new(width, beta).unwrap()),
            Box::new(MoffatPrf::new(width, beta).unwrap().with_nodes(3).unwrap()),
            Box::new(AiryPsf::new(width).unwrap()),
            Box::new(AiryPrf::new(width).unwrap().with_nodes(3).unwrap()),
        ];
        for psf in &models {
            check_gradient(&**psf, dx, dy)?;
        }
    }

    /// Window methods and point methods of a Gaussian of any obliquity agree.
    #[test]
    fn long_oblique_gaussians_fill_windows_as_points(
        x_fwhm in 0.3..3.0_f64, ratio in 1.0..40.0_f64, theta in 0.0..90.0_f64,
        x in -1.0..1.0_f64, y in -1.0..1.0_f64,
    ) {
        let psf = GaussianPrf::new(x_fwhm, x_fwhm * ratio, theta).unwrap();
        let at = Placement { x, y, shape: &[] };
        let window = PixelBox::new(-6, 5, -7, 12);
        let n = window.len();
        let (mut values, mut gradient) = (vec![f64::NAN; n], vec![f64::NAN; 5 * n]);
        psf.fill_with_gradient(at, window, &mut values, &mut gradient);
        for (k, (px, py)) in window.pixels().enumerate() {
            let mut expected = [0.0; 5];
            let value = psf.value_and_gradient(at, px as f64, py as f64, &mut expected);
            prop_assert_eq!(values[k].to_bits(), value.to_bits());
            for (plane, e) in expected.iter().enumerate() {
                prop_assert!((gradient[plane * n + k] - e).abs() <= 1e-15 * (1.0 + e.abs()));
            }
        }
    }

    /// However long, thin or small: the pixels sum to the flux.
    #[test]
    fn rotated_prfs_sum_to_one(
        x_fwhm in 1e-6..4.0_f64, y_fwhm in 1e-6..4.0_f64, theta in -180.0..180.0_f64,
        x in -0.5..0.5_f64, y in -0.5..0.5_f64,
    ) {
        let psf = GaussianPrf::new(x_fwhm, y_fwhm, theta).unwrap();
        let at = Placement { x, y, shape: &[] };
        let window = psf.support(at);
        let mut values = vec![0.0; window.len()];
        psf.fill(at, window, &mut values);
        prop_assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!(values.iter().all(|&v| v > -1e-15));
    }
}

/// Compares with central differences, relative to how fast each parameter
/// changes the peak.
fn check_gradient(psf: &dyn Psf, dx: f64, dy: f64) -> Result<(), TestCaseError> {
    let shape = psf.shape().to_vec();
    let start: Vec<f64> = [0.0, 0.0].into_iter().chain(shape).collect();
    let mut gradient = vec![0.0; start.len()];
    let at = |p: &[f64]| psf.value(place(p), dx, dy);
    let value = psf.value_and_gradient(place(&start), dx, dy, &mut gradient);
    prop_assert!((value - at(&start)).abs() <= 1e-15 * (1.0 + value));
    let narrow = psf.shape()[..psf.shape().len().min(2)]
        .iter()
        .fold(1.0, |narrow: f64, v| narrow.min(*v));
    let peak = psf.value(place(&start), 0.0, 0.0);
    for k in 0..start.len() {
        // The angle in degrees; the rest in pixels (and β).
        let unit = if psf.shape_names().get(k.wrapping_sub(2)) == Some(&"theta") {
            (narrow / psf.shape()[0].max(psf.shape()[1])).max(0.01) * 20.0
        } else {
            narrow
        };
        let step = 1e-4 * unit;
        let shifted = |by: f64| {
            let mut p = start.clone();
            p[k] += by;
            at(&p)
        };
        // Fourth order, so that a step of 1e-4 widths will do.
        let numerical = (8.0 * (shifted(step) - shifted(-step))
            - (shifted(2.0 * step) - shifted(-2.0 * step)))
            / (12.0 * step);
        let difference = (gradient[k] - numerical).abs();
        prop_assert!(
            difference * unit < 1e-9 * peak,
            "{psf:?} {k}: {} {numerical}",
            gradient[k]
        );
    }
    Ok(())
}

fn place(p: &[f64]) -> Placement<'_> {
    Placement {
        x: p[0],
        y: p[1],
        shape: &p[2..],
    }
}

#[test]
fn the_parametrisations_agree() -> Result<(), Error> {
    let by_fwhm = CircularGaussianPrf::new(2.0)?;
    let by_sigma = CircularGaussianSigmaPrf::new(2.0 * SIGMA_PER_FWHM)?;
    let elliptical = GaussianPrf::new(2.0, 2.0, 17.0)?;
    let one_node = MoffatPrf::new(2.0, 3.0)?.with_nodes(1)?;
    let moffat = MoffatPsf::new(2.0, 3.0)?;
    for (dx, dy) in [(0.0, 0.0), (0.3, -1.2), (3.5, 2.25), (-9.0, 1.0)] {
        let expected = value(&by_fwhm, dx, dy);
        assert!((value(&by_sigma, dx, dy) - expected).abs() < 1e-15);
        assert!((value(&elliptical, dx, dy) - expected).abs() < 1e-15);
        let (one_node, moffat) = (value(&one_node, dx, dy), value(&moffat, dx, dy));
        assert_eq!(one_node.to_bits(), moffat.to_bits());
    }
    Ok(())
}

#[test]
fn wings_are_cut_no_nearer_than_photutils_bounding_box() -> Result<(), Error> {
    let at = Placement {
        x: 0.25,
        y: -0.25,
        shape: &[],
    };
    let (alpha, beta) = (2.0, 2.5_f64);
    let moffat = MoffatPrf::new(alpha, beta)?.support(at);
    let airy = AiryPsf::new(3.0)?.support(at);
    let fwhm = 2.0 * alpha * (2.0_f64.powf(1.0 / beta) - 1.0).sqrt();
    for (support, fwhm) in [(moffat, fwhm), (airy, 0.843_665_960_216_236_4 * 3.0)] {
        assert!(support.width() as f64 >= 20.0 * fwhm);
        assert!(support.height() as f64 >= 20.0 * fwhm);
        assert!(support.width() as f64 <= 20.0 * fwhm + 4.0);
    }
    // Values beyond are not cut.
    assert!(value(&MoffatPsf::new(alpha, beta)?, 500.0, 0.0) > 0.0);
    Ok(())
}

#[test]
fn shapes_that_make_no_psf() -> Result<(), Error> {
    let message = |result: Result<(), Error>| result.map_err(|e| e.to_string()).unwrap_err();
    let gaussian = GaussianPrf::new(1.0, 2.0, 30.0)?;
    let moffat = MoffatPsf::new(1.0, 2.0)?;
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for (shape, start) in [([bad, 1.0, 0.0], "x_fwhm"), ([1.0, bad, 0.0], "y_fwhm")] {
            let expected = format!("{start} must be positive and finite");
            assert!(message(gaussian.check_shape(&shape)).starts_with(&expected));
            assert!(GaussianPsf::new(shape[0], shape[1], shape[2]).is_err());
            let at = Placement {
                x: 0.0,
                y: 0.0,
                shape: &shape,
            };
            assert!(bad == f64::INFINITY || gaussian.value(at, 0.0, 0.0).is_nan());
        }
        assert!(message(moffat.check_shape(&[bad, 2.0])).starts_with("alpha must be positive"));
        assert!(message(moffat.check_shape(&[1.0, bad])).starts_with("beta must be greater"));
        assert!(AiryPrf::new(bad).is_err() && CircularGaussianSigmaPrf::new(bad).is_err());
    }
    assert!(message(moffat.check_shape(&[1.0, 1.0])).contains("greater than 1"));
    assert!(message(gaussian.check_shape(&[1.0, 1.0, f64::NAN])).starts_with("theta must be"));
    assert!(MoffatPrf::new(1.0, 2.0)?.with_nodes(0).is_err());
    assert!(AiryPrf::new(1.0)?.with_nodes(201).is_err());
    Ok(())
}

#[test]
fn steps_of_a_fit_stay_where_there_is_a_psf() -> Result<(), Error> {
    let gaussian = GaussianPsf::new(2.0, 2.0, 30.0)?;
    let moffat = MoffatPrf::new(2.0, 1.5)?;
    let airy = AiryPsf::new(2.0)?;
    for step in [-1e9, -3.0, 1e9] {
        assert!(2.0 + gaussian.limit_shape_step(0, 2.0, step) > 0.0);
        assert!(gaussian.limit_shape_step(2, 350.0, step).abs() <= 30.0);
        assert!(2.0 + moffat.limit_shape_step(0, 2.0, step) > 0.0);
        assert!(1.5 + moffat.limit_shape_step(1, 1.5, step) > 1.0);
        assert!(2.0 + airy.limit_shape_step(0, 2.0, step) > 0.0);
    }
    assert!((moffat.limit_shape_step(1, 1.5, 0.01) - 0.01).abs() < 1e-16);
    Ok(())
}
