//! The weights of a system's pixels, made anew from its model.

use crate::Error;
use crate::fit::FLUX;
use crate::fit::exposure::Exposure;
use crate::fit::settle::{Found, MOST_ROUNDS, typical_flux};
use crate::fit::weighting::{Loss, unit_variance};
use crate::run::chunks;

use super::plane::Image;
use super::{FULL_STEPS, System};

/// Weights have settled when none changes by more than this part of it: of 20,000 stars
/// some pair that the data hardly tell apart still moves, and changes nobody else's.
const SETTLED_WEIGHTS: f64 = 0.02;

/// Stars that start again with a flux of nothing find their fluxes, one beside the other,
/// in so many looks.
const LOOKS: usize = 3;

/// Sources per task.
const TASK: usize = 256;

impl<const P: usize> System<'_, P> {
    /// Minimises until the weights have settled too; see
    /// [`settle`](crate::fit::settle::settle), whose way this is.
    pub(super) fn settle(&mut self, exposure: &Exposure) -> Result<(), Error> {
        let rule = self.fitter.weighting;
        if rule.noise.is_some() {
            self.reweigh(exposure, None)?;
        }
        self.minimise(FULL_STEPS)?;
        let mut robust = rule.robust;
        if let Some(sigmas) = robust {
            match self.restart(exposure, sigmas)? {
                Found::Nothing => robust = None,
                Found::Outliers => {}
                Found::Astray => self.approach(exposure, sigmas)?,
            }
        }
        if rule.noise.is_some() || robust.is_some() {
            self.rounds(exposure, robust)?;
        }
        Ok(())
    }

    /// Minimises from far away: with a loss that is wide at first.
    fn approach(&mut self, exposure: &Exposure, sigmas: f64) -> Result<(), Error> {
        for profile in Loss::WIDTHS {
            let loss = Loss::new(sigmas, self.typical_variance()).with_profile(profile);
            self.reweigh(exposure, Some(&loss))?;
            self.again()?;
        }
        Ok(())
    }

    fn rounds(&mut self, exposure: &Exposure, robust: Option<f64>) -> Result<(), Error> {
        for _ in 0..MOST_ROUNDS {
            let loss = robust.map(|sigmas| Loss::new(sigmas, self.typical_variance()));
            if self.reweigh(exposure, loss.as_ref())? <= SETTLED_WEIGHTS {
                break;
            }
            self.again()?;
        }
        Ok(())
    }

    /// Minimises with new weights, from where the stars are; those that the data leave
    /// uncertain stay there: more steps would take them down their valleys.
    fn again(&mut self) -> Result<(), Error> {
        for star in &mut self.stars {
            star.length = f64::INFINITY;
        }
        self.minimise(1)
    }

    fn reweigh(&mut self, exposure: &Exposure, loss: Option<&Loss>) -> Result<f64, Error> {
        let (rule, run) = (self.fitter.weighting, self.fitter.run);
        let mut change: f64 = 0.0;
        for plane in &mut self.planes {
            change = change.max(plane.reweigh(exposure, self.sources, &rule, loss, run)?);
        }
        Ok(change)
    }

    /// How many pixels of each source's window have less than a part of their weight.
    pub(super) fn n_below(&self, part: f64, exposure: &Exposure) -> Result<Vec<usize>, Error> {
        let (rule, run) = (self.fitter.weighting, self.fitter.run);
        let mut counts = vec![0; self.sources.len()];
        if rule.robust.is_none() {
            return Ok(counts);
        }
        let width = exposure.image().width();
        for plane in &self.planes {
            let (light, grid) = (plane.light(exposure, self.sources, run)?, plane.window());
            let count = |source: usize| {
                let window = self.sources[source].window;
                let column = (window.x0 - grid.x0) as usize;
                let rows = (window.y0..).zip(exposure.rows(window));
                let counts = rows.map(|(y, (_, given))| {
                    let first = y as usize * width + window.x0 as usize;
                    let start = (y - grid.y0) as usize * grid.width() + column;
                    let (_, weights) = plane.row(y, column, given.len());
                    rule.n_below(part, first, given, &light[start..], weights)
                });
                counts.sum::<usize>()
            };
            let of = |(): &mut (), range: std::ops::Range<usize>| {
                Ok(range.map(count).collect::<Vec<_>>())
            };
            let found = run.map(chunks(counts.len(), TASK), || (), of)?;
            for (count, found) in counts.iter_mut().zip(found.concat()) {
                *count += found;
            }
        }
        Ok(counts)
    }

    /// Looks at what a loss takes away, and puts stars that the worst pixels may have drawn
    /// to them back to where they began, with fluxes that most of their pixels agree on.
    fn restart(&mut self, exposure: &Exposure, sigmas: f64) -> Result<Found, Error> {
        let planes = self.planes.iter();
        let weights: Vec<_> = planes.map(|plane| plane.weight().to_vec()).collect();
        let loss = Loss::new(sigmas, self.typical_variance());
        self.reweigh(exposure, Some(&loss))?;
        let is_none = |counts: &[usize]| counts.iter().all(|&n| n == 0);
        if is_none(&self.n_below(Loss::REJECTED, exposure)?) {
            for (plane, weight) in self.planes.iter_mut().zip(weights) {
                plane.replace_weight(weight);
            }
            return Ok(Found::Nothing);
        }
        let worst = self.n_below(Loss::ATTRACTIVE, exposure)?;
        let astray: Vec<usize> = (0..worst.len()).filter(|&i| worst[i] > 0).collect();
        if astray.is_empty() {
            return Ok(Found::Outliers);
        }
        let has_flux = self.fitter.has_free_flux();
        let mut images = Vec::new();
        for &star in &astray {
            self.take_away(star, &mut images);
            let source = &self.sources[star];
            self.current[star] = source.parameters;
            if has_flux {
                self.current[star][FLUX] = source.bounds.clamp(FLUX, 0.0);
            }
        }
        self.add(&images)?;
        images.clear();
        for _ in 0..if has_flux { LOOKS } else { 0 } {
            self.reweigh(exposure, None)?;
            let (run, system) = (self.fitter.run, &*self);
            let of = |(): &mut (), range: std::ops::Range<usize>| {
                let flux = range.map(|k| system.typical_flux(astray[k]));
                Ok(flux.collect::<Vec<_>>())
            };
            let fluxes = run.map(chunks(astray.len(), TASK), || (), of)?.concat();
            for (&star, flux) in astray.iter().zip(fluxes) {
                let now = self.current[star][FLUX];
                let flux = self.sources[star].bounds.clamp(FLUX, flux.unwrap_or(now));
                let mut image = self.whole(star, 1.0);
                image.parameters[FLUX] = flux - now;
                images.push(image);
                self.current[star][FLUX] = flux;
            }
            self.add(&images)?;
            images.clear();
        }
        self.place_anew(&astray, &mut images, has_flux);
        self.add(&images)?;
        Ok(Found::Astray)
    }

    /// Gives stars that were put elsewhere their cores and supports; those that have no
    /// flux yet are added to the model.
    fn place_anew(&mut self, stars: &[usize], images: &mut Vec<Image>, is_added: bool) {
        for &star in stars {
            let (core, mut placed) = self.placed(star);
            placed.iterations = self.stars[star].iterations;
            if !is_added {
                images.push(self.whole(star, 1.0));
            }
            self.cores[star] = core;
            self.stars[star] = placed;
        }
    }

    /// The flux that most pixels of a star's window agree on, where the others' are known.
    fn typical_flux(&self, star: usize) -> Option<f64> {
        let (window, current) = (self.sources[star].window, &self.current[star]);
        let mut profile = vec![0.0; window.len()];
        let at = self.fitter.placement(current);
        self.fitter.psf.fill(at, window, &mut profile);
        let profile = &profile;
        let pixels = self.planes.iter().flat_map(|plane| {
            let column = (window.x0 - plane.window().x0) as usize;
            let rows = (window.y0..window.y1).zip(profile.chunks(window.width().max(1)));
            rows.flat_map(move |(y, profile)| {
                let (residual, weights) = plane.row(y, column, window.width());
                let pixels = profile.iter().zip(residual).zip(weights);
                pixels.map(|((&p, r), &w)| (r + current[FLUX] * p, p, w))
            })
        });
        typical_flux(pixels)
    }

    fn typical_variance(&self) -> f64 {
        if self.fitter.has_error {
            return 1.0;
        }
        unit_variance(self.planes.iter().flat_map(super::Plane::pixels))
    }
}
