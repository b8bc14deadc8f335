//! What all star finders do alike: the search, the batches, the last filters.

use super::convolve::convolve;
use super::peaks::{Neighbourhood, Peak, PeakSearch, Threshold};
use super::{Found, Kernel, Range};
use crate::Error;
use crate::image::{Frame, Image, Pixel};
use crate::run::{Run, chunks};

/// Positions per task: enough that handing tasks out costs nothing beside them.
const BATCH: usize = 256;

/// The settings that all star finders share.
///
/// ```
/// use psfphot::detect::{IrafFinder, Selection};
///
/// let few = Selection::new().with_n_brightest(Some(100));
/// let finder = IrafFinder::new(3.0).with_selection(few);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    min_separation: Option<f64>,
    exclude_border: bool,
    peak_max: Option<f64>,
    n_brightest: Option<usize>,
}

impl Selection {
    /// Takes all stars.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How far peaks must lie apart, pixels; `None` is the finder's default.
    /// With 0 a peak need only be the largest pixel of the kernel's footprint.
    #[must_use]
    pub fn with_min_separation(mut self, min_separation: Option<f64>) -> Self {
        self.min_separation = min_separation;
        self
    }

    /// Leaves out peaks within half the kernel's size of the edges.
    #[must_use]
    pub fn with_exclude_border(mut self, exclude_border: bool) -> Self {
        self.exclude_border = exclude_border;
        self
    }

    /// The largest accepted peak.
    #[must_use]
    pub fn with_peak_max(mut self, peak_max: Option<f64>) -> Self {
        self.peak_max = peak_max;
        self
    }

    /// Keeps only so many sources, those of the largest flux.
    #[must_use]
    pub fn with_n_brightest(mut self, n_brightest: Option<usize>) -> Self {
        self.n_brightest = n_brightest;
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(separation) = self.min_separation.filter(|s| s.is_nan() || *s < 0.0) {
            return Err(Error::invalid("min_separation", "be >= 0", separation));
        }
        if self.n_brightest == Some(0) {
            return Err(Error::invalid("n_brightest", "be > 0", 0));
        }
        if self.peak_max.is_some_and(f64::is_nan) {
            return Err(Error::invalid("peak_max", "be a number", f64::NAN));
        }
        Ok(())
    }

    /// The pixels to be measured: the peaks of the convolved image above the
    /// threshold times `scale`.
    pub(super) fn search<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        kernel: &Kernel,
        (threshold, scale): (Threshold<'_>, f64),
        default_separation: f64,
        run: Run<'_>,
    ) -> Result<Candidates<T>, Error> {
        let image = frame.data();
        let separation = self.min_separation.unwrap_or(default_separation);
        // Any other value than 0 that is too small for a disk has one pixel.
        let neighbourhood = if separation == 0.0 {
            Neighbourhood::footprint(kernel.footprint(), kernel.shape())?
        } else {
            Neighbourhood::disk(separation, image.shape())?
        };
        let (ny, nx) = kernel.shape();
        let border = if self.exclude_border {
            ((ny - 1) / 2, (nx - 1) / 2)
        } else {
            (0, 0)
        };
        let search = PeakSearch::new(&neighbourhood, threshold)
            .with_scale(scale)
            .with_mask(frame.mask())
            .with_border(border);
        let convolved = convolve(image, kernel, run)?;
        let peaks = search.find(Image::new(&convolved, image.shape())?, run)?;
        let pixels = peaks.iter().map(|peak| (peak.x, peak.y)).collect();
        Ok(Candidates { convolved, pixels })
    }

    /// The peaks of a map above `threshold`; the border is `half_width` wide.
    /// With a separation of 0 a peak need only exceed the pixels next to it.
    pub(super) fn peaks(
        &self,
        map: Image<'_, f64>,
        threshold: f64,
        default_separation: f64,
        half_width: usize,
        run: Run<'_>,
    ) -> Result<Vec<Peak>, Error> {
        let separation = self.min_separation.unwrap_or(default_separation);
        let neighbourhood = if separation == 0.0 {
            Neighbourhood::footprint(&[true; 9], (3, 3))?
        } else {
            Neighbourhood::disk(separation, map.shape())?
        };
        let border = if self.exclude_border { half_width } else { 0 };
        PeakSearch::new(&neighbourhood, Threshold::Scalar(threshold))
            .with_border((border, border))
            .find(map, run)
    }

    /// Filters what was measured, and keeps the brightest.
    pub(super) fn select<S: Measured>(
        &self,
        mut sources: Vec<S>,
        accepts: impl Fn(&S) -> bool,
    ) -> Found<S> {
        let n_measured = sources.len();
        let low = |source: &S| self.peak_max.is_none_or(|most| source.peak() <= most);
        sources.retain(|source| low(source) && accepts(source));
        keep_brightest(&mut sources, self.n_brightest);
        Found {
            sources,
            n_measured,
        }
    }
}

/// The convolved image, and the pixels (x, y) where there may be stars.
pub(super) struct Candidates<T> {
    pub(super) convolved: Vec<T>,
    pub(super) pixels: Vec<(usize, usize)>,
}

impl<T: Pixel> Candidates<T> {
    /// The pixels that hold given (x, y) positions.
    pub(super) fn given(
        image: Image<'_, T>,
        kernel: &Kernel,
        positions: &[(f64, f64)],
        run: Run<'_>,
    ) -> Result<Self, Error> {
        Ok(Self {
            pixels: nearest_pixels(positions, image.shape())?,
            convolved: convolve(image, kernel, run)?,
        })
    }
}

/// What the filters ask of a measured star.
pub(super) trait Measured: Send {
    fn peak(&self) -> f64;
    fn flux(&self) -> f64;
}

/// Measures at all pixels, in order; `measure` gives `None` where there is no
/// star. Its first argument is a workspace.
pub(super) fn measure_all<W: Default, S: Measured + Clone>(
    pixels: &[(usize, usize)],
    measure: impl Fn(&mut W, (usize, usize)) -> Option<S> + Sync + Send,
    run: Run<'_>,
) -> Result<Vec<S>, Error> {
    let batches = run.map(
        chunks(pixels.len(), BATCH),
        W::default,
        |work: &mut W, batch| {
            let measured = pixels[batch].iter().filter_map(|&at| measure(work, at));
            Ok(measured.collect::<Vec<_>>())
        },
    )?;
    Ok(batches.concat())
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
pub(super) fn on_image(x: f64, y: f64, shape: (usize, usize)) -> bool {
    let within = |at: f64, n: usize| (-0.5..=n as f64 - 0.5).contains(&at);
    within(x, shape.1) && within(y, shape.0)
}

/// Keeps the `n` sources of the largest flux, brightest first; equal ones keep
/// their order.
fn keep_brightest<S: Measured>(sources: &mut Vec<S>, n: Option<usize>) {
    if let Some(n) = n {
        sources.sort_by(|a, b| b.flux().total_cmp(&a.flux()));
        sources.truncate(n);
    }
}

/// The pixels that hold given (x, y) positions.
///
/// # Errors
/// [`Error::InvalidArgument`] if a position lies off the image or is not finite.
pub(super) fn nearest_pixels(
    positions: &[(f64, f64)],
    shape: (usize, usize),
) -> Result<Vec<(usize, usize)>, Error> {
    let within = |value: f64, n: usize| value > -0.5 && value < n as f64 - 0.5;
    positions
        .iter()
        .map(|&(x, y)| {
            if within(x, shape.1) && within(y, shape.0) {
                return Ok((x.round() as usize, y.round() as usize));
            }
            Err(Error::invalid(
                "xycoords",
                format!("be within the bounds of the input data with shape {shape:?}"),
                format!("({x}, {y})"),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Star(usize, f64);

    impl Measured for Star {
        fn peak(&self) -> f64 {
            self.1
        }
        fn flux(&self) -> f64 {
            self.1
        }
    }

    #[test]
    fn the_brightest_come_first_and_ties_keep_their_order() {
        let stars = vec![Star(0, 1.0), Star(1, 3.0), Star(2, 1.0), Star(3, 2.0)];
        let few = Selection::new().with_n_brightest(Some(3));
        let found = few.select(stars.clone(), |_| true);
        assert_eq!(found.sources, [Star(1, 3.0), Star(3, 2.0), Star(0, 1.0)]);
        assert_eq!(found.n_measured, 4);
        let faint = Selection::new().with_peak_max(Some(2.0));
        assert_eq!(faint.select(stars, |star| star.0 > 0).sources.len(), 2);
    }

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
