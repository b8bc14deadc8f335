//! The matched filter: the weighted least-squares amplitude of the PSF at each
//! pixel.

mod band;
mod correlation;
mod filter;
mod kernels;
mod noise;
mod separable;
mod sums;

use super::Found;
use super::finder::{Finder, measure_pixels, nearest_pixels};
use super::peaks::Peak;
use super::selection::{Measured, Selection};
use super::setters::setters;
use super::vertex::vertex_at;
use crate::Error;
use crate::image::{Frame, Image, Pixel, PixelBox};
use crate::psf::{Placement, Psf};
use crate::run::Run;

use filter::{Weights, filter};
pub(super) use kernels::Kernels;
pub use kernels::measured_fwhm;
pub(super) use noise::deviation;
use noise::{Noise, sample};
pub(super) use sums::Sums;

/// Finds stars in an image filtered with its own PSF.
///
/// At each pixel A·P + constant is fitted to the pixels D of a window around it
/// by weighted least squares, with the weights w = 1/error² and P the PSF
/// averaged over the positions within a pixel. A and its error `σ_A` follow from
/// the sums of w, wP, wP², wD and wDP over the window. Pixels that are masked,
/// not finite or without a usable error have the weight 0, as those beyond the
/// edges of the image: nothing is filled in for them. Stars are the local
/// maxima of `A/σ_A`, the S/N of the filtered image, above `n_sigma`.
///
/// The filter has the largest S/N of all linear ones (North 1943; Stetson 1987,
/// PASP 99, 191 uses it with equal weights; Zackay & Ofek 2017, Astrophysical
/// Journal 836, 187).
///
/// The sums are correlations with the first terms of the singular value
/// decompositions of P and P²: P to within 0.3 % of its peak, which costs some
/// 1e-5 of the S/N. Where the PSF
/// varies over the image so much that more than 1 % of the S/N would be lost
/// anywhere, the image is cut into blocks with a kernel each.
///
/// The noise is that of the frame's errors; else a given one, the same for all
/// pixels; else it is measured: 1.4826 times the median absolute deviation of
/// the filtered image from its median. That is the noise of the filter itself,
/// also where that of neighbouring pixels is correlated, and knows no gradient
/// of the sky; stars count with it, which makes it too large in crowded fields.
#[derive(Debug, Clone)]
pub struct MatchedFinder<'a> {
    psf: &'a dyn Psf,
    n_sigma: f64,
    error: Option<f64>,
    half_width: Option<usize>,
    fwhm: Option<f64>,
    sky: bool,
    min_coverage: f64,
    selection: Selection,
}

/// A star of [`MatchedFinder`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatchedSource {
    /// Column of the vertex of the parabola through the S/N of the peak and its
    /// neighbours along x, pixels.
    pub x: f64,
    /// Likewise along y.
    pub y: f64,
    /// Amplitude of the PSF placed there, which is its total flux.
    pub flux: f64,
    /// 1-sigma error of the flux.
    pub flux_err: f64,
    /// The constant fitted with it; 0 without a free sky.
    pub sky: f64,
    /// S/N of the filtered image at the peak.
    pub snr: f64,
    /// Excess of the largest pixel over the sky, over what the PSF has there: 1
    /// for a star, more for a hot pixel, less for a galaxy.
    pub sharpness: f64,
    /// Number of pixels used.
    pub n_pixels: usize,
    /// The largest usable pixel of the three by three around the peak; NaN
    /// where there is none.
    pub peak: f64,
    /// Σ P² of the pixels used over that of the whole window.
    pub coverage: f64,
}

impl MatchedSource {
    /// −2.5 log₁₀ of the flux; NaN where it is negative.
    #[must_use]
    pub fn magnitude(&self) -> f64 {
        -2.5 * self.flux.log10()
    }
}

impl Measured for MatchedSource {
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

/// The filtered image, pixel by pixel. All are NaN where too few pixels are
/// usable to tell the amplitude.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedMaps {
    /// The amplitude A, the flux of a star there.
    pub amplitude: Vec<f64>,
    /// Its error `σ_A`.
    pub error: Vec<f64>,
}

impl MatchedMaps {
    /// `A/σ_A`.
    #[must_use]
    pub fn snr(&self) -> Vec<f64> {
        let pairs = self.amplitude.iter().zip(&self.error);
        pairs.map(|(a, error)| a / error).collect()
    }
}

impl<'a> MatchedFinder<'a> {
    /// A finder of stars like `psf` whose S/N is above `n_sigma`.
    #[must_use]
    pub fn new(psf: &'a dyn Psf, n_sigma: f64) -> Self {
        Self {
            psf,
            n_sigma,
            error: None,
            half_width: None,
            fwhm: None,
            sky: true,
            min_coverage: 0.5,
            selection: Selection::new(),
        }
    }

    setters! {
        /// The 1-sigma error of all pixels of a frame that has no errors; `None`
        /// to measure it.
        fn with_error(error: Option<f64>);

        /// The PSF's full width at half maximum, pixels; `None` to measure it
        /// in the middle of the image.
        fn with_fwhm(fwhm: Option<f64>);

        /// Half the width of the windows of 2n + 1 pixels; `None` for twice the
        /// full width at half maximum, rounded.
        fn with_half_width(half_width: Option<usize>);

        /// Whether a constant is fitted with the amplitude (true). Without it
        /// the sky has to be 0.
        fn with_sky(sky: bool);

        /// The least [`MatchedSource::coverage`] of a star (0.5).
        fn with_min_coverage(min_coverage: f64);

        /// The settings that all finders share. Peaks lie the full width at half
        /// maximum apart by default.
        fn with_selection(selection: Selection);
    }

    /// Finds the stars of an image.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a setting or a PSF that cannot be used,
    /// or where the noise has to be measured and there is none;
    /// [`Error::Cancelled`].
    pub fn find<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        run: Run<'_>,
    ) -> Result<Found<MatchedSource>, Error> {
        let filtered = self.filtered(frame, run)?;
        let half_width = filtered.kernels.half_width;
        let snr = Image::new(&filtered.snr, frame.data().shape())?;
        let peaks = self.selection.peaks(
            snr,
            self.n_sigma * filtered.factor,
            filtered.separation,
            half_width,
            run,
        )?;
        let pixels: Vec<_> = peaks.iter().map(|peak: &Peak| (peak.x, peak.y)).collect();
        let gauge = Gauge {
            frame,
            snr,
            filtered: &filtered,
        };
        measure_pixels(self, &gauge, snr.shape(), &pixels, run)
    }

    /// Measures the stars at given (x, y) positions, rounded to pixels, in the
    /// place of a search; the filters apply, the threshold does not.
    ///
    /// # Errors
    /// As [`MatchedFinder::find`]; also where a position is off the image.
    pub fn measure<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        positions: &[(f64, f64)],
        run: Run<'_>,
    ) -> Result<Found<MatchedSource>, Error> {
        let pixels = nearest_pixels(positions, frame.data().shape())?;
        let filtered = self.filtered(frame, run)?;
        let snr = Image::new(&filtered.snr, frame.data().shape())?;
        let gauge = Gauge {
            frame,
            snr,
            filtered: &filtered,
        };
        measure_pixels(self, &gauge, snr.shape(), &pixels, run)
    }

    /// The amplitude and its error at each pixel.
    ///
    /// # Errors
    /// As [`MatchedFinder::find`].
    pub fn maps<T: Pixel>(&self, frame: &Frame<'_, T>, run: Run<'_>) -> Result<MatchedMaps, Error> {
        let (kernels, _) = self.kernels(frame.data().shape())?;
        let noise = Noise::of(frame, self.error);
        let pairs: Vec<[f64; 2]> = filter(frame, &kernels, noise.weights(), self.sky, run)?;
        let places = sample(pairs.len(), frame.data().shape().1);
        let factor = noise.factor(|| places.map(|k| pairs[k][0] / pairs[k][1]).collect())?;
        Ok(MatchedMaps {
            amplitude: pairs.iter().map(|pair| pair[0]).collect(),
            error: pairs.iter().map(|pair| pair[1] * factor).collect(),
        })
    }

    /// `PᵀWr` and `PᵀWP` at each pixel of a frame with errors, with given kernels and
    /// without a sky.
    pub(super) fn evidence<T: Pixel>(
        frame: &Frame<'_, T>,
        kernels: &Kernels,
        run: Run<'_>,
    ) -> Result<Vec<[f32; 2]>, Error> {
        filter(frame, kernels, Weights::Errors, false, run)
    }

    /// The kernels, and the least distance of peaks, once all settings are
    /// found usable.
    fn kernels(&self, shape: (usize, usize)) -> Result<(Kernels, f64), Error> {
        self.selection.check()?;
        Error::check_positive("n_sigma", self.n_sigma)?;
        if let Some(error) = self.error {
            Error::check_positive("error", error)?;
        }
        if !(0.0..=1.0).contains(&self.min_coverage) {
            let got = self.min_coverage;
            return Err(Error::invalid("min_coverage", "be between 0 and 1", got));
        }
        Kernels::of_image(self.psf, self.half_width, self.fwhm, shape)
    }

    fn filtered<T: Pixel>(&self, frame: &Frame<'_, T>, run: Run<'_>) -> Result<Filtered, Error> {
        let (kernels, separation) = self.kernels(frame.data().shape())?;
        let noise = Noise::of(frame, self.error);
        let snr: Vec<f32> = filter(frame, &kernels, noise.weights(), self.sky, run)?;
        let places = sample(snr.len(), frame.data().shape().1);
        let factor = noise.factor(|| places.map(|k| snr[k].into()).collect())?;
        Ok(Filtered {
            kernels,
            separation,
            snr,
            factor,
            unit: noise.of_pixel(factor),
        })
    }
}

/// What stars are measured on.
pub(super) struct Gauge<'a, T> {
    frame: &'a Frame<'a, T>,
    snr: Image<'a, f32>,
    filtered: &'a Filtered,
}

impl Finder for MatchedFinder<'_> {
    type Gauge<'a, T: Pixel> = Gauge<'a, T>;
    type Cutouts = Vec<f64>;
    type Source = MatchedSource;

    fn selection(&self) -> &Selection {
        &self.selection
    }

    fn accepts(&self, source: &MatchedSource) -> bool {
        source.coverage >= self.min_coverage
    }

    /// `None` where the flux cannot be told.
    fn measure_one<T: Pixel>(
        &self,
        gauge: &Gauge<'_, T>,
        at: (usize, usize),
        psf: &mut Vec<f64>,
    ) -> Option<MatchedSource> {
        let Gauge {
            frame,
            snr,
            filtered,
        } = *gauge;
        let (px, py) = (at.0 as i64, at.1 as i64);
        let (x, y) = vertex_at(snr, at);
        let window = filtered.window(at);
        psf.resize(window.len(), 0.0);
        self.psf.fill(Placement { x, y, shape: &[] }, window, psf);
        let usable = window.intersection(&frame.data().bounds());
        let (mut sums, mut used, mut n_pixels) = (Sums::default(), 0.0, 0);
        let mut largest = (f64::NAN, f64::NAN);
        for y in usable.y0..usable.y1 {
            let start = (y - window.y0) as usize * window.width();
            let skipped = (usable.x0 - window.x0) as usize;
            let near_row = (y - py).abs() <= 1;
            let row = frame.row_pixels(y as usize, usable.columns());
            for ((x, p), pixel) in (usable.x0..).zip(&psf[start + skipped..]).zip(row) {
                let Some((value, weight)) = pixel else {
                    continue;
                };
                used += p * p;
                n_pixels += 1;
                sums.add(weight, *p, value);
                let is_near = near_row && (x - px).abs() <= 1;
                if is_near && (largest.0.is_nan() || value > largest.0) {
                    largest = (value, *p);
                }
            }
        }
        let whole: f64 = psf.iter().map(|p| p * p).sum();
        let amplitude = sums.amplitude(self.sky);
        let flux = amplitude.value();
        let sky = if self.sky { sums.sky(flux) } else { 0.0 };
        let unit = if frame.has_error() {
            1.0
        } else {
            filtered.unit
        };
        let source = MatchedSource {
            x,
            y,
            flux,
            flux_err: amplitude.error() * unit,
            sky,
            snr: f64::from(snr.row(at.1)[at.0]) / filtered.factor,
            sharpness: (largest.0 - sky) / (flux * largest.1),
            n_pixels,
            peak: largest.0,
            coverage: used / whole,
        };
        let needed = [source.flux, source.flux_err, source.snr, source.coverage];
        needed.iter().all(|v| v.is_finite()).then_some(source)
    }
}

/// The image filtered.
pub(super) struct Filtered {
    kernels: Kernels,
    separation: f64,
    /// S/N times `factor`.
    snr: Vec<f32>,
    factor: f64,
    /// The error of a pixel of a frame without errors.
    unit: f64,
}

impl Filtered {
    fn window(&self, at: (usize, usize)) -> PixelBox {
        let side = self.kernels.side();
        PixelBox::around(at.0 as f64, at.1 as f64, (side, side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psf::CircularGaussianPrf;

    const SHAPE: (usize, usize) = (50, 60);
    const STARS: [(f64, f64, f64); 3] =
        [(12.2, 9.7, 90.0), (44.9, 20.1, 400.0), (30.4, 38.6, 150.0)];

    fn field(psf: &dyn Psf, stars: &[(f64, f64, f64)]) -> Vec<f64> {
        let window = PixelBox::new(0, SHAPE.1 as i64, 0, SHAPE.0 as i64);
        let mut sum = vec![1000.0; window.len()];
        let mut values = vec![0.0; window.len()];
        for &(x, y, flux) in stars {
            psf.fill(Placement { x, y, shape: &[] }, window, &mut values);
            sum.iter_mut()
                .zip(&values)
                .for_each(|(s, v)| *s += flux * v);
        }
        sum
    }

    fn compare(found: &[MatchedSource], tolerance: f64) {
        assert_eq!(found.len(), STARS.len());
        for (source, star) in found.iter().zip(STARS) {
            let distance = (source.x - star.0).hypot(source.y - star.1);
            assert!(distance < tolerance, "{source:?}");
            assert!((source.flux / star.2 - 1.0).abs() < tolerance, "{source:?}");
            assert!((source.sharpness - 1.0).abs() < tolerance, "{source:?}");
            assert!((source.sky - 1000.0).abs() < 1.0 && source.snr > 5.0);
        }
    }

    #[test]
    fn stars_are_found_on_any_sky_with_their_flux() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.5)?;
        let data = field(&psf, &STARS);
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let finder = MatchedFinder::new(&psf, 5.0).with_error(Some(2.0));
        let found = finder.find(&frame, Run::new())?;
        assert_eq!(found, finder.find(&frame, Run::new().serial())?);
        compare(&found.sources, 0.15);
        let places = STARS.map(|star| (star.0, star.1));
        assert_eq!(
            found.sources,
            finder.measure(&frame, &places, Run::new())?.sources
        );
        // Errors of a frame, all the same, are that error.
        let errors = vec![2.0; data.len()];
        let frame = frame.with_error(Image::new(&errors, SHAPE)?)?;
        let same = MatchedFinder::new(&psf, 5.0).find(&frame, Run::new())?;
        compare(&same.sources, 0.15);
        assert!((same.sources[1].flux_err / found.sources[1].flux_err - 1.0).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn a_star_without_its_core_is_found_and_one_without_its_half_is_not() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.5)?;
        let mut data = field(&psf, &STARS);
        for (x, y) in [(12, 10), (45, 20), (30, 39)] {
            data[y * SHAPE.1 + x] = f64::NAN;
        }
        let finder = MatchedFinder::new(&psf, 5.0).with_error(Some(2.0));
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let found = finder.find(&frame, Run::new())?.sources;
        assert_eq!(found.len(), 3);
        for (source, star) in found.iter().zip(STARS) {
            assert!(
                (source.x - star.0).hypot(source.y - star.1) < 0.5,
                "{source:?}"
            );
            assert!(source.coverage < 0.9);
        }
        for y in 17..24 {
            data[y * SHAPE.1 + 43..y * SHAPE.1 + 47].fill(f64::NAN);
        }
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        assert_eq!(finder.find(&frame, Run::new())?.sources.len(), 2);
        Ok(())
    }

    #[test]
    fn bad_settings_are_named() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.5)?;
        let data = field(&psf, &STARS);
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let refused = |finder: MatchedFinder<'_>, name: &str| {
            let message = finder.find(&frame, Run::new()).map_err(|e| e.to_string());
            assert!(
                message.is_err_and(|message| message.starts_with(name)),
                "{name}"
            );
        };
        let finder = MatchedFinder::new(&psf, 5.0);
        refused(MatchedFinder::new(&psf, 0.0), "n_sigma");
        refused(finder.clone().with_error(Some(-1.0)), "error");
        refused(finder.clone().with_fwhm(Some(f64::NAN)), "fwhm");
        refused(finder.clone().with_half_width(Some(1000)), "half_width");
        refused(finder.clone().with_min_coverage(1.1), "min_coverage");
        let wide = CircularGaussianPrf::new(300.0)?;
        refused(MatchedFinder::new(&wide, 5.0), "psf_model");
        // Most pixels are far from any star: nothing to measure the noise of.
        let sparse: Vec<f64> = field(&psf, &STARS[..1])
            .iter()
            .map(|v| v - 1000.0)
            .collect();
        let frame = Frame::new(Image::new(&sparse, SHAPE)?);
        let message = finder.find(&frame, Run::new()).map_err(|e| e.to_string());
        assert!(message.is_err_and(|message| message.starts_with("error must be given")));
        Ok(())
    }
}
