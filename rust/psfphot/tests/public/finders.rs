//! What must hold for every image and finder.

use proptest::prelude::*;
use psfphot::detect::{
    DaoFinder, DaoSource, Found, IrafFinder, IrafSource, Kernel, Selection, Star, StarFinder,
    Threshold, measured_fwhm,
};
use psfphot::image::{Frame, Image, Pixel};
use psfphot::psf::CircularGaussianPrf;
use psfphot::{Error, Run};

const SHAPE: (usize, usize) = (70, 80);
const INNER: (usize, usize) = (30, 40);

type Sources = (Vec<IrafSource>, Vec<DaoSource>, Vec<Star>);

/// Noise and a few Gaussians.
fn field(seed: u64, stars: &[(f64, f64, f64)]) -> Vec<f64> {
    (0..INNER.0 * INNER.1)
        .map(|k| {
            let (x, y) = ((k % INNER.1) as f64, (k / INNER.1) as f64);
            let bits = (k as u64 + 1 + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let noise = (bits >> 40) as f64 / f64::from(1 << 24) - 0.5;
            let star = |&(x0, y0, height): &(f64, f64, f64)| {
                height * (-((x - x0).powi(2) + (y - y0).powi(2)) / 3.0).exp()
            };
            noise + stars.iter().map(star).sum::<f64>()
        })
        .collect()
}

/// The field at (x, y) of an image of zeros.
fn placed<T: Pixel>(field: &[f64], (x, y): (usize, usize), scale: f64) -> Vec<T> {
    let mut data = vec![T::from_f64(0.0); SHAPE.0 * SHAPE.1];
    for (k, &value) in field.iter().enumerate() {
        data[(y + k / INNER.1) * SHAPE.1 + x + k % INNER.1] = T::from_f64(scale * value);
    }
    data
}

fn find_all<T: Pixel>(
    data: &[T],
    threshold: f64,
    separation: Option<f64>,
    run: Run<'_>,
) -> Result<Sources, Error> {
    let frame = Frame::new(Image::new(data, SHAPE)?);
    let threshold = Threshold::Scalar(threshold);
    let selection = || Selection::new().with_min_separation(separation);
    let kernel = Kernel::from_values(&[1.0, 2.0, 1.0, 2.0, 5.0, 2.0, 1.0, 2.0, 1.0], (3, 3))?;
    let iraf = IrafFinder::new(2.6)
        .with_selection(selection())
        .with_sharpness_range(None)
        .with_roundness_range(None);
    let dao = DaoFinder::new(3.4)
        .with_ellipse(0.7, 30.0)
        .with_selection(selection())
        .with_sharpness_range(None)
        .with_roundness_range(None);
    let star = StarFinder::new(kernel).with_selection(selection());
    let (iraf, dao): (Found<IrafSource>, Found<DaoSource>) = (
        iraf.find(&frame, threshold, run)?,
        dao.find(&frame, threshold, run)?,
    );
    let star = star.find(&frame, threshold, run)?;
    assert!(iraf.n_measured >= iraf.sources.len());
    Ok((iraf.sources, dao.sources, star.sources))
}

/// Positions moved by (dx, dy).
fn moved((iraf, dao, star): &Sources, dx: f64, dy: f64) -> Vec<(f64, f64)> {
    let iraf = iraf.iter().map(|s| (s.x, s.y));
    let dao = dao.iter().map(|s| (s.x, s.y));
    let star = star.iter().map(|s| (s.x, s.y));
    iraf.chain(dao)
        .chain(star)
        .map(|(x, y)| (x + dx, y + dy))
        .collect()
}

/// Everything that does not depend on the place, and scales with the flux or
/// does not.
fn statistics((iraf, dao, star): &Sources) -> (Vec<f64>, Vec<f64>) {
    let scaling = iraf.iter().flat_map(|s| [s.peak, s.flux]);
    let scaling = scaling.chain(dao.iter().flat_map(|s| [s.peak, s.flux]));
    let scaling = scaling.chain(star.iter().flat_map(|s| [s.max_value, s.flux]));
    let fixed = iraf
        .iter()
        .flat_map(|s| [s.fwhm, s.roundness, s.orientation, s.n_pixels as f64]);
    let fixed = fixed.chain(
        dao.iter()
            .flat_map(|s| [s.sharpness, s.roundness1, s.roundness2, s.daofind_magnitude]),
    );
    let fixed = fixed.chain(star.iter().flat_map(|s| [s.fwhm, s.orientation]));
    (scaling.collect(), fixed.collect())
}

fn some_field() -> impl Strategy<Value = Vec<f64>> {
    let star = (0.0..39.0_f64, 0.0..29.0_f64, 5.0..90.0_f64);
    (0..u64::MAX, proptest::collection::vec(star, 0..7)).prop_map(|(seed, s)| field(seed, &s))
}

fn some_separation() -> impl Strategy<Value = Option<f64>> {
    proptest::sample::select(vec![None, Some(0.0), Some(0.4), Some(1.7), Some(6.0)])
}

proptest! {
    #[test]
    fn whole_pixels_of_shift_move_the_stars_alone(
        field in some_field(),
        separation in some_separation(),
        dx in 0..20_usize,
        dy in 0..20_usize,
    ) {
        // So far from the edges that what lies beyond them is 0 here, too.
        let at = |x, y| find_all(&placed::<f64>(&field, (x, y), 1.0), 1.5, separation, Run::new());
        let (here, there) = (at(10, 10)?, at(10 + dx, 10 + dy)?);
        prop_assert_eq!(statistics(&here), statistics(&there));
        let expected = moved(&here, dx as f64, dy as f64);
        for (got, want) in moved(&there, 0.0, 0.0).iter().zip(&expected) {
            prop_assert!((got.0 - want.0).abs() < 1e-12 && (got.1 - want.1).abs() < 1e-12);
        }
    }

    #[test]
    fn flux_scales(
        field in some_field(),
        separation in some_separation(),
        power in -40..40_i32,
    ) {
        let scale = 2.0_f64.powi(power);
        let find = |scale: f64| {
            find_all(&placed::<f64>(&field, (10, 10), scale), 1.5 * scale, separation, Run::new())
        };
        let (plain, scaled) = (find(1.0)?, find(scale)?);
        prop_assert_eq!(moved(&plain, 0.0, 0.0), moved(&scaled, 0.0, 0.0));
        let ((flux, fixed), (scaled_flux, scaled_fixed)) = (statistics(&plain), statistics(&scaled));
        prop_assert_eq!(fixed, scaled_fixed);
        let expected: Vec<f64> = flux.iter().map(|f| f * scale).collect();
        prop_assert_eq!(scaled_flux, expected);
    }

    #[test]
    fn threads_change_no_bit(field in some_field(), separation in some_separation()) {
        let double = placed::<f64>(&field, (10, 10), 1.0);
        let single = placed::<f32>(&field, (10, 10), 1.0);
        let serial = Run::new().serial();
        prop_assert_eq!(
            find_all(&double, 1.0, separation, Run::new())?,
            find_all(&double, 1.0, separation, serial)?
        );
        prop_assert_eq!(
            find_all(&single, 1.0, separation, Run::new())?,
            find_all(&single, 1.0, separation, serial)?
        );
    }
}

#[test]
fn a_psf_has_no_width_where_no_image_is() -> Result<(), Error> {
    let psf = CircularGaussianPrf::new(2.5)?;
    assert!((measured_fwhm(&psf, (1e6, -1e6))? - 2.5).abs() < 0.2);
    for far in [1e300, -1e300, f64::INFINITY, f64::NAN] {
        let message = measured_fwhm(&psf, (0.0, far)).map_err(|error| error.to_string());
        assert!(message.is_err_and(|text| text.starts_with("place must be within")));
    }
    Ok(())
}
