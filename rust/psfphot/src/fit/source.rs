//! What a fit knows of a source, and what it finds.

use crate::image::PixelBox;

use super::bounds::Bounds;
use super::{Parameters, Termination};

/// A source that can be fitted. Which of its parameters are free is said once
/// for all sources (`Fitter::free`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// Its row in the list of sources.
    pub(crate) index: usize,
    /// Where the fit begins, within the bounds.
    pub(crate) parameters: Parameters,
    pub(crate) bounds: Bounds,
    /// Local background per pixel.
    pub(crate) background: f64,
    /// The part of its fit box that is on the image.
    pub(crate) window: PixelBox,
    /// The pixel whose residual is `cfit`.
    pub(crate) centre: (i64, i64),
    /// Pixels of the window left out for their error alone.
    pub(crate) n_bad_errors: usize,
    /// Flags that it has already.
    pub(crate) flags: u32,
}

/// Where the fit of a source ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Solution {
    pub(crate) parameters: Parameters,
    /// Variances of the free parameters, where there is a covariance.
    pub(crate) variances: Option<Parameters>,
    /// The constant that was fitted with it, beyond the source's background.
    pub(crate) level: Option<Level>,
    pub(crate) termination: Termination,
    /// Evaluations of the model.
    pub(crate) iterations: usize,
    /// Pixels of its window that lost more than half of their weight for their residual.
    pub(crate) n_rejected: usize,
    /// Flags that the fit gives it.
    pub(crate) flags: u32,
}

/// A constant fitted to the pixels of a source, or of several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    pub(crate) value: f64,
    /// NaN where there is none.
    pub(crate) variance: f64,
}
