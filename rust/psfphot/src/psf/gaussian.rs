//! Analytic Gaussian PSFs.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

use crate::Error;
use crate::image::PixelBox;

use super::{Placement, Psf};

/// σ of a Gaussian per FWHM, 1/(2 √(2 ln 2)). To the last bit what numpy and
/// astropy have: the star finder's kernel depends on it.
pub(crate) const SIGMA_PER_FWHM: f64 = 0.424_660_900_144_009_53;

/// Beyond this many σ an erf of f64 is 1: the PRF is 0.
const REACH: f64 = 8.5;

/// A circular Gaussian integrated over the pixels.
///
/// ```text
/// P = ¼ [erf((Δx + ½)/(√2 σ)) − erf((Δx − ½)/(√2 σ))] · [the same with Δy]
/// ```
///
/// with Δx = pixel − x and σ = 0.42466 · `fwhm`, the only shape parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct CircularGaussianPrf {
    shape: [f64; 1],
}

/// The integral over one pixel along one axis, and its derivatives.
#[derive(Debug, Clone, Copy)]
struct Strip {
    value: f64,
    by_position: f64,
    by_sigma: f64,
}

impl CircularGaussianPrf {
    /// The PRF of the given FWHM, pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `fwhm` is positive and finite.
    pub fn new(fwhm: f64) -> Result<Self, Error> {
        Error::check_positive("fwhm", fwhm)?;
        Ok(Self { shape: [fwhm] })
    }

    fn sigma(&self, at: Placement<'_>) -> f64 {
        SIGMA_PER_FWHM * at.shape.first().copied().unwrap_or(self.shape[0])
    }
}

/// ½ [erf(high) − erf(low)] without the cancellation of two erfs near ±1.
fn half_erf_difference(low: f64, high: f64) -> f64 {
    if low > 0.0 {
        0.5 * (libm::erfc(low) - libm::erfc(high))
    } else if high < 0.0 {
        0.5 * (libm::erfc(-high) - libm::erfc(-low))
    } else {
        0.5 * (libm::erf(high) - libm::erf(low))
    }
}

fn strip_value(offset: f64, sigma: f64) -> f64 {
    let scale = FRAC_1_SQRT_2 / sigma;
    half_erf_difference((offset - 0.5) * scale, (offset + 0.5) * scale)
}

fn strip(offset: f64, sigma: f64) -> Strip {
    let (low, high) = ((offset - 0.5) / sigma, (offset + 0.5) / sigma);
    let density = |t: f64| (-0.5 * t * t).exp() / (SQRT_2 * PI.sqrt());
    let (at_low, at_high) = (density(low), density(high));
    Strip {
        value: half_erf_difference(low * FRAC_1_SQRT_2, high * FRAC_1_SQRT_2),
        by_position: (at_low - at_high) / sigma,
        by_sigma: (low * at_low - high * at_high) / sigma,
    }
}

impl Psf for CircularGaussianPrf {
    fn shape_names(&self) -> &'static [&'static str] {
        &["fwhm"]
    }

    fn shape(&self) -> &[f64] {
        &self.shape
    }

    fn check_shape(&self, shape: &[f64]) -> Result<(), Error> {
        shape
            .iter()
            .try_for_each(|&fwhm| Error::check_positive("fwhm", fwhm))
    }

    /// To half and to twice the width: it stays positive, where a step to the
    /// negative width of the same PSF would be the shorter.
    fn limit_shape_step(&self, _index: usize, value: f64, step: f64) -> f64 {
        step.clamp(-0.5 * value.abs(), value.abs())
    }

    fn support(&self, at: Placement<'_>) -> PixelBox {
        let reach = REACH * self.sigma(at) + 0.5;
        PixelBox::spanning((at.x - reach, at.x + reach), (at.y - reach, at.y + reach))
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        let sigma = self.sigma(at);
        strip_value(px - at.x, sigma) * strip_value(py - at.y, sigma)
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let sigma = self.sigma(at);
        let (x, y) = (strip(px - at.x, sigma), strip(py - at.y, sigma));
        gradient[0] = x.by_position * y.value;
        gradient[1] = x.value * y.by_position;
        gradient[2] = SIGMA_PER_FWHM * (x.by_sigma * y.value + x.value * y.by_sigma);
        x.value * y.value
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        if window.is_empty() {
            return;
        }
        let (sigma, width) = (self.sigma(at), window.width());
        // The first row holds the factors along x until it is filled itself,
        // after all others.
        for (value, x) in values.iter_mut().zip(window.x0..window.x1) {
            *value = strip_value(x as f64 - at.x, sigma);
        }
        let (factors, rest) = values[..window.len()].split_at_mut(width);
        for (row, y) in rest.chunks_exact_mut(width).zip(window.y0 + 1..) {
            let factor = strip_value(y as f64 - at.y, sigma);
            for (value, x) in row.iter_mut().zip(&*factors) {
                *value = factor * x;
            }
        }
        let factor = strip_value(window.y0 as f64 - at.y, sigma);
        for value in factors {
            *value *= factor;
        }
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        if window.is_empty() {
            return;
        }
        let (sigma, width, n) = (self.sigma(at), window.width(), window.len());
        let (by_x, rest) = gradient.split_at_mut(n);
        let (by_y, rest) = rest.split_at_mut(n);
        let by_fwhm = &mut rest[..n];
        // As in `fill`, the first rows hold the factors along x.
        for (i, x) in (window.x0..window.x1).enumerate() {
            let strip = strip(x as f64 - at.x, sigma);
            (values[i], by_x[i], by_fwhm[i]) = (strip.value, strip.by_position, strip.by_sigma);
        }
        for j in (0..window.height()).rev() {
            let y = window.y0 + j as i64;
            let row = strip(y as f64 - at.y, sigma);
            for i in 0..width {
                let k = j * width + i;
                let (value, position, width) = (values[i], by_x[i], by_fwhm[i]);
                values[k] = value * row.value;
                by_x[k] = position * row.value;
                by_y[k] = value * row.by_position;
                by_fwhm[k] = SIGMA_PER_FWHM * (width * row.value + value * row.by_sigma);
            }
        }
    }
}
