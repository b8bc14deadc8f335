//! The ellipse of an elliptical Gaussian: its axes, its covariance, its
//! density.

use crate::image::PixelBox;

use super::gaussian::SIGMA_PER_FWHM;
use super::strip::{PixelValue, REACH, Strip};
use super::{Placement, offset, positive};

/// `x_fwhm`, `y_fwhm` and `theta`, ready for use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ellipse {
    pub(super) sigma_x: f64,
    pub(super) sigma_y: f64,
    cos: f64,
    sin: f64,
}

/// The derivatives of a Gaussian's pixel by the elements of its covariance.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ByCovariance {
    pub(super) xx: f64,
    pub(super) yy: f64,
    pub(super) xy: f64,
}

impl Ellipse {
    pub(super) fn new(own: &[f64; 3], at: Placement<'_>) -> Self {
        let get = |k: usize| at.shape.get(k).copied().unwrap_or(own[k]);
        let (sin, cos) = sin_cos_degrees(get(2));
        Self {
            sigma_x: SIGMA_PER_FWHM * positive(get(0)),
            sigma_y: SIGMA_PER_FWHM * positive(get(1)),
            cos,
            sin,
        }
    }

    /// The standard deviations along x and y.
    pub(super) fn marginal_sigmas(&self) -> (f64, f64) {
        (
            (self.sigma_x * self.cos).hypot(self.sigma_y * self.sin),
            (self.sigma_x * self.sin).hypot(self.sigma_y * self.cos),
        )
    }

    /// The covariance of x and y, pixels².
    pub(super) fn covariance(&self) -> f64 {
        self.variance_difference() * self.cos * self.sin
    }

    fn variance_difference(&self) -> f64 {
        (self.sigma_x - self.sigma_y) * (self.sigma_x + self.sigma_y)
    }

    /// Whether the Gaussian is a product of functions of x and of y.
    pub(super) fn is_aligned(&self) -> bool {
        self.cos == 0.0 || self.sin == 0.0 || self.sigma_x.to_bits() == self.sigma_y.to_bits()
    }

    pub(super) fn support(&self, at: Placement<'_>, per_pixel: PixelValue) -> PixelBox {
        let (sigma_x, sigma_y) = self.marginal_sigmas();
        let reach = |sigma: f64| REACH * sigma + per_pixel.half_pixel();
        PixelBox::spanning(
            (at.x - reach(sigma_x), at.x + reach(sigma_x)),
            (at.y - reach(sigma_y), at.y + reach(sigma_y)),
        )
    }

    /// The derivatives by the shape parameters from those by the covariance.
    pub(super) fn by_shape(&self, by: ByCovariance) -> [f64; 3] {
        let (c2, s2, cs) = (
            self.cos * self.cos,
            self.sin * self.sin,
            self.cos * self.sin,
        );
        let by_sigma_x = 2.0 * self.sigma_x * (c2 * by.xx + s2 * by.yy + cs * by.xy);
        let by_sigma_y = 2.0 * self.sigma_y * (s2 * by.xx + c2 * by.yy - cs * by.xy);
        let turn = 2.0 * cs * (by.yy - by.xx) + (c2 - s2) * by.xy;
        [
            SIGMA_PER_FWHM * by_sigma_x,
            SIGMA_PER_FWHM * by_sigma_y,
            self.variance_difference() * turn.to_radians(),
        ]
    }

    /// [`Ellipse::by_shape`] of an aligned Gaussian.
    pub(super) fn by_shape_of_strips(&self, x: Strip, y: Strip) -> [f64; 3] {
        let (sigma_x, sigma_y) = self.marginal_sigmas();
        // A Gaussian's derivative by its covariance is ∂²/∂x∂y.
        self.by_shape(ByCovariance {
            xx: x.by_sigma * y.value / (2.0 * sigma_x),
            yy: x.value * y.by_sigma / (2.0 * sigma_y),
            xy: x.by_position * y.by_position,
        })
    }

    fn strips(&self, per_pixel: PixelValue, at: Placement<'_>, px: f64, py: f64) -> (Strip, Strip) {
        let (sigma_x, sigma_y) = self.marginal_sigmas();
        let along_x = per_pixel.strip(offset(px, at.x), sigma_x);
        (along_x, per_pixel.strip(offset(py, at.y), sigma_y))
    }

    pub(super) fn aligned_gradient(
        &self,
        per_pixel: PixelValue,
        at: Placement<'_>,
        (px, py): (f64, f64),
        gradient: &mut [f64],
    ) -> f64 {
        let (x, y) = self.strips(per_pixel, at, px, py);
        gradient[0] = x.by_position * y.value;
        gradient[1] = x.value * y.by_position;
        gradient[2..5].copy_from_slice(&self.by_shape_of_strips(x, y));
        x.value * y.value
    }

    /// The density at (dx, dy) from the centre, and the offsets along the
    /// ellipse's axes in units of σ.
    pub(super) fn density(&self, dx: f64, dy: f64) -> (f64, f64, f64) {
        let along_x = (dx * self.cos + dy * self.sin) / self.sigma_x;
        let along_y = (dy * self.cos - dx * self.sin) / self.sigma_y;
        let exponent = -0.5 * (along_x * along_x + along_y * along_y);
        let norm = 2.0 * std::f64::consts::PI * self.sigma_x * self.sigma_y;
        (exponent.exp() / norm, along_x, along_y)
    }

    /// The density and its derivatives by x, y and the shape parameters.
    pub(super) fn density_gradient(&self, dx: f64, dy: f64) -> (f64, [f64; 5]) {
        let (value, u, v) = self.density(dx, dy);
        if value == 0.0 {
            return (value, [0.0; 5]);
        }
        let (by_u, by_v) = (u / self.sigma_x, v / self.sigma_y);
        let turn = u * v * self.variance_difference() / (self.sigma_x * self.sigma_y);
        let gradient = [
            by_u * self.cos - by_v * self.sin,
            by_u * self.sin + by_v * self.cos,
            SIGMA_PER_FWHM * (u * u - 1.0) / self.sigma_x,
            SIGMA_PER_FWHM * (v * v - 1.0) / self.sigma_y,
            turn.to_radians(),
        ];
        (value, gradient.map(|derivative| value * derivative))
    }
}

/// Sine and cosine of an angle in degrees, exact at multiples of 90.
fn sin_cos_degrees(theta: f64) -> (f64, f64) {
    let theta = theta % 360.0;
    let quarter = (theta / 90.0).round();
    let (sin, cos) = (theta - 90.0 * quarter).to_radians().sin_cos();
    match (quarter as i64).rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_angles_are_exact() {
        for (theta, expected) in [
            (0.0, (0.0, 1.0)),
            (90.0, (1.0, 0.0)),
            (-90.0, (-1.0, 0.0)),
            (180.0, (0.0, -1.0)),
            (270.0, (-1.0, 0.0)),
            (-720.0, (0.0, 1.0)),
        ] {
            assert_eq!(sin_cos_degrees(theta), expected, "{theta}");
        }
        for theta in [-400.0, -91.0, 12.5, 45.0, 133.0, 200.0, 359.0] {
            let (sin, cos) = sin_cos_degrees(theta);
            let (s, c) = theta.to_radians().sin_cos();
            assert!(
                (sin - s).abs() < 1e-14 && (cos - c).abs() < 1e-14,
                "{theta}"
            );
        }
    }

    #[test]
    fn angles_that_are_no_numbers_make_no_number() {
        assert!(sin_cos_degrees(f64::NAN).0.is_nan());
        assert!(sin_cos_degrees(f64::INFINITY).1.is_nan());
    }
}
