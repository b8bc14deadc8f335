//! The one translation of the core's errors into Python's.

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

/// The Python exception for an error of the core.
pub(crate) fn to_python(error: &Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::InvalidArgument { .. } | Error::ShapeMismatch { .. } => {
            PyValueError::new_err(message)
        }
        Error::Cancelled => PyKeyboardInterrupt::new_err(message),
        _ => PyRuntimeError::new_err(message),
    }
}
