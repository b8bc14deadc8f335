//! PSF models: made from arrays, evaluated at scattered points.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

use std::sync::Arc;

use numpy::{
    Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, PyReadonlyArray3,
    PyUntypedArrayMethods,
};
use psfphot::image::Pixel;
use psfphot::psf::{
    AiryPrf, AiryPsf, CircularGaussianPrf, CircularGaussianPsf, CircularGaussianSigmaPrf, Domain,
    GaussianPrf, GaussianPsf, GriddedPsf, MoffatPrf, MoffatPsf, PerPoint, Placement, PointSource,
    PolynomialPsf, Psf, SampledPsf, Sampling, Whole, evaluate_points, gradient_points,
};
use psfphot::{Error, Run};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::arrays::{AnyImage, Floats, image};
use crate::callback::CallbackPsf;
use crate::door::{self, Options};
use crate::errors::CallResult;

/// From this many nodes on (about 2 ms) a call goes through the door.
const LONG: usize = 20_000;

/// A PSF of unit flux; immutable.
#[pyclass(frozen, name = "Psf", module = "psfphot._core")]
pub(crate) struct PyPsf {
    kind: Kind,
    /// Nodes at which a profile is evaluated for each point.
    nodes: usize,
}

/// Who evaluates it.
enum Kind {
    Core(Arc<dyn Psf>),
    Python(CallbackPsf),
}

impl PyPsf {
    /// The core's view of it.
    pub(crate) fn psf(&self) -> &dyn Psf {
        match &self.kind {
            Kind::Core(psf) => &**psf,
            Kind::Python(psf) => psf,
        }
    }

    /// The Python object, if it is one.
    pub(crate) fn callback(&self) -> Option<&CallbackPsf> {
        match &self.kind {
            Kind::Core(_) => None,
            Kind::Python(psf) => Some(psf),
        }
    }

    fn core(psf: Arc<dyn Psf>, nodes: usize) -> Self {
        let kind = Kind::Core(psf);
        Self { kind, nodes }
    }
}

/// A stack of images of either pixel type.
#[derive(FromPyObject)]
enum AnyStack<'py> {
    F32(PyReadonlyArray3<'py, f32>),
    F64(PyReadonlyArray3<'py, f64>),
}

/// A parameter: one number, or one for each point.
#[derive(FromPyObject)]
enum Parameter<'py> {
    Same(f64),
    Each(Floats<'py>),
}

impl Parameter<'_> {
    fn view(&self) -> PyResult<PerPoint<'_>> {
        Ok(match self {
            Self::Same(value) => PerPoint::Same(*value),
            Self::Each(values) => PerPoint::Each(values.as_slice()?),
        })
    }
}

fn sampling(oversampling: (f64, f64), origin: Option<(f64, f64)>) -> Sampling {
    let sampling = Sampling::new(oversampling);
    match origin {
        Some(origin) => sampling.with_origin(origin),
        None => sampling,
    }
}

/// The rows of an (N, 2) array.
fn pairs(array: &PyReadonlyArray2<'_, f64>) -> PyResult<Vec<(f64, f64)>> {
    if array.shape()[1] != 2 {
        let message = format!(
            "positions must have the shape (N, 2), got {:?}",
            array.shape()
        );
        return Err(PyValueError::new_err(message));
    }
    let values = array.as_slice()?.chunks_exact(2);
    Ok(values.map(|pair| (pair[0], pair[1])).collect())
}

fn grid<T: Pixel + Element>(
    py: Python<'_>,
    planes: &PyReadonlyArray3<'_, T>,
    positions: &[(f64, f64)],
    sampling: Sampling,
    options: &Options<'_>,
) -> CallResult<GriddedPsf> {
    let shape = (planes.shape()[1], planes.shape()[2]);
    let planes = planes.as_slice()?;
    door::enter(py, options, move |run| {
        GriddedPsf::new(planes, shape, positions, sampling, run)
    })
}

fn polynomial<T: Pixel + Element>(
    py: Python<'_>,
    planes: &PyReadonlyArray3<'_, T>,
    domain: Domain,
    sampling: Sampling,
    options: &Options<'_>,
) -> CallResult<PolynomialPsf> {
    let shape = (planes.shape()[1], planes.shape()[2]);
    let planes = planes.as_slice()?;
    door::enter(py, options, move |run| {
        PolynomialPsf::new(planes, shape, domain, sampling, run)
    })
}

/// `None` where there is no such model of so many shape parameters.
fn analytic(kind: &str, shape: &[f64], n_nodes: usize) -> Result<Option<Arc<dyn Psf>>, Error> {
    Ok(Some(match (kind, shape) {
        ("GaussianPSF", &[x, y, theta]) => Arc::new(GaussianPsf::new(x, y, theta)?),
        ("GaussianPRF", &[x, y, theta]) => Arc::new(GaussianPrf::new(x, y, theta)?),
        ("CircularGaussianPSF", &[fwhm]) => Arc::new(CircularGaussianPsf::new(fwhm)?),
        ("CircularGaussianPRF", &[fwhm]) => Arc::new(CircularGaussianPrf::new(fwhm)?),
        ("CircularGaussianSigmaPRF", &[sigma]) => Arc::new(CircularGaussianSigmaPrf::new(sigma)?),
        ("MoffatPSF", &[alpha, beta]) => Arc::new(MoffatPsf::new(alpha, beta)?),
        ("MoffatPRF", &[alpha, beta]) => {
            Arc::new(MoffatPrf::new(alpha, beta)?.with_nodes(n_nodes)?)
        }
        ("AiryDiskPSF", &[radius]) => Arc::new(AiryPsf::new(radius)?),
        ("AiryDiskPRF", &[radius]) => Arc::new(AiryPrf::new(radius)?.with_nodes(n_nodes)?),
        _ => return Ok(None),
    }))
}

/// Few points on the spot, many through the door.
fn at_points<T: Send>(
    py: Python<'_>,
    psf: &PyPsf,
    points: usize,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> CallResult<T> {
    if points.saturating_mul(psf.nodes) < LONG && psf.callback().is_none() {
        return Ok(work()?);
    }
    let options = Options::new(Some(1), None)?;
    door::enter_with_psf(py, &options, psf.callback(), move |_: Run<'_>| work())
}

#[pymethods]
impl PyPsf {
    /// One oversampled image.
    #[staticmethod]
    #[pyo3(signature = (data, oversampling, origin=None))]
    fn sampled(
        data: AnyImage<'_>,
        oversampling: (f64, f64),
        origin: Option<(f64, f64)>,
    ) -> CallResult<Self> {
        let sampling = sampling(oversampling, origin);
        let psf = match &data {
            AnyImage::F32(data) => SampledPsf::new(image(data)?, sampling)?,
            AnyImage::F64(data) => SampledPsf::new(image(data)?, sampling)?,
        };
        Ok(Self::core(Arc::new(psf), 1))
    }

    /// Images at the nodes of a rectangular grid of (x, y) positions.
    #[staticmethod]
    #[pyo3(signature = (data, positions, oversampling, origin=None, n_threads=None,
        part_of=None))]
    fn gridded(
        py: Python<'_>,
        data: AnyStack<'_>,
        positions: PyReadonlyArray2<'_, f64>,
        oversampling: (f64, f64),
        origin: Option<(f64, f64)>,
        n_threads: Option<usize>,
        part_of: Option<((usize, usize), (usize, usize))>,
    ) -> CallResult<Self> {
        let sampling = sampling(oversampling, origin);
        let options = Options::new(n_threads, None)?;
        let positions = pairs(&positions)?;
        let whole = part_of.map(|(origin, shape)| Whole { origin, shape });
        let psf = match &data {
            AnyStack::F32(data) => grid(py, data, &positions, sampling, &options)?,
            AnyStack::F64(data) => grid(py, data, &positions, sampling, &options)?,
        };
        Ok(Self::core(Arc::new(psf.with_whole(whole)), 1))
    }

    /// Images that are the coefficients of a polynomial of the position, which
    /// is (x, y) less `center`, divided by `scale`.
    #[staticmethod]
    #[pyo3(signature = (data, center, scale, oversampling, origin=None, n_threads=None))]
    fn polynomial(
        py: Python<'_>,
        data: AnyStack<'_>,
        center: (f64, f64),
        scale: (f64, f64),
        oversampling: (f64, f64),
        origin: Option<(f64, f64)>,
        n_threads: Option<usize>,
    ) -> CallResult<Self> {
        let sampling = sampling(oversampling, origin);
        let options = Options::new(n_threads, None)?;
        let domain = Domain::new(center, scale)?;
        let psf = match &data {
            AnyStack::F32(data) => polynomial(py, data, domain, sampling, &options)?,
            AnyStack::F64(data) => polynomial(py, data, domain, sampling, &options)?,
        };
        Ok(Self::core(Arc::new(psf), 1))
    }

    /// A model by the name of its Python class, of the given shape; `n_nodes`
    /// is that of the models that are integrated by nodes.
    #[staticmethod]
    #[pyo3(signature = (kind, shape, n_nodes=9))]
    fn analytic(kind: &str, shape: Vec<f64>, n_nodes: usize) -> CallResult<Self> {
        let psf = analytic(kind, &shape, n_nodes)?;
        let is_integrated = matches!(kind, "MoffatPRF" | "AiryDiskPRF");
        let nodes = if is_integrated { n_nodes * n_nodes } else { 1 };
        let psf = psf.map(|psf| Self::core(psf, nodes));
        psf.ok_or_else(|| {
            let message = format!("there is no {kind} with the shape {shape:?}");
            PyValueError::new_err(message).into()
        })
    }

    /// A Python object; see [`CallbackPsf`]. `shape` holds the starting values
    /// of its shape parameters.
    #[staticmethod]
    fn callback_model(model: Py<PyAny>, shape: Vec<f64>) -> PyResult<Self> {
        let kind = Kind::Python(CallbackPsf::new(model, shape)?);
        Ok(Self { kind, nodes: 1 })
    }

    /// Names of the parameters besides flux, position x and position y.
    #[getter]
    fn shape_names(&self) -> Vec<&'static str> {
        self.psf().shape_names().to_vec()
    }

    /// Flux times the PSF at the points (x, y); the parameters are flux,
    /// position x, position y and the shape, each a number or one per point.
    #[pyo3(signature = (x, y, *parameters))]
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        x: Floats<'py>,
        y: Floats<'py>,
        parameters: Vec<Parameter<'py>>,
    ) -> CallResult<Bound<'py, PyArray1<f64>>> {
        let source = point_source(&parameters)?;
        let (xs, ys, psf) = (x.as_slice()?, y.as_slice()?, self.psf());
        let values = at_points(py, self, xs.len(), || evaluate_points(psf, xs, ys, &source))?;
        Ok(PyArray1::from_vec(py, values))
    }

    /// The derivatives by each parameter, one row each.
    #[pyo3(signature = (x, y, *parameters))]
    fn gradient<'py>(
        &self,
        py: Python<'py>,
        x: Floats<'py>,
        y: Floats<'py>,
        parameters: Vec<Parameter<'py>>,
    ) -> CallResult<Bound<'py, PyArray2<f64>>> {
        let source = point_source(&parameters)?;
        let (xs, ys, psf) = (x.as_slice()?, y.as_slice()?, self.psf());
        let planes = at_points(py, self, xs.len(), || gradient_points(psf, xs, ys, &source))?;
        let rows = 3 + psf.shape_names().len();
        Ok(PyArray1::from_vec(py, planes).reshape([rows, xs.len()])?)
    }

    /// The pixels of the support: first column, end of columns, first row, end
    /// of rows; the ends are not part of it.
    fn support(&self, x_0: f64, y_0: f64) -> (i64, i64, i64, i64) {
        let support = self.psf().support(Placement {
            x: x_0,
            y: y_0,
            shape: &[],
        });
        (support.x0, support.x1, support.y0, support.y1)
    }
}

fn point_source<'a>(parameters: &'a [Parameter<'_>]) -> PyResult<PointSource<'a>> {
    let [flux, x, y, shape @ ..] = parameters else {
        return Err(PyTypeError::new_err(
            "the parameters are flux, position x, position y and the shape",
        ));
    };
    Ok(PointSource {
        flux: flux.view()?,
        x: x.view()?,
        y: y.view()?,
        shape: shape.iter().map(Parameter::view).collect::<PyResult<_>>()?,
    })
}
