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
}

impl Quality {
    fn new() -> Self {
        Self {
            n: 0,
            absolute: 0.0,
            chi2: 0.0,
            central: f64::NAN,
        }
    }

    /// Of a source alone: its `pixels`, each a residual and its weight, row by
    /// row.
    pub(super) fn of_pixels(source: &Source, pixels: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut quality = Self::new();
        let window = source.window;
        let (x, y) = source.centre;
        let central = window.contains(x, y).then(|| window.index_of(x, y));
        for (k, (residual, weight)) in pixels.take(window.len()).enumerate() {
            quality.add(central == Some(k), residual, weight);
        }
        quality
    }

    /// Of a member of a group: its own pixels, minus its own background and the
    /// whole group.
    pub(super) fn of_member(source: &Source, exposure: &Exposure, model: &Model) -> Self {
        let mut quality = Self::new();
        model.visit(source.window, |part, model, weights| {
            for (values, _) in exposure.rows(part) {
                let planes = values.iter().zip(weights).zip(model);
                for (position, ((value, &weight), model)) in part.pixels().zip(planes) {
                    let residual = value - source.background - model;
                    quality.add(position == source.centre, residual, weight);
                }
            }
        });
        quality
    }

    /// One pixel: data − model, and its weight.
    fn add(&mut self, is_central: bool, residual: f64, weight: f64) {
        if weight > 0.0 {
            self.n += 1;
            self.absolute += residual.abs();
            self.chi2 += weight * residual * residual;
            if is_central {
                self.central = residual;
            }
        }
    }
}
