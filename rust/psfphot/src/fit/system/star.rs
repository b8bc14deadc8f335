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
    /// What is around its core, from the inside.
    pub(super) rings: Vec<Ring>,
    pub(super) damping: Damping,
    /// chi^2 of the core before the last step.
    pub(super) chi2: f64,
    /// The length of the last step, in errors (its neighbours known).
    pub(super) length: f64,
    /// Evaluations of its model.
    pub(super) iterations: usize,
    /// Whether it is left where it is though it still moves.
    pub(super) has_ended: bool,
    /// Whether its neighbours make it uncertain, once that has been looked at.
    pub(super) is_uncertain: bool,
}

/// A part of a star's wings.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    pub(super) pixels: PixelBox,
    /// What is inside it.
    pub(super) hole: PixelBox,
    /// Where its model was last computed.
    pub(super) parameters: Parameters,
    /// The PSF at its inner edge times the largest weight's root: what a change of flux
    /// of 1 does to its pixels, in their errors.
    edge: f64,
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
        let root = largest.sqrt();
        let star = Star {
            rings: self.rings(core, side / 2, support, parameters, root),
            damping: Damping::new(self.fitter.is_linear()),
            chi2: 0.0,
            length: f64::INFINITY,
            iterations: 1,
            has_ended: false,
            is_uncertain: false,
        };
        (core, star)
    }

    /// The rings around a core of some radius, to the end of its support; `root` is that
    /// of the largest weight.
    ///
    /// Each reaches twice as far as the one before: the wings of a large PSF have nearly
    /// all of their pixels where they are faintest, and need not follow small steps there.
    fn rings(
        &self,
        core: PixelBox,
        radius: usize,
        support: PixelBox,
        parameters: &Parameters,
        root: f64,
    ) -> Vec<Ring> {
        let at = self.fitter.placement(parameters);
        let (x, y) = (at.x.round(), at.y.round());
        let furthest = support.width().max(support.height()) / 2;
        let (mut rings, mut hole, mut inner) = (Vec::new(), core, radius);
        loop {
            let outer = 2 * inner;
            // What would be left for another is not worth it.
            let is_last = 3 * outer >= 2 * furthest;
            let side = 2 * outer + 1;
            let pixels = if is_last {
                support
            } else {
                PixelBox::around(x, y, (side, side)).intersection(&support)
            };
            let r = (inner + 1) as f64;
            let places = [(r, 0.0), (-r, 0.0), (0.0, r), (0.0, -r)];
            let value = |(dx, dy): (f64, f64)| self.fitter.psf.value(at, x + dx, y + dy).abs();
            rings.push(Ring {
                pixels,
                hole,
                parameters: *parameters,
                edge: places.into_iter().map(value).fold(0.0, f64::max) * root,
            });
            if is_last {
                // Most stars have one, and there are many stars.
                rings.shrink_to_fit();
                return rings;
            }
            (hole, inner) = (pixels, outer);
        }
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

    /// Lets the rings of stars that `is_due` follow their cores, where that changes pixels;
    /// returns whether any did.
    pub(super) fn move_wings(
        &mut self,
        members: &[u32],
        unit_variance: f64,
        is_due: impl Fn(usize) -> bool,
    ) -> Result<bool, Error> {
        let limit = WINGS * self.fitter.settings.step_tolerance() * unit_variance.sqrt();
        let mut images = Vec::new();
        for &star in members {
            let star = star as usize;
            let now = &self.current[star];
            let rings = self.stars[star].rings.iter_mut().enumerate();
            for (_, ring) in rings.filter(|(number, _)| is_due(*number)) {
                let before = ring.parameters;
                let moved = (now[X] - before[X]).abs() + (now[Y] - before[Y]).abs();
                let shape = if now[3..MAX_PARAMETERS] == before[3..MAX_PARAMETERS] {
                    0.0
                } else {
                    now[FLUX].abs()
                };
                let change = (now[FLUX] - before[FLUX]).abs() + moved * now[FLUX].abs() + shape;
                if change * ring.edge <= limit {
                    continue;
                }
                images.push(ring.image(-1.0));
                ring.parameters = *now;
                images.push(ring.image(1.0));
            }
        }
        self.add(&images)?;
        Ok(!images.is_empty())
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
            self.take_away(star, &mut images);
            images.push(self.whole(star, 1.0));
            self.cores[star] = core;
            self.stars[star] = Star {
                damping: self.stars[star].damping,
                length: self.stars[star].length,
                iterations: self.stars[star].iterations,
                is_uncertain: self.stars[star].is_uncertain,
                ..placed
            };
        }
        self.add(&images)
    }

    /// The image of a star over its whole support.
    pub(super) fn whole(&self, star: usize, sign: f64) -> Image {
        let at = self.fitter.placement(&self.current[star]);
        let grid = self.planes[0].window();
        Image {
            pixels: self.fitter.psf.support(at).intersection(&grid),
            hole: PixelBox::default(),
            parameters: self.current[star],
            sign,
        }
    }

    /// The images that take a star off the model.
    pub(super) fn take_away(&self, star: usize, images: &mut Vec<Image>) {
        images.push(Image {
            pixels: self.cores[star],
            hole: PixelBox::default(),
            parameters: self.current[star],
            sign: -1.0,
        });
        let rings = self.stars[star].rings.iter();
        images.extend(rings.map(|ring| ring.image(-1.0)));
    }
}

impl Ring {
    fn image(&self, sign: f64) -> Image {
        Image {
            pixels: self.pixels,
            hole: self.hole,
            parameters: self.parameters,
            sign,
        }
    }
}
