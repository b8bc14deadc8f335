//! A grid of effective PSFs that varies over the detector.

use crate::image::{Image, Pixel, PixelBox};
use crate::{Error, Run};

use super::sampled::{Sampling, check_finite};
use super::spline::SplineImage;
use super::stencil::{Blend, Geometry};
use super::{Frozen, Placement, Psf, Whole};

/// PSFs at the nodes of a rectangular grid of detector positions.
///
/// Between the nodes the four spline images around the source's position are
/// blended bilinearly, and the derivatives by the position include those of
/// the blend. Outside the grid the position is clamped to it.
///
/// A node whose samples are all zero, as those of a detector's corner that no
/// light reaches, has no PSF: it takes no part in the blend, and the weights of
/// the others of the four sum to 1. Between four such nodes the PSF is zero.
#[derive(Debug, Clone, PartialEq)]
pub struct GriddedPsf {
    splines: Vec<SplineImage>,
    /// Whether each PSF is one: not all its samples are zero.
    exposed: Vec<bool>,
    xs: Vec<f64>,
    ys: Vec<f64>,
    geometry: Geometry,
    whole: Option<Whole>,
}

/// Next to nodes without a PSF a position keeps this distance from the nodes,
/// in gaps: on them nothing would have a weight.
const OFF_NODES: f64 = 1e-9;

/// Where a position lies between the nodes of one direction.
#[derive(Debug, Clone, Copy)]
struct Between {
    lower: usize,
    upper: usize,
    /// 0 at the lower node, 1 at the upper.
    fraction: f64,
    /// Its derivative by the position.
    slope: f64,
}

impl Between {
    fn new(nodes: &[f64], position: f64) -> Self {
        let last = nodes.len() - 1;
        let upper = nodes
            .partition_point(|&node| node <= position)
            .clamp(1.min(last), last);
        let lower = upper.saturating_sub(1);
        let gap = nodes[upper] - nodes[lower];
        let fraction = (position - nodes[lower]) / gap;
        // A single node has no gap: the fraction is NaN, and constant.
        let inside = (0.0..=1.0).contains(&fraction);
        Self {
            lower,
            upper,
            fraction: if fraction > 0.0 {
                fraction.min(1.0)
            } else {
                0.0
            },
            slope: if inside { 1.0 / gap } else { 0.0 },
        }
    }

    /// The same position, or on a node one close to it.
    fn off_nodes(self) -> Self {
        let fraction = self.fraction.clamp(OFF_NODES, 1.0 - OFF_NODES);
        Self { fraction, ..self }
    }
}

impl GriddedPsf {
    /// The PSFs `planes`, one image after another, each of `shape = (ny, nx)`,
    /// at `positions = (x, y)` on the detector, in any order; the splines are
    /// prepared in parallel as `run` says.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] or [`Error::ShapeMismatch`] naming `data`,
    /// `oversampling`, `origin` or `positions`; [`Error::Cancelled`].
    pub fn new<T: Pixel>(
        planes: &[T],
        shape: (usize, usize),
        positions: &[(f64, f64)],
        sampling: Sampling,
        run: Run<'_>,
    ) -> Result<Self, Error> {
        let geometry = sampling.geometry(shape)?;
        let size = shape.0.saturating_mul(shape.1);
        Error::check_len("data", positions.len().saturating_mul(size), planes.len())?;
        check_finite(planes)?;
        let (xs, ys) = nodes(positions)?;
        let mut order: Vec<usize> = (0..positions.len()).collect();
        order.sort_by(|&a, &b| {
            let key = |i: usize| (positions[i].1, positions[i].0);
            key(a)
                .partial_cmp(&key(b))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let plane = |i: usize| &planes[i * size..(i + 1) * size];
        let is_exposed = |&i: &usize| plane(i).iter().any(|&v| Into::<f64>::into(v) != 0.0);
        let exposed = order.iter().map(is_exposed).collect();
        let splines = run.map(
            order,
            || (),
            |(), i| Image::new(plane(i), shape).map(SplineImage::new),
        )?;
        Ok(Self {
            splines,
            exposed,
            xs,
            ys,
            geometry,
            whole: None,
        })
    }

    /// The same for an image that is a part of a larger one, as far as stars are looked
    /// for with one PSF for a block of the image: the blocks are those of the whole.
    #[must_use]
    pub fn with_whole(mut self, whole: Option<Whole>) -> Self {
        self.whole = whole;
        self
    }

    /// The blend of the four PSFs around a position.
    fn blend(&self, at: Placement<'_>) -> Blend<'_, 4> {
        let (x, y) = (Between::new(&self.xs, at.x), Between::new(&self.ys, at.y));
        let nodes = [
            (y.lower, x.lower),
            (y.lower, x.upper),
            (y.upper, x.lower),
            (y.upper, x.upper),
        ]
        .map(|(j, i)| j * self.xs.len() + i);
        let exposed = nodes.map(|node| self.exposed[node]);
        let blend = |weights: Bilinear| Blend {
            planes: nodes.map(|node| self.splines[node].coefficients()),
            stride: self.splines[0].stride(),
            weights: weights.weights,
            by_x: weights.by_x,
            by_y: weights.by_y,
        };
        if exposed == [true; 4] {
            return blend(Bilinear::new(x, y));
        }
        blend(Bilinear::new(x.off_nodes(), y.off_nodes()).of(exposed))
    }
}

/// The weights of the four nodes around a position, and their derivatives.
#[derive(Debug, Clone, Copy)]
struct Bilinear {
    weights: [f64; 4],
    by_x: [f64; 4],
    by_y: [f64; 4],
}

impl Bilinear {
    fn new(x: Between, y: Between) -> Self {
        let (s, t) = (x.fraction, y.fraction);
        Self {
            weights: [(1.0 - s) * (1.0 - t), s * (1.0 - t), (1.0 - s) * t, s * t],
            by_x: [t - 1.0, 1.0 - t, -t, t].map(|w| w * x.slope),
            by_y: [s - 1.0, -s, 1.0 - s, s].map(|w| w * y.slope),
        }
    }

    /// The weights of those nodes that are `exposed`, made to sum to 1.
    fn of(self, exposed: [bool; 4]) -> Self {
        let among =
            |values: [f64; 4]| std::array::from_fn(|k| if exposed[k] { values[k] } else { 0.0 });
        let weights: [f64; 4] = among(self.weights);
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            return self;
        }
        let weights = weights.map(|w| w / total);
        let slopes = |by: [f64; 4]| {
            let by: [f64; 4] = among(by);
            let change: f64 = by.iter().sum();
            std::array::from_fn(|k| (by[k] - weights[k] * change) / total)
        };
        Self {
            weights,
            by_x: slopes(self.by_x),
            by_y: slopes(self.by_y),
        }
    }
}

/// The distinct x and y of a complete rectangular grid.
fn nodes(positions: &[(f64, f64)]) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let invalid = |got: String| Error::invalid("positions", "form a rectangular grid", got);
    let distinct = |values: Vec<f64>| {
        let mut values = values;
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    };
    if positions.is_empty() {
        return Err(invalid("no position".into()));
    }
    if let Some(bad) = positions
        .iter()
        .find(|p| !(p.0.is_finite() && p.1.is_finite()))
    {
        return Err(invalid(format!("{bad:?}")));
    }
    let xs = distinct(positions.iter().map(|p| p.0).collect());
    let ys = distinct(positions.iter().map(|p| p.1).collect());
    let mut cells = vec![false; xs.len() * ys.len()];
    let index = |nodes: &[f64], v: f64| nodes.partition_point(|&node| node < v);
    for p in positions {
        cells[index(&ys, p.1) * xs.len() + index(&xs, p.0)] = true;
    }
    if cells.len() != positions.len() || cells.contains(&false) {
        return Err(invalid(format!(
            "{} positions with {} different x and {} different y",
            positions.len(),
            xs.len(),
            ys.len()
        )));
    }
    Ok((xs, ys))
}

impl Psf for GriddedPsf {
    fn freeze(&self, at: Placement<'_>, window: PixelBox, frozen: &mut Frozen) -> bool {
        let blend = self.blend(at);
        self.geometry.freeze(&blend, at, window, frozen)
    }

    fn whole(&self) -> Option<Whole> {
        self.whole
    }

    fn support(&self, at: Placement<'_>) -> PixelBox {
        self.geometry.support(at)
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        self.geometry.point(&self.blend(at), at, (px, py)).0
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let value;
        (value, gradient[0], gradient[1]) = self.geometry.point(&self.blend(at), at, (px, py));
        value
    }

    fn continued(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let value;
        (value, gradient[0], gradient[1]) = self.geometry.continued(&self.blend(at), at, (px, py));
        value
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        self.geometry.fill(&self.blend(at), at, window, values);
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        self.geometry
            .fill_with_gradient(&self.blend(at), at, window, values, gradient);
    }
}
