//! Backgrounds of whole images.

use numpy::ndarray::Array2;
use numpy::{Element, IntoPyArray, PyArray2, PyReadonlyArray2};
use psfphot::background::mesh::{
    self, BoxSettings, BoxStatistics, DistanceWeights, ResidualBackground, ResidualSettings, Sheet,
};
use psfphot::image::Pixel;
use pyo3::prelude::*;

use super::{NamedClip, NamedLevel, clip_named, level_named, scatter_named, unknown};
use crate::arrays::{AnyImage, frame, image, with_frame};
use crate::door::{self, Options};

type Plane<'py, T> = Bound<'py, PyArray2<T>>;

/// Level, scatter and number of pixels in each box.
type Meshes<'py> = (Plane<'py, f64>, Plane<'py, f64>, Plane<'py, i64>);

/// Coefficients of level and scatter, the limits of the scatter, and the meshes.
type Sheets<'py> = (Plane<'py, f64>, Plane<'py, f64>, (f64, f64), Meshes<'py>);

/// Of distance weights: `n_neighbors`, `power`, `regularization`, `leafsize`.
type NamedWeights = (usize, f64, f64, usize);

/// Statistics in boxes; see the core's `box_statistics`.
#[pyfunction]
#[pyo3(signature = (data, mask, box_shape, level, scatter, clip, *, n_threads=None))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn box_statistics<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    box_shape: (usize, usize),
    level: NamedLevel,
    scatter: NamedLevel,
    clip: Option<NamedClip>,
    n_threads: Option<usize>,
) -> PyResult<Meshes<'py>> {
    let frame = frame(&data, None, mask.as_ref())?;
    let settings = box_settings(&level, &scatter, clip)?;
    let options = Options::new(n_threads, None)?;
    let statistics = with_frame!(frame, frame => door::enter(py, &options, move |run| {
        mesh::box_statistics(frame, box_shape, &settings, run)
    }))?;
    meshes(py, statistics)
}

/// Nodes with those excluded filled; see the core's `fill_nodes`.
#[pyfunction]
#[pyo3(signature = (nodes, excluded, *, n_threads=None))]
pub(crate) fn fill_nodes<'py>(
    py: Python<'py>,
    nodes: PyReadonlyArray2<'py, f64>,
    excluded: PyReadonlyArray2<'py, bool>,
    n_threads: Option<usize>,
) -> PyResult<Plane<'py, f64>> {
    let (nodes, excluded) = (image(&nodes)?, excluded.as_slice()?);
    let options = Options::new(n_threads, None)?;
    let filled = door::enter(py, &options, move |run| {
        mesh::fill_nodes(nodes, excluded, &DistanceWeights::default(), run)
    })?;
    plane(py, nodes.shape(), filled)
}

/// See the core's `median_filter`.
#[pyfunction]
#[pyo3(signature = (nodes, window, *, n_threads=None))]
pub(crate) fn median_filter<'py>(
    py: Python<'py>,
    nodes: PyReadonlyArray2<'py, f64>,
    window: (usize, usize),
    n_threads: Option<usize>,
) -> PyResult<Plane<'py, f64>> {
    let nodes = image(&nodes)?;
    let options = Options::new(n_threads, None)?;
    let filtered = door::enter(py, &options, move |run| {
        mesh::median_filter(nodes, window, run)
    })?;
    plane(py, nodes.shape(), filtered)
}

/// Nodes interpolated to all pixels by a spline; see the core's `zoom`.
#[pyfunction]
#[pyo3(signature = (nodes, box_shape, shape, clip, dtype, *, n_threads=None))]
pub(crate) fn zoom_nodes<'py>(
    py: Python<'py>,
    nodes: PyReadonlyArray2<'py, f64>,
    box_shape: (usize, usize),
    shape: (usize, usize),
    clip: bool,
    dtype: &str,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let nodes = image(&nodes)?;
    let options = Options::new(n_threads, None)?;
    match dtype {
        "float32" => {
            let zoomed = door::enter(py, &options, move |run| {
                mesh::zoom::<f32>(nodes, box_shape, shape, clip, run)
            })?;
            Ok(plane(py, shape, zoomed)?.into_any())
        }
        "float64" => {
            let zoomed = door::enter(py, &options, move |run| {
                mesh::zoom::<f64>(nodes, box_shape, shape, clip, run)
            })?;
            Ok(plane(py, shape, zoomed)?.into_any())
        }
        other => Err(unknown("dtype", other)),
    }
}

/// Nodes interpolated to all pixels by their distances; see the core's
/// `interpolate_nodes`.
#[pyfunction]
#[pyo3(signature = (nodes, excluded, box_shape, shape, weights, *, n_threads=None))]
pub(crate) fn interpolate_nodes<'py>(
    py: Python<'py>,
    nodes: PyReadonlyArray2<'py, f64>,
    excluded: PyReadonlyArray2<'py, bool>,
    box_shape: (usize, usize),
    shape: (usize, usize),
    weights: NamedWeights,
    n_threads: Option<usize>,
) -> PyResult<Plane<'py, f64>> {
    let (nodes, excluded) = (image(&nodes)?, excluded.as_slice()?);
    let weights = DistanceWeights {
        n_neighbors: weights.0,
        power: weights.1,
        regularization: weights.2,
        leaf_size: weights.3,
    };
    let options = Options::new(n_threads, None)?;
    let values = door::enter(py, &options, move |run| {
        mesh::interpolate_nodes(nodes, excluded, box_shape, shape, &weights, run)
    })?;
    plane(py, shape, values)
}

/// The core's [`ResidualSettings`].
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct PyResidualSettings {
    box_shape: (usize, usize),
    level: NamedLevel,
    scatter: NamedLevel,
    clip: Option<NamedClip>,
    highest_degree: usize,
    rounds: usize,
    fwhm: Option<f64>,
    threshold: f64,
}

impl PyResidualSettings {
    fn core(self) -> PyResult<ResidualSettings> {
        Ok(ResidualSettings {
            box_shape: self.box_shape,
            statistics: box_settings(&self.level, &self.scatter, self.clip)?,
            highest_degree: self.highest_degree,
            rounds: self.rounds,
            fwhm: self.fwhm,
            threshold: self.threshold,
        })
    }
}

/// See the core's `residual_background`: background, noise, the three meshes,
/// the boxes excluded, the surface's degree and the sources.
#[pyfunction]
#[pyo3(signature = (data, mask, settings, *, n_threads=None))]
pub(crate) fn residual_background<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    settings: PyResidualSettings,
    n_threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let frame = frame(&data, None, mask.as_ref())?;
    let settings = settings.core()?;
    let options = Options::new(n_threads, None)?;
    with_frame!(frame, frame => {
        let background = door::enter(py, &options, move |run| {
            mesh::residual_background(frame, &settings, run)
        })?;
        residual_to_python(py, frame.data().shape(), background)
    })
}

fn residual_to_python<T: Pixel + Element>(
    py: Python<'_>,
    shape: (usize, usize),
    background: ResidualBackground<T>,
) -> PyResult<Bound<'_, PyAny>> {
    let excluded = plane(py, background.mesh.shape, background.excluded)?;
    let sources = background
        .sources
        .map(|mask| plane(py, shape, mask))
        .transpose()?;
    let all = (
        plane(py, shape, background.level)?,
        plane(py, shape, background.scatter)?,
        meshes(py, background.mesh)?,
        excluded,
        background.degree,
        sources,
    );
    Ok(all.into_pyobject(py)?.into_any())
}

/// See the core's `residual_sheets`: the coefficients of background and noise, the
/// limits of the noise, and its meshes.
#[pyfunction]
#[pyo3(signature = (data, mask, settings, *, n_threads=None))]
pub(crate) fn residual_sheets<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    settings: PyResidualSettings,
    n_threads: Option<usize>,
) -> PyResult<Sheets<'py>> {
    let frame = frame(&data, None, mask.as_ref())?;
    let settings = settings.core()?;
    let options = Options::new(n_threads, None)?;
    let sheets = with_frame!(frame, frame => door::enter(py, &options, move |run| {
        mesh::residual_sheets(frame, &settings, run)
    })?);
    let coefficients = |sheet: Sheet| {
        let (values, shape) = sheet.into_coefficients();
        plane(py, shape, values)
    };
    Ok((
        coefficients(sheets.level)?,
        coefficients(sheets.scatter)?,
        sheets.limits,
        meshes(py, sheets.mesh)?,
    ))
}

/// See the core's `Sheet::window`.
#[pyfunction]
#[pyo3(signature = (coefficients, shape, rows, columns, limits, *, n_threads=None))]
pub(crate) fn sheet_window<'py>(
    py: Python<'py>,
    coefficients: PyReadonlyArray2<'py, f64>,
    shape: (usize, usize),
    rows: (usize, usize),
    columns: (usize, usize),
    limits: (f64, f64),
    n_threads: Option<usize>,
) -> PyResult<Plane<'py, f64>> {
    let coefficients = image(&coefficients)?;
    let options = Options::new(n_threads, None)?;
    let (rows, columns) = (rows.0..rows.1, columns.0..columns.1);
    let of_window = (rows.len(), columns.len());
    let values = door::enter(py, &options, move |run| {
        Sheet::of_coefficients(coefficients)?.window(shape, (rows, columns), limits, run)
    })?;
    plane(py, of_window, values)
}

/// See the core's `flat_blocks`.
#[pyfunction]
#[pyo3(signature = (data, side, limit, *, n_threads=None))]
pub(crate) fn flat_blocks<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    side: usize,
    limit: f64,
    n_threads: Option<usize>,
) -> PyResult<Plane<'py, bool>> {
    let frame = frame(&data, None, None)?;
    let options = Options::new(n_threads, None)?;
    with_frame!(frame, frame => {
        let image = frame.data();
        let flat = door::enter(py, &options, move |run| {
            mesh::flat_blocks(image, side, limit, run)
        })?;
        plane(py, image.shape(), flat)
    })
}

fn box_settings(
    level: &NamedLevel,
    scatter: &NamedLevel,
    clip: Option<NamedClip>,
) -> PyResult<BoxSettings> {
    Ok(BoxSettings {
        clip: clip.map(clip_named).transpose()?,
        level: level_named(&level.0, &level.1)?,
        scatter: scatter_named(&scatter.0, &scatter.1)?,
    })
}

fn meshes(py: Python<'_>, statistics: BoxStatistics) -> PyResult<Meshes<'_>> {
    let shape = statistics.shape;
    let numbers = statistics.n_pixels.into_iter().map(|n| n as i64).collect();
    Ok((
        plane(py, shape, statistics.level)?,
        plane(py, shape, statistics.scatter)?,
        plane(py, shape, numbers)?,
    ))
}

/// An array that takes over the values.
fn plane<T: Element>(
    py: Python<'_>,
    shape: (usize, usize),
    values: Vec<T>,
) -> PyResult<Plane<'_, T>> {
    let array = Array2::from_shape_vec(shape, values)
        .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
    Ok(array.into_pyarray(py))
}
