//! Products of dense matrices, stored column by column.
//!
//! Both operands are copied into strips, a few rows wide, in which the values of a
//! column are together: the kernel then reads its memory from front to back and keeps a
//! tile of the product in registers (Goto & van de Geijn 2008, ACM Trans. Math. Softw.
//! 34, 12).

use crate::simd::{dispatch, mul_add};
use crate::{Error, Run};

/// Rows and columns of a tile: eight registers of four numbers for its sums, and four
/// for the operands.
const TILE: (usize, usize) = (8, 4);

/// Columns of both operands that are worked off at a time: strips of them stay in the
/// cache.
const DEPTH: usize = 128;

/// Columns of the product that are a task: some 0.1 ms where there is much to do.
const TASK: usize = 64;

/// Multiplications from which on threads share the work.
const WORTHWHILE: usize = 1 << 20;

/// A rectangle of numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) values: &'a [f64],
    /// How far one row is from the next, and one column.
    pub(super) steps: (usize, usize),
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl<'a> View<'a> {
    /// Of whole columns; `height` is that of those it is a part of.
    pub(super) fn of_columns(
        values: &'a [f64],
        height: usize,
        rows: usize,
        columns: usize,
    ) -> Self {
        Self {
            values,
            steps: (1, height),
            rows,
            columns,
        }
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            steps: (self.steps.1, self.steps.0),
            rows: self.columns,
            columns: self.rows,
            ..self
        }
    }

    /// Some of its columns as strips of N rows; the last is filled up with zeros.
    fn pack<const N: usize>(&self, columns: std::ops::Range<usize>, strips: &mut Vec<f64>) {
        let depth = columns.len();
        strips.clear();
        strips.resize(self.rows.div_ceil(N) * N * depth, 0.0);
        for (number, strip) in strips.chunks_exact_mut(N * depth).enumerate() {
            let first = number * N;
            let n = N.min(self.rows - first);
            if self.steps.0 == 1 {
                for (target, column) in strip.chunks_exact_mut(N).zip(columns.clone()) {
                    let start = column * self.steps.1 + first;
                    target[..n].copy_from_slice(&self.values[start..start + n]);
                }
            } else {
                for i in 0..n {
                    let start = (first + i) * self.steps.0 + columns.start * self.steps.1;
                    let source = self.values[start..].iter().step_by(self.steps.1);
                    for (target, value) in strip[i..].iter_mut().step_by(N).zip(source) {
                        *target = *value;
                    }
                }
            }
        }
    }
}

/// How the columns of a product are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One after another, of so many rows.
    Rectangle(usize),
    /// Those of the lower triangle of so many rows, without what is above the diagonal.
    Triangle(usize),
}

impl Shape {
    /// Where row 0 of a column would be stored, or is.
    pub(super) fn start(self, column: usize) -> usize {
        match self {
            Self::Rectangle(rows) => column * rows,
            Self::Triangle(rows) => (column * (2 * rows - column).saturating_sub(1)) / 2,
        }
    }

    /// Where the values of a column begin.
    fn first(self, column: usize) -> usize {
        self.start(column) + if self.is_triangle() { column } else { 0 }
    }

    fn is_triangle(self) -> bool {
        matches!(self, Self::Triangle(_))
    }

    /// Numbers of so many columns.
    pub(super) fn len(self, columns: usize) -> usize {
        self.first(columns)
    }
}

/// Buffers of a product.
#[derive(Debug, Default)]
pub(super) struct Strips {
    left: Vec<f64>,
    right: Vec<f64>,
}

/// `c -= a bᵀ`; of a triangle what is not above its diagonal.
///
/// # Errors
/// [`Error::Cancelled`].
pub(super) fn subtract_product(
    c: &mut [f64],
    shape: Shape,
    a: View<'_>,
    b: View<'_>,
    strips: &mut Strips,
    run: Run<'_>,
) -> Result<(), Error> {
    let is_shared = run.is_parallel() && a.rows * b.rows * a.columns > WORTHWHILE;
    let width = if is_shared { TASK } else { b.rows.max(1) };
    for depth in crate::run::chunks(a.columns, DEPTH) {
        a.pack::<{ TILE.0 }>(depth.clone(), &mut strips.left);
        b.pack::<{ TILE.1 }>(depth.clone(), &mut strips.right);
        let mut tasks = Vec::new();
        let mut rest = &mut *c;
        for columns in crate::run::chunks(b.rows, width) {
            let n = shape.first(columns.end) - shape.first(columns.start);
            let (values, after) = rest.split_at_mut(n);
            rest = after;
            tasks.push(Product {
                values,
                shape,
                columns,
                rows: a.rows,
                depth: depth.len(),
            });
        }
        let (left, right) = (&strips.left[..], &strips.right[..]);
        if let [only] = &mut tasks[..] {
            subtract_tiles(only, left, right);
        } else {
            run.map(
                tasks,
                || (),
                |(), mut task| {
                    subtract_tiles(&mut task, left, right);
                    Ok(())
                },
            )?;
        }
    }
    Ok(())
}

/// Some columns of a product.
struct Product<'a> {
    values: &'a mut [f64],
    shape: Shape,
    columns: std::ops::Range<usize>,
    rows: usize,
    depth: usize,
}

#[inline(always)]
#[allow(clippy::inline_always)] // a kernel
fn tiles_kernel<const FMA: bool>(product: &mut Product<'_>, left: &[f64], right: &[f64]) {
    let (depth, shape) = (product.depth, product.shape);
    let offset = shape.first(product.columns.start);
    for j0 in product.columns.clone().step_by(TILE.1) {
        let b = &right[j0 * depth..(j0 + TILE.1) * depth];
        // In a triangle from the tile on that has the diagonal.
        let top = if shape.is_triangle() {
            j0 / TILE.0 * TILE.0
        } else {
            0
        };
        for i0 in (top..product.rows).step_by(TILE.0) {
            let a = &left[i0 * depth..(i0 + TILE.0) * depth];
            let sums = tile::<FMA>(a, b);
            let bottom = (i0 + TILE.0).min(product.rows);
            for (sums, j) in sums.iter().zip(j0..product.columns.end) {
                let first = if shape.is_triangle() { i0.max(j) } else { i0 };
                if first >= bottom {
                    continue;
                }
                let start = shape.start(j) + first - offset;
                let target = &mut product.values[start..start + bottom - first];
                if let Ok(target) = <&mut [f64; TILE.0]>::try_from(&mut *target) {
                    for (c, sum) in target.iter_mut().zip(sums) {
                        *c -= sum;
                    }
                } else {
                    for (c, sum) in target.iter_mut().zip(&sums[first - i0..]) {
                        *c -= sum;
                    }
                }
            }
        }
    }
}

/// The products of two strips, summed up.
#[inline(always)]
#[allow(clippy::inline_always)]
fn tile<const FMA: bool>(a: &[f64], b: &[f64]) -> [[f64; TILE.0]; TILE.1] {
    let mut sums = [[0.0; TILE.0]; TILE.1];
    let (a, b) = (a.as_chunks::<{ TILE.0 }>().0, b.as_chunks::<{ TILE.1 }>().0);
    for (a, b) in a.iter().zip(b) {
        for j in 0..TILE.1 {
            for i in 0..TILE.0 {
                sums[j][i] = mul_add::<FMA>(a[i], b[j], sums[j][i]);
            }
        }
    }
    sums
}

dispatch! {
    fn subtract_tiles(product: &mut Product<'_>, left: &[f64], right: &[f64]) = tiles_kernel
}

/// Factors the first `columns` columns of a symmetric matrix, of `height` rows each, in
/// place: what is below the diagonal becomes L.
///
/// A pivot that is no more than `least` in its place, or no number, is none: its row and
/// column, and those that follow of the same block of `block`, become those of the
/// identity. Returns which.
pub(super) fn factor_columns(
    panel: &mut [f64],
    height: usize,
    least: &[f64],
    block: usize,
) -> Vec<usize> {
    let mut failed = Vec::new();
    // Up to where columns are left out.
    let mut left_out = 0;
    for (c, &least) in least.iter().enumerate() {
        let (before, rest) = panel.split_at_mut(c * height);
        let own = &mut rest[c..height];
        if c >= left_out {
            subtract_columns(own, before, height, c);
            let pivot = own[0];
            if pivot > least && pivot.is_finite() {
                let root = pivot.sqrt();
                own[0] = root;
                let inverse = 1.0 / root;
                for value in &mut own[1..] {
                    *value *= inverse;
                }
                continue;
            }
            failed.push(c);
            left_out = (c / block + 1) * block;
        }
        own.fill(0.0);
        own[0] = 1.0;
    }
    failed
}

/// Subtracts from a column, from its row `first` on, what the columns `before` it have
/// to do with it.
#[inline(always)]
#[allow(clippy::inline_always)]
fn columns_kernel<const FMA: bool>(own: &mut [f64], before: &[f64], height: usize, first: usize) {
    let mut pairs = before.chunks_exact(2 * height);
    for pair in &mut pairs {
        let (a, b) = (&pair[first..height], &pair[height + first..]);
        let (p, q) = (a[0], b[0]);
        for ((value, a), b) in own.iter_mut().zip(a).zip(b) {
            *value = mul_add::<FMA>(-q, *b, mul_add::<FMA>(-p, *a, *value));
        }
    }
    if let Some(column) = pairs.remainder().get(first..height) {
        let p = column[0];
        for (value, a) in own.iter_mut().zip(column) {
            *value = mul_add::<FMA>(-p, *a, *value);
        }
    }
}

dispatch! {
    fn subtract_columns(own: &mut [f64], before: &[f64], height: usize, first: usize)
        = columns_kernel
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some numbers.
    fn numbers(n: usize) -> Vec<f64> {
        (0..n).map(|k| (k as f64 * 1.7).sin()).collect()
    }

    #[test]
    fn products_of_rectangles_and_triangles_are_those_of_their_sums() -> Result<(), Error> {
        for (rows, columns, depth) in [(1, 1, 1), (8, 4, 3), (21, 13, 150), (130, 129, 200)] {
            let (a, b) = (numbers(rows * depth), numbers(columns * depth + 5));
            let b = &b[5..];
            let a_view = View::of_columns(&a, rows, rows, depth);
            // Row by row: the transpose of what is stored column by column.
            let b_view = View::of_columns(b, depth, depth, columns).transposed();
            let shapes = [Shape::Rectangle(rows), Shape::Triangle(rows)];
            for shape in shapes {
                if shape.is_triangle() && columns > rows {
                    continue;
                }
                for run in [Run::new(), Run::new().serial()] {
                    let mut c = vec![1.0; shape.len(columns)];
                    let strips = &mut Strips::default();
                    subtract_product(&mut c, shape, a_view, b_view, strips, run)?;
                    for j in 0..columns {
                        let first = if shape.is_triangle() { j } else { 0 };
                        for i in first..rows {
                            let products = (0..depth).map(|p| a[p * rows + i] * b[j * depth + p]);
                            let expected = 1.0 - products.sum::<f64>();
                            let value = c[shape.start(j) + i];
                            assert!((value - expected).abs() < 1e-12, "{shape:?} {i} {j}");
                        }
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn columns_are_factored_and_failing_pivots_left_out() {
        // [4 2 2; 2 2 1; 2 1 3] = L Lᵀ with L = [2; 1 1; 1 0 √2], whose first two columns
        // are asked for.
        let mut panel = vec![4.0, 2.0, 2.0, 0.0, 2.0, 1.0];
        assert!(factor_columns(&mut panel, 3, &[1e-9, 1e-9], 1).is_empty());
        assert_eq!(panel, [2.0, 1.0, 1.0, 0.0, 1.0, 0.0]);
        // The second pivot is nothing, and the third is of the same block.
        let mut panel = vec![4.0, 2.0, 2.0, 0.0, 1.0, 1.0, 0.0, 0.0, 9.0];
        assert_eq!(factor_columns(&mut panel, 3, &[1e-9; 3], 3), [1]);
        assert_eq!(panel, [2.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    }
}
