//! How the weight of a pixel comes from its data, its error and the model.
//!
//! Nothing else knows. Weights stay as they are while χ² is minimised, so that its
//! values can be compared, and are made anew from the model in between.

mod loss;

use crate::image::NoiseModel;

pub(crate) use loss::{Loss, highest_neighbours, typical_mismatch, unit_variance};

/// What makes the weights of a fit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weighting<'a> {
    /// Makes variances from the model; those of the image's errors without.
    pub(crate) noise: Option<NoiseModel<'a>>,
    /// Robust where so many sigma are too many.
    pub(crate) robust: Option<f64>,
}

/// Pixels of a row whose weights are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// The first pixel's element of the image.
    pub(crate) first: usize,
    /// Weights by the image's errors alone, 0 (or −0) in bad pixels.
    pub(crate) given: &'a [f64],
    /// The light of the model.
    pub(crate) model: &'a [f64],
    /// Data minus model.
    pub(crate) residual: &'a [f64],
    /// The highest light of the model among each pixel and its neighbours.
    pub(crate) near: &'a [f64],
}

impl Weighting<'_> {
    /// Whether weights are those of the image's errors, and stay.
    pub(crate) fn is_fixed(&self) -> bool {
        self.noise.is_none() && self.robust.is_none()
    }

    /// The weight of a pixel without what is robust.
    #[inline]
    pub(crate) fn weight(&self, pixel: usize, given: f64, model: f64) -> f64 {
        match (given > 0.0, &self.noise) {
            (false, _) => 0.0,
            (true, None) => given,
            (true, Some(noise)) => 1.0 / noise.noise_variance(pixel, model),
        }
    }

    /// Makes the weights of pixels; returns the largest change, as a part of the weight.
    pub(crate) fn weigh(&self, row: &Row<'_>, loss: Option<&Loss>, weights: &mut [f64]) -> f64 {
        let mut largest: f64 = 0.0;
        for (k, (target, &given)) in weights.iter_mut().zip(row.given).enumerate() {
            let pixel = row.first + k;
            let full = self.weight(pixel, given, row.model[k]);
            let mut weight = full;
            if let Some(loss) = loss.filter(|_| full > 0.0) {
                let own = self.noise.map_or(0.0, |noise| noise.profile_error(pixel));
                weight *= loss.factor(full, row.residual[k], row.near[k], own);
            }
            if full > 0.0 {
                largest = largest.max((weight - *target).abs() / full);
            }
            *target = weight;
        }
        largest
    }

    /// Adds to `pixels` what [`typical_mismatch`] looks at, of those that have a weight,
    /// where a pixel of weight 1 has the variance `unit`.
    pub(crate) fn push_known(&self, row: &Row<'_>, unit: f64, pixels: &mut Vec<(f64, f64, f64)>) {
        for (k, &given) in row.given.iter().enumerate() {
            let weight = self.weight(row.first + k, given, row.model[k]);
            if weight > 0.0 {
                pixels.push((row.residual[k], unit / weight, row.near[k]));
            }
        }
    }

    /// Counts the pixels that have less than a part of what their weights would be
    /// without a loss.
    pub(crate) fn n_below(
        &self,
        part: f64,
        first: usize,
        given: &[f64],
        model: &[f64],
        weights: &[f64],
    ) -> usize {
        let pixels = given.iter().zip(model).zip(weights).enumerate();
        pixels
            .filter(|&(k, ((&given, &model), &weight))| {
                weight < part * self.weight(first + k, given, model)
            })
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn bad_pixels_stay_bad() -> Result<(), Error> {
        let noise = Some(NoiseModel::new(1.0, 1.0)?);
        let rule = Weighting {
            noise,
            robust: None,
        };
        assert_eq!(rule.weight(0, -0.0, 5.0).to_bits(), 0);
        assert!((rule.weight(0, 1.0, 3.0) - 0.25).abs() < 1e-15);
        Ok(())
    }
}
