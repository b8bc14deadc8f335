//! Circular Gaussian PSFs, which are products of a function of x and one of y.

use crate::Error;
use crate::image::PixelBox;

use super::strip::{PixelValue, REACH, Strip};
use super::{Placement, Psf, delegate_psf, offset, positive, strips};

/// σ of a Gaussian per FWHM, 1/(2 √(2 ln 2)). To the last bit what numpy and
/// astropy have: the star finder's kernel depends on it.
pub(crate) const SIGMA_PER_FWHM: f64 = 0.424_660_900_144_009_53;

/// A circular Gaussian integrated over the pixels.
///
/// ```text
/// P = ¼ [erf((Δx + ½)/(√2 σ)) − erf((Δx − ½)/(√2 σ))] · [the same with Δy]
/// ```
///
/// with Δx = pixel − x and σ = 0.42466 · `fwhm`, the only shape parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct CircularGaussianPrf(Circular);

/// [`CircularGaussianPrf`] with `sigma`, pixels, as its shape parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct CircularGaussianSigmaPrf(Circular);

/// A circular Gaussian at the pixel centres.
///
/// ```text
/// P = exp(−(Δx² + Δy²)/2σ²) / (2π σ²)
/// ```
///
/// with Δx = pixel − x and σ = 0.42466 · `fwhm`, the only shape parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct CircularGaussianPsf(Circular);

impl CircularGaussianPrf {
    /// The PRF of the given FWHM, pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `fwhm` is positive and finite.
    pub fn new(fwhm: f64) -> Result<Self, Error> {
        Circular::new(&["fwhm"], fwhm, SIGMA_PER_FWHM, PixelValue::Integral).map(Self)
    }
}

impl CircularGaussianSigmaPrf {
    /// The PRF of the given standard deviation, pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `sigma` is positive and finite.
    pub fn new(sigma: f64) -> Result<Self, Error> {
        Circular::new(&["sigma"], sigma, 1.0, PixelValue::Integral).map(Self)
    }
}

impl CircularGaussianPsf {
    /// The PSF of the given FWHM, pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `fwhm` is positive and finite.
    pub fn new(fwhm: f64) -> Result<Self, Error> {
        Circular::new(&["fwhm"], fwhm, SIGMA_PER_FWHM, PixelValue::Density).map(Self)
    }
}

delegate_psf!(CircularGaussianPrf);
delegate_psf!(CircularGaussianSigmaPrf);
delegate_psf!(CircularGaussianPsf);

/// A circular Gaussian of any parametrisation.
#[derive(Debug, Clone, PartialEq)]
struct Circular {
    names: &'static [&'static str],
    width: [f64; 1],
    sigma_per_width: f64,
    per_pixel: PixelValue,
}

impl Circular {
    fn new(
        names: &'static [&'static str; 1],
        width: f64,
        sigma_per_width: f64,
        per_pixel: PixelValue,
    ) -> Result<Self, Error> {
        Error::check_positive(names[0], width)?;
        Ok(Self {
            names,
            width: [width],
            sigma_per_width,
            per_pixel,
        })
    }

    fn sigma(&self, at: Placement<'_>) -> f64 {
        let width = at.shape.first().copied().unwrap_or(self.width[0]);
        self.sigma_per_width * positive(width)
    }

    fn by_width(&self, x: Strip, y: Strip) -> f64 {
        self.sigma_per_width * (x.by_sigma * y.value + x.value * y.by_sigma)
    }
}

/// To half and to twice the width: it stays positive, where a step to the
/// negative width of the same PSF would be the shorter.
pub(super) fn limit_width_step(width: f64, step: f64) -> f64 {
    step.clamp(-0.5 * width.abs(), width.abs())
}

impl Psf for Circular {
    fn shape_names(&self) -> &'static [&'static str] {
        self.names
    }

    fn shape(&self) -> &[f64] {
        &self.width
    }

    fn check_shape(&self, shape: &[f64]) -> Result<(), Error> {
        shape
            .iter()
            .zip(self.names)
            .try_for_each(|(&width, name)| Error::check_positive(name, width))
    }

    fn limit_shape_step(&self, _index: usize, value: f64, step: f64) -> f64 {
        limit_width_step(value, step)
    }

    fn support(&self, at: Placement<'_>) -> PixelBox {
        let reach = REACH * self.sigma(at) + self.per_pixel.half_pixel();
        PixelBox::spanning((at.x - reach, at.x + reach), (at.y - reach, at.y + reach))
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        let sigma = self.sigma(at);
        self.per_pixel.value(offset(px, at.x), sigma)
            * self.per_pixel.value(offset(py, at.y), sigma)
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let sigma = self.sigma(at);
        let x = self.per_pixel.strip(offset(px, at.x), sigma);
        let y = self.per_pixel.strip(offset(py, at.y), sigma);
        gradient[0] = x.by_position * y.value;
        gradient[1] = x.value * y.by_position;
        gradient[2] = self.by_width(x, y);
        x.value * y.value
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        let sigma = self.sigma(at);
        strips::fill(self.per_pixel, at, (sigma, sigma), window, values);
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        let sigma = self.sigma(at);
        let by_shape = |x, y| [self.by_width(x, y)];
        let planes = (values, gradient);
        strips::fill_with_gradient(self.per_pixel, at, (sigma, sigma), window, planes, by_shape);
    }
}
