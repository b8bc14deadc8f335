//! What a star finder is, and what all of them do alike: the batches, the last filters.

use super::convolve::convolve;
use super::peaks::Threshold;
use super::selection::{Measured, Selection};
use super::{Found, Kernel, Range};
use crate::Error;
use crate::image::{Frame, Image, Pixel};
use crate::run::{Run, chunks};

/// Positions per task: enough that handing tasks out costs nothing beside them.
const BATCH: usize = 256;

/// A star finder: its settings, and how it measures one star.
pub(super) trait Finder: Sync {
    /// What stars are measured on and with, made once for a call.
    type Gauge<'a, T: Pixel>: Sync;
    /// A thread's buffers.
    type Cutouts: Default;
    /// A star.
    type Source: Measured + Clone;

    /// The settings that all finders share.
    fn selection(&self) -> &Selection;

    /// Measures the star at the pixel `at = (x, y)`; `None` where there is none.
    fn measure_one<T: Pixel>(
        &self,
        gauge: &Self::Gauge<'_, T>,
        at: (usize, usize),
        work: &mut Self::Cutouts,
    ) -> Option<Self::Source>;

    /// Whether a measured star on the image passes the finder's own filters.
    fn accepts(&self, _source: &Self::Source) -> bool {
        true
    }
}

/// A finder that searches the image convolved with one kernel.
///
/// Its public `find` and `measure` are [`find`](super::sweep::find) and [`measure`].
pub(super) trait KernelFinder: Finder {
    /// What the image is convolved with, if the settings make a kernel.
    fn kernel(&self) -> Result<Kernel, Error>;

    /// Refuses its other settings that cannot be used.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// How far peaks lie apart where the selection does not say it, pixels.
    fn separation(&self) -> f64;

    /// What the threshold is multiplied by.
    fn scale(&self, _kernel: &Kernel) -> f64 {
        1.0
    }

    /// The gauge; peaks exceed `threshold` times the scale.
    fn gauge<'a, T: Pixel>(
        &self,
        image: ConvolvedImage<'a, T>,
        threshold: Threshold<'a>,
    ) -> Self::Gauge<'a, T>;
}

/// An image, and what the kernel makes of it.
pub(super) struct ConvolvedImage<'a, T> {
    pub(super) kernel: &'a Kernel,
    pub(super) data: Image<'a, T>,
    /// Its rows from `first_row` on: all those that the stars to be measured need.
    pub(super) convolved: Image<'a, T>,
    pub(super) first_row: usize,
    /// Whether some data in the footprints of these rows are not finite.
    pub(super) has_gaps: bool,
}

/// Measures the stars at given `centers` (x, y), rounded to pixels, in the place
/// of a search.
pub(super) fn measure<F: KernelFinder, T: Pixel>(
    finder: &F,
    frame: &Frame<'_, T>,
    threshold: Threshold<'_>,
    centers: &[(f64, f64)],
    run: Run<'_>,
) -> Result<Found<F::Source>, Error> {
    let kernel = &usable_kernel(finder)?;
    let data = frame.data();
    threshold.check(data.shape())?;
    let pixels = nearest_pixels(centers, data.shape())?;
    let convolved = convolve(data, kernel, run)?;
    let image = ConvolvedImage {
        kernel,
        data,
        convolved: Image::new(&convolved.values, data.shape())?,
        first_row: 0,
        has_gaps: convolved.has_gaps,
    };
    let gauge = finder.gauge(image, threshold);
    measure_pixels(finder, &gauge, data.shape(), &pixels, run)
}

/// The kernel, once all settings are found usable.
pub(super) fn usable_kernel<F: KernelFinder>(finder: &F) -> Result<Kernel, Error> {
    let kernel = finder.kernel()?;
    finder.selection().check()?;
    finder.check()?;
    Ok(kernel)
}

/// Measures at all pixels (x, y) of an image of `shape = (ny, nx)`, in order,
/// and filters.
pub(super) fn measure_pixels<F: Finder, T: Pixel>(
    finder: &F,
    gauge: &F::Gauge<'_, T>,
    shape: (usize, usize),
    pixels: &[(usize, usize)],
    run: Run<'_>,
) -> Result<Found<F::Source>, Error> {
    let batches = run.map(
        chunks(pixels.len(), BATCH),
        F::Cutouts::default,
        |work, batch| {
            let pixels = pixels[batch].iter();
            let measured = pixels.filter_map(|&at| finder.measure_one(gauge, at, work));
            Ok(measured.collect::<Vec<_>>())
        },
    )?;
    Ok(select(finder, batches.concat(), shape))
}

/// Filters the stars measured on an image of `shape = (ny, nx)`.
pub(super) fn select<F: Finder>(
    finder: &F,
    measured: Vec<F::Source>,
    shape: (usize, usize),
) -> Found<F::Source> {
    finder.selection().select(measured, |source| {
        on_image(source.position(), shape) && finder.accepts(source)
    })
}

pub(super) fn in_range(range: Range, value: f64) -> bool {
    range.is_none_or(|(lowest, highest)| value >= lowest && value <= highest)
}

/// A NaN bound would silently refuse everything.
pub(super) fn check_range(argument: &'static str, range: Range) -> Result<(), Error> {
    match range {
        Some((lowest, highest)) if lowest.is_nan() || highest.is_nan() => Err(Error::invalid(
            argument,
            "be a pair of numbers (lower, upper)",
            format!("({lowest}, {highest})"),
        )),
        _ => Ok(()),
    }
}

/// Whether the position (x, y) lies on an image of `shape = (ny, nx)`.
fn on_image((x, y): (f64, f64), shape: (usize, usize)) -> bool {
    let within = |at: f64, n: usize| (-0.5..=n as f64 - 0.5).contains(&at);
    within(x, shape.1) && within(y, shape.0)
}

/// The pixels that hold given centers (x, y).
///
/// # Errors
/// [`Error::InvalidArgument`] if one lies off the image or is not finite.
pub(super) fn nearest_pixels(
    centers: &[(f64, f64)],
    shape: (usize, usize),
) -> Result<Vec<(usize, usize)>, Error> {
    let within = |value: f64, n: usize| value > -0.5 && value < n as f64 - 0.5;
    centers
        .iter()
        .map(|&(x, y)| {
            if within(x, shape.1) && within(y, shape.0) {
                return Ok((x.round() as usize, y.round() as usize));
            }
            Err(Error::invalid(
                "centers",
                format!("be within the bounds of the input data with shape {shape:?}"),
                format!("({x}, {y})"),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_round_away_from_zero_and_must_lie_on_the_image() {
        assert_eq!(
            nearest_pixels(&[(2.5, 0.4), (-0.4, 1.4)], (2, 4)),
            Ok(vec![(3, 0), (0, 1)])
        );
        for bad in [
            (3.5, 0.0),
            (-0.5, 0.0),
            (0.0, 1.5),
            (f64::NAN, 0.0),
            (1e300, 0.0),
        ] {
            assert!(nearest_pixels(&[bad], (2, 4)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ranges_include_their_ends() {
        assert!(in_range(Some((0.5, 2.0)), 0.5) && in_range(Some((0.5, 2.0)), 2.0));
        assert!(!in_range(Some((0.5, 2.0)), 2.1) && in_range(None, 1e9));
        assert!(check_range("sharpness_range", Some((f64::NAN, 1.0))).is_err());
    }
}
