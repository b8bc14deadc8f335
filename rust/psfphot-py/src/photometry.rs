//! `psfphot::photometry`: fits, as arrays.

use numpy::{PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use psfphot::fit::{FitSettings, Parameters, Termination};
use psfphot::flags::FLAGS;
use psfphot::photometry::{FittedSource, Judged, Photometry, Starts};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{AnyImage, Floats, frame, with_frame};
use crate::door::{Options, enter_with_psf};
use crate::errors::to_python;
use crate::psf::PyPsf;

/// The starting values of a fit.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct PyStarts<'py> {
    x: Floats<'py>,
    y: Floats<'py>,
    flux: Floats<'py>,
    local_bkg: Floats<'py>,
    group_id: Option<PyReadonlyArray1<'py, i64>>,
    shape: PyReadonlyArray2<'py, f64>,
}

impl PyStarts<'_> {
    fn core(&self, psf: &PyPsf) -> PyResult<Starts<'_>> {
        let groups = self.group_id.as_ref().map(|g| g.as_slice()).transpose()?;
        let (background, shape) = (self.local_bkg.as_slice()?, self.shape.as_slice()?);
        Starts::new(
            self.x.as_slice()?,
            self.y.as_slice()?,
            self.flux.as_slice()?,
        )
        .and_then(|s| s.with_local_background(background))
        .and_then(|s| s.with_shape(shape, psf.psf()))
        .and_then(|s| groups.map_or(Ok(s), |g| s.with_groups(g)))
        .map_err(|e| to_python(&e))
    }
}

/// How to fit.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct PySettings {
    fit_shape: (usize, usize),
    is_fixed: Vec<bool>,
    bounds: Vec<(f64, f64)>,
    xy_bounds: (Option<f64>, Option<f64>),
    max_iterations: usize,
    step_tolerance: f64,
}

impl PySettings {
    fn photometry(&self) -> Result<Photometry, psfphot::Error> {
        let settings = FitSettings::default()
            .with_max_iterations(self.max_iterations)?
            .with_step_tolerance(self.step_tolerance)?;
        Photometry::new(self.fit_shape)?
            .with_settings(settings)
            .with_fixed(&self.is_fixed)?
            .with_bounds(&self.bounds)?
            .with_position_bounds(self.xy_bounds)
    }
}

/// Fits sources; returns a dictionary of arrays, one element per source.
#[pyfunction]
#[pyo3(signature = (data, error, mask, psf, starts, settings, *, n_threads=None, progress=None))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // pyo3 passes values
pub(crate) fn fit_sources<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    error: Option<AnyImage<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    psf: &PyPsf,
    starts: PyStarts<'py>,
    settings: PySettings,
    n_threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let options = Options::new(n_threads, progress)?;
    let photometry = settings.photometry().map_err(|e| to_python(&e))?;
    let core_starts = starts.core(psf)?;
    let any_frame = frame(&data, error.as_ref(), mask.as_ref())?;
    let model = psf.psf();
    let sources = with_frame!(any_frame, frame => {
        enter_with_psf(py, &options, psf, |run| photometry.fit(model, frame, &core_starts, run))
    })?;
    columns(py, &sources, settings.is_fixed.len())
}

fn columns<'py>(
    py: Python<'py>,
    sources: &[FittedSource],
    n_parameters: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let columns = PyDict::new(py);
    let parameters = matrix(py, sources, n_parameters, |s| &s.parameters)?;
    columns.set_item("parameters", parameters)?;
    let errors = matrix(py, sources, n_parameters, |s| &s.errors)?;
    columns.set_item("errors", errors)?;
    let floats =
        |value: fn(&FittedSource) -> f64| PyArray1::from_iter(py, sources.iter().map(value));
    let integers = |value: fn(&FittedSource) -> usize| {
        PyArray1::from_iter(py, sources.iter().map(|s| value(s) as i64))
    };
    columns.set_item("n_pixels", integers(|s| s.n_pixels))?;
    columns.set_item("n_bad_errors", integers(|s| s.n_bad_errors))?;
    columns.set_item("qfit", floats(|s| s.qfit))?;
    columns.set_item("cfit", floats(|s| s.cfit))?;
    columns.set_item("reduced_chi2", floats(|s| s.reduced_chi2))?;
    columns.set_item("flags", integers(|s| s.flags as usize))?;
    columns.set_item("iterations", integers(|s| s.iterations))?;
    columns.set_item("termination", integers(|s| s.termination as usize))?;
    Ok(columns)
}

/// The joint covariance of fitted sources, see the core's
/// `Photometry::covariance`; `fitted` has a row of parameters for each member.
#[pyfunction]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // as `fit_sources`
pub(crate) fn joint_covariance<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    error: Option<AnyImage<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    psf: &PyPsf,
    starts: PyStarts<'py>,
    settings: PySettings,
    members: Vec<usize>,
    fitted: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let options = Options::new(Some(1), None)?;
    let photometry = settings.photometry().map_err(|e| to_python(&e))?;
    let core_starts = starts.core(psf)?;
    let any_frame = frame(&data, error.as_ref(), mask.as_ref())?;
    let model = psf.psf();
    let fitted = parameters(&fitted);
    let covariance = with_frame!(any_frame, frame => {
        enter_with_psf(py, &options, psf, |run| {
            photometry.covariance(model, frame, &core_starts, &members, &fitted, run)
        })
    })?;
    let order = covariance.len().isqrt();
    numpy::PyArrayMethods::reshape(&covariance.to_pyarray(py), [order, order])
}

/// Rows for parameters fitted elsewhere, see the core's `Photometry::judge`:
/// the same dictionary as `fit_sources`.
#[pyfunction]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // as `fit_sources`
pub(crate) fn judge_sources<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    error: Option<AnyImage<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    psf: &PyPsf,
    starts: PyStarts<'py>,
    settings: PySettings,
    fitted: PyReadonlyArray2<'py, f64>,
    errors: PyReadonlyArray2<'py, f64>,
    has_converged: Vec<bool>,
) -> PyResult<Bound<'py, PyDict>> {
    let options = Options::new(Some(1), None)?;
    let photometry = settings.photometry().map_err(|e| to_python(&e))?;
    let core_starts = starts.core(psf)?;
    let any_frame = frame(&data, error.as_ref(), mask.as_ref())?;
    let model = psf.psf();
    let judged: Vec<Judged> = parameters(&fitted)
        .into_iter()
        .zip(parameters(&errors))
        .zip(has_converged)
        .map(|((parameters, errors), has_converged)| Judged {
            parameters,
            errors,
            has_converged,
        })
        .collect();
    let sources = with_frame!(any_frame, frame => {
        enter_with_psf(py, &options, psf, |run| {
            photometry.judge(model, frame, &core_starts, &judged, run)
        })
    })?;
    columns(py, &sources, settings.is_fixed.len())
}

/// The rows of an array as parameters; those beyond its columns are 0.
fn parameters(rows: &PyReadonlyArray2<'_, f64>) -> Vec<Parameters> {
    let rows = rows.as_array();
    let row = |row: numpy::ndarray::ArrayView1<'_, f64>| {
        let mut parameters = Parameters::default();
        for (parameter, value) in parameters.iter_mut().zip(row) {
            *parameter = *value;
        }
        parameters
    };
    rows.rows().into_iter().map(row).collect()
}

/// One row per source, of its first `n` parameters.
fn matrix<'py>(
    py: Python<'py>,
    sources: &[FittedSource],
    n: usize,
    value: impl Fn(&FittedSource) -> &Parameters,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let flat: Vec<f64> = sources
        .iter()
        .flat_map(|s| &value(s)[..n])
        .copied()
        .collect();
    numpy::PyArrayMethods::reshape(&flat.to_pyarray(py), [sources.len(), n])
}

/// What each value of the column `termination` says.
#[pyfunction]
pub(crate) fn termination_messages() -> Vec<&'static str> {
    Termination::ALL.iter().map(|t| t.message()).collect()
}

/// (bit, name, description) of every flag.
#[pyfunction]
pub(crate) fn flag_definitions() -> Vec<(u32, &'static str, &'static str)> {
    FLAGS
        .iter()
        .map(|flag| (flag.bit, flag.name, flag.description))
        .collect()
}
