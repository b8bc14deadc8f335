//! Local backgrounds; those of whole images are in `mesh`.

#![allow(
    clippy::needless_pass_by_value,
    reason = "pyo3 hands a function its arguments by value"
)]

pub(crate) mod mesh;

use numpy::{PyArray1, PyReadonlyArray2};
use psfphot::background::{self, Annulus, Centre, Clip, Estimator, Level, Scatter, Spread};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{AnyImage, Floats, frame, with_frame};
use crate::door::{self, Options};
use crate::errors::CallResult;

/// An estimator's name and its numbers.
type NamedLevel = (String, Vec<f64>);

/// Of a sigma clip: lower, upper, the most rounds (`None` for no limit), and
/// the names of centre and spread.
type NamedClip = (f64, f64, Option<usize>, String, String);

type LevelsAndVariances<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);

/// Levels in annuli, and their variances; see the core's `local_background`.
#[pyfunction]
#[pyo3(signature = (data, mask, x, y, radii, level, clip, *, n_threads=None))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn local_background<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    x: Floats<'py>,
    y: Floats<'py>,
    radii: (f64, f64),
    level: NamedLevel,
    clip: Option<NamedClip>,
    n_threads: Option<usize>,
) -> CallResult<LevelsAndVariances<'py>> {
    let frame = frame(&data, None, mask.as_ref())?;
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let annulus = Annulus::new(radii.0, radii.1)?;
    let estimator = Estimator {
        level: level_named(&level.0, &level.1)?,
        clip: clip.map(clip_named).transpose()?,
    };
    let options = Options::new(n_threads, None)?;
    let levels = with_frame!(frame, frame => door::enter(py, &options, move |run| {
        background::local_background(frame, x, y, &annulus, &estimator, run)
    }))?;
    Ok((
        PyArray1::from_iter(py, levels.iter().map(|at| at.level)),
        PyArray1::from_iter(py, levels.iter().map(|at| at.variance)),
    ))
}

/// The usable values in the annulus around one position.
#[pyfunction]
pub(crate) fn annulus_values<'py>(
    py: Python<'py>,
    data: AnyImage<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    position: (f64, f64),
    radii: (f64, f64),
) -> CallResult<Bound<'py, PyArray1<f64>>> {
    let frame = frame(&data, None, mask.as_ref())?;
    let annulus = Annulus::new(radii.0, radii.1)?;
    let options = Options::new(Some(1), None)?;
    let values = with_frame!(frame, frame => door::enter(py, &options, move |run| {
        annulus.values(frame, position, run)
    }))?;
    Ok(PyArray1::from_vec(py, values))
}

/// The level of some values; see the core's `level`.
#[pyfunction]
pub(crate) fn estimate_level<'py>(
    py: Python<'py>,
    values: Floats<'py>,
    level: NamedLevel,
    clip: Option<NamedClip>,
) -> CallResult<f64> {
    let values = values.as_slice()?;
    let estimator = Estimator {
        level: level_named(&level.0, &level.1)?,
        clip: clip.map(clip_named).transpose()?,
    };
    let options = Options::new(Some(1), None)?;
    door::enter(py, &options, move |run| {
        background::level(values, &estimator, run)
    })
}

fn level_named(name: &str, numbers: &[f64]) -> PyResult<Level> {
    match (name, numbers) {
        ("mean", []) => Ok(Level::Mean),
        ("median", []) => Ok(Level::Median),
        ("mode", &[median_factor, mean_factor]) => Ok(Level::Mode {
            median_factor,
            mean_factor,
        }),
        ("sextractor", []) => Ok(Level::SExtractor),
        ("biweight", &[c]) => Ok(Level::BiweightLocation { c, start: None }),
        ("biweight", &[c, start]) => Ok(Level::BiweightLocation {
            c,
            start: Some(start),
        }),
        _ => Err(unknown("level", name)),
    }
}

fn scatter_named(name: &str, numbers: &[f64]) -> PyResult<Scatter> {
    match (name, numbers) {
        ("std", []) => Ok(Scatter::Std),
        ("mad_std", []) => Ok(Scatter::MadStd),
        ("biweight", &[c]) => Ok(Scatter::BiweightScale { c, start: None }),
        ("biweight", &[c, start]) => Ok(Scatter::BiweightScale {
            c,
            start: Some(start),
        }),
        _ => Err(unknown("scatter", name)),
    }
}

fn clip_named((lower, upper, rounds, centre, spread): NamedClip) -> PyResult<Clip> {
    Ok(Clip {
        lower,
        upper,
        rounds: rounds.unwrap_or(usize::MAX),
        centre: match centre.as_str() {
            "median" => Centre::Median,
            "mean" => Centre::Mean,
            other => return Err(unknown("centre", other)),
        },
        spread: match spread.as_str() {
            "std" => Spread::Std,
            "mad_std" => Spread::MadStd,
            other => return Err(unknown("spread", other)),
        },
    })
}

fn unknown(what: &str, name: &str) -> PyErr {
    PyValueError::new_err(format!("no {what} {name:?} with such numbers"))
}
