//! The sparse system beside the dense one.

use super::*;
use crate::Run;
use crate::fit::FitSettings;
use crate::fit::system::Care;
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

/// Of each star the largest difference of parameters, and of errors, in errors.
fn differences(a: &[Solution], b: &[Solution]) -> Vec<(f64, f64)> {
    let of = |(a, b): (&Solution, &Solution)| {
        let (own, others) = (a.variances.unwrap(), b.variances.unwrap());
        let mut largest: (f64, f64) = (0.0, 0.0);
        for k in [FLUX, X, Y] {
            let error = others[k].sqrt();
            let change = (a.parameters[k] - b.parameters[k]).abs() / error;
            largest.0 = largest.0.max(change);
            largest.1 = largest.1.max((own[k].sqrt() / error - 1.0).abs());
        }
        largest
    };
    a.iter().zip(b).map(of).collect()
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
        let fits = |tolerance: f64, care: Care| -> Result<_, Error> {
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
            let (sparse, model, _) = system::fit(&plan.fitter, &plan.exposure, &sources, care)?;
            let (dense, other, _) = group::fit(&plan.fitter, &plan.exposure, &sources)?;
            let rows: Vec<_> = plan.rows(&sources, &sparse, &model).collect();
            let expected: Vec<_> = plan.rows(&sources, &dense, &other).collect();
            let changes = rows.iter().zip(&expected).map(|((_, row), (_, expected))| {
                assert_eq!(row.n_pixels, expected.n_pixels);
                (row.qfit / expected.qfit - 1.0).abs()
            });
            let changes = changes.fold(0.0, f64::max);
            Ok((differences(&sparse, &dense), changes))
        };
        let (found, quality) = fits(1e-9, Care::UTMOST)?;
        let is_same = |&&(parameters, errors): &&(f64, f64)| parameters < 1e-6 && errors < 1e-6;
        assert_eq!(found.iter().filter(is_same).count(), 40, "{found:?}");
        assert!(quality < 1e-7, "{quality}");
        // Pairs that the data hardly tell apart end early, and their neighbours feel it.
        let (found, _) = fits(1e-4, Care::default())?;
        let is_near = |&&(parameters, errors): &&(f64, f64)| parameters < 1e-2 && errors < 5e-3;
        let n_near = found.iter().filter(is_near).count();
        assert!(n_near >= 30, "{found:?}");
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
