//! What is known of a PSF before the stars: that it is smooth, what its pixels
//! make of it; and the gauge, what no step may change.

use super::alias::{Alias, Functional, functionals};
use super::banded::dot;
use super::basis::Basis;
use super::neighbours::{Neighbours, smoothness};
use super::profile::Profile;

/// The prior and the gauge of every term.
#[derive(Debug, Clone)]
pub(crate) struct Prior {
    /// The penalty on roughness.
    pub(crate) smooth: Neighbours,
    pub(crate) alias: Vec<Functional>,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) gauge: Vec<Functional>,
}

/// What a PSF is smooth against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Smoothness {
    /// FWHM of the PSF, pixels.
    pub(crate) fwhm: f64,
    /// How much roughness is allowed; 1 as a rule.
    pub(crate) kappa: f64,
    /// Whether it is the deviation from a known PSF that is smooth.
    pub(crate) is_deviation: bool,
}

/// The PSF is at least this part of its peak everywhere, as far as its roughness
/// is concerned.
const FLOOR: f64 = 3e-5;

/// A deviation from a known PSF has a roughness as if it were this part of it.
/// A third of it is too stiff for 50 stars; three times is noisier with 50 and
/// the same with 400.
const DEVIATION: f64 = 0.1;

/// The PSF itself is no more than so many times what it is: without stars, as at
/// the edge of a frame, smoothness alone does not determine it.
const WIDE: f64 = 100.0;

impl Smoothness {
    /// The penalty for a PSF of the rms `size` at each distance.
    pub(crate) fn penalty(&self, basis: &Basis, size: &Profile) -> Neighbours {
        let sigma = self.fwhm * crate::psf::SIGMA_PER_FWHM * basis.knots as f64;
        let peak = size.at(0.0);
        let envelope = basis.at_knots(|x, y| size.at(x.hypot(y)).max(FLOOR * peak));
        let scaled = |factor: f64| -> Vec<f64> { envelope.iter().map(|e| factor * e).collect() };
        // The third difference of a Gaussian of the width σ reaches 1.4 / σ³ of its
        // peak.
        if self.is_deviation {
            let part = DEVIATION * self.kappa;
            let ridge = scaled(3.0 * part);
            smoothness(basis, &scaled(part * (2.0 / sigma).powi(3)), Some(&ridge))
        } else {
            let deviation = scaled(self.kappa * 1.4 / sigma.powi(3));
            smoothness(basis, &deviation, Some(&scaled(WIDE)))
        }
    }
}

impl Prior {
    /// For a PSF with `psf(x, y)`, the value and slopes at offsets from the star.
    pub(crate) fn new(
        basis: &Basis,
        alias_deviations: [f64; 3],
        smoothness: Smoothness,
        psf: impl Fn(f64, f64) -> (f64, f64, f64),
    ) -> Self {
        let values: Vec<_> = (0..basis.n_coefficients())
            .map(|k| {
                let (x, y) = basis.offset(k);
                psf(x, y)
            })
            .collect();
        let size = Profile::rms(
            values
                .iter()
                .enumerate()
                .map(|(k, v)| (basis.offset(k), v.0)),
        );
        let (aliases, alias) = functionals(basis, alias_deviations).into_iter().unzip();
        Self {
            smooth: smoothness.penalty(basis, &size),
            alias,
            aliases,
            gauge: gauge(basis, &values),
        }
    }
}

/// Flux and shift of a PSF with these values and slopes at the knots: each is 1
/// where the PSF is scaled by 1, or shifted by one pixel. The flux is the integral,
/// so that a PSF that varies has the same everywhere.
fn gauge(basis: &Basis, values: &[(f64, f64, f64)]) -> Vec<Functional> {
    /// So little of it may be in a step.
    const DEVIATION: f64 = 1e-5;
    let by_x: Vec<f64> = values.iter().map(|v| v.1).collect();
    let by_y: Vec<f64> = values.iter().map(|v| v.2).collect();
    let psf: Vec<f64> = values.iter().map(|v| v.0).collect();
    let pairs = [
        (integral(basis), psf),
        (by_x.clone(), by_x),
        (by_y.clone(), by_y),
    ];
    pairs
        .into_iter()
        .filter_map(|(mut vector, change)| {
            let unit = dot(&vector, &change);
            for v in &mut vector {
                *v /= unit;
            }
            let deviation = DEVIATION;
            (unit > 0.0).then_some(Functional { vector, deviation })
        })
        .collect()
}

/// The parts of the B-splines' integrals that are on the samples.
fn integral(basis: &Basis) -> Vec<f64> {
    let part = |i: usize, n: usize| match i.min(n - 1 - i) {
        0 => 1.0 / 24.0,
        1 => 0.5,
        2 => 23.0 / 24.0,
        _ => 1.0,
    };
    let (ny, nx) = basis.shape;
    (0..ny * nx)
        .map(|k| part(k / nx, ny) * part(k % nx, nx))
        .collect()
}
