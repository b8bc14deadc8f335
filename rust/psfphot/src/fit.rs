//! Least-squares fits of one star or of a group of overlapping stars.
//!
//! A fit minimises
//!
//! ```text
//! χ² = Σ_pixels w (data − Σ_stars flux · P(pixel; x, y, shape))²,  w = 1/error²
//! ```
//!
//! by Levenberg–Marquardt with analytic derivatives (Marquardt 1963; Moré
//! 1978). In a group each pixel counts once, however many boxes hold it, and
//! every member's model *and* its derivatives extend over its whole support.
//!
//! # When a fit has converged
//!
//! With the normal matrix `A = JᵀWJ` and the gradient `g = JᵀWr` the undamped
//! step is `δ = A⁻¹ g`. Its length in units of the joint errors is
//! `√(δᵀAδ) = √(δᵀg)`, and no parameter's step is longer than that in units of
//! its own error (Cauchy–Schwarz). The fit has converged when this length is
//! below [`FitSettings::step_tolerance`]; a small change of χ² alone never
//! stops it.
//!
//! Where the PSF does not match, Gauss–Newton steps shrink only linearly; in a
//! group they are accelerated (Anderson 1965).
//!
//! # Weights that depend on the model
//!
//! With a model of the noise, or robust weights, χ² is minimised with weights that
//! stay; then these are made anew, and it is minimised again, until they change no more.
//!
//! # Groups that end early
//!
//! Where a group ends otherwise (the iterations run out, or the data do not
//! determine all of it), a member whose own step is shorter than ten times the
//! tolerance counts as converged, with the undetermined members held.

mod anderson;
mod blended;
pub(crate) mod bounds;
pub(crate) mod covariance;
pub(crate) mod exposure;
pub(crate) mod group;
pub(crate) mod isolated;
mod leverage;
pub(crate) mod minimise;
pub(crate) mod model;
mod normal;
mod overlaps;
pub(crate) mod pixels;
pub(crate) mod settle;
pub(crate) mod source;
pub(crate) mod system;
mod tiles;
pub(crate) mod weighting;

use crate::psf::{Placement, Psf};
use crate::{Error, Run};

pub use covariance::Covariance;
use weighting::Weighting;

/// Settings of the fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitSettings {
    max_iterations: usize,
    step_tolerance: f64,
}

impl Default for FitSettings {
    /// 100 iterations (as photutils has it) and a tolerance of 10⁻⁴ errors:
    /// where the PSF does not match, the steps shrink only linearly, by up to
    /// 0.9 an iteration, and what is left to go is then still under 10⁻³ of an
    /// error. Where it matches, convergence is quadratic and this costs at
    /// most one iteration more than 10⁻².
    fn default() -> Self {
        Self {
            max_iterations: 100,
            step_tolerance: 1e-4,
        }
    }
}

impl FitSettings {
    /// At most so many evaluations of the model.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for 0.
    pub fn with_max_iterations(mut self, max_iterations: usize) -> Result<Self, Error> {
        if max_iterations == 0 {
            return Err(Error::invalid("max_iterations", "be at least 1", 0));
        }
        self.max_iterations = max_iterations;
        Ok(self)
    }

    /// The longest undamped step, in units of the errors, of a converged fit.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless it is positive and finite.
    pub fn with_step_tolerance(mut self, step_tolerance: f64) -> Result<Self, Error> {
        Error::check_positive("step_tolerance", step_tolerance)?;
        self.step_tolerance = step_tolerance;
        Ok(self)
    }

    /// See [`FitSettings::with_max_iterations`].
    #[must_use]
    pub fn max_iterations(&self) -> usize {
        self.max_iterations
    }

    /// See [`FitSettings::with_step_tolerance`].
    #[must_use]
    pub fn step_tolerance(&self) -> f64 {
        self.step_tolerance
    }
}

/// What all fits of a run share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fitter<'a> {
    pub(crate) psf: &'a dyn Psf,
    pub(crate) settings: FitSettings,
    /// The free parameters of every source.
    pub(crate) free: &'a [usize],
    /// Whether weights are 1/error², or 1 for want of errors.
    pub(crate) has_error: bool,
    /// How weights are made where they are not the image's own.
    pub(crate) weighting: Weighting<'a>,
    pub(crate) covariance: Covariance,
    /// Whether a constant is fitted to the pixels of each fit besides the sources.
    pub(crate) fits_background: bool,
    pub(crate) run: Run<'a>,
}

impl Fitter<'_> {
    /// Whether models are linear in what is free: the flux of stars whose places are
    /// known.
    pub(crate) fn is_linear(&self) -> bool {
        self.free == [FLUX]
    }
}

/// How the fit of a source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Termination {
    /// The undamped step is shorter than the tolerance.
    Converged,
    /// The iterations ran out first.
    MaxIterations,
    /// χ² can be lowered no further, but the step is not short: the numbers
    /// do not resolve the minimum.
    Stalled,
    /// The normal matrix is singular: the data do not determine every
    /// parameter (two stars on one spot, say).
    Singular,
    /// χ² is not a finite number.
    NonFinite,
    /// The source could not be fitted at all; its flags say why.
    NotFitted,
}

impl Termination {
    /// All of them; each stands at the index that it is as a number.
    pub const ALL: [Self; 6] = [
        Self::Converged,
        Self::MaxIterations,
        Self::Stalled,
        Self::Singular,
        Self::NonFinite,
        Self::NotFitted,
    ];

    /// Whether the fit has converged.
    #[must_use]
    pub fn was_successful(self) -> bool {
        self == Self::Converged
    }

    /// Its number among the ends that astropy's and scipy's fitters report:
    /// positive for a success, 0 where the iterations ran out, negative for
    /// every other end.
    #[must_use]
    pub fn status(self) -> i32 {
        match self {
            Self::Converged => 1,
            Self::MaxIterations => 0,
            Self::Stalled => -1,
            Self::Singular => -2,
            Self::NonFinite => -3,
            Self::NotFitted => -4,
        }
    }

    /// What it says of the fit, in a sentence.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Converged => "The undamped step is shorter than the tolerance.",
            Self::MaxIterations => "The iterations ran out before the fit had converged.",
            Self::Stalled => "chi^2 can be lowered no further, but the step is not short.",
            Self::Singular => "The data do not determine every parameter.",
            Self::NonFinite => "chi^2 is not a finite number.",
            Self::NotFitted => "The source was not fitted; its flags say why.",
        }
    }
}

/// Most parameters that a source can have: flux, x, y and three of shape.
pub const MAX_PARAMETERS: usize = 6;

/// Index of the flux among a source's parameters.
pub const FLUX: usize = 0;
/// Index of the column x.
pub const X: usize = 1;
/// Index of the row y.
pub const Y: usize = 2;
/// Index of the first shape parameter.
pub const SHAPE: usize = 3;

/// A source's parameters (or something for each of them): flux, x, y, shape.
pub type Parameters = [f64; MAX_PARAMETERS];

/// A member of a group that stopped early counts as converged if its own step
/// is shorter than this many step tolerances: with 10⁻³ errors to go, its
/// neighbours' wandering no longer matters to it.
pub(crate) const SETTLED: f64 = 10.0;

/// The longest step in x and y, pixels. Beyond a pixel the linearised star
/// has nothing to do with the star.
pub(crate) const MAX_SHIFT: f64 = 1.0;

impl Fitter<'_> {
    /// The free parameters of a source by itself, and the constant.
    pub(crate) fn n_unknowns(&self) -> usize {
        self.free.len() + usize::from(self.fits_background)
    }

    /// The same with other limits.
    pub(crate) fn with_limits(&self, max_iterations: usize, step_tolerance: f64) -> Self {
        let settings = FitSettings {
            max_iterations,
            step_tolerance,
        };
        Self { settings, ..*self }
    }

    /// Where the parameters put a source.
    pub(crate) fn placement<'a>(&self, parameters: &'a Parameters) -> Placement<'a> {
        Placement {
            x: parameters[X],
            y: parameters[Y],
            shape: &parameters[SHAPE..SHAPE + self.psf.shape_names().len()],
        }
    }

    /// Whether fluxes are fitted.
    pub(crate) fn has_free_flux(&self) -> bool {
        self.free.contains(&FLUX)
    }

    /// Limits a parameter's step.
    pub(crate) fn limited(&self, parameter: usize, value: f64, step: f64) -> f64 {
        match parameter {
            FLUX => step,
            X | Y => step.clamp(-MAX_SHIFT, MAX_SHIFT),
            shape => self.psf.limit_shape_step(shape - SHAPE, value, step),
        }
    }
}

/// Whether a step is lost in the rounding of the parameter.
pub(crate) fn is_rounding(parameter: usize, value: f64, step: f64) -> bool {
    let scale = if parameter == X || parameter == Y {
        1.0
    } else {
        value.abs()
    };
    step.abs() <= 1e-11 * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_termination_has_its_index_and_a_status_that_tells_success() {
        for (index, end) in Termination::ALL.into_iter().enumerate() {
            assert_eq!(end as usize, index);
            assert_eq!(end.was_successful(), end.status() > 0, "{end:?}");
            let same = |other: &&Termination| other.status() == end.status();
            assert_eq!(Termination::ALL.iter().filter(same).count(), 1);
        }
    }
}
