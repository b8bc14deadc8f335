//! The settings that all star finders share.

use super::finder::{Measured, setters};
use super::peaks::{Neighbourhood, Peak, PeakSearch, Threshold};
use super::{Found, Kernel};
use crate::Error;
use crate::image::Image;
use crate::run::Run;

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

    setters! {
        /// How far peaks must lie apart, pixels; `None` is the finder's default.
        /// With 0 a peak need only be the largest pixel of the kernel's footprint.
        fn with_min_separation(min_separation: Option<f64>);

        /// Leaves out peaks within half the kernel's size of the edges.
        fn with_exclude_border(exclude_border: bool);

        /// The largest accepted peak.
        fn with_peak_max(peak_max: Option<f64>);

        /// Keeps only so many sources, those of the largest flux.
        fn with_n_brightest(n_brightest: Option<usize>);
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

    /// Where a peak must be the largest pixel; `default` is how far peaks lie
    /// apart otherwise, and `shape` that of the image.
    pub(super) fn neighbourhood(
        &self,
        kernel: &Kernel,
        default: f64,
        shape: (usize, usize),
    ) -> Result<Neighbourhood, Error> {
        let separation = self.min_separation.unwrap_or(default);
        // Any other value than 0 that is too small for a disk has one pixel.
        if separation == 0.0 {
            Neighbourhood::footprint(kernel.footprint(), kernel.shape())
        } else {
            Neighbourhood::disk(separation, shape)
        }
    }

    /// The search for peaks in the convolved image.
    pub(super) fn search<'a>(
        &self,
        kernel: &Kernel,
        neighbourhood: &'a Neighbourhood,
        threshold: Threshold<'a>,
    ) -> PeakSearch<'a> {
        let (ny, nx) = kernel.shape();
        let border = if self.exclude_border {
            ((ny - 1) / 2, (nx - 1) / 2)
        } else {
            (0, 0)
        };
        PeakSearch::new(neighbourhood, threshold).with_border(border)
    }

    /// The peaks of a map above `threshold`; the border is `half_width` wide.
    /// With a separation of 0 a peak need only exceed the pixels next to it.
    pub(super) fn peaks(
        &self,
        map: Image<'_, f32>,
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

/// Keeps the `n` sources of the largest flux, brightest first; equal ones keep
/// their order.
fn keep_brightest<S: Measured>(sources: &mut Vec<S>, n: Option<usize>) {
    if let Some(n) = n {
        sources.sort_by(|a, b| b.flux().total_cmp(&a.flux()));
        sources.truncate(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Star(usize, f64);

    impl Measured for Star {
        fn position(&self) -> (f64, f64) {
            (0.0, 0.0)
        }
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
}
