//! What a system keeps of a star, and where its image lies.

use crate::Error;
use crate::fit::{FLUX, MAX_PARAMETERS, Parameters, X, Y};
use crate::image::PixelBox;

use super::System;
use super::plane::Image;
use super::steps::Damping;

/// A star of a system.
#[derive(Debug, Clone)]
pub(super) struct Star {
    /// The pixels of its model.
    pub(super) support: PixelBox,
    /// Where its model outside the core was last computed.
    pub(super) wings: Parameters,
    /// The PSF at the edge of the core times the largest weight's root: what a change
    /// of flux of 1 does to the pixels outside, in their errors.
    edge: f64,
    pub(super) damping: Damping,
    /// chi^2 of the core before the last step.
    pub(super) chi2: f64,
    /// The length of the last step, in errors (its neighbours known).
    pub(super) length: f64,
    /// Evaluations of its model.
    pub(super) iterations: usize,
    /// Whether it is left where it is though it still moves.
    pub(super) has_ended: bool,
}

/// Changes of the wings of so many errors of a pixel are not followed, as part of the
/// fit's tolerance. A star's flux gathers what some ten pixels have in common.
const WINGS: f64 = 0.3;

impl<const P: usize> System<'_, P> {
    /// The core of a star where it is now, and the star there.
    pub(super) fn placed(&self, star: usize) -> (PixelBox, Star) {
        let parameters = &self.current[star];
        let at = self.fitter.placement(parameters);
        let grid = self.planes[0].window();
        let support = self.fitter.psf.support(at).intersection(&grid);
        let (x, y) = (at.x.round(), at.y.round());
        let window = self.sources[star].window;
        let (largest, central) = self.planes[0].weights(window, (x as i64, y as i64));
        let contrast = if central > 0.0 {
            largest / central - 1.0
        } else {
            0.0
        };
        let box_side = window.width().max(window.height());
        let side = 2 * self.extent.radius(contrast, box_side) + 1;
        let mut core = PixelBox::around(x, y, (side, side)).intersection(&support);
        if core.is_empty() {
            // It says nothing of its pixels, and its equations will say so.
            core = window;
        }
        let radius = side.div_ceil(2) as f64;
        let edges = [(radius, 0.0), (-radius, 0.0), (0.0, radius), (0.0, -radius)];
        let value = |(dx, dy): (f64, f64)| self.fitter.psf.value(at, x + dx, y + dy).abs();
        let star = Star {
            support,
            wings: *parameters,
            edge: edges.into_iter().map(value).fold(0.0, f64::max) * largest.sqrt(),
            damping: Damping::default(),
            chi2: 0.0,
            length: f64::INFINITY,
            iterations: 1,
            has_ended: false,
        };
        (core, star)
    }

    /// The images that move a star's core from where it is to `parameters`.
    pub(super) fn move_core(&self, star: usize, parameters: &Parameters, images: &mut Vec<Image>) {
        let pixels = self.cores[star];
        for (parameters, sign) in [(self.current[star], -1.0), (*parameters, 1.0)] {
            images.push(Image {
                pixels,
                hole: PixelBox::default(),
                parameters,
                sign,
            });
        }
    }

    /// Lets the wings of stars follow their cores, where that changes pixels.
    pub(super) fn move_wings(&mut self, members: &[u32], unit_variance: f64) -> Result<(), Error> {
        let limit = WINGS * self.fitter.settings.step_tolerance() * unit_variance.sqrt();
        let mut images = Vec::new();
        for &star in members {
            let star = star as usize;
            let (own, now) = (&mut self.stars[star], &self.current[star]);
            let before = own.wings;
            let moved = (now[X] - before[X]).abs() + (now[Y] - before[Y]).abs();
            let shape = if now[3..MAX_PARAMETERS] == before[3..MAX_PARAMETERS] {
                0.0
            } else {
                now[FLUX].abs()
            };
            let change = (now[FLUX] - before[FLUX]).abs() + moved * now[FLUX].abs() + shape;
            if change * own.edge <= limit {
                continue;
            }
            own.wings = *now;
            for (parameters, sign) in [(before, -1.0), (*now, 1.0)] {
                images.push(Image {
                    pixels: own.support,
                    hole: self.cores[star],
                    parameters,
                    sign,
                });
            }
        }
        self.add(&images)
    }

    /// Puts the cores of those stars that have left their middle around them anew.
    pub(super) fn follow(&mut self, members: &[u32]) -> Result<(), Error> {
        let mut images = Vec::new();
        for &star in members {
            let star = star as usize;
            let (core, placed) = self.placed(star);
            let old = self.cores[star];
            let is_near = (core.x0 - old.x0).abs() <= 1 && (core.y0 - old.y0).abs() <= 1;
            if is_near {
                continue;
            }
            let (now, before) = (self.current[star], self.stars[star].wings);
            let mut image = |pixels, hole, parameters, sign| {
                images.push(Image {
                    pixels,
                    hole,
                    parameters,
                    sign,
                });
            };
            let none = PixelBox::default();
            image(old, none, now, -1.0);
            image(self.stars[star].support, old, before, -1.0);
            image(placed.support, none, now, 1.0);
            self.cores[star] = core;
            self.stars[star] = Star {
                damping: self.stars[star].damping,
                length: self.stars[star].length,
                iterations: self.stars[star].iterations,
                ..placed
            };
        }
        self.add(&images)
    }
}
