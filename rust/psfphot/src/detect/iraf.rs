//! The star finder of IRAF's `starfind` task.

use super::finder::{self, ConvolvedImage, Finder, KernelFinder, check_range, in_range};
use super::gaps::measure_filled;
use super::kernel::QuadraticForm;
use super::moments::Moments;
use super::peaks::Threshold;
use super::selection::{Measured, Selection};
use super::setters::setters;
use super::sweep;
use super::{Found, Kernel, Range};
use crate::Error;
use crate::image::{Frame, Pixel};
use crate::run::Run;

/// Finds stars by the image moments of the peaks of the convolved image, as
/// IRAF's `starfind` (`images.imcoords`) does.
///
/// Around every peak the *sky* is the mean of the kernel's rectangle outside
/// its footprint M (where M fills the rectangle: the central pixel less the
/// convolved image there), and D = max(0, data − sky) on M. Off the image the
/// data count as 0. [`IrafSource`] has what is measured on D.
///
/// A position is *measured* if D is positive in `min_n_pixels` pixels and its
/// statistics are finite. A measured one is a *source* if its
/// centroid lies on the image and it passes the filters.
#[derive(Debug, Clone, PartialEq)]
pub struct IrafFinder {
    fwhm: f64,
    sigma_radius: f64,
    selection: Selection,
    sharpness: Range,
    roundness: Range,
    min_n_pixels: usize,
}

/// A star of [`IrafFinder`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IrafSource {
    /// Centroid of D along x, pixels.
    pub x: f64,
    /// Centroid of D along y, pixels.
    pub y: f64,
    /// Full width at half maximum from the second moments of D, pixels.
    pub fwhm: f64,
    /// Its `fwhm` over the kernel's.
    pub sharpness: f64,
    /// 0 for a round star, near 1 for a line.
    pub roundness: f64,
    /// Angle of the major axis, degrees counter-clockwise from +x, (−90, 90].
    pub orientation: f64,
    /// Number of pixels where D is positive.
    pub n_pixels: usize,
    /// The largest D.
    pub peak: f64,
    /// The sum of D.
    pub flux: f64,
}

impl IrafSource {
    /// −2.5 log₁₀ of the flux.
    #[must_use]
    pub fn magnitude(&self) -> f64 {
        -2.5 * self.flux.log10()
    }
}

impl IrafFinder {
    /// A finder of stars with the full width at half maximum `fwhm`, pixels.
    #[must_use]
    pub fn new(fwhm: f64) -> Self {
        Self {
            fwhm,
            sigma_radius: 1.5,
            selection: Selection::new(),
            sharpness: Some((0.5, 2.0)),
            roundness: Some((0.0, 0.2)),
            min_n_pixels: 5,
        }
    }

    setters! {
        /// Radius at which the kernel ends, in σ of its Gaussian (1.5).
        fn with_sigma_radius(sigma_radius: f64);

        /// The settings that all finders share. Peaks lie 2.5 `fwhm` apart by
        /// default, and `peak_max` is above the sky.
        fn with_selection(selection: Selection);

        /// The accepted sharpness (0.5 to 2).
        fn with_sharpness_range(sharpness: Range);

        /// The accepted roundness (0 to 0.2).
        fn with_roundness_range(roundness: Range);

        /// The least number of positive pixels (5, as in IRAF).
        fn with_min_n_pixels(min_n_pixels: usize);
    }

    /// Finds the stars of an image without a background.
    ///
    /// `threshold` is the least height of the Gaussian fitted at the peak, in
    /// the image's unit. Masked pixels neither are peaks nor hide others; they
    /// do enter the convolution and the statistics. Pixels that are not finite
    /// are left out of the convolution, and in the statistics they have what the
    /// Gaussian fitted to the others has there: they hide no star, unless they
    /// take most of it. Errors are not used.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] or [`Error::ShapeMismatch`] for a setting
    /// that cannot be used, [`Error::Cancelled`].
    pub fn find<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        threshold: Threshold<'_>,
        run: Run<'_>,
    ) -> Result<Found<IrafSource>, Error> {
        sweep::find(self, frame, threshold, run)
    }

    /// Measures the stars at given `centers` (x, y), rounded to pixels, in the
    /// place of a search; the filters apply.
    ///
    /// # Errors
    /// As [`IrafFinder::find`]; also where a centre is off the image.
    pub fn measure<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        centers: &[(f64, f64)],
        run: Run<'_>,
    ) -> Result<Found<IrafSource>, Error> {
        // The threshold is for the search alone.
        finder::measure(self, frame, Threshold::Scalar(0.0), centers, run)
    }
}

impl Measured for IrafSource {
    fn position(&self) -> (f64, f64) {
        (self.x, self.y)
    }
    fn peak(&self) -> f64 {
        self.peak
    }
    fn flux(&self) -> f64 {
        self.flux
    }
}

impl Finder for IrafFinder {
    type Gauge<'a, T: Pixel> = ConvolvedImage<'a, T>;
    type Cutouts = Vec<f64>;
    type Source = IrafSource;

    fn selection(&self) -> &Selection {
        &self.selection
    }

    fn measure_one<T: Pixel>(
        &self,
        image: &ConvolvedImage<'_, T>,
        (x, y): (usize, usize),
        cutout: &mut Vec<f64>,
    ) -> Option<IrafSource> {
        image.kernel.fill_cutout(image.data, (x, y), cutout);
        let height = image.height_at((x, y));
        let form = QuadraticForm::new(self.fwhm, 1.0, 0.0);
        let star = |dx, dy| (-form.at(dx, dy)).exp();
        measure_filled(cutout, image.kernel, (x, y), star, |cutout| {
            let sky = sky(cutout, image.kernel, height);
            measure(cutout, image.kernel, sky, self.fwhm)
                .filter(|source| source.n_pixels >= self.min_n_pixels)
                .map(|source| IrafSource {
                    x: source.x + x as f64,
                    y: source.y + y as f64,
                    ..source
                })
        })
    }

    fn accepts(&self, source: &IrafSource) -> bool {
        in_range(self.sharpness, source.sharpness) && in_range(self.roundness, source.roundness)
    }
}

impl KernelFinder for IrafFinder {
    fn kernel(&self) -> Result<Kernel, Error> {
        Kernel::circular(self.fwhm, self.sigma_radius)
    }

    fn check(&self) -> Result<(), Error> {
        if self.min_n_pixels == 0 {
            return Err(Error::invalid("min_n_pixels", "be >= 1", 0));
        }
        check_range("sharpness_range", self.sharpness)?;
        check_range("roundness_range", self.roundness)
    }

    fn separation(&self) -> f64 {
        2.5 * self.fwhm
    }

    fn gauge<'a, T: Pixel>(
        &self,
        image: ConvolvedImage<'a, T>,
        _threshold: Threshold<'a>,
    ) -> ConvolvedImage<'a, T> {
        image
    }
}

/// The level around a star whose fitted Gaussian has this `height`.
fn sky(cutout: &[f64], kernel: &Kernel, height: f64) -> f64 {
    let n_sky = cutout.len() - kernel.n_pixels();
    if n_sky == 0 {
        return cutout[cutout.len() / 2] - height;
    }
    let sky = cutout
        .iter()
        .zip(kernel.footprint())
        .filter(|(_, inside)| !**inside);
    sky.map(|(value, _)| value).sum::<f64>() / n_sky as f64
}

/// Measures on the cutout, which becomes D, with the position relative to the
/// central pixel; `None` where a statistic is not finite.
fn measure(cutout: &mut [f64], kernel: &Kernel, sky: f64, fwhm: f64) -> Option<IrafSource> {
    if !sky.is_finite() {
        return None;
    }
    for (value, inside) in cutout.iter_mut().zip(kernel.footprint()) {
        let d = if *inside { *value - sky } else { 0.0 };
        // Not `max`, which would turn NaN into 0.
        *value = if d < 0.0 { 0.0 } else { d };
    }
    let moments = Moments::new(cutout, kernel.shape().1);
    let (cy, cx) = kernel.center();
    let source = IrafSource {
        x: moments.x - cx as f64,
        y: moments.y - cy as f64,
        fwhm: moments.fwhm(),
        sharpness: moments.fwhm() / fwhm,
        roundness: moments.roundness(),
        orientation: moments.orientation(),
        n_pixels: cutout.iter().filter(|&&d| d > 0.0).count(),
        peak: cutout.iter().copied().fold(0.0, f64::max),
        flux: moments.flux,
    };
    let statistics = [
        source.x,
        source.y,
        source.sharpness,
        source.roundness,
        source.orientation,
        source.peak,
        source.flux,
    ];
    statistics.iter().all(|s| s.is_finite()).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;

    const SHAPE: (usize, usize) = (50, 60);

    /// Round Gaussians (x, y, height) of sigma 1.3 on a constant sky.
    fn field(stars: &[(f64, f64, f64)], sky: f64) -> Vec<f64> {
        let pixel = |i: usize| {
            let (x, y) = ((i % SHAPE.1) as f64, (i / SHAPE.1) as f64);
            let star = |&(x0, y0, height): &(f64, f64, f64)| {
                let r2 = (x - x0) * (x - x0) + (y - y0) * (y - y0);
                height * (-r2 / (2.0 * 1.3 * 1.3)).exp()
            };
            sky + stars.iter().map(star).sum::<f64>()
        };
        (0..SHAPE.0 * SHAPE.1).map(pixel).collect()
    }

    fn find(finder: &IrafFinder, data: &[f64]) -> Result<Found<IrafSource>, Error> {
        let frame = Frame::new(Image::new(data, SHAPE)?);
        let found = finder.find(&frame, Threshold::Scalar(5.0), Run::new())?;
        let serial = finder.find(&frame, Threshold::Scalar(5.0), Run::new().serial())?;
        assert_eq!(found, serial);
        Ok(found)
    }

    const STARS: [(f64, f64, f64); 3] = [(12.2, 9.7, 40.0), (44.9, 20.1, 90.0), (30.4, 38.6, 60.0)];

    #[test]
    fn stars_are_found_where_they_are_whatever_the_sky() -> Result<(), Error> {
        for sky in [0.0, 1000.0] {
            let found = find(
                &IrafFinder::new(3.0).with_selection(Selection::new().with_exclude_border(true)),
                &field(&STARS, sky),
            )?;
            assert_eq!((found.sources.len(), found.n_measured), (3, 3));
            for (source, star) in found.sources.iter().zip(STARS) {
                assert!((source.x - star.0).abs() < 0.15 && (source.y - star.1).abs() < 0.15);
                assert!(source.roundness < 0.1 && source.n_pixels >= 11);
                assert!(source.peak > 0.5 * star.2 && source.flux > source.peak);
            }
        }
        Ok(())
    }

    #[test]
    fn filters_take_what_they_should() -> Result<(), Error> {
        let data = field(&STARS, 0.0);
        let finder = IrafFinder::new(3.0);
        let brightest = find(
            &finder
                .clone()
                .with_selection(Selection::new().with_n_brightest(Some(2))),
            &data,
        )?
        .sources;
        assert_eq!(brightest.len(), 2);
        assert!(brightest[0].y < 25.0 && brightest[1].y > 25.0);
        let faint = find(
            &finder
                .clone()
                .with_selection(Selection::new().with_peak_max(Some(50.0))),
            &data,
        )?
        .sources;
        assert_eq!(faint.len(), 2);
        let none = find(
            &finder.clone().with_sharpness_range(Some((5.0, 6.0))),
            &data,
        )?;
        assert_eq!((none.sources.len(), none.n_measured), (0, 3));
        let none = find(&finder.clone().with_min_n_pixels(14), &data)?;
        assert_eq!((none.sources.len(), none.n_measured), (0, 0));
        let all = find(
            &finder.with_selection(Selection::new().with_min_separation(Some(100.0))),
            &data,
        )?;
        assert_eq!(all.sources.len(), 1);
        Ok(())
    }

    #[test]
    fn a_nan_is_left_out_and_hides_no_star() -> Result<(), Error> {
        let mut data = field(&STARS, 0.0);
        let before = find(&IrafFinder::new(3.0), &data)?.sources;
        // The star's brightest pixel.
        data[10 * SHAPE.1 + 12] = f64::NAN;
        let found = find(&IrafFinder::new(3.0), &data)?.sources;
        assert_eq!(found.len(), 3);
        assert_eq!(found[1..], before[1..]);
        let (one, other) = (found[0], before[0]);
        assert!((one.x - other.x).abs() < 0.1 && (one.y - other.y).abs() < 0.1);
        assert!((one.flux / other.flux - 1.0).abs() < 0.1);
        data.fill(f64::NAN);
        assert_eq!(find(&IrafFinder::new(3.0), &data)?.n_measured, 0);
        Ok(())
    }

    #[test]
    fn a_footprint_that_fills_the_rectangle_has_its_sky_from_the_fit() -> Result<(), Error> {
        let finder = IrafFinder::new(4.5);
        let kernel = finder.kernel()?;
        assert!(kernel.footprint().iter().all(|&inside| inside));
        let found = find(&finder.with_sharpness_range(None), &field(&STARS, 100.0))?;
        // A star narrower than the kernel is fitted with too large a height.
        let source = found.sources.iter().find(|s| (s.x - 44.9).abs() < 0.3);
        assert!(
            source.is_some_and(|s| s.peak > 100.0 && s.peak < 130.0),
            "{found:?}"
        );
        Ok(())
    }

    #[test]
    fn given_positions_are_measured_and_filtered() -> Result<(), Error> {
        let data = field(&STARS, 0.0);
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let finder = IrafFinder::new(3.0);
        let found = find(&finder, &data)?;
        let positions: Vec<_> = found.sources.iter().map(|s| (s.x, s.y)).collect();
        let measured = finder.measure(&frame, &positions, Run::new())?;
        assert_eq!(measured.sources, found.sources);
        assert!(finder.measure(&frame, &[(-1.0, 3.0)], Run::new()).is_err());
        assert_eq!(finder.measure(&frame, &[], Run::new())?.n_measured, 0);
        Ok(())
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused() {
        let data = field(&STARS, 0.0);
        let finder = || IrafFinder::new(3.0);
        for bad in [
            IrafFinder::new(f64::NAN),
            IrafFinder::new(1e12),
            finder().with_sigma_radius(-1.0),
            finder().with_selection(Selection::new().with_min_separation(Some(f64::NAN))),
            finder().with_selection(Selection::new().with_min_separation(Some(-1.0))),
            finder().with_min_n_pixels(0),
            finder().with_selection(Selection::new().with_n_brightest(Some(0))),
            finder().with_selection(Selection::new().with_peak_max(Some(f64::NAN))),
            finder().with_roundness_range(Some((f64::NAN, 1.0))),
        ] {
            assert!(find(&bad, &data).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn any_shape_of_image_is_taken() -> Result<(), Error> {
        for shape in [(0, 0), (0, 7), (1, 1), (1, 9), (3, 2)] {
            for value in [1.0_f32, f32::NAN, f32::INFINITY, f32::MAX] {
                let mut data = vec![value; shape.0 * shape.1];
                data.iter_mut().take(1).for_each(|first| *first = 3.0);
                let frame = Frame::new(Image::new(&data, shape)?);
                for separation in [None, Some(0.0), Some(0.3), Some(1e300)] {
                    let finder = IrafFinder::new(3.0)
                        .with_selection(Selection::new().with_min_separation(separation));
                    finder.find(&frame, Threshold::Scalar(-1.0), Run::new())?;
                }
            }
        }
        Ok(())
    }
}
