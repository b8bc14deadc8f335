//! Aperture sums.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2};
use psfphot::aperture::{self, Aperture, ApertureSum, Method, circular_sums};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{AnyImage, Floats, frame, with_frame};
use crate::door::{self, Options};
use crate::errors::CallResult;

type Values<'py> = Bound<'py, PyArray1<f64>>;

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
) -> CallResult<(Values<'py>, Values<'py>)> {
    let frame = frame(&data, None, mask.as_ref())?;
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let options = Options::new(n_threads, None)?;
    let sums = with_frame!(frame, frame => door::enter(py, &options, move |run| {
        circular_sums(frame, x, y, radius, run)
    }))?;
    let column = |of: fn(&ApertureSum) -> f64| PyArray1::from_iter(py, sums.iter().map(of));
    Ok((column(|s| s.sum), column(|s| s.area)))
}

/// Sums, their errors and areas over circles (`radii` with an inner radius of
/// 0) or annuli; see the core's `aperture_sums`. `method` is its name, and for
/// "subpixel" `subpixels` the points per axis.
#[pyfunction]
#[pyo3(signature = (data, error, mask, x, y, radii, method, subpixels, *, n_threads=None))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn aperture_photometry<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    error: Option<AnyImage<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    x: Floats<'py>,
    y: Floats<'py>,
    radii: (f64, f64),
    method: &str,
    subpixels: u32,
    n_threads: Option<usize>,
) -> CallResult<(Values<'py>, Values<'py>, Values<'py>)> {
    let frame = frame(&data, error.as_ref(), mask.as_ref())?;
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let aperture = aperture_of(radii, method, subpixels)?;
    let options = Options::new(n_threads, None)?;
    let sums = with_frame!(frame, frame => door::enter(py, &options, move |run| {
        aperture::aperture_sums(frame, x, y, &aperture, run)
    }))?;
    let column = |of: fn(&ApertureSum) -> f64| PyArray1::from_iter(py, sums.iter().map(of));
    Ok((column(|s| s.sum), column(|s| s.error), column(|s| s.area)))
}

/// The weights of the pixels of a circle or an annulus around (x, y), and the first
/// column and row of their rectangle; see [`aperture_photometry`].
#[pyfunction]
pub(crate) fn aperture_weights<'py>(
    py: Python<'py>,
    position: (f64, f64),
    radii: (f64, f64),
    method: &str,
    subpixels: u32,
) -> CallResult<(Bound<'py, PyArray2<f64>>, i64, i64)> {
    let (window, weights) = aperture_of(radii, method, subpixels)?.weights(position)?;
    let shape = [window.height(), window.width()];
    let plane = PyArray1::from_vec(py, weights).reshape(shape)?;
    Ok((plane, window.x0, window.y0))
}

fn aperture_of(radii: (f64, f64), method: &str, subpixels: u32) -> CallResult<Aperture> {
    let aperture = if radii.0 > 0.0 {
        Aperture::annulus(radii.0, radii.1)?
    } else {
        Aperture::circle(radii.1)?
    };
    Ok(aperture.with_method(method_named(method, subpixels)?)?)
}

fn method_named(name: &str, subpixels: u32) -> PyResult<Method> {
    match name {
        "exact" => Ok(Method::Exact),
        "center" => Ok(Method::Center),
        "subpixel" => Ok(Method::Subpixel(subpixels)),
        _ => Err(PyValueError::new_err(format!("no method {name:?}"))),
    }
}
