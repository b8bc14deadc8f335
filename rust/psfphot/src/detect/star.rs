//! The star finder with a kernel of any form.

use super::finder::{ConvolvedImage, Finder, KernelFinder};
use super::gaps::measure_filled;
use super::moments::Moments;
use super::peaks::Threshold;
use super::selection::{Measured, Selection};
use super::setters::setters;
use super::sweep;
use super::{Found, Kernel};
use crate::Error;
use crate::image::{Frame, Pixel};
use crate::run::Run;

/// Finds the peaks of the image convolved with a given [`Kernel`], and measures
/// the moments of the image around them.
///
/// A convolution turns the kernel around: where it has not the symmetry of a
/// half turn, the stars that look like the turned one are found best.
///
/// With D = max(0, data) on the kernel's rectangle around the peak (0 off the
/// image), a peak is *measured* if its statistics are finite. There is
/// no filter of the form.
#[derive(Debug, Clone, PartialEq)]
pub struct StarFinder {
    kernel: Kernel,
    selection: Selection,
}

/// A star of [`StarFinder`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Star {
    /// Centroid of D along x, pixels.
    pub x: f64,
    /// Centroid of D along y, pixels.
    pub y: f64,
    /// Full width at half maximum from the second moments of D, pixels.
    pub fwhm: f64,
    /// 0 for a round star, near 1 for a line.
    pub roundness: f64,
    /// Angle of the major axis, degrees counter-clockwise from +x, (−90, 90].
    pub orientation: f64,
    /// The largest D.
    pub max_value: f64,
    /// The sum of D.
    pub flux: f64,
}

impl Star {
    /// −2.5 log₁₀ of the flux.
    #[must_use]
    pub fn magnitude(&self) -> f64 {
        -2.5 * self.flux.log10()
    }
}

impl Measured for Star {
    fn position(&self) -> (f64, f64) {
        (self.x, self.y)
    }
    fn peak(&self) -> f64 {
        self.max_value
    }
    fn flux(&self) -> f64 {
        self.flux
    }
}

impl StarFinder {
    /// A finder of stars that look like the kernel.
    #[must_use]
    pub fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            selection: Selection::new(),
        }
    }

    setters! {
        /// The settings that all finders share. By default peaks lie apart by 2.5
        /// times half the smaller size of the kernel, rounded down.
        fn with_selection(selection: Selection);
    }

    /// Finds the stars of an image without a background.
    ///
    /// `threshold` is the least height of the star fitted at the peak, in the
    /// image's unit. For masks and NaN pixels see
    /// [`IrafFinder::find`](super::IrafFinder::find).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] or [`Error::ShapeMismatch`] for a setting
    /// that cannot be used, [`Error::Cancelled`].
    pub fn find<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        threshold: Threshold<'_>,
        run: Run<'_>,
    ) -> Result<Found<Star>, Error> {
        sweep::find(self, frame, threshold, run)
    }
}

impl Finder for StarFinder {
    type Gauge<'a, T: Pixel> = ConvolvedImage<'a, T>;
    type Cutouts = Vec<f64>;
    type Source = Star;

    fn selection(&self) -> &Selection {
        &self.selection
    }

    fn measure_one<T: Pixel>(
        &self,
        image: &ConvolvedImage<'_, T>,
        (x, y): (usize, usize),
        cutout: &mut Vec<f64>,
    ) -> Option<Star> {
        image.kernel.fill_cutout(image.data, (x, y), cutout);
        let form = |dx, dy| turned(image.kernel, dx, dy);
        measure_filled(cutout, image.kernel, (x, y), form, |cutout| {
            measure(cutout, image.kernel).map(|star| Star {
                x: star.x + x as f64,
                y: star.y + y as f64,
                ..star
            })
        })
    }
}

impl KernelFinder for StarFinder {
    fn kernel(&self) -> Result<Kernel, Error> {
        Ok(self.kernel.clone())
    }

    fn separation(&self) -> f64 {
        let (ny, nx) = self.kernel.shape();
        2.5 * (ny.min(nx) / 2) as f64
    }

    fn gauge<'a, T: Pixel>(
        &self,
        image: ConvolvedImage<'a, T>,
        _threshold: Threshold<'a>,
    ) -> ConvolvedImage<'a, T> {
        image
    }
}

/// The star turned around, which the convolution fits, at a distance from its
/// centre, bilinear between the kernel's pixels; beyond those, at the edge.
fn turned(kernel: &Kernel, dx: f64, dy: f64) -> f64 {
    let ((cy, cx), (ny, nx)) = (kernel.center(), kernel.shape());
    let place = |distance: f64, center: usize, n: usize| {
        let at = (center as f64 - distance).clamp(0.0, (n - 1) as f64);
        let low = (at as usize).min(n.saturating_sub(2));
        (low, (low + 1).min(n - 1), at - low as f64)
    };
    let ((x0, x1, u), (y0, y1, v)) = (place(dx, cx, nx), place(dy, cy, ny));
    let along =
        |y: usize| (1.0 - u) * kernel.values()[y * nx + x0] + u * kernel.values()[y * nx + x1];
    (1.0 - v) * along(y0) + v * along(y1)
}

/// Measures on the cutout, which becomes D, with the position relative to the
/// kernel's centre; `None` where a statistic is not finite.
fn measure(cutout: &mut [f64], kernel: &Kernel) -> Option<Star> {
    // What D would make of a pixel of minus infinity is finite.
    if !cutout.iter().all(|value| value.is_finite()) {
        return None;
    }
    for value in cutout.iter_mut().filter(|value| **value < 0.0) {
        *value = 0.0;
    }
    let moments = Moments::new(cutout, kernel.shape().1);
    let (cy, cx) = kernel.center();
    let star = Star {
        x: moments.x - cx as f64,
        y: moments.y - cy as f64,
        fwhm: moments.fwhm(),
        roundness: moments.roundness(),
        orientation: moments.orientation(),
        max_value: cutout.iter().copied().fold(0.0, f64::max),
        flux: moments.flux,
    };
    let statistics = [
        star.x,
        star.y,
        star.fwhm,
        star.roundness,
        star.orientation,
        star.max_value,
        star.flux,
    ];
    statistics.iter().all(|s| s.is_finite()).then_some(star)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;

    const SHAPE: (usize, usize) = (30, 40);
    /// A star along the diagonal, 3 rows of 5 pixels.
    const STAR: [f64; 15] = [
        0.0, 0.0, 1.0, 2.0, 1.0, 0.0, 4.0, 9.0, 4.0, 0.0, 1.0, 2.0, 1.0, 0.0, 0.0,
    ];

    fn field(places: &[(usize, usize)]) -> Vec<f64> {
        let mut data = vec![0.0; SHAPE.0 * SHAPE.1];
        for &(x, y) in places {
            for (k, value) in STAR.iter().enumerate() {
                data[(y - 1 + k / 5) * SHAPE.1 + x - 2 + k % 5] += 10.0 * value;
            }
        }
        data
    }

    #[test]
    fn stars_like_the_kernel_are_found_by_their_height() -> Result<(), Error> {
        let data = field(&[(10, 5), (30, 20)]);
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let finder = StarFinder::new(Kernel::from_values(&STAR, (3, 5))?);
        let found = finder.find(&frame, Threshold::Scalar(89.0), Run::new())?;
        assert_eq!(found.sources.len(), 2);
        let star = found.sources[0];
        assert!((star.x - 10.0).abs() < 1e-12 && (star.y - 5.0).abs() < 1e-12);
        assert!((star.max_value - 90.0).abs() < 1e-12);
        assert!((star.flux - 250.0).abs() < 1e-12);
        let none = finder.find(&frame, Threshold::Scalar(91.0), Run::new())?;
        assert_eq!(none.n_measured, 0);
        let one = finder.with_selection(Selection::new().with_min_separation(Some(40.0)));
        let found = one.find(&frame, Threshold::Scalar(50.0), Run::new().serial())?;
        assert_eq!(found.sources.len(), 1);
        Ok(())
    }

    #[test]
    fn any_kernel_on_any_image() -> Result<(), Error> {
        for kernel in [(1, 1), (1, 2), (2, 2), (7, 5)] {
            let values: Vec<f64> = (0..kernel.0 * kernel.1).map(|i| i as f64 + 1.0).collect();
            let finder = StarFinder::new(Kernel::from_values(&values, kernel)?);
            for shape in [(0, 0), (1, 1), (3, 2), (9, 9)] {
                let mut data = vec![-1.0_f32; shape.0 * shape.1];
                data.iter_mut().take(2).for_each(|value| *value = 5.0);
                let frame = Frame::new(Image::new(&data, shape)?);
                for separation in [None, Some(0.0), Some(1e300)] {
                    let selection = Selection::new()
                        .with_min_separation(separation)
                        .with_exclude_border(true);
                    let finder = finder.clone().with_selection(selection);
                    finder.find(&frame, Threshold::Scalar(-9.0), Run::new())?;
                }
            }
        }
        Ok(())
    }
}
