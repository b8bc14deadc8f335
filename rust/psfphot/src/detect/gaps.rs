//! Pixels that are not finite are left out of the sums of the finders with a
//! kernel.
//!
//! The convolved image is a least-squares fit of the star and a constant to the
//! pixels of the footprint ([`Kernel`]); near a gap it is that fit to the pixels
//! there are. For the statistics, which are sums over a rectangle, a gap has what
//! the star fitted to the others has there.

use super::Kernel;
use super::finder::ConvolvedImage;
use super::partial::PartialFit;
use super::selection::Measured;
use crate::image::Pixel;

/// Times that a gap is filled with the star at the place measured last. Each
/// takes away most of the error that is left.
const ROUNDS: usize = 4;

/// How far from the central pixel the star of a filling may be, pixels: farther
/// it would be another peak's.
const FARTHEST: f64 = 1.0;

impl<T: Pixel> ConvolvedImage<'_, T> {
    /// The height of the star fitted at a pixel; NaN where too few pixels tell
    /// it.
    fn height(&self, (x, y): (i64, i64)) -> f64 {
        let kernel = self.kernel;
        let (cy, cx) = kernel.center();
        let width = kernel.shape().1;
        let mut fit = PartialFit::default();
        // Turned around, as the convolution has it.
        let turned = kernel.values().iter().zip(kernel.footprint()).enumerate();
        for (i, (weight, _)) in turned.filter(|(_, (_, inside))| **inside) {
            let (px, py) = (
                x + cx as i64 - (i % width) as i64,
                y + cy as i64 - (i / width) as i64,
            );
            let value: f64 = self.data.get(px, py).map_or(0.0, Into::into);
            if value.is_finite() {
                fit.add(*weight, value);
            }
        }
        if fit.n() == kernel.n_pixels() {
            return self.convolved_at(x, y).unwrap_or(0.0);
        }
        fit.height(kernel.sum_of_squares())
            .map_or(f64::NAN, |(height, _)| height)
    }

    /// The convolved image at a pixel, if it has it.
    fn convolved_at(&self, x: i64, y: i64) -> Option<f64> {
        let value = self.convolved.get(x, y - self.first_row as i64);
        value.map(Into::into)
    }

    /// The height of the star fitted at the pixel `at`.
    pub(super) fn height_at(&self, at: (usize, usize)) -> f64 {
        if self.has_gaps {
            return self.height((at.0 as i64, at.1 as i64));
        }
        self.convolved.row(at.1 - self.first_row)[at.0].into()
    }

    /// The heights in the kernel's rectangle around the pixel `at`, row by row;
    /// 0 off the image.
    pub(super) fn fill_heights(&self, at: (usize, usize), cutout: &mut Vec<f64>) {
        let place = (at.0, at.1 - self.first_row);
        self.kernel.fill_cutout(self.convolved, place, cutout);
        if !self.has_gaps {
            return;
        }
        let (cy, cx) = self.kernel.center();
        let (height, width) = self.kernel.shape();
        let (x0, y0) = (at.0 as i64 - cx as i64, at.1 as i64 - cy as i64);
        let is_gap = |px: i64, py: i64| {
            let value: Option<f64> = self.data.get(px, py).map(Into::into);
            value.is_some_and(|value| !value.is_finite())
        };
        let (right, bottom) = (x0 + 2 * width as i64, y0 + 2 * height as i64);
        let mut rows = y0 - cy as i64..bottom;
        if rows.any(|py| (x0 - cx as i64..right).any(|px| is_gap(px, py))) {
            for (k, value) in cutout.iter_mut().enumerate() {
                let place = (x0 + (k % width) as i64, y0 + (k / width) as i64);
                if self.convolved_at(place.0, place.1).is_some() {
                    *value = self.height(place);
                }
            }
        }
    }
}

/// Measures a star on the `cutout` of the image around the pixel `at`, with its
/// gaps filled.
///
/// `star` has the form of a star, by the distance from its centre. It is fitted
/// with a constant to the pixels of the footprint, at the place where it is
/// measured, starting from the pixel.
pub(super) fn measure_filled<S: Measured>(
    cutout: &mut Vec<f64>,
    kernel: &Kernel,
    at: (usize, usize),
    star: impl Fn(f64, f64) -> f64,
    mut measure: impl FnMut(&mut Vec<f64>) -> Option<S>,
) -> Option<S> {
    let gaps: Vec<usize> = (0..cutout.len())
        .filter(|&k| !cutout[k].is_finite())
        .collect();
    if gaps.is_empty() {
        return measure(cutout);
    }
    let original = cutout.clone();
    let (mut dx, mut dy) = (0.0, 0.0);
    let mut source = None;
    for _ in 0..ROUNDS {
        cutout.clone_from(&original);
        fill(cutout, &gaps, kernel, |x, y| star(x - dx, y - dy))?;
        let measured = measure(cutout)?;
        let (x, y) = measured.position();
        dx = (x - at.0 as f64).clamp(-FARTHEST, FARTHEST);
        dy = (y - at.1 as f64).clamp(-FARTHEST, FARTHEST);
        source = Some(measured);
    }
    source
}

/// Gives the pixels `gaps` what a star and a constant, fitted to the others of
/// the footprint, have there; `None` if these are too few.
fn fill(
    cutout: &mut [f64],
    gaps: &[usize],
    kernel: &Kernel,
    star: impl Fn(f64, f64) -> f64,
) -> Option<()> {
    let (cy, cx) = kernel.center();
    let width = kernel.shape().1;
    let star = |k: usize| {
        star(
            (k % width) as f64 - cx as f64,
            (k / width) as f64 - cy as f64,
        )
    };
    let (mut whole, mut fit) = (PartialFit::default(), PartialFit::default());
    let inside = cutout.iter().zip(kernel.footprint()).enumerate();
    for (k, (value, _)) in inside.filter(|(_, (_, inside))| **inside) {
        whole.add(star(k), 0.0);
        if value.is_finite() {
            fit.add(star(k), *value);
        }
    }
    let slope = fit.height(whole.squares())?.0 / whole.squares();
    for &k in gaps {
        cutout[k] = fit.value(slope, star(k));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::detect::{DaoFinder, IrafFinder, Selection, StarFinder, Threshold};
    use crate::image::{Frame, Image};
    use crate::run::Run;
    use proptest::prelude::*;

    const SHAPE: (usize, usize) = (40, 48);
    const SIGMA: f64 = 1.3;

    /// One round Gaussian of height 1000 on a constant.
    fn star_at(x0: f64, y0: f64, sky: f64) -> Vec<f64> {
        let pixel = |k: usize| {
            let (dx, dy) = ((k % SHAPE.1) as f64 - x0, (k / SHAPE.1) as f64 - y0);
            sky + 1000.0 * (-(dx * dx + dy * dy) / (2.0 * SIGMA * SIGMA)).exp()
        };
        (0..SHAPE.0 * SHAPE.1).map(pixel).collect()
    }

    /// Positions found by all three finders, each with the peak it gives.
    fn positions(data: &[f64]) -> Result<[Vec<(f64, f64)>; 3], Error> {
        let frame = Frame::new(Image::new(data, SHAPE)?);
        let (limit, run) = (Threshold::Scalar(20.0), Run::new());
        let inner = || Selection::new().with_exclude_border(true);
        let fwhm = SIGMA / crate::psf::SIGMA_PER_FWHM;
        let kernel = Kernel::circular(fwhm, 1.5)?;
        let dao = DaoFinder::new(fwhm).with_selection(inner());
        // A star between four pixels, of which one is a gap, is a little too long
        // for the default range.
        let iraf = IrafFinder::new(fwhm)
            .with_selection(inner())
            .with_roundness_range(Some((0.0, 0.35)));
        let star = StarFinder::new(kernel).with_selection(inner());
        let dao = dao.find(&frame, limit, run)?.sources;
        let iraf = iraf.find(&frame, limit, run)?.sources;
        let star = star.find(&frame, limit, run)?.sources;
        Ok([
            dao.iter().map(|s| (s.x, s.y)).collect(),
            iraf.iter().map(|s| (s.x, s.y)).collect(),
            star.iter().map(|s| (s.x, s.y)).collect(),
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_star_with_a_gap_is_found_at_its_place(
            dx in -0.45..0.45_f64, dy in -0.45..0.45_f64,
            i in 0..5_usize, j in 0..5_usize,
            bad in prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        ) {
            // No sky: `StarFinder` needs that.
            let (x, y) = (20.0 + dx, 15.0 + dy);
            let whole = star_at(x, y, 0.0);
            let mut data = whole.clone();
            data[(13 + j) * SHAPE.1 + 18 + i] = bad;
            for (found, before) in positions(&data)?.iter().zip(positions(&whole)?) {
                prop_assert_eq!((found.len(), before.len()), (1, 1));
                let shift = (found[0].0 - x).hypot(found[0].1 - y);
                let before = (before[0].0 - x).hypot(before[0].1 - y);
                prop_assert!(shift < before + 0.2, "{shift} {before}");
            }
        }
    }

    #[test]
    fn no_star_is_seen_at_the_rims_of_holes() -> Result<(), Error> {
        let mut data = vec![100.0; SHAPE.0 * SHAPE.1];
        let noise = |k: usize| ((k as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64;
        for (k, value) in data.iter_mut().enumerate() {
            *value += noise(k) / f64::from(1 << 24);
        }
        for (x0, y0, side) in [(8, 8, 1), (20, 8, 3), (10, 20, 9), (30, 20, 12)] {
            for y in y0..y0 + side {
                data[y * SHAPE.1 + x0..y * SHAPE.1 + x0 + side].fill(f64::NAN);
            }
        }
        for found in positions(&data)? {
            assert!(found.is_empty(), "{found:?}");
        }
        data.fill(f64::NAN);
        for found in positions(&data)? {
            assert!(found.is_empty(), "{found:?}");
        }
        Ok(())
    }
}
