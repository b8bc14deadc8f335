//! The score of new stars in a residual image.

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use psfphot::detect::{
    Acceptance, BlockWidth, ProjectedScore, Score, ScoreWidth, block_edges, measured_fwhm,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{AnyFrame, AnyImage, frame, with_frame};
use crate::door::{Options, enter_with_psf};
use crate::errors::CallResult;
use crate::psf::PyPsf;

/// A residual image, and the stars that were fitted and subtracted.
#[derive(FromPyObject)]
pub(crate) struct Residual<'py> {
    #[pyo3(attribute)]
    data: AnyImage<'py>,
    #[pyo3(attribute)]
    error: AnyImage<'py>,
    #[pyo3(attribute)]
    mask: Option<PyReadonlyArray2<'py, bool>>,
    #[pyo3(attribute)]
    pub(crate) psf: PyRef<'py, PyPsf>,
    #[pyo3(attribute)]
    pub(crate) x: PyReadonlyArray1<'py, f64>,
    #[pyo3(attribute)]
    pub(crate) y: PyReadonlyArray1<'py, f64>,
    #[pyo3(attribute)]
    reach: Option<f64>,
    #[pyo3(attribute)]
    fwhm: Option<f64>,
    #[pyo3(attribute)]
    pub(crate) n_threads: Option<usize>,
}

impl Residual<'_> {
    /// The pixels, with their errors and mask.
    pub(crate) fn frame(&self) -> CallResult<AnyFrame<'_>> {
        frame(&self.data, Some(&self.error), self.mask.as_ref())
    }

    fn score(&self) -> CallResult<ProjectedScore<'_>> {
        let score = ProjectedScore::new(self.psf.psf(), self.x.as_slice()?, self.y.as_slice()?)?;
        Ok(score.with_reach(self.reach).with_fwhm(self.fwhm))
    }
}

/// Evaluates one expression of the score, the frame and the run behind the door.
macro_rules! scored {
    ($py:expr, $residual:expr, |$score:ident, $frame:ident, $run:ident| $body:expr) => {{
        let residual = &$residual;
        let $frame = residual.frame()?;
        let $score = residual.score()?;
        let options = Options::new(residual.n_threads, None)?;
        enter_with_psf($py, &options, residual.psf.callback(), |$run| {
            with_frame!($frame, $frame => $body)
        })
    }};
}

type Map<'py> = Bound<'py, PyArray2<f32>>;
type Column<'py> = Bound<'py, PyArray1<f64>>;

/// z and q at each pixel.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn score_maps<'py>(
    py: Python<'py>,
    residual: Residual<'py>,
) -> CallResult<(Map<'py>, Map<'py>)> {
    let (shape, maps) = scored!(py, residual, |score, frame, run| {
        score
            .maps(frame, run)
            .map(|maps| (frame.data().shape(), maps))
    })?;
    let shape = [shape.0, shape.1];
    Ok((
        maps.z.into_pyarray(py).reshape(shape)?,
        maps.q.into_pyarray(py).reshape(shape)?,
    ))
}

/// The scores of given places, as columns.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn scores_at<'py>(
    py: Python<'py>,
    residual: Residual<'py>,
    places: Vec<(f64, f64)>,
) -> CallResult<Bound<'py, PyDict>> {
    let scores = scored!(py, residual, |score, frame, run| score
        .at(frame, &places, run))?;
    columns(py, &scores)
}

/// The width of the score in blocks of an image.
#[pyclass(name = "ScoreWidth", module = "psfphot._core", frozen)]
pub(crate) struct PyScoreWidth(ScoreWidth);

#[pymethods]
impl PyScoreWidth {
    /// The widths of all blocks of an image, row by row, and the medians of weights; the
    /// numbers of blocks along y and x, and of pixels.
    #[new]
    #[allow(clippy::needless_pass_by_value)] // Python's call
    fn new(
        widths: PyReadonlyArray1<'_, f64>,
        weights: PyReadonlyArray1<'_, f64>,
        n_blocks: (usize, usize),
        shape: (usize, usize),
    ) -> CallResult<Self> {
        let blocks: Vec<BlockWidth> = (widths.as_slice()?.iter())
            .zip(weights.as_slice()?)
            .map(|(&width, &weight)| BlockWidth { width, weight })
            .collect();
        Ok(Self(ScoreWidth::of_blocks(&blocks, n_blocks, shape)?))
    }

    /// The same for positions in a window whose first pixel is at (x, y).
    fn seen_from(&self, x: f64, y: f64) -> Self {
        Self(self.0.clone().seen_from(x, y))
    }

    /// The median width of the blocks.
    #[getter]
    fn typical(&self) -> f64 {
        self.0.typical()
    }
}

/// Where the blocks of a side of so many pixels begin and end.
#[pyfunction]
pub(crate) fn score_block_edges(side: usize, fwhm: f64) -> Vec<usize> {
    block_edges(side, fwhm)
}

/// The width of the score in each block between edges, row by row, and the median weight.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn measure_score_blocks<'py>(
    py: Python<'py>,
    residual: Residual<'py>,
    rows: Vec<usize>,
    columns: Vec<usize>,
) -> CallResult<(Column<'py>, Column<'py>)> {
    let blocks = scored!(py, residual, |score, frame, run| score.widths(
        frame,
        (&rows, &columns),
        run
    ))?;
    let (widths, weights) = blocks
        .iter()
        .map(|block| (block.width, block.weight))
        .unzip();
    Ok((
        PyArray1::from_vec(py, widths),
        PyArray1::from_vec(py, weights),
    ))
}

/// The new stars, as columns.
#[pyfunction]
#[pyo3(signature = (residual, *, n_sigma, min_q, min_distance, min_separation, is_scaled,
    width=None))]
#[allow(clippy::needless_pass_by_value)] // Python's call
#[allow(clippy::too_many_arguments)] // Python's call
pub(crate) fn search_score<'py>(
    py: Python<'py>,
    residual: Residual<'py>,
    n_sigma: f64,
    min_q: f64,
    min_distance: f64,
    min_separation: f64,
    is_scaled: bool,
    width: Option<PyRef<'py, PyScoreWidth>>,
) -> CallResult<Bound<'py, PyDict>> {
    let known = width.as_ref().map(|width| &width.0);
    let accept = Acceptance {
        n_sigma,
        min_q,
        min_distance,
        min_separation,
        is_scaled,
    };
    let scores = scored!(py, residual, |score, frame, run| score
        .search_by(frame, &accept, known, run))?;
    columns(py, &scores)
}

/// By what factor each star's error is too small, the largest score of another beside
/// it, and the typical width of the score.
#[pyfunction]
#[pyo3(signature = (residual, width=None))]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn measure_confusion<'py>(
    py: Python<'py>,
    residual: Residual<'py>,
    width: Option<PyRef<'py, PyScoreWidth>>,
) -> CallResult<(Column<'py>, Column<'py>, f64)> {
    let known = width.as_ref().map(|width| &width.0);
    let found = scored!(py, residual, |score, frame, run| score
        .confusion(frame, known, run))?;
    let [factor, companion] =
        [found.factor, found.companion].map(|values| PyArray1::from_vec(py, values));
    Ok((factor, companion, found.typical))
}

/// The largest score of another star beside each.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn companion_scores<'py>(
    py: Python<'py>,
    residual: Residual<'py>,
) -> CallResult<Column<'py>> {
    let found = scored!(py, residual, |score, frame, run| score
        .companions(frame, run))?;
    Ok(PyArray1::from_vec(py, found))
}

/// The full width at half maximum of a PSF at (x, y), pixels.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn psf_fwhm(py: Python<'_>, psf: PyRef<'_, PyPsf>, x: f64, y: f64) -> CallResult<f64> {
    let options = Options::new(Some(1), None)?;
    let model = psf.psf();
    enter_with_psf(py, &options, psf.callback(), |_| {
        measured_fwhm(model, (x, y))
    })
}

fn columns<'py>(py: Python<'py>, scores: &[Score]) -> CallResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let add = |name: &str, of: &dyn Fn(&Score) -> f64| {
        let values: Vec<f64> = scores.iter().map(of).collect();
        dict.set_item(name, PyArray1::from_vec(py, values))
    };
    add("x", &|s| s.x)?;
    add("y", &|s| s.y)?;
    add("z", &|s| s.z)?;
    add("q", &|s| s.q)?;
    add("flux", &|s| s.flux)?;
    add("width", &|s| s.width)?;
    add("distance", &|s| s.nearest.map_or(f64::INFINITY, |n| n.1))?;
    let nearest: Vec<i64> = scores
        .iter()
        .map(|s| s.nearest.map_or(-1, |n| n.0 as i64))
        .collect();
    dict.set_item("nearest", PyArray1::from_vec(py, nearest))?;
    Ok(dict)
}
