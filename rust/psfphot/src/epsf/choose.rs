//! Choosing how smooth the PSF is: by stars that have no part in it.

use crate::Error;

use super::model::Model;
use super::precondition::Preconditioner;
use super::solver::Solver;
use super::stars::some_of;
use super::system::System;

/// What is tried.
const KAPPAS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// What is tried beside them where the least of them is the best: PSFs without
/// structure, as are those of the ground (200 stars of a Moffat profile: 0.25 instead of 0.5
/// leaves 0.62 instead of 0.80 thousandths of the peak in the core).
const SMOOTH: f64 = 0.25;
/// What is tried beside them where stars differ from the PSF. With twice as much the
/// rounds do not settle.
const ROUGH: [f64; 1] = [8.0];
/// There the model's error is more than this part of the peak.
const DIFFERENT: f64 = 0.02;
/// Of this many stars, in the order of their fluxes, one is held out.
const EVERY: usize = 5;
/// Squared residuals of held-out stars beyond this many sigmas count as this many.
const CAP: f64 = 25.0;
/// Pixels within this distance, or 1.5 FWHM, are judged: the many of the wings
/// would choose a PSF that is too rough in the core.
const CORE: f64 = 3.0;
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
    // That of the kappa so far and of all stars is an inverse for the others too: a few
    // steps more cost less than a factor.
    let inverse = solver.take_inverse()?;
    for &s in &held {
        solver.stars[s].is_active = false;
    }
    let scores = scores(solver, &held, &inverse);
    for &s in &held {
        solver.stars[s].is_active = true;
    }
    let scores = scores?;
    // The last model tried is still in the held-out stars' pixels.
    solver.evaluate_again(&held)?;
    solver.held_out = scores
        .iter()
        .map(|score| (score.kappa, score.mean()))
        .collect();
    let chosen = if differ(solver) {
        roughest(&scores)
    } else {
        smoothest(&scores)
    };
    if let Some(kappa) = chosen {
        if kappa.to_bits() == solver.smoothness.kappa.to_bits() {
            solver.inverse = Some(inverse);
        }
        solver.smoothness.kappa = kappa;
        solver.update_prior();
    }
    Ok(())
}

/// Whether it is the stars' differences that limit how well the PSF is known.
fn differ(solver: &Solver<'_, '_>) -> bool {
    solver.noise.is_of_stars && solver.noise.model_error > DIFFERENT
}

/// How well the PSF of one kappa fits the held-out stars.
#[derive(Debug)]
struct Score {
    kappa: f64,
    /// The sum of capped squared residuals of each star, and its pixels.
    stars: Vec<(f64, usize)>,
}

impl Score {
    /// Per pixel.
    fn mean(&self) -> f64 {
        let sum: f64 = self.stars.iter().map(|star| star.0).sum();
        let pixels: usize = self.stars.iter().map(|star| star.1).sum();
        sum / pixels.max(1) as f64
    }

    /// By how much it fits worse than another, and the standard error of that.
    fn worse_than(&self, other: &Self) -> (f64, f64) {
        let pairs = self.stars.iter().zip(&other.stars);
        let differences: Vec<f64> = pairs.map(|(a, b)| a.0 - b.0).collect();
        let sum: f64 = differences.iter().sum();
        let mean = sum / differences.len() as f64;
        let square: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
        (sum, square.sqrt())
    }
}

/// The least kappa that does not fit worse than the best by more than two standard
/// errors: what the residuals do not tell, as the dependence on the pixel phase,
/// is better known where the PSF is smooth. With the best itself, for 50
/// undersampled stars 2 instead of 1, positions are biased by 2.4 instead of 1.4 mpx.
/// Less than 1 must be better by as much: there the stars that happen to be held out
/// decide (200 such stars: 0.5 instead of 1 biases by 2.2 instead of 0.8 mpx).
fn smoothest(scores: &[Score]) -> Option<f64> {
    let best = best(scores)?;
    let is_as_good = |score: &&Score| {
        let (worse, error) = score.worse_than(best);
        worse <= 2.0 * error && score.kappa >= 1.0
    };
    let chosen = scores.iter().find(is_as_good).unwrap_or(best);
    Some(chosen.kappa)
}

/// The largest kappa that does not fit worse than the best by more than one standard
/// error. Where stars differ from the PSF the model's error, which is that of their
/// peaks, makes little of their flanks, and the prior would be all that is known there
/// (160 or 20 stars of the mosaic of docs/spitzer.md: with 1 instead of 4 or 8 0.2 % of
/// the peak more are left in others).
fn roughest(scores: &[Score]) -> Option<f64> {
    let best = best(scores)?;
    let is_as_good = |score: &&Score| {
        let (worse, error) = score.worse_than(best);
        worse <= error
    };
    let chosen = scores.iter().rev().find(is_as_good).unwrap_or(best);
    Some(chosen.kappa)
}

fn best(scores: &[Score]) -> Option<&Score> {
    scores.iter().min_by(|a, b| a.mean().total_cmp(&b.mean()))
}

/// The score of every kappa.
fn scores(
    solver: &mut Solver<'_, '_>,
    held: &[usize],
    inverse: &[Preconditioner],
) -> Result<Vec<Score>, Error> {
    let current = solver.smoothness.kappa;
    let more: &[f64] = if differ(solver) { &ROUGH } else { &[] };
    let mut score = |kappa: f64| {
        let smooth = solver.prior.smooth.scaled((current / kappa).powi(2));
        let system = System {
            smooth: &smooth,
            ..solver.system()
        };
        let right = system.right_side(&solver.model.planes)?;
        let solved = system.solve(&right, inverse, TOLERANCE, MOST_STEPS)?;
        solver.n_steps += solved.steps;
        let mut model = solver.model.clone();
        model.add(&solved.planes);
        let stars = residuals(solver, &model, held)?;
        Ok(Score { kappa, stars })
    };
    let tried = KAPPAS.iter().chain(more);
    let mut scores = tried
        .map(|&kappa| score(kappa))
        .collect::<Result<Vec<_>, Error>>()?;
    if best(&scores).is_some_and(|best| best.kappa <= KAPPAS[0]) {
        scores.insert(0, score(SMOOTH)?);
    }
    Ok(scores)
}

/// The sum of capped squared residuals of each held-out star, refitted, and its
/// pixels; the stars are left where they were.
fn residuals(
    solver: &mut Solver<'_, '_>,
    model: &Model<'_>,
    held: &[usize],
) -> Result<Vec<(f64, usize)>, Error> {
    let noise = solver.noise;
    let refit = solver.refit(0.01);
    let core = CORE.max(1.5 * solver.smoothness.fwhm);
    let chosen = some_of(&mut solver.stars, held);
    solver.run.map(chosen, Default::default, |scratch, star| {
        let before: Vec<_> = star
            .exposures
            .iter()
            .map(|e| (e.x, e.y, e.background))
            .collect();
        let flux = star.flux;
        refit.fit(star, model, &noise, scratch);
        star.evaluate(model, scratch);
        let (mut sum, mut count) = (0.0, 0_usize);
        for exposure in &star.exposures {
            let flux = star.flux_in(exposure);
            let peak = exposure.peak(flux);
            for (k, (x, y)) in exposure.window().pixels().enumerate() {
                let radius = (x as f64 - exposure.x).hypot(y as f64 - exposure.y);
                if radius > core || !exposure.is_used(k) {
                    continue;
                }
                let model = exposure.light(k, flux);
                let total = exposure.variance(k, &noise, flux)
                    + noise.mismatch(noise.model_error, model, peak);
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smoothest_is_taken_of_what_noise_does_not_tell_apart_and_else_the_roughest() {
        let score = |kappa, sums: [f64; 4]| Score {
            kappa,
            stars: sums.map(|sum| (sum, 10)).to_vec(),
        };
        let scores = [
            score(1.0, [10.5, 10.0, 9.8, 10.2]),
            score(2.0, [10.0, 10.0, 10.0, 10.0]),
            score(4.0, [10.3, 9.9, 10.2, 9.7]),
            score(8.0, [12.0, 11.9, 12.1, 12.0]),
        ];
        assert_eq!(smoothest(&scores), Some(1.0));
        assert_eq!(roughest(&scores), Some(4.0));
        let scores = [
            score(0.25, [10.0, 9.8, 9.8, 9.9]),
            score(0.5, [9.9, 10.0, 9.9, 9.9]),
            score(1.0, [12.0, 11.9, 12.1, 12.0]),
        ];
        assert_eq!(smoothest(&scores), Some(0.25));
        assert_eq!(roughest(&[]), None);
    }
}
