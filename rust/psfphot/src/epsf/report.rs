//! What a solver came to, as it is told.

use crate::Error;

use super::basis::symmetry_centre;
use super::noise::Variance;
use super::posterior;
use super::solution::{EpsfSolution, StarReport};
use super::solver::Solver;
use super::star::{Exposure, Star};

/// The solution that a solver came to, for so many cutouts.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn solution(solver: &Solver<'_, '_>, n_cutouts: usize) -> Result<EpsfSolution, Error> {
    let with_error = solver.settings.with_error;
    let (mut errors, inverse) = with_error
        .then(|| posterior::errors(solver))
        .transpose()?
        .unzip();
    let (planes, norms) = samples(solver);
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
    let peak = exposure.peak(flux);
    let (mut chi2, mut count) = (0.0, 0.0);
    for (k, (x, y)) in exposure.window().pixels().enumerate() {
        let radius = (x as f64 - exposure.x).hypot(y as f64 - exposure.y);
        if star.is_active && radius <= CORE && exposure.valid[k] {
            let wrong =
                solver
                    .noise
                    .mismatch(solver.noise.model_error, exposure.light(k, flux), peak);
            let variance = exposure.variance(k, &solver.noise, flux) + wrong;
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
