//! The one translation of the core's errors into Python's.

use numpy::AsSliceError;
use psfphot::Error;
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyValueError};

create_exception!(
    psfphot._core,
    InternalError,
    PyRuntimeError,
    "The compiled core failed in a way that is a bug of psfphot."
);

/// The core's words for arguments that have another name in Python.
const NAMES_IN_PYTHON: [(&str, &str); 8] = [
    ("centers", "xycoords"),
    ("groups", "group_id"),
    ("local_background", "local_bkg"),
    ("background_variance", "bkg_variance"),
    ("position_bounds", "xy_bounds"),
    ("positions", "grid_xypos"),
    ("source.x", "x_0"),
    ("source.y", "y_0"),
];

/// What ends a call from Python: an exception, or an error of the core, which
/// `?` makes into one.
pub(crate) struct CallError(PyErr);

/// What a call from Python gives.
pub(crate) type CallResult<T> = Result<T, CallError>;

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        let error = with_names_in_python(error);
        let message = error.to_string();
        Self(match error {
            Error::InvalidArgument { .. } | Error::ShapeMismatch { .. } => {
                PyValueError::new_err(message)
            }
            Error::Cancelled => PyKeyboardInterrupt::new_err(message),
            _ => PyRuntimeError::new_err(message),
        })
    }
}

impl From<PyErr> for CallError {
    fn from(error: PyErr) -> Self {
        Self(error)
    }
}

impl From<AsSliceError> for CallError {
    fn from(error: AsSliceError) -> Self {
        Self(error.into())
    }
}

impl From<CallError> for PyErr {
    fn from(error: CallError) -> Self {
        error.0
    }
}

/// The error about the argument that a user of Python gave.
fn with_names_in_python(mut error: Error) -> Error {
    if let Error::InvalidArgument { argument, .. } | Error::ShapeMismatch { argument, .. } =
        &mut error
    {
        let mut names = NAMES_IN_PYTHON.into_iter();
        if let Some((_, name)) = names.find(|(word, _)| word == argument) {
            *argument = name;
        }
    }
    error
}
