//! What can be chosen about the solver.

use crate::Error;
use crate::psf::Psf;

use super::alias;
use super::field::Field;

/// What can be chosen about a PSF's solution.
#[derive(Debug, Clone)]
pub struct EpsfSettings<'a> {
    /// Samples per pixel (y, x) of the result.
    pub oversampling: (usize, usize),
    /// Samples (y, x) of the result, odd.
    pub shape: (usize, usize),
    /// Roughness that is allowed a priori; `None`: chosen by held-out stars.
    pub kappa: Option<f64>,
    /// Highest frequency that the optics pass, cycles per pixel.
    pub cutoff: Option<f64>,
    /// How the PSF varies over the frame.
    pub field: Field,
    /// A PSF of which the deviation is solved for.
    pub library: Option<&'a dyn Psf>,
    /// Knots per pixel, 1 to 4; `None`: by the width of the PSF.
    pub knots: Option<usize>,
    /// Error of the model at its peak, relative to that; `None`: estimated.
    pub model_error: Option<f64>,
    /// Whether each cutout has a constant background that is fitted.
    pub with_background: bool,
    /// Most rounds of the joint fit.
    pub max_rounds: usize,
    /// Change of the PSF, in units of its peak, that ends the rounds; so does a fifth of
    /// the model's error.
    pub accuracy: f64,
    /// Whether errors of the samples and of the alias functionals are computed.
    pub with_error: bool,
}

impl EpsfSettings<'_> {
    /// The defaults, for samples of `shape = (ny, nx)`, `oversampling = (y, x)` per
    /// pixel.
    #[must_use]
    pub fn new(shape: (usize, usize), oversampling: (usize, usize)) -> Self {
        Self {
            oversampling,
            shape,
            kappa: None,
            cutoff: None,
            field: Field::Constant,
            library: None,
            knots: None,
            model_error: None,
            with_background: false,
            max_rounds: 12,
            accuracy: 1e-3,
            with_error: true,
        }
    }

    /// Refuses what cannot be used.
    pub(crate) fn check(&self) -> Result<(), Error> {
        const MOST_SAMPLES: usize = 4096;
        let (sy, sx) = self.oversampling;
        if !(1..=64).contains(&sy) || !(1..=64).contains(&sx) {
            let got = format!("{:?}", self.oversampling);
            return Err(Error::invalid("oversampling", "be from 1 to 64", got));
        }
        let is_usable = |n: usize, s: usize| n % 2 == 1 && n > 4 * s && n <= MOST_SAMPLES;
        if !(is_usable(self.shape.0, sy) && is_usable(self.shape.1, sx)) {
            let expected = "be odd, more than 4 times the oversampling and at most 4096";
            return Err(Error::invalid(
                "shape",
                expected,
                format!("{:?}", self.shape),
            ));
        }
        for (name, value) in [("kappa", self.kappa), ("cutoff", self.cutoff)] {
            if let Some(value) = value {
                Error::check_positive(name, value)?;
            }
        }
        if let Some(knots) = self.knots
            && !(1..=4).contains(&knots)
        {
            return Err(Error::invalid("knots_per_pixel", "be from 1 to 4", knots));
        }
        if let Some(error) = self.model_error
            && !(0.0..=1.0).contains(&error)
        {
            return Err(Error::invalid("model_error", "be from 0 to 1", error));
        }
        if self.max_rounds == 0 {
            return Err(Error::invalid("max_rounds", "be at least 1", 0));
        }
        Error::check_positive("accuracy", self.accuracy)?;
        self.field.check()
    }

    /// How far (y, x) the samples reach from the star, pixels.
    pub(crate) fn half(&self) -> (f64, f64) {
        let half = |n: usize, s: usize| (n - 1) as f64 / (2 * s) as f64;
        (
            half(self.shape.0, self.oversampling.0),
            half(self.shape.1, self.oversampling.1),
        )
    }

    /// Where stars differ from the PSF by a part of its peak.
    pub(crate) fn alias_deviations(&self, model_error: f64) -> [f64; 3] {
        alias::deviations(self.cutoff, model_error)
    }
}
