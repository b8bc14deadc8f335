//! PSFs solved for from cutouts of stars.

use numpy::{IntoPyArray, PyArray1, PyArrayMethods, PyReadonlyArray2};
use psfphot::epsf::{Cutout, EpsfSettings, EpsfSolution, Field, solve_epsf as solve};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::image;
use crate::door::{Options, enter_with_psf};
use crate::errors::CallResult;
use crate::psf::PyPsf;

/// The pixels of one star.
#[derive(FromPyObject)]
pub(crate) struct PyCutout<'py> {
    #[pyo3(attribute)]
    data: PyReadonlyArray2<'py, f64>,
    #[pyo3(attribute)]
    error: Option<PyReadonlyArray2<'py, f64>>,
    #[pyo3(attribute)]
    mask: Option<PyReadonlyArray2<'py, bool>>,
    #[pyo3(attribute)]
    x: f64,
    #[pyo3(attribute)]
    y: f64,
    #[pyo3(attribute)]
    flux: Option<f64>,
    #[pyo3(attribute)]
    origin: (f64, f64),
    #[pyo3(attribute)]
    link: Option<usize>,
    #[pyo3(attribute)]
    scale: f64,
    #[pyo3(attribute)]
    jacobian: [[f64; 2]; 2],
}

impl PyCutout<'_> {
    fn view(&self) -> CallResult<Cutout<'_>> {
        let error = self.error.as_ref().map(image).transpose()?;
        let mask = self.mask.as_ref().map(image).transpose()?;
        Ok(Cutout {
            data: image(&self.data)?,
            error,
            mask,
            x: self.x,
            y: self.y,
            flux: self.flux,
            origin: self.origin,
            link: self.link,
            scale: self.scale,
            jacobian: self.jacobian,
        })
    }
}

/// How the PSF varies: a degree with centre and scale, or nodes.
#[derive(FromPyObject)]
enum PyField {
    Polynomial(usize, (f64, f64), (f64, f64)),
    Nodes(Vec<f64>, Vec<f64>),
}

/// What can be chosen.
#[derive(FromPyObject)]
pub(crate) struct PySettings<'py> {
    #[pyo3(attribute)]
    oversampling: (usize, usize),
    #[pyo3(attribute)]
    shape: (usize, usize),
    #[pyo3(attribute)]
    kappa: Option<f64>,
    #[pyo3(attribute)]
    cutoff: Option<f64>,
    #[pyo3(attribute)]
    field: Option<PyField>,
    #[pyo3(attribute)]
    library: Option<PyRef<'py, PyPsf>>,
    #[pyo3(attribute)]
    knots_per_pixel: Option<usize>,
    #[pyo3(attribute)]
    model_error: Option<f64>,
    #[pyo3(attribute)]
    fit_background: bool,
    #[pyo3(attribute)]
    max_rounds: usize,
    #[pyo3(attribute)]
    accuracy: f64,
    #[pyo3(attribute)]
    with_error: bool,
}

impl PySettings<'_> {
    fn view(&self) -> EpsfSettings<'_> {
        let field = match &self.field {
            None => Field::Constant,
            Some(PyField::Polynomial(degree, centre, scale)) => Field::Polynomial {
                degree: *degree,
                centre: *centre,
                scale: *scale,
            },
            Some(PyField::Nodes(x, y)) => Field::Nodes {
                x: x.clone(),
                y: y.clone(),
            },
        };
        EpsfSettings {
            kappa: self.kappa,
            cutoff: self.cutoff,
            field,
            library: self.library.as_ref().map(|library| library.psf()),
            knots: self.knots_per_pixel,
            model_error: self.model_error,
            with_background: self.fit_background,
            max_rounds: self.max_rounds,
            accuracy: self.accuracy,
            with_error: self.with_error,
            ..EpsfSettings::new(self.shape, self.oversampling)
        }
    }
}

/// Solves for a PSF; see the core's `epsf`.
#[pyfunction]
#[pyo3(signature = (cutouts, settings, *, n_threads=None, progress=None))]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn solve_epsf<'py>(
    py: Python<'py>,
    cutouts: Vec<PyCutout<'py>>,
    settings: PySettings<'py>,
    n_threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
) -> CallResult<Bound<'py, PyDict>> {
    let views = cutouts
        .iter()
        .map(PyCutout::view)
        .collect::<CallResult<Vec<_>>>()?;
    let chosen = settings.view();
    let options = Options::new(n_threads, progress)?;
    let callback = settings.library.as_ref().and_then(|psf| psf.callback());
    let solution = enter_with_psf(py, &options, callback, |run| solve(&views, &chosen, run))?;
    to_dict(py, solution, chosen.shape)
}

fn to_dict(
    py: Python<'_>,
    solution: EpsfSolution,
    shape: (usize, usize),
) -> CallResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    let n_planes = solution.planes.len();
    let stack = |planes: Vec<Vec<f64>>| {
        let values: Vec<f64> = planes.into_iter().flatten().collect();
        values
            .into_pyarray(py)
            .reshape([n_planes, shape.0, shape.1])
    };
    dict.set_item("samples", stack(solution.planes)?)?;
    dict.set_item("error", solution.errors.map(stack).transpose()?)?;
    dict.set_item("nodes", solution.nodes)?;
    let stars = &solution.stars;
    let floats = |value: fn(&psfphot::epsf::StarReport) -> f64| {
        PyArray1::from_iter(py, stars.iter().map(value))
    };
    dict.set_item("x", floats(|s| s.x))?;
    dict.set_item("y", floats(|s| s.y))?;
    dict.set_item("flux", floats(|s| s.flux))?;
    dict.set_item("chi2", floats(|s| s.chi2))?;
    let counts = |value: fn(&psfphot::epsf::StarReport) -> usize| {
        PyArray1::from_iter(py, stars.iter().map(|s| value(s) as i64))
    };
    dict.set_item("n_pixels", counts(|s| s.n_pixels))?;
    dict.set_item("n_rejected", counts(|s| s.n_rejected))?;
    let used = stars.iter().map(|s| s.is_used);
    dict.set_item("is_used", PyArray1::from_iter(py, used))?;
    dict.set_item("converged", solution.has_converged)?;
    dict.set_item("n_rounds", solution.n_rounds)?;
    let rounds = solution.rounds.into_iter().map(|round| {
        let samples = round.samples.into_pyarray(py).reshape([shape.0, shape.1])?;
        let (x, y): (Vec<f64>, Vec<f64>) = round.positions.into_iter().unzip();
        Ok((samples, x.into_pyarray(py), y.into_pyarray(py)))
    });
    dict.set_item("rounds", rounds.collect::<PyResult<Vec<_>>>()?)?;
    dict.set_item("last_change", solution.last_change)?;
    dict.set_item("n_cg", solution.n_steps)?;
    dict.set_item("kappa", solution.kappa)?;
    dict.set_item("held_out", solution.held_out)?;
    dict.set_item("model_error", solution.model_error)?;
    dict.set_item("noise", solution.noise)?;
    dict.set_item("data_slope", solution.data_slope)?;
    dict.set_item("fwhm", solution.fwhm)?;
    let knots = solution.knots;
    dict.set_item("knots_per_pixel", knots)?;
    let phases = solution.phase_counts.iter().map(|&n| n as i64);
    let phases = PyArray1::from_iter(py, phases).reshape([knots, knots])?;
    dict.set_item("phase_counts", phases)?;
    dict.set_item("n_stars", PyArray1::from_vec(py, solution.n_stars))?;
    let aliases = solution.aliases.iter().map(|a| {
        let (x, y) = a.alias.frequency;
        (a.alias.order, x, y, a.value, a.prior, a.posterior)
    });
    dict.set_item("alias", aliases.collect::<Vec<_>>())?;
    Ok(dict)
}
