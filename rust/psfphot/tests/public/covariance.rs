//! The joint covariance of blended stars.

use psfphot::fit::{FLUX, Termination, X};
use psfphot::image::{Frame, Image};
use psfphot::photometry::{Photometry, Starts};
use psfphot::psf::{CircularGaussianPrf, Placement, Psf};
use psfphot::{Error, Run};

const SIDE: usize = 30;

fn image(psf: &CircularGaussianPrf, stars: [[f64; 2]; 3]) -> Vec<f64> {
    let value = |k: usize| {
        let at = |[x, y]: [f64; 2]| Placement { x, y, shape: &[] };
        let point = ((k % SIDE) as f64, (k / SIDE) as f64);
        let star = |star| 500.0 * psf.value(at(star), point.0, point.1);
        stars.map(star).iter().sum::<f64>() + ((k * 7919) % 13) as f64 * 0.1
    };
    (0..SIDE * SIDE).map(value).collect()
}

#[test]
fn the_diagonal_is_that_of_the_fit_and_pairs_are_anticorrelated() -> Result<(), Error> {
    let psf = CircularGaussianPrf::new(2.6)?;
    let data = image(&psf, [[10.2, 11.0], [11.9, 11.3], [22.0, 20.0]]);
    let error = vec![0.7; data.len()];
    let shape = (SIDE, SIDE);
    for with_error in [true, false] {
        let mut frame = Frame::new(Image::new(&data, shape)?);
        if with_error {
            frame = frame.with_error(Image::new(&error, shape)?)?;
        }
        let (x, y, flux) = ([10.0, 12.0, 22.1], [11.0, 11.2, 20.0], [400.0; 3]);
        let groups = [1, 1, 2];
        let starts = Starts::new(&x, &y, &flux)?.with_groups(&groups)?;
        let photometry = Photometry::new((7, 7))?;
        let (rows, kept) = photometry.fit_and_keep(&psf, &frame, &starts, Run::new())?;
        assert!(
            rows.iter()
                .all(|row| row.termination == Termination::Converged)
        );

        let covariance = kept.of(&[0, 1], Run::new())?;
        let at = |i: usize, j: usize| covariance[i * 6 + j];
        for (i, row) in rows[..2].iter().enumerate() {
            for parameter in 0..3 {
                let k = 3 * i + parameter;
                let ratio = at(k, k).sqrt() / row.errors[parameter];
                assert!((ratio - 1.0).abs() < 1e-6, "{k}: {ratio}");
            }
        }
        let correlation = |i: usize, j: usize| at(i, j) / (at(i, i) * at(j, j)).sqrt();
        assert!(correlation(FLUX, 3 + FLUX) < -0.5);
        for i in 0..6 {
            for j in 0..6 {
                assert!((correlation(i, j) - correlation(j, i)).abs() < 1e-9);
            }
        }
    }
    Ok(())
}

#[test]
fn what_was_not_fitted_has_none() -> Result<(), Error> {
    let psf = CircularGaussianPrf::new(2.6)?;
    let data = image(&psf, [[10.2, 11.0], [11.9, 11.3], [22.0, 20.0]]);
    let frame = Frame::new(Image::new(&data, (SIDE, SIDE))?);
    let starts = Starts::new(&[10.0, -90.0], &[11.0; 2], &[400.0; 2])?;
    let photometry = Photometry::new((7, 7))?;
    let (rows, kept) = photometry.fit_and_keep(&psf, &frame, &starts, Run::new())?;
    let both = kept.of(&[0, 1], Run::new())?;
    let ratio = both[X * 6 + X].sqrt() / rows[0].errors[X];
    assert!((ratio - 1.0).abs() < 1e-6);
    let of_other = (0..36).filter(|k| k / 6 > 2 || k % 6 > 2);
    assert!(of_other.into_iter().all(|k| both[k].is_nan()));

    assert!(kept.of(&[], Run::new())?.is_empty());
    let error = kept.of(&[2], Run::new()).err();
    assert!(error.is_some_and(|e| e.to_string().starts_with("members must be below")));
    Ok(())
}

#[test]
fn terminations_have_their_number() {
    for (k, termination) in Termination::ALL.into_iter().enumerate() {
        assert_eq!(termination as usize, k);
        assert!(termination.message().ends_with('.'));
    }
}
