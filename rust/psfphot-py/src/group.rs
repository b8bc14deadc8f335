//! Groups of sources.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

use numpy::PyArray1;
use psfphot::group;
use pyo3::prelude::*;

use crate::arrays::Floats;
use crate::door::{self, Options};
use crate::errors::CallResult;

/// Group numbers from 1 by first appearance; see the core's `group`.
#[pyfunction]
pub(crate) fn group_sources<'py>(
    py: Python<'py>,
    x: Floats<'py>,
    y: Floats<'py>,
    min_separation: f64,
) -> CallResult<Bound<'py, PyArray1<i64>>> {
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let options = Options::new(Some(1), None)?;
    let ids = door::enter(py, &options, move |run| {
        group::group(x, y, min_separation, run)
    })?;
    Ok(PyArray1::from_vec(py, ids))
}

/// Group numbers from 1 by first appearance; see the core's `group_overlapping`.
#[pyfunction]
pub(crate) fn group_overlapping<'py>(
    py: Python<'py>,
    x: Floats<'py>,
    y: Floats<'py>,
    box_shape: (usize, usize),
) -> CallResult<Bound<'py, PyArray1<i64>>> {
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let options = Options::new(Some(1), None)?;
    let ids = door::enter(py, &options, move |run| {
        group::group_overlapping(x, y, box_shape, run)
    })?;
    Ok(PyArray1::from_vec(py, ids))
}

/// Which sources stay when later ones too near to earlier ones are removed;
/// see the core's `thin`.
#[pyfunction]
pub(crate) fn thin_sources<'py>(
    py: Python<'py>,
    x: Floats<'py>,
    y: Floats<'py>,
    min_separation: f64,
) -> CallResult<Bound<'py, PyArray1<bool>>> {
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let options = Options::new(Some(1), None)?;
    let stays = door::enter(py, &options, move |run| {
        group::thin(x, y, min_separation, run)
    })?;
    Ok(PyArray1::from_vec(py, stays))
}
