//! The star and the constant of a convolution, fitted to some of the pixels.

/// How much of the kernel's sum of squares about its mean must be left. The
/// error of the height goes with the inverse root of it; with less, each rim of a
/// large hole looks like a star.
const LEAST_LEFT: f64 = 0.25;

/// The fit of height · K + constant to some pixels, from their sums.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PartialFit {
    n: f64,
    k: f64,
    kk: f64,
    d: f64,
    kd: f64,
}

impl PartialFit {
    pub(super) fn add(&mut self, kernel: f64, value: f64) {
        self.n += 1.0;
        self.k += kernel;
        self.kk += kernel * kernel;
        self.d += value;
        self.kd += kernel * value;
    }

    pub(super) fn n(&self) -> usize {
        self.n as usize
    }

    /// Σ (K − its mean)².
    pub(super) fn squares(&self) -> f64 {
        self.kk - self.k * self.k / self.n
    }

    /// The height of the star, and how much of the kernel's sum of squares
    /// `whole` is left; `None` if that is too little.
    pub(super) fn height(&self, whole: f64) -> Option<(f64, f64)> {
        let left = self.squares() / whole;
        // NaN, of no pixel, is too little.
        (left > LEAST_LEFT).then(|| {
            let slope = (self.kd - self.k * self.d / self.n) / self.squares();
            // K is the star over 1/ΣK², but for a constant.
            (slope * whole, left)
        })
    }

    /// What a star has where its kernel, times a slope, is `kernel`.
    pub(super) fn value(&self, slope: f64, kernel: f64) -> f64 {
        // The constant is at the means.
        self.d / self.n + slope * (kernel - self.k / self.n)
    }

    /// The height with the significance of this one that all the pixels would
    /// have; NaN where too few are left.
    pub(super) fn significant_height(&self, whole: f64) -> f64 {
        self.height(whole)
            .map_or(f64::NAN, |(height, left)| height * left.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::detect::Kernel;

    #[test]
    fn the_height_does_not_depend_on_which_pixels_tell_it() -> Result<(), Error> {
        let kernel = Kernel::elliptical(4.0, 0.7, 30.0, 1.5)?;
        let whole = kernel.sum_of_squares();
        let values = kernel.values().iter().zip(kernel.footprint());
        let inside = values.filter(|(_, inside)| **inside).map(|(k, _)| *k);
        for left_out in 0..kernel.n_pixels() {
            let mut fit = PartialFit::default();
            for (_, k) in inside.clone().enumerate().filter(|(i, _)| *i != left_out) {
                // A star of height 5, which is K / ΣK² but for a constant.
                fit.add(k, 7.0 + 5.0 * k / whole);
            }
            let height = fit.height(whole);
            assert!(
                height.is_some_and(|(h, left)| (h - 5.0).abs() < 1e-10 && left < 1.0),
                "{height:?}"
            );
        }
        Ok(())
    }
}
