//! The steps of a system: how far each star goes.

use crate::fit::{FLUX, Parameters, SHAPE, X, Y};
use crate::run::chunks;
use crate::solve::blocks::Block;
use crate::{Error, Run};

use super::{Equations, System, pruning};

/// After so many steps those stars are found that their neighbours make uncertain: from
/// here on they end where they are [`ASTRAY`], and in any case after [`LONGEST`].
///
/// They run down their valleys for ever, for nothing: of 100,000 stars on 2048 x 2048
/// pixels (FWHM 3) the standard deviation of the flux pulls is 1.24, 1.39 and 1.64 if all
/// of them end after 9, 11 and 14 steps. Nor may all end early: their starts, which were
/// close to the truth, are then part of the result, and the robust width is 0.935, 0.950
/// and 0.964. Most outliers have gone a third of a FWHM, to another star's place: with the
/// limits below the deviation is 1.24 and the width 0.952. The others go on: where the PSF
/// does not match, steps shrink slowly.
pub(super) const UNCERTAIN_FROM: usize = 8;

/// So far from its start a star that its neighbours make uncertain is on its way to the
/// place of another: part of the FWHM.
const ASTRAY: f64 = 0.7 / 3.0;

/// Where the error of a position is larger, in FWHM, more steps tell nothing: so are those of
/// stars on one spot, and of 1 % of the 100,000.
pub(super) const NOWHERE: f64 = 1.0;

/// Most steps of a star that its neighbours make uncertain.
const LONGEST: usize = 20;

/// Most steps of a system. From starts that are off by 0.1 pixels and a fifth of the flux
/// stars that the data determine need some ten; where the PSF does not match they shrink
/// by up to 0.9 a step, and after so many a tenth of an error is left to go.
pub(super) const MOST: usize = 40;

/// How far a position may go in a step, pixels: beyond, the linearised star has
/// nothing to do with the star.
const SHIFT: f64 = 0.5;

/// A star's own chi^2 may rise by this in a step.
const RISE: f64 = 0.5;

/// How much a star is held to where it is: so many times the information of knowing
/// its flux to [`FLUX_SCALE`] and its position to [`SHIFT_SCALE`].
///
/// Gauss-Newton steps without it diverge where stars percolate (100,000 on 2048 x
/// 2048 pixels: 1,600 negative fluxes), and damping in units of the matrix's own
/// diagonal creeps. In these units it does nothing to a star that the data determine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damping(f64);

/// Part of the flux.
const FLUX_SCALE: f64 = 0.5;
/// Pixels.
const SHIFT_SCALE: f64 = 0.3;

/// Damping at the start and at the least.
const DAMPING: (f64, f64) = (1.0, 0.01);

/// That of a linear problem: enough to be raised where stars are not determined, too little
/// to be seen where they are.
const LINEAR_DAMPING: (f64, f64) = (1e-9, 1e-9);

impl Damping {
    fn limits(is_linear: bool) -> (f64, f64) {
        if is_linear { LINEAR_DAMPING } else { DAMPING }
    }

    /// At the start.
    pub(super) fn new(is_linear: bool) -> Self {
        Self(Self::limits(is_linear).0)
    }

    /// After a step that was good.
    fn lower(&mut self, is_linear: bool) {
        self.0 = (0.3 * self.0).max(Self::limits(is_linear).1);
    }

    /// After one that was not.
    pub(super) fn raise(&mut self) {
        self.0 *= 10.0;
    }
}

impl<const P: usize> System<'_, P> {
    /// What a step of each free parameter is measured in; for a star without any flux
    /// its error takes the flux's place.
    fn scales(&self, star: usize, diagonal: &Block<P>, unit_variance: f64) -> [f64; P] {
        let current = &self.current[star];
        std::array::from_fn(|i| match self.fitter.free[i] {
            FLUX => {
                let error = if diagonal[i][i] > 0.0 {
                    (unit_variance / diagonal[i][i]).sqrt()
                } else {
                    1.0
                };
                FLUX_SCALE * current[FLUX].abs().max(error)
            }
            X | Y => SHIFT_SCALE,
            shape => SHIFT_SCALE * current[shape].abs().max(f64::MIN_POSITIVE.sqrt()),
        })
    }

    /// Sets the diagonal of the matrix to that of `undamped` plus the damping.
    pub(super) fn damp(
        &self,
        members: &[u32],
        undamped: &[Block<P>],
        unit_variance: f64,
        equations: &mut Equations<P>,
    ) {
        let matrix = &mut equations.sums.matrix;
        matrix.diagonal.copy_from_slice(undamped);
        pruning::raise(matrix, &equations.slack);
        let blocks = matrix.diagonal.iter_mut().zip(undamped);
        for ((block, undamped), &star) in blocks.zip(members) {
            let damping = self.stars[star as usize].damping.0 * unit_variance;
            let scales = self.scales(star as usize, undamped, unit_variance);
            for (i, scale) in scales.into_iter().enumerate() {
                block[i][i] += damping / (scale * scale);
            }
        }
    }

    /// Takes a step, as far as each star may go; those whose own chi^2 rises go back.
    /// A step of a linear problem is its solution, and taken whole.
    pub(super) fn take(
        &mut self,
        members: &[u32],
        step: &[[f64; P]],
        undamped: &[Block<P>],
        unit_variance: f64,
    ) -> Result<(), Error> {
        let (mut trials, mut images) = (Vec::with_capacity(members.len()), Vec::new());
        let before = self.chi2_of(members)?;
        for (k, &star) in members.iter().enumerate() {
            let star = star as usize;
            let scales = self.scales(star, &undamped[k], unit_variance);
            let trial = self.trial(star, &step[k], scales);
            self.move_core(star, &trial, &mut images);
            let taken: [f64; P] = std::array::from_fn(|i| {
                trial[self.fitter.free[i]] - self.current[star][self.fitter.free[i]]
            });
            let own = &mut self.stars[star];
            own.length = (square(&undamped[k], &taken) / unit_variance)
                .max(0.0)
                .sqrt();
            own.chi2 = before[k];
            own.iterations += 1;
            trials.push(trial);
        }
        self.add(&images)?;
        images.clear();
        let after = self.chi2_of(members)?;
        let is_linear = self.fitter.is_linear();
        let mut goes_back = Vec::new();
        for (k, &star) in members.iter().enumerate() {
            let star = star as usize;
            let old = std::mem::replace(&mut self.current[star], trials[k]);
            let rise = after[k] - self.stars[star].chi2;
            // Also where it is no number.
            if is_linear || rise <= RISE * unit_variance {
                self.stars[star].damping.lower(is_linear);
            } else {
                self.move_core(star, &old, &mut images);
                self.stars[star].damping.raise();
                goes_back.push((star, old));
            }
        }
        self.add(&images)?;
        for (star, old) in goes_back {
            self.current[star] = old;
        }
        Ok(())
    }

    /// After a step: ends those of the stars that their neighbours make uncertain and that
    /// have gone astray, or whose time is up.
    pub(super) fn end_uncertain(
        &mut self,
        moving: &mut Equations<P>,
        step: usize,
    ) -> Result<(), Error> {
        if step < UNCERTAIN_FROM || !self.care.freezes || self.fitter.is_linear() {
            return Ok(());
        }
        if step == UNCERTAIN_FROM {
            self.sum(&moving.sweep, &mut moving.sums)?;
            self.find_uncertain(moving)?;
        }
        let limit = ASTRAY * self.extent.fwhm;
        for &star in &moving.sweep.members {
            let star = star as usize;
            let (now, start) = (&self.current[star], &self.sources[star].parameters);
            let is_astray = (now[X] - start[X]).hypot(now[Y] - start[Y]) > limit;
            let own = &mut self.stars[star];
            own.has_ended |= own.is_uncertain && (is_astray || step >= LONGEST);
        }
        Ok(())
    }

    /// Where a step takes a star.
    fn trial(&self, star: usize, step: &[f64; P], scales: [f64; P]) -> Parameters {
        let (source, mut trial) = (&self.sources[star], self.current[star]);
        for ((&k, &step), scale) in self.fitter.free.iter().zip(step).zip(scales) {
            let step = if step.is_finite() { step } else { 0.0 };
            let step = match k {
                _ if self.fitter.is_linear() => step,
                // To 0.05 and 3 times what it is.
                FLUX => step.clamp(-0.95 * scale / FLUX_SCALE, 2.0 * scale / FLUX_SCALE),
                X | Y => step.clamp(-SHIFT, SHIFT),
                shape => self
                    .fitter
                    .psf
                    .limit_shape_step(shape - SHAPE, trial[k], step),
            };
            trial[k] = source.bounds.clamp(k, trial[k] + step);
        }
        trial
    }

    /// chi^2 of the core of each.
    fn chi2_of(&self, members: &[u32]) -> Result<Vec<f64>, Error> {
        const TASK: usize = 1024;
        let run: Run<'_> = self.fitter.run;
        let of = |(): &mut (), range: std::ops::Range<usize>| {
            let own = members[range].iter().map(|&star| self.cores[star as usize]);
            let chi2 = own.map(|core| self.planes.iter().map(|plane| plane.chi2(core)).sum());
            Ok(chi2.collect::<Vec<f64>>())
        };
        Ok(run.map(chunks(members.len(), TASK), || (), of)?.concat())
    }
}

/// aᵀ M a.
fn square<const P: usize>(matrix: &Block<P>, a: &[f64; P]) -> f64 {
    let row = |row: &[f64; P]| row.iter().zip(a).map(|(m, a)| m * a).sum::<f64>();
    matrix.iter().zip(a).map(|(m, a)| a * row(m)).sum()
}
