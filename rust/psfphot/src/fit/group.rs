//! A group of sources fitted jointly, every pixel once.

mod covariance;

use crate::Error;
use crate::image::{Frame, Pixel, PixelBox};
use crate::psf::{Placement, Psf};

use super::anderson::Anderson;
use super::bounds::Bounds;
use super::isolated::placement;
use super::minimise::{Problem, Report, minimise};
use super::model::Model;
use super::normal::{BlockMatrix, add_outer, dot};
use super::pixels::{Pixels, union};
use super::{FLUX, Fitter, MAX_PARAMETERS, Parameters, SETTLED, is_rounding};

pub(crate) use covariance::covariance;

/// One member of a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// The pixels of its fit box that are on the image.
    pub(crate) window: PixelBox,
    pub(crate) start: Parameters,
    pub(crate) bounds: Bounds,
    /// Local background per pixel.
    pub(crate) background: f64,
}

/// The fit of a group.
#[derive(Debug, Clone)]
pub(crate) struct Solution {
    pub(crate) parameters: Vec<Parameters>,
    /// Variances of the free parameters, member by member; NaN where there is
    /// no covariance.
    pub(crate) variances: Vec<f64>,
    /// Whether each member's own step is shorter than the tolerance.
    pub(crate) is_settled: Vec<bool>,
    pub(crate) report: Report,
    pub(crate) model: Model,
}

/// A rectangle of pixels, and the sources that reach it.
struct Tile {
    window: PixelBox,
    /// First pixel, and number of pixels in whole lanes.
    first: usize,
    size: usize,
    sources: Vec<Reach>,
    /// The matrix block of each pair of these sources.
    blocks: Vec<u32>,
}

/// A source that reaches a tile.
#[derive(Debug, Clone, Copy)]
struct Reach {
    source: u32,
    /// First element of its planes in the Jacobian.
    offset: usize,
    /// The pixels of the tile that belong to its starting position's support,
    /// and so to the source throughout the fit.
    window: PixelBox,
}

struct Group<'a> {
    fitter: &'a Fitter<'a>,
    free: &'a [usize],
    bounds: Vec<Bounds>,
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

/// Fits the members jointly; `free` lists the free parameters of each.
pub(crate) fn fit<T: Pixel>(
    fitter: &Fitter<'_>,
    frame: &Frame<'_, T>,
    members: &[Member],
    free: &[usize],
) -> Result<Solution, Error> {
    let mut group = Group::new(fitter, frame, members, free);
    let report = minimise(&mut group, fitter)?;
    let (variances, is_settled) = group.outcome(&report);
    fitter.run.check()?;
    if !report.is_evaluated {
        group.trial.clone_from(&group.current);
        group.evaluate_trial();
    }
    Ok(Solution {
        model: group.model(),
        parameters: group.current,
        variances,
        is_settled,
        report,
    })
}

/// The model of the group at `solution`.
pub(crate) fn evaluate<T: Pixel>(
    fitter: &Fitter<'_>,
    frame: &Frame<'_, T>,
    members: &[Member],
    free: &[usize],
    solution: &[Parameters],
) -> Model {
    let mut group = Group::new(fitter, frame, members, free);
    group.trial = solution.to_vec();
    group.evaluate_trial();
    group.model()
}

/// The mean local background of the boxes that hold a pixel.
fn mean_background(members: &[Member], x: i64, y: i64) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for member in members.iter().filter(|m| m.window.contains(x, y)) {
        sum += member.background;
        n += 1.0;
    }
    if n > 0.0 { sum / n } else { 0.0 }
}

impl<'a> Group<'a> {
    fn new<T: Pixel>(
        fitter: &'a Fitter<'a>,
        frame: &Frame<'_, T>,
        members: &[Member],
        free: &'a [usize],
    ) -> Self {
        let windows: Vec<_> = members.iter().map(|m| m.window).collect();
        let has_background = members.iter().any(|m| m.background != 0.0);
        let mut pixels = Pixels::default();
        let mut tiles = Vec::new();
        for window in union(&windows) {
            let first = pixels.data.len();
            pixels.gather(frame, window, |x, y| {
                if has_background {
                    mean_background(members, x, y)
                } else {
                    0.0
                }
            });
            tiles.push(Tile {
                window,
                first,
                size: pixels.data.len() - first,
                sources: Vec::new(),
                blocks: Vec::new(),
            });
        }
        let current: Vec<_> = members.iter().map(|m| m.start).collect();
        let mut group = Self {
            fitter,
            free,
            bounds: members.iter().map(|m| m.bounds).collect(),
            residual: vec![0.0; pixels.data.len()],
            matrix: BlockMatrix::new(members.len(), free.len()),
            gradient: vec![0.0; members.len() * free.len()],
            step: vec![0.0; members.len() * free.len()],
            held: vec![false; members.len() * free.len()],
            anderson: Anderson::default(),
            jacobian: Vec::new(),
            scratch: Vec::new(),
            trial: current.clone(),
            current,
            pixels,
            tiles,
        };
        group.link();
        group
    }

    /// Finds which sources reach which tiles, and lays out the Jacobian and
    /// the matrix.
    ///
    /// A sampled PSF ends with a step. If pixels at its end came and went as
    /// the source moves, χ² would jump, and a fit could end on such a jump:
    /// which pixels belong to a source is settled at its start.
    fn link(&mut self) {
        let mut length = 0;
        let psf = self.fitter.psf;
        let supports = self.current.iter().map(|p| psf.support(placement(psf, p)));
        let supports: Vec<_> = supports.collect();
        for tile in &mut self.tiles {
            for (source, support) in (0..).zip(&supports) {
                let window = support.intersection(&tile.window);
                if !window.is_empty() {
                    let offset = length;
                    tile.sources.push(Reach {
                        source,
                        offset,
                        window,
                    });
                    length += self.free.len() * tile.size;
                }
            }
            for (k, row) in tile.sources.iter().enumerate() {
                for column in &tile.sources[..=k] {
                    let block = self.matrix.block(row.source, column.source);
                    tile.blocks.push(block);
                }
            }
        }
        self.jacobian = vec![0.0; length];
    }

    /// The model at the parameters that were last evaluated.
    fn model(&self) -> Model {
        let data = self.pixels.data.iter();
        Model::new(
            self.tiles.iter().map(|t| (t.window, t.first)).collect(),
            data.zip(&self.residual).map(|(d, r)| d - r).collect(),
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
        let width = self.free.len();
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
        let at = placement(self.fitter.psf, parameters);
        fill_reach(
            self.fitter.psf,
            at,
            tile.window,
            reach.window,
            &mut self.scratch,
        );
        let (values, gradient) = self.scratch.split_at(n);
        let flux = parameters[FLUX];
        for (r, v) in self.residual[tile.first..].iter_mut().zip(values) {
            *r -= flux * v;
        }
        let planes = self.jacobian[reach.offset..].chunks_mut(tile.size);
        for (plane, &parameter) in planes.zip(self.free) {
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
        let (size, width) = (tile.size, self.free.len());
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

/// Fills the planes (value, then derivatives) of a source on the pixels of
/// `tile`: continued where it has moved off pixels of `own`, 0 off `own`.
fn fill_reach(psf: &dyn Psf, at: Placement<'_>, tile: PixelBox, own: PixelBox, planes: &mut [f64]) {
    let n = tile.len();
    let (values, gradient) = planes.split_at_mut(n);
    psf.fill_with_gradient(at, tile, values, gradient);
    let support = psf.support(at);
    if own == tile && support.intersection(&tile) == tile {
        return;
    }
    let mut point = [0.0; MAX_PARAMETERS];
    for (k, (x, y)) in tile.pixels().enumerate() {
        match (own.contains(x, y), support.contains(x, y)) {
            (true, true) => continue,
            (true, false) => values[k] = psf.continued(at, x as f64, y as f64, &mut point),
            // Wings beyond the support are not zero.
            (false, _) => {
                values[k] = 0.0;
                point.fill(0.0);
            }
        }
        for (plane, derivative) in gradient.chunks_exact_mut(n).zip(point) {
            plane[k] = derivative;
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
        let width = self.free.len();
        for (i, held) in self.held.iter_mut().enumerate() {
            let (source, k) = (i / width, self.free[i % width]);
            *held = self.bounds[source].holds(k, self.current[source][k], self.gradient[i]);
        }
    }

    fn solve(&mut self, lambda: f64) -> Option<f64> {
        let factor = self.matrix.factor(lambda, &self.held, self.fitter.run)?;
        self.step = self.free_gradient();
        factor.solve(&mut self.step);
        Some(dot(&self.step, &self.gradient))
    }

    fn propose(&mut self) {
        let width = self.free.len();
        for (i, trial) in self.trial.iter_mut().enumerate() {
            *trial = self.current[i];
            for (&k, &step) in self.free.iter().zip(&self.step[i * width..]) {
                let step = self.fitter.limited(k, trial[k], step);
                trial[k] = self.bounds[i].clamp(k, trial[k] + step);
            }
        }
    }

    fn step_is_rounding(&self) -> bool {
        let width = self.free.len();
        self.current.iter().enumerate().all(|(i, parameters)| {
            let steps = self.free.iter().zip(&self.step[i * width..]);
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
        let free = |parameters: &Parameters| self.free.iter().map(|&k| parameters[k]).collect();
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
