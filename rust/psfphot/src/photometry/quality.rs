//! Measures of how well a model fits the pixels of a source.

use crate::fit::exposure::Exposure;
use crate::fit::model::Model;
use crate::fit::source::Source;

/// Sums over the fitted pixels of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quality {
    /// Pixels that were fitted.
    pub(super) n: usize,
    /// Σ |data − model|.
    pub(super) absolute: f64,
    pub(super) chi2: f64,
    /// data − model in the source's central pixel; NaN where it was not fitted.
    pub(super) central: f64,
    centre: (i64, i64),
}

impl Quality {
    fn new(source: &Source) -> Self {
        Self {
            n: 0,
            absolute: 0.0,
            chi2: 0.0,
            central: f64::NAN,
            centre: source.centre,
        }
    }

    /// Of a source alone: its `pixels`, each a residual and its weight, row by
    /// row.
    pub(super) fn of_pixels(source: &Source, pixels: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut quality = Self::new(source);
        for (position, (residual, weight)) in source.window.pixels().zip(pixels) {
            quality.add(position, residual, weight);
        }
        quality
    }

    /// Of a member of a group: its own pixels, minus its own background and the
    /// whole group.
    pub(super) fn of_member(source: &Source, exposure: &Exposure, model: &Model) -> Self {
        let mut quality = Self::new(source);
        model.visit(source.window, |part, model, weights| {
            for (values, _) in exposure.rows(part) {
                let planes = values.iter().zip(weights).zip(model);
                for (position, ((value, &weight), model)) in part.pixels().zip(planes) {
                    quality.add(position, value - source.background - model, weight);
                }
            }
        });
        quality
    }

    /// One pixel: data − model, and its weight.
    fn add(&mut self, pixel: (i64, i64), residual: f64, weight: f64) {
        if weight > 0.0 {
            self.n += 1;
            self.absolute += residual.abs();
            self.chi2 += weight * residual * residual;
            if pixel == self.centre {
                self.central = residual;
            }
        }
    }
}
