//! The normal equations of many sources: symmetric, sparse in blocks.

use std::collections::HashMap;
use std::ops::Range;

use crate::Run;
use crate::simd::{Four, dispatch};

use super::pixels::LANES;

/// A pivot that has lost all but this part of its diagonal is no pivot: the
/// rest is rounding.
pub(crate) const SINGULAR: f64 = 1e-13;

/// A diagonal element times 1 + λ. Damping gives a parameter without any
/// influence (the position of a star of flux 0) a step of 0.
pub(crate) fn damped(diagonal: f64, lambda: f64) -> f64 {
    if diagonal == 0.0 && lambda > 0.0 {
        1.0
    } else {
        diagonal * (1.0 + lambda)
    }
}

/// A symmetric matrix of `size` × `size` blocks, one row of blocks for each
/// source, of which only those of pairs that share pixels are stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockMatrix {
    size: usize,
    n_sources: usize,
    /// (row, column) of each block, row ≥ column; the diagonal ones first.
    pairs: Vec<(u32, u32)>,
    index: HashMap<(u32, u32), u32>,
    values: Vec<f64>,
    /// The vector v of a term −v vᵀ beside the blocks; empty for none.
    taken: Vec<f64>,
}

impl BlockMatrix {
    /// The diagonal blocks of `n_sources`, all zero.
    pub(crate) fn new(n_sources: usize, size: usize) -> Self {
        let pairs: Vec<_> = (0..n_sources as u32).map(|i| (i, i)).collect();
        Self {
            size,
            n_sources,
            index: pairs.iter().copied().zip(0..).collect(),
            values: vec![0.0; n_sources * size * size],
            taken: Vec::new(),
            pairs,
        }
    }

    /// The number of the block of a pair (row ≥ column), which is stored from
    /// now on.
    pub(crate) fn block(&mut self, row: u32, column: u32) -> u32 {
        let number = self.pairs.len() as u32;
        let (pairs, values, area) = (&mut self.pairs, &mut self.values, self.size * self.size);
        *self.index.entry((row, column)).or_insert_with(|| {
            pairs.push((row, column));
            values.resize(values.len() + area, 0.0);
            number
        })
    }

    /// Sets all blocks to zero.
    pub(crate) fn clear(&mut self) {
        self.values.fill(0.0);
        self.taken.clear();
    }

    /// Takes v vᵀ from the matrix, which has not been asked for anything since it was
    /// cleared.
    pub(crate) fn take_outer(&mut self, v: Vec<f64>) {
        self.taken = v;
    }

    /// The values of one block, row by row.
    pub(crate) fn values_mut(&mut self, block: u32) -> &mut [f64] {
        let area = self.size * self.size;
        &mut self.values[block as usize * area..(block as usize + 1) * area]
    }

    /// The block of a source on the diagonal, as a matrix of its own.
    pub(crate) fn own(&self, source: usize) -> Self {
        let (size, area) = (self.size, self.size * self.size);
        let mut own = Self::new(1, size);
        own.values
            .copy_from_slice(&self.values[source * area..][..area]);
        let taken = self.taken.get(source * size..(source + 1) * size);
        own.taken = taken.unwrap_or_default().to_vec();
        own
    }

    /// The order of the whole matrix.
    pub(crate) fn order(&self) -> usize {
        self.n_sources * self.size
    }

    /// Element (i, i) of the matrix; the diagonal blocks come first.
    pub(crate) fn diagonal(&self, i: usize) -> f64 {
        let size = self.size;
        let taken = self.taken.get(i).map_or(0.0, |v| v * v);
        self.values[i / size * size * size + i % size * (size + 1)] - taken
    }

    /// The matrix with its diagonal times 1 + λ, row by row; only the lower
    /// triangle has a meaning.
    fn dense(&self, lambda: f64) -> Vec<f64> {
        let (n, size) = (self.order(), self.size);
        let mut dense = vec![0.0; n * n];
        let blocks = self.values.chunks_exact(size * size);
        for (&(row, column), block) in self.pairs.iter().zip(blocks) {
            for (i, values) in block.chunks_exact(size).enumerate() {
                let at = (row as usize * size + i) * n + column as usize * size;
                dense[at..at + size].copy_from_slice(values);
            }
        }
        for (i, &v) in self.taken.iter().enumerate() {
            for (value, other) in dense[i * n..=i * n + i].iter_mut().zip(&self.taken) {
                *value -= v * other;
            }
        }
        for diagonal in dense.iter_mut().step_by(n + 1) {
            *diagonal = damped(*diagonal, lambda);
        }
        dense
    }

    /// The matrix row by row, both triangles.
    pub(crate) fn full(&self) -> Vec<f64> {
        let n = self.order();
        let mut full = self.dense(0.0);
        for i in 0..n {
            for j in 0..i {
                full[j * n + i] = full[i * n + j];
            }
        }
        full
    }

    /// Cholesky factor of the matrix with its diagonal times 1 + λ, where the
    /// step of the parameters `held` is 0 if their gradient is; `None` where it
    /// is not positive definite, or `run` was cancelled.
    pub(crate) fn factor(&self, lambda: f64, held: &[bool], run: Run<'_>) -> Option<Cholesky> {
        let (mut rows, n) = (self.dense(lambda), self.order());
        for (i, _) in held.iter().enumerate().filter(|(_, held)| **held) {
            isolate(&mut rows, n, i);
        }
        Cholesky::new(rows, n, run).ok()
    }

    /// The factor for those sources that the data determine, and whether each
    /// is one of them; the others are held where they are. `None` only where
    /// `run` was cancelled.
    ///
    /// Where a pivot fails there is a combination of parameters that changes
    /// nothing; the sources with a notable part in it are undetermined.
    pub(crate) fn factor_determined(&self, run: Run<'_>) -> Option<(Cholesky, Vec<bool>)> {
        let (n, size) = (self.order(), self.size);
        let mut is_determined = vec![true; self.n_sources];
        loop {
            run.check().ok()?;
            let mut rows = self.dense(0.0);
            for i in (0..n).filter(|i| !is_determined[i / size]) {
                isolate(&mut rows, n, i);
            }
            let failure = match Cholesky::new(rows, n, run) {
                Ok(factor) => return Some((factor, is_determined)),
                Err(failure) => failure,
            };
            run.check().ok()?;
            // In units in which every parameter has the same weight.
            let part = |(i, v): (usize, &f64)| v.abs() * self.diagonal(i).sqrt();
            let parts: Vec<f64> = failure.null.iter().enumerate().map(part).collect();
            let largest = parts.iter().copied().fold(0.0, f64::max);
            for (i, &part) in parts.iter().enumerate() {
                if part > NOTABLE * largest {
                    is_determined[i / size] = false;
                }
            }
            is_determined[failure.row / size] = false;
        }
    }
}

/// Makes row and column `i` of a matrix of order `n` those of the identity.
fn isolate(rows: &mut [f64], n: usize, i: usize) {
    rows[i * n..(i + 1) * n].fill(0.0);
    for value in rows[i..].iter_mut().step_by(n) {
        *value = 0.0;
    }
    rows[i * n + i] = 1.0;
}

/// A parameter has a part in a degeneracy if its own is more than this of the
/// largest. Rounding is far below, and the partners in a pair are far above.
const NOTABLE: f64 = 1e-3;

/// Where a factorisation failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// The row whose pivot is none.
    row: usize,
    /// The combination of rows up to this one that the matrix takes to
    /// (almost) nothing.
    null: Vec<f64>,
}

/// The lower factor L of a dense matrix A = L Lᵀ.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky {
    /// Row by row; above the diagonal there is nothing of meaning.
    rows: Vec<f64>,
    n: usize,
}

impl Cholesky {
    /// Rows between two looks at whether to stop: some milliseconds for the
    /// largest matrices.
    const PATIENCE: usize = 32;

    /// Factors the lower triangle of `rows`; fails at once where `run` is
    /// cancelled.
    fn new(mut rows: Vec<f64>, n: usize, run: Run<'_>) -> Result<Self, Failure> {
        for i in 0..n {
            let (above, rest) = rows.split_at_mut(i * n);
            let row = &mut rest[..n];
            for j in 0..i {
                let upper = &above[j * n..][..=j];
                row[j] = (row[j] - dot(&row[..j], &upper[..j])) / upper[j];
            }
            let pivot = row[i] - dot(&row[..i], &row[..i]);
            let is_stopped = i % Self::PATIENCE == 0 && run.check().is_err();
            if is_stopped || !(pivot > SINGULAR * row[i] && pivot.is_finite()) {
                let mut null: Vec<f64> = row[..i].iter().map(|l| -l).collect();
                back_substitute(&rows, n, &mut null);
                null.push(1.0);
                return Err(Failure { row: i, null });
            }
            row[i] = pivot.sqrt();
        }
        Ok(Self { rows, n })
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.n..][..=i]
    }

    /// Solves A x = b in place.
    pub(crate) fn solve(&self, b: &mut [f64]) {
        for i in 0..self.n {
            let row = self.row(i);
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
        back_substitute(&self.rows, self.n, b);
    }

    /// A⁻¹, row by row: with M = L⁻¹ it is `MᵀM`. Unfinished where `run` is cancelled.
    pub(crate) fn inverse(&self, run: Run<'_>) -> Vec<f64> {
        let n = self.n;
        // Column j of M, from row j down, as row j.
        let mut columns = vec![0.0; n * n];
        for (j, column) in columns.chunks_exact_mut(n).enumerate() {
            if j % Self::PATIENCE == 0 && run.check().is_err() {
                break;
            }
            column[j] = 1.0 / self.row(j)[j];
            for i in j + 1..n {
                let row = self.row(i);
                column[i] = -dot(&row[j..i], &column[j..i]) / row[i];
            }
        }
        let mut inverse = vec![0.0; n * n];
        for i in 0..n {
            if i % Self::PATIENCE == 0 && run.check().is_err() {
                break;
            }
            for j in 0..=i {
                let (a, b) = (&columns[i * n..][..n], &columns[j * n..][..n]);
                let element = dot(&a[i..], &b[i..]);
                (inverse[i * n + j], inverse[j * n + i]) = (element, element);
            }
        }
        inverse
    }
}

/// Solves Lᵀ x = b in place, with as many rows of L as b has elements.
fn back_substitute(rows: &[f64], n: usize, b: &mut [f64]) {
    for i in (0..b.len()).rev() {
        let row = &rows[i * n..][..=i];
        b[i] /= row[i];
        let x = b[i];
        for (b, l) in b[..i].iter_mut().zip(row) {
            *b -= l * x;
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernels
fn dot_kernel<const FMA: bool>(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks();
    let (b, b_rest) = b.as_chunks();
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    // Two vectors of sums hide the latency of the additions.
    let (a_pairs, a_last) = a.as_chunks::<2>();
    let (b_pairs, b_last) = b.as_chunks::<2>();
    let (mut even, mut odd) = (Four::<FMA>::ZERO, Four::<FMA>::ZERO);
    for (a, b) in a_pairs.iter().zip(b_pairs) {
        even = Four::new(&a[0]).mul_add(Four::new(&b[0]), even);
        odd = Four::new(&a[1]).mul_add(Four::new(&b[1]), odd);
    }
    for (a, b) in a_last.iter().zip(b_last) {
        even = Four::new(a).mul_add(Four::new(b), even);
    }
    even.sum() + odd.sum() + rest
}

dispatch! {
    /// Σ a b over slices of one length.
    pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 = dot_kernel
}

/// `block[i][j] += Σ a_i b_j` over the elements `within` of planes of `n`, whole lanes.
#[inline(always)]
#[allow(clippy::inline_always)]
fn outer_kernel<const FMA: bool>(
    a: &[f64],
    b: &[f64],
    n: usize,
    within: Range<usize>,
    block: &mut [f64],
) {
    let size = b.len() / n;
    for (i, a) in a.chunks_exact(n).enumerate() {
        for (j, b) in b.chunks_exact(n).enumerate() {
            let (a, b) = (&a[within.clone()], &b[within.clone()]);
            block[i * size + j] += dot_kernel::<FMA>(a, b);
        }
    }
}

/// Of three planes of `n` elements those `within`, in lanes.
#[inline(always)]
#[allow(clippy::inline_always)]
fn lanes_of_three<'p>(
    planes: &'p [f64],
    n: usize,
    within: &Range<usize>,
) -> [&'p [[f64; LANES]]; 3] {
    [0, 1, 2].map(|i| planes[i * n..][within.clone()].as_chunks().0)
}

/// The same for three planes each, all nine sums in one pass.
#[inline(always)]
#[allow(clippy::inline_always)]
fn outer_kernel_of_three<const FMA: bool>(
    a: &[f64],
    b: &[f64],
    n: usize,
    within: Range<usize>,
    block: &mut [f64],
) {
    let [a0, a1, a2] = lanes_of_three(a, n, &within);
    let [b0, b1, b2] = lanes_of_three(b, n, &within);
    let mut sums = [[Four::<FMA>::ZERO; 3]; 3];
    // Zipped, not indexed: a bound checked here takes longer than a product.
    let lanes = a0.iter().zip(a1).zip(a2).zip(b0).zip(b1).zip(b2);
    for (((((a0, a1), a2), b0), b1), b2) in lanes {
        for (row, a) in sums.iter_mut().zip([a0, a1, a2].map(Four::new)) {
            for (sum, b) in row.iter_mut().zip([b0, b1, b2].map(Four::new)) {
                *sum = a.mul_add(b, *sum);
            }
        }
    }
    for (value, sum) in block.iter_mut().zip(sums.as_flattened()) {
        *value += sum.sum();
    }
}

dispatch! {
    fn add_outer_of_any(
        a: &[f64], b: &[f64], n: usize, within: Range<usize>, block: &mut [f64]
    ) = outer_kernel
}

dispatch! {
    fn add_outer_of_three(
        a: &[f64], b: &[f64], n: usize, within: Range<usize>, block: &mut [f64]
    ) = outer_kernel_of_three
}

/// Adds the products of two sources' planes, each of `n` elements, to their block:
/// those of the elements `within`, off which one of them is 0. All in whole lanes.
pub(crate) fn add_outer(a: &[f64], b: &[f64], n: usize, within: Range<usize>, block: &mut [f64]) {
    match block.len() {
        _ if within.is_empty() => {}
        9 => add_outer_of_three(a, b, n, within, block),
        _ => add_outer_of_any(a, b, n, within, block),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// B Bᵀ + 1 as blocks of 2, and as rows.
    fn matrix(n_sources: usize, b: &[f64]) -> (BlockMatrix, Vec<f64>) {
        let n = 2 * n_sources;
        let mut dense = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                dense[i * n + j] = dot(&b[i * n..(i + 1) * n], &b[j * n..(j + 1) * n]);
            }
            dense[i * n + i] += 1.0;
        }
        let mut blocks = BlockMatrix::new(n_sources, 2);
        for row in 0..n_sources {
            for column in 0..=row {
                let number = blocks.block(row as u32, column as u32);
                let values = blocks.values_mut(number);
                for (k, value) in values.iter_mut().enumerate() {
                    *value = dense[(2 * row + k / 2) * n + 2 * column + k % 2];
                }
            }
        }
        (blocks, dense)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn cholesky_solves_and_inverts(
            n_sources in 1_usize..8, b in prop::collection::vec(-1.0..1.0, 256),
        ) {
            let (blocks, dense) = matrix(n_sources, &b);
            let n = blocks.order();
            let factor = blocks.factor(0.0, &[], Run::new()).unwrap();
            let inverse = factor.inverse(Run::new());
            for k in 0..n {
                let mut x = vec![0.0; n];
                x[k] = 1.0;
                factor.solve(&mut x);
                for i in 0..n {
                    prop_assert!((x[i] - inverse[k * n + i]).abs() < 1e-12);
                    let product = dot(&dense[i * n..(i + 1) * n], &x);
                    prop_assert!((product - f64::from(u8::from(i == k))).abs() < 1e-11);
                }
            }
        }
    }

    #[test]
    fn a_singular_matrix_has_no_factor_until_damped() {
        let mut blocks = BlockMatrix::new(2, 1);
        let pair = blocks.block(1, 0);
        for block in [0, 1, pair] {
            blocks.values_mut(block)[0] = 3.0;
        }
        assert!(blocks.factor(0.0, &[], Run::new()).is_none());
        assert!(blocks.factor(1e-3, &[], Run::new()).is_some());
    }

    #[test]
    fn a_degenerate_pair_is_held_and_the_rest_is_not() {
        // Sources 0 and 2 say the same, 3 says nothing, 1 is by itself.
        let mut blocks = BlockMatrix::new(4, 1);
        let pair = blocks.block(2, 0);
        let link = blocks.block(1, 0);
        for (block, value) in [(0, 4.0), (1, 2.0), (2, 9.0), (pair, 6.0), (link, 0.0)] {
            blocks.values_mut(block)[0] = value;
        }
        let (factor, is_determined) = blocks.factor_determined(Run::new()).unwrap();
        assert_eq!(is_determined, [false, true, false, false]);
        assert!((factor.inverse(Run::new())[5] - 0.5).abs() < 1e-15);
    }

    #[test]
    fn what_is_taken_is_taken_from_all_elements() {
        let mut blocks = BlockMatrix::new(2, 1);
        for (block, value) in [(0, 4.0), (1, 9.0)] {
            blocks.values_mut(block)[0] = value;
        }
        blocks.take_outer(vec![1.0, 2.0]);
        assert_eq!(blocks.full(), [3.0, -2.0, -2.0, 5.0]);
        assert!((blocks.diagonal(1) - 5.0).abs() < 1e-15);
        blocks.clear();
        assert_eq!(blocks.full(), [0.0; 4]);
    }
}
