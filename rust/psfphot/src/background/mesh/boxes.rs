//! Statistics of the pixels in each of the boxes that an image is cut into.

use std::ops::Range;

use super::cuts::{Cuts, check_box_shape};
use super::quantum::Quantum;
use super::rendered::Rendered;
use crate::background::clip::{Clip, Space};
use crate::background::estimator::{Level, Scatter};
use crate::image::{Frame, Image, Pixel};
use crate::{Error, Run};

/// What is measured in each box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxSettings {
    /// How outliers are left out; `None` for not at all.
    pub clip: Option<Clip>,
    /// What is taken for the level.
    pub level: Level,
    /// What is taken for the scatter.
    pub scatter: Scatter,
}

/// Level and scatter in each box, row by row; NaN in boxes without pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxStatistics {
    /// (rows, columns) of boxes.
    pub shape: (usize, usize),
    /// The levels.
    pub level: Vec<f64>,
    /// The scatters.
    pub scatter: Vec<f64>,
    /// How many pixels are left after the clipping.
    pub n_pixels: Vec<usize>,
}

/// Appends what a model leaves of the usable values in a run of columns of row
/// `y`: those finite and neither masked nor in `hidden`.
pub(super) fn append_residual<T: Pixel>(
    into: &mut Vec<f64>,
    frame: &Frame<'_, T>,
    hidden: Option<Image<'_, bool>>,
    (y, columns): (usize, Range<usize>),
    model: &[f64],
) {
    let values = &frame.data().row(y)[columns.clone()];
    let start = into.len();
    into.extend(
        values
            .iter()
            .zip(model)
            .map(|(&value, model)| Into::<f64>::into(value) - model),
    );
    let masks = [frame.mask(), hidden].map(|mask| mask.map(|mask| &mask.row(y)[columns.clone()]));
    let added = &into[start..];
    let all_finite = added.iter().fold(true, |all, v| all & v.is_finite());
    let any_masked = |mask: &[bool]| mask.iter().fold(false, |any, &m| any | m);
    if all_finite && !masks.iter().flatten().any(|mask| any_masked(mask)) {
        return;
    }
    let is_masked = |k: usize| masks.iter().flatten().any(|mask| mask[k]);
    let mut end = start;
    for k in 0..values.len() {
        let value = into[start + k];
        if value.is_finite() && !is_masked(k) {
            into[end] = value;
            end += 1;
        }
    }
    into.truncate(end);
}

/// The workspace of one box after another.
#[derive(Debug, Default)]
pub(super) struct BoxSpace {
    pub(super) values: Vec<f64>,
    pub(super) model: Vec<f64>,
    pub(super) space: Space,
}

impl BoxSpace {
    /// Collects what the model, if there is one, leaves of the usable values;
    /// with a quantum, spread over it.
    pub(super) fn collect<T: Pixel>(
        &mut self,
        frame: &Frame<'_, T>,
        hidden: Option<Image<'_, bool>>,
        (rows, columns): (Range<usize>, Range<usize>),
        model: Option<&Rendered>,
        quantum: Option<Quantum>,
    ) {
        self.values.clear();
        self.model.clear();
        self.model.resize(columns.len(), 0.0);
        for y in rows {
            if let Some(model) = model {
                model.row(y, columns.clone(), &mut self.model);
            }
            if let Some(quantum) = quantum {
                if model.is_none() {
                    self.model.fill(0.0);
                }
                quantum.subtract_dither((y, columns.start), &mut self.model);
            }
            let run = (y, columns.clone());
            append_residual(&mut self.values, frame, hidden, run, &self.model);
        }
    }

    /// Level, scatter and number of the values collected.
    ///
    /// # Errors
    /// [`Error::Cancelled`]: a box can be as large as the image.
    pub(super) fn measure(
        &mut self,
        settings: &BoxSettings,
        run: Run<'_>,
    ) -> Result<(f64, f64, usize), Error> {
        let Self { values, space, .. } = self;
        let kept = space.clip(values, settings.clip.as_ref(), run)?;
        Ok((
            settings.level.of(values, &kept, space, run)?,
            settings.scatter.of(values, &kept, space, run)?,
            kept.n as usize,
        ))
    }
}

/// Level and scatter of the usable pixels in boxes of one size, which start at
/// the first pixel; those at the other edges may be cut off.
///
/// # Errors
/// [`Error::InvalidArgument`] if a side of the boxes is 0;
/// [`Error::Cancelled`].
pub fn box_statistics<T: Pixel>(
    frame: &Frame<'_, T>,
    box_shape: (usize, usize),
    settings: &BoxSettings,
    run: Run<'_>,
) -> Result<BoxStatistics, Error> {
    check_box_shape(box_shape)?;
    let shape = frame.data().shape();
    if shape.0 == 0 || shape.1 == 0 {
        return Ok(BoxStatistics::new((0, 0), &[]));
    }
    let cuts = Cuts::of_size(shape, box_shape);
    let results = cuts.map(run, BoxSpace::default, |space, place| {
        space.collect(frame, None, place, None, None);
        space.measure(settings, run)
    })?;
    Ok(BoxStatistics::new(cuts.shape(), &results))
}

impl BoxStatistics {
    pub(super) fn new(shape: (usize, usize), results: &[(f64, f64, usize)]) -> Self {
        Self {
            shape,
            level: results.iter().map(|r| r.0).collect(),
            scatter: results.iter().map(|r| r.1).collect(),
            n_pixels: results.iter().map(|r| r.2).collect(),
        }
    }
}
