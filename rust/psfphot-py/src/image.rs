//! Questions about whole images.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

use numpy::PyReadonlyArray2;
use pyo3::prelude::*;

use crate::arrays::{AnyImage, frame, with_frame};
use crate::door::{Options, enter};
use crate::errors::CallResult;

/// Whether all pixels that are not masked are finite; see the core's `Frame::is_finite`.
#[pyfunction]
#[pyo3(signature = (data, mask, *, n_threads=None))]
pub(crate) fn is_finite<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    n_threads: Option<usize>,
) -> CallResult<bool> {
    let options = Options::new(n_threads, None)?;
    let any = frame(&data, None, mask.as_ref())?;
    with_frame!(any, frame => enter(py, &options, |run| frame.is_finite(run)))
}
