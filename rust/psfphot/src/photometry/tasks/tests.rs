//! The sparse system beside the dense one.

use super::*;
use crate::Run;
use crate::fit::system::Care;
use crate::fit::{FitSettings, Termination};
use crate::image::{Frame, Image};
use crate::photometry::{Photometry, Starts};
use crate::psf::{CircularGaussianPrf, Placement, Psf};

const SIDE: usize = 60;

/// Numbers that look random, from 0 to 1.
fn noise(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some((state >> 11) as f64 / (1_u64 << 53) as f64)
    })
}

/// A crowded image with its errors, and the stars' x, y and flux.
fn crowd(n: usize) -> (Vec<f64>, Vec<f64>, [Vec<f64>; 3]) {
    let psf = CircularGaussianPrf::new(3.0).unwrap();
    let mut random = noise(5);
    let mut next = || random.next().unwrap();
    let place = |v: f64| 3.0 + v * (SIDE - 7) as f64;
    let (mut x, mut y, mut flux) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n {
        x.push(place(next()));
        y.push(place(next()));
        flux.push(500.0 * 100_f64.powf(next()));
    }
    let value = |k: usize| {
        let stars = x.iter().zip(&y).zip(&flux);
        let (px, py) = ((k % SIDE) as f64, (k / SIDE) as f64);
        let of = |((&x, &y), f): ((&f64, &f64), &f64)| {
            f * psf.value(Placement { x, y, shape: &[] }, px, py)
        };
        stars.map(of).sum::<f64>()
    };
    let clean: Vec<f64> = (0..SIDE * SIDE).map(value).collect();
    let error: Vec<f64> = clean.iter().map(|v| (v + 125.0).sqrt()).collect();
    let data = clean.iter().zip(&error).map(|(v, e)| {
        let normal: f64 = (0..12).map(|_| next()).sum::<f64>() - 6.0;
        v + e * normal
    });
    let data = data.collect();
    for (x, y) in x.iter_mut().zip(&mut y) {
        *x += 0.2 * (next() - 0.5);
        *y += 0.2 * (next() - 0.5);
    }
    for flux in &mut flux {
        *flux *= 0.8 + 0.4 * next();
    }
    (data, error, [x, y, flux])
}

/// The largest difference of parameters, and of errors, in errors, of those that have
/// converged.
fn difference(a: &[Solution], b: &[Solution]) -> (f64, f64) {
    let mut largest: (f64, f64) = (0.0, 0.0);
    let converged = |(a, _): &(&Solution, _)| a.termination == Termination::Converged;
    for (a, b) in a.iter().zip(b).filter(converged) {
        let (own, others) = (a.variances.unwrap(), b.variances.unwrap());
        let variances = own.into_iter().zip(others);
        for (k, (one, other)) in variances.enumerate().take(3) {
            let error = other.sqrt();
            largest.0 = largest
                .0
                .max((a.parameters[k] - b.parameters[k]).abs() / error);
            largest.1 = largest.1.max((one.sqrt() / error - 1.0).abs());
        }
    }
    largest
}

#[test]
fn the_sparse_system_is_the_dense_one() -> Result<(), Error> {
    let (data, error, [x, y, flux]) = crowd(40);
    let psf = CircularGaussianPrf::new(3.0)?;
    for (with_error, with_background) in [(true, false), (false, true)] {
        let mut frame = Frame::new(Image::new(&data, (SIDE, SIDE))?);
        if with_error {
            frame = frame.with_error(Image::new(&error, (SIDE, SIDE))?)?;
        }
        let backgrounds: Vec<f64> = (0..x.len()).map(|k| (k % 3) as f64).collect();
        let mut starts = Starts::new(&x, &y, &flux)?;
        if with_background {
            starts = starts.with_local_background(&backgrounds)?;
        }
        let fits = |tolerance: f64, care: Care, likeness: f64| -> Result<_, Error> {
            let settings = FitSettings::default().with_step_tolerance(tolerance)?;
            let photometry = Photometry::new((7, 7))?.with_settings(settings);
            let free = [FLUX, X, Y];
            let plan = Plan::new(
                &photometry,
                &free,
                &psf,
                &frame,
                &starts,
                0..x.len(),
                Run::new(),
            )?;
            let all: Vec<usize> = (0..x.len()).collect();
            let (sources, _) = plan.sort_out(&all);
            let (sparse, model) = system::fit(&plan.fitter, &plan.exposure, &sources, care)?;
            let (dense, other) = group::fit(&plan.fitter, &plan.exposure, &sources)?;
            let rows: Vec<_> = plan.rows(&sources, &sparse, &model).collect();
            let expected: Vec<_> = plan.rows(&sources, &dense, &other).collect();
            for ((_, row), (_, expected)) in rows.iter().zip(&expected) {
                assert_eq!(row.n_pixels, expected.n_pixels);
                if row.termination != Termination::Converged {
                    continue;
                }
                let change = (row.qfit / expected.qfit - 1.0).abs();
                assert!(change < likeness, "{change} {likeness}");
            }
            let is_done = |s: &&Solution| s.termination == Termination::Converged;
            let n_done = sparse.iter().filter(is_done).count();
            let (parameters, errors) = difference(&sparse, &dense);
            Ok((parameters, errors, n_done))
        };
        let (parameters, errors, n_done) = fits(1e-9, Care::UTMOST, 1e-7)?;
        assert!(parameters < 1e-6 && errors < 1e-6, "{parameters} {errors}");
        assert_eq!(n_done, 40);
        let (parameters, errors, n_done) = fits(1e-4, Care::default(), 1e-3)?;
        assert!(parameters < 1e-2 && errors < 1e-3, "{parameters} {errors}");
        assert!(n_done >= 34, "{n_done}");
    }
    Ok(())
}

#[test]
fn threads_change_no_bit_of_a_large_group() -> Result<(), Error> {
    let (data, error, [x, y, flux]) = crowd(120);
    let psf = CircularGaussianPrf::new(3.0)?;
    let groups = vec![1; x.len()];
    let frame = Frame::new(Image::new(&data, (SIDE, SIDE))?)
        .with_error(Image::new(&error, (SIDE, SIDE))?)?;
    let starts = Starts::new(&x, &y, &flux)?.with_groups(&groups)?;
    let fit = |run| Photometry::new((7, 7))?.fit(&psf, &frame, &starts, run);
    let bits = |rows: Vec<FittedSource>| {
        let numbers = |row: &FittedSource| [row.flux(), row.x(), row.errors[FLUX], row.qfit];
        rows.iter()
            .flat_map(numbers)
            .map(f64::to_bits)
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(fit(Run::new())?), bits(fit(Run::new().serial())?));
    Ok(())
}

#[test]
fn what_cannot_be_told_apart_is_said_and_harms_nobody() -> Result<(), Error> {
    let (data, error, [mut x, mut y, mut flux]) = crowd(60);
    let psf = CircularGaussianPrf::new(3.0)?;
    let n = x.len();
    // Fifty on one spot, and two on another.
    for (spot, copies) in [(3, 50), (7, 1)] {
        x.extend(std::iter::repeat_n(x[spot], copies));
        y.extend(std::iter::repeat_n(y[spot], copies));
        flux[spot] /= (copies + 1) as f64;
        flux.extend(std::iter::repeat_n(flux[spot], copies));
    }
    let groups = vec![1; x.len()];
    let frame = Frame::new(Image::new(&data, (SIDE, SIDE))?)
        .with_error(Image::new(&error, (SIDE, SIDE))?)?;
    let starts = Starts::new(&x, &y, &flux)?.with_groups(&groups)?;
    let rows = Photometry::new((7, 7))?.fit(&psf, &frame, &starts, Run::new())?;
    let is_lost = |row: &FittedSource| row.flags & crate::flags::NO_COVARIANCE != 0;
    assert!(rows[n..].iter().all(is_lost));
    assert!(is_lost(&rows[3]) && is_lost(&rows[7]));
    let good = rows[..n].iter().filter(|row| !is_lost(row)).count();
    assert!(good >= n - 8, "{good}");
    assert!(rows.iter().all(|row| row.flux().is_finite()));
    Ok(())
}
