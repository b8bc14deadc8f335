//! Cholesky factors of banded symmetric matrices.

use crate::simd::{dispatch, mul_add};

/// A symmetric matrix of half-bandwidth `width`, or its lower factor: row i
/// holds the columns i − width to i, one row after another.
#[derive(Debug, Clone)]
pub(crate) struct Banded {
    n: usize,
    width: usize,
    rows: Vec<f64>,
}

impl Banded {
    /// Zeros.
    pub(crate) fn new(n: usize, width: usize) -> Self {
        Self {
            n,
            width,
            rows: vec![0.0; n * (width + 1)],
        }
    }

    /// The element (row, column) of the lower triangle, within the band.
    pub(crate) fn at(&mut self, row: usize, column: usize) -> &mut f64 {
        &mut self.rows[row * (self.width + 1) + self.width + column - row]
    }

    fn get(&self, row: usize, column: usize) -> f64 {
        self.rows[row * (self.width + 1) + self.width + column - row]
    }

    /// The element of either triangle; within the band.
    pub(crate) fn symmetric(&self, a: usize, b: usize) -> f64 {
        self.get(a.max(b), a.min(b))
    }

    /// Replaces the matrix by its lower Cholesky factor; `false` where it is not
    /// positive definite.
    pub(crate) fn factor(&mut self) -> bool {
        factor(self.n, self.width, &mut self.rows)
    }

    /// Solves L y = b in place, for the factor L.
    pub(crate) fn solve_lower(&self, b: &mut [f64]) {
        forward(self.n, self.width, &self.rows, b);
    }

    /// Solves Lᵀ x = y in place.
    pub(crate) fn solve_upper(&self, y: &mut [f64]) {
        backward(self.n, self.width, &self.rows, y);
    }

    /// The band of the inverse of L Lᵀ, from the factor (Takahashi's recursion:
    /// Erisman & Tinney 1975, Comm. ACM 18, 177).
    pub(crate) fn inverse_band(&self) -> Self {
        let mut inverse = Self::new(self.n, self.width);
        inverse_band(self.n, self.width, &self.rows, &mut inverse.rows);
        inverse
    }
}

/// The dot product, with as many partial sums as hide the latency.
#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernels
pub(super) fn dot_kernel<const FMA: bool>(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [[0.0; 4]; 4];
    let (mut a16, mut b16) = (a.chunks_exact(16), b.chunks_exact(16));
    for (a, b) in a16.by_ref().zip(b16.by_ref()) {
        for (k, sum) in sums.iter_mut().enumerate() {
            for (l, sum) in sum.iter_mut().enumerate() {
                *sum = mul_add::<FMA>(a[4 * k + l], b[4 * k + l], *sum);
            }
        }
    }
    let (mut a4, mut b4) = (
        a16.remainder().chunks_exact(4),
        b16.remainder().chunks_exact(4),
    );
    for (a, b) in a4.by_ref().zip(b4.by_ref()) {
        for (l, sum) in sums[0].iter_mut().enumerate() {
            *sum = mul_add::<FMA>(a[l], b[l], *sum);
        }
    }
    let mut rest = 0.0;
    for (a, b) in a4.remainder().iter().zip(b4.remainder()) {
        rest = mul_add::<FMA>(*a, *b, rest);
    }
    let pair = |l: usize| (sums[0][l] + sums[1][l]) + (sums[2][l] + sums[3][l]);
    (pair(0) + pair(1)) + (pair(2) + pair(3)) + rest
}

/// `y += a x`.
#[inline(always)]
#[allow(clippy::inline_always)]
fn axpy<const FMA: bool>(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = mul_add::<FMA>(a, x, *y);
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn factor_kernel<const FMA: bool>(n: usize, width: usize, rows: &mut [f64]) -> bool {
    let stride = width + 1;
    for i in 0..n {
        let (above, rest) = rows.split_at_mut(i * stride);
        let row = &mut rest[..stride];
        let first = i.saturating_sub(width);
        for j in first..i {
            // Columns that both rows hold, up to j.
            let start = first.max(j.saturating_sub(width));
            let other = &above[j * stride..(j + 1) * stride];
            let here = &row[width + start - i..width + j - i];
            let there = &other[width + start - j..width];
            let sum = row[width + j - i] - dot_kernel::<FMA>(here, there);
            row[width + j - i] = sum / other[width];
        }
        let pivot = row[width] - dot_kernel::<FMA>(&row[..width], &row[..width]);
        let is_positive = pivot > 1e-14 * row[width];
        if !is_positive {
            return false;
        }
        row[width] = pivot.sqrt();
    }
    true
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn forward_kernel<const FMA: bool>(n: usize, width: usize, rows: &[f64], b: &mut [f64]) {
    for (i, row) in rows.chunks_exact(width + 1).take(n).enumerate() {
        let first = i.saturating_sub(width);
        let sum = dot_kernel::<FMA>(&row[width + first - i..width], &b[first..i]);
        b[i] = (b[i] - sum) / row[width];
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn backward_kernel<const FMA: bool>(n: usize, width: usize, rows: &[f64], y: &mut [f64]) {
    for (i, row) in rows.chunks_exact(width + 1).take(n).enumerate().rev() {
        let first = i.saturating_sub(width);
        y[i] /= row[width];
        let x = y[i];
        axpy::<FMA>(-x, &row[width + first - i..width], &mut y[first..i]);
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn inverse_kernel<const FMA: bool>(n: usize, width: usize, rows: &[f64], inverse: &mut [f64]) {
    let stride = width + 1;
    let (mut column, mut product) = (vec![0.0; width], vec![0.0; width]);
    for j in (0..n).rev() {
        let m = width.min(n - 1 - j);
        // Below the diagonal of column j: that of the factor, and its product
        // with the inverse that is known there.
        for (k, c) in column[..m].iter_mut().enumerate() {
            let row = j + 1 + k;
            *c = rows[row * stride + width + j - row];
        }
        product[..m].fill(0.0);
        for k in 0..m {
            let row = j + 1 + k;
            let known = &inverse[row * stride + width - k..=row * stride + width];
            let sum = dot_kernel::<FMA>(&known[..k], &column[..k]);
            axpy::<FMA>(column[k], &known[..k], &mut product[..k]);
            product[k] += sum + known[k] * column[k];
        }
        let pivot = rows[j * stride + width];
        for (k, p) in product[..m].iter_mut().enumerate() {
            *p /= -pivot;
            let row = j + 1 + k;
            inverse[row * stride + width + j - row] = *p;
        }
        let sum = dot_kernel::<FMA>(&column[..m], &product[..m]);
        inverse[j * stride + width] = (1.0 / pivot - sum) / pivot;
    }
}

dispatch! {
    /// The dot product of two slices of one length.
    pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 = dot_kernel
}
dispatch! {
    /// `y += a x`.
    pub(crate) fn add_scaled(a: f64, x: &[f64], y: &mut [f64]) = axpy
}
dispatch! {
    fn factor(n: usize, width: usize, rows: &mut [f64]) -> bool = factor_kernel
}
dispatch! {
    fn forward(n: usize, width: usize, rows: &[f64], b: &mut [f64]) = forward_kernel
}
dispatch! {
    fn backward(n: usize, width: usize, rows: &[f64], y: &mut [f64]) = backward_kernel
}
dispatch! {
    fn inverse_band(n: usize, width: usize, rows: &[f64], inverse: &mut [f64]) = inverse_kernel
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Diagonally dominant, with a band of `width`.
    fn matrix(n: usize, width: usize) -> Banded {
        let mut matrix = Banded::new(n, width);
        for i in 0..n {
            for j in i.saturating_sub(width)..i {
                *matrix.at(i, j) = ((i * 7 + j * 13) % 11) as f64 / 11.0 - 0.5;
            }
            *matrix.at(i, i) = width as f64 + 1.0;
        }
        matrix
    }

    #[test]
    fn solutions_solve_and_the_band_of_the_inverse_is_its() {
        for (n, width) in [(1, 0), (5, 2), (40, 17), (60, 33), (10, 30)] {
            let matrix = matrix(n, width);
            let mut factor = matrix.clone();
            assert!(factor.factor());
            let inverse = factor.inverse_band();
            for column in 0..n {
                let mut x = vec![0.0; n];
                x[column] = 1.0;
                factor.solve_lower(&mut x);
                factor.solve_upper(&mut x);
                for (row, x) in x.iter().enumerate() {
                    if row.abs_diff(column) <= width {
                        assert!((inverse.symmetric(row, column) - x).abs() < 1e-13);
                    }
                }
                for row in 0..n {
                    let near = (0..n).filter(|k| k.abs_diff(row) <= width);
                    let product: f64 = near.map(|k| matrix.symmetric(row, k) * x[k]).sum();
                    assert!((product - f64::from(row == column)).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        let mut matrix = matrix(9, 3);
        *matrix.at(5, 5) = -1.0;
        assert!(!matrix.factor());
        assert!(!Banded::new(3, 1).factor());
    }
}
