//! Local backgrounds.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

use numpy::{PyArray1, PyReadonlyArray2};
use psfphot::background::{self, Annulus};
use pyo3::prelude::*;

use crate::arrays::{AnyImage, Floats, frame, with_frame};
use crate::door::{self, Options};
use crate::errors::to_python;

/// Sigma-clipped medians in annuli; see the core's `local_background`.
#[pyfunction]
#[pyo3(signature = (data, mask, x, y, radii, *, n_threads=None))]
pub(crate) fn local_background<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    x: Floats<'py>,
    y: Floats<'py>,
    radii: (f64, f64),
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let frame = frame(&data, None, mask.as_ref())?;
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let annulus = Annulus::new(radii.0, radii.1).map_err(|error| to_python(&error))?;
    let options = Options::new(n_threads, None)?;
    let levels = with_frame!(frame, frame => door::enter(py, &options, move |run| {
        background::local_background(frame, x, y, &annulus, run)
    }))?;
    Ok(PyArray1::from_vec(py, levels))
}
