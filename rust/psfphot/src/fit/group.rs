//! A group of sources fitted jointly, every pixel once.

mod blocks;
mod covariance;
mod weights;

use std::ops::Range;

use crate::Error;
use crate::image::{NO_LEVEL, Patch};

use super::anderson::Anderson;
use super::covariance::Joint;
use super::exposure::Exposure;
use super::minimise::{Problem, Report};
use super::model::Model;
use super::normal::{BlockMatrix, add_outer, dot};
use super::pixels::Pixels;
use super::settle::settle;
use super::source::{Level, Solution, Source};
use super::tiles::{Reach, Tile, fill_reach, gather, link};
use super::weighting::Loss;
use super::{FLUX, Fitter, MAX_PARAMETERS, Parameters, SETTLED, Termination, is_rounding};
use blocks::{CROWD, NO_BLOCK};
use covariance::Whole;

/// Sums over the pixels with some weights.
#[derive(Clone, Default)]
struct Normal {
    matrix: BlockMatrix,
    gradient: Vec<f64>,
    /// Of each derivative: the normal equations' column of a constant.
    border: Vec<f64>,
}

struct Group<'a> {
    fitter: &'a Fitter<'a>,
    exposure: &'a Exposure,
    sources: &'a [Source],
    pixels: Pixels,
    tiles: Vec<Tile>,
    current: Vec<Parameters>,
    trial: Vec<Parameters>,
    step: Vec<f64>,
    /// At the trial parameters: data − model, and the planes of ∂model/∂p.
    residual: Vec<f64>,
    jacobian: Vec<f64>,
    /// The constant at the trial parameters, the best for them; 0 if it is not fitted.
    level: f64,
    /// At the current ones, without the constant: it is eliminated.
    normal: Normal,
    /// Of all pixels: the normal equations' element of the constant.
    total_weight: f64,
    /// The parameters that a bound holds.
    held: Vec<bool>,
    anderson: Anderson,
    scratch: Vec<f64>,
}

/// Fits the sources jointly; returns where each ended, the model of all, and their
/// covariance where there is one.
pub(crate) fn fit(
    fitter: &Fitter<'_>,
    exposure: &Exposure,
    sources: &[Source],
) -> Result<(Vec<Solution>, Model, Option<Joint>), Error> {
    let mut group = Group::new(fitter, exposure, sources);
    let report = settle(&mut group, fitter)?;
    if !report.is_evaluated {
        group.trial.clone_from(&group.current);
        group.evaluate_trial();
    }
    let n_rejected = group.n_below(Loss::REJECTED);
    let (covariance, is_settled) = group.outcome(&report);
    fitter.run.check()?;
    let level = fitter.fits_background.then(|| Level {
        value: group.level,
        variance: covariance.as_ref().map_or(f64::NAN, Whole::level),
    });
    let solutions = (0..sources.len()).map(|i| Solution {
        parameters: group.current[i],
        variances: covariance
            .as_ref()
            .and_then(|whole| group.variances_of(i, whole)),
        level,
        termination: match report.termination {
            // The group as a whole still moves, this member does not.
            Termination::MaxIterations | Termination::Stalled | Termination::Singular
                if is_settled[i] =>
            {
                Termination::Converged
            }
            other => other,
        },
        iterations: report.iterations,
        n_rejected: n_rejected[i],
        flags: covariance.as_ref().map_or(0, |whole| whole.flags(i)),
    });
    let (solutions, model) = (solutions.collect(), group.model());
    Ok((solutions, model, covariance.map(Whole::into_joint)))
}

/// The model of the group at `parameters`.
pub(crate) fn evaluate(
    fitter: &Fitter<'_>,
    exposure: &Exposure,
    sources: &[Source],
    parameters: Vec<Parameters>,
) -> Model {
    let mut group = Group::new(fitter, exposure, sources);
    group.current = parameters;
    group.weigh_as_fitted();
    group.model()
}

impl<'a> Group<'a> {
    fn new(fitter: &'a Fitter<'a>, exposure: &'a Exposure, sources: &'a [Source]) -> Self {
        let (pixels, mut tiles) = gather(exposure, sources);
        let current: Vec<_> = sources.iter().map(|source| source.parameters).collect();
        let supports = current
            .iter()
            .map(|parameters| fitter.psf.support(fitter.placement(parameters)));
        let width = fitter.free.len();
        let length = link(&mut tiles, exposure.image(), supports, width);
        let n_parameters = sources.len() * width;
        let mut matrix = BlockMatrix::new(sources.len(), width);
        for tile in &mut tiles {
            for (k, row) in tile.sources.iter().enumerate() {
                for column in &tile.sources[..=k] {
                    tile.blocks.push(matrix.block(row.source, column.source));
                }
            }
        }
        let mut group = Self {
            fitter,
            exposure,
            sources,
            residual: vec![0.0; pixels.data.len()],
            jacobian: vec![0.0; length],
            normal: Normal {
                matrix,
                gradient: vec![0.0; n_parameters],
                border: vec![0.0; n_parameters],
            },
            total_weight: 0.0,
            level: 0.0,
            step: vec![0.0; n_parameters],
            held: vec![false; n_parameters],
            anderson: Anderson::default(),
            scratch: Vec::new(),
            trial: current.clone(),
            current,
            pixels,
            tiles,
        };
        if sources.len() >= CROWD {
            group.drop_negligible();
        }
        group
    }

    /// The model at the parameters that were last evaluated.
    fn model(&self) -> Model {
        let data = self.pixels.data.iter();
        Model::new(
            self.tiles.iter().map(|t| (t.window, t.first)).collect(),
            data.zip(&self.residual).map(|(d, r)| d - r).collect(),
            self.pixels.weights.clone(),
        )
    }

    fn n_parameters(&self) -> usize {
        self.step.len()
    }

    /// The parameters of all sources, and the constant.
    fn n_unknowns(&self) -> usize {
        self.n_parameters() + usize::from(self.fitter.fits_background)
    }

    /// The gradient without the parameters that a bound holds.
    fn free_gradient(&self) -> Vec<f64> {
        let gradient = self.normal.gradient.iter().zip(&self.held);
        gradient
            .map(|(&g, &held)| if held { 0.0 } else { g })
            .collect()
    }

    /// The variances of a member; `None` where one of them is missing.
    fn variances_of(&self, member: usize, whole: &Whole) -> Option<Parameters> {
        let width = self.fitter.free.len();
        let mut all = [f64::NAN; MAX_PARAMETERS];
        for (i, &k) in self.fitter.free.iter().enumerate() {
            all[k] = whole.variance(member * width + i);
            if all[k].is_nan() {
                return None;
            }
        }
        Some(all)
    }

    /// The covariance at the parameters that were last evaluated, which are the current
    /// ones, and which members' own steps are short.
    fn outcome(&mut self, report: &Report) -> (Option<Whole>, Vec<bool>) {
        let run = self.fitter.run;
        let unsettled = vec![false; self.current.len()];
        let determined = self.normal.matrix.factor_determined(run);
        let Some((factor, is_determined)) = determined.filter(|_| report.chi2.is_finite()) else {
            return (None, unsettled);
        };
        let inverse = factor.inverse(run);
        let width = self.fitter.free.len();
        let is_free = |i: usize| is_determined[i / width];
        let held: Vec<bool> = (0..self.n_parameters())
            .map(|i| self.held[i] || !is_free(i))
            .collect();
        let mut step = self.free_gradient();
        for (i, step) in step.iter_mut().enumerate() {
            *step = if is_free(i) { *step } else { 0.0 };
        }
        let scale = self.unit_variance(report.chi2);
        let tolerance = scale * (SETTLED * self.fitter.settings.step_tolerance).powi(2);
        let diagonal: Vec<f64> = inverse.iter().copied().step_by(step.len() + 1).collect();
        // No freedom, no errors.
        let has_freedom = self.pixels.n_good > self.n_unknowns();
        let whole = has_freedom.then(|| self.covariance(inverse, &is_determined, scale));
        let reduced = if self.held.contains(&true) {
            self.normal.matrix.factor(0.0, &held, run)
        } else {
            Some(factor)
        };
        let Some(reduced) = reduced else {
            return (whole, unsettled);
        };
        reduced.solve(&mut step);
        let is_short = |i: usize| is_free(i) && step[i] * step[i] <= tolerance * diagonal[i];
        let members = 0..self.current.len();
        let is_settled = members.map(|member| (0..width).all(|i| is_short(member * width + i)));
        (whole, is_settled.collect())
    }

    /// One source's planes on one tile, added to the model.
    fn add_source(&mut self, tile: usize, reach: Reach) {
        let tile = &self.tiles[tile];
        let (rows, first) = tile.rows_of(&reach);
        let parameters = &self.trial[reach.source as usize];
        let (n, n_shape) = (rows.len(), self.fitter.psf.shape_names().len());
        self.scratch.resize((3 + n_shape) * n, 0.0);
        let at = self.fitter.placement(parameters);
        fill_reach(self.fitter.psf, at, rows, reach.window, &mut self.scratch);
        let (values, gradient) = self.scratch.split_at(n);
        let flux = parameters[FLUX];
        Patch::new(rows, &mut self.residual[tile.first + first..][..n])
            .add(rows, values, -flux, NO_LEVEL);
        let planes = self.jacobian[reach.offset..].chunks_mut(tile.size);
        for (plane, &parameter) in planes.zip(self.fitter.free) {
            let plane = &mut plane[first..first + n];
            if parameter == FLUX {
                plane.copy_from_slice(values);
                continue;
            }
            let derivative = &gradient[(parameter - 1) * n..parameter * n];
            for (j, d) in plane.iter_mut().zip(derivative) {
                *j = flux * d;
            }
        }
    }

    /// Finds the constant that suits the residual best, and takes it from it.
    fn take_level(&mut self) {
        let weights = &self.pixels.weights;
        let total: f64 = weights.iter().sum();
        self.level = dot(weights, &self.residual) / total;
        for (residual, &weight) in self.residual.iter_mut().zip(weights) {
            if weight > 0.0 {
                *residual -= self.level;
            }
        }
        self.total_weight = total;
    }

    /// Adds one tile's rows to sums over pixels with some weights.
    fn add_tile(&mut self, tile: usize, weights: &[f64], sums: &mut Normal) {
        let tile = &self.tiles[tile];
        let (size, width) = (tile.size, self.fitter.free.len());
        let pixels = tile.first..tile.first + size;
        let (weights, residual) = (&weights[pixels.clone()], &self.residual[pixels]);
        let planes = |offset: usize| offset..offset + width * size;
        let mut blocks = tile.blocks.iter();
        self.scratch.resize(width * size, 0.0);
        for (k, row) in tile.sources.iter().enumerate() {
            let weighted = &mut self.scratch[..width * size];
            let own = tile.shared(row, row);
            weigh(&self.jacobian[planes(row.offset)], weights, &own, weighted);
            let first = row.source as usize * width;
            let gradient = &mut sums.gradient[first..];
            for (g, weighted) in gradient.iter_mut().zip(weighted.chunks(size)) {
                *g += dot(&weighted[own.clone()], &residual[own.clone()]);
            }
            if self.fitter.fits_background {
                let border = &mut sums.border[first..];
                for (b, weighted) in border.iter_mut().zip(weighted.chunks(size)) {
                    *b += weighted[own.clone()].iter().sum::<f64>();
                }
            }
            for (column, &block) in tile.sources[..=k].iter().zip(&mut blocks) {
                if block == NO_BLOCK {
                    continue;
                }
                let other = &self.jacobian[planes(column.offset)];
                let within = tile.shared(row, column);
                add_outer(weighted, other, size, within, sums.matrix.values_mut(block));
            }
        }
    }

    /// The sums over all pixels with some weights, in the memory of `sums`. What a
    /// cancelled run leaves undone is not looked at.
    fn sum(&mut self, weights: &[f64], sums: &mut Normal) {
        sums.matrix.clear();
        sums.gradient.fill(0.0);
        sums.border.fill(0.0);
        for tile in 0..self.tiles.len() {
            if self.fitter.run.check().is_err() {
                return;
            }
            self.add_tile(tile, weights, sums);
        }
    }
}

/// Planes times the weights of their pixels, of those `within`.
fn weigh(planes: &[f64], weights: &[f64], within: &Range<usize>, weighted: &mut [f64]) {
    let size = weights.len();
    let weights = &weights[within.clone()];
    for (weighted, plane) in weighted.chunks_mut(size).zip(planes.chunks(size)) {
        let (weighted, plane) = (&mut weighted[within.clone()], &plane[within.clone()]);
        for ((weighted, j), w) in weighted.iter_mut().zip(plane).zip(weights) {
            *weighted = j * w;
        }
    }
}

impl Problem for Group<'_> {
    fn evaluate_trial(&mut self) -> f64 {
        self.residual.copy_from_slice(&self.pixels.data);
        for tile in 0..self.tiles.len() {
            for k in 0..self.tiles[tile].sources.len() {
                self.add_source(tile, self.tiles[tile].sources[k]);
            }
        }
        if self.fitter.fits_background {
            self.take_level();
        }
        self.residual
            .iter()
            .zip(&self.pixels.weights)
            .map(|(r, w)| w * r * r)
            .sum()
    }

    fn accept(&mut self) {
        self.current.clone_from(&self.trial);
        let weights = std::mem::take(&mut self.pixels.weights);
        let mut normal = std::mem::take(&mut self.normal);
        self.sum(&weights, &mut normal);
        if self.fitter.fits_background {
            // The residual has no constant left in it: its element of the gradient is 0.
            let root = self.total_weight.sqrt();
            let column = normal.border.iter().map(|b| b / root).collect();
            normal.matrix.take_outer(column);
        }
        (self.pixels.weights, self.normal) = (weights, normal);
        let width = self.fitter.free.len();
        for (i, held) in self.held.iter_mut().enumerate() {
            let (source, k) = (i / width, self.fitter.free[i % width]);
            *held = self.sources[source].bounds.holds(
                k,
                self.current[source][k],
                self.normal.gradient[i],
            );
        }
    }

    fn solve(&mut self, lambda: f64) -> Option<f64> {
        let factor = self
            .normal
            .matrix
            .factor(lambda, &self.held, self.fitter.run)?;
        self.step = self.free_gradient();
        factor.solve(&mut self.step);
        Some(dot(&self.step, &self.normal.gradient))
    }

    fn propose(&mut self) {
        let width = self.fitter.free.len();
        for (i, trial) in self.trial.iter_mut().enumerate() {
            *trial = self.current[i];
            for (&k, &step) in self.fitter.free.iter().zip(&self.step[i * width..]) {
                let step = self.fitter.limited(k, trial[k], step);
                trial[k] = self.sources[i].bounds.clamp(k, trial[k] + step);
            }
        }
    }

    fn step_is_rounding(&self) -> bool {
        let width = self.fitter.free.len();
        self.current.iter().enumerate().all(|(i, parameters)| {
            let steps = self.fitter.free.iter().zip(&self.step[i * width..]);
            steps
                .into_iter()
                .all(|(&k, &step)| is_rounding(k, parameters[k], step))
        })
    }

    fn accelerate(&mut self, length: f64) -> bool {
        if self.held.contains(&true) {
            self.forget();
            return false;
        }
        let free =
            |parameters: &Parameters| self.fitter.free.iter().map(|&k| parameters[k]).collect();
        let point: Vec<Vec<f64>> = self.current.iter().map(free).collect();
        let weights: Vec<f64> = (0..self.step.len())
            .map(|i| self.normal.matrix.diagonal(i))
            .collect();
        let mixed = self
            .anderson
            .mix(point.concat(), &self.step, &weights, length);
        mixed.map(|step| self.step = step).is_some()
    }

    fn forget(&mut self) {
        self.anderson.forget();
    }

    fn unit_variance(&self, chi2: f64) -> f64 {
        self.pixels
            .unit_variance(self.fitter.has_error, chi2, self.n_unknowns())
    }
}
