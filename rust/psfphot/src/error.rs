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
