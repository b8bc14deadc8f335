//! The numbers of a factor.

use std::ops::Range;

use crate::simd::dispatch;
use crate::solve::blocks::{Block, Blocks};
use crate::solve::small::{factor_block, inverse_of_lower, subtract_product, transposed};
use crate::solve::{NOTABLE, Null, SINGULAR};
use crate::{Error, Run};

use super::pattern::Pattern;

/// Columns between two looks at whether to stop: some milliseconds where there
/// is much fill.
pub(super) const PATIENCE: usize = 256;

/// Some columns of a factor that have nothing to do with others.
pub(super) struct Part<'a, const P: usize> {
    pub(super) pattern: &'a Pattern,
    pub(super) columns: Range<usize>,
    /// The number of the first of `values` among all.
    pub(super) first: usize,
    pub(super) diagonal: &'a mut [Block<P>],
    pub(super) values: &'a mut [Block<P>],
}

/// What the kernels share while they go from column to column.
struct Progress {
    /// For each row of the part, the first of the columns whose next block is in
    /// it; and for each column the next one of that list.
    head: Vec<u32>,
    next: Vec<u32>,
    /// For each column the block that comes next.
    at: Vec<usize>,
    /// For each row its block in the column that is worked on.
    slot: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl<const P: usize> Part<'_, P> {
    /// The blocks of a column of the part, among `values`.
    pub(super) fn column(&self, j: usize) -> Range<usize> {
        let column = self.pattern.column(self.columns.start + j);
        column.start - self.first..column.end - self.first
    }

    /// The row of one of `values`, counted from the part's first.
    pub(super) fn row(&self, k: usize) -> usize {
        self.pattern.rows[self.first + k] as usize - self.columns.start
    }

    /// The member that a column of the part belongs to.
    fn member(&self, j: usize) -> usize {
        self.pattern.order[self.columns.start + j] as usize
    }

    /// Factors. Where a pivot fails there is a null vector; its member is left out, so
    /// that all failures are found at once.
    pub(super) fn factor(
        &mut self,
        matrix: &Blocks<P>,
        held: &[bool],
        run: Run<'_>,
    ) -> Result<Vec<Null>, Error> {
        self.load(matrix, held);
        let n = self.columns.len();
        let mut progress = Progress {
            head: vec![NONE; n],
            next: vec![NONE; n],
            at: vec![0; n],
            slot: vec![0; n],
        };
        let mut nulls = Vec::new();
        for range in crate::run::chunks(n, PATIENCE) {
            run.check()?;
            for j in range {
                let diagonal: [f64; P] = std::array::from_fn(|k| self.diagonal[j][k][k]);
                update(self, &mut progress, j);
                if let Err(k) = factor_block(&mut self.diagonal[j], diagonal, SINGULAR) {
                    nulls.push(self.null(matrix, j, k));
                    self.leave_out(j);
                }
                scale(self, j);
            }
        }
        Ok(nulls)
    }

    /// Copies the matrix, with the parameters that are held as the identity has them.
    fn load(&mut self, matrix: &Blocks<P>, held: &[bool]) {
        let is_held = |member: usize, k: usize| held.get(member * P + k).is_some_and(|&h| h);
        for j in 0..self.columns.len() {
            let column = self.member(j);
            let mut own = matrix.diagonal[column];
            for k in (0..P).filter(|&k| is_held(column, k)) {
                own[k].fill(0.0);
                for row in &mut own {
                    row[k] = 0.0;
                }
                own[k][k] = 1.0;
            }
            self.diagonal[j] = own;
            for entry in self.column(j) {
                let Some((pair, is_transposed)) = self.pattern.from[self.first + entry].pair()
                else {
                    self.values[entry] = [[0.0; P]; P];
                    continue;
                };
                let mut block = matrix.values[pair];
                if is_transposed {
                    block = transposed(&block);
                }
                if !held.is_empty() {
                    let row = self.member(self.row(entry));
                    for (k, values) in block.iter_mut().enumerate() {
                        for (l, value) in values.iter_mut().enumerate() {
                            if is_held(row, k) || is_held(column, l) {
                                *value = 0.0;
                            }
                        }
                    }
                }
                self.values[entry] = block;
            }
        }
    }

    /// Makes a column that of the identity.
    fn leave_out(&mut self, j: usize) {
        self.diagonal[j] =
            std::array::from_fn(|a| std::array::from_fn(|b| if a == b { 1.0 } else { 0.0 }));
        let column = self.column(j);
        self.values[column].fill([[0.0; P]; P]);
    }

    /// The combination that the matrix takes to (almost) nothing, where the pivot
    /// `k` of column `j` failed: the solution of Lᵀ v = e above that row.
    fn null(&self, matrix: &Blocks<P>, j: usize, k: usize) -> Null {
        let mut v = vec![[0.0; P]; j + 1];
        let own = &self.diagonal[j];
        v[j][k] = 1.0;
        for a in (0..k).rev() {
            let sum: f64 = (a + 1..=k).map(|b| own[b][a] * v[j][b]).sum();
            v[j][a] = -sum / own[a][a];
        }
        for column in (0..j).rev() {
            let mut sum = [0.0; P];
            for entry in self.column(column) {
                let row = self.row(entry);
                if row > j {
                    break;
                }
                for (values, v) in self.values[entry].iter().zip(v[row]) {
                    for (sum, l) in sum.iter_mut().zip(values) {
                        *sum -= l * v;
                    }
                }
            }
            v[column] = solve_upper(&self.diagonal[column], sum);
        }
        // In units in which every parameter has the same weight.
        let part = |column: usize| {
            let diagonal = &matrix.diagonal[self.member(column)];
            let parts = (0..P).map(|a| v[column][a].abs() * diagonal[a][a].sqrt());
            parts.fold(0.0, f64::max)
        };
        let largest = (0..=j).map(part).fold(0.0, f64::max);
        let is_notable = |&column: &usize| part(column) > NOTABLE * largest;
        Null {
            member: self.member(j),
            members: (0..=j)
                .filter(is_notable)
                .map(|column| self.member(column))
                .collect(),
        }
    }
}

/// Subtracts from column `j` what the columns before it have to do with it.
#[inline(always)]
#[allow(clippy::inline_always)] // a kernel
fn update_kernel<const FMA: bool, const P: usize>(
    part: &mut Part<'_, P>,
    progress: &mut Progress,
    j: usize,
) {
    let own = part.column(j);
    for entry in own.clone() {
        let row = part.row(entry);
        progress.slot[row] = entry as u32;
    }
    let mut column = progress.head[j];
    while column != NONE {
        let k = column as usize;
        column = progress.next[k];
        let (at, end) = (progress.at[k], part.column(k).end);
        let pivot = part.values[at];
        subtract_product::<FMA, P>(&mut part.diagonal[j], &pivot, &pivot);
        for entry in at + 1..end {
            let slot = progress.slot[part.row(entry)] as usize;
            let block = part.values[entry];
            subtract_product::<FMA, P>(&mut part.values[slot], &block, &pivot);
        }
        follow(part, progress, k, at + 1, end);
    }
    follow(part, progress, j, own.start, own.end);
}

/// Puts a column into the list of the row of its next block.
fn follow<const P: usize>(
    part: &Part<'_, P>,
    progress: &mut Progress,
    column: usize,
    at: usize,
    end: usize,
) {
    if at < end {
        let row = part.row(at);
        progress.at[column] = at;
        progress.next[column] = progress.head[row];
        progress.head[row] = column as u32;
    }
}

dispatch! {
    fn update[const P: usize](part: &mut Part<'_, P>, progress: &mut Progress, j: usize)
        = update_kernel[P]
}

/// Divides column `j` by its diagonal: L = A L⁻ᵀ.
#[inline(always)]
#[allow(clippy::inline_always)]
fn scale_kernel<const FMA: bool, const P: usize>(part: &mut Part<'_, P>, j: usize) {
    // Negative, as products are subtracted.
    let inverse = inverse_of_lower(&part.diagonal[j]).map(|row| row.map(|v| -v));
    for entry in part.column(j) {
        let mut block = [[0.0; P]; P];
        subtract_product::<FMA, P>(&mut block, &part.values[entry], &inverse);
        part.values[entry] = block;
    }
}

dispatch! {
    fn scale[const P: usize](part: &mut Part<'_, P>, j: usize) = scale_kernel[P]
}

/// Solves L x = b.
fn solve_lower<const P: usize>(l: &Block<P>, mut b: [f64; P]) -> [f64; P] {
    for i in 0..P {
        let sum: f64 = (0..i).map(|k| l[i][k] * b[k]).sum();
        b[i] = (b[i] - sum) / l[i][i];
    }
    b
}

/// Solves Lᵀ x = b.
fn solve_upper<const P: usize>(l: &Block<P>, mut b: [f64; P]) -> [f64; P] {
    for i in (0..P).rev() {
        let sum: f64 = (i + 1..P).map(|k| l[k][i] * b[k]).sum();
        b[i] = (b[i] - sum) / l[i][i];
    }
    b
}

/// Solves A x = b in place, in the order of elimination.
pub(super) fn solve<const P: usize>(
    pattern: &Pattern,
    diagonal: &[Block<P>],
    values: &[Block<P>],
    x: &mut [[f64; P]],
) {
    for j in 0..x.len() {
        x[j] = solve_lower(&diagonal[j], x[j]);
        let own = x[j];
        for entry in pattern.column(j) {
            let target = &mut x[pattern.rows[entry] as usize];
            for (target, l) in target.iter_mut().zip(&values[entry]) {
                let products = l.iter().zip(&own).map(|(l, x)| l * x);
                *target -= products.sum::<f64>();
            }
        }
    }
    for j in (0..x.len()).rev() {
        let mut own = x[j];
        for entry in pattern.column(j) {
            let below = x[pattern.rows[entry] as usize];
            for (l, below) in values[entry].iter().zip(below) {
                for (own, l) in own.iter_mut().zip(l) {
                    *own -= l * below;
                }
            }
        }
        x[j] = solve_upper(&diagonal[j], own);
    }
}
