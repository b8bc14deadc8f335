//! The projected score against the joint fit that it stands for.

use psfphot::detect::{Acceptance, MatchedFinder, ProjectedScore, Score};
use psfphot::image::{Frame, Image, PixelBox};
use psfphot::psf::{CircularGaussianPrf, Placement, Psf};
use psfphot::{Error, Run};

const SHAPE: (usize, usize) = (60, 70);
const ALL: PixelBox = PixelBox {
    x0: 0,
    x1: SHAPE.1 as i64,
    y0: 0,
    y1: SHAPE.0 as i64,
};
const FWHM: f64 = 3.0;

/// Deviates of about unit variance that are the same at each run.
fn noise(seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut uniform = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..ALL.len())
        .map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0)
        .collect()
}

fn image_of(psf: &dyn Psf, (x, y): (f64, f64)) -> Vec<f64> {
    let mut values = vec![0.0; ALL.len()];
    psf.fill(Placement { x, y, shape: &[] }, ALL, &mut values);
    values
}

/// Flux over error of a star in the joint fit with others, all free, by the
/// normal equations of whole images.
fn joint(psf: &dyn Psf, place: (f64, f64), others: &[(f64, f64)], data: &[f64]) -> (f64, f64) {
    let mut columns = vec![image_of(psf, place)];
    for &(x, y) in others {
        let n_planes = 2 + psf.shape_names().len();
        let (mut values, mut gradient) = (vec![0.0; ALL.len()], vec![0.0; n_planes * ALL.len()]);
        psf.fill_with_gradient(
            Placement { x, y, shape: &[] },
            ALL,
            &mut values,
            &mut gradient,
        );
        columns.push(values);
        columns.extend(gradient.chunks(ALL.len()).take(2).map(<[f64]>::to_vec));
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let n = columns.len();
    // The first unknown is eliminated last.
    let order: Vec<usize> = (1..n).chain([0]).collect();
    let mut rows: Vec<Vec<f64>> = order
        .iter()
        .map(|&i| {
            let products = order.iter().map(|&j| dot(&columns[i], &columns[j]));
            products.chain([dot(&columns[i], data)]).collect()
        })
        .collect();
    for i in 0..n {
        for k in i + 1..n {
            let (above, below) = rows.split_at_mut(k);
            let factor = below[0][i] / above[i][i];
            for (value, pivot) in below[0].iter_mut().zip(&above[i]) {
                *value -= factor * pivot;
            }
        }
    }
    let (pivot, right) = (rows[n - 1][n - 1], rows[n - 1][n]);
    (right / pivot.sqrt(), right / pivot)
}

fn close(score: &Score, expected: (f64, f64)) {
    let tolerance = 2e-3 * expected.0.abs().max(1.0);
    assert!(
        (score.z - expected.0).abs() < tolerance,
        "{score:?} {expected:?}"
    );
    assert!(
        (score.flux / expected.1 - 1.0).abs() < 5e-3,
        "{score:?} {expected:?}"
    );
}

#[test]
fn the_score_is_that_of_the_joint_fit() -> Result<(), Error> {
    let psf = CircularGaussianPrf::new(FWHM)?;
    let data = noise(3);
    let errors = vec![1.0; data.len()];
    let frame = Frame::new(Image::new(&data, SHAPE)?).with_error(Image::new(&errors, SHAPE)?)?;
    let (x, y) = ([30.2, 33.9, 12.0], [31.4, 29.0, 45.0]);
    let score = ProjectedScore::new(&psf, &x, &y)?;
    let others = [(30.2, 31.4), (33.9, 29.0)];
    let places = [(31.5, 31.0), (30.7, 31.9), (28.0, 33.0)];
    let found = score.at(&frame, &places, Run::new())?;
    for (one, place) in found.iter().zip(places) {
        let near = |other: &&(f64, f64)| (other.0 - place.0).hypot(other.1 - place.1) < 5.0;
        let others: Vec<_> = others.iter().filter(near).copied().collect();
        close(one, joint(&psf, place, &others, &data));
        assert!(one.q > 0.0 && one.q < 1.0);
        let (nearest, distance) = one.nearest.unwrap_or((9, 9.0));
        assert_eq!(nearest, 0);
        assert!((distance - (place.0 - 30.2).hypot(place.1 - 31.4)).abs() < 1e-9);
    }
    // A star that is twice in the list changes nothing.
    let doubled = [(30.2, 31.4), (33.9, 29.0), (12.0, 45.0), (30.2, 31.4)];
    let (x2, y2): (Vec<f64>, Vec<f64>) = doubled.into_iter().unzip();
    let again = ProjectedScore::new(&psf, &x2, &y2)?.at(&frame, &places, Run::new())?;
    for (one, two) in found.iter().zip(&again) {
        assert!((one.z - two.z).abs() < 1e-3, "{one:?} {two:?}");
    }
    Ok(())
}

#[test]
fn far_from_stars_it_is_the_matched_filter() -> Result<(), Error> {
    let psf = CircularGaussianPrf::new(FWHM)?;
    let mut data = noise(4);
    data[10 * SHAPE.1 + 60] = f64::NAN;
    let errors: Vec<f64> = (0..data.len())
        .map(|k| 1.0 + (k % 7) as f64 / 7.0)
        .collect();
    let frame = Frame::new(Image::new(&data, SHAPE)?).with_error(Image::new(&errors, SHAPE)?)?;
    let (x, y) = ([15.0, f64::NAN], [15.0, 3.0]);
    let maps = ProjectedScore::new(&psf, &x, &y)?.maps(&frame, Run::new())?;
    let alone = MatchedFinder::new(&psf, 5.0)
        .with_sky(false)
        .with_half_width(Some(5))
        .maps(&frame, Run::new())?
        .snr();
    let mut n_near = 0;
    for (k, ((z, q), snr)) in maps.z.iter().zip(&maps.q).zip(alone).enumerate() {
        let (dx, dy) = ((k % SHAPE.1) as f64 - 15.0, (k / SHAPE.1) as f64 - 15.0);
        if dx.hypot(dy) > 5.1 {
            assert!((f64::from(*z) - snr).abs() < 1e-4, "{k}: {z} {snr}");
            assert!((q - 1.0).abs() < 1e-6);
        } else if dx.hypot(dy) < 4.9 {
            n_near += usize::from(*q < 0.9999);
        }
    }
    assert!(n_near > 60, "{n_near}");
    assert_eq!(
        maps,
        ProjectedScore::new(&psf, &x, &y)?.maps(&frame, Run::new().serial())?
    );
    Ok(())
}

#[test]
fn a_companion_is_found_and_a_fitted_star_is_not() -> Result<(), Error> {
    let psf = CircularGaussianPrf::new(FWHM)?;
    let companion = image_of(&psf, (33.1, 30.4));
    let other = image_of(&psf, (33.4, 32.6));
    let data: Vec<f64> = noise(5)
        .iter()
        .zip(companion.iter().zip(&other))
        .map(|(n, (a, b))| n + 150.0 * a + 90.0 * b)
        .collect();
    let errors = vec![1.0; data.len()];
    let frame = Frame::new(Image::new(&data, SHAPE)?).with_error(Image::new(&errors, SHAPE)?)?;
    let score = ProjectedScore::new(&psf, &[30.0], &[30.0])?;
    let accept = Acceptance::default();
    let found = score.search(&frame, &accept, Run::new())?;
    // Of two that are closer than one full width at half maximum, one at a time.
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        (found[0].x - 33.1).hypot(found[0].y - 30.4) < 1.2,
        "{found:?}"
    );
    assert_eq!(found[0].nearest.map(|n| n.0), Some(0));
    let left = noise(5);
    let frame = Frame::new(Image::new(&left, SHAPE)?).with_error(Image::new(&errors, SHAPE)?)?;
    let there = ProjectedScore::new(&psf, &[33.1, 33.4, 30.0], &[30.4, 32.6, 30.0])?;
    assert!(there.search(&frame, &accept, Run::new())?.is_empty());
    Ok(())
}

#[test]
fn errors_are_needed_and_lengths_agree() -> Result<(), Error> {
    let psf = CircularGaussianPrf::new(FWHM)?;
    let data = noise(6);
    let frame = Frame::new(Image::new(&data, SHAPE)?);
    let score = ProjectedScore::new(&psf, &[30.0], &[30.0])?;
    let message = score.maps(&frame, Run::new()).map_err(|e| e.to_string());
    assert!(message.is_err_and(|message| message.starts_with("error must be given")));
    assert!(ProjectedScore::new(&psf, &[30.0], &[]).is_err());
    let errors = vec![1.0; data.len()];
    let frame = frame.with_error(Image::new(&errors, SHAPE)?)?;
    let bad = score.with_reach(Some(-1.0)).maps(&frame, Run::new());
    assert!(bad.is_err_and(|e| e.to_string().starts_with("reach")));
    Ok(())
}
