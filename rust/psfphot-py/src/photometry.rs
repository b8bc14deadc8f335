//! `psfphot::photometry`: fits, as arrays.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use psfphot::Run;
use psfphot::fit::{Covariance, FitSettings, Parameters, Termination};
use psfphot::flags::FLAGS;
use psfphot::photometry::{Covariances, FittedSource, Judged, Photometry, Starts};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};

use crate::arrays::{AnyFrame, AnyImage, Floats, frame, with_frame};
use crate::door::{Options, enter, enter_with_psf};
use crate::errors::CallResult;
use crate::noise::PyNoise;
use crate::psf::PyPsf;

/// The starting values of a fit.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct PyStarts<'py> {
    x: Floats<'py>,
    y: Floats<'py>,
    flux: Floats<'py>,
    local_bkg: Floats<'py>,
    bkg_variance: Option<Floats<'py>>,
    group_id: Option<PyReadonlyArray1<'py, i64>>,
    shape: PyReadonlyArray2<'py, f64>,
}

impl PyStarts<'_> {
    fn core(&self, psf: &PyPsf) -> CallResult<Starts<'_>> {
        let groups = self.group_id.as_ref().map(|g| g.as_slice()).transpose()?;
        let (background, shape) = (self.local_bkg.as_slice()?, self.shape.as_slice()?);
        let (x, y, flux) = (
            self.x.as_slice()?,
            self.y.as_slice()?,
            self.flux.as_slice()?,
        );
        let starts = Starts::new(x, y, flux)?
            .with_local_background(background)?
            .with_shape(shape, psf.psf())?;
        let variance = self
            .bkg_variance
            .as_ref()
            .map(|v| v.as_slice())
            .transpose()?;
        let starts = match variance {
            Some(variance) => starts.with_background_variance(variance)?,
            None => starts,
        };
        Ok(match groups {
            Some(groups) => starts.with_groups(groups)?,
            None => starts,
        })
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
    robust: Option<f64>,
    covariance: Option<PyCovariance>,
    fit_background: bool,
}

/// The name of a kind of covariance.
struct PyCovariance(Covariance);

impl FromPyObject<'_, '_> for PyCovariance {
    type Error = PyErr;

    fn extract(name: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match name.extract::<&str>()? {
            "formal" => Ok(Self(Covariance::Formal)),
            "unit" => Ok(Self(Covariance::Unit)),
            "sandwich" => Ok(Self(Covariance::Sandwich)),
            other => Err(PyValueError::new_err(format!(
                "covariance must be 'formal', 'unit' or 'sandwich', got '{other}'"
            ))),
        }
    }
}

impl PySettings {
    fn photometry(&self) -> Result<Photometry, psfphot::Error> {
        let settings = FitSettings::default()
            .with_max_iterations(self.max_iterations)?
            .with_step_tolerance(self.step_tolerance)?;
        let photometry = Photometry::new(self.fit_shape)?
            .with_settings(settings)
            .with_fixed(&self.is_fixed)?
            .with_bounds(&self.bounds)?
            .with_position_bounds(self.xy_bounds)?
            .with_background_fit(self.fit_background);
        let photometry = match &self.covariance {
            Some(covariance) => photometry.with_covariance(covariance.0),
            None => photometry,
        };
        match self.robust {
            Some(sigmas) => photometry.with_robust(sigmas),
            None => Ok(photometry),
        }
    }
}

/// An image, its sources and how to fit them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct FitCall<'py> {
    data: AnyImage<'py>,
    error: Option<AnyImage<'py>>,
    noise: Option<PyNoise<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    psf: Py<PyPsf>,
    starts: PyStarts<'py>,
    settings: PySettings,
}

/// The core's view of a [`FitCall`].
struct Prepared<'a> {
    photometry: Photometry,
    frame: AnyFrame<'a>,
    psf: &'a PyPsf,
    starts: Starts<'a>,
    n_parameters: usize,
}

impl FitCall<'_> {
    fn prepared(&self) -> CallResult<Prepared<'_>> {
        let psf = self.psf.get();
        let frame = frame(&self.data, self.error.as_ref(), self.mask.as_ref())?;
        Ok(Prepared {
            photometry: self.settings.photometry()?,
            starts: self.starts.core(psf)?,
            frame: match &self.noise {
                Some(noise) => frame.with_noise(noise.core()?)?,
                None => frame,
            },
            psf,
            n_parameters: self.settings.is_fixed.len(),
        })
    }
}

/// Fits sources; returns a dictionary of arrays, one element per source, and of the
/// `covariances`.
#[pyfunction]
#[pyo3(signature = (call, *, n_threads=None, progress=None))]
pub(crate) fn fit_sources<'py>(
    py: Python<'py>,
    call: FitCall<'py>,
    n_threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
) -> CallResult<Bound<'py, PyDict>> {
    let options = Options::new(n_threads, progress)?;
    let fit = call.prepared()?;
    let (psf, starts) = (fit.psf.psf(), &fit.starts);
    let (sources, covariances) = with_frame!(fit.frame, frame => {
        enter_with_psf(py, &options, fit.psf.callback(), |run| {
            fit.photometry.fit_and_keep(psf, frame, starts, run)
        })
    })?;
    let columns = columns(py, &sources, fit.n_parameters)?;
    columns.set_item("covariances", PyCovariances { covariances })?;
    Ok(columns)
}

fn columns<'py>(
    py: Python<'py>,
    sources: &[FittedSource],
    n_parameters: usize,
) -> CallResult<Bound<'py, PyDict>> {
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
    columns.set_item("n_rejected", integers(|s| s.n_rejected))?;
    columns.set_item("qfit", floats(|s| s.qfit))?;
    columns.set_item("cfit", floats(|s| s.cfit))?;
    columns.set_item("reduced_chi2", floats(|s| s.reduced_chi2))?;
    columns.set_item("bkg", floats(|s| s.background))?;
    columns.set_item("bkg_err", floats(|s| s.background_error))?;
    columns.set_item("flags", integers(|s| s.flags as usize))?;
    columns.set_item("iterations", integers(|s| s.iterations))?;
    columns.set_item("termination", integers(|s| s.termination as usize))?;
    Ok(columns)
}

/// The covariances of the sources of a fit; see the core's `Covariances`.
#[pyclass(name = "Covariances", module = "psfphot._core", frozen)]
pub(crate) struct PyCovariances {
    covariances: Covariances,
}

#[pymethods]
impl PyCovariances {
    /// From the bytes of a pickle.
    #[new]
    fn new(state: &[u8]) -> CallResult<Self> {
        Ok(Self {
            covariances: Covariances::from_bytes(state)?,
        })
    }

    /// The joint covariance of some rows: (n, n), in the core's order of parameters.
    fn of<'py>(&self, py: Python<'py>, rows: Vec<usize>) -> CallResult<Bound<'py, PyArray2<f64>>> {
        let options = Options::new(Some(1), None)?;
        let matrix = enter(py, &options, |run: Run<'_>| self.covariances.of(&rows, run))?;
        let order = matrix.len().isqrt();
        Ok(PyArray1::from_vec(py, matrix).reshape([order, order])?)
    }

    /// By what the variances of the fluxes of some rows are inflated.
    fn flux_inflation<'py>(
        &self,
        py: Python<'py>,
        rows: Vec<usize>,
        n_threads: Option<usize>,
    ) -> CallResult<Bound<'py, PyArray1<f64>>> {
        let options = Options::new(n_threads, None)?;
        let factors = enter(py, &options, |run: Run<'_>| {
            self.covariances.flux_inflation(&rows, run)
        })?;
        Ok(PyArray1::from_vec(py, factors))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (Bound<'py, PyBytes>,)) {
        let bytes = slf.get().covariances.to_bytes();
        (slf.get_type(), (PyBytes::new(slf.py(), &bytes),))
    }
}

/// Rows for parameters fitted elsewhere, see the core's `Photometry::judge`:
/// the same dictionary as `fit_sources`.
#[pyfunction]
pub(crate) fn judge_sources<'py>(
    py: Python<'py>,
    call: FitCall<'py>,
    fitted: PyReadonlyArray2<'py, f64>,
    errors: PyReadonlyArray2<'py, f64>,
    has_converged: Vec<bool>,
) -> CallResult<Bound<'py, PyDict>> {
    let options = Options::new(Some(1), None)?;
    let fit = call.prepared()?;
    let (psf, starts) = (fit.psf.psf(), &fit.starts);
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
    let sources = with_frame!(fit.frame, frame => {
        enter_with_psf(py, &options, fit.psf.callback(), |run| {
            fit.photometry.judge(psf, frame, starts, &judged, run)
        })
    })?;
    columns(py, &sources, fit.n_parameters)
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
) -> CallResult<Bound<'py, PyArray2<f64>>> {
    let flat: Vec<f64> = sources
        .iter()
        .flat_map(|s| &value(s)[..n])
        .copied()
        .collect();
    Ok(flat.to_pyarray(py).reshape([sources.len(), n])?)
}

/// The local backgrounds with which sources are fitted; see the core's
/// function of that name.
#[pyfunction]
pub(crate) fn known_backgrounds<'py>(
    py: Python<'py>,
    local_bkg: Floats<'py>,
    group_id: PyReadonlyArray1<'py, i64>,
) -> CallResult<Bound<'py, PyArray1<f64>>> {
    let (levels, groups) = (local_bkg.as_slice()?, group_id.as_slice()?);
    let known = psfphot::photometry::known_backgrounds(levels, Some(groups));
    Ok(known.to_pyarray(py))
}

/// (status, message) for each value of the column `termination`.
#[pyfunction]
pub(crate) fn terminations() -> Vec<(i32, &'static str)> {
    let ends = Termination::ALL.iter();
    ends.map(|end| (end.status(), end.message())).collect()
}

/// (bit, name, description) of every flag.
#[pyfunction]
pub(crate) fn flag_definitions() -> Vec<(u32, &'static str, &'static str)> {
    FLAGS
        .iter()
        .map(|flag| (flag.bit, flag.name, flag.description))
        .collect()
}
