//! Elliptical Gaussian PSFs at any angle.

use crate::Error;
use crate::image::PixelBox;

use super::gaussian::{Axis, REACH, SIGMA_PER_FWHM, Strip, limit_width_step};
use super::rectangle::{BLOCK, Block, Rotated};
use super::{Placement, Psf, offset, positive};

/// An elliptical Gaussian at the pixel centres.
///
/// ```text
/// P = exp(−½ [(x′/σx)² + (y′/σy)²]) / (2π σx σy)
/// x′ = Δx cos θ + Δy sin θ,  y′ = −Δx sin θ + Δy cos θ
/// ```
///
/// with Δx = pixel − x and the shape parameters `x_fwhm` and `y_fwhm` (pixels,
/// along the rotated axes) and `theta` (degrees counter-clockwise from +x).
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianPsf {
    shape: [f64; 3],
}

/// An elliptical Gaussian integrated over the pixels.
///
/// The integral is that of [`GaussianPsf`] over the square pixel, whatever the
/// angle, to rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianPrf {
    shape: [f64; 3],
}

/// `x_fwhm`, `y_fwhm` and `theta`, ready for use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ellipse {
    pub(super) sigma_x: f64,
    pub(super) sigma_y: f64,
    pub(super) cos: f64,
    pub(super) sin: f64,
}

/// The derivatives of a Gaussian's pixel by the elements of its covariance.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ByCovariance {
    pub(super) xx: f64,
    pub(super) yy: f64,
    pub(super) xy: f64,
}

impl Ellipse {
    fn new(own: &[f64; 3], at: Placement<'_>) -> Self {
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
    fn is_aligned(&self) -> bool {
        self.cos == 0.0 || self.sin == 0.0 || self.sigma_x.to_bits() == self.sigma_y.to_bits()
    }

    fn support(&self, at: Placement<'_>, axis: Axis) -> PixelBox {
        let (sigma_x, sigma_y) = self.marginal_sigmas();
        let reach = |sigma: f64| REACH * sigma + axis.half_pixel();
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
    fn by_shape_of_strips(&self, x: Strip, y: Strip) -> [f64; 3] {
        let (sigma_x, sigma_y) = self.marginal_sigmas();
        // A Gaussian's derivative by its covariance is ∂²/∂x∂y.
        self.by_shape(ByCovariance {
            xx: x.by_sigma * y.value / (2.0 * sigma_x),
            yy: x.value * y.by_sigma / (2.0 * sigma_y),
            xy: x.by_position * y.by_position,
        })
    }

    fn strips(&self, axis: Axis, at: Placement<'_>, px: f64, py: f64) -> (Strip, Strip) {
        let (sigma_x, sigma_y) = self.marginal_sigmas();
        let along_x = axis.strip(offset(px, at.x), sigma_x);
        (along_x, axis.strip(offset(py, at.y), sigma_y))
    }

    fn aligned_gradient(
        &self,
        axis: Axis,
        at: Placement<'_>,
        (px, py): (f64, f64),
        gradient: &mut [f64],
    ) -> f64 {
        let (x, y) = self.strips(axis, at, px, py);
        gradient[0] = x.by_position * y.value;
        gradient[1] = x.value * y.by_position;
        gradient[2..5].copy_from_slice(&self.by_shape_of_strips(x, y));
        x.value * y.value
    }

    /// The density at (dx, dy) from the centre, and the offsets along the
    /// ellipse's axes in units of σ.
    fn density(&self, dx: f64, dy: f64) -> (f64, f64, f64) {
        let along_x = (dx * self.cos + dy * self.sin) / self.sigma_x;
        let along_y = (dy * self.cos - dx * self.sin) / self.sigma_y;
        let exponent = -0.5 * (along_x * along_x + along_y * along_y);
        let norm = 2.0 * std::f64::consts::PI * self.sigma_x * self.sigma_y;
        (exponent.exp() / norm, along_x, along_y)
    }

    /// The density and its derivatives by x, y and the shape parameters.
    fn density_gradient(&self, dx: f64, dy: f64) -> (f64, [f64; 5]) {
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

const NAMES: [&str; 3] = ["x_fwhm", "y_fwhm", "theta"];

fn check(shape: &[f64]) -> Result<(), Error> {
    for (&value, name) in shape.iter().zip(NAMES) {
        if name != "theta" {
            Error::check_positive(name, value)?;
        } else if !value.is_finite() {
            return Err(Error::invalid(name, "be finite", value));
        }
    }
    Ok(())
}

/// Widths stay positive; an angle turns by no more than 30 degrees, beyond
/// which the linearised ellipse has little to do with the ellipse.
fn limit_step(index: usize, value: f64, step: f64) -> f64 {
    if index == 2 {
        step.clamp(-30.0, 30.0)
    } else {
        limit_width_step(value, step)
    }
}

fn checked(x_fwhm: f64, y_fwhm: f64, theta: f64) -> Result<[f64; 3], Error> {
    let shape = [x_fwhm, y_fwhm, theta];
    check(&shape)?;
    Ok(shape)
}

impl GaussianPsf {
    /// The PSF of the given FWHMs, pixels, and angle, degrees.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless the FWHMs are positive and all are
    /// finite.
    pub fn new(x_fwhm: f64, y_fwhm: f64, theta: f64) -> Result<Self, Error> {
        checked(x_fwhm, y_fwhm, theta).map(|shape| Self { shape })
    }
}

impl GaussianPrf {
    /// The PRF of the given FWHMs, pixels, and angle, degrees.
    ///
    /// # Errors
    /// As [`GaussianPsf::new`].
    pub fn new(x_fwhm: f64, y_fwhm: f64, theta: f64) -> Result<Self, Error> {
        checked(x_fwhm, y_fwhm, theta).map(|shape| Self { shape })
    }
}

impl Psf for GaussianPsf {
    fn shape_names(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn shape(&self) -> &[f64] {
        &self.shape
    }

    fn check_shape(&self, shape: &[f64]) -> Result<(), Error> {
        check(shape)
    }

    fn limit_shape_step(&self, index: usize, value: f64, step: f64) -> f64 {
        limit_step(index, value, step)
    }

    fn support(&self, at: Placement<'_>) -> PixelBox {
        Ellipse::new(&self.shape, at).support(at, Axis::Density)
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        let ellipse = Ellipse::new(&self.shape, at);
        ellipse.density(offset(px, at.x), offset(py, at.y)).0
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let ellipse = Ellipse::new(&self.shape, at);
        let (dx, dy) = (offset(px, at.x), offset(py, at.y));
        let (value, derivatives) = ellipse.density_gradient(dx, dy);
        gradient[..5].copy_from_slice(&derivatives);
        value
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        let ellipse = Ellipse::new(&self.shape, at);
        if ellipse.is_aligned() {
            Axis::Density.fill(at, ellipse.marginal_sigmas(), window, values);
            return;
        }
        for (value, (x, y)) in values.iter_mut().zip(window.pixels()) {
            (*value, ..) = ellipse.density(offset(x as f64, at.x), offset(y as f64, at.y));
        }
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        let ellipse = Ellipse::new(&self.shape, at);
        if ellipse.is_aligned() {
            let sigmas = ellipse.marginal_sigmas();
            let by_shape = |x, y| ellipse.by_shape_of_strips(x, y);
            let planes = (values, gradient);
            Axis::Density.fill_with_gradient(at, sigmas, window, planes, by_shape);
            return;
        }
        let n = window.len();
        for (k, (x, y)) in window.pixels().enumerate() {
            let (dx, dy) = (offset(x as f64, at.x), offset(y as f64, at.y));
            let (value, derivatives) = ellipse.density_gradient(dx, dy);
            values[k] = value;
            for (plane, derivative) in derivatives.into_iter().enumerate() {
                gradient[plane * n + k] = derivative;
            }
        }
    }
}

impl Psf for GaussianPrf {
    fn shape_names(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn shape(&self) -> &[f64] {
        &self.shape
    }

    fn check_shape(&self, shape: &[f64]) -> Result<(), Error> {
        check(shape)
    }

    fn limit_shape_step(&self, index: usize, value: f64, step: f64) -> f64 {
        limit_step(index, value, step)
    }

    fn support(&self, at: Placement<'_>) -> PixelBox {
        Ellipse::new(&self.shape, at).support(at, Axis::Integral)
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        let ellipse = Ellipse::new(&self.shape, at);
        let (dx, dy) = (offset(px, at.x), offset(py, at.y));
        if ellipse.is_aligned() {
            let (sigma_x, sigma_y) = ellipse.marginal_sigmas();
            return Axis::Integral.value(dx, sigma_x) * Axis::Integral.value(dy, sigma_y);
        }
        Block::of_one(dx, dy).values(&Rotated::new(&ellipse))[0][0]
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let ellipse = Ellipse::new(&self.shape, at);
        if ellipse.is_aligned() {
            return ellipse.aligned_gradient(Axis::Integral, at, (px, py), gradient);
        }
        let rotated = Rotated::new(&ellipse);
        let block = Block::of_one(offset(px, at.x), offset(py, at.y));
        let (by_place, by_covariance) = block.corners(&rotated).derivatives(&block, 0, 0);
        gradient[..2].copy_from_slice(&by_place);
        gradient[2..5].copy_from_slice(&ellipse.by_shape(by_covariance));
        block.values(&rotated)[0][0]
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        let ellipse = Ellipse::new(&self.shape, at);
        if ellipse.is_aligned() {
            Axis::Integral.fill(at, ellipse.marginal_sigmas(), window, values);
            return;
        }
        let rotated = Rotated::new(&ellipse);
        each_block(at, window, |block, k| {
            for (j, row) in block.values(&rotated).iter().enumerate().take(block.ny) {
                let k = k + j * window.width();
                values[k..k + block.nx].copy_from_slice(&row[..block.nx]);
            }
        });
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        let ellipse = Ellipse::new(&self.shape, at);
        if ellipse.is_aligned() {
            let sigmas = ellipse.marginal_sigmas();
            let by_shape = |x, y| ellipse.by_shape_of_strips(x, y);
            let planes = (values, gradient);
            Axis::Integral.fill_with_gradient(at, sigmas, window, planes, by_shape);
            return;
        }
        let (rotated, n) = (Rotated::new(&ellipse), window.len());
        each_block(at, window, |block, first| {
            let (sums, corners) = (block.values(&rotated), block.corners(&rotated));
            for (j, i) in (0..block.ny).flat_map(|j| (0..block.nx).map(move |i| (j, i))) {
                let k = first + j * window.width() + i;
                let (by_place, by_covariance) = corners.derivatives(block, j, i);
                values[k] = sums[j][i];
                let by_shape = ellipse.by_shape(by_covariance);
                for (plane, derivative) in by_place.into_iter().chain(by_shape).enumerate() {
                    gradient[plane * n + k] = derivative;
                }
            }
        });
    }
}

/// Calls `work` with each block of the window's pixels, and the index of its
/// first.
fn each_block(at: Placement<'_>, window: PixelBox, mut work: impl FnMut(&Block, usize)) {
    let last = |start: i64, end: i64| end.min(start + BLOCK as i64);
    for y0 in (window.y0..window.y1).step_by(BLOCK) {
        for x0 in (window.x0..window.x1).step_by(BLOCK) {
            let pixels = PixelBox::new(x0, last(x0, window.x1), y0, last(y0, window.y1));
            let first = (y0 - window.y0) as usize * window.width() + (x0 - window.x0) as usize;
            work(&Block::new(at, pixels), first);
        }
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
