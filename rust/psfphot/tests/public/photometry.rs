//! Fits against truth, against a naive solution, and on bad input.

use proptest::prelude::*;
use psfphot::fit::{FLUX, FitSettings, MAX_PARAMETERS, Termination, X, Y};
use psfphot::image::{Frame, Image};
use psfphot::photometry::{FittedSource, Photometry, Starts};
use psfphot::psf::{CircularGaussianPrf, Placement, Psf};
use psfphot::{Error, Run, flags};

const SHAPE: (usize, usize) = (60, 60);

type Star = (f64, f64, f64); // flux, x, y

fn psf() -> CircularGaussianPrf {
    CircularGaussianPrf::new(2.6).unwrap_or_else(|e| panic!("{e}"))
}

fn model(stars: &[Star]) -> Vec<f64> {
    let psf = psf();
    (0..SHAPE.0 * SHAPE.1)
        .map(|k| {
            let (px, py) = ((k % SHAPE.1) as f64, (k / SHAPE.1) as f64);
            let value =
                |&(flux, x, y): &Star| flux * psf.value(Placement { x, y, shape: &[] }, px, py);
            stars.iter().map(value).sum()
        })
        .collect()
}

/// Reproducible numbers that look like unit Gaussian noise.
fn noise(seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..SHAPE.0 * SHAPE.1)
        .map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0)
        .collect()
}

struct Columns {
    flux: Vec<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
}

fn columns(stars: &[Star]) -> Columns {
    Columns {
        flux: stars.iter().map(|s| s.0).collect(),
        x: stars.iter().map(|s| s.1).collect(),
        y: stars.iter().map(|s| s.2).collect(),
    }
}

fn fit(
    data: &[f64],
    error: Option<&[f64]>,
    starts: &[Star],
    groups: Option<&[i64]>,
    run: Run<'_>,
) -> Result<Vec<FittedSource>, Error> {
    let mut frame = Frame::new(Image::new(data, SHAPE)?);
    if let Some(error) = error {
        frame = frame.with_error(Image::new(error, SHAPE)?)?;
    }
    let c = columns(starts);
    let mut starts = Starts::new(&c.x, &c.y, &c.flux)?;
    if let Some(groups) = groups {
        starts = starts.with_groups(groups)?;
    }
    Photometry::new((7, 7))?.fit(&psf(), &frame, &starts, run)
}

/// J by numerical derivatives on the pixels of all boxes, each once, and the
/// covariance and the residual gradient at `stars`.
fn naive(stars: &[Star], starts: &[Star], data: &[f64], error: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let in_box = |k: usize| {
        let (px, py) = ((k % SHAPE.1) as f64, (k / SHAPE.1) as f64);
        starts
            .iter()
            .any(|s| (px - s.1.round()).abs() <= 3.0 && (py - s.2.round()).abs() <= 3.0)
    };
    let pixels: Vec<usize> = (0..data.len()).filter(|&k| in_box(k)).collect();
    let n = 3 * stars.len();
    let (mut matrix, mut gradient) = (vec![0.0; n * n], vec![0.0; n]);
    let shifted = |p: usize, h: f64| {
        let mut moved = stars.to_vec();
        let star = &mut moved[p / 3];
        match p % 3 {
            0 => star.0 += h,
            1 => star.1 += h,
            _ => star.2 += h,
        }
        model(&moved)
    };
    let best = model(stars);
    let jacobian: Vec<Vec<f64>> = (0..n)
        .map(|p| {
            let h = if p % 3 == 0 { 1e-2 } else { 1e-5 };
            let (up, down) = (shifted(p, h), shifted(p, -h));
            up.iter()
                .zip(&down)
                .map(|(u, d)| (u - d) / (2.0 * h))
                .collect()
        })
        .collect();
    for &k in &pixels {
        let w = 1.0 / (error[k] * error[k]);
        for i in 0..n {
            gradient[i] += w * jacobian[i][k] * (data[k] - best[k]);
            for j in 0..n {
                matrix[i * n + j] += w * jacobian[i][k] * jacobian[j][k];
            }
        }
    }
    (gauss_jordan(matrix, n), gradient)
}

fn gauss_jordan(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; n * n];
    for i in 0..n {
        inverse[i * n + i] = 1.0;
    }
    for c in 0..n {
        let pivot = a[c * n + c];
        for j in 0..n {
            a[c * n + j] /= pivot;
            inverse[c * n + j] /= pivot;
        }
        for r in (0..n).filter(|&r| r != c) {
            let factor = a[r * n + c];
            for j in 0..n {
                a[r * n + j] -= factor * a[c * n + j];
                inverse[r * n + j] -= factor * inverse[c * n + j];
            }
        }
    }
    inverse
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 40, ..ProptestConfig::default() })]

    /// The joint fit of overlapping stars is the minimum of χ² over the union
    /// of the boxes, each pixel once, and its errors are those of the joint
    /// covariance.
    #[test]
    fn a_group_is_the_joint_least_squares_solution(
        dx in 2.6..4.5, dy in -1.0..1.0, ratio in 0.3..1.5, seed in 0_u64..1000,
    ) {
        let truth = [(900.0, 30.2, 29.7), (900.0 * ratio, 30.2 + dx, 29.7 + dy), (700.0, 31.0, 34.4)];
        let error: Vec<f64> = model(&truth).iter().map(|m| (4.0 + m.max(0.0)).sqrt()).collect();
        let data: Vec<f64> = model(&truth).iter().zip(noise(seed)).zip(&error)
            .map(|((m, n), e)| m + n * e).collect();
        let rows = fit(&data, Some(&error), &truth, Some(&[5, 5, 5]), Run::new()).unwrap();
        prop_assume!(rows.iter().all(|r| r.termination == Termination::Converged));
        let solution: Vec<Star> = rows.iter().map(|r| (r.flux(), r.x(), r.y())).collect();
        let (covariance, gradient) = naive(&solution, &truth, &data, &error);
        for (i, row) in rows.iter().enumerate() {
            for (k, parameter) in [FLUX, X, Y].into_iter().enumerate() {
                let p = 3 * i + k;
                let sigma = covariance[p * 9 + p].sqrt();
                prop_assert!((row.errors[parameter] / sigma - 1.0).abs() < 1e-5);
                let step: f64 = (0..9).map(|q| covariance[p * 9 + q] * gradient[q]).sum();
                prop_assert!(step.abs() < 2e-4 * sigma, "{step} {sigma}");
            }
        }
    }

    /// A scene does not depend on where it stands or in which unit it is.
    #[test]
    fn whole_pixel_shifts_and_scaling_change_nothing(sx in -9_i32..9, sy in -9_i32..9, scale in 0.01..100.0) {
        let stars = [(900.0, 30.2, 29.7), (600.0, 33.1, 30.3)];
        let moved = stars.map(|(f, x, y)| (f * scale, x + f64::from(sx), y + f64::from(sy)));
        let (a, b) = (model(&stars), model(&moved));
        let starts = stars.map(|(f, x, y)| (0.9 * f, x + 0.1, y - 0.1));
        let moved_starts = moved.map(|(f, x, y)| (0.9 * f, x + 0.1, y - 0.1));
        let one = vec![1.0; a.len()];
        let other = vec![scale; a.len()];
        let a = fit(&a, Some(&one), &starts, Some(&[1, 1]), Run::new()).unwrap();
        let b = fit(&b, Some(&other), &moved_starts, Some(&[1, 1]), Run::new()).unwrap();
        for (a, b) in a.iter().zip(&b) {
            prop_assert!((a.flux() * scale - b.flux()).abs() < 1e-7 * b.flux());
            prop_assert!((a.x() + f64::from(sx) - b.x()).abs() < 1e-8);
            prop_assert!((a.flux_error() * scale / b.flux_error() - 1.0).abs() < 1e-7);
        }
    }
}

fn field() -> (Vec<Star>, Vec<f64>) {
    let stars: Vec<Star> = (0..25)
        .map(|k| {
            let (i, j) = (f64::from(k % 5), f64::from(k / 5));
            (500.0 + 40.0 * f64::from(k), 6.3 + 11.7 * i, 5.9 + 11.8 * j)
        })
        .collect();
    let data = model(&stars)
        .iter()
        .zip(noise(7))
        .map(|(m, n)| m + n)
        .collect();
    (stars, data)
}

#[test]
fn isolated_and_joint_fits_agree_where_nothing_overlaps() -> Result<(), Error> {
    let (stars, data) = field();
    let alone = fit(&data, None, &stars, None, Run::new())?;
    // Apart by more than the reach of a model, yet of one label.
    let far = [stars[0], stars[24]];
    let joint = fit(&data, None, &far, Some(&[1, 1]), Run::new())?;
    for (a, j) in [&alone[0], &alone[24]].into_iter().zip(&joint) {
        assert!((a.flux() - j.flux()).abs() < 1e-6 * a.flux());
        assert!((a.qfit - j.qfit).abs() < 1e-6);
        assert!((a.cfit - j.cfit).abs() < 1e-6);
        assert_eq!(a.n_pixels, 49);
    }
    Ok(())
}

#[test]
fn pulls_are_honest_with_and_without_errors() -> Result<(), Error> {
    let error = vec![1.0; SHAPE.0 * SHAPE.1];
    for error in [None, Some(&error[..])] {
        let (mut sum, mut n) = (0.0, 0.0);
        let (stars, _) = field();
        let truth = model(&stars);
        for seed in 1..40 {
            let data: Vec<f64> = truth.iter().zip(noise(seed)).map(|(m, n)| m + n).collect();
            for (row, star) in fit(&data, error, &stars, None, Run::new())?
                .iter()
                .zip(&stars)
            {
                sum += ((row.flux() - star.0) / row.flux_error()).powi(2);
                n += 1.0;
                assert_eq!(row.flags, 0);
            }
        }
        let width = f64::sqrt(sum / n);
        assert!((0.94..1.06).contains(&width), "{width}");
    }
    Ok(())
}

#[test]
fn threads_change_no_bit() -> Result<(), Error> {
    let (stars, data) = field();
    let groups: Vec<i64> = (0..25).map(|k| k / 3).collect();
    let parallel = fit(&data, None, &stars, Some(&groups), Run::new())?;
    let serial = fit(&data, None, &stars, Some(&groups), Run::new().serial())?;
    for (a, b) in parallel.iter().zip(&serial) {
        assert_eq!(
            a.parameters.map(f64::to_bits),
            b.parameters.map(f64::to_bits)
        );
        assert_eq!(a.errors.map(f64::to_bits), b.errors.map(f64::to_bits));
    }
    Ok(())
}

#[test]
fn sources_that_cannot_be_fitted_are_flagged_and_lose_nobody() -> Result<(), Error> {
    let (stars, mut data) = field();
    data[0..60 * 3].fill(f64::NAN); // rows 0 to 2
    let starts = [
        stars[12],
        (f64::NAN, 20.0, 20.0),
        (100.0, f64::INFINITY, 20.0),
        (100.0, -20.0, 20.0),
        (100.0, 20.0, -2.0),
        (100.0, 1e300, 20.0),
        (0.0, stars[13].1, stars[13].2),
        (-50.0, stars[14].1, stars[14].2),
    ];
    for groups in [None, Some(&[1_i64; 8][..])] {
        let rows = fit(&data, None, &starts, groups, Run::new())?;
        let has = |k: usize, bit: u32| rows[k].flags & bit != 0;
        for k in [0, 6, 7] {
            let star = stars[[12, 13, 14][if k == 0 { 0 } else { k - 5 }]];
            assert!(
                (rows[k].flux() - star.0).abs() < 5.0 * rows[k].flux_error(),
                "{:?} {star:?}",
                rows[k]
            );
        }
        assert_eq!(rows[0].flags, 0);
        assert!(has(1, flags::NON_FINITE_FLUX));
        assert!(has(2, flags::NON_FINITE_POSITION));
        assert!(has(3, flags::NO_OVERLAP));
        assert!(has(4, flags::FULLY_MASKED));
        assert!(has(5, flags::NO_OVERLAP));
        assert!(
            rows[1..6]
                .iter()
                .all(|r| r.flux().is_nan() && r.flux_error().is_nan())
        );
    }
    Ok(())
}

#[test]
fn two_stars_on_one_spot_are_flagged_not_invented() -> Result<(), Error> {
    let data: Vec<f64> = model(&[(800.0, 30.0, 30.0)])
        .iter()
        .zip(noise(3))
        .map(|(m, n)| m + n)
        .collect();
    let twice = [(400.0, 30.1, 30.0), (400.0, 30.1, 30.0)];
    for row in fit(&data, None, &twice, Some(&[1, 1]), Run::new())? {
        assert!(row.flags & flags::NO_COVARIANCE != 0);
        assert!(row.flux_error().is_nan());
        assert!((row.flux() - 400.0).abs() < 60.0);
    }
    Ok(())
}

#[test]
fn an_undetermined_member_does_not_spoil_its_group() -> Result<(), Error> {
    let truth = [(900.0, 20.2, 30.1), (700.0, 25.1, 31.0)];
    let data: Vec<f64> = model(&truth)
        .iter()
        .zip(noise(5))
        .map(|(m, n)| m + n)
        .collect();
    let error = vec![1.0; data.len()];
    let pair = fit(&data, Some(&error), &truth, Some(&[1, 1]), Run::new())?;
    // Two more on one empty spot of the same group.
    let starts = [truth[0], truth[1], (5.0, 33.0, 33.0), (5.0, 33.0, 33.0)];
    let rows = fit(&data, Some(&error), &starts, Some(&[1; 4]), Run::new())?;
    for (row, alone) in rows.iter().zip(&pair) {
        assert_eq!(row.flags, 0);
        assert!((row.flux() - alone.flux()).abs() < 0.5 * alone.flux_error());
        assert!((row.flux_error() / alone.flux_error() - 1.0).abs() < 0.1);
    }
    for row in &rows[2..] {
        assert!(row.flags & flags::NO_COVARIANCE != 0);
        assert!(row.flux_error().is_nan());
    }
    Ok(())
}

#[test]
fn widths_stay_positive() -> Result<(), Error> {
    let (stars, data) = field();
    let c = columns(&stars);
    let frame = Frame::new(Image::new(&data, SHAPE)?);
    let psf = psf();
    let photometry = Photometry::new((9, 9))?.with_fixed(&[false; 4])?;
    for start in [0.3, 30.0] {
        let shape = vec![start; stars.len()];
        let starts = Starts::new(&c.x, &c.y, &c.flux)?.with_shape(&shape, &psf)?;
        for row in photometry.fit(&psf, &frame, &starts, Run::new())? {
            let width = row.parameters[3];
            assert!(width > 0.0);
            assert!(
                (width - 2.6).abs() < 0.3 || row.flags != 0,
                "{start} {row:?}"
            );
        }
    }
    let starts = Starts::new(&c.x, &c.y, &c.flux)?;
    let error = starts.with_shape(&vec![-1.0; stars.len()], &psf).err();
    let message = error.map(|e| e.to_string()).unwrap_or_default();
    assert_eq!(message, "fwhm must be positive and finite, got -1");
    Ok(())
}

#[test]
fn bad_pixels_are_left_out_and_counted() -> Result<(), Error> {
    let (stars, mut data) = field();
    let (x, y) = (stars[12].1.round() as usize, stars[12].2.round() as usize);
    let mut error = vec![1.0; data.len()];
    data[y * 60 + x + 1] = f64::NAN;
    data[(y + 1) * 60 + x] = 1e30;
    for (k, bad) in [f64::NAN, 0.0, -1.0, f64::INFINITY].into_iter().enumerate() {
        error[(y - 1) * 60 + x + k - 2] = bad;
    }
    error[(y + 1) * 60 + x] = f64::NAN;
    let rows = fit(&data, Some(&error), &stars[12..13], None, Run::new())?;
    assert_eq!(rows[0].n_pixels, 49 - 6);
    assert_eq!(rows[0].n_bad_errors, 5);
    assert_eq!(rows[0].flags, flags::N_PIXELS_FIT_PARTIAL);
    assert!((rows[0].flux() - stars[12].0).abs() < 5.0 * rows[0].flux_error());
    Ok(())
}

#[test]
fn extreme_values_end_in_flags() -> Result<(), Error> {
    let (stars, data) = field();
    for scale in [1e300, 1e-20, 0.0] {
        let scaled: Vec<f64> = data.iter().map(|d| d * scale).collect();
        let starts = stars
            .iter()
            .map(|s| (s.0 * scale, s.1, s.2))
            .collect::<Vec<_>>();
        let rows = fit(&scaled, None, &starts, None, Run::new())?;
        for (row, star) in rows.iter().zip(&stars) {
            let good = (row.flux() / scale - star.0).abs() < 20.0;
            assert!(good || row.flags != 0, "{scale} {row:?}");
        }
    }
    Ok(())
}

#[test]
fn fixed_positions_and_free_widths() -> Result<(), Error> {
    let (stars, data) = field();
    let c = columns(&stars);
    let frame = Frame::new(Image::new(&data, SHAPE)?);
    let starts = Starts::new(&c.x, &c.y, &c.flux)?;
    let forced = Photometry::new((7, 7))?.with_fixed(&[false, true, true])?;
    for (row, star) in forced
        .fit(&psf(), &frame, &starts, Run::new())?
        .iter()
        .zip(&stars)
    {
        assert_eq!((row.x(), row.y()), (star.1, star.2));
        assert!(row.errors[X].is_nan() && row.flux_error() > 0.0);
        // Linear: one step, and a second look that finds nothing to do.
        assert_eq!(row.iterations, 2);
    }
    let wide = CircularGaussianPrf::new(3.1)?;
    let shape = Photometry::new((9, 9))?.with_fixed(&[false, false, false, false])?;
    for row in shape.fit(&wide, &frame, &starts, Run::new())? {
        assert!((row.parameters[3] - 2.6).abs() < 6.0 * row.errors[3]);
        assert_eq!(row.termination, Termination::Converged);
    }
    let none = Photometry::new((7, 7))?.with_fixed(&[true; MAX_PARAMETERS])?;
    assert!(none.fit(&wide, &frame, &starts, Run::new()).is_err());
    Ok(())
}

#[test]
fn shared_pixels_take_the_mean_background() -> Result<(), Error> {
    let stars = [(900.0, 28.0, 30.0), (700.0, 32.0, 30.0)];
    let data: Vec<f64> = model(&stars).iter().map(|m| m + 10.0).collect();
    let c = columns(&stars);
    let frame = Frame::new(Image::new(&data, SHAPE)?);
    let starts = Starts::new(&c.x, &c.y, &c.flux)?
        .with_local_background(&[10.0, 10.0])?
        .with_groups(&[1, 1])?;
    let rows = Photometry::new((7, 7))?.fit(&psf(), &frame, &starts, Run::new())?;
    for (row, star) in rows.iter().zip(&stars) {
        assert!((row.flux() - star.0).abs() < 1e-6);
    }
    Ok(())
}

#[test]
fn settings_are_checked() -> Result<(), Error> {
    assert!(Photometry::new((4, 5)).is_err());
    assert!(FitSettings::default().with_max_iterations(0).is_err());
    assert!(
        FitSettings::default()
            .with_step_tolerance(f64::NAN)
            .is_err()
    );
    let (stars, data) = field();
    let settings = FitSettings::default().with_max_iterations(1)?;
    let frame = Frame::new(Image::new(&data, SHAPE)?);
    let (x, y, flux) = ([stars[0].1 + 0.4], [stars[0].2], [1.0]);
    let starts = Starts::new(&x, &y, &flux)?;
    let row = Photometry::new((7, 7))?.with_settings(settings).fit(
        &psf(),
        &frame,
        &starts,
        Run::new(),
    )?[0];
    assert_eq!(row.termination, Termination::MaxIterations);
    assert!(row.flags & flags::NO_CONVERGENCE != 0);
    assert!(row.flux_error().is_finite());
    Ok(())
}
