//! A search for bad pixels in progress.

use std::collections::BTreeSet;

use super::around::Around;
use super::star::{CORE, Star};
use crate::Error;
use crate::detect::matched::Kernels;
use crate::image::{Frame, Pixel, PixelBox};
use crate::run::{Run, chunks};

/// Rows per task.
const BAND: usize = 32;
/// Pixels per task of a round that looks at some pixels only.
const BATCH: usize = 256;
/// How much of the squared kernel must lie on usable pixels: where more is
/// missing, at the edges of the image above all, a star looks like a bad pixel.
const LEAST_COVERAGE: f64 = 0.75;
/// How much must be left of it without the pixels found.
const LEAST_LEFT: f64 = 0.3;
/// By how many sigma a pixel may be too bright beside the mean of those around
/// it.
const RING_SIGMA: f64 = 2.0;
/// What the residuals of a star's core are at most, as a part of its flux.
const STAR_MISFIT: f64 = 0.3;

/// A search in progress.
pub(super) struct Search<'a, 'f, T> {
    /// By how many sigma a bad pixel exceeds a star.
    pub(super) n_sigma: f64,
    /// By what factor stars may be sharper than the PSF.
    pub(super) margin: f64,
    pub(super) frame: &'a Frame<'f, T>,
    pub(super) kernels: &'a Kernels,
    pub(super) stars: &'a [Star],
    /// The error of a pixel of weight 1.
    pub(super) unit: f64,
    pub(super) found: Vec<bool>,
}

impl<T: Pixel> Search<'_, '_, T> {
    /// The bad pixels (x, y) among all.
    pub(super) fn everywhere(&self, run: Run<'_>) -> Result<Vec<(usize, usize)>, Error> {
        let (ny, nx) = self.frame.data().shape();
        let found = run.map(
            chunks(ny, BAND),
            || (),
            |(), rows| {
                let pixels = rows.flat_map(|y| (0..nx).map(move |x| (x, y)));
                Ok(pixels.filter(|&at| self.is_bad(at)).collect::<Vec<_>>())
            },
        )?;
        Ok(found.concat())
    }

    /// Those among the given ones.
    pub(super) fn among(
        &self,
        pixels: &[(usize, usize)],
        run: Run<'_>,
    ) -> Result<Vec<(usize, usize)>, Error> {
        let found = run.map(
            chunks(pixels.len(), BATCH),
            || (),
            |(), batch| {
                let pixels = pixels[batch].iter().copied();
                Ok(pixels.filter(|&at| self.is_bad(at)).collect::<Vec<_>>())
            },
        )?;
        Ok(found.concat())
    }

    /// The pixels next to given ones.
    pub(super) fn beside(&self, places: &BTreeSet<(usize, usize)>) -> Vec<(usize, usize)> {
        let around = places.iter().flat_map(|&at| self.neighbours(at));
        let pixels: BTreeSet<_> = around.collect();
        pixels.into_iter().collect()
    }

    /// The up to eight pixels around one.
    fn neighbours(&self, (x, y): (usize, usize)) -> impl Iterator<Item = (usize, usize)> + use<T> {
        let (ny, nx) = self.frame.data().shape();
        let rows = y.saturating_sub(1)..(y + 2).min(ny);
        let columns = x.saturating_sub(1)..(x + 2).min(nx);
        rows.flat_map(move |j| columns.clone().map(move |i| (i, j)))
            .filter(move |&other| other != (x, y))
    }

    fn is_found(&self, (x, y): (usize, usize)) -> bool {
        self.found[y * self.frame.data().shape().1 + x]
    }

    /// Value and weight of a pixel that is usable and not found yet.
    fn pixel(&self, at: (usize, usize)) -> Option<(f64, f64)> {
        if self.is_found(at) {
            return None;
        }
        self.frame.row_pixels(at.1, at.0..at.0 + 1).next().flatten()
    }

    fn is_bad(&self, at: (usize, usize)) -> bool {
        let value: f64 = self.frame.data().row(at.1)[at.0].into();
        let is_lower = |&other: &(usize, usize)| {
            let other: f64 = self.frame.data().row(other.1)[other.0].into();
            other > value
        };
        // Most pixels end here. A larger pixel that is not used does not count.
        if self
            .neighbours(at)
            .any(|other| is_lower(&other) && self.pixel(other).is_some())
        {
            return false;
        }
        let Some((value, weight)) = self.pixel(at) else {
            return false;
        };
        let noise = self.unit / weight.sqrt();
        let around = self.neighbours(at).filter_map(|other| self.pixel(other));
        let lowest = around.map(|(other, _)| other).fold(f64::INFINITY, f64::min);
        let is_beside = self.neighbours(at).any(|other| self.is_found(other));
        let n_sigma = self.n_sigma * if is_beside { 0.5 } else { 1.0 };
        let judged = (value, noise);
        value - lowest > n_sigma * noise
            && (self.stands_out(at, judged, n_sigma, 0).is_some()
                || self
                    .stands_out(at, judged, n_sigma, 1)
                    .is_some_and(|low| !self.is_star(at, low)))
    }

    /// The level of the sky around a pixel that exceeds what a star has that is
    /// fitted to the pixels farther than `reach` from it; `None` if it does not.
    fn stands_out(
        &self,
        at: (usize, usize),
        (value, noise): (f64, f64),
        n_sigma: f64,
        reach: usize,
    ) -> Option<f64> {
        let (number, kernel) = self.kernels.kernel_at(at.0, at.1);
        let star = &self.stars[number];
        let ratio = star.ratio[reach];
        if !ratio.is_finite() {
            return None;
        }
        let side = self.kernels.side();
        let window = Around::window(at, star.brightest, side);
        let around = Around::new(self.frame, &self.found, at, (window, kernel), reach as i64);
        let amplitude = around.sums.amplitude(true);
        let height = amplitude.value().max(0.0);
        let uncertain = 0.5 * ratio * around.error(amplitude.precision) * self.unit;
        let allowed = around.sums.sky(height) + self.margin * ratio * height;
        let low = around.low.min(around.sums.sky(height));
        let ring = (around.ring - low) * self.margin;
        // NaN, of too few pixels, passes no test.
        let is_bad = around.coverage > LEAST_COVERAGE
            && around.left > LEAST_LEFT
            && ring < star.ring[reach] * (value - RING_SIGMA * noise - low)
            && value - allowed > n_sigma * noise.hypot(uncertain);
        is_bad.then_some(low)
    }

    /// Whether the pixels of the core around `at` are a star's on a sky of `low`.
    ///
    /// In a crowd the light farther out tells little of how high a star should
    /// be, and all nine pixels of its core seem to be a ray's. These have no light
    /// around them, which half of a star's is.
    fn is_star(&self, at: (usize, usize), low: f64) -> bool {
        let (number, _) = self.kernels.kernel_at(at.0, at.1);
        let mut core = [None; CORE * CORE];
        let window = PixelBox::around(at.0 as f64, at.1 as f64, (CORE, CORE));
        for (value, (x, y)) in core.iter_mut().zip(window.pixels()) {
            let inside = self.frame.data().get(x, y).is_some();
            let place = (x.unsigned_abs() as usize, y.unsigned_abs() as usize);
            *value = inside
                .then(|| self.pixel(place))
                .flatten()
                .map(|(value, _)| value - low);
        }
        self.stars[number].misfit(&core) < STAR_MISFIT
    }
}
