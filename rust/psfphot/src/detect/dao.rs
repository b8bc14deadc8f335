//! The star finder of DAOPHOT's `FIND` and IRAF's `daofind`.

mod quadrants;

use super::finder::{self, ConvolvedImage, Finder, KernelFinder, check_range, in_range};
use super::gaps::measure_filled;
use super::kernel::{Kernel, QuadraticForm};
use super::marginal::{Axis, Marginal};
use super::peaks::Threshold;
use super::selection::{Measured, Selection};
use super::setters::setters;
use super::sweep;
use super::{Found, Range};
use crate::Error;
use crate::image::{Frame, Pixel};
use crate::psf::SIGMA_PER_FWHM;
use crate::run::Run;

/// Finds stars as DAOPHOT's `FIND` does (Stetson 1987, PASP 99, 191): peaks of
/// the height H of a fitted elliptical Gaussian, whose sharpness and two
/// roundnesses are those of stars.
///
/// The height and the centre come from fits of a Gaussian to the marginal sums
/// of the kernel's rectangle. As in DAOPHOT, the width along x is that of the
/// major axis and along y that of the minor one, whatever the angle.
///
/// A position is *measured* if both fits have a positive height and all
/// statistics are finite. A measured one is a *source* if its centroid lies on
/// the image and it passes the filters.
#[derive(Debug, Clone, PartialEq)]
pub struct DaoFinder {
    fwhm: f64,
    ratio: f64,
    theta: f64,
    sigma_radius: f64,
    selection: Selection,
    scale_threshold: bool,
    sharpness: Range,
    roundness: Range,
}

/// A star of [`DaoFinder`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DaoSource {
    /// Centre of the Gaussian fitted to the marginal sum along x, pixels.
    pub x: f64,
    /// Likewise along y.
    pub y: f64,
    /// The central pixel less the mean of the footprint's other pixels, over
    /// H: large for a hot pixel, small for a blend or a galaxy.
    pub sharpness: f64,
    /// 2 Σ₂/Σ₄ of H in the kernel's central square: the difference between two
    /// pairs of opposite quadrants over the sum of all absolute values.
    pub roundness1: f64,
    /// 2 (hx − hy)/(hx + hy) of the heights of the marginal fits.
    pub roundness2: f64,
    /// Number of pixels of the kernel's rectangle.
    pub n_pixels: usize,
    /// The image at the central pixel.
    pub peak: f64,
    /// Sum of the image over the footprint.
    pub flux: f64,
    /// −2.5 log₁₀ of H over the threshold that it had to exceed; NaN where one
    /// of them is negative.
    pub daofind_magnitude: f64,
}

impl DaoSource {
    /// −2.5 log₁₀ of the flux; NaN where it is negative.
    #[must_use]
    pub fn magnitude(&self) -> f64 {
        -2.5 * self.flux.log10()
    }
}

impl Measured for DaoSource {
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

impl DaoFinder {
    /// A finder of stars with the full width at half maximum `fwhm`, pixels.
    #[must_use]
    pub fn new(fwhm: f64) -> Self {
        Self {
            fwhm,
            ratio: 1.0,
            theta: 0.0,
            sigma_radius: 1.5,
            selection: Selection::new(),
            scale_threshold: true,
            sharpness: Some((0.2, 1.0)),
            roundness: Some((-1.0, 1.0)),
        }
    }

    /// The minor over the major axis of the Gaussian (1), whose `fwhm` is that
    /// of the major axis, and the angle `theta` of the major axis, degrees
    /// counter-clockwise from +x (0).
    #[must_use]
    pub fn with_ellipse(mut self, ratio: f64, theta: f64) -> Self {
        self.ratio = ratio;
        self.theta = theta;
        self
    }

    setters! {
        /// Radius at which the kernel ends, in σ of its Gaussian (1.5).
        fn with_sigma_radius(sigma_radius: f64);

        /// The settings that all finders share. Peaks lie 2.5 `fwhm` apart by
        /// default; with a separation of 0 the finder finds what DAOPHOT's finds.
        fn with_selection(selection: Selection);

        /// Whether the threshold is meant for the pixels, and is multiplied by the
        /// relative error of the convolved image ([`Kernel::relative_error`]), as
        /// in DAOPHOT (true).
        fn with_scale_threshold(scale_threshold: bool);

        /// The accepted sharpness (0.2 to 1).
        fn with_sharpness_range(sharpness: Range);

        /// What both roundnesses may be (−1 to 1).
        fn with_roundness_range(roundness: Range);
    }

    /// Finds the stars of an image.
    ///
    /// A constant background does no harm, but at the edges of the image,
    /// beyond which it counts as 0, and to the fluxes. For masks and NaN pixels
    /// see [`IrafFinder::find`](super::IrafFinder::find).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] or [`Error::ShapeMismatch`] for a setting
    /// that cannot be used, [`Error::Cancelled`].
    pub fn find<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        threshold: Threshold<'_>,
        run: Run<'_>,
    ) -> Result<Found<DaoSource>, Error> {
        sweep::find(self, frame, threshold, run)
    }

    /// Measures the stars at given `centers` (x, y), rounded to pixels, in the
    /// place of a search; the filters apply.
    ///
    /// # Errors
    /// As [`DaoFinder::find`]; also where a centre is off the image.
    pub fn measure<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        threshold: Threshold<'_>,
        centers: &[(f64, f64)],
        run: Run<'_>,
    ) -> Result<Found<DaoSource>, Error> {
        finder::measure(self, frame, threshold, centers, run)
    }
}

impl Finder for DaoFinder {
    type Gauge<'a, T: Pixel> = Gauge<'a, T>;
    type Cutouts = Cutouts;
    type Source = DaoSource;

    fn selection(&self) -> &Selection {
        &self.selection
    }

    fn measure_one<T: Pixel>(
        &self,
        gauge: &Gauge<'_, T>,
        at: (usize, usize),
        work: &mut Cutouts,
    ) -> Option<DaoSource> {
        gauge.measure(work, at)
    }

    fn accepts(&self, source: &DaoSource) -> bool {
        in_range(self.sharpness, source.sharpness)
            && in_range(self.roundness, source.roundness1)
            && in_range(self.roundness, source.roundness2)
    }
}

impl KernelFinder for DaoFinder {
    fn kernel(&self) -> Result<Kernel, Error> {
        Kernel::elliptical(self.fwhm, self.ratio, self.theta, self.sigma_radius)
    }

    fn check(&self) -> Result<(), Error> {
        check_range("sharpness_range", self.sharpness)?;
        check_range("roundness_range", self.roundness)
    }

    fn separation(&self) -> f64 {
        2.5 * self.fwhm
    }

    fn scale(&self, kernel: &Kernel) -> f64 {
        if self.scale_threshold {
            kernel.relative_error()
        } else {
            1.0
        }
    }

    fn gauge<'a, T: Pixel>(
        &self,
        image: ConvolvedImage<'a, T>,
        threshold: Threshold<'a>,
    ) -> Gauge<'a, T> {
        let form = QuadraticForm::new(self.fwhm, self.ratio, self.theta);
        let sigma = self.fwhm * SIGMA_PER_FWHM;
        Gauge {
            form,
            x: Marginal::new(image.kernel, form, sigma, Axis::X),
            y: Marginal::new(image.kernel, form, sigma * self.ratio, Axis::Y),
            scale: self.scale(image.kernel),
            threshold,
            image,
        }
    }
}

/// A thread's buffers.
#[derive(Debug, Default)]
pub(super) struct Cutouts {
    data: Vec<f64>,
    convolved: Vec<f64>,
    marginal: Vec<f64>,
}

/// What a star is measured with.
pub(super) struct Gauge<'a, T> {
    image: ConvolvedImage<'a, T>,
    form: QuadraticForm,
    x: Marginal,
    y: Marginal,
    threshold: Threshold<'a>,
    scale: f64,
}

impl<T: Pixel> Gauge<'_, T> {
    /// Measures the star at the pixel `at`; `None` where a fit fails or a
    /// statistic is not finite.
    fn measure(&self, work: &mut Cutouts, at: (usize, usize)) -> Option<DaoSource> {
        let kernel = self.image.kernel;
        let Cutouts {
            data,
            convolved,
            marginal,
        } = work;
        kernel.fill_cutout(self.image.data, at, data);
        self.image.fill_heights(at, convolved);
        let star = |dx, dy| (-self.form.at(dx, dy)).exp();
        measure_filled(data, kernel, at, star, |data| {
            self.statistics(at, data, convolved, marginal)
        })
    }

    /// Those of the cutouts of the image and of the convolved one.
    fn statistics(
        &self,
        at: (usize, usize),
        data: &[f64],
        convolved: &[f64],
        marginal: &mut Vec<f64>,
    ) -> Option<DaoSource> {
        let kernel = self.image.kernel;
        let fit_x = self.x.fit(data, marginal)?;
        let fit_y = self.y.fit(data, marginal)?;
        let center = data.len() / 2;
        let (peak, height) = (data[center], convolved[center]);
        let footprint = data.iter().zip(kernel.footprint());
        let inside = footprint.filter(|(_, inside)| **inside);
        let flux: f64 = inside.map(|(value, _)| value).sum();
        let others = (flux - peak) / (kernel.n_pixels() - 1) as f64;
        let threshold = self.threshold.at(at.0, at.1) * self.scale;
        let source = DaoSource {
            x: at.0 as f64 + fit_x.offset,
            y: at.1 as f64 + fit_y.offset,
            sharpness: (peak - others) / height,
            roundness1: quadrants::roundness(convolved, kernel.shape()),
            roundness2: 2.0 * (fit_x.height - fit_y.height) / (fit_x.height + fit_y.height),
            n_pixels: data.len(),
            peak,
            flux,
            daofind_magnitude: -2.5 * (height / threshold).log10(),
        };
        let statistics = [
            source.x,
            source.y,
            source.sharpness,
            source.roundness1,
            source.roundness2,
            source.peak,
            source.flux,
        ];
        statistics.iter().all(|s| s.is_finite()).then_some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;
    use proptest::prelude::*;

    const SHAPE: (usize, usize) = (48, 64);

    /// Elliptical Gaussians (x, y, height) of σ 1.4 along x.
    fn field(stars: &[(f64, f64, f64)], ratio: f64, sky: f64) -> Vec<f64> {
        let pixel = |k: usize| {
            let (x, y) = ((k % SHAPE.1) as f64, (k / SHAPE.1) as f64);
            let star = |&(x0, y0, height): &(f64, f64, f64)| {
                let (u, v) = ((x - x0) / 1.4, (y - y0) / (1.4 * ratio));
                height * (-0.5 * (u * u + v * v)).exp()
            };
            sky + stars.iter().map(star).sum::<f64>()
        };
        (0..SHAPE.0 * SHAPE.1).map(pixel).collect()
    }

    fn find(finder: &DaoFinder, data: &[f64]) -> Result<Found<DaoSource>, Error> {
        let frame = Frame::new(Image::new(data, SHAPE)?);
        let found = finder.find(&frame, Threshold::Scalar(5.0), Run::new())?;
        let serial = finder.find(&frame, Threshold::Scalar(5.0), Run::new().serial())?;
        assert_eq!(found, serial);
        Ok(found)
    }

    const STARS: [(f64, f64, f64); 3] = [(12.2, 9.7, 40.0), (44.9, 20.1, 90.0), (30.4, 38.6, 60.0)];

    #[test]
    fn stars_are_found_where_they_are() -> Result<(), Error> {
        for sky in [0.0, 1000.0] {
            // The sky ends at the edges, which gives peaks there.
            let inner = Selection::new()
                .with_exclude_border(true)
                .with_min_separation(Some(4.0));
            let finder = DaoFinder::new(3.3).with_selection(inner);
            let found = find(&finder, &field(&STARS, 1.0, sky))?;
            assert_eq!((found.sources.len(), found.n_measured), (3, 3));
            for (source, star) in found.sources.iter().zip(STARS) {
                assert!((source.x - star.0).abs() < 0.1 && (source.y - star.1).abs() < 0.1);
                assert!(source.roundness1.abs() < 0.3 && source.roundness2.abs() < 0.1);
                assert!((0.4..0.8).contains(&source.sharpness), "{source:?}");
                // Height over threshold; a star off the pixel's centre is lower.
                let scale = Kernel::circular(3.3, 1.5)?.relative_error();
                let expected = -2.5 * (star.2 / (5.0 * scale)).log10();
                let difference = source.daofind_magnitude - expected;
                assert!((-0.02..0.3).contains(&difference), "{difference}");
            }
        }
        Ok(())
    }

    #[test]
    fn a_long_star_is_round_to_its_own_kernel_alone() -> Result<(), Error> {
        let data = field(&STARS, 0.5, 0.0);
        let round = find(&DaoFinder::new(3.3), &data)?;
        let own = DaoFinder::new(3.3)
            .with_ellipse(0.5, 180.0)
            .with_roundness_range(Some((-1.5, 1.5)));
        let own = find(&own, &data)?;
        assert_eq!((round.sources.len(), own.sources.len()), (3, 3));
        for (round, own) in round.sources.iter().zip(&own.sources) {
            // Narrower along y: the fit along y is higher.
            assert!(round.roundness2 < -0.3 && own.roundness2.abs() < 0.15);
            assert_eq!(own.n_pixels, 25);
        }
        Ok(())
    }

    #[test]
    fn filters_take_what_they_should() -> Result<(), Error> {
        let mut data = field(&STARS, 1.0, 0.0);
        // A hot pixel, of sharpness near 1 / (1 - 1/n) / K.
        data[20 * SHAPE.1 + 20] = 100.0;
        let finder = DaoFinder::new(3.3);
        let found = find(&finder, &data)?;
        assert_eq!((found.sources.len(), found.n_measured), (3, 4));
        let hot = find(
            &finder.clone().with_sharpness_range(Some((1.0, 9.0))),
            &data,
        )?;
        assert_eq!(hot.sources.len(), 1);
        assert!((hot.sources[0].x - 20.0).abs() < 1e-9 && (hot.sources[0].y - 20.0).abs() < 1e-9);
        let none = find(
            &finder.clone().with_roundness_range(Some((3.0, 9.0))),
            &data,
        )?;
        assert_eq!((none.sources.len(), none.n_measured), (0, 4));
        let brightest = Selection::new().with_n_brightest(Some(1));
        let one = find(&finder.with_selection(brightest), &data)?;
        assert!((one.sources[0].x - 44.9).abs() < 0.1);
        Ok(())
    }

    #[test]
    fn the_threshold_is_scaled_unless_it_is_not() -> Result<(), Error> {
        let data = field(&STARS, 1.0, 0.0);
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let map = vec![50.0; data.len()];
        for threshold in [
            Threshold::Scalar(50.0),
            Threshold::Map(Image::new(&map, SHAPE)?),
        ] {
            let scaled = DaoFinder::new(3.3).find(&frame, threshold, Run::new())?;
            let finder = DaoFinder::new(3.3).with_scale_threshold(false);
            let plain = finder.find(&frame, threshold, Run::new())?;
            assert_eq!((scaled.sources.len(), plain.sources.len()), (1, 2));
        }
        Ok(())
    }

    #[test]
    fn given_positions_are_measured_and_filtered() -> Result<(), Error> {
        let data = field(&STARS, 1.0, 0.0);
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let finder = DaoFinder::new(3.3);
        let found = find(&finder, &data)?;
        let positions: Vec<_> = found.sources.iter().map(|s| (s.x, s.y)).collect();
        let (run, five) = (Run::new(), Threshold::Scalar(5.0));
        let measured = finder.measure(&frame, five, &positions, run)?;
        assert_eq!(measured.sources, found.sources);
        assert!(finder.measure(&frame, five, &[(-1.0, 3.0)], run).is_err());
        let map = Threshold::Map(Image::new(&data[1..], (1, data.len() - 1))?);
        assert!(finder.measure(&frame, map, &positions, run).is_err());
        Ok(())
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused() {
        let data = field(&STARS, 1.0, 0.0);
        let finder = || DaoFinder::new(3.0);
        for bad in [
            DaoFinder::new(f64::NAN),
            finder().with_ellipse(0.0, 0.0),
            finder().with_ellipse(1.1, 0.0),
            finder().with_ellipse(0.5, f64::NAN),
            finder().with_sigma_radius(0.0),
            finder().with_sharpness_range(Some((f64::NAN, 1.0))),
            finder().with_selection(Selection::new().with_n_brightest(Some(0))),
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
                    let selection = Selection::new().with_min_separation(separation);
                    let finder = DaoFinder::new(3.0).with_selection(selection);
                    finder.find(&frame, Threshold::Scalar(-1.0), Run::new())?;
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn roundness_of_quadrants_has_the_signs_of_its_turns(
            values in proptest::collection::vec(0.0..1.0_f64, 25),
        ) {
            let turned: Vec<f64> = (0..25).map(|k| values[5 * (4 - k % 5) + k / 5]).collect();
            let roundness = quadrants::roundness(&values, (5, 5));
            prop_assert!((-2.0..=2.0).contains(&roundness));
            prop_assert!((quadrants::roundness(&turned, (5, 5)) + roundness).abs() < 1e-12);
        }
    }
}
