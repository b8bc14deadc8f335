//! From a solution to a row: errors and flags.

use crate::fit::exposure::Count;
use crate::fit::source::{Solution, Source};
use crate::fit::{FLUX, MAX_PARAMETERS, Parameters, Termination, X, Y};
use crate::flags;

use super::plan::{Plan, Reason};
use super::quality::Quality;

/// As photutils has it, whatever the parameter.
const NEAR_BOUND: f64 = 0.01;

/// A flux of no more than this part of its error is 0 but for rounding, which leaves
/// some 1e-14 of it, of either sign.
const NOTHING: f64 = 1e-12;

/// One fitted source. Where it could not be fitted, all numbers are NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedSource {
    /// Flux, x, y and the shape parameters, in this order (see
    /// [`fit`](crate::fit)); unused ones are 0.
    pub parameters: Parameters,
    /// Their 1-sigma errors; NaN for fixed ones and where there is none.
    pub errors: Parameters,
    /// Pixels of its own box that were fitted.
    pub n_pixels: usize,
    /// Pixels of its own box left out because of their error value alone.
    pub n_bad_errors: usize,
    /// Pixels of its own box that a robust fit has rejected: that lost more than half
    /// of their weight.
    pub n_rejected: usize,
    /// Σ |data − model| / flux over its own pixels.
    pub qfit: f64,
    /// (data − model) / flux in the pixel of the starting position.
    pub cfit: f64,
    /// χ² per degree of freedom over its own pixels; NaN without errors.
    pub reduced_chi2: f64,
    /// The constant that was fitted to its pixels beyond its local background; NaN for
    /// none.
    pub background: f64,
    /// Its 1-sigma error.
    pub background_error: f64,
    /// Bits of [`flags`](crate::flags).
    pub flags: u32,
    /// Evaluations of the model.
    pub iterations: usize,
    /// How the fit ended.
    pub termination: Termination,
}

impl FittedSource {
    /// A source that cannot be fitted.
    pub(crate) fn not_fitted(flags: u32) -> Self {
        Self {
            parameters: [f64::NAN; MAX_PARAMETERS],
            errors: [f64::NAN; MAX_PARAMETERS],
            n_pixels: 0,
            n_bad_errors: 0,
            n_rejected: 0,
            qfit: f64::NAN,
            cfit: f64::NAN,
            reduced_chi2: f64::NAN,
            background: f64::NAN,
            background_error: f64::NAN,
            flags,
            iterations: 0,
            termination: Termination::NotFitted,
        }
    }

    /// The flux.
    #[must_use]
    pub fn flux(&self) -> f64 {
        self.parameters[FLUX]
    }

    /// The column, pixels.
    #[must_use]
    pub fn x(&self) -> f64 {
        self.parameters[X]
    }

    /// The row, pixels.
    #[must_use]
    pub fn y(&self) -> f64 {
        self.parameters[Y]
    }

    /// The 1-sigma error of the flux.
    #[must_use]
    pub fn flux_error(&self) -> f64 {
        self.errors[FLUX]
    }
}

impl Plan<'_> {
    /// The row of a fitted source.
    pub(super) fn row(
        &self,
        source: &Source,
        solution: &Solution,
        quality: &Quality,
    ) -> FittedSource {
        let mut row = FittedSource::not_fitted(source.flags);
        let (free, flux) = (self.fitter.free, solution.parameters[FLUX]);
        row.parameters = solution.parameters;
        row.n_pixels = quality.n;
        row.n_bad_errors = source.n_bad_errors;
        row.n_rejected = solution.n_rejected;
        row.iterations = solution.iterations;
        row.termination = solution.termination;
        if flux != 0.0 {
            row.qfit = quality.absolute / flux;
            row.cfit = quality.central / flux;
        }
        if self.exposure.has_error() && quality.n > self.fitter.n_unknowns() {
            row.reduced_chi2 = quality.chi2 / (quality.n - self.fitter.n_unknowns()) as f64;
        }
        // A variance that overflows, or that rounding has made none, tells no error.
        let is_some = |v: f64| v > 0.0 && v.is_finite();
        let variances = solution
            .variances
            .filter(|all| free.iter().all(|&k| is_some(all[k])));
        for &k in free {
            row.errors[k] = variances.map_or(f64::NAN, |v| v[k].sqrt());
        }
        if let Some(level) = solution.level {
            row.background = level.value;
            row.background_error = level.variance.sqrt();
        }
        row.flags |= solution.flags | self.flags(source, &row, variances.is_some());
        row
    }

    fn flags(&self, source: &Source, row: &FittedSource, has_covariance: bool) -> u32 {
        let (flux, x, y) = (row.flux(), row.x(), row.y());
        let is_nothing = flux <= NOTHING * row.flux_error();
        let mut free = self.fitter.free.iter();
        let is_near_bound =
            free.any(|&k| source.bounds.distance(k, row.parameters[k]) <= NEAR_BOUND);
        let conditions = [
            (row.n_pixels < self.box_size(), flags::N_PIXELS_FIT_PARTIAL),
            (
                self.exposure.image().is_outside(x, y),
                flags::POSITION_OUTSIDE_IMAGE,
            ),
            (flux <= 0.0 || is_nothing, flags::NON_POSITIVE_FLUX),
            (
                row.termination != Termination::Converged,
                flags::NO_CONVERGENCE,
            ),
            (is_near_bound, flags::PARAMETER_NEAR_BOUND),
            (!has_covariance, flags::NO_COVARIANCE),
            (
                !(x.is_finite() && y.is_finite()),
                flags::NON_FINITE_POSITION,
            ),
            (!flux.is_finite(), flags::NON_FINITE_FLUX),
            (
                source.window.is_outside(x, y),
                flags::POSITION_OUTSIDE_FIT_REGION,
            ),
        ];
        conditions
            .iter()
            .filter(|(holds, _)| *holds)
            .fold(0, |all, (_, bit)| all | bit)
    }

    /// The pixels of a fit box that is all on the image.
    fn box_size(&self) -> usize {
        self.fit_shape.0.saturating_mul(self.fit_shape.1)
    }

    /// The row of a source that cannot be fitted.
    pub(super) fn not_fitted(&self, reason: &Reason) -> FittedSource {
        let Count { good, bad_errors } = reason.pixels;
        let mut flags = reason.flags
            | flags::NO_COVARIANCE
            | flags::NON_FINITE_POSITION
            | flags::NON_FINITE_FLUX;
        if good < self.box_size() {
            flags |= flags::N_PIXELS_FIT_PARTIAL;
        }
        FittedSource {
            n_pixels: good,
            n_bad_errors: bad_errors,
            ..FittedSource::not_fitted(flags)
        }
    }
}
