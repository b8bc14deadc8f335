//! Elliptical Gaussian PSFs at any angle.

use crate::Error;
use crate::image::PixelBox;

use super::ellipse::Ellipse;
use super::gaussian::limit_width_step;
use super::rectangle::{BLOCK, Block, Rotated};
use super::strip::PixelValue;
use super::{Placement, Psf, offset, strips};

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
        Ellipse::new(&self.shape, at).support(at, PixelValue::Density)
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
            strips::fill(
                PixelValue::Density,
                at,
                ellipse.marginal_sigmas(),
                window,
                values,
            );
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
            strips::fill_with_gradient(PixelValue::Density, at, sigmas, window, planes, by_shape);
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
        Ellipse::new(&self.shape, at).support(at, PixelValue::Integral)
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        let ellipse = Ellipse::new(&self.shape, at);
        let (dx, dy) = (offset(px, at.x), offset(py, at.y));
        if ellipse.is_aligned() {
            let (sigma_x, sigma_y) = ellipse.marginal_sigmas();
            return PixelValue::Integral.value(dx, sigma_x)
                * PixelValue::Integral.value(dy, sigma_y);
        }
        Block::of_one(dx, dy).values(&Rotated::new(&ellipse))[0][0]
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let ellipse = Ellipse::new(&self.shape, at);
        if ellipse.is_aligned() {
            return ellipse.aligned_gradient(PixelValue::Integral, at, (px, py), gradient);
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
            strips::fill(
                PixelValue::Integral,
                at,
                ellipse.marginal_sigmas(),
                window,
                values,
            );
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
            strips::fill_with_gradient(PixelValue::Integral, at, sigmas, window, planes, by_shape);
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
            work(&Block::new(at, pixels), window.index_of(x0, y0));
        }
    }
}
