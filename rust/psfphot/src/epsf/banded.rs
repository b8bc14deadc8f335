//! Cholesky factors of banded symmetric matrices.

use crate::simd::{dispatch, mul_add};

/// Rows, or right sides, that are solved together: one to each lane.
pub(crate) const LANES: usize = 8;

/// Rows of the factor that they are solved by at a time: eight registers of four numbers
/// hold the products.
const TILE: usize = 4;

/// Zeros before the band in each row, so that the rows of a tile hold the same columns.
const PAD: usize = TILE - 1;

/// Of some columns the numbers of all lanes.
pub(crate) type Strip = Vec<[f64; LANES]>;

/// A symmetric matrix of half-bandwidth `width`, or its lower factor: row i
/// holds the columns i − width − [`PAD`] to i, one row after another. Rows that fill the
/// last lanes up are those of the identity.
#[derive(Debug, Clone)]
pub(crate) struct Banded<T = f64> {
    n: usize,
    width: usize,
    rows: Vec<T>,
}

/// Where in its rows the column `column` of the row `row` is.
const fn place(width: usize, row: usize, column: usize) -> usize {
    (row + 1) * (width + PAD + 1) - 1 + column - row
}

impl Banded {
    /// Zeros.
    pub(crate) fn new(n: usize, width: usize) -> Self {
        let n_rows = n.next_multiple_of(LANES);
        let mut rows = vec![0.0; n_rows * (width + PAD + 1)];
        for row in n..n_rows {
            rows[place(width, row, row)] = 1.0;
        }
        Self { n, width, rows }
    }

    /// The element (row, column) of the lower triangle, within the band.
    pub(crate) fn at(&mut self, row: usize, column: usize) -> &mut f64 {
        &mut self.rows[place(self.width, row, column)]
    }

    /// The element of either triangle; within the band.
    pub(crate) fn symmetric(&self, a: usize, b: usize) -> f64 {
        self.rows[place(self.width, a.max(b), a.min(b))]
    }

    /// Replaces the matrix by its lower Cholesky factor; `false` where it is not
    /// positive definite.
    pub(crate) fn factor(&mut self) -> bool {
        factor(self.n, self.width, &mut self.rows)
    }

    /// Solves L y = b in place for the b of all lanes, the rows of the identity included.
    pub(crate) fn solve_lower_lanes(&self, b: &mut Strip) {
        b.resize(self.n.next_multiple_of(LANES), [0.0; LANES]);
        for j in (0..b.len()).step_by(TILE) {
            let first = j.saturating_sub(self.width);
            solve_tile(self.width, &self.rows, &mut b[first..], (first, j));
        }
    }

    /// The band of the inverse of L Lᵀ, from the factor (Takahashi's recursion:
    /// Erisman & Tinney 1975, Comm. ACM 18, 177).
    pub(crate) fn inverse_band(&self) -> Self {
        let mut inverse = Self::new(self.n, self.width);
        inverse_band(self.n, self.width, &self.rows, &mut inverse.rows);
        inverse
    }

    /// The same in single precision: of a factor L, that of a matrix which is positive
    /// definite too.
    pub(crate) fn rounded(&self) -> Banded<f32> {
        Banded {
            n: self.n,
            width: self.width,
            rows: self.rows.iter().map(|v| *v as f32).collect(),
        }
    }
}

impl<T: Copy + Into<f64>> Banded<T> {
    /// Solves L y = b in place, for the factor L.
    pub(crate) fn solve_lower(&self, b: &mut [f64]) {
        forward(self.n, self.width, &self.rows, b);
    }

    /// Solves Lᵀ x = y in place.
    pub(crate) fn solve_upper(&self, y: &mut [f64]) {
        backward(self.n, self.width, &self.rows, y);
    }
}

/// The dot product, with as many partial sums as hide the latency.
#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernels
pub(super) fn dot_kernel<const FMA: bool, T: Copy + Into<f64>>(a: &[T], b: &[f64]) -> f64 {
    let mut sums = [[0.0; 4]; 4];
    let (mut a16, mut b16) = (a.chunks_exact(16), b.chunks_exact(16));
    for (a, b) in a16.by_ref().zip(b16.by_ref()) {
        for (k, sum) in sums.iter_mut().enumerate() {
            for (l, sum) in sum.iter_mut().enumerate() {
                *sum = mul_add::<FMA>(a[4 * k + l].into(), b[4 * k + l], *sum);
            }
        }
    }
    let (mut a4, mut b4) = (
        a16.remainder().chunks_exact(4),
        b16.remainder().chunks_exact(4),
    );
    for (a, b) in a4.by_ref().zip(b4.by_ref()) {
        for (l, sum) in sums[0].iter_mut().enumerate() {
            *sum = mul_add::<FMA>(a[l].into(), b[l], *sum);
        }
    }
    let mut rest = 0.0;
    for (a, b) in a4.remainder().iter().zip(b4.remainder()) {
        rest = mul_add::<FMA>((*a).into(), *b, rest);
    }
    let pair = |l: usize| (sums[0][l] + sums[1][l]) + (sums[2][l] + sums[3][l]);
    (pair(0) + pair(1)) + (pair(2) + pair(3)) + rest
}

/// `y += a x`.
#[inline(always)]
#[allow(clippy::inline_always)]
fn axpy<const FMA: bool, T: Copy + Into<f64>>(a: f64, x: &[T], y: &mut [f64]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = mul_add::<FMA>(a, x.into(), *y);
    }
}

/// Solves for the columns of a tile, from `j` on, in all lanes; of the columns before,
/// those from `first` on count.
#[inline(always)]
#[allow(clippy::inline_always)]
fn tile_kernel<const FMA: bool>(
    width: usize,
    rows: &[f64],
    strip: &mut [[f64; LANES]],
    (first, j): (usize, usize),
) {
    let row = |c: usize| &rows[place(width, j + c, first)..place(width, j + c, j)];
    let [a, b, c, d] = [row(0), row(1), row(2), row(3)];
    let mut sums = [[0.0; LANES]; TILE];
    for ((((known, a), b), c), d) in strip.iter().zip(a).zip(b).zip(c).zip(d) {
        for (sums, l) in sums.iter_mut().zip([a, b, c, d]) {
            for (sum, known) in sums.iter_mut().zip(known) {
                *sum = mul_add::<FMA>(*known, *l, *sum);
            }
        }
    }
    let solved = &mut strip[j - first..j - first + TILE];
    for c in 0..TILE {
        let row = &rows[place(width, j + c, j)..=place(width, j + c, j + c)];
        let (before, own) = solved.split_at_mut(c);
        for (d, before) in before.iter().enumerate() {
            for (sum, before) in sums[c].iter_mut().zip(before) {
                *sum = mul_add::<FMA>(*before, row[d], *sum);
            }
        }
        for (own, sum) in own[0].iter_mut().zip(sums[c]) {
            *own = (*own - sum) / row[c];
        }
    }
}

fn factor(n: usize, width: usize, rows: &mut [f64]) -> bool {
    let mut strip = Strip::new();
    for i in (0..n).step_by(LANES) {
        // A whole number of tiles before these rows.
        let first = i.saturating_sub(width) / TILE * TILE;
        strip.clear();
        strip.resize(i + LANES - first, [0.0; LANES]);
        for r in 0..LANES {
            let from = first.max((i + r).saturating_sub(width));
            let row = &rows[place(width, i + r, from)..=place(width, i + r, i + r)];
            for (target, value) in strip[from - first..].iter_mut().zip(row) {
                target[r] = *value;
            }
        }
        for j in (first..i).step_by(TILE) {
            solve_tile(width, rows, &mut strip, (first, j));
        }
        if !factor_lanes(&mut strip, i - first) {
            return false;
        }
        for r in 0..LANES {
            let from = first.max((i + r).saturating_sub(width));
            let row = &mut rows[place(width, i + r, from)..=place(width, i + r, i + r)];
            for (value, solved) in row.iter_mut().zip(&strip[from - first..]) {
                *value = solved[r];
            }
        }
    }
    true
}

/// Factors the triangle of the lanes' own columns, which begin after `n` others.
#[inline(always)]
#[allow(clippy::inline_always)]
fn triangle_kernel<const FMA: bool>(strip: &mut [[f64; LANES]], n: usize) -> bool {
    for c in 0..LANES {
        let (before, own) = strip.split_at_mut(n + c);
        let own = &mut own[0];
        let diagonal = own[c];
        for before in &*before {
            let factor = -before[c];
            for (own, before) in own.iter_mut().zip(before) {
                *own = mul_add::<FMA>(*before, factor, *own);
            }
        }
        let is_positive = own[c] > 1e-14 * diagonal;
        if !is_positive {
            return false;
        }
        let pivot = own[c].sqrt();
        for own in own.iter_mut() {
            *own /= pivot;
        }
    }
    true
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn forward_kernel<const FMA: bool, T: Copy + Into<f64>>(
    n: usize,
    width: usize,
    rows: &[T],
    b: &mut [f64],
) {
    for i in 0..n {
        let first = i.saturating_sub(width);
        let row = &rows[place(width, i, first)..=place(width, i, i)];
        let sum = dot_kernel::<FMA, T>(&row[..i - first], &b[first..i]);
        b[i] = (b[i] - sum) / row[i - first].into();
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn backward_kernel<const FMA: bool, T: Copy + Into<f64>>(
    n: usize,
    width: usize,
    rows: &[T],
    y: &mut [f64],
) {
    for i in (0..n).step_by(TILE).rev() {
        let mut x = [0.0; TILE];
        for r in (0..TILE.min(n - i)).rev() {
            let mut sum = y[i + r];
            for q in r + 1..TILE {
                sum -= rows[place(width, i + q, i + r)].into() * x[q];
            }
            x[r] = sum / rows[place(width, i + r, i + r)].into();
            y[i + r] = x[r];
        }
        let first = i.saturating_sub(width);
        let y = &mut y[first..i];
        let rows: [_; TILE] = std::array::from_fn(|r| {
            &rows[place(width, i + r, first)..place(width, i + r, i)][..y.len()]
        });
        for (k, y) in y.iter_mut().enumerate() {
            for r in 0..TILE {
                *y = mul_add::<FMA>(-x[r], rows[r][k].into(), *y);
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn inverse_kernel<const FMA: bool>(n: usize, width: usize, rows: &[f64], inverse: &mut [f64]) {
    let (mut column, mut product) = (vec![0.0; width], vec![0.0; width]);
    for j in (0..n).rev() {
        let m = width.min(n - 1 - j);
        // Below the diagonal of column j: that of the factor, and its product
        // with the inverse that is known there.
        for (k, c) in column[..m].iter_mut().enumerate() {
            let row = j + 1 + k;
            *c = rows[place(width, row, j)];
        }
        product[..m].fill(0.0);
        for k in 0..m {
            let row = j + 1 + k;
            let known = &inverse[place(width, row, j + 1)..=place(width, row, row)];
            let sum = dot_kernel::<FMA, f64>(&known[..k], &column[..k]);
            axpy::<FMA, f64>(column[k], &known[..k], &mut product[..k]);
            product[k] += sum + known[k] * column[k];
        }
        let pivot = rows[place(width, j, j)];
        for (k, p) in product[..m].iter_mut().enumerate() {
            *p /= -pivot;
            let row = j + 1 + k;
            inverse[place(width, row, j)] = *p;
        }
        let sum = dot_kernel::<FMA, f64>(&column[..m], &product[..m]);
        inverse[place(width, j, j)] = (1.0 / pivot - sum) / pivot;
    }
}

dispatch! {
    /// The dot product of two slices of one length.
    pub(crate) fn dot[T: Copy + Into<f64>](a: &[T], b: &[f64]) -> f64 = dot_kernel[T]
}
dispatch! {
    /// `y += a x`.
    pub(crate) fn add_scaled[T: Copy + Into<f64>](a: f64, x: &[T], y: &mut [f64]) = axpy[T]
}
dispatch! {
    fn solve_tile(width: usize, rows: &[f64], strip: &mut [[f64; LANES]], from: (usize, usize))
        = tile_kernel
}
dispatch! {
    fn factor_lanes(strip: &mut [[f64; LANES]], n: usize) -> bool = triangle_kernel
}
dispatch! {
    fn forward[T: Copy + Into<f64>](n: usize, width: usize, rows: &[T], b: &mut [f64])
        = forward_kernel[T]
}
dispatch! {
    fn backward[T: Copy + Into<f64>](n: usize, width: usize, rows: &[T], y: &mut [f64])
        = backward_kernel[T]
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
    fn lanes_and_the_rounded_factor_give_the_same_solutions() {
        for (n, width) in [(3, 2), (40, 17), (61, 34)] {
            let mut factor = matrix(n, width);
            assert!(factor.factor());
            let value = |row: usize, lane: usize| ((row * 5 + lane * 3) % 13) as f64 - 6.0;
            let mut lanes: Strip = (0..n)
                .map(|row| std::array::from_fn(|lane| value(row, lane)))
                .collect();
            factor.solve_lower_lanes(&mut lanes);
            for lane in 0..LANES {
                let mut x: Vec<f64> = (0..n).map(|row| value(row, lane)).collect();
                let mut rounded = x.clone();
                factor.solve_lower(&mut x);
                for (lanes, x) in lanes.iter().zip(&x) {
                    assert!((lanes[lane] - x).abs() < 1e-13);
                }
                factor.solve_upper(&mut x);
                factor.rounded().solve_lower(&mut rounded);
                factor.rounded().solve_upper(&mut rounded);
                for (rounded, x) in rounded.iter().zip(&x) {
                    assert!((rounded - x).abs() < 1e-6);
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
