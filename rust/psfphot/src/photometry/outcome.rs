//! From a solution to a row: quality measures, errors and flags.

use crate::fit::bounds::Bounds;
use crate::fit::{FLUX, Parameters, Termination, X, Y};
use crate::flags;
use crate::image::PixelBox;

use super::source::FittedSource;

/// As photutils has it, whatever the parameter.
const NEAR_BOUND: f64 = 0.01;

/// A source that is ready to be fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) index: usize,
    /// Where it is placed; the fit begins within the bounds.
    pub(crate) start: Parameters,
    pub(crate) bounds: Bounds,
    /// The part of its fit box that is on the image.
    pub(crate) window: PixelBox,
    pub(crate) background: f64,
    /// Flags that it has already.
    pub(crate) flags: u32,
}

impl Ready {
    /// The pixel whose residual is `cfit`: that of the starting position, the
    /// lower one where it lies on an edge.
    fn centre(&self) -> (i64, i64) {
        let pixel = |v: f64| (v - 0.5).ceil() as i64;
        (pixel(self.start[X]), pixel(self.start[Y]))
    }
}

/// Sums over the fitted pixels of one source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Residuals {
    n: usize,
    absolute: f64,
    chi2: f64,
    central: f64,
    centre: (i64, i64),
}

impl Residuals {
    pub(crate) fn new(source: &Ready) -> Self {
        Self {
            n: 0,
            absolute: 0.0,
            chi2: 0.0,
            central: f64::NAN,
            centre: source.centre(),
        }
    }

    /// One fitted pixel: data − model, and its weight.
    pub(crate) fn add(&mut self, pixel: (i64, i64), residual: f64, weight: f64) {
        self.n += 1;
        self.absolute += residual.abs();
        self.chi2 += weight * residual * residual;
        if pixel == self.centre {
            self.central = residual;
        }
    }
}

/// A solution for one source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fitted<'a> {
    pub(crate) parameters: Parameters,
    /// Variances of the free parameters.
    pub(crate) variances: Option<&'a [f64]>,
    pub(crate) termination: Termination,
    pub(crate) iterations: usize,
    pub(crate) residuals: Residuals,
    pub(crate) n_bad_errors: usize,
}

/// What rows need to know of the run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) free: &'a [usize],
    pub(crate) fit_shape: (usize, usize),
    pub(crate) image: PixelBox,
    pub(crate) has_error: bool,
}

impl Context<'_> {
    /// The row of a fitted source.
    pub(crate) fn row(&self, source: &Ready, fitted: &Fitted<'_>) -> FittedSource {
        let mut row = FittedSource::not_fitted(source.flags);
        let (sums, flux) = (&fitted.residuals, fitted.parameters[FLUX]);
        row.parameters = fitted.parameters;
        row.n_pixels = sums.n;
        row.n_bad_errors = fitted.n_bad_errors;
        row.iterations = fitted.iterations;
        row.termination = fitted.termination;
        if flux != 0.0 {
            row.qfit = sums.absolute / flux;
            row.cfit = sums.central / flux;
        }
        if self.has_error && sums.n > self.free.len() {
            row.reduced_chi2 = sums.chi2 / (sums.n - self.free.len()) as f64;
        }
        // A variance that overflows tells no error.
        let variances = fitted
            .variances
            .filter(|all| !all.iter().any(|v| v.is_infinite()));
        for (k, &parameter) in self.free.iter().enumerate() {
            row.errors[parameter] = variances.map_or(f64::NAN, |v| v[k].sqrt());
        }
        row.flags |= self.flags(source, &row, variances.is_some());
        row
    }

    fn flags(&self, source: &Ready, row: &FittedSource, has_covariance: bool) -> u32 {
        let (flux, x, y) = (row.flux(), row.x(), row.y());
        let outside = |b: &PixelBox| {
            x < b.x0 as f64 - 0.5
                || x > b.x1 as f64 - 0.5
                || y < b.y0 as f64 - 0.5
                || y > b.y1 as f64 - 0.5
        };
        let mut free = self.free.iter();
        let is_near_bound =
            free.any(|&k| source.bounds.distance(k, row.parameters[k]) <= NEAR_BOUND);
        let conditions = [
            (row.n_pixels < self.box_size(), flags::N_PIXELS_FIT_PARTIAL),
            (outside(&self.image), flags::POSITION_OUTSIDE_IMAGE),
            (flux <= 0.0, flags::NON_POSITIVE_FLUX),
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
            (outside(&source.window), flags::POSITION_OUTSIDE_FIT_REGION),
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

    /// The row of a source that cannot be fitted because of `reason`.
    pub(crate) fn not_fitted(&self, reason: u32, n_pixels: usize) -> FittedSource {
        let mut result = flags::NO_COVARIANCE | flags::NON_FINITE_POSITION | flags::NON_FINITE_FLUX;
        if n_pixels < self.box_size() {
            result |= flags::N_PIXELS_FIT_PARTIAL;
        }
        FittedSource {
            n_pixels,
            ..FittedSource::not_fitted(reason | result)
        }
    }
}
