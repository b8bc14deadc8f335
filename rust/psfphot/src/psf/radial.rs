//! PSFs that are functions of the distance from the centre.

use crate::Error;
use crate::image::PixelBox;

use super::quadrature::gauss_legendre;
use super::{Placement, Psf, offset};

/// Nodes per axis of the PRFs' pixel integrals, as photutils has it.
pub(super) const DEFAULT_NODES: usize = 9;

/// Half the size of the support, in FWHM: that of photutils' bounding box.
/// What is cut off of a Moffat of β = 2.5 is 5e-6 of its peak at the edge.
const REACH: f64 = 10.0;

/// From so many nodes on none are left out: what needs them is narrow.
const MOST_REDUCED: usize = 16;

/// Most shape parameters of a profile.
pub(super) const MAX_SHAPE: usize = 2;

/// A circular surface brightness of unit integral, for one shape.
pub(super) trait Profile: Copy + Send + Sync + std::fmt::Debug {
    /// The shape parameters; the first is the scale of r.
    const NAMES: &'static [&'static str];

    /// The profile of shape parameters as many as there are names. Its values
    /// are NaN where they make no PSF.
    fn new(shape: [f64; MAX_SHAPE]) -> Self;

    /// Refuses one shape parameter, by its index, that makes no PSF.
    fn check(index: usize, value: f64) -> Result<(), Error>;

    /// See [`Psf::limit_shape_step`].
    fn limit_step(index: usize, value: f64, step: f64) -> f64;

    fn fwhm(&self) -> f64;

    /// How many nodes along each axis of a pixel at this distance from the
    /// centre give its integral to rounding.
    fn nodes_enough(&self, _distance: f64) -> f64 {
        f64::INFINITY
    }

    /// At the distance √r², pixels.
    fn value(&self, r2: f64) -> f64;

    /// The value and its derivatives.
    fn derivatives(&self, r2: f64) -> Derivatives;
}

/// A profile's value at one distance, with its derivatives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Derivatives {
    pub(super) value: f64,
    /// By r².
    pub(super) by_r2: f64,
    pub(super) by_shape: [f64; MAX_SHAPE],
}

/// What is seen of a profile on one pixel.
#[derive(Debug, Clone, Copy, Default)]
struct PixelSum {
    value: f64,
    by_x: f64,
    by_y: f64,
    by_shape: [f64; MAX_SHAPE],
}

impl PixelSum {
    /// Adds `weight` times the profile at (dx, dy) from its centre.
    fn add(&mut self, weight: f64, (dx, dy): (f64, f64), at: Derivatives) {
        let slope = 2.0 * weight * at.by_r2;
        self.value += weight * at.value;
        self.by_x -= slope * dx;
        self.by_y -= slope * dy;
        for (sum, derivative) in self.by_shape.iter_mut().zip(at.by_shape) {
            *sum += weight * derivative;
        }
    }
}

/// A profile at the pixel centres, or averaged over nodes in each pixel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Radial<P> {
    shape: [f64; MAX_SHAPE],
    /// Nodes (pixels from the pixel's centre) and weights along an axis, from
    /// the centre alone, one node of weight 1, to as many as are asked for.
    rules: Vec<Vec<(f64, f64)>>,
    profile: std::marker::PhantomData<P>,
}

impl<P: Profile> Radial<P> {
    /// With `n_nodes` Gauss–Legendre nodes along each axis of a pixel.
    pub(super) fn new(shape: [f64; MAX_SHAPE], n_nodes: usize) -> Result<Self, Error> {
        let fewer = 1..n_nodes.min(MOST_REDUCED);
        let rules = fewer.chain([n_nodes]).map(gauss_legendre);
        let radial = Self {
            shape,
            rules: rules.collect::<Result<_, _>>()?,
            profile: std::marker::PhantomData,
        };
        radial.check_shape(radial.shape())?;
        Ok(radial)
    }

    /// With another number of nodes.
    pub(super) fn with_nodes(self, n_nodes: usize) -> Result<Self, Error> {
        Self::new(self.shape, n_nodes)
    }

    fn profile(&self, at: Placement<'_>) -> P {
        let mut shape = self.shape;
        for (own, given) in shape.iter_mut().zip(at.shape) {
            *own = *given;
        }
        P::new(shape)
    }

    /// The nodes for a pixel whose centre is at (dx, dy) from the source: fewer
    /// than are asked for where more would change nothing.
    fn nodes(&self, profile: P, dx: f64, dy: f64) -> &[(f64, f64)] {
        let most = self.rules.len() - 1;
        if most == 0 {
            return &self.rules[0];
        }
        let enough = profile.nodes_enough((dx * dx + dy * dy).sqrt());
        &self.rules[most.min((enough.ceil() as usize).saturating_sub(1))]
    }

    /// The value of a pixel whose centre is at (dx, dy) from the source.
    fn pixel(&self, profile: P, dx: f64, dy: f64) -> f64 {
        let nodes = self.nodes(profile, dx, dy);
        let mut sum = 0.0;
        for &(node_y, weight_y) in nodes {
            let y = dy + node_y;
            let mut row = 0.0;
            for &(node_x, weight_x) in nodes {
                let x = dx + node_x;
                row += weight_x * profile.value(x * x + y * y);
            }
            sum += weight_y * row;
        }
        sum
    }

    /// As [`Radial::pixel`], with derivatives.
    fn pixel_with_gradient(&self, profile: P, dx: f64, dy: f64) -> PixelSum {
        let nodes = self.nodes(profile, dx, dy);
        let mut sum = PixelSum::default();
        for &(node_y, weight_y) in nodes {
            let y = dy + node_y;
            for &(node_x, weight_x) in nodes {
                let x = dx + node_x;
                let at = profile.derivatives(x * x + y * y);
                sum.add(weight_x * weight_y, (x, y), at);
            }
        }
        sum
    }
}

impl<P: Profile> Psf for Radial<P> {
    fn shape_names(&self) -> &'static [&'static str] {
        P::NAMES
    }

    fn shape(&self) -> &[f64] {
        &self.shape[..P::NAMES.len()]
    }

    fn check_shape(&self, shape: &[f64]) -> Result<(), Error> {
        (0..)
            .zip(shape)
            .try_for_each(|(index, &value)| P::check(index, value))
    }

    fn limit_shape_step(&self, index: usize, value: f64, step: f64) -> f64 {
        P::limit_step(index, value, step)
    }

    /// Power-law wings do not end; see [`REACH`].
    fn support(&self, at: Placement<'_>) -> PixelBox {
        let reach = REACH * self.profile(at).fwhm() + 1.0;
        PixelBox::spanning((at.x - reach, at.x + reach), (at.y - reach, at.y + reach))
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        self.pixel(self.profile(at), offset(px, at.x), offset(py, at.y))
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let (dx, dy) = (offset(px, at.x), offset(py, at.y));
        let sum = self.pixel_with_gradient(self.profile(at), dx, dy);
        (gradient[0], gradient[1]) = (sum.by_x, sum.by_y);
        gradient[2..2 + P::NAMES.len()].copy_from_slice(&sum.by_shape[..P::NAMES.len()]);
        sum.value
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        let profile = self.profile(at);
        for (value, (x, y)) in values.iter_mut().zip(window.pixels()) {
            *value = self.pixel(profile, offset(x as f64, at.x), offset(y as f64, at.y));
        }
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        let (profile, n) = (self.profile(at), window.len());
        for (k, (x, y)) in window.pixels().enumerate() {
            let (dx, dy) = (offset(x as f64, at.x), offset(y as f64, at.y));
            let sum = self.pixel_with_gradient(profile, dx, dy);
            values[k] = sum.value;
            gradient[k] = sum.by_x;
            gradient[n + k] = sum.by_y;
            let by_shape = sum.by_shape.iter().take(P::NAMES.len());
            for (plane, derivative) in by_shape.enumerate() {
                gradient[(2 + plane) * n + k] = *derivative;
            }
        }
    }
}
