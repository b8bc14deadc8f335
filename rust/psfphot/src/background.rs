//! Backgrounds: the level in an annulus around a source, and the [`mesh`] of
//! levels in boxes that cover an image.

mod clip;
mod estimator;
pub mod mesh;

use std::ops::Range;

pub use clip::{Centre, Clip, Spread};
pub use estimator::{Estimator, Level, Measured, Scatter};

use crate::aperture::check_radii;
use crate::image::{Frame, Pixel, PixelBox};
use crate::positions::map_positions;
use crate::{Error, Run};

/// Sources per task: some tenths of a millisecond of work.
const CHUNK: usize = 32;

/// No image is larger than this, pixels; a box has no larger coordinates.
const LARGEST_REACH: f64 = 1e15;

/// The ring of pixels in which a local background is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Annulus {
    inner: f64,
    outer: f64,
}

impl Annulus {
    /// The pixels whose centres are at least `inner_radius` and less than
    /// `outer_radius` pixels away from the position.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless 0 < inner < outer < ∞.
    pub fn new(inner_radius: f64, outer_radius: f64) -> Result<Self, Error> {
        check_radii(inner_radius, outer_radius)?;
        Ok(Self {
            inner: inner_radius,
            outer: outer_radius,
        })
    }

    /// The usable values around a position, row by row; none where it is not
    /// finite.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn values<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        position: (f64, f64),
        run: Run<'_>,
    ) -> Result<Vec<f64>, Error> {
        let mut values = Vec::new();
        self.collect(frame, position, &mut values, run)?;
        Ok(values)
    }

    /// Collects the usable values around a position.
    fn collect<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        (cx, cy): (f64, f64),
        into: &mut Vec<f64>,
        run: Run<'_>,
    ) -> Result<(), Error> {
        into.clear();
        let reach = self.outer.min(LARGEST_REACH);
        let window = PixelBox::spanning((cx - reach, cx + reach), (cy - reach, cy + reach))
            .intersection(&frame.data().bounds());
        for y in window.y0..window.y1 {
            run.check()?;
            let dy = y as f64 - cy;
            let disk = within(self.outer, dy, cx, window.columns());
            let hole = within(self.inner, dy, cx, disk.clone());
            for columns in [disk.start..hole.start, hole.end..disk.end] {
                extend(into, frame, y as usize, columns);
            }
        }
        Ok(())
    }
}

/// Those of `columns` whose pixels of the row at `dy` lie less than `radius`
/// from column `cx`. Without any it is an empty range at the start.
fn within(radius: f64, dy: f64, cx: f64, columns: Range<usize>) -> Range<usize> {
    let square = radius * radius;
    let inside = |x: usize| {
        let dx = x as f64 - cx;
        dx * dx + dy * dy < square
    };
    if dy.abs() > radius {
        return columns.start..columns.start;
    }
    let half_chord = (square - dy * dy).max(0.0).sqrt();
    let nearest = |x: f64| (x.max(0.0) as usize).clamp(columns.start, columns.end);
    let mut start = nearest(cx - half_chord);
    let mut end = nearest(cx + half_chord + 1.0);
    // Casts and the root are rounded: what counts is the comparison of squares.
    while start > columns.start && inside(start - 1) {
        start -= 1;
    }
    while start < end && !inside(start) {
        start += 1;
    }
    while end < columns.end && inside(end) {
        end += 1;
    }
    while end > start && !inside(end - 1) {
        end -= 1;
    }
    if start < end {
        start..end
    } else {
        columns.start..columns.start
    }
}

/// Appends the usable values in a run of columns of row `y`.
fn extend<T: Pixel>(into: &mut Vec<f64>, frame: &Frame<'_, T>, y: usize, run: Range<usize>) {
    let values = &frame.data().row(y)[run.clone()];
    let masked = frame.mask().map(|mask| &mask.row(y)[run.clone()]);
    // All are looked at before any is taken: without a branch for each.
    let all_finite = values.iter().fold(true, |all, &value| {
        all & Into::<f64>::into(value).is_finite()
    });
    let any_masked = masked.is_some_and(|masked| masked.iter().fold(false, |any, &m| any | m));
    if all_finite && !any_masked {
        into.extend(values.iter().map(|&value| Into::<f64>::into(value)));
    } else {
        into.extend(frame.row_values(y, run).flatten());
    }
}

/// The level in the annulus around each position, with its variance.
///
/// Masked and non-finite pixels do not take part; errors are not looked at. NaN
/// where no pixel is left or the position is not finite.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `x` and `y` differ in length;
/// [`Error::Cancelled`].
pub fn local_background<T: Pixel>(
    frame: &Frame<'_, T>,
    x: &[f64],
    y: &[f64],
    annulus: &Annulus,
    estimator: &Estimator,
    run: Run<'_>,
) -> Result<Vec<Measured>, Error> {
    let space = || (Vec::new(), clip::Space::default());
    map_positions(run, (x, y), CHUNK, space, |(values, space), position| {
        annulus.collect(frame, position, values, run)?;
        estimator.estimate(values, space, run)
    })
}

/// The level of some values, of which those that are not finite take no part;
/// NaN of none.
///
/// # Errors
/// [`Error::Cancelled`].
pub fn level(values: &[f64], estimator: &Estimator, run: Run<'_>) -> Result<f64, Error> {
    let space = &mut clip::Space::default();
    if values.iter().all(|value| value.is_finite()) {
        return Ok(estimator.estimate(values, space, run)?.level);
    }
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    Ok(estimator.estimate(&finite, space, run)?.level)
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;
    use crate::image::Image;
    use crate::run::CancelAfter;
    use proptest::prelude::*;

    const MEDIAN: Estimator = Estimator {
        level: Level::Median,
        clip: None,
    };

    proptest! {
        #[test]
        fn the_annulus_is_the_pixels_between_the_radii(
            inner in 0.1..6.0_f64,
            width in 0.1..8.0_f64,
            // Whole and half positions, so that distances are often radii.
            position in (0..60_i32, 0..50_i32).prop_map(|(x, y)| (
                f64::from(x) / 2.0 - 5.0, f64::from(y) / 2.0 - 5.0
            )),
            whole in any::<bool>(),
        ) {
            let round = |v: f64| if whole { v.ceil() } else { v };
            let (inner, outer) = (round(inner), round(inner) + round(width));
            let mut data: Vec<f64> = (0..300).map(f64::from).collect();
            (data[137], data[255]) = (f64::NAN, f64::INFINITY);
            let mask: Vec<bool> = (0..300).map(|k| k % 17 == 3).collect();
            let frame = Frame::new(Image::new(&data, (15, 20)).unwrap())
                .with_mask(Image::new(&mask, (15, 20)).unwrap())
                .unwrap();
            let values = Annulus::new(inner, outer).unwrap().values(&frame, position, Run::new()).unwrap();
            let expected: Vec<f64> = (0..300)
                .filter(|&k| {
                    let (dx, dy) = ((k % 20) as f64 - position.0, (k / 20) as f64 - position.1);
                    let r2 = dx * dx + dy * dy;
                    !mask[k] && data[k].is_finite() && r2 >= inner * inner && r2 < outer * outer
                })
                .map(|k| data[k])
                .collect();
            prop_assert_eq!(values, expected);
        }
    }

    #[test]
    fn the_inner_edge_belongs_to_the_annulus_and_the_outer_does_not() -> Result<(), Error> {
        let annulus = Annulus::new(3.0, 5.0)?;
        for (x, y, inside) in [
            (13, 10, true),
            (10, 7, true),
            (15, 10, false),
            (13, 14, false),
        ] {
            let mut data = vec![f64::NAN; 400];
            data[y * 20 + x] = 7.0;
            let frame = Frame::new(Image::new(&data, (20, 20))?);
            let level = local_background(&frame, &[10.0], &[10.0], &annulus, &MEDIAN, Run::new())?;
            assert_eq!(level[0].level == 7.0, inside, "{x} {y}");
        }
        Ok(())
    }

    #[test]
    fn an_annulus_may_be_larger_than_any_image() -> Result<(), Error> {
        let data = [1.0, 2.0, 3.0, 4.0];
        let frame = Frame::new(Image::new(&data, (2, 2))?);
        for outer in [1e15, 1e17, 1e300] {
            let values = Annulus::new(0.5, outer)?.values(&frame, (0.0, 0.0), Run::new())?;
            assert_eq!(values, [2.0, 3.0, 4.0]);
        }
        Ok(())
    }

    #[test]
    fn positions_without_pixels_have_no_background() -> Result<(), Error> {
        let data = [1.0_f32; 400];
        let mut mask = [false; 400];
        mask[..200].fill(true);
        let frame =
            Frame::new(Image::new(&data, (20, 20))?).with_mask(Image::new(&mask, (20, 20))?)?;
        let xs = [10.0, 10.0, -50.0, f64::NAN, 1e300, f64::INFINITY];
        let ys = [15.0, 2.0, 5.0, 5.0, 5.0, 5.0];
        let annulus = Annulus::new(2.0, 4.0)?;
        let levels = local_background(
            &frame,
            &xs,
            &ys,
            &annulus,
            &Estimator::default(),
            Run::new(),
        )?;
        assert_eq!((levels[0].level, levels[0].variance), (1.0, 0.0));
        assert!(levels[1..].iter().all(|at| at.level.is_nan()));
        Ok(())
    }

    #[test]
    fn a_run_can_be_cancelled_between_two_sources() -> Result<(), Error> {
        let frame = Frame::new(Image::new(&[1.0; 9], (3, 3))?);
        let annulus = Annulus::new(0.5, 1e9)?;
        let levels = |monitor: &CancelAfter| {
            let run = Run::new().with_monitor(monitor).serial();
            local_background(&frame, &[1.0; 3], &[1.0; 3], &annulus, &MEDIAN, run)
        };
        assert_eq!(levels(&CancelAfter::new(100)).map(|all| all.len()), Ok(3));
        assert_eq!(levels(&CancelAfter::new(2)), Err(Error::Cancelled));
        Ok(())
    }

    #[test]
    fn a_run_can_be_cancelled_within_one_large_annulus() -> Result<(), Error> {
        let data: Vec<f64> = (0..300 * 300).map(|k| f64::from(k % 997)).collect();
        let frame = Frame::new(Image::new(&data, (300, 300))?);
        let annulus = Annulus::new(0.5, 1e9)?;
        let estimator = Estimator::default();
        let level = |monitor: &CancelAfter| {
            let run = Run::new().with_monitor(monitor).serial();
            local_background(&frame, &[9.0], &[9.0], &annulus, &estimator, run)
        };
        // Before every row, and before every pass over the values.
        for n_looks in [10, 300, 304] {
            assert_eq!(level(&CancelAfter::new(n_looks)), Err(Error::Cancelled));
        }
        assert!(level(&CancelAfter::new(400))?[0].level.is_finite());
        Ok(())
    }

    #[test]
    fn the_level_of_values_leaves_out_what_is_not_finite() -> Result<(), Error> {
        let of = |values: &[f64]| level(values, &Estimator::default(), Run::new());
        assert_eq!(of(&[3.0, f64::NAN, 1.0, f64::INFINITY, 2.0])?, 2.0);
        assert_eq!(of(&[3.0, 1.0, 2.0])?, 2.0);
        assert!(of(&[f64::NAN])?.is_nan() && of(&[])?.is_nan());
        Ok(())
    }

    #[test]
    fn bad_radii_are_named() {
        let message = |inner, outer| Annulus::new(inner, outer).unwrap_err().to_string();
        assert!(message(0.0, 1.0).starts_with("inner_radius must"));
        assert!(message(f64::NAN, 1.0).starts_with("inner_radius must"));
        assert!(message(1.0, f64::INFINITY).starts_with("outer_radius must be positive"));
        assert!(message(2.0, 2.0).starts_with("outer_radius must be greater"));
    }
}
