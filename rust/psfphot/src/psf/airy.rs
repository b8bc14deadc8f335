//! Airy disks.

use std::f64::consts::PI;

use crate::Error;

use super::gaussian::limit_width_step;
use super::jinc::{jinc, jinc_with_slope};
use super::radial::{DEFAULT_NODES, Derivatives, MAX_SHAPE, Profile, Radial};
use super::{delegate_psf, positive};

/// First zero of J₁ in units of π.
const FIRST_ZERO: f64 = 1.219_669_891_266_504_5;

/// Full width at half maximum in units of the radius of the first zero.
const FWHM_PER_RADIUS: f64 = 0.843_665_960_216_236_4;

/// An Airy disk, the image of a circular aperture, at the pixel centres.
///
/// ```text
/// P = π/(4 q²) · [2 J₁(z)/z]²,  z = π r/q,  q = radius/1.21967
/// ```
///
/// `radius`, that of the first zero in pixels, is the only shape parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct AiryPsf(Radial<Airy>);

/// An Airy disk integrated over the pixels, by n × n Gauss–Legendre nodes in
/// each.
///
/// With the default n = 9 the integral is good to 1e-13 of the peak for a
/// radius of 1 pixel, and to rounding for wider disks.
#[derive(Debug, Clone, PartialEq)]
pub struct AiryPrf(Radial<Airy>);

impl AiryPsf {
    /// The PSF of the given radius of the first zero, pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `radius` is positive and finite.
    pub fn new(radius: f64) -> Result<Self, Error> {
        Radial::new([radius, 0.0], 1).map(Self)
    }
}

impl AiryPrf {
    /// The PRF of the given radius of the first zero, pixels, with 9 nodes
    /// along each axis.
    ///
    /// # Errors
    /// As [`AiryPsf::new`].
    pub fn new(radius: f64) -> Result<Self, Error> {
        Radial::new([radius, 0.0], DEFAULT_NODES).map(Self)
    }

    /// With another number of nodes along each axis.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `n_nodes` is from 1 to 200.
    pub fn with_nodes(self, n_nodes: usize) -> Result<Self, Error> {
        self.0.with_nodes(n_nodes).map(Self)
    }
}

delegate_psf!(AiryPsf);
delegate_psf!(AiryPrf);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Airy {
    radius: f64,
    /// (z/r)².
    scale2: f64,
    amplitude: f64,
}

impl Profile for Airy {
    const NAMES: &'static [&'static str] = &["radius"];

    fn new([radius, _]: [f64; MAX_SHAPE]) -> Self {
        let radius = positive(radius);
        let scale = PI * FIRST_ZERO / radius;
        Self {
            radius,
            scale2: scale * scale,
            amplitude: scale * scale / (4.0 * PI),
        }
    }

    fn check(_index: usize, value: f64) -> Result<(), Error> {
        Error::check_positive("radius", value)
    }

    fn limit_step(_index: usize, value: f64, step: f64) -> f64 {
        limit_width_step(value, step)
    }

    fn fwhm(&self) -> f64 {
        FWHM_PER_RADIUS * self.radius
    }

    fn value(&self, r2: f64) -> f64 {
        let jinc = jinc(r2 * self.scale2);
        self.amplitude * (jinc * jinc)
    }

    fn derivatives(&self, r2: f64) -> Derivatives {
        let z2 = r2 * self.scale2;
        if z2 == f64::INFINITY {
            return Derivatives::default();
        }
        let (jinc, slope) = jinc_with_slope(z2);
        let value = self.amplitude * (jinc * jinc);
        let by_z2 = 2.0 * self.amplitude * jinc * slope;
        Derivatives {
            value,
            by_r2: by_z2 * self.scale2,
            by_shape: [-2.0 * (value + z2 * by_z2) / self.radius, 0.0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_where_they_should_be() {
        assert!(jinc((PI * FIRST_ZERO).powi(2)).abs() < 1e-15);
        let half = jinc((0.5 * FWHM_PER_RADIUS * PI * FIRST_ZERO).powi(2)).powi(2);
        assert!((half - 0.5).abs() < 1e-14, "{half}");
    }
}
