//! The weights of a group's pixels, made anew from its model.

use crate::fit::minimise::Problem;
use crate::fit::settle::{Found, Weighed, typical_flux};
use crate::fit::weighting::{Loss, Row, highest_neighbours, typical_mismatch, unit_variance};
use crate::fit::{FLUX, Parameters};
use crate::image::PixelBox;

use super::Group;

/// Neighbours that start again with a flux of nothing find their fluxes, one beside the
/// other, in so many looks.
const LOOKS: usize = 3;

impl Group<'_> {
    /// Evaluates the model at the current parameters, and gives the pixels the weights
    /// with which a fit that has ended there leaves them.
    pub(super) fn weigh_as_fitted(&mut self) {
        let rule = self.fitter.weighting;
        self.evaluate_current(false);
        if rule.is_fixed() {
            return;
        }
        self.reweigh(None);
        if let Some(sigmas) = rule.robust {
            let loss = self.settled_loss(sigmas);
            self.reweigh(Some(&loss));
            if self.n_below(Loss::REJECTED).iter().all(|&n| n == 0) {
                self.reweigh(None);
            }
        }
    }

    /// The light of all stars, in the order of the pixels.
    fn light(&self) -> Vec<f64> {
        let pixels = self.pixels.data.iter().zip(&self.residual);
        pixels.map(|(data, residual)| data - residual).collect()
    }

    /// The highest light around each pixel, which tiles alone do not tell.
    fn near(&self, light: &[f64]) -> Vec<f64> {
        let windows = self.tiles.iter().map(|tile| tile.window);
        let hull = windows.reduce(PixelBox::hull).unwrap_or_default();
        let rows = |tile: PixelBox, first: usize| {
            (tile.y0..tile.y1).enumerate().map(move |(k, y)| {
                (
                    hull.index_of(tile.x0, y),
                    first + k * tile.width(),
                    tile.width(),
                )
            })
        };
        let mut grid = vec![0.0; hull.len()];
        let tiles = || self.tiles.iter().flat_map(|t| rows(t.window, t.first));
        for (at, k, n) in tiles() {
            grid[at..at + n].copy_from_slice(&light[k..k + n]);
        }
        let highest = highest_neighbours(&grid, hull.width());
        let mut near = vec![0.0; light.len()];
        for (at, k, n) in tiles() {
            near[k..k + n].copy_from_slice(&highest[at..at + n]);
        }
        near
    }

    /// Its pixels row by row: the first of each, and what is known of them.
    fn rows<'r>(
        &'r self,
        light: &'r [f64],
        near: &'r [f64],
    ) -> impl Iterator<Item = (usize, Row<'r>)> {
        let width = self.exposure.image().width();
        self.tiles.iter().flat_map(move |tile| {
            let rows = (tile.window.y0 as usize..).zip(self.exposure.rows(tile.window));
            rows.enumerate().map(move |(k, (y, (_, given)))| {
                let start = tile.first + k * tile.window.width();
                let pixels = start..start + given.len();
                let row = Row {
                    first: y * width + tile.window.x0 as usize,
                    given,
                    model: &light[pixels.clone()],
                    residual: &self.residual[pixels.clone()],
                    near: &near[pixels],
                };
                (start, row)
            })
        })
    }

    /// How many pixels of each source's window have less than a part of their weight.
    pub(super) fn n_below(&self, part: f64) -> Vec<usize> {
        let (rule, width) = (&self.fitter.weighting, self.exposure.image().width());
        let mut counts = vec![0; self.sources.len()];
        if rule.robust.is_none() {
            return counts;
        }
        let light = self.light();
        for (count, source) in counts.iter_mut().zip(self.sources) {
            for tile in &self.tiles {
                let shared = tile.window.intersection(&source.window);
                for (y, (_, given)) in (shared.y0..).zip(self.exposure.rows(shared)) {
                    let first = y as usize * width + shared.x0 as usize;
                    let pixels = tile.first + tile.window.index_of(shared.x0, y)..;
                    let weights = &self.pixels.weights[pixels.clone()];
                    *count += rule.n_below(part, first, given, &light[pixels], weights);
                }
            }
        }
        counts
    }

    /// The flux that most pixels of a source's window agree on, where those of the others
    /// are known.
    fn typical_flux(&self, source: usize) -> Option<f64> {
        let (own, parameters) = (&self.sources[source], &self.current[source]);
        let mut profile = vec![0.0; own.window.len()];
        let at = self.fitter.placement(parameters);
        self.fitter.psf.fill(at, own.window, &mut profile);
        let mut pixels = Vec::with_capacity(profile.len());
        for tile in &self.tiles {
            for (x, y) in tile.window.intersection(&own.window).pixels() {
                let k = tile.first + tile.window.index_of(x, y);
                let p = profile[own.window.index_of(x, y)];
                let light = self.residual[k] + parameters[FLUX] * p;
                pixels.push((light, p, self.pixels.weights[k]));
            }
        }
        typical_flux(pixels.into_iter())
    }
}

impl Weighed for Group<'_> {
    fn evaluate_current(&mut self, is_evaluated: bool) {
        self.trial.clone_from(&self.current);
        if !is_evaluated {
            self.evaluate_trial();
        }
    }

    fn reweigh(&mut self, loss: Option<&Loss>) -> f64 {
        let light = self.light();
        let near = loss.map(|_| self.near(&light));
        let near = near.as_deref().unwrap_or(&light);
        let mut weights = std::mem::take(&mut self.pixels.weights);
        let mut change: f64 = 0.0;
        for (k, row) in self.rows(&light, near) {
            let own = &mut weights[k..k + row.given.len()];
            change = change.max(self.fitter.weighting.weigh(&row, loss, own));
        }
        self.pixels.weights = weights;
        change
    }

    fn restart(&mut self, sigmas: f64) -> Found {
        let (weights, loss) = (self.pixels.weights.clone(), self.settled_loss(sigmas));
        self.reweigh(Some(&loss));
        if self.n_below(Loss::REJECTED).iter().all(|&n| n == 0) {
            self.pixels.weights = weights;
            return Found::Nothing;
        }
        let worst = self.n_below(Loss::ATTRACTIVE);
        let astray: Vec<usize> = (0..worst.len()).filter(|&i| worst[i] > 0).collect();
        if astray.is_empty() {
            return Found::Outliers;
        }
        let has_flux = self.fitter.has_free_flux();
        for &i in &astray {
            self.current[i] = self.sources[i].parameters;
            if has_flux {
                self.current[i][FLUX] = self.sources[i].bounds.clamp(FLUX, 0.0);
            }
        }
        for _ in 0..if has_flux { LOOKS } else { 0 } {
            self.evaluate_current(false);
            self.reweigh(None);
            let fluxes: Vec<_> = astray.iter().map(|&i| self.typical_flux(i)).collect();
            for (&i, flux) in astray.iter().zip(fluxes) {
                let own: &mut Parameters = &mut self.current[i];
                own[FLUX] = self.sources[i]
                    .bounds
                    .clamp(FLUX, flux.unwrap_or(own[FLUX]));
            }
        }
        self.evaluate_current(false);
        Found::Astray
    }

    fn settled_loss(&self, sigmas: f64) -> Loss {
        let unit = if self.fitter.has_error {
            1.0
        } else {
            let pixels = self.residual.iter().zip(&self.pixels.weights);
            unit_variance(pixels.map(|(&r, &w)| (r, w)))
        };
        let light = self.light();
        let (near, mut pixels) = (self.near(&light), Vec::with_capacity(light.len()));
        for (_, row) in self.rows(&light, &near) {
            self.fitter.weighting.push_known(&row, unit, &mut pixels);
        }
        Loss::new(sigmas, unit).with_profile(typical_mismatch(pixels.into_iter()))
    }
}
