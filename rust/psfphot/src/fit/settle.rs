//! Fits whose weights depend on the model: minimised, weighed anew, and again.

use crate::Error;

use super::Fitter;
use super::minimise::{Problem, Report, minimise};
use super::weighting::Loss;

/// Weights have settled when none changes by more than this part of it; parameters
/// then change by far less than that part of their errors.
pub(crate) const SETTLED_WEIGHTS: f64 = 2e-3;

/// Most minimisations with new weights.
pub(crate) const MOST_ROUNDS: usize = 8;

/// A problem that can weigh its pixels anew.
pub(crate) trait Weighed: Problem {
    /// Evaluates the model at the current parameters unless it was there last, and makes
    /// them the next to be tried.
    fn evaluate_current(&mut self, is_evaluated: bool);

    /// Makes the weights that belong to the current parameters, which were evaluated
    /// last; returns the largest change of a weight, as a part of it.
    fn reweigh(&mut self, loss: Option<&Loss>) -> f64;

    /// Looks at what a loss takes away, and puts sources that the worst pixels may have
    /// drawn to them back to where they began, with fluxes that most of their pixels agree
    /// on; the model is evaluated there.
    fn restart(&mut self, sigmas: f64) -> Found;

    /// What a robust fit from so many sigma on loses by, at the current parameters, which
    /// were evaluated last.
    fn settled_loss(&self, sigmas: f64) -> Loss;
}

/// What a loss takes away from a settled model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// No pixel: the weights are as they were.
    Nothing,
    /// Some pixels.
    Outliers,
    /// Pixels that may have drawn sources to them, which start again.
    Astray,
}

/// Minimises from the current parameters until the weights have settled too.
///
/// What is robust comes last, once the model fits all that it can: a star on a pixel
/// that was hit has gone astray by then, which its residuals show, and goes back to its
/// start.
pub(crate) fn settle(problem: &mut impl Weighed, fitter: &Fitter<'_>) -> Result<Report, Error> {
    let rule = fitter.weighting;
    if rule.is_fixed() {
        return minimise(problem, fitter);
    }
    if rule.noise.is_some() {
        problem.evaluate_current(false);
        problem.reweigh(None);
    }
    let mut report = minimise(problem, fitter)?;
    let mut robust = rule.robust.filter(|_| report.chi2.is_finite());
    if let Some(sigmas) = robust {
        problem.evaluate_current(report.is_evaluated);
        report.is_evaluated = true;
        match problem.restart(sigmas) {
            Found::Nothing => robust = None,
            Found::Outliers => {}
            Found::Astray => approach(problem, fitter, sigmas, &mut report)?,
        }
    }
    if rule.noise.is_some() || robust.is_some() {
        rounds(problem, fitter, robust, &mut report)?;
    }
    Ok(report)
}

/// Minimises from far away: with a loss that is wide at first.
fn approach(
    problem: &mut impl Weighed,
    fitter: &Fitter<'_>,
    sigmas: f64,
    report: &mut Report,
) -> Result<(), Error> {
    for profile in Loss::WIDTHS {
        let loss = problem.settled_loss(sigmas).with_profile(profile);
        problem.reweigh(Some(&loss));
        again(problem, fitter, report)?;
        problem.evaluate_current(report.is_evaluated);
        report.is_evaluated = true;
    }
    Ok(())
}

/// Weighs and minimises until no weight changes any more.
fn rounds(
    problem: &mut impl Weighed,
    fitter: &Fitter<'_>,
    robust: Option<f64>,
    report: &mut Report,
) -> Result<(), Error> {
    for _ in 0..MOST_ROUNDS {
        if !report.chi2.is_finite() {
            break;
        }
        problem.evaluate_current(report.is_evaluated);
        report.is_evaluated = true;
        let loss = robust.map(|sigmas| problem.settled_loss(sigmas));
        let change = problem.reweigh(loss.as_ref());
        if change <= SETTLED_WEIGHTS {
            break;
        }
        again(problem, fitter, report)?;
    }
    Ok(())
}

/// Minimises with new weights; the report counts on.
fn again(
    problem: &mut impl Weighed,
    fitter: &Fitter<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    problem.forget();
    let next = minimise(problem, fitter)?;
    *report = Report {
        iterations: report.iterations + next.iterations,
        ..next
    };
    Ok(())
}

/// The flux on which most pixels agree, for (light, profile, weight) of each: the one
/// that makes Σ √weight |light − flux · profile| least, a weighted median of
/// light/profile. `None` where no pixel tells.
pub(crate) fn typical_flux(pixels: impl Iterator<Item = (f64, f64, f64)>) -> Option<f64> {
    let tells = pixels.filter(|&(_, profile, weight)| profile > 0.0 && weight > 0.0);
    let mut ratios: Vec<(f64, f64)> = tells
        .map(|(light, profile, weight)| (light / profile, profile * weight.sqrt()))
        .collect();
    ratios.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let half = 0.5 * ratios.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut sum = 0.0;
    ratios.into_iter().find_map(|(ratio, weight)| {
        sum += weight;
        (sum >= half && ratio.is_finite()).then_some(ratio)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_pixels_decide_the_flux() {
        let profile = [0.1, 0.2, 0.3, 0.2, 0.1, 0.05];
        let light = |k: usize| if k == 3 { 1e6 } else { 7.0 * profile[k] };
        let flux = typical_flux((0..6).map(|k| (light(k), profile[k], 1.0)));
        assert!((flux.expect("pixels tell") - 7.0).abs() < 1e-12);
        assert_eq!(
            typical_flux([(1.0, 0.0, 1.0), (1.0, 1.0, 0.0)].into_iter()),
            None
        );
    }
}
