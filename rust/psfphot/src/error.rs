//! The one error type of the crate: what makes a *call* fail.

/// Why a call failed.
///
/// A fit that fails is not an error: it is a row with a flag.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument has a value that cannot be used.
    #[error("{argument} must {expected}, got {got}")]
    InvalidArgument {
        /// The argument's name in the public interface.
        argument: &'static str,
        /// What it must be, as a phrase that follows "must".
        expected: String,
        /// What was given.
        got: String,
    },
    /// Two arrays that belong together have different shapes or lengths.
    #[error("{argument} must have the shape {expected:?}, got {got:?}")]
    ShapeMismatch {
        /// The argument's name in the public interface.
        argument: &'static str,
        /// The shape it must have.
        expected: Vec<usize>,
        /// The shape it has.
        got: Vec<usize>,
    },
    /// The monitor asked to stop.
    #[error("the run was cancelled")]
    Cancelled,
}

impl Error {
    /// An [`Error::InvalidArgument`] from anything printable.
    pub(crate) fn invalid(
        argument: &'static str,
        expected: impl Into<String>,
        got: impl std::fmt::Display,
    ) -> Self {
        Self::InvalidArgument {
            argument,
            expected: expected.into(),
            got: got.to_string(),
        }
    }

    /// An [`Error::InvalidArgument`] unless `value` is positive and finite.
    pub(crate) fn check_positive(argument: &'static str, value: f64) -> Result<(), Self> {
        if value > 0.0 && value.is_finite() {
            return Ok(());
        }
        Err(Self::invalid(argument, "be positive and finite", value))
    }

    /// An [`Error::ShapeMismatch`] unless the lengths agree.
    pub(crate) fn check_len(
        argument: &'static str,
        expected: usize,
        got: usize,
    ) -> Result<(), Self> {
        if expected == got {
            return Ok(());
        }
        Err(Self::ShapeMismatch {
            argument,
            expected: vec![expected],
            got: vec![got],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_finite_numbers_pass() {
        assert_eq!(Error::check_positive("radius", 5e-324), Ok(()));
        for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Error::check_positive("radius", bad).is_err(), "{bad}");
        }
        let message = Error::check_positive("radius", -1.0).map_err(|error| error.to_string());
        let expected = "radius must be positive and finite, got -1";
        assert_eq!(message, Err(expected.to_owned()));
    }
}
