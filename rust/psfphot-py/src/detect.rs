//! The star finders.

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2};
use psfphot::Run;
use psfphot::detect::{
    CosmicRays, DaoFinder, DaoSource, Found, IrafFinder, IrafSource, Kernel, MatchedFinder,
    MatchedSource, Neighbourhood, Peak, PeakSearch, Selection, Star, StarFinder, Threshold,
};
use psfphot::image::{Frame, Pixel};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{AnyFrame, AnyImage, frame, image, with_frame};
use crate::door::{Options, enter, enter_with_psf};
use crate::errors::CallResult;
use crate::psf::PyPsf;

type Range = Option<(f64, f64)>;
type Positions = Option<Vec<(f64, f64)>>;
type Map<'py> = Bound<'py, PyArray2<f64>>;
type Indices<'py> = Bound<'py, PyArray1<i64>>;

/// A threshold for all pixels, or one for each.
#[derive(FromPyObject)]
pub(crate) enum AnyThreshold<'py> {
    /// One for each pixel.
    Map(PyReadonlyArray2<'py, f64>),
    /// The same for all.
    Scalar(f64),
}

impl AnyThreshold<'_> {
    fn view(&self) -> CallResult<Threshold<'_>> {
        Ok(match self {
            Self::Map(map) => Threshold::Map(image(map)?),
            Self::Scalar(value) => Threshold::Scalar(*value),
        })
    }
}

/// The image, and what of it is searched.
#[derive(FromPyObject)]
pub(crate) struct Scene<'py> {
    #[pyo3(attribute)]
    data: AnyImage<'py>,
    #[pyo3(attribute)]
    mask: Option<PyReadonlyArray2<'py, bool>>,
    #[pyo3(attribute)]
    threshold: AnyThreshold<'py>,
    #[pyo3(attribute)]
    min_separation: Option<f64>,
    #[pyo3(attribute)]
    exclude_border: bool,
    #[pyo3(attribute)]
    peak_max: Option<f64>,
    #[pyo3(attribute)]
    n_brightest: Option<usize>,
    #[pyo3(attribute)]
    n_threads: Option<usize>,
}

impl Scene<'_> {
    fn frame(&self) -> CallResult<AnyFrame<'_>> {
        frame(&self.data, None, self.mask.as_ref())
    }

    fn selection(&self) -> Selection {
        Selection::new()
            .with_min_separation(self.min_separation)
            .with_exclude_border(self.exclude_border)
            .with_peak_max(self.peak_max)
            .with_n_brightest(self.n_brightest)
    }

    fn options(&self) -> PyResult<Options<'_>> {
        Options::new(self.n_threads, None)
    }
}

/// The columns of the sources by name, and the number of positions that could
/// be measured.
type Answer<'py> = CallResult<(Bound<'py, PyDict>, usize)>;

/// `IRAFStarFinder`.
#[pyfunction]
#[pyo3(signature = (
    scene, positions, *, fwhm, sigma_radius, sharpness_range, roundness_range, min_n_pixels
))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // Python's call
pub(crate) fn find_iraf_stars<'py>(
    py: Python<'py>,
    scene: Scene<'py>,
    positions: Positions,
    fwhm: f64,
    sigma_radius: f64,
    sharpness_range: Range,
    roundness_range: Range,
    min_n_pixels: usize,
) -> Answer<'py> {
    let finder = IrafFinder::new(fwhm)
        .with_sigma_radius(sigma_radius)
        .with_selection(scene.selection())
        .with_sharpness_range(sharpness_range)
        .with_roundness_range(roundness_range)
        .with_min_n_pixels(min_n_pixels);
    let (frame, threshold) = (scene.frame()?, scene.threshold.view()?);
    let positions = positions.as_deref();
    let options = scene.options()?;
    let found = enter(py, &options, |run| {
        with_frame!(frame, frame => match positions {
            Some(positions) => finder.measure(frame, positions, run),
            None => finder.find(frame, threshold, run),
        })
    })?;
    let columns = Columns::new(py, &found.sources);
    columns.add("x_centroid", |s| s.x)?;
    columns.add("y_centroid", |s| s.y)?;
    columns.add("fwhm", |s| s.fwhm)?;
    columns.add("sharpness", |s| s.sharpness)?;
    columns.add("roundness", |s| s.roundness)?;
    columns.add("orientation", |s| s.orientation)?;
    columns.add("n_pixels", |s| s.n_pixels as i64)?;
    columns.add("peak", |s| s.peak)?;
    columns.add("flux", |s| s.flux)?;
    columns.add("mag", IrafSource::magnitude)?;
    Ok((columns.dict, found.n_measured))
}

/// `DAOStarFinder`.
#[pyfunction]
#[pyo3(signature = (
    scene, positions, *, fwhm, ratio, theta, sigma_radius, scale_threshold, sharpness_range,
    roundness_range
))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // Python's call
pub(crate) fn find_dao_stars<'py>(
    py: Python<'py>,
    scene: Scene<'py>,
    positions: Positions,
    fwhm: f64,
    ratio: f64,
    theta: f64,
    sigma_radius: f64,
    scale_threshold: bool,
    sharpness_range: Range,
    roundness_range: Range,
) -> Answer<'py> {
    let finder = DaoFinder::new(fwhm)
        .with_ellipse(ratio, theta)
        .with_sigma_radius(sigma_radius)
        .with_selection(scene.selection())
        .with_scale_threshold(scale_threshold)
        .with_sharpness_range(sharpness_range)
        .with_roundness_range(roundness_range);
    let (frame, threshold) = (scene.frame()?, scene.threshold.view()?);
    let positions = positions.as_deref();
    let options = scene.options()?;
    let found = enter(py, &options, |run| {
        with_frame!(frame, frame => match positions {
            Some(positions) => finder.measure(frame, threshold, positions, run),
            None => finder.find(frame, threshold, run),
        })
    })?;
    let columns = Columns::new(py, &found.sources);
    columns.add("x_centroid", |s| s.x)?;
    columns.add("y_centroid", |s| s.y)?;
    columns.add("sharpness", |s| s.sharpness)?;
    columns.add("roundness1", |s| s.roundness1)?;
    columns.add("roundness2", |s| s.roundness2)?;
    columns.add("n_pixels", |s| s.n_pixels as i64)?;
    columns.add("peak", |s| s.peak)?;
    columns.add("flux", |s| s.flux)?;
    columns.add("mag", DaoSource::magnitude)?;
    columns.add("daofind_mag", |s| s.daofind_magnitude)?;
    Ok((columns.dict, found.n_measured))
}

/// The kernel of `DAOStarFinder`: its values, its footprint, and the noise of the
/// convolved image over that of a pixel.
#[pyfunction]
pub(crate) fn gaussian_kernel(
    py: Python<'_>,
    fwhm: f64,
    ratio: f64,
    theta: f64,
    sigma_radius: f64,
) -> CallResult<(Map<'_>, Bound<'_, PyArray2<bool>>, f64)> {
    let kernel = Kernel::elliptical(fwhm, ratio, theta, sigma_radius)?;
    let shape = <[usize; 2]>::from(kernel.shape());
    let values = PyArray1::from_slice(py, kernel.values()).reshape(shape)?;
    let footprint = PyArray1::from_slice(py, kernel.footprint()).reshape(shape)?;
    Ok((values, footprint, kernel.relative_error()))
}

/// `StarFinder`.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn find_kernel_stars<'py>(
    py: Python<'py>,
    scene: Scene<'py>,
    kernel: PyReadonlyArray2<'py, f64>,
) -> Answer<'py> {
    let values = image(&kernel)?;
    let kernel = Kernel::from_values(values.as_slice(), values.shape())?;
    let finder = StarFinder::new(kernel).with_selection(scene.selection());
    let (frame, threshold) = (scene.frame()?, scene.threshold.view()?);
    let options = scene.options()?;
    let found: Found<Star> = enter(
        py,
        &options,
        |run| with_frame!(frame, frame => finder.find(frame, threshold, run)),
    )?;
    let columns = Columns::new(py, &found.sources);
    columns.add("x_centroid", |s| s.x)?;
    columns.add("y_centroid", |s| s.y)?;
    columns.add("fwhm", |s| s.fwhm)?;
    columns.add("roundness", |s| s.roundness)?;
    columns.add("orientation", |s| s.orientation)?;
    columns.add("max_value", |s| s.max_value)?;
    columns.add("flux", |s| s.flux)?;
    columns.add("mag", Star::magnitude)?;
    Ok((columns.dict, found.n_measured))
}

/// How `MatchedFilterFinder` filters an image.
#[derive(FromPyObject)]
pub(crate) struct MatchedSettings<'py> {
    #[pyo3(attribute)]
    psf: PyRef<'py, PyPsf>,
    #[pyo3(attribute)]
    n_sigma: f64,
    #[pyo3(attribute)]
    error: Option<f64>,
    #[pyo3(attribute)]
    fwhm: Option<f64>,
    #[pyo3(attribute)]
    half_width: Option<usize>,
    #[pyo3(attribute)]
    sky: bool,
    #[pyo3(attribute)]
    min_coverage: f64,
    #[pyo3(attribute)]
    min_separation: Option<f64>,
    #[pyo3(attribute)]
    peak_max: Option<f64>,
    #[pyo3(attribute)]
    n_brightest: Option<usize>,
    #[pyo3(attribute)]
    n_threads: Option<usize>,
}

impl MatchedSettings<'_> {
    fn finder(&self) -> MatchedFinder<'_> {
        let selection = Selection::new()
            .with_min_separation(self.min_separation)
            .with_peak_max(self.peak_max)
            .with_n_brightest(self.n_brightest);
        MatchedFinder::new(self.psf.psf(), self.n_sigma)
            .with_error(self.error)
            .with_fwhm(self.fwhm)
            .with_half_width(self.half_width)
            .with_sky(self.sky)
            .with_min_coverage(self.min_coverage)
            .with_selection(selection)
    }
}

/// `MatchedFilterFinder`.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn find_matched_stars<'py>(
    py: Python<'py>,
    settings: MatchedSettings<'py>,
    data: AnyImage<'py>,
    error: Option<AnyImage<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    positions: Positions,
) -> Answer<'py> {
    let frame = frame(&data, error.as_ref(), mask.as_ref())?;
    let (finder, positions) = (settings.finder(), positions.as_deref());
    let options = Options::new(settings.n_threads, None)?;
    let found = enter_with_psf(py, &options, settings.psf.callback(), |run| {
        with_frame!(frame, frame => match positions {
            Some(positions) => finder.measure(frame, positions, run),
            None => finder.find(frame, run),
        })
    })?;
    let columns = Columns::new(py, &found.sources);
    columns.add("x_centroid", |s| s.x)?;
    columns.add("y_centroid", |s| s.y)?;
    columns.add("snr", |s| s.snr)?;
    columns.add("sharpness", |s| s.sharpness)?;
    columns.add("coverage", |s| s.coverage)?;
    columns.add("n_pixels", |s| s.n_pixels as i64)?;
    columns.add("peak", |s| s.peak)?;
    columns.add("local_bkg", |s| s.sky)?;
    columns.add("flux", |s| s.flux)?;
    columns.add("flux_err", |s| s.flux_err)?;
    columns.add("mag", MatchedSource::magnitude)?;
    Ok((columns.dict, found.n_measured))
}

/// `MatchedFilterFinder.maps`: the amplitude and its error at each pixel.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python's call
pub(crate) fn matched_maps<'py>(
    py: Python<'py>,
    settings: MatchedSettings<'py>,
    data: AnyImage<'py>,
    error: Option<AnyImage<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
) -> CallResult<(Map<'py>, Map<'py>)> {
    let frame = frame(&data, error.as_ref(), mask.as_ref())?;
    let finder = settings.finder();
    let options = Options::new(settings.n_threads, None)?;
    let (shape, maps) = enter_with_psf(py, &options, settings.psf.callback(), |run| {
        with_frame!(frame, frame => {
            finder.maps(frame, run).map(|maps| (frame.data().shape(), maps))
        })
    })?;
    let shape = [shape.0, shape.1];
    Ok((
        maps.amplitude.into_pyarray(py).reshape(shape)?,
        maps.error.into_pyarray(py).reshape(shape)?,
    ))
}

/// `detect_cosmic_rays`: the bad pixels.
#[pyfunction]
#[pyo3(signature = (
    data, error, mask, psf, *, n_sigma, margin, noise, half_width, max_iterations, n_threads
))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // Python's call
pub(crate) fn detect_cosmic_rays<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    error: Option<AnyImage<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    psf: PyRef<'py, PyPsf>,
    n_sigma: f64,
    margin: f64,
    noise: Option<f64>,
    half_width: Option<usize>,
    max_iterations: usize,
    n_threads: Option<usize>,
) -> CallResult<Bound<'py, PyArray2<bool>>> {
    let frame = frame(&data, error.as_ref(), mask.as_ref())?;
    let search = CosmicRays::new(psf.psf())
        .with_n_sigma(n_sigma)
        .with_margin(margin)
        .with_error(noise)
        .with_half_width(half_width)
        .with_rounds(max_iterations);
    let options = Options::new(n_threads, None)?;
    let (shape, found) = enter_with_psf(py, &options, psf.callback(), |run| {
        with_frame!(frame, frame => {
            search.find(frame, run).map(|found| (frame.data().shape(), found))
        })
    })?;
    Ok(found.into_pyarray(py).reshape([shape.0, shape.1])?)
}

/// `find_peaks`: columns and rows of the local maxima. Their neighbourhood is a
/// disk of radius `min_separation`, or else the footprint.
#[pyfunction]
#[pyo3(signature = (
    data, mask, threshold, *, footprint, min_separation, border_width, n_threads
))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // Python's call
pub(crate) fn find_peaks<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    threshold: AnyThreshold<'py>,
    footprint: PyReadonlyArray2<'py, bool>,
    min_separation: Option<f64>,
    border_width: (usize, usize),
    n_threads: Option<usize>,
) -> CallResult<(Indices<'py>, Indices<'py>)> {
    let frame = frame(&data, None, mask.as_ref())?;
    let (footprint, threshold) = (image(&footprint)?, threshold.view()?);
    let options = Options::new(n_threads, None)?;
    let peaks = enter(py, &options, |run| {
        with_frame!(frame, frame => {
            let neighbourhood = match min_separation {
                Some(radius) => Neighbourhood::disk(radius, frame.data().shape())?,
                None => Neighbourhood::footprint(footprint.as_slice(), footprint.shape())?,
            };
            search(frame, &neighbourhood, threshold, border_width, run)
        })
    })?;
    let indices = |of: fn(&Peak) -> usize| -> Indices<'py> {
        let indices: Vec<i64> = peaks.iter().map(|peak| of(peak) as i64).collect();
        indices.into_pyarray(py)
    };
    Ok((indices(|peak| peak.x), indices(|peak| peak.y)))
}

fn search<T: Pixel>(
    frame: &Frame<'_, T>,
    neighbourhood: &Neighbourhood,
    threshold: Threshold<'_>,
    border_width: (usize, usize),
    run: Run<'_>,
) -> Result<Vec<Peak>, psfphot::Error> {
    PeakSearch::new(neighbourhood, threshold)
        .with_mask(frame.mask())
        .with_border(border_width)
        .find(frame.data(), run)
}

/// A table's columns in the making.
struct Columns<'py, 's, S> {
    sources: &'s [S],
    dict: Bound<'py, PyDict>,
}

impl<'py, 's, S> Columns<'py, 's, S> {
    fn new(py: Python<'py>, sources: &'s [S]) -> Self {
        Self {
            sources,
            dict: PyDict::new(py),
        }
    }

    fn add<V: numpy::Element>(&self, name: &str, value: impl Fn(&S) -> V) -> PyResult<()> {
        let values: Vec<V> = self.sources.iter().map(value).collect();
        self.dict
            .set_item(name, values.into_pyarray(self.dict.py()))
    }
}
