//! Choosing how smooth the PSF is: by stars that have no part in it.

use crate::Error;

use super::model::Model;
use super::refit::Refit;
use super::rounds::Solver;
use super::star::Star;
use super::system::System;

/// What is tried.
const KAPPAS: [f64; 5] = [0.5, 1.0, 2.0, 4.0, 8.0];
/// Of this many stars, in the order of their fluxes, one is held out.
const EVERY: usize = 5;
/// Squared residuals of held-out stars beyond this many sigmas count as this many.
const CAP: f64 = 25.0;
const TOLERANCE: f64 = 1e-2;
const MOST_STEPS: usize = 40;

/// Sets the solver's kappa to that with which the PSF of four fifths of the stars
/// fits the others best. With fewer than ten stars it stays as it is.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn kappa(solver: &mut Solver<'_, '_>) -> Result<(), Error> {
    let mut order: Vec<usize> = (0..solver.stars.len())
        .filter(|&s| solver.stars[s].is_active)
        .collect();
    if order.len() < 2 * EVERY {
        return Ok(());
    }
    order.sort_by(|&a, &b| solver.stars[b].flux.total_cmp(&solver.stars[a].flux));
    let mut held: Vec<usize> = order.into_iter().skip(EVERY / 2).step_by(EVERY).collect();
    held.sort_unstable();
    for &s in &held {
        solver.stars[s].is_active = false;
    }
    let scores = scores(solver, &held);
    for &s in &held {
        solver.stars[s].is_active = true;
    }
    solver.held_out = scores?;
    // The last model tried is still in the held-out stars' pixels.
    solver.evaluate_again(&held)?;
    let best = solver.held_out.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    if let Some(&(kappa, _)) = best {
        solver.smoothness.kappa = kappa;
        solver.update_prior();
    }
    Ok(())
}

/// The score of every kappa.
fn scores(solver: &mut Solver<'_, '_>, held: &[usize]) -> Result<Vec<(f64, f64)>, Error> {
    let curvatures = solver.system().curvatures()?;
    let current = solver.smoothness.kappa;
    let mut scores = Vec::with_capacity(KAPPAS.len());
    for kappa in KAPPAS {
        let smooth = solver.prior.smooth.scaled((current / kappa).powi(2));
        let system = System {
            smooth: &smooth,
            ..solver.system()
        };
        let Some(inverse) = system.preconditioners(&curvatures) else {
            continue;
        };
        let right = system.right_side(&solver.model.planes)?;
        let solved = system.solve(&right, &inverse, TOLERANCE, MOST_STEPS)?;
        solver.n_steps += solved.steps;
        let mut model = solver.model.clone();
        for (plane, step) in model.planes.iter_mut().zip(&solved.planes) {
            plane.iter_mut().zip(step).for_each(|(p, s)| *p += s);
        }
        scores.push((kappa, score(solver, &model, held)?));
    }
    Ok(scores)
}

/// The mean capped squared residual of the held-out stars, refitted; they are
/// left as they were, but for what a round computes anew.
fn score(solver: &mut Solver<'_, '_>, model: &Model<'_>, held: &[usize]) -> Result<f64, Error> {
    let noise = solver.noise;
    let refit = Refit {
        reach: (solver.smoothness.fwhm.ceil() as i64).max(3),
        floor: 0.01,
        with_background: solver.settings.with_background,
    };
    let chosen: Vec<&mut Star<'_>> = solver
        .stars
        .iter_mut()
        .enumerate()
        .filter(|(s, _)| held.binary_search(s).is_ok())
        .map(|(_, star)| star)
        .collect();
    let parts = solver.run.map(chosen, Default::default, |scratch, star| {
        let before: Vec<_> = star.exposures.iter().map(|e| (e.x, e.y, e.background)).collect();
        let flux = star.flux;
        refit.fit(star, model, &noise, scratch);
        star.evaluate(model, scratch);
        let (mut sum, mut count) = (0.0, 0);
        for exposure in &star.exposures {
            let flux = star.flux_in(exposure);
            for k in (0..exposure.psi.len()).filter(|&k| exposure.is_used(k)) {
                let model = flux * exposure.psi[k];
                let total = exposure.variance(k, &noise, flux) + (noise.model_error * model).powi(2);
                sum += (exposure.residual(k, flux).powi(2) / total).min(CAP);
                count += 1;
            }
        }
        star.flux = flux;
        for (exposure, before) in star.exposures.iter_mut().zip(before) {
            (exposure.x, exposure.y, exposure.background) = before;
        }
        star.is_active = false;
        Ok((sum, count))
    })?;
    let (sum, count) = parts
        .into_iter()
        .fold((0.0, 0), |total, part| (total.0 + part.0, total.1 + part.1));
    Ok(sum / f64::from(count.max(1)))
}
