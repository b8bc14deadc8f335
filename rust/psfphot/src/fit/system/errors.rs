//! Where a system has ended: errors, and which stars stand still.

use crate::Error;
use crate::fit::source::Solution;
use crate::fit::{FLUX, MAX_PARAMETERS, Parameters, SETTLED, Termination, X, Y};
use crate::flags;
use crate::solve::blocks::Block;
use crate::solve::small::inverse_diagonal;
use crate::solve::{Factor, factor_determined};

use super::{Moving, System, free};

/// Neighbours that make the errors of a star so many times larger than they would be
/// were the neighbours known make it uncertain: pairs within some 0.5 FWHM.
const BLENDED: f64 = 3.0;

/// Of such a star the data tell little where the error of its flux is more than this part
/// of it, or that of its position more than so many pixels. (A pair of bright stars 0.5
/// FWHM apart has errors several times larger than each alone, and is well resolved.)
const LITTLE: (f64, f64) = (0.2, 0.3);

/// Whether some variance of a star is far above that with its neighbours known.
fn is_blended<const P: usize>(own: &Block<P>, variances: &[f64; P], unit_variance: f64) -> bool {
    let Some(alone) = inverse_diagonal(own) else {
        return false;
    };
    let mut pairs = variances.iter().zip(alone);
    pairs.any(|(&joint, alone)| joint > BLENDED * BLENDED * alone * unit_variance)
}

impl<const P: usize> System<'_, P> {
    /// The solutions of all stars, with the errors that the whole undamped matrix
    /// gives them.
    ///
    /// A star has converged where its part of the undamped joint step is shorter than
    /// some step tolerances in units of its own errors.
    ///
    /// `n_rejected` are the pixels that each has lost to robust weights.
    pub(super) fn solutions(&self, n_rejected: &[usize]) -> Result<Vec<Solution>, Error> {
        let run = self.fitter.run;
        let all: Vec<u32> = (0..self.sources.len() as u32).collect();
        let mut whole = self.moving(&all)?;
        self.sum(&mut whole)?;
        let members = whole.sweep.members.clone();
        let (matrix, gradient) = (&whole.sums.matrix, &whole.sums.gradient);
        let mut held = vec![false; members.len() * P];
        let is_determined = factor_determined(&mut whole.factor, matrix, &mut held, run)?;
        let mut reduced = self.held(&members, gradient);
        if reduced.is_empty() {
            reduced.clone_from(&held);
        } else {
            reduced.iter_mut().zip(&held).for_each(|(r, &h)| *r |= h);
            whole.factor.factor(matrix, &reduced, run)?;
        }
        let mut step = free(gradient, &reduced);
        whole.factor.solve(&mut step);
        if reduced != held {
            whole.factor.factor(matrix, &held, run)?;
        }
        whole.factor.invert(run)?;
        let unit_variance = self.unit_variance()?;
        let n_good: usize = self.planes.iter().map(super::Plane::n_good).sum();
        let has_freedom = n_good > self.sources.len() * P;
        let tolerance = (SETTLED * self.fitter.settings.step_tolerance()).powi(2);
        let mut solutions = vec![None; members.len()];
        for (k, &star) in members.iter().enumerate() {
            let star = star as usize;
            let inverse = whole.factor.inverse(k, k).unwrap_or([[f64::NAN; P]; P]);
            let variances: [f64; P] = std::array::from_fn(|i| inverse[i][i] * unit_variance);
            let is_short = (0..P).all(|i| step[k][i].powi(2) <= tolerance * variances[i]);
            let termination = match (is_determined[k], is_short) {
                (true, true) => Termination::Converged,
                (true, false) => Termination::MaxIterations,
                (false, _) => Termination::Singular,
            };
            solutions[star] = Some(Solution {
                parameters: self.current[star],
                variances: (is_determined[k] && has_freedom)
                    .then(|| self.all_parameters(variances)),
                termination,
                iterations: self.stars[star].iterations,
                n_rejected: n_rejected[star],
                flags: if is_blended(&matrix.diagonal[k], &variances, unit_variance)
                    && self.is_vague(star, &variances)
                {
                    flags::UNRESOLVED_PAIR
                } else {
                    0
                },
            });
        }
        Ok(solutions.into_iter().flatten().collect())
    }

    /// Ends the stars that still move and whose neighbours make them uncertain.
    pub(super) fn end_unresolved(&mut self, moving: &mut Moving<P>) -> Result<(), Error> {
        let run = self.fitter.run;
        self.sum(moving)?;
        let unit_variance = self.unit_variance()?;
        let matrix = &moving.sums.matrix;
        let mut held = vec![false; matrix.n() * P];
        let is_determined = factor_determined(&mut moving.factor, matrix, &mut held, run)?;
        moving.factor.invert(run)?;
        for (k, &star) in moving.sweep.members.iter().enumerate() {
            let inverse = moving.factor.inverse(k, k).unwrap_or([[f64::NAN; P]; P]);
            let variances = std::array::from_fn(|i| inverse[i][i] * unit_variance);
            self.stars[star as usize].has_ended =
                !is_determined[k] || is_blended(&matrix.diagonal[k], &variances, unit_variance);
        }
        Ok(())
    }

    /// Whether the variances of a star's flux or position are large.
    fn is_vague(&self, star: usize, variances: &[f64; P]) -> bool {
        let mut free = self.fitter.free.iter().zip(variances);
        free.any(|(&k, &variance)| {
            let limit = match k {
                FLUX => LITTLE.0 * self.current[star][FLUX],
                X | Y => LITTLE.1,
                _ => return false,
            };
            variance > limit * limit
        })
    }

    /// Values of the free parameters among those of all.
    fn all_parameters(&self, values: [f64; P]) -> Parameters {
        let mut all = [f64::NAN; MAX_PARAMETERS];
        for (&k, value) in self.fitter.free.iter().zip(values) {
            all[k] = value;
        }
        all
    }
}
