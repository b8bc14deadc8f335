//! A Gaussian along one axis, one pixel at a time.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// Beyond this many σ an erf of f64 is 1: the PRF is 0. The density is then
/// 2e-16 of its peak.
pub(super) const REACH: f64 = 8.5;

/// What the value of a pixel is, along one axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PixelValue {
    /// Its density at the pixel's centre.
    Density,
    /// Its integral over the pixel.
    Integral,
}

/// A Gaussian along one axis, and its derivatives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip {
    pub(super) value: f64,
    /// By the position of the Gaussian.
    pub(super) by_position: f64,
    pub(super) by_sigma: f64,
}

/// exp(−t²/2)/√(2π).
pub(super) fn density(t: f64) -> f64 {
    (-0.5 * t * t).exp() / (SQRT_2 * PI.sqrt())
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

/// The probability that a standard normal number lies between `low` and `high`.
pub(super) fn normal_between(low: f64, high: f64) -> f64 {
    half_erf_difference(low * FRAC_1_SQRT_2, high * FRAC_1_SQRT_2)
}

impl PixelValue {
    /// Half the extent in pixels of what a value stands for.
    pub(super) fn half_pixel(self) -> f64 {
        match self {
            Self::Density => 0.0,
            Self::Integral => 0.5,
        }
    }

    /// At `offset` from the Gaussian's centre.
    pub(super) fn value(self, offset: f64, sigma: f64) -> f64 {
        match self {
            Self::Density => density(offset / sigma) / sigma,
            Self::Integral => {
                let scale = FRAC_1_SQRT_2 / sigma;
                half_erf_difference((offset - 0.5) * scale, (offset + 0.5) * scale)
            }
        }
    }

    /// As [`PixelValue::value`], with the derivatives.
    pub(super) fn strip(self, offset: f64, sigma: f64) -> Strip {
        match self {
            Self::Density => {
                let t = offset / sigma;
                let value = density(t) / sigma;
                if value == 0.0 {
                    // t² may be infinite.
                    return Strip {
                        value,
                        by_position: 0.0,
                        by_sigma: 0.0,
                    };
                }
                Strip {
                    value,
                    by_position: value * t / sigma,
                    by_sigma: value * (t * t - 1.0) / sigma,
                }
            }
            Self::Integral => {
                let (low, high) = ((offset - 0.5) / sigma, (offset + 0.5) / sigma);
                let (at_low, at_high) = (density(low), density(high));
                Strip {
                    value: normal_between(low, high),
                    by_position: (at_low - at_high) / sigma,
                    by_sigma: (low * at_low - high * at_high) / sigma,
                }
            }
        }
    }
}
