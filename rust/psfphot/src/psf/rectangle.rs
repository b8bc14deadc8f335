//! Integrals of a rotated Gaussian over pixels.
//!
//! With the marginal σ of x and y and their correlation ρ, the integral over
//! the rectangle between h₁ and h₂ (x in units of its σ), k₁ and k₂ is the
//! tetrachoric series (Kendall 1941, Biometrika 32, 196)
//!
//! ```text
//! P = X₀ Y₀ + Σ_{n≥1} ρⁿ/n · Xₙ Yₙ,   Xₙ = ψₙ₋₁(h₂) − ψₙ₋₁(h₁)
//! ```
//!
//! with X₀ the probability that h is in its interval, ψₙ = Heₙ φ/√n! and φ
//! the normal density. Each term is a product of a function of the column and
//! one of the row, so that a block of pixels costs a multiplication and an
//! addition per pixel and term. Where the ellipse is so long and oblique that
//! the series takes too long, the integral over x of what lies between the
//! pixel's lower and upper edge is done by Gauss–Legendre panels.
//!
//! The derivatives are differences of functions of the pixel's corners.

use crate::image::PixelBox;

use super::ellipse::{ByCovariance, Ellipse};
use super::strip::{REACH, density, normal_between};
use super::{Placement, offset};

/// Pixels along the sides of a block: small enough for the stack, large enough
/// that the recurrences of its edges cost less than its pixels.
pub(super) const BLOCK: usize = 8;

/// Largest |ρ| for the series, of then 350 terms, 6 microseconds for a block.
const LARGEST_SERIES_RHO: f64 = 0.9;

/// Terms smaller than this are left out, relative to the first of them.
const SMALLEST_TERM: f64 = 1e-15;

/// An edge this many σ away is at infinity.
const FAR_EDGE: f64 = 100.0;

/// A rotated Gaussian by its covariance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rotated {
    /// Marginal σ of x and y.
    sigma: (f64, f64),
    /// σ of y at a given x, and of x at a given y.
    conditional: (f64, f64),
    /// Mean of y per x, and of x per y.
    slope: (f64, f64),
    rho: f64,
}

impl Rotated {
    pub(super) fn new(ellipse: &Ellipse) -> Self {
        let (x, y) = ellipse.marginal_sigmas();
        let covariance = ellipse.covariance();
        // The root of the determinant, without cancellation.
        let area = ellipse.sigma_x * ellipse.sigma_y;
        Self {
            sigma: (x, y),
            conditional: (area / x, area / y),
            slope: (covariance / x / x, covariance / y / y),
            rho: covariance / x / y,
        }
    }

    /// The same with x and y exchanged.
    fn transposed(&self) -> Self {
        let swap = |(a, b): (f64, f64)| (b, a);
        Self {
            sigma: swap(self.sigma),
            conditional: swap(self.conditional),
            slope: swap(self.slope),
            rho: self.rho,
        }
    }
}

/// Up to 8 x 8 pixels, by their edges relative to the source.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) nx: usize,
    pub(super) ny: usize,
    /// The pixels' centres.
    x: [f64; BLOCK],
    y: [f64; BLOCK],
}

/// One number for each pixel, row by row.
type Values = [[f64; BLOCK]; BLOCK];

impl Block {
    /// The pixels of a box no larger than a block.
    pub(super) fn new(at: Placement<'_>, pixels: PixelBox) -> Self {
        let centers =
            |start: i64, at: f64| std::array::from_fn(|k| offset((start + k as i64) as f64, at));
        Self {
            nx: pixels.width(),
            ny: pixels.height(),
            x: centers(pixels.x0, at.x),
            y: centers(pixels.y0, at.y),
        }
    }

    /// The pixel around any point.
    pub(super) fn of_one(dx: f64, dy: f64) -> Self {
        let (mut x, mut y) = ([0.0; BLOCK], [0.0; BLOCK]);
        (x[0], y[0]) = (dx, dy);
        Self { nx: 1, ny: 1, x, y }
    }

    /// The integrals over the pixels.
    pub(super) fn values(&self, gaussian: &Rotated) -> Values {
        let mut values = Values::default();
        if gaussian.rho.abs() > LARGEST_SERIES_RHO {
            self.add_panels(gaussian, &mut values);
        } else {
            self.add_series(gaussian, &mut values);
        }
        // What far pixels have is less than the rounding of terms of both signs.
        for value in values.iter_mut().flatten() {
            // What is no number stays.
            if *value < 0.0 {
                *value = 0.0;
            }
        }
        values
    }

    fn add_panels(&self, gaussian: &Rotated, values: &mut Values) {
        for (row, &y) in values.iter_mut().zip(&self.y[..self.ny]) {
            for (value, &x) in row.iter_mut().zip(&self.x[..self.nx]) {
                *value = by_panels(gaussian, x, y);
            }
        }
    }

    fn add_series(&self, gaussian: &Rotated, values: &mut Values) {
        let mut along_x = Hermite::new(&self.x, gaussian.sigma.0);
        let mut along_y = Hermite::new(&self.y, gaussian.sigma.1);
        add_product(values, &along_x.probabilities, &along_y.probabilities, 1.0);
        let mut power = gaussian.rho;
        let mut n = 1;
        // The terms fall at least as ρⁿ.
        while power.abs() > SMALLEST_TERM * (1.0 - gaussian.rho.abs()) {
            let factor = power / f64::from(n);
            add_product(
                values,
                &along_x.differences(),
                &along_y.differences(),
                factor,
            );
            along_x.advance(n);
            along_y.advance(n);
            power *= gaussian.rho;
            n += 1;
        }
    }

    /// What the derivatives are made of.
    pub(super) fn corners(&self, gaussian: &Rotated) -> Corners {
        Corners {
            along_y: lines(gaussian, &self.x, &self.y, (self.nx, self.ny)),
            along_x: lines(&gaussian.transposed(), &self.y, &self.x, (self.ny, self.nx)),
            sigma: gaussian.sigma,
            slope: gaussian.slope,
        }
    }
}

/// `values[j][i] += factor · y[j] · x[i]`.
fn add_product(values: &mut Values, x: &[f64; BLOCK], y: &[f64; BLOCK], factor: f64) {
    for (row, y) in values.iter_mut().zip(y) {
        let weight = factor * y;
        for (value, x) in row.iter_mut().zip(x) {
            *value += weight * x;
        }
    }
}

/// ψₙ₋₁ at the edges of pixels, for one n after another.
struct Hermite {
    /// The probability of each pixel.
    probabilities: [f64; BLOCK],
    /// The lower and upper edges in units of σ.
    edges: [[f64; BLOCK]; 2],
    current: [[f64; BLOCK]; 2],
    before: [[f64; BLOCK]; 2],
}

impl Hermite {
    fn new(centers: &[f64; BLOCK], sigma: f64) -> Self {
        let edge = |c: &f64, half: f64| ((c + half) / sigma).clamp(-FAR_EDGE, FAR_EDGE);
        let edges = [-0.5, 0.5].map(|half| std::array::from_fn(|k| edge(&centers[k], half)));
        Self {
            probabilities: std::array::from_fn(|k| normal_between(edges[0][k], edges[1][k])),
            edges,
            current: edges.map(|edges| edges.map(density)),
            before: [[0.0; BLOCK]; 2],
        }
    }

    fn differences(&self) -> [f64; BLOCK] {
        std::array::from_fn(|k| self.current[1][k] - self.current[0][k])
    }

    /// From ψₙ₋₁ to ψₙ.
    fn advance(&mut self, n: u32) {
        let (by, from) = (1.0 / f64::from(n).sqrt(), f64::from(n - 1).sqrt());
        for side in 0..2 {
            for k in 0..BLOCK {
                let (current, before) = (self.current[side][k], self.before[side][k]);
                self.current[side][k] = by * (self.edges[side][k] * current - from * before);
                self.before[side][k] = current;
            }
        }
    }
}

/// Nodes and weights of a panel, for (−½, ½): of 10 points, which integrate a
/// Gaussian of σ 0.5 to 1e-16.
const PANEL: [(f64, f64); 5] = [
    (0.074_437_169_490_815_61, 0.147_762_112_357_376_4),
    (0.216_697_697_064_623_6, 0.134_633_359_654_998_18),
    (0.339_704_784_149_512_2, 0.109_543_181_257_991),
    (0.432_531_683_344_492_27, 0.074_725_674_575_290_3),
    (0.486_953_264_258_585_86, 0.033_335_672_154_344_07),
];

/// The integral over the pixel at (x, y), for any correlation but 0.
fn by_panels(gaussian: &Rotated, x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    if gaussian.sigma.0 < gaussian.sigma.1 {
        return by_panels(&gaussian.transposed(), y, x);
    }
    let (sigma, conditional, slope) = (gaussian.sigma.0, gaussian.conditional.0, gaussian.slope.0);
    let (low, high) = (y - 0.5, y + 0.5);
    let integrand = |x: f64| {
        let mean = slope * x;
        let between = normal_between((low - mean) / conditional, (high - mean) / conditional);
        between * density(x / sigma) / sigma
    };
    let steep = sigma.min(conditional / slope.abs());
    let mut sum = 0.0;
    for (start, end) in pieces(gaussian, x, (low, high)) {
        let middle = slope * 0.5 * (start + end);
        let near = |edge: f64| (edge - middle).abs() < REACH * conditional;
        let scale = if near(low) || near(high) {
            steep
        } else {
            sigma
        };
        sum += panels((start, end), 2.0 * scale, integrand);
    }
    sum
}

/// The parts of the pixel's extent in x where the ridge y = slope · x, with its
/// width, covers the pixel's lower or upper edge, and those where it does not.
fn pieces(
    gaussian: &Rotated,
    x: f64,
    (low, high): (f64, f64),
) -> impl Iterator<Item = (f64, f64)> + use<> {
    let (reach, end) = (REACH * gaussian.conditional.0, REACH * gaussian.sigma.0);
    let (first, last) = ((x - 0.5).max(-end), (x + 0.5).min(end));
    let crossings = [low - reach, low + reach, high - reach, high + reach];
    let [a, b, c, d] = crossings.map(|y| y / gaussian.slope.0);
    // Empty where all of it is beyond the reach.
    let mut cuts = [x - 0.5, a, b, c, d, x + 0.5].map(|cut| cut.max(first).min(last));
    cuts.sort_by(f64::total_cmp);
    let pairs = (1..cuts.len()).map(move |k| (cuts[k - 1], cuts[k]));
    pairs.filter(|(start, end)| start < end)
}

/// The integral of `f` over an interval, in panels no wider than `width`.
fn panels((low, high): (f64, f64), width: f64, f: impl Fn(f64) -> f64) -> f64 {
    let n = ((high - low) / width).ceil().max(1.0);
    let step = (high - low) / n;
    let mut sum = 0.0;
    for panel in 0..n as usize {
        let middle = low + (panel as f64 + 0.5) * step;
        for (node, weight) in PANEL {
            sum += weight * (f(middle + node * step) + f(middle - node * step));
        }
    }
    sum * step
}

/// Functions of the lines x = edge of a block's pixels, [edge in x][edge in y].
struct Lines {
    /// The integral along the line, up to the edge in y, of the density.
    integral: [[f64; BLOCK + 1]; BLOCK + 1],
    /// The density at the corner.
    density: [[f64; BLOCK + 1]; BLOCK + 1],
}

/// Of the first `nx` x `ny` pixels.
fn lines(
    gaussian: &Rotated,
    x: &[f64; BLOCK],
    y: &[f64; BLOCK],
    (nx, ny): (usize, usize),
) -> Lines {
    let (sigma, conditional, slope) = (gaussian.sigma.0, gaussian.conditional.0, gaussian.slope.0);
    let edge = |centers: &[f64; BLOCK], k: usize| match k {
        0 => centers[0] - 0.5,
        _ => centers[k - 1] + 0.5,
    };
    let mut lines = Lines {
        integral: [[0.0; BLOCK + 1]; BLOCK + 1],
        density: [[0.0; BLOCK + 1]; BLOCK + 1],
    };
    for i in 0..=nx {
        let x = edge(x, i);
        let at_x = density(x / sigma) / sigma;
        for j in 0..=ny {
            let t = (edge(y, j) - slope * x) / conditional;
            lines.density[i][j] = at_x * density(t) / conditional;
            lines.integral[i][j] = at_x * normal_between(0.0, t);
        }
    }
    lines
}

/// What the derivatives of a block's pixels are made of.
pub(super) struct Corners {
    along_y: Lines,
    /// With x and y exchanged.
    along_x: Lines,
    sigma: (f64, f64),
    slope: (f64, f64),
}

impl Corners {
    /// The derivatives of one pixel by the source's x and y, and by the
    /// elements of the covariance, which are ½ ∂²/∂x², ½ ∂²/∂y² and ∂²/∂x∂y
    /// by the pixel's position.
    pub(super) fn derivatives(
        &self,
        block: &Block,
        j: usize,
        i: usize,
    ) -> ([f64; 2], ByCovariance) {
        let (by_x, by_xx) = across(&self.along_y, i, j, block.x[i], self.sigma.0, self.slope.0);
        let (by_y, by_yy) = across(&self.along_x, j, i, block.y[j], self.sigma.1, self.slope.1);
        let corner = &self.along_y.density;
        let by_covariance = ByCovariance {
            xx: 0.5 * by_xx,
            yy: 0.5 * by_yy,
            xy: corner[i + 1][j + 1] - corner[i][j + 1] - corner[i + 1][j] + corner[i][j],
        };
        ([-by_x, -by_y], by_covariance)
    }
}

/// The first and second derivative of a pixel by its own x, between the lines
/// of its edges.
fn across(lines: &Lines, i: usize, j: usize, x: f64, sigma: f64, slope: f64) -> (f64, f64) {
    let line = |i: usize, x: f64| {
        let integral = lines.integral[i][j + 1] - lines.integral[i][j];
        let ends = lines.density[i][j + 1] - lines.density[i][j];
        // An edge at infinity has nothing, and 0 · ∞ is not 0.
        let falling = if integral == 0.0 {
            0.0
        } else {
            integral * (x / sigma) / sigma
        };
        (integral, -falling - slope * ends)
    };
    let (low, high) = (line(i, x - 0.5), line(i + 1, x + 0.5));
    (high.0 - low.0, high.1 - low.1)
}
