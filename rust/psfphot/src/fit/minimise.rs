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

    /// Makes the last step, an undamped one whose squared length in units of
    /// the errors is `length`, a better one; returns whether it has.
    fn accelerate(&mut self, length: f64) -> bool {
        let _ = length;
        false
    }

    /// Forgets what accelerates.
    fn forget(&mut self) {}

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

impl Report {
    /// Takes the last step if it lowers χ², and returns by how much.
    fn accept_if_lower(&mut self, problem: &mut impl Problem) -> Option<f64> {
        problem.propose();
        let chi2 = problem.evaluate_trial();
        self.iterations += 1;
        self.is_evaluated = chi2 <= self.chi2 * (1.0 + CHI2_ROUNDING);
        self.is_evaluated.then(|| {
            let lowered = self.chi2 - chi2;
            self.chi2 = chi2;
            problem.accept();
            lowered
        })
    }
}

/// χ² of many pixels is rounded to about this relative precision; a step that
/// raises it by no more is as good as one that lowers it.
const CHI2_ROUNDING: f64 = 1e-13;

/// The damping λ.
#[derive(Debug, Clone, Copy, Default)]
struct Damping(f64);

impl Damping {
    /// First damping when the undamped step fails.
    /// The range from here to 1e-3 is where close pairs live.
    const FIRST: f64 = 1e-6;
    /// Less than this is none.
    const SMALLEST: f64 = 1e-8;
    /// With more than this no step is left.
    const LARGEST: f64 = 1e10;

    /// After a step that failed.
    fn raise(&mut self) {
        self.0 = f64::max(Self::FIRST, self.0 * 10.0);
    }

    /// After a step that lowered χ² by `ratio` times what was predicted.
    fn adapt(&mut self, ratio: f64) {
        if ratio < 0.25 {
            self.0 = f64::max(Self::FIRST, self.0 * 3.0);
        } else if ratio > 0.75 {
            self.0 = if self.0 > Self::SMALLEST {
                self.0 / 10.0
            } else {
                0.0
            };
        }
    }
}

/// Minimises from the trial parameters. The undamped (Gauss–Newton) step is
/// tried first, accelerated where such steps shrink slowly; damping comes only
/// after a step has failed, or has lowered χ² by much less than it promised.
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
    let mut damping = Damping::default();
    loop {
        fitter.run.check()?;
        let unit_variance = problem.unit_variance(report.chi2);
        let tolerance = fitter.settings.step_tolerance.powi(2) * unit_variance;
        let mut undamped = problem.solve(0.0);
        let is_short = |gain: f64| gain <= tolerance || problem.step_is_rounding();
        if undamped.is_some_and(is_short) {
            report.termination = Termination::Converged;
            return Ok(report);
        }
        if let Some(gain) = undamped
            && damping.0 == 0.0
            && report.iterations < fitter.settings.max_iterations
            && problem.accelerate(gain / unit_variance)
        {
            if report.accept_if_lower(problem).is_some() {
                continue;
            }
            problem.forget();
            undamped = problem.solve(0.0);
        }
        if undamped.is_none() || damping.0 > 0.0 {
            problem.forget();
        }
        let end = descend(
            problem,
            fitter,
            undamped,
            tolerance,
            &mut damping,
            &mut report,
        )?;
        if let Some(termination) = end {
            report.termination = termination;
            return Ok(report);
        }
    }
}

/// Shorter and shorter steps until one lowers χ²; else why there is none.
fn descend(
    problem: &mut impl Problem,
    fitter: &Fitter<'_>,
    undamped: Option<f64>,
    tolerance: f64,
    damping: &mut Damping,
    report: &mut Report,
) -> Result<Option<Termination>, Error> {
    if undamped.is_none() && damping.0 == 0.0 {
        damping.raise();
    }
    loop {
        fitter.run.check()?;
        if damping.0 > Damping::LARGEST {
            let end = undamped.map_or(Termination::Singular, |_| Termination::Stalled);
            return Ok(Some(end));
        }
        let gain = if damping.0 > 0.0 {
            problem.solve(damping.0)
        } else {
            undamped
        };
        let Some(gain) = gain else {
            damping.raise();
            continue;
        };
        if undamped.is_none() && gain <= tolerance {
            // What the data determine is found; the rest they do not.
            return Ok(Some(Termination::Singular));
        }
        if report.iterations >= fitter.settings.max_iterations {
            return Ok(Some(Termination::MaxIterations));
        }
        if let Some(lowered) = report.accept_if_lower(problem) {
            damping.adapt(lowered / gain);
            return Ok(None);
        }
        damping.raise();
    }
}
