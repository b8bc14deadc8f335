//! The full width at half maximum, of what is given point by point.

/// Twice the distance, no more than `reach`, at which a function of the distance
/// falls to half of its start.
pub(crate) fn of_profile(at: impl Fn(f64) -> f64, reach: f64) -> f64 {
    const STEP: f64 = 0.02;
    let half = at(0.0) / 2.0;
    let mut radius = 0.0;
    while radius < reach && at(radius) > half {
        radius += STEP;
    }
    // Between the last two steps.
    let (above, below) = (at((radius - STEP).max(0.0)), at(radius));
    let back = if above > below {
        (half - below) / (above - below)
    } else {
        0.0
    };
    2.0 * (radius - STEP * back.clamp(0.0, 1.0)).max(STEP)
}

/// The FWHM of a PSF given at offsets (x, y), from its mean around the star.
pub(crate) fn of_image(psf: impl Fn(f64, f64) -> f64, reach: f64) -> f64 {
    const DIRECTIONS: usize = 16;
    let mean = |radius: f64| {
        let sum: f64 = (0..DIRECTIONS)
            .map(|k| {
                let (sin, cos) = (std::f64::consts::TAU * k as f64 / DIRECTIONS as f64).sin_cos();
                psf(radius * cos, radius * sin)
            })
            .sum();
        sum / DIRECTIONS as f64
    };
    of_profile(mean, reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_is_that_of_a_gaussian() {
        let gaussian = |x: f64, y: f64| (-(x * x + y * y) / (2.0 * 1.3 * 1.3)).exp();
        assert!((of_image(gaussian, 8.0) - 1.3 * 2.354_82).abs() < 1e-3);
        assert!((of_image(gaussian, 0.5) - 1.0).abs() < 0.05);
        assert!(of_image(|_, _| f64::NAN, 8.0) > 0.0);
    }
}
