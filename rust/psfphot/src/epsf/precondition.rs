//! The solver's approximate inverse: a banded Cholesky factor for what couples
//! neighbouring coefficients, and Woodbury's formula for the few functionals
//! that couple all.

use super::alias::Functional;
use super::banded::{Banded, dot};
use super::basis::Basis;
use super::neighbours::Neighbours;

/// The inverse of B + Σ a aᵀ / s² for a banded B and functionals a with the
/// standard deviation s.
#[derive(Debug, Clone)]
pub(crate) struct Preconditioner {
    factor: Banded,
    n: usize,
    /// L⁻¹ a / s for each functional.
    low: Vec<Vec<f64>>,
    /// Factor of 1 + `VᵀV`.
    small: Banded,
}

impl Preconditioner {
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
        let low: Vec<_> = functionals
            .map(|functional| {
                let scaled = functional.vector.iter().map(|a| a / functional.deviation);
                let mut column: Vec<f64> = scaled.collect();
                factor.solve_lower(&mut column);
                column
            })
            .collect();
        let m = low.len();
        let mut small = Banded::new(m, m.saturating_sub(1));
        for i in 0..m {
            for j in 0..=i {
                *small.at(i, j) = dot(&low[i], &low[j]) + f64::from(i == j);
            }
        }
        if m > 0 && !small.factor() {
            return None;
        }
        let n = matrix.n();
        Some(Self {
            factor,
            n,
            low,
            small,
        })
    }

    /// Replaces b by the solution.
    pub(crate) fn solve(&self, b: &mut [f64]) {
        let b = &mut b[..self.n];
        self.factor.solve_lower(b);
        let mut t: Vec<f64> = self.low.iter().map(|v| dot(v, b)).collect();
        self.small.solve_lower(&mut t);
        self.small.solve_upper(&mut t);
        for (v, t) in self.low.iter().zip(t) {
            b.iter_mut().zip(v).for_each(|(b, v)| *b -= t * v);
        }
        self.factor.solve_upper(b);
    }

    /// The variance of the spline's value at each of `points = (x, y)`, offsets
    /// from the star, if this inverse is the coefficients' covariance.
    pub(crate) fn variances(
        &self,
        basis: &Basis,
        points: impl Iterator<Item = (f64, f64)>,
    ) -> Vec<f64> {
        let inverse = self.factor.inverse_band();
        let spread: Vec<Vec<f64>> = self
            .low
            .iter()
            .map(|v| {
                let mut column = v.clone();
                self.factor.solve_upper(&mut column);
                column
            })
            .collect();
        points
            .map(|point| {
                let taps = basis.taps(point);
                let mut variance = 0.0;
                for (a, wa) in &taps {
                    for (b, wb) in &taps {
                        variance += wa * wb * inverse.symmetric(*a, *b);
                    }
                }
                let along = |v: &Vec<f64>| taps.iter().map(|(k, w)| w * v[*k]).sum();
                let mut t: Vec<f64> = spread.iter().map(along).collect();
                self.small.solve_lower(&mut t);
                (variance - dot(&t, &t)).max(0.0)
            })
            .collect()
    }
}
