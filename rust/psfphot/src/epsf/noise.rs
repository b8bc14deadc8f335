//! Noise of the pixels: what the errors say, what the model says of them, and
//! how strongly a residual counts.

/// Where a pixel's variance comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Variance {
    /// The square of the error.
    Given,
    /// Likewise, but the errors follow the noise of the data: what they would be
    /// for the model's flux, which rises by `slope` with it.
    FollowsData { slope: f64 },
    /// Estimated from the residuals, for a pixel of a flux.
    Estimated { constant: f64, slope: f64 },
}

/// The noise that the weights count with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noise {
    pub(crate) variance: Variance,
    /// Error of the model at its peak, relative to that.
    pub(crate) model_error: f64,
    /// Whether stars differ from the model as a whole, sharper or broader, so that the
    /// error is the same all over them; else its square falls with the model. Where
    /// the noise is estimated its slope would take the former for photons.
    pub(crate) is_of_stars: bool,
}

/// A pixel is in the core of a star where the PSF is more than this part of its
/// peak. Outside, what the model does not know is mostly neighbours and background:
/// counted as the PSF's error, it would grow with the errors that it makes.
pub(crate) const IN_CORE: f64 = 0.15;
/// Residuals are judged with the peak's error where the PSF is more than this part of it.
const FULL: f64 = 0.3;
/// A star is where the PSF is more than this part of its peak.
const IN_STAR: f64 = 0.01;

impl Noise {
    /// The variance by which a pixel counts less where the model, which is `model` there,
    /// has an `error` of its peak. Were that of whole stars to fall with the model, the
    /// flanks would tell their flux, and the PSF would be broader than they are (the
    /// mosaic of docs/spitzer.md: 2.7 % of the peak are left in the cores of other stars
    /// instead of 2.4 %).
    #[inline]
    pub(crate) fn mismatch(&self, error: f64, model: f64, peak: f64) -> f64 {
        let part = if self.is_of_stars {
            model.max(0.0).min(IN_STAR * peak) / IN_STAR
        } else {
            model.max(0.0)
        };
        error * error * peak * part
    }

    /// The variance of the model's error where residuals are judged: that of whole stars
    /// falls as the model does below a third of the peak, for what is more, as a
    /// neighbour in the wings, is none of its errors. Where the error is estimated it is
    /// at least half of what it is at the peak: pixels that were rejected there would
    /// make it seem small.
    #[inline]
    pub(crate) fn judged_mismatch(&self, error: f64, model: f64, peak: f64) -> f64 {
        if self.is_of_stars {
            (error * (model / FULL).min(peak)).powi(2)
        } else {
            self.mismatch(error, model, peak)
        }
    }

    /// The variance of a pixel, without the model's error.
    #[inline]
    pub(crate) fn variance(&self, error: f64, data: f64, model: f64) -> f64 {
        match self.variance {
            Variance::Given => error * error,
            Variance::FollowsData { slope } => {
                let variance = error * error;
                // Pixels whose error does not follow keep a good part of theirs.
                (variance + slope * (model - data)).max(0.25 * variance)
            }
            Variance::Estimated { constant, slope } => constant + slope * model.max(0.0),
        }
    }
}

/// How strongly a residual of `z` sigmas counts: in full up to 4, as if it were
/// 4 up to 12, and not at all beyond.
pub(crate) fn robust(z2: f64) -> f64 {
    if z2 <= 16.0 {
        1.0
    } else if z2 <= 144.0 {
        16.0 / z2
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_error_is_the_same_all_over_a_star_or_falls_like_the_root_of_the_model() {
        let of = |is_of_stars| Noise {
            variance: Variance::Given,
            model_error: 0.02,
            is_of_stars,
        };
        let at = |model| of(true).mismatch(0.02, model, 50.0).sqrt();
        assert!((at(50.0) - 1.0).abs() < 1e-12 && (at(0.5) - 1.0).abs() < 1e-12);
        assert!((at(0.125) - 0.5).abs() < 1e-12);
        assert_eq!(at(-1.0).to_bits(), 0.0_f64.to_bits());
        let judged = |model| of(true).judged_mismatch(0.02, model, 50.0).sqrt();
        assert!((judged(50.0) - 1.0).abs() < 1e-12 && (judged(15.0) - 1.0).abs() < 1e-12);
        assert!((judged(1.5) - 0.1).abs() < 1e-12);
        let falling = |model| of(false).mismatch(0.02, model, 50.0).sqrt();
        assert!((falling(50.0) - 1.0).abs() < 1e-12 && (falling(12.5) - 0.5).abs() < 1e-12);
        assert_eq!(falling(-1.0).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn large_residuals_count_less_and_then_not_at_all() {
        assert_eq!(robust(15.9).to_bits(), 1.0_f64.to_bits());
        assert!((robust(100.0) - 0.16).abs() < 1e-15);
        assert_eq!(robust(150.0).to_bits(), 0.0_f64.to_bits());
        assert_eq!(robust(f64::NAN).to_bits(), 0.0_f64.to_bits());
    }
}
