//! What no single exposure sees of an ePSF: its dependence on the pixel phase.
//!
//! A PSF ψ (1 + e cos 2πx) is undone by fluxes that depend on the position in
//! the pixel. A square pixel that senses light evenly forbids it: the Fourier
//! amplitude of ψ is zero at whole frequencies (in cycles per pixel), so that the sum
//! over the pixels is the same at every phase; where the optics pass no
//! frequency above 1, the slope is zero too, and with it the phase-dependence of
//! the centroid. The functionals here are those amplitudes and their slopes.

use std::f64::consts::TAU;

use super::banded::dot;
use super::basis::Basis;

/// A linear functional of the coefficients with the standard deviation of its
/// value.
#[derive(Debug, Clone)]
pub(crate) struct Functional {
    pub(crate) vector: Vec<f64>,
    pub(crate) deviation: f64,
}

impl Functional {
    /// The value at coefficients.
    pub(crate) fn value(&self, coefficients: &[f64]) -> f64 {
        dot(&self.vector, &coefficients[..self.vector.len()])
    }
}

/// What one alias functional is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alias {
    /// 0: flux, 1: centroid, 2: second moments.
    pub order: u8,
    /// Cycles per pixel (x, y).
    pub frequency: (i8, i8),
}

/// Powers (of x, of y) that are modulated.
const MOMENTS: [(usize, usize); 6] = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)];
const FREQUENCIES: [(i8, i8); 4] = [(1, 0), (0, 1), (1, 1), (1, -1)];

/// The standard deviation of functionals of order 0: the least, that for each part of the
/// peak by which stars differ from the PSF, and the most.
///
/// True sizes are at most 2e-5 in simulated PSFs; with 3e-4 fluxes depend on the phase by
/// 0.042 % (200 stars, cutoff 0.53), with 1e-4 by 0.015. But stars that are not what the
/// PSF says (12 % of the peak in a crowded mosaic) are then lost one after another in
/// the first rounds: of 30 builds from 15 to 36 of them 9 instead of 6 went astray.
const ORDER_0: [f64; 3] = [1e-4, 0.015, 3e-4];

/// Standard deviations of the functionals by their order, for optics that pass
/// frequencies up to `cutoff` cycles per pixel and stars that differ from the PSF by
/// `model_error` of its peak.
///
/// True sizes of order 1 in simulated PSFs: 2e-4 at the cutoff 0.53, 3e-3 at 1.1, 1.2e-2
/// at 1.36; of order 2 3e-3, 1e-2, 2e-2. At 1.36 the tighter values leave the PSF's phase
/// error at 5.4 mpx, these at 2.5.
pub(crate) fn deviations(cutoff: Option<f64>, model_error: f64) -> [f64; 3] {
    let [least, by_error, most] = ORDER_0;
    let flux = (by_error * model_error).clamp(least, most);
    match cutoff {
        Some(cutoff) if cutoff > 1.2 => [flux, 3e-3, 1e-1],
        Some(cutoff) if cutoff < 0.8 => [flux, 5e-4, 5e-3],
        _ => [flux, 1e-3, 1e-2],
    }
}

/// All functionals of a PSF of unit flux.
pub(crate) fn functionals(basis: &Basis, deviations: [f64; 3]) -> Vec<(Alias, Functional)> {
    let (x, y) = (Waves::new(basis, true), Waves::new(basis, false));
    let mut all = Vec::with_capacity(2 * MOMENTS.len() * FREQUENCIES.len());
    for frequency in FREQUENCIES {
        for (px, py) in MOMENTS {
            let order = px + py;
            let alias = Alias {
                order: order as u8,
                frequency,
            };
            let (cos_x, sin_x) = x.of(px, frequency.0);
            let (cos_y, sin_y) = y.of(py, frequency.1);
            for vector in [
                sum_of_products(&cos_x, &cos_y, -1.0, &sin_x, &sin_y),
                sum_of_products(&sin_x, &cos_y, 1.0, &cos_x, &sin_y),
            ] {
                let deviation = deviations[order];
                all.push((alias, Functional { vector, deviation }));
            }
        }
    }
    all
}

/// a(x) b(y) + s c(x) d(y) for each coefficient.
fn sum_of_products(a: &[f64], b: &[f64], s: f64, c: &[f64], d: &[f64]) -> Vec<f64> {
    b.iter()
        .zip(d)
        .flat_map(|(b, d)| a.iter().zip(c).map(move |(a, c)| a * b + s * c * d))
        .collect()
}

/// Integrals of the B-splines of one axis, times a power and a wave.
struct Waves {
    /// `[power][0: none, 1: one cycle per pixel]`.
    cos: [[Vec<f64>; 2]; 3],
    sin: [[Vec<f64>; 2]; 3],
}

impl Waves {
    fn new(basis: &Basis, is_x: bool) -> Self {
        /// Steps of the integral per knot.
        const STEPS: usize = 32;
        /// Pixels over which the window falls to zero at the edge.
        const TAPER: f64 = 2.0;
        let n = if is_x { basis.shape.1 } else { basis.shape.0 };
        let reach = (n - 3) / 2;
        let half = reach as f64 / basis.knots as f64;
        let zeros = || [(); 3].map(|()| [vec![0.0; n + 1], vec![0.0; n + 1]]);
        let (mut cos, mut sin) = (zeros(), zeros());
        let step = 1.0 / (STEPS * basis.knots) as f64;
        for k in 0..2 * reach * STEPS {
            // The middle of each step.
            let knot = k / STEPS;
            let offset = ((k % STEPS) as f64 + 0.5) / STEPS as f64;
            let u = (k as f64 + 0.5) * step - half;
            let from_edge = ((half - u.abs()) / TAPER.min(half)).min(1.0);
            let window = 0.5 - 0.5 * (TAU / 2.0 * from_edge).cos();
            let splines = crate::psf::cubic_weights(offset);
            for power in 0..3 {
                let value = window * step * u.powi(power as i32);
                for (wave, (sine, cosine)) in [(0.0, 1.0), (TAU * u).sin_cos()].iter().enumerate() {
                    for (tap, w) in splines.iter().enumerate() {
                        cos[power][wave][knot + tap] += w * value * cosine;
                        sin[power][wave][knot + tap] += w * value * sine;
                    }
                }
            }
        }
        for all in cos.iter_mut().chain(&mut sin).flatten() {
            all.truncate(n);
        }
        Self { cos, sin }
    }

    /// With cosine and sine of −1, 0 or 1 cycle per pixel.
    fn of(&self, power: usize, frequency: i8) -> (Vec<f64>, Vec<f64>) {
        let wave = usize::from(frequency != 0);
        let sign = f64::from(frequency.signum());
        let sin = self.sin[power][wave].iter().map(|s| sign * s).collect();
        (self.cos[power][wave].clone(), sin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epsf::basis::grid;
    use crate::psf::{CircularGaussianPrf, Placement, Psf};

    fn spline_of(psf: &dyn Psf, basis: &Basis, factor: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let at = Placement {
            x: 0.0,
            y: 0.0,
            shape: &[],
        };
        let shape = (basis.shape.0 - 2, basis.shape.1 - 2);
        let values: Vec<f64> = grid(shape, (basis.knots, basis.knots))
            .map(|(x, y)| psf.value(at, x, y) * factor(x, y))
            .collect();
        basis.through(&values)
    }

    #[test]
    fn a_pixel_integrated_psf_has_no_alias_and_a_modulated_one_has() {
        let basis = Basis::new((8.0, 8.0), 4);
        let prf = CircularGaussianPrf::new(2.4).unwrap_or_else(|e| panic!("{e}"));
        let true_psf = spline_of(&prf, &basis, |_, _| 1.0);
        let wrong = spline_of(&prf, &basis, |x, y| 1.0 + 0.01 * (TAU * (x + y)).cos());
        for (alias, functional) in functionals(&basis, [3e-4, 1e-3, 1e-2]) {
            let value = functional.value(&true_psf);
            assert!(value.abs() < 3e-5, "{alias:?} {value}");
            if alias.order == 0 {
                // ∫ψ cos² over the modulation: half of its amplitude.
                let change = functional.value(&wrong);
                let expected = if alias.frequency == (1, 1) { 5e-3 } else { 0.0 };
                let is_cos = (change.abs() - expected).abs() < 2e-4;
                assert!(is_cos || change.abs() < 1e-4, "{alias:?} {change}");
            }
        }
    }
}
