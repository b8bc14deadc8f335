//! The star finders.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray2};
use psfphot::Run;
use psfphot::detect::{Found, IrafFinder, IrafSource, Threshold};
use psfphot::image::{Frame, Pixel};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{AnyImage, frame, image, with_frame};
use crate::door::{Options, enter};

/// A threshold for all pixels, or one for each.
#[derive(FromPyObject)]
pub(crate) enum AnyThreshold<'py> {
    /// One for each pixel.
    Map(PyReadonlyArray2<'py, f64>),
    /// The same for all.
    Scalar(f64),
}

/// `IRAFStarFinder`: the columns of the sources by name, and the number of
/// positions that could be measured.
#[pyfunction]
#[pyo3(signature = (
    data, mask, threshold, positions, *, fwhm, sigma_radius, min_separation, exclude_border,
    sharpness_range, roundness_range, peak_max, n_brightest, min_n_pixels, n_threads
))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // Python's call
pub(crate) fn find_iraf_stars<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    threshold: AnyThreshold<'py>,
    positions: Option<Vec<(f64, f64)>>,
    fwhm: f64,
    sigma_radius: f64,
    min_separation: Option<f64>,
    exclude_border: bool,
    sharpness_range: Option<(f64, f64)>,
    roundness_range: Option<(f64, f64)>,
    peak_max: Option<f64>,
    n_brightest: Option<usize>,
    min_n_pixels: usize,
    n_threads: Option<usize>,
) -> PyResult<(Bound<'py, PyDict>, usize)> {
    let finder = IrafFinder::new(fwhm)
        .with_sigma_radius(sigma_radius)
        .with_min_separation(min_separation)
        .with_exclude_border(exclude_border)
        .with_sharpness_range(sharpness_range)
        .with_roundness_range(roundness_range)
        .with_peak_max(peak_max)
        .with_n_brightest(n_brightest)
        .with_min_n_pixels(min_n_pixels);
    let threshold = match &threshold {
        AnyThreshold::Map(map) => Threshold::Map(image(map)?),
        AnyThreshold::Scalar(value) => Threshold::Scalar(*value),
    };
    let frame = frame(&data, None, mask.as_ref())?;
    let positions = positions.as_deref();
    let options = Options::new(n_threads, None)?;
    let found = enter(
        py,
        &options,
        |run| with_frame!(frame, frame => search(&finder, frame, threshold, positions, run)),
    )?;
    Ok((columns(py, &found.sources)?, found.n_measured))
}

fn search<T: Pixel>(
    finder: &IrafFinder,
    frame: &Frame<'_, T>,
    threshold: Threshold<'_>,
    positions: Option<&[(f64, f64)]>,
    run: Run<'_>,
) -> Result<Found<IrafSource>, psfphot::Error> {
    match positions {
        Some(positions) => finder.measure(frame, positions, run),
        None => finder.find(frame, threshold, run),
    }
}

fn columns<'py>(py: Python<'py>, sources: &[IrafSource]) -> PyResult<Bound<'py, PyDict>> {
    let floats = |value: fn(&IrafSource) -> f64| -> Bound<'py, PyArray1<f64>> {
        sources
            .iter()
            .map(value)
            .collect::<Vec<_>>()
            .into_pyarray(py)
    };
    let n_pixels: Vec<i64> = sources.iter().map(|s| s.n_pixels as i64).collect();
    let columns = PyDict::new(py);
    columns.set_item("x_centroid", floats(|s| s.x))?;
    columns.set_item("y_centroid", floats(|s| s.y))?;
    columns.set_item("fwhm", floats(|s| s.fwhm))?;
    columns.set_item("sharpness", floats(|s| s.sharpness))?;
    columns.set_item("roundness", floats(|s| s.roundness))?;
    columns.set_item("orientation", floats(|s| s.orientation))?;
    columns.set_item("n_pixels", n_pixels.into_pyarray(py))?;
    columns.set_item("peak", floats(|s| s.peak))?;
    columns.set_item("flux", floats(|s| s.flux))?;
    columns.set_item("mag", floats(IrafSource::magnitude))?;
    Ok(columns)
}
