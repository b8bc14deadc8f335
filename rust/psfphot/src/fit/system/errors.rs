//! Where a system has ended: errors, and which stars stand still.

use crate::Error;
use crate::fit::covariance::{Covariance, Joint};
use crate::fit::source::Solution;
use crate::fit::{FLUX, MAX_PARAMETERS, Parameters, SETTLED, Termination, X, Y, blended};
use crate::flags;
use crate::solve::blocks::Block;
use crate::solve::small::inverse_diagonal;
use crate::solve::{Factor, factor_determined};

use super::kept::Kept;
use super::{Equations, System, free, pruning, sandwich, steps};

/// Whether some variance of a star is far above that with its neighbours known.
fn is_blended<const P: usize>(own: &Block<P>, variances: &[f64; P], unit_variance: f64) -> bool {
    let Some(alone) = inverse_diagonal(own) else {
        return false;
    };
    blended::is_blended(variances, &alone.map(|alone| alone * unit_variance))
}

/// The errors of a system's members.
struct Errors<const P: usize> {
    /// Variances as if pixels of one weight were equally noisy.
    unit: Vec<[f64; P]>,
    variances: Vec<[f64; P]>,
    is_blended: Vec<bool>,
    /// Whose variances are the unit ones for want of residuals.
    is_unit: Vec<bool>,
    is_determined: Vec<bool>,
    /// `None` where there are no more pixels than parameters, and so no errors.
    kept: Option<Kept>,
}

impl<const P: usize> System<'_, P> {
    /// The solutions of all stars, with the errors that the whole undamped matrix
    /// gives them.
    ///
    /// A star has converged where its part of the undamped joint step is shorter than
    /// some step tolerances in units of its own errors.
    ///
    /// `n_rejected` are the pixels that each has lost to robust weights.
    pub(super) fn solutions(
        &mut self,
        n_rejected: &[usize],
    ) -> Result<(Vec<Solution>, Option<Joint>), Error> {
        let run = self.fitter.run;
        // No star moves any more, and the whole factor takes the most memory of all.
        for star in &mut self.stars {
            star.rings = Vec::new();
        }
        let all: Vec<u32> = (0..self.sources.len() as u32).collect();
        let mut whole = self.equations(&all, 0.0)?;
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
        let errors = self.errors(whole, is_determined)?;
        let tolerance = (SETTLED * self.fitter.settings.step_tolerance()).powi(2);
        let mut solutions = vec![None; members.len()];
        for (k, &star) in members.iter().enumerate() {
            let star = star as usize;
            let unit = &errors.unit[k];
            let is_short = (0..P).all(|i| step[k][i].powi(2) <= tolerance * unit[i]);
            let is_determined = errors.is_determined[k];
            let termination = match (is_determined, is_short) {
                (true, true) => Termination::Converged,
                (true, false) => Termination::MaxIterations,
                (false, _) => Termination::Singular,
            };
            let variances = errors.variances[k];
            let mut flags = 0;
            let flux = self.current[star][FLUX];
            if errors.is_blended[k] && blended::is_vague(self.fitter.free, &variances, flux) {
                flags |= flags::UNRESOLVED_PAIR;
            }
            if errors.is_unit[k] {
                flags |= flags::NO_COVARIANCE;
            }
            solutions[star] = Some(Solution {
                parameters: self.current[star],
                variances: (is_determined && errors.kept.is_some())
                    .then(|| self.all_parameters(variances)),
                level: None,
                termination,
                iterations: self.stars[star].iterations,
                n_rejected: n_rejected[star],
                flags,
            });
        }
        let joint = errors.kept.map(|kept| Joint::Sparse(Box::new(kept)));
        Ok((solutions.into_iter().flatten().collect(), joint))
    }

    /// The errors of all members of a system whose factor is the inverse.
    fn errors(
        &mut self,
        whole: Equations<P>,
        is_determined: Vec<bool>,
    ) -> Result<Errors<P>, Error> {
        let (run, scale) = (self.fitter.run, self.unit_variance()?);
        let Equations {
            sweep,
            mut sums,
            factor,
            ..
        } = whole;
        let inverse = |i: usize, j: usize| {
            let is_there = is_determined[i] && is_determined[j];
            is_there.then(|| factor.inverse(i, j)).flatten()
        };
        let n = sums.matrix.n();
        let unit: Vec<[f64; P]> = (0..n)
            .map(|k| {
                let own = factor.inverse(k, k).unwrap_or([[f64::NAN; P]; P]);
                std::array::from_fn(|i| own[i][i] * scale)
            })
            .collect();
        let own = sums.matrix.diagonal.iter().zip(&unit);
        let is_blended = own
            .map(|(own, unit)| is_blended(own, unit, scale))
            .collect();
        let n_good: usize = self.planes.iter().map(super::Plane::n_good).sum();
        let has_freedom = n_good > self.sources.len() * P;
        let (mut variances, mut is_unit) = (unit.clone(), vec![false; n]);
        let mut normal = None;
        if has_freedom && self.fitter.covariance == Covariance::Sandwich {
            normal = Some(sums.matrix.clone());
            is_unit = self.sum_meat(&sweep, &mut sums, &inverse, scale)?;
            let found = sandwich::variances(&sums.matrix, &inverse, run)?;
            for ((variances, found), is_unit) in variances.iter_mut().zip(found).zip(&is_unit) {
                *variances = if *is_unit {
                    *variances
                } else {
                    found.map(|v| v * scale)
                };
            }
        }
        drop(factor);
        let members = &sweep.members;
        let kept = has_freedom.then(|| match &normal {
            Some(normal) => {
                let meat = Some(&sums.matrix);
                Kept::new(members, normal, meat, scale, is_determined.clone())
            }
            None => Kept::new(members, &sums.matrix, None, scale, is_determined.clone()),
        });
        Ok(Errors {
            unit,
            variances,
            is_blended,
            is_unit,
            is_determined,
            kept,
        })
    }

    /// Finds the stars that still move and whose neighbours make them uncertain; ends those
    /// that the data leave without a place. Of two on one spot only rounding makes two.
    pub(super) fn find_uncertain(&mut self, moving: &mut Equations<P>) -> Result<(), Error> {
        let run = self.fitter.run;
        let unit_variance = self.unit_variance()?;
        let limit = steps::NOWHERE * self.extent.fwhm;
        pruning::raise(&mut moving.sums.matrix, &moving.slack);
        let matrix = &moving.sums.matrix;
        let mut held = vec![false; matrix.n() * P];
        let is_determined = factor_determined(&mut moving.factor, matrix, &mut held, run)?;
        moving.factor.invert(run)?;
        for (k, &star) in moving.sweep.members.iter().enumerate() {
            let inverse = moving.factor.inverse(k, k).unwrap_or([[f64::NAN; P]; P]);
            let variances: [f64; P] = std::array::from_fn(|i| inverse[i][i] * unit_variance);
            let mut free = self.fitter.free.iter().zip(&variances);
            let is_nowhere = free.any(|(&p, &v)| matches!(p, X | Y) && v > limit * limit);
            let own = &mut self.stars[star as usize];
            own.has_ended = !is_determined[k] || is_nowhere;
            own.is_uncertain = is_blended(&matrix.diagonal[k], &variances, unit_variance);
        }
        Ok(())
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
