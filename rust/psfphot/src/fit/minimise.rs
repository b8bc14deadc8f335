//! The Levenberg–Marquardt iteration, for any number of sources.

use crate::Error;

use super::{Fitter, Termination};

/// What the iteration needs to know of a fit. There are *current* parameters,
/// with their normal equations `A δ = g`, and *trial* parameters.
pub(crate) trait Problem {
    /// Evaluates the model at the trial parameters; returns χ².
    fn evaluate_trial(&mut self) -> f64;

    /// Makes the trial parameters, last evaluated, the current ones.
    fn accept(&mut self);

    /// Solves `(A + λ diag A) δ = g` and returns `δᵀg`; `None` where the
    /// matrix is not positive definite.
    fn solve(&mut self, lambda: f64) -> Option<f64>;

    /// Sets the trial parameters to the current ones plus the last step.
    fn propose(&mut self);

    /// Whether the last step is lost in rounding.
    fn step_is_rounding(&self) -> bool;

    /// The variance of a pixel of weight 1: 1 where the errors are known,
    /// else χ² per degree of freedom.
    fn unit_variance(&self, chi2: f64) -> f64;
}

/// How a minimisation went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    pub(crate) termination: Termination,
    /// Evaluations of the model.
    pub(crate) iterations: usize,
    /// At the current parameters.
    pub(crate) chi2: f64,
    /// Whether the last evaluation was at the current parameters.
    pub(crate) is_evaluated: bool,
}

/// First damping when the undamped step fails.
const FIRST_LAMBDA: f64 = 1e-3;
/// Damping below this is none.
const SMALLEST_LAMBDA: f64 = 1e-5;
/// With such a damping no step is left.
const LARGEST_LAMBDA: f64 = 1e10;
/// χ² of many pixels is rounded to about this relative precision; a step that
/// raises it by no more is as good as one that lowers it.
const CHI2_ROUNDING: f64 = 1e-13;

/// Minimises from the trial parameters. The undamped (Gauss–Newton) step is
/// tried first; damping comes only after it has failed.
pub(crate) fn minimise(problem: &mut impl Problem, fitter: &Fitter<'_>) -> Result<Report, Error> {
    let mut report = Report {
        termination: Termination::MaxIterations,
        iterations: 1,
        chi2: problem.evaluate_trial(),
        is_evaluated: true,
    };
    if !report.chi2.is_finite() {
        report.termination = Termination::NonFinite;
        return Ok(report);
    }
    problem.accept();
    let mut lambda = 0.0;
    loop {
        fitter.run.check()?;
        let tolerance = fitter.settings.step_tolerance.powi(2) * problem.unit_variance(report.chi2);
        let undamped = problem.solve(0.0);
        if undamped.is_some_and(|gain| gain <= tolerance)
            || undamped.is_some() && problem.step_is_rounding()
        {
            report.termination = Termination::Converged;
            return Ok(report);
        }
        if undamped.is_none() {
            lambda = f64::max(lambda, FIRST_LAMBDA);
        }
        // Shorter and shorter steps, until one lowers χ².
        loop {
            if lambda > 0.0 {
                let gain = problem.solve(lambda);
                let is_over = lambda > LARGEST_LAMBDA;
                if is_over || gain.is_some_and(|gain| undamped.is_none() && gain <= tolerance) {
                    report.termination = match undamped {
                        None => Termination::Singular,
                        Some(_) => Termination::Stalled,
                    };
                    return Ok(report);
                }
                if gain.is_none() {
                    lambda *= 10.0;
                    continue;
                }
            }
            if report.iterations >= fitter.settings.max_iterations {
                return Ok(report);
            }
            problem.propose();
            let chi2 = problem.evaluate_trial();
            report.iterations += 1;
            report.is_evaluated = chi2 <= report.chi2 * (1.0 + CHI2_ROUNDING);
            if report.is_evaluated {
                report.chi2 = chi2;
                problem.accept();
                break;
            }
            lambda = f64::max(FIRST_LAMBDA, lambda * 10.0);
        }
        lambda = if lambda > SMALLEST_LAMBDA {
            lambda / 10.0
        } else {
            0.0
        };
    }
}
