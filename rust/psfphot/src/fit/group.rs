//! A group of sources fitted jointly, every pixel once.

mod covariance;
mod weights;

use crate::Error;
use crate::image::{NO_LEVEL, Patch};
use crate::noise::Loss;

use super::anderson::Anderson;
use super::exposure::Exposure;
use super::minimise::{Problem, Report};
use super::model::Model;
use super::normal::{BlockMatrix, add_outer, dot};
use super::pixels::Pixels;
use super::settle::settle;
use super::source::{Solution, Source};
use super::tiles::{Reach, Tile, fill_reach, gather, link};
use super::{FLUX, Fitter, MAX_PARAMETERS, Parameters, SETTLED, Termination, is_rounding};

pub(crate) use covariance::covariance;

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
    /// At the current ones.
    matrix: BlockMatrix,
    gradient: Vec<f64>,
    /// The parameters that a bound holds.
    held: Vec<bool>,
    anderson: Anderson,
    scratch: Vec<f64>,
}

/// Fits the sources jointly; returns where each ended, and the model of all.
pub(crate) fn fit(
    fitter: &Fitter<'_>,
    exposure: &Exposure,
    sources: &[Source],
) -> Result<(Vec<Solution>, Model), Error> {
    let mut group = Group::new(fitter, exposure, sources);
    let report = settle(&mut group, fitter)?;
    let (variances, is_settled) = group.outcome(&report);
    fitter.run.check()?;
    if !report.is_evaluated {
        group.trial.clone_from(&group.current);
        group.evaluate_trial();
    }
    let n_rejected = group.n_below(Loss::REJECTED);
    let solutions = (0..sources.len()).map(|i| Solution {
        parameters: group.current[i],
        variances: group.variances_of(i, &variances),
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
        flags: 0,
    });
    Ok((solutions.collect(), group.model()))
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
        let mut matrix = BlockMatrix::new(sources.len(), width);
        for tile in &mut tiles {
            for (k, row) in tile.sources.iter().enumerate() {
                for column in &tile.sources[..=k] {
                    tile.blocks.push(matrix.block(row.source, column.source));
                }
            }
        }
        let n_parameters = sources.len() * width;
        Self {
            fitter,
            exposure,
            sources,
            residual: vec![0.0; pixels.data.len()],
            jacobian: vec![0.0; length],
            matrix,
            gradient: vec![0.0; n_parameters],
            step: vec![0.0; n_parameters],
            held: vec![false; n_parameters],
            anderson: Anderson::default(),
            scratch: Vec::new(),
            trial: current.clone(),
            current,
            pixels,
            tiles,
        }
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

    /// The gradient without the parameters that a bound holds.
    fn free_gradient(&self) -> Vec<f64> {
        let gradient = self.gradient.iter().zip(&self.held);
        gradient
            .map(|(&g, &held)| if held { 0.0 } else { g })
            .collect()
    }

    /// The variances of a member among those of all; `None` where one of them is
    /// missing.
    fn variances_of(&self, member: usize, variances: &[f64]) -> Option<Parameters> {
        let width = self.fitter.free.len();
        let own = &variances[member * width..(member + 1) * width];
        let mut all = [f64::NAN; MAX_PARAMETERS];
        for (&k, &variance) in self.fitter.free.iter().zip(own) {
            all[k] = variance;
        }
        (!own.iter().any(|v| v.is_nan())).then_some(all)
    }

    /// Variances, and which members' own steps are short. Those that the data
    /// do not determine have variances that are NaN.
    fn outcome(&self, report: &Report) -> (Vec<f64>, Vec<bool>) {
        let run = self.fitter.run;
        let nothing = (
            vec![f64::NAN; self.n_parameters()],
            vec![false; self.current.len()],
        );
        let determined = self.matrix.factor_determined(run);
        let Some((factor, is_determined)) = determined.filter(|_| report.chi2.is_finite()) else {
            return nothing;
        };
        let width = self.fitter.free.len();
        let mut step = self.free_gradient();
        let mut variances = factor.inverse_diagonal(run);
        let scale = self.unit_variance(report.chi2);
        let members = step.chunks_mut(width).zip(variances.chunks_mut(width));
        for ((step, variances), is_determined) in members.zip(&is_determined) {
            for (step, variance) in step.iter_mut().zip(variances) {
                *variance = if *is_determined {
                    *variance * scale
                } else {
                    f64::NAN
                };
                *step = if *is_determined { *step } else { 0.0 };
            }
        }
        let held: Vec<bool> = (0..step.len())
            .map(|i| self.held[i] || !is_determined[i / width])
            .collect();
        let reduced = if self.held.contains(&true) {
            self.matrix.factor(0.0, &held, run)
        } else {
            Some(factor)
        };
        let Some(reduced) = reduced else {
            return (variances, nothing.1);
        };
        reduced.solve(&mut step);
        let tolerance = (SETTLED * self.fitter.settings.step_tolerance).powi(2);
        let is_short = |(step, variance): (&f64, &f64)| step * step <= tolerance * variance;
        let is_settled = step
            .chunks(width)
            .zip(variances.chunks(width))
            .map(|(step, variance)| step.iter().zip(variance).all(is_short))
            .collect();
        // No freedom, no errors.
        if self.pixels.n_good <= self.n_parameters() {
            return (nothing.0, is_settled);
        }
        (variances, is_settled)
    }

    /// One source's planes on one tile, added to the model.
    fn add_source(&mut self, tile: usize, reach: Reach) {
        let tile = &self.tiles[tile];
        let parameters = &self.trial[reach.source as usize];
        let (n, n_shape) = (tile.window.len(), self.fitter.psf.shape_names().len());
        self.scratch.resize((3 + n_shape) * n, 0.0);
        let at = self.fitter.placement(parameters);
        fill_reach(
            self.fitter.psf,
            at,
            tile.window,
            reach.window,
            &mut self.scratch,
        );
        let (values, gradient) = self.scratch.split_at(n);
        let flux = parameters[FLUX];
        Patch::new(tile.window, &mut self.residual[tile.first..][..n]).add(
            tile.window,
            values,
            -flux,
            NO_LEVEL,
        );
        let planes = self.jacobian[reach.offset..].chunks_mut(tile.size);
        for (plane, &parameter) in planes.zip(self.fitter.free) {
            if parameter == FLUX {
                plane[..n].copy_from_slice(values);
                continue;
            }
            let derivative = &gradient[(parameter - 1) * n..parameter * n];
            for (j, d) in plane.iter_mut().zip(derivative) {
                *j = flux * d;
            }
        }
    }

    /// Adds one tile's rows to the normal equations.
    fn add_tile(&mut self, tile: usize) {
        let tile = &self.tiles[tile];
        let (size, width) = (tile.size, self.fitter.free.len());
        let pixels = tile.first..tile.first + size;
        let (weights, residual) = (&self.pixels.weights[pixels.clone()], &self.residual[pixels]);
        let planes = |offset: usize| offset..offset + width * size;
        let mut blocks = tile.blocks.iter();
        self.scratch.resize(width * size, 0.0);
        for (k, row) in tile.sources.iter().enumerate() {
            let weighted = &mut self.scratch[..width * size];
            let own = &self.jacobian[planes(row.offset)];
            for (weighted, own) in weighted.chunks_mut(size).zip(own.chunks(size)) {
                for ((weighted, j), w) in weighted.iter_mut().zip(own).zip(weights) {
                    *weighted = j * w;
                }
            }
            let gradient = &mut self.gradient[row.source as usize * width..];
            for (g, weighted) in gradient.iter_mut().zip(weighted.chunks(size)) {
                *g += dot(weighted, residual);
            }
            for (column, &block) in tile.sources[..=k].iter().zip(&mut blocks) {
                let other = &self.jacobian[planes(column.offset)];
                add_outer(weighted, other, size, self.matrix.values_mut(block));
            }
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
        self.residual
            .iter()
            .zip(&self.pixels.weights)
            .map(|(r, w)| w * r * r)
            .sum()
    }

    fn accept(&mut self) {
        self.current.clone_from(&self.trial);
        self.matrix.clear();
        self.gradient.fill(0.0);
        for tile in 0..self.tiles.len() {
            // What is left undone is not looked at.
            if self.fitter.run.check().is_err() {
                return;
            }
            self.add_tile(tile);
        }
        let width = self.fitter.free.len();
        for (i, held) in self.held.iter_mut().enumerate() {
            let (source, k) = (i / width, self.fitter.free[i % width]);
            *held = self.sources[source]
                .bounds
                .holds(k, self.current[source][k], self.gradient[i]);
        }
    }

    fn solve(&mut self, lambda: f64) -> Option<f64> {
        let factor = self.matrix.factor(lambda, &self.held, self.fitter.run)?;
        self.step = self.free_gradient();
        factor.solve(&mut self.step);
        Some(dot(&self.step, &self.gradient))
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
            .map(|i| self.matrix.diagonal(i))
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
            .unit_variance(self.fitter.has_error, chi2, self.n_parameters())
    }
}
