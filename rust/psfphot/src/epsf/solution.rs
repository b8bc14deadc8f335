//! What comes out: the PSF on its samples, the stars, and how far to trust them.

use super::alias::Alias;

/// A star in one cutout, as it was fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StarReport {
    /// Column of the star, pixels of the cutout.
    pub x: f64,
    /// Row likewise.
    pub y: f64,
    /// Flux in this cutout.
    pub flux: f64,
    /// Reduced chi-squared within 3 pixels, the model's error included.
    pub chi2: f64,
    /// Pixels that are valid and on the PSF.
    pub n_pixels: usize,
    /// Pixels among them that have no weight.
    pub n_rejected: usize,
    /// Whether the star has a part in the PSF.
    pub is_used: bool,
}

/// An alias functional of the PSF.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AliasReport {
    /// Which one.
    pub alias: Alias,
    /// Its value, of the mean PSF; of the deviation from a library's PSF.
    pub value: f64,
    /// The standard deviation that it had a priori.
    pub prior: f64,
    /// That which it has with the stars; NaN where it was not computed.
    pub posterior: f64,
}

/// How far a round has come.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundReport {
    /// Samples of the mean PSF after the round; of the deviation from a library's.
    pub samples: Vec<f64>,
    /// (x, y) of the star in each cutout, fitted before the PSF's step.
    pub positions: Vec<(f64, f64)>,
}

/// A PSF solved for from cutouts of stars.
#[derive(Debug, Clone, PartialEq)]
pub struct EpsfSolution {
    /// Samples of each plane, row by row: one plane; or the coefficients of 1, u,
    /// u², v, u v, v²; or one for each node. With a library those of the
    /// deviation from it.
    pub planes: Vec<Vec<f64>>,
    /// 1-sigma errors of the samples, for given positions and fluxes of the stars.
    pub errors: Option<Vec<Vec<f64>>>,
    /// (x, y) of the planes, if these are nodes.
    pub nodes: Vec<(f64, f64)>,
    /// The cutouts, in the order of the call.
    pub stars: Vec<StarReport>,
    /// Whether the last round changed the PSF by less than the accuracy.
    pub has_converged: bool,
    /// Rounds of the joint fit.
    pub n_rounds: usize,
    /// What each of them came to.
    pub rounds: Vec<RoundReport>,
    /// Largest change in the last one, in units of the peak.
    pub last_change: f64,
    /// Steps of conjugate gradients in all.
    pub n_steps: usize,
    /// Roughness that is allowed a priori.
    pub kappa: f64,
    /// What was tried for it: (kappa, mean capped χ² of held-out stars' pixels).
    pub held_out: Vec<(f64, f64)>,
    /// Error of the model at its peak, relative to that.
    pub model_error: f64,
    /// Constant and slope of the variance, where they were estimated.
    pub noise: Option<(f64, f64)>,
    /// By how much the variance rises with the flux, where the errors given
    /// follow the data.
    pub data_slope: Option<f64>,
    /// Full width at half maximum, pixels.
    pub fwhm: f64,
    /// Knots of the spline per pixel.
    pub knots: usize,
    /// Cutouts used by the position of their star in the pixel: rows of `knots`.
    pub phase_counts: Vec<usize>,
    /// Stars that determine each plane; for nodes the sum of their weights.
    pub n_stars: Vec<f64>,
    /// The alias functionals.
    pub aliases: Vec<AliasReport>,
}
