//! Kernels as sums of a few separable ones.

/// A square kernel as Σᵣ column ⊗ row, of as few terms as its accuracy needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Separable {
    side: usize,
    pub(super) terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) column: Vec<f64>,
    pub(super) row: Vec<f64>,
}

/// Turns of the power iteration for a term. They only make the terms fewer:
/// whatever vector they end with, the rest of the kernel is orthogonal to it.
const TURNS: usize = 16;

impl Separable {
    /// The kernel `values` of `side` by `side` pixels to within `tolerance`
    /// times its largest absolute value, in each pixel.
    ///
    /// The terms are those of the singular value decomposition, the largest
    /// first, found by power iteration; `side` of them are the kernel itself.
    pub(super) fn new(values: &[f64], side: usize, tolerance: f64) -> Self {
        let mut rest = values.to_vec();
        let allowed = tolerance * largest(values);
        let mut terms = Vec::new();
        while terms.len() < side && largest(&rest) > allowed {
            let Some(term) = strongest_term(&rest, side) else {
                break;
            };
            for (row, c) in rest.chunks_exact_mut(side).zip(&term.column) {
                for (value, r) in row.iter_mut().zip(&term.row) {
                    *value -= c * r;
                }
            }
            terms.push(term);
        }
        Self { side, terms }
    }

    /// A kernel of ones.
    pub(super) fn ones(side: usize) -> Self {
        let ones = || vec![1.0; side];
        let terms = vec![Term {
            column: ones(),
            row: ones(),
        }];
        Self { side, terms }
    }

    /// The same shape with another sum of all values, if it has one.
    pub(super) fn with_sum(mut self, sum: f64) -> Self {
        let factor = sum / self.values().iter().sum::<f64>();
        if factor.is_finite() {
            let rows = self.terms.iter_mut().flat_map(|term| &mut term.row);
            rows.for_each(|value| *value *= factor);
        }
        self
    }

    /// Number of terms.
    #[cfg(test)]
    fn rank(&self) -> usize {
        self.terms.len()
    }

    /// The kernel that the terms make, row by row.
    pub(super) fn values(&self) -> Vec<f64> {
        let mut values = vec![0.0; self.side * self.side];
        for term in &self.terms {
            for (row, c) in values.chunks_exact_mut(self.side).zip(&term.column) {
                for (value, r) in row.iter_mut().zip(&term.row) {
                    *value += c * r;
                }
            }
        }
        values
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// The term of the largest singular value, nearly; `None` of zeros.
fn strongest_term(matrix: &[f64], side: usize) -> Option<Term> {
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let rows = || matrix.chunks_exact(side);
    let mut row = rows().max_by(|a, b| norm(a).total_cmp(&norm(b)))?.to_vec();
    let mut column = vec![0.0; side];
    for _ in 0..TURNS {
        for (c, values) in column.iter_mut().zip(rows()) {
            *c = values.iter().zip(&row).map(|(v, r)| v * r).sum();
        }
        let length = norm(&column);
        if !(length > 0.0 && length.is_finite()) {
            return None;
        }
        for c in &mut column {
            *c /= length;
        }
        row.fill(0.0);
        for (c, values) in column.iter().zip(rows()) {
            row.iter_mut().zip(values).for_each(|(r, v)| *r += c * v);
        }
    }
    Some(Term { column, row })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::samples::noise;
    use proptest::prelude::*;

    fn moffat(side: usize) -> Vec<f64> {
        let half = (side / 2) as f64;
        let pixel = |k: usize| {
            let (dx, dy) = (
                (k % side) as f64 - half - 0.2,
                (k / side) as f64 - half + 0.3,
            );
            (1.0 + (dx * dx + 0.7 * dy * dy + 0.4 * dx * dy) / 3.0).powf(-2.5)
        };
        (0..side * side).map(pixel).collect()
    }

    #[test]
    fn a_gaussian_has_rank_1_and_a_moffat_a_few() {
        let gaussian: Vec<f64> = (0..121)
            .map(|k| {
                let (dx, dy) = (f64::from(k % 11) - 5.2, f64::from(k / 11) - 4.9);
                (-0.4 * (dx * dx + dy * dy)).exp()
            })
            .collect();
        assert_eq!(Separable::new(&gaussian, 11, 1e-3).rank(), 1);
        let rank = Separable::new(&moffat(15), 15, 1e-3).rank();
        assert!((2..7).contains(&rank), "{rank}");
        assert_eq!(Separable::new(&[0.0; 9], 3, 1e-3).rank(), 0);
    }

    proptest! {
        #[test]
        fn terms_make_the_kernel_to_the_tolerance(
            half in 1..9_usize, exponent in 1..6_i32, seed in 0..100_u64, star in any::<bool>()
        ) {
            let side = 2 * half + 1;
            let tolerance = 10.0_f64.powi(-exponent);
            let values = if star { moffat(side) } else { noise(side * side, seed) };
            let separable = Separable::new(&values, side, tolerance);
            let allowed = tolerance * largest(&values) + 1e-12;
            for (a, b) in separable.values().iter().zip(&values) {
                prop_assert!((a - b).abs() <= allowed, "{a} {b}");
            }
        }
    }
}
