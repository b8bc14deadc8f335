//! Fitting a star's flux and position with the PSF as it is.

use crate::image::PixelBox;

use super::banded::Banded;
use super::model::{Model, Scratch};
use super::noise::{Noise, robust};
use super::star::{Star, add_moments, moments};

/// How stars are fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refit {
    /// Pixels to each side of the star's that are fitted.
    pub(crate) reach: i64,
    /// Least model error with which residuals are judged.
    pub(crate) floor: f64,
    pub(crate) with_background: bool,
}

/// A star further than this from where it was said to be is lost, pixels.
const LOST: f64 = 2.5;
/// Longest step of a position, pixels.
const STRIDE: f64 = 0.5;
/// Steps at the most; two are enough from a good start.
const STEPS: usize = 8;

/// The pixels of one exposure around the star.
#[derive(Debug, Default)]
struct Patch {
    weight: Vec<f64>,
    weighted_residual: Vec<f64>,
}

impl Refit {
    /// Gauss-Newton steps of the flux, the position and, if it is fitted, the
    /// background; a star that gets lost takes no part any more.
    pub(crate) fn fit(
        &self,
        star: &mut Star<'_>,
        model: &Model<'_>,
        noise: &Noise,
        scratch: &mut Scratch,
    ) {
        let mut patch = Patch::default();
        for _ in 0..STEPS {
            let Some(step) = self.step(star, model, noise, scratch, &mut patch) else {
                star.is_active = false;
                return;
            };
            let (x, y) = (
                step[1].clamp(-STRIDE, STRIDE),
                step[2].clamp(-STRIDE, STRIDE),
            );
            let flux = star.flux;
            star.flux = (flux + step[0]).max(0.1 * flux);
            let mut is_lost = false;
            for exposure in &mut star.exposures {
                let [[xx, xy], [yx, yy]] = exposure.cutout.jacobian;
                exposure.x += xx * x + xy * y;
                exposure.y += yx * x + yy * y;
                if let Some(background) = step.get(3 + exposure.number) {
                    exposure.background += background;
                }
                let moved = (exposure.x - exposure.cutout.x).hypot(exposure.y - exposure.cutout.y);
                // Not a number is lost too.
                is_lost |= moved.is_nan() || moved >= LOST;
            }
            if is_lost || !star.flux.is_finite() {
                for exposure in &mut star.exposures {
                    (exposure.x, exposure.y) = (exposure.cutout.x, exposure.cutout.y);
                }
                star.flux = flux;
                star.is_active = false;
                return;
            }
            if x.hypot(y) < 1e-5 && (star.flux - flux).abs() < 1e-6 * flux {
                return;
            }
        }
    }

    /// The step of all parameters; `None` where the pixels do not determine it.
    fn step(
        &self,
        star: &Star<'_>,
        model: &Model<'_>,
        noise: &Noise,
        scratch: &mut Scratch,
        patch: &mut Patch,
    ) -> Option<Vec<f64>> {
        let n = star.directions(0, self.with_background).len();
        let mut matrix = Banded::new(n, n - 1);
        let mut right = vec![0.0; n];
        for exposure in &star.exposures {
            let window = self.window(exposure);
            let size = window.len();
            for buffer in [&mut patch.weight, &mut patch.weighted_residual] {
                buffer.clear();
                buffer.resize(size, 0.0);
            }
            let (at, origin) = ((exposure.x, exposure.y), exposure.cutout.origin);
            let (psi, slopes) = model.fill(&exposure.terms, at, origin, window, scratch);
            let flux = star.flux_in(exposure);
            let judged = noise.model_error.max(self.floor);
            let peak = flux * psi.iter().copied().fold(0.0, f64::max);
            let error = exposure.error();
            for (p, (x, y)) in window.pixels().enumerate() {
                let k = y as usize * exposure.window().width() + x as usize;
                if !exposure.valid[k] {
                    continue;
                }
                let (data, psf) = (exposure.data()[k], flux * psi[p]);
                let residual = data - psf - exposure.background;
                let error = error.map_or(0.0, |error| error[k]);
                let variance = noise.variance(error, data, psf + exposure.background);
                let z2 =
                    residual * residual / (variance + noise.judged_mismatch(judged, psf, peak));
                let total = variance + noise.mismatch(noise.model_error, psf, peak);
                patch.weight[p] = robust(z2) / total;
                patch.weighted_residual[p] = patch.weight[p] * residual;
            }
            let directions = star.directions(exposure.number, self.with_background);
            let products = moments(psi, slopes, &patch.weight);
            add_moments(&mut matrix, &products, &directions);
            // The sums of weighted residuals are moments of theirs with ψ and 1.
            let sums = moments(psi, slopes, &patch.weighted_residual)[3];
            for (right, direction) in right.iter_mut().zip(&directions) {
                *right += (0..4).map(|k| direction[k] * sums[k]).sum::<f64>();
            }
        }
        if !matrix.factor() {
            return None;
        }
        matrix.solve_lower(&mut right);
        matrix.solve_upper(&mut right);
        Some(right)
    }

    /// The pixels that are fitted.
    fn window(&self, exposure: &super::star::Exposure<'_>) -> PixelBox {
        if self.with_background {
            return exposure.window();
        }
        let side = (2 * self.reach + 1) as usize;
        PixelBox::around(exposure.x, exposure.y, (side, side)).intersection(&exposure.window())
    }
}
