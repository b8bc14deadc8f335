//! The solver's approximate inverse: a banded Cholesky factor for what couples
//! neighbouring coefficients, and Woodbury's formula for the few functionals
//! that couple all.

use super::alias::Functional;
use super::banded::{Banded, LANES, Strip, add_scaled, dot};
use super::basis::Basis;
use super::neighbours::Neighbours;

/// The inverse of B + Σ a aᵀ / s² for a banded B and functionals a with the
/// standard deviation s.
///
/// Conjugate gradients take it in single precision: half of the memory that is read in
/// each step, and kept for each node of a grid. Rounded in whatever way it is an inverse
/// of a matrix that is positive definite; only variances need the factor itself.
#[derive(Debug, Clone)]
pub(crate) struct Preconditioner<T = f32> {
    factor: Banded<T>,
    n: usize,
    /// L⁻¹ a / s for each functional, one after another.
    low: Vec<f32>,
    /// Factor of 1 + `VᵀV`, for these as they are rounded.
    small: Banded,
}

impl Preconditioner<f64> {
    /// Of a matrix and functionals; `None` where the matrix is not positive
    /// definite.
    pub(crate) fn new<'a>(
        matrix: &Neighbours,
        functionals: impl Iterator<Item = &'a Functional>,
    ) -> Option<Self> {
        let mut factor = matrix.to_banded();
        if !factor.factor() {
            return None;
        }
        let n = matrix.n();
        let mut low = Vec::new();
        let mut lanes = Strip::new();
        let functionals: Vec<_> = functionals.collect();
        for some in functionals.chunks(LANES) {
            lanes.clear();
            lanes.resize(n, [0.0; LANES]);
            for (lane, functional) in some.iter().enumerate() {
                for (target, a) in lanes.iter_mut().zip(&functional.vector) {
                    target[lane] = a / functional.deviation;
                }
            }
            factor.solve_lower_lanes(&mut lanes);
            for lane in 0..some.len() {
                low.extend(lanes[..n].iter().map(|v| v[lane] as f32));
            }
        }
        let m = functionals.len();
        let mut small = Banded::new(m, m.saturating_sub(1));
        let mut row = vec![0.0; n];
        for (i, of_row) in low.chunks_exact(n).enumerate() {
            row.iter_mut()
                .zip(of_row)
                .for_each(|(r, v)| *r = f64::from(*v));
            for (j, column) in low.chunks_exact(n).take(i + 1).enumerate() {
                *small.at(i, j) = dot(column, &row) + f64::from(i == j);
            }
        }
        small.factor().then_some(Self {
            factor,
            n,
            low,
            small,
        })
    }

    /// What conjugate gradients take.
    pub(crate) fn rounded(self) -> Preconditioner {
        Preconditioner {
            factor: self.factor.rounded(),
            n: self.n,
            low: self.low,
            small: self.small,
        }
    }

    /// The variance of the spline's value at each of `points = (x, y)`, offsets
    /// from the star, if this inverse is the coefficients' covariance.
    pub(crate) fn variances(
        &self,
        basis: &Basis,
        points: impl Iterator<Item = (f64, f64)>,
    ) -> Vec<f64> {
        let inverse = self.factor.inverse_band();
        // For each coefficient how far it is along each functional.
        let m = self.low.len() / self.n;
        let mut along = vec![0.0; self.low.len()];
        for (i, low) in self.low.chunks_exact(self.n).enumerate() {
            let mut column: Vec<f64> = low.iter().map(|v| f64::from(*v)).collect();
            self.factor.solve_upper(&mut column);
            let of_functional = along[i..].iter_mut().step_by(m);
            of_functional.zip(column).for_each(|(a, c)| *a = c);
        }
        if m > 0 {
            for row in along.chunks_exact_mut(m) {
                self.small.solve_lower(row);
            }
        }
        let mut sum = vec![0.0; m];
        points
            .map(|point| {
                let taps = basis.taps(point);
                let mut variance = 0.0;
                sum.fill(0.0);
                for (a, wa) in &taps {
                    for (b, wb) in &taps {
                        variance += wa * wb * inverse.symmetric(*a, *b);
                    }
                    add_scaled(*wa, &along[a * m..(a + 1) * m], &mut sum);
                }
                (variance - dot(&sum, &sum)).max(0.0)
            })
            .collect()
    }
}

impl Preconditioner {
    /// Replaces b by the solution.
    pub(crate) fn solve(&self, b: &mut [f64]) {
        let b = &mut b[..self.n];
        self.factor.solve_lower(b);
        let low = || self.low.chunks_exact(self.n);
        let mut t: Vec<f64> = low().map(|v| dot(v, b)).collect();
        self.small.solve_lower(&mut t);
        self.small.solve_upper(&mut t);
        for (v, t) in low().zip(t) {
            add_scaled(-t, v, b);
        }
        self.factor.solve_upper(b);
    }
}
