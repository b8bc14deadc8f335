//! What residuals tell of the noise of pixels that take part in a fit.

/// A pixel with more leverage is fitted whatever its value: what is left of its noise
/// in its residual is too little to be scaled up.
pub(crate) const LARGEST_LEVERAGE: f64 = 0.99;

/// The weight of a pixel in the middle of the sandwich, whose residual is given in units
/// of [`residual_unit`].
#[inline]
pub(crate) fn meat_weight(weight: f64, residual: f64, leverage: f64) -> f64 {
    let rest = 1.0 - leverage.min(LARGEST_LEVERAGE);
    (weight * residual / rest).powi(2)
}

/// The unit of residuals, where `scale` is the variance of a pixel of weight 1 and what
/// the sandwich is multiplied by afterwards: squares of data of any unit then neither
/// overflow nor vanish.
pub(crate) fn residual_unit(scale: f64) -> f64 {
    if scale > 0.0 { scale.sqrt() } else { 1.0 }
}
