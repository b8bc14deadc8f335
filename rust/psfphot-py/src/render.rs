//! Rendering.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

use numpy::{PyArray1, PyReadonlyArray2, PyReadwriteArray2, PyUntypedArrayMethods};
use psfphot::photometry::{Misfit, Profile, misfits, profiles};
use psfphot::render::{RenderSource, render};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{AnyImage, Floats, frame, image, with_frame};
use crate::door::{self, Options};
use crate::errors::CallResult;
use crate::psf::PyPsf;
use crate::score::Residual;

/// Adds sources to `image` in place and returns how many were skipped, for a
/// value that is not finite and for being off the image; see the core's
/// `render`.
#[pyfunction]
#[pyo3(signature = (image, psf, x, y, flux, *, window_shape=None, background=None,
                    psf_shapes=None, n_threads=None, progress=None))]
#[allow(clippy::too_many_arguments)] // columns of one table
pub(crate) fn render_sources<'py>(
    py: Python<'py>,
    mut image: PyReadwriteArray2<'py, f64>,
    psf: &Bound<'py, PyPsf>,
    x: Floats<'py>,
    y: Floats<'py>,
    flux: Floats<'py>,
    window_shape: Option<(usize, usize)>,
    background: Option<Floats<'py>>,
    psf_shapes: Option<PyReadonlyArray2<'py, f64>>,
    n_threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
) -> CallResult<(usize, usize)> {
    let mut sources = sources(&x, &y, &flux, psf_shapes.as_ref())?;
    if let Some(background) = &background {
        check_rows("background", background.len(), sources.len())?;
        for (source, &level) in sources.iter_mut().zip(background.as_slice()?) {
            *source = source.with_background(level);
        }
    }
    let shape = (image.shape()[0], image.shape()[1]);
    let (pixels, model) = (image.as_slice_mut()?, psf.get());
    let options = Options::new(n_threads, progress)?;
    let skipped = door::enter_with_psf(py, &options, model.callback(), move |run| {
        render(pixels, shape, model.psf(), &sources, window_shape, run)
    })?;
    Ok((skipped.not_finite, skipped.off_image))
}

/// Sources without background, of the PSF's own shape or each of its own.
fn sources<'a>(
    x: &'a Floats<'_>,
    y: &'a Floats<'_>,
    flux: &'a Floats<'_>,
    psf_shapes: Option<&'a PyReadonlyArray2<'_, f64>>,
) -> CallResult<Vec<RenderSource<'a>>> {
    check_rows("y", y.len(), x.len())?;
    check_rows("flux", flux.len(), x.len())?;
    let positions = x.as_slice()?.iter().zip(y.as_slice()?);
    let mut sources: Vec<_> = positions
        .zip(flux.as_slice()?)
        .map(|((&x, &y), &flux)| RenderSource::new(flux, x, y))
        .collect();
    if let Some(shapes) = psf_shapes {
        check_rows("psf_shapes", shapes.shape()[0], sources.len())?;
        let (values, columns) = (shapes.as_slice()?, shapes.shape()[1]);
        for (i, source) in sources.iter_mut().enumerate() {
            *source = source.with_shape(&values[i * columns..(i + 1) * columns]);
        }
    }
    Ok(sources)
}

/// crowding, sharpness and chi of fitted sources; see the core's `profiles`.
#[pyfunction]
#[pyo3(signature = (data, error, mask, model, psf, x, y, flux, *, fit_shape,
                    psf_shapes=None, n_threads=None))]
#[allow(clippy::too_many_arguments)] // columns of one table
pub(crate) fn profile_sources<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    error: Option<AnyImage<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    model: PyReadonlyArray2<'py, f64>,
    psf: &Bound<'py, PyPsf>,
    x: Floats<'py>,
    y: Floats<'py>,
    flux: Floats<'py>,
    fit_shape: (usize, usize),
    psf_shapes: Option<PyReadonlyArray2<'py, f64>>,
    n_threads: Option<usize>,
) -> CallResult<[Bound<'py, PyArray1<f64>>; 3]> {
    let sources = sources(&x, &y, &flux, psf_shapes.as_ref())?;
    let (frame, model, psf) = (
        frame(&data, error.as_ref(), mask.as_ref())?,
        image(&model)?,
        psf.get(),
    );
    let options = Options::new(n_threads, None)?;
    let found = door::enter_with_psf(
        py,
        &options,
        psf.callback(),
        |run| with_frame!(frame, frame => profiles(frame, model, psf.psf(), &sources, fit_shape, run)),
    )?;
    let column = |of: fn(&Profile) -> f64| PyArray1::from_iter(py, found.iter().map(of));
    Ok([
        column(|profile| profile.crowding),
        column(|profile| profile.sharpness),
        column(|profile| profile.chi),
    ])
}

/// How far the PSF is off fitted sources, and how their fluxes follow; see the core's
/// `misfits`: `widening` and its error, `elongation`, `Response`'s `left`, `widening` and
/// `chance`.
#[pyfunction]
pub(crate) fn measure_misfits<'py>(
    py: Python<'py>,
    residual: Residual<'py>,
    flux: Floats<'py>,
    fit_shape: (usize, usize),
) -> CallResult<[Bound<'py, PyArray1<f64>>; 6]> {
    let sources = sources(&residual.x, &residual.y, &flux, None)?;
    let (frame, psf) = (residual.frame()?, residual.psf.psf());
    let options = Options::new(residual.n_threads, None)?;
    let found = door::enter_with_psf(
        py,
        &options,
        residual.psf.callback(),
        |run| with_frame!(frame, frame => misfits(frame, psf, &sources, fit_shape, run)),
    )?;
    let column = |of: fn(&Misfit) -> f64| PyArray1::from_iter(py, found.iter().map(of));
    Ok([
        column(|misfit| misfit.widening),
        column(|misfit| misfit.widening_error),
        column(|misfit| misfit.elongation),
        column(|misfit| misfit.response.left),
        column(|misfit| misfit.response.widening),
        column(|misfit| misfit.response.chance),
    ])
}

fn check_rows(argument: &str, got: usize, expected: usize) -> PyResult<()> {
    if got == expected {
        return Ok(());
    }
    let message = format!("{argument} must have {expected} rows, as x has, got {got}");
    Err(PyValueError::new_err(message))
}
