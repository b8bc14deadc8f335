//! What comes out: the PSF on its samples, the stars, and how far to trust them.

use crate::Error;

use super::alias::Alias;
use super::basis::symmetry_centre;
use super::noise::Variance;
use super::posterior;
use super::rounds::Solver;
use super::star::{Exposure, Star};

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
    /// Relative error of the model.
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

/// Reports what a solver came to, for so many cutouts.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn report(solver: &Solver<'_, '_>, n_cutouts: usize) -> Result<EpsfSolution, Error> {
    let with_error = solver.settings.with_error;
    let inverse = with_error.then(|| solver.final_inverse()).transpose()?;
    let (planes, norms) = samples(solver);
    let mut errors = inverse
        .as_ref()
        .map(|inverse| posterior::errors(solver, inverse));
    for (errors, norm) in errors.iter_mut().flatten().zip(&norms) {
        for e in errors.iter_mut() {
            *e /= norm;
        }
    }
    let aliases = posterior::alias(solver, inverse.as_deref())?;
    let data_slope = match solver.noise.variance {
        Variance::FollowsData { slope } => Some(slope),
        _ => None,
    };
    let noise = match solver.noise.variance {
        Variance::Estimated { constant, slope } => Some((constant, slope)),
        _ => None,
    };
    Ok(EpsfSolution {
        planes,
        errors,
        nodes: solver.settings.field.nodes(),
        stars: stars(solver, n_cutouts, &norms),
        has_converged: solver.has_converged,
        n_rounds: solver.n_rounds,
        rounds: solver.history.clone(),
        last_change: solver.last_change,
        n_steps: solver.n_steps,
        kappa: solver.smoothness.kappa,
        held_out: solver.held_out.clone(),
        model_error: solver.noise.model_error,
        noise,
        data_slope,
        fwhm: solver.smoothness.fwhm,
        knots: solver.model.basis.knots,
        phase_counts: phase_counts(solver),
        n_stars: n_stars(solver),
        aliases,
    })
}

/// The samples of each plane, and what each was divided by. Nodes are centred
/// and normalised one by one, the others as the mean PSF is.
fn samples(solver: &Solver<'_, '_>) -> (Vec<Vec<f64>>, Vec<f64>) {
    let (basis, settings) = (&solver.model.basis, solver.settings);
    let planes = solver.terms.planes(&solver.model.planes);
    let (shape, oversampling) = (settings.shape, settings.oversampling);
    let per_pixel = (oversampling.0 * oversampling.1) as f64;
    let is_whole = settings.library.is_none();
    let is_node = !settings.field.nodes().is_empty();
    let mut norm = 1.0;
    let mut norms = Vec::with_capacity(planes.len());
    let sampled = planes
        .iter()
        .enumerate()
        .map(|(number, plane)| {
            let centre = (is_whole && is_node)
                .then(|| symmetry_centre(|x, y| basis.value(plane, (x, y))))
                .flatten();
            let centre = centre.unwrap_or((0.0, 0.0));
            let mut samples = basis.sample(plane, shape, oversampling, centre);
            let sum = samples.iter().sum::<f64>() / per_pixel;
            if is_whole && (number == 0 || is_node) && sum > 0.0 {
                norm = sum;
            }
            for s in &mut samples {
                *s /= norm;
            }
            norms.push(norm);
            samples
        })
        .collect();
    (sampled, norms)
}

fn stars(solver: &Solver<'_, '_>, n_cutouts: usize, norms: &[f64]) -> Vec<StarReport> {
    let is_node = !solver.settings.field.nodes().is_empty();
    let mut all = vec![None; n_cutouts];
    for star in &solver.stars {
        for exposure in &star.exposures {
            let norm = if is_node {
                exposure.terms.iter().map(|(t, w)| w * norms[*t]).sum()
            } else {
                norms[0]
            };
            all[exposure.index] = Some(star_report(solver, star, exposure, norm));
        }
    }
    all.into_iter().flatten().collect()
}

fn star_report(
    solver: &Solver<'_, '_>,
    star: &Star<'_>,
    exposure: &Exposure<'_>,
    norm: f64,
) -> StarReport {
    /// Pixels within this distance are the star's core.
    const CORE: f64 = 3.0;
    let flux = star.flux_in(exposure);
    let (mut chi2, mut count) = (0.0, 0.0);
    for (k, (x, y)) in exposure.window().pixels().enumerate() {
        let radius = (x as f64 - exposure.x).hypot(y as f64 - exposure.y);
        if star.is_active && radius <= CORE && exposure.valid[k] {
            let model = solver.noise.model_error * flux * exposure.psi[k];
            let variance = exposure.variance(k, &solver.noise, flux) + model * model;
            chi2 += exposure.residual(k, flux).powi(2) / variance;
            count += 1.0;
        }
    }
    let (n_pixels, n_rejected) = exposure.counts(solver.settings.half());
    StarReport {
        x: exposure.x,
        y: exposure.y,
        flux: flux * norm,
        chi2: if count > 3.0 {
            chi2 / (count - 3.0)
        } else {
            f64::NAN
        },
        n_pixels,
        n_rejected,
        is_used: star.is_active,
    }
}

fn phase_counts(solver: &Solver<'_, '_>) -> Vec<usize> {
    let knots = solver.model.basis.knots;
    let mut counts = vec![0; knots * knots];
    for (_, exposure) in solver.stars.iter().flat_map(Star::active_exposures) {
        let cell = |p: f64| (((p + 0.5).rem_euclid(1.0) * knots as f64) as usize).min(knots - 1);
        counts[cell(exposure.y) * knots + cell(exposure.x)] += 1;
    }
    counts
}

fn n_stars(solver: &Solver<'_, '_>) -> Vec<f64> {
    let mut counts = vec![0.0; solver.model.planes.len()];
    let is_node = !solver.settings.field.nodes().is_empty();
    for star in solver.stars.iter().filter(|star| star.is_active) {
        let share = 1.0 / star.exposures.len() as f64;
        for exposure in &star.exposures {
            if is_node {
                exposure
                    .terms
                    .iter()
                    .for_each(|(t, w)| counts[*t] += w * share);
            } else {
                for count in &mut counts {
                    *count += share;
                }
            }
        }
    }
    counts
}
