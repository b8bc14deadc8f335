//! PSF photometry: from starting values to fitted sources with errors, quality
//! measures and flags.

mod backgrounds;
mod boxes;
mod contamination;
mod covariance;
mod duplicates;
mod judged;
mod misfit;
mod plan;
mod profile;
mod quality;
mod row;
mod starts;
mod tasks;

use crate::fit::bounds::Bounds;
use crate::fit::{Covariance, FitSettings, MAX_PARAMETERS, Parameters, SHAPE, X, Y};
use crate::image::{Frame, Pixel};
use crate::psf::Psf;
use crate::{Error, Run};

use plan::Plan;

pub use backgrounds::known_backgrounds;
pub use covariance::Covariances;
pub use judged::Judged;
pub use misfit::{Misfit, Response, misfits};
pub use profile::{Profile, profiles};
pub use row::FittedSource;
pub use starts::Starts;

/// Fits sources to an image, alone or in groups.
///
/// ```
/// use psfphot::image::{Frame, Image};
/// use psfphot::photometry::{Photometry, Starts};
/// use psfphot::psf::{CircularGaussianPrf, Placement, Psf};
/// use psfphot::Run;
///
/// # fn main() -> Result<(), psfphot::Error> {
/// let psf = CircularGaussianPrf::new(2.5)?;
/// let star = Placement { x: 10.3, y: 8.6, shape: &[] };
/// let data: Vec<f64> = (0..20 * 20)
///     .map(|k| 500.0 * psf.value(star, (k % 20) as f64, (k / 20) as f64))
///     .collect();
///
/// let frame = Frame::new(Image::new(&data, (20, 20))?);
/// let starts = Starts::new(&[10.0], &[9.0], &[400.0])?;
/// let sources = Photometry::new((5, 5))?.fit(&psf, &frame, &starts, Run::new())?;
/// assert!((sources[0].flux() - 500.0).abs() < 1e-6);
/// assert!((sources[0].x() - 10.3).abs() < 1e-8);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Photometry {
    fit_shape: (usize, usize),
    settings: FitSettings,
    is_fixed: [bool; MAX_PARAMETERS],
    bounds: Bounds,
    /// How far x and y may go from where they start, pixels.
    reach: [Option<f64>; 2],
    /// Robust where so many sigma are too many.
    robust: Option<f64>,
    covariance: Option<Covariance>,
    fits_background: bool,
}

impl Photometry {
    /// Fits boxes of `fit_shape = (ny, nx)` pixels, both odd, around the
    /// starting positions; flux, x and y are free, shape parameters fixed.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] naming `fit_shape`.
    pub fn new(fit_shape: (usize, usize)) -> Result<Self, Error> {
        if fit_shape.0.is_multiple_of(2) || fit_shape.1.is_multiple_of(2) {
            return Err(Error::invalid(
                "fit_shape",
                "have an odd value for both axes",
                format!("{fit_shape:?}"),
            ));
        }
        let mut is_fixed = [true; MAX_PARAMETERS];
        is_fixed[..SHAPE].fill(false);
        Ok(Self {
            fit_shape,
            settings: FitSettings::default(),
            is_fixed,
            bounds: Bounds::default(),
            reach: [None; 2],
            robust: None,
            covariance: None,
            fits_background: false,
        })
    }

    /// With other settings of the fit.
    #[must_use]
    pub fn with_settings(mut self, settings: FitSettings) -> Self {
        self.settings = settings;
        self
    }

    /// With parameters fixed or free, in the order flux, x, y, shape; those
    /// beyond the list stay as they are.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the list is longer than a source has
    /// parameters.
    pub fn with_fixed(mut self, is_fixed: &[bool]) -> Result<Self, Error> {
        check_parameters("is_fixed", is_fixed.len())?;
        self.is_fixed[..is_fixed.len()].copy_from_slice(is_fixed);
        Ok(self)
    }

    /// With bounds (lowest, highest) of the parameters of every source, in the
    /// order flux, x, y, shape; infinite ones are none. Starting values beyond
    /// them are moved to them, those of fixed parameters excepted.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the list is longer than a source has
    /// parameters, or a lower bound is not below or at the upper.
    pub fn with_bounds(mut self, bounds: &[(f64, f64)]) -> Result<Self, Error> {
        check_parameters("bounds", bounds.len())?;
        for (parameter, &(lower, upper)) in bounds.iter().enumerate() {
            if lower.is_nan() || upper.is_nan() || lower > upper {
                let got = format!("({lower}, {upper})");
                return Err(Error::invalid("bounds", "be (lower, upper)", got));
            }
            self.bounds.set(parameter, (lower, upper));
        }
        Ok(self)
    }

    /// With positions kept within so many pixels in `(x, y)` of where they
    /// start, instead of any other bounds of x or y.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless they are positive and finite.
    pub fn with_position_bounds(
        mut self,
        (x, y): (Option<f64>, Option<f64>),
    ) -> Result<Self, Error> {
        for reach in [x, y].into_iter().flatten() {
            Error::check_positive("position_bounds", reach)?;
        }
        self.reach = [x, y];
        Ok(self)
    }

    /// With robust weights: pixels with residuals of so many sigma count half, those
    /// far beyond not at all. Sigma has 5 % of the model's light nearby, so that no PSF
    /// that is a little off loses the cores of bright stars.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless it is positive and finite.
    pub fn with_robust(mut self, sigmas: f64) -> Result<Self, Error> {
        Error::check_positive("robust", sigmas)?;
        self.robust = Some(sigmas);
        Ok(self)
    }

    /// With a covariance made otherwise than the default, which is
    /// [`Covariance::Formal`] where the frame has errors and [`Covariance::Sandwich`]
    /// where it has none.
    #[must_use]
    pub fn with_covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = Some(covariance);
        self
    }

    /// With a constant fitted to the pixels besides the sources, one for each source
    /// that is fitted alone and for each group, or none. It comes on top of the local
    /// background that is subtracted.
    #[must_use]
    pub fn with_background_fit(mut self, fits_background: bool) -> Self {
        self.fits_background = fits_background;
        self
    }

    /// The bounds of a source that starts here.
    pub(crate) fn bounds(&self, start: &Parameters) -> Bounds {
        let mut bounds = self.bounds;
        for (parameter, reach) in [X, Y].into_iter().zip(self.reach) {
            if let Some(reach) = reach {
                bounds.set(
                    parameter,
                    (start[parameter] - reach, start[parameter] + reach),
                );
            }
        }
        bounds
    }

    /// Fits the sources; the rows come in their order.
    ///
    /// A source alone in its group, or without a group, is fitted alone: its
    /// neighbours are not subtracted, and where they add more than its error to
    /// its flux a flag says so. `run` is told of each fitted source.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if all parameters are fixed, the PSF has
    /// more shape parameters than a source can hold, or the covariance needs errors that
    /// are not there (or has no use for those that are); [`Error::Cancelled`].
    pub fn fit<T: Pixel>(
        &self,
        psf: &dyn Psf,
        frame: &Frame<'_, T>,
        starts: &Starts<'_>,
        run: Run<'_>,
    ) -> Result<Vec<FittedSource>, Error> {
        Ok(self.fit_and_keep(psf, frame, starts, run)?.0)
    }

    /// Fits the sources, see [`Photometry::fit`], and keeps their covariances.
    ///
    /// # Errors
    /// As [`Photometry::fit`].
    pub fn fit_and_keep<T: Pixel>(
        &self,
        psf: &dyn Psf,
        frame: &Frame<'_, T>,
        starts: &Starts<'_>,
        run: Run<'_>,
    ) -> Result<(Vec<FittedSource>, Covariances), Error> {
        let free = free_parameters(self, psf)?;
        let all = 0..starts.len();
        tasks::fit_all(&Plan::new(self, &free, psf, frame, starts, all, run)?)
    }
}

/// The parameters of a source of this PSF that are free.
fn free_parameters(photometry: &Photometry, psf: &dyn Psf) -> Result<Vec<usize>, Error> {
    let n_parameters = SHAPE + psf.shape_names().len();
    if n_parameters > MAX_PARAMETERS {
        return Err(Error::invalid(
            "psf",
            format!("have at most {} shape parameters", MAX_PARAMETERS - SHAPE),
            psf.shape_names().len(),
        ));
    }
    let is_free = |&k: &usize| !photometry.is_fixed[k];
    let free: Vec<usize> = (0..n_parameters).filter(is_free).collect();
    if free.is_empty() {
        return Err(Error::invalid(
            "is_fixed",
            "leave at least one parameter free",
            "all fixed",
        ));
    }
    Ok(free)
}

/// Refuses a list for more parameters than a source has.
fn check_parameters(argument: &'static str, n: usize) -> Result<(), Error> {
    if n <= MAX_PARAMETERS {
        return Ok(());
    }
    let expected = format!("have at most {MAX_PARAMETERS} elements");
    Err(Error::invalid(argument, expected, n))
}
