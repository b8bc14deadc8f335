//! Losses that do not grow for ever with a residual: cosmic rays and the like.

/// By what part of its value a PSF may be off where nobody says. A PSF that is 5 % too
/// narrow leaves less than this, times [`Loss::sigmas`], of the highest of neighbouring
/// pixels everywhere.
const PROFILE: f64 = 0.05;

/// ALLSTAR's weights (Stetson 1987, PASP 99, 191), which fall from 1 to 1/2 at so many
/// sigma and with the sixth power of the residual far beyond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loss {
    /// Where a pixel has half of its weight.
    sigmas: f64,
    /// What the PSF may be off by, a part of the highest light nearby.
    profile: f64,
    /// The variance of a pixel of weight 1.
    unit: f64,
}

impl Loss {
    /// A pixel with less than this part of its weight is rejected.
    pub(crate) const REJECTED: f64 = 0.5;

    /// One with less than this part (6 sigma of 3) may have drawn a star to it.
    pub(crate) const ATTRACTIVE: f64 = 0.02;

    /// From wide, where the model may be far off, to what it is in the end: a star
    /// that starts half a pixel beside its place loses no pixel.
    pub(crate) const WIDTHS: [f64; 3] = [0.25, 0.1, PROFILE];

    /// That of a settled model, for pixels that have the variance `unit` where their
    /// weight is 1.
    pub(crate) fn new(sigmas: f64, unit: f64) -> Self {
        Self {
            sigmas,
            profile: PROFILE,
            unit,
        }
    }

    /// With another part of the light.
    pub(crate) fn with_profile(mut self, profile: f64) -> Self {
        self.profile = profile;
        self
    }

    /// What is left of the weight of a pixel. `near` is the highest light of the model
    /// among it and its neighbours, `own` what else the PSF may be off by.
    pub(super) fn factor(&self, weight: f64, residual: f64, near: f64, own: f64) -> f64 {
        let mismatch = self.profile.max(own) * near;
        let variance = self.unit / weight + mismatch * mismatch;
        let square = residual * residual / (self.sigmas * self.sigmas * variance);
        if square.is_finite() {
            1.0 / (1.0 + square.powi(3))
        } else {
            0.0
        }
    }
}

/// A part of the light by which a PSF is off at least: none is better known.
const LEAST_PROFILE: f64 = 0.01;

/// What a PSF is off by, as a part of the highest light nearby, in the pixels (residual,
/// variance, highest light nearby) of one star or a few: twice what three of four pixels
/// keep within, beyond their noise. The worst pixels of PSFs that are 5 % too wide or too
/// narrow are off by 1.5 to 3 times that.
pub(crate) fn typical_mismatch(pixels: impl Iterator<Item = (f64, f64, f64)>) -> f64 {
    /// So few pixels tell nothing.
    const FEW: usize = 6;
    /// Of the squares of unit normals three of four are less.
    const THREE_QUARTERS: f64 = 1.323_303_696_931_466;
    let tells = pixels.filter(|&(_, variance, near)| (PROFILE * near).powi(2) > variance);
    let mut parts: Vec<f64> = tells
        .map(|(residual, variance, near)| {
            let beyond = residual * residual - THREE_QUARTERS * variance;
            beyond.max(0.0).sqrt() / near
        })
        .collect();
    if parts.len() < FEW {
        return PROFILE;
    }
    let place = parts.len() * 3 / 4;
    let (_, part, _) = parts.select_nth_unstable_by(place, f64::total_cmp);
    (2.0 * *part).clamp(LEAST_PROFILE, PROFILE)
}

/// The variance of a pixel of weight 1 that residuals and their weights tell, whatever
/// a part of them is: from the median of |residual| √weight.
pub(crate) fn unit_variance(pixels: impl Iterator<Item = (f64, f64)>) -> f64 {
    /// 1/Φ⁻¹(3/4).
    const NORMAL: f64 = 1.482_602_218_505_602;
    let sizes = pixels.filter(|&(_, weight)| weight > 0.0);
    let mut sizes: Vec<f64> = sizes.map(|(r, w)| r.abs() * w.sqrt()).collect();
    if sizes.is_empty() {
        return 1.0;
    }
    let middle = sizes.len() / 2;
    let (_, median, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
    let sigma = NORMAL * *median;
    (sigma * sigma).max(f64::MIN_POSITIVE)
}

/// The highest of each pixel and the eight around it, of rows of `width` pixels.
pub(crate) fn highest_neighbours(model: &[f64], width: usize) -> Vec<f64> {
    let mut across = model.to_vec();
    if width == 0 {
        return across;
    }
    for (row, target) in model.chunks(width).zip(across.chunks_mut(width)) {
        for (x, value) in target.iter_mut().enumerate() {
            let from = x.saturating_sub(1);
            let near = &row[from..(x + 2).min(row.len())];
            *value = near.iter().copied().fold(*value, f64::max);
        }
    }
    let mut highest = across.clone();
    for (k, value) in highest.iter_mut().enumerate() {
        let above = k.checked_sub(width).map(|above| across[above]);
        let below = across.get(k + width).copied();
        *value = above.into_iter().chain(below).fold(*value, f64::max);
    }
    highest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_fall_where_sigma_has_both_noise_and_mismatch() {
        let loss = Loss::new(4.0, 1.0);
        // Weight 1/4: sigma 2. At four of them half is left, at eight almost nothing.
        assert!((loss.factor(0.25, 8.0, 0.0, 0.0) - 0.5).abs() < 1e-12);
        assert!(loss.factor(0.25, 16.0, 0.0, 0.0) < 0.02);
        assert!(loss.factor(0.25, 4.0, 0.0, 0.0) > 0.98);
        // In a bright core 20 % of the light is half a rejection.
        assert!((loss.factor(1e8, 20.0, 100.0, 0.0) - 0.5).abs() < 1e-6);
        assert!((loss.factor(1e8, 40.0, 100.0, 0.1) - 0.5).abs() < 1e-6);
        assert!(loss.factor(1.0, f64::INFINITY, 0.0, 0.0) == 0.0);
    }

    #[test]
    fn neighbours_are_the_eight_around() {
        let model = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 2.0];
        let expected = [1.0, 1.0, 5.0, 5.0, 1.0, 1.0, 5.0, 5.0, 0.0, 0.0, 5.0, 5.0];
        assert_eq!(highest_neighbours(&model, 4), expected);
    }

    #[test]
    fn a_mismatch_is_told_from_noise_and_hits() {
        let pixels = |part: f64| {
            (0..40).map(move |k| {
                let noise = if k % 3 == 0 { 1.1 } else { -0.4 };
                let hit = if k % 9 == 0 { 1e5 } else { 0.0 };
                (noise + hit + part * 1e4, 1.0, 1e4)
            })
        };
        assert!((typical_mismatch(pixels(0.0)) - 0.01).abs() < 1e-12);
        assert!((typical_mismatch(pixels(0.012)) - 0.024).abs() < 1e-3);
        assert!((typical_mismatch(pixels(0.2)) - 0.05).abs() < 1e-12);
        assert!((typical_mismatch(pixels(0.0).take(5)) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn the_median_tells_the_variance_among_outliers() {
        let pixels = (0..100).map(|k| (if k % 10 == 0 { 1e6 } else { 0.6745 }, 4.0));
        assert!((unit_variance(pixels) - 4.0).abs() < 0.01);
    }
}
