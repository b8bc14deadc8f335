//! Moffat PSFs.

use std::f64::consts::PI;

use crate::Error;

use super::gaussian::limit_width_step;
use super::radial::{DEFAULT_NODES, Derivatives, MAX_SHAPE, Profile, Radial};
use super::{delegate_psf, positive};

/// A Moffat function (Moffat 1969, A&A 3, 455) at the pixel centres.
///
/// ```text
/// P = (β − 1)/(π α²) · (1 + r²/α²)^(−β)
/// ```
///
/// with the shape parameters `alpha`, pixels, and `beta` > 1.
#[derive(Debug, Clone, PartialEq)]
pub struct MoffatPsf(Radial<Moffat>);

/// A Moffat function integrated over the pixels, by n × n Gauss–Legendre nodes
/// in each.
///
/// With the default n = 9 the integral is good to 7e-9 of the peak for α = 1
/// pixel and 1e-13 for 2 pixels (β up to 5).
#[derive(Debug, Clone, PartialEq)]
pub struct MoffatPrf(Radial<Moffat>);

impl MoffatPsf {
    /// The PSF of the given shape.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `alpha` is positive, `beta` greater
    /// than 1, and both finite.
    pub fn new(alpha: f64, beta: f64) -> Result<Self, Error> {
        Radial::new([alpha, beta], 1).map(Self)
    }
}

impl MoffatPrf {
    /// The PRF of the given shape, with 9 nodes along each axis.
    ///
    /// # Errors
    /// As [`MoffatPsf::new`].
    pub fn new(alpha: f64, beta: f64) -> Result<Self, Error> {
        Radial::new([alpha, beta], DEFAULT_NODES).map(Self)
    }

    /// With another number of nodes along each axis.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `n_nodes` is from 1 to 200.
    pub fn with_nodes(self, n_nodes: usize) -> Result<Self, Error> {
        self.0.with_nodes(n_nodes).map(Self)
    }
}

delegate_psf!(MoffatPsf);
delegate_psf!(MoffatPrf);

/// A fit gets no closer to β = 1 than about this.
const LEAST_STEP_TO_ONE: f64 = 1e-9;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Moffat {
    alpha: f64,
    beta: f64,
    per_alpha2: f64,
    amplitude: f64,
}

impl Profile for Moffat {
    const NAMES: &'static [&'static str] = &["alpha", "beta"];

    fn new([alpha, beta]: [f64; MAX_SHAPE]) -> Self {
        let alpha = positive(alpha);
        let per_alpha2 = 1.0 / (alpha * alpha);
        Self {
            alpha,
            beta,
            per_alpha2,
            amplitude: positive(beta - 1.0) * per_alpha2 / PI,
        }
    }

    fn check(index: usize, value: f64) -> Result<(), Error> {
        if index == 0 {
            return Error::check_positive("alpha", value);
        }
        if value > 1.0 && value.is_finite() {
            return Ok(());
        }
        Err(Error::invalid(
            "beta",
            "be greater than 1 and finite",
            value,
        ))
    }

    fn limit_step(index: usize, value: f64, step: f64) -> f64 {
        if index == 0 {
            return limit_width_step(value, step);
        }
        // β − 1 as a width: at β = 1 the flux would be infinite. So close to it
        // halves would be lost in rounding.
        let down = 0.5 * (value - 1.0).abs();
        let down = if down > LEAST_STEP_TO_ONE { down } else { 0.0 };
        step.clamp(-down, value.abs())
    }

    fn fwhm(&self) -> f64 {
        // 2^(1/β) − 1 without cancellation for a large β.
        2.0 * self.alpha * (std::f64::consts::LN_2 / self.beta).exp_m1().sqrt()
    }

    /// The integrand is singular α off the real axis, D from the centre of a
    /// row of nodes: n of them leave an error of ϱ^(−2n) with ϱ = 2D + √(4D² − 1)
    /// (Trefethen 2013, Approximation Theory and Approximation Practice, §19),
    /// times 10^(0.66 β) as measured (α from 0.5 to 3, β from 1.5 to 5), and
    /// times (D/α)^(−2β) as the profile falls. It is to be 1e-15.5 of the peak.
    fn nodes_enough(&self, distance: f64) -> f64 {
        let nearest = (distance - std::f64::consts::FRAC_1_SQRT_2).max(0.0);
        let singular2 = nearest * nearest + self.alpha * self.alpha;
        if singular2 <= 0.25 {
            return f64::INFINITY;
        }
        let rho = 2.0 * singular2.sqrt() + (4.0 * singular2 - 1.0).sqrt();
        let fall = self.beta * (singular2 * self.per_alpha2).ln();
        ((35.7 + 1.61 * self.beta - fall) / (2.0 * rho.ln())).max(1.0)
    }

    fn value(&self, r2: f64) -> f64 {
        // The rounding of 1 + u is no more than that of the value, and with
        // ln_1p a pixel takes a third longer.
        self.amplitude * (-self.beta * (1.0 + r2 * self.per_alpha2).ln()).exp()
    }

    fn derivatives(&self, r2: f64) -> Derivatives {
        let u = r2 * self.per_alpha2;
        let log = (1.0 + u).ln();
        let power = (-self.beta * log).exp();
        let value = self.amplitude * power;
        if value == 0.0 {
            // u may be infinite.
            return Derivatives::default();
        }
        let slope = -self.beta * value / (1.0 + u);
        Derivatives {
            value,
            by_r2: slope * self.per_alpha2,
            by_shape: [
                -2.0 * (value + u * slope) / self.alpha,
                // Without a division by β − 1, which may be tiny.
                power * self.per_alpha2 / PI - value * log,
            ],
        }
    }
}
