//! Aperture sums.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

use numpy::{PyArray1, PyReadonlyArray2};
use psfphot::aperture::circular_sums;
use pyo3::prelude::*;

use crate::arrays::{AnyImage, Floats, frame, with_frame};
use crate::door::{self, Options};

/// Sums and areas.
type Sums<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);

/// Sums over circles and the areas of the pixels used; see the core's
/// `circular_sums`.
#[pyfunction]
#[pyo3(signature = (data, mask, x, y, radius, *, n_threads=None))]
pub(crate) fn aperture_sums<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    x: Floats<'py>,
    y: Floats<'py>,
    radius: f64,
    n_threads: Option<usize>,
) -> PyResult<Sums<'py>> {
    let frame = frame(&data, None, mask.as_ref())?;
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let options = Options::new(n_threads, None)?;
    let sums = with_frame!(frame, frame => door::enter(py, &options, move |run| {
        circular_sums(frame, x, y, radius, run)
    }))?;
    Ok((
        PyArray1::from_iter(py, sums.iter().map(|s| s.sum)),
        PyArray1::from_iter(py, sums.iter().map(|s| s.area)),
    ))
}
