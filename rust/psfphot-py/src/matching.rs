//! Matching two catalogues.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

use numpy::{PyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use psfphot::matching::{self, Pairs};
use psfphot::{Error, Run};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::door::{self, Options};
use crate::errors::CallResult;

/// Indices into the two catalogues.
type IndexPairs<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>);

/// Mutual nearest neighbours of points in 2 or 3 dimensions; see the core's
/// `match_points`.
#[pyfunction]
#[pyo3(signature = (first, second, radius, *, n_threads=None))]
pub(crate) fn match_points<'py>(
    py: Python<'py>,
    first: PyReadonlyArray2<'py, f64>,
    second: PyReadonlyArray2<'py, f64>,
    radius: f64,
    n_threads: Option<usize>,
) -> CallResult<IndexPairs<'py>> {
    let options = Options::new(n_threads, None)?;
    match (first.shape()[1], second.shape()[1]) {
        (2, 2) => pair::<2>(py, &options, &first, &second, |a, b, run| {
            matching::match_points(a, b, radius, run)
        }),
        (3, 3) => pair::<3>(py, &options, &first, &second, |a, b, run| {
            matching::match_points(a, b, radius, run)
        }),
        (a, b) => {
            let message = format!("points must have 2 or 3 coordinates, got {a} and {b}");
            Err(PyValueError::new_err(message).into())
        }
    }
}

/// All pairs of points of the plane within a radius; see the core's
/// `near_pairs`.
#[pyfunction]
#[pyo3(signature = (first, second, radius, *, n_threads=None))]
pub(crate) fn near_pairs<'py>(
    py: Python<'py>,
    first: PyReadonlyArray2<'py, f64>,
    second: PyReadonlyArray2<'py, f64>,
    radius: f64,
    n_threads: Option<usize>,
) -> CallResult<IndexPairs<'py>> {
    let options = Options::new(n_threads, None)?;
    pair::<2>(py, &options, &first, &second, |a, b, run| {
        matching::near_pairs(a, b, radius, run)
    })
}

fn pair<'py, const D: usize>(
    py: Python<'py>,
    options: &Options<'py>,
    first: &PyReadonlyArray2<'py, f64>,
    second: &PyReadonlyArray2<'py, f64>,
    find: impl FnOnce(&[[f64; D]], &[[f64; D]], Run<'_>) -> Result<Pairs, Error> + Send,
) -> CallResult<IndexPairs<'py>> {
    let (first, _) = first.as_slice()?.as_chunks::<D>();
    let (second, _) = second.as_slice()?.as_chunks::<D>();
    let pairs = door::enter(py, options, move |run| find(first, second, run))?;
    let indices = |found: &[usize]| PyArray1::from_iter(py, found.iter().map(|&i| i as i64));
    Ok((indices(&pairs.first), indices(&pairs.second)))
}
