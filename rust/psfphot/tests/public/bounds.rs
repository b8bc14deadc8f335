//! Fits within bounds.

use proptest::prelude::*;
use psfphot::fit::{FLUX, Parameters, X, Y};
use psfphot::image::{Frame, Image};
use psfphot::photometry::{FittedSource, Photometry, Starts};
use psfphot::psf::{CircularGaussianPrf, Placement, Psf};
use psfphot::{Error, Run, flags};

const SIDE: usize = 24;

/// (flux, x, y)
type Star = (f64, f64, f64);

fn psf() -> CircularGaussianPrf {
    CircularGaussianPrf::new(2.6).unwrap_or_else(|error| panic!("{error}"))
}

fn model(stars: &[Star]) -> Vec<f64> {
    let psf = psf();
    let value = |k: usize| {
        stars
            .iter()
            .map(|&(flux, x, y)| {
                let at = Placement { x, y, shape: &[] };
                flux * psf.value(at, (k % SIDE) as f64, (k / SIDE) as f64)
            })
            .sum()
    };
    (0..SIDE * SIDE).map(value).collect()
}

/// An image with some structure that is no star.
fn image(stars: &[Star]) -> Vec<f64> {
    let ripple = |k: usize| 0.8 * ((k * 7919 % 101) as f64 / 50.0 - 1.0);
    let pixels = model(stars).into_iter().enumerate();
    pixels.map(|(k, value)| value + ripple(k)).collect()
}

fn fit(photometry: &Photometry, data: &[f64], starts: &[Star]) -> Result<Vec<FittedSource>, Error> {
    let column = |value: fn(&Star) -> f64| starts.iter().map(value).collect::<Vec<_>>();
    let (flux, x, y) = (column(|s| s.0), column(|s| s.1), column(|s| s.2));
    let groups = vec![1; starts.len()];
    let starts = Starts::new(&x, &y, &flux)?.with_groups(&groups)?;
    let error = vec![1.0; data.len()];
    let frame = Frame::new(Image::new(data, (SIDE, SIDE))?);
    let frame = frame.with_error(Image::new(&error, (SIDE, SIDE))?)?;
    photometry.fit(&psf(), &frame, &starts, Run::new())
}

fn photometry() -> Result<Photometry, Error> {
    Photometry::new((7, 7))
}

#[test]
fn wide_bounds_change_nothing_and_set_no_flag() -> Result<(), Error> {
    for stars in [
        vec![(300.0, 10.2, 11.4)],
        vec![(300.0, 10.2, 11.4), (200.0, 12.9, 12.0)],
    ] {
        let data = image(&stars);
        let starts: Vec<Star> = stars
            .iter()
            .map(|s| (250.0, s.1 + 0.2, s.2 - 0.1))
            .collect();
        let free = fit(&photometry()?, &data, &starts)?;
        let wide = photometry()?
            .with_bounds(&[(0.0, 1e6), (-100.0, 100.0)])?
            .with_position_bounds((Some(3.0), None))?;
        let bounded = fit(&wide, &data, &starts)?;
        let all = |sources: &[FittedSource]| -> Vec<_> {
            let row = |s: &FittedSource| (s.parameters, s.errors[X], s.flags, s.iterations);
            sources.iter().map(row).collect()
        };
        assert_eq!(all(&bounded), all(&free));
        assert!(free.iter().all(|s| s.flags == 0));
    }
    Ok(())
}

#[test]
fn a_bound_that_holds_is_as_a_fixed_parameter() -> Result<(), Error> {
    for stars in [
        vec![(300.0, 10.0, 11.4)],
        vec![(300.0, 10.0, 11.4), (200.0, 13.2, 12.0)],
    ] {
        let data = image(&stars);
        // The first star would go to 10.0.
        let starts: Vec<Star> = stars.iter().map(|s| (250.0, s.1 + 0.3, s.2)).collect();
        let near = photometry()?.with_position_bounds((Some(0.1), None))?;
        let bounded = fit(&near, &data, &starts)?;
        let held: Vec<Star> = starts.iter().map(|s| (s.0, s.1 - 0.1, s.2)).collect();
        let fixed = photometry()?.with_fixed(&[false, true, false])?;
        let fixed = fit(&fixed, &data, &held)?;
        for (bounded, (fixed, held)) in bounded.iter().zip(fixed.iter().zip(&held)) {
            assert!((bounded.x() - held.1).abs() < 1e-12);
            assert!((bounded.flux() - fixed.flux()).abs() < 1e-3 * fixed.flux_error());
            assert!((bounded.y() - fixed.y()).abs() < 1e-3 * fixed.errors[Y]);
            assert_eq!(bounded.flags, flags::PARAMETER_NEAR_BOUND);
            // Its error is that of the free parameter, as astropy has it.
            assert!(bounded.errors[X] > 0.0);
        }
    }
    Ok(())
}

#[test]
fn a_star_that_is_not_there_ends_at_flux_zero() -> Result<(), Error> {
    let data: Vec<f64> = model(&[(300.0, 10.0, 11.4)])
        .iter()
        .zip(model(&[(20.0, 13.0, 12.0)]))
        .map(|(star, hole)| star - hole)
        .collect();
    let starts = [(250.0, 10.2, 11.3), (30.0, 13.1, 12.1)];
    let bounds = photometry()?.with_bounds(&[(0.0, f64::INFINITY)])?;
    let sources = fit(&bounds, &data, &starts)?;
    assert!(sources[1].flux().abs() < 1e-9, "{:?}", sources[1]);
    assert_ne!(sources[1].flags & flags::NON_POSITIVE_FLUX, 0);
    assert_ne!(sources[1].flags & flags::PARAMETER_NEAR_BOUND, 0);
    // The hole pulls a little at the star.
    assert!((sources[0].flux() - 300.0).abs() < 20.0);
    assert_eq!(sources[0].flags & flags::NO_COVARIANCE, 0);
    Ok(())
}

#[test]
fn bounds_that_are_none_are_refused() -> Result<(), Error> {
    let message = |bounds: &[(f64, f64)]| {
        let photometry = photometry()?.with_bounds(bounds);
        Ok::<_, Error>(photometry.err().map_or(String::new(), |e| e.to_string()))
    };
    assert!(message(&[(1.0, 0.0)])?.contains("bounds must be (lower, upper), got (1, 0)"));
    assert!(message(&[(f64::NAN, 1.0)])?.contains("bounds"));
    assert!(message(&[(0.0, 1.0); 7])?.contains("at most 6 elements"));
    for reach in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = photometry()?.with_position_bounds((None, Some(reach)));
        assert!(refused.is_err_and(|e| {
            e.to_string()
                .starts_with("position_bounds must be positive")
        }));
    }
    Ok(())
}

/// χ² over the union of the boxes, for stars started at `starts`.
fn chi2(data: &[f64], starts: &[Star], sources: &[Parameters]) -> f64 {
    let stars: Vec<Star> = sources.iter().map(|p| (p[FLUX], p[X], p[Y])).collect();
    let inside = |start: &Star, x: f64, y: f64| {
        let low = |v: f64| (v - 3.5).ceil();
        let within = |p: f64, v: f64| p >= low(v) && p < low(v) + 7.0;
        within(x, start.1) && within(y, start.2)
    };
    let pixels = data.iter().zip(model(&stars)).enumerate();
    pixels
        .filter(|(k, _)| {
            let (x, y) = ((k % SIDE) as f64, (k / SIDE) as f64);
            starts.iter().any(|start| inside(start, x, y))
        })
        .map(|(_, (data, model))| (data - model).powi(2))
        .sum()
}

fn pair() -> impl Strategy<Value = (Vec<Star>, Vec<Star>)> {
    let star = || (100.0..400.0, 9.0..14.0, 9.0..14.0);
    let shift = || (0.7..1.3, -0.6..0.6, -0.6..0.6);
    prop::collection::vec((star(), shift()), 1..3).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|((f, x, y), (s, dx, dy)): (Star, Star)| ((f, x, y), (f * s, x + dx, y + dy)))
            .unzip()
    })
}

proptest! {
    /// No step that the bounds allow lowers χ².
    #[test]
    fn the_end_is_a_minimum_within_the_bounds(
        (stars, starts) in pair(),
        reach in 0.05..1.0_f64,
        most in 150.0..350.0_f64,
    ) {
        let data = image(&stars);
        let photometry = photometry()?
            .with_bounds(&[(0.0, most)])?
            .with_position_bounds((Some(reach), Some(reach)))?;
        let sources = fit(&photometry, &data, &starts)?;
        let ends: Vec<Parameters> = sources.iter().map(|s| s.parameters).collect();
        let lowest = chi2(&data, &starts, &ends);
        for (i, source) in sources.iter().enumerate() {
            prop_assume!(source.flags & (flags::NO_CONVERGENCE | flags::NO_COVARIANCE) == 0);
            let bounds = [
                (FLUX, 0.0, most),
                (X, starts[i].1 - reach, starts[i].1 + reach),
                (Y, starts[i].2 - reach, starts[i].2 + reach),
            ];
            for (k, low, high) in bounds {
                let value = source.parameters[k];
                prop_assert!((low..=high).contains(&value));
                for step in [-0.02, 0.02].map(|s| s * source.errors[k]) {
                    let mut moved = ends.clone();
                    moved[i][k] = (value + step).clamp(low, high);
                    let rise = chi2(&data, &starts, &moved) - lowest;
                    prop_assert!(rise > -1e-5, "{k} {step}: {rise}");
                }
            }
        }
    }
}
