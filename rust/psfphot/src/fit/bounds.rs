//! Where the parameters of a source may go.

use super::{MAX_PARAMETERS, Parameters};

/// The lowest and highest value of each parameter of one source.
///
/// A fit goes along its bounds by projection (Bertsekas 1982, SIAM J. Control
/// Optim. 20, 221): parameters that stand at a bound and are pushed against it
/// are left out of the step, and steps end at the bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    lower: Parameters,
    upper: Parameters,
}

impl Default for Bounds {
    /// None.
    fn default() -> Self {
        Self {
            lower: [f64::NEG_INFINITY; MAX_PARAMETERS],
            upper: [f64::INFINITY; MAX_PARAMETERS],
        }
    }
}

impl Bounds {
    /// With a parameter kept within `lower ≤ value ≤ upper`.
    pub(crate) fn set(&mut self, parameter: usize, (lower, upper): (f64, f64)) {
        (self.lower[parameter], self.upper[parameter]) = (lower, upper);
    }

    /// The nearest value that is allowed; what is no number stays.
    pub(crate) fn clamp(&self, parameter: usize, value: f64) -> f64 {
        value.max(self.lower[parameter]).min(self.upper[parameter])
    }

    /// Whether a parameter stands at a bound and lowers χ² only beyond it;
    /// `gradient` is that of −χ²/2.
    pub(crate) fn holds(&self, parameter: usize, value: f64, gradient: f64) -> bool {
        let (lower, upper) = (self.lower[parameter], self.upper[parameter]);
        lower >= upper || (value <= lower && gradient < 0.0) || (value >= upper && gradient > 0.0)
    }

    /// The distance from the nearer bound; infinite without bounds.
    pub(crate) fn distance(&self, parameter: usize, value: f64) -> f64 {
        let low = (value - self.lower[parameter]).abs();
        low.min((self.upper[parameter] - value).abs())
    }
}
