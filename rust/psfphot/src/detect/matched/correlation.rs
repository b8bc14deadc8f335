//! Correlations of one plane with several kernels at once.

use super::separable::{Separable, Term};
use crate::simd::{dispatch, mul_add};

/// Columns by which a plane has to reach beyond the last window.
pub(super) const LANES: usize = 16;
/// Columns of a block of column sums: with `TOGETHER` terms all sums stay in
/// registers, and there are enough of them to hide the latency of additions.
const BLOCK: usize = 8;
/// Terms whose column sums are made together: each pixel is loaded once for all.
const TOGETHER: usize = 4;

/// Kernels of one size whose sums are wanted of the same plane.
#[derive(Debug, Clone)]
pub(super) struct Correlation {
    side: usize,
    /// Whose kernel's each is.
    terms: Vec<(usize, Term)>,
}

impl Correlation {
    pub(super) fn new(side: usize, kernels: &[&Separable]) -> Self {
        let terms = kernels.iter().enumerate().flat_map(|(k, kernel)| {
            let terms = kernel.terms.iter();
            terms.map(move |term| (k, term.clone()))
        });
        Self {
            side,
            terms: terms.collect(),
        }
    }

    /// The correlations of the windows whose first pixels are `plane[0]`,
    /// `plane[1]`, ..., one for each element of the `sums` of each kernel; rows of
    /// the plane are `stride` apart.
    ///
    /// The plane has to reach `side + LANES` columns beyond the last of them.
    pub(super) fn correlate(
        &self,
        plane: &[f64],
        stride: usize,
        work: &mut Vec<f64>,
        sums: &mut [&mut [f64]],
    ) {
        let n = sums.iter().map(|sums| sums.len()).max().unwrap_or(0);
        for sums in sums.iter_mut() {
            sums.fill(0.0);
        }
        let width = (n + self.side - 1).next_multiple_of(LANES);
        work.resize(TOGETHER * width, 0.0);
        for terms in self.terms.chunks(TOGETHER) {
            let work = &mut work[..terms.len() * width];
            match terms {
                [(_, a), (_, b), (_, c), (_, d)] => {
                    let columns = [&*a.column, &*b.column, &*c.column, &*d.column];
                    column_sums(plane, stride, &columns, work);
                }
                [(_, a), (_, b), (_, c)] => {
                    column_sums(plane, stride, &[&*a.column, &*b.column, &*c.column], work);
                }
                [(_, a), (_, b)] => {
                    column_sums(plane, stride, &[&*a.column, &*b.column], work);
                }
                _ => {
                    for (_, term) in terms {
                        column_sums(plane, stride, &[&*term.column], work);
                    }
                }
            }
            for ((kernel, term), columns) in terms.iter().zip(work.chunks_exact(width)) {
                add_row_sums(columns, &term.row, sums[*kernel]);
            }
        }
    }
}

dispatch! {
    /// Each column's sums over the rows, weighted in `N` ways, one after the
    /// other; a multiple of `BLOCK` columns.
    fn column_sums [const N: usize] (
        plane: &[f64], stride: usize, weights: &[&[f64]; N], sums: &mut [f64],
    ) = column_sums_kernel [N]
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn column_sums_kernel<const FMA: bool, const N: usize>(
    plane: &[f64],
    stride: usize,
    weights: &[&[f64]; N],
    sums: &mut [f64],
) {
    let width = sums.len() / N;
    let side = weights[0].len();
    for start in (0..width).step_by(BLOCK) {
        let mut sum = [[0.0; BLOCK]; N];
        for j in 0..side {
            let at = j * stride + start;
            let values = &plane[at..at + BLOCK];
            for (sum, weights) in sum.iter_mut().zip(weights) {
                let weight = weights[j];
                for (s, value) in sum.iter_mut().zip(values) {
                    *s = mul_add::<FMA>(weight, *value, *s);
                }
            }
        }
        for (k, sum) in sum.iter().enumerate() {
            let at = k * width + start;
            sums[at..at + BLOCK].copy_from_slice(sum);
        }
    }
}

dispatch! {
    /// Adds the sums over `weights.len()` values from each place on, weighted.
    fn add_row_sums(values: &[f64], weights: &[f64], sums: &mut [f64]) = add_row_sums_kernel
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn add_row_sums_kernel<const FMA: bool>(values: &[f64], weights: &[f64], sums: &mut [f64]) {
    /// Eight AVX2 registers.
    const WIDE: usize = 32;
    let n_blocked = sums.len() - sums.len() % WIDE;
    let (blocks, rest) = sums.split_at_mut(n_blocked);
    for (i, block) in blocks.chunks_exact_mut(WIDE).enumerate() {
        let mut sum = [0.0; WIDE];
        sum.copy_from_slice(block);
        for (j, weight) in weights.iter().enumerate() {
            let start = i * WIDE + j;
            for (s, value) in sum.iter_mut().zip(&values[start..start + WIDE]) {
                *s = mul_add::<FMA>(*weight, *value, *s);
            }
        }
        block.copy_from_slice(&sum);
    }
    for (i, sum) in rest.iter_mut().enumerate() {
        for (weight, value) in weights.iter().zip(&values[n_blocked + i..]) {
            *sum = mul_add::<FMA>(*weight, *value, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::samples::noise;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn correlations_are_the_direct_sums(
            half in 1..7_usize, n in 1..90_usize, seed in 0..100_u64, rank in 1..4_usize
        ) {
            let side = 2 * half + 1;
            // Kernels of noise need all their terms: of one to all numbers of them.
            let values = noise(side * side, seed + 1);
            let most = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            let tolerances = [0.5 / rank as f64, 1e-12, 0.9];
            let kernels = tolerances.map(|t| Separable::new(&values, side, t));
            let stride = n + side - 1 + LANES;
            let plane = noise(stride * side, seed);
            let mut sums = [vec![f64::NAN; n], vec![f64::NAN; n], vec![f64::NAN; n]];
            let correlation = Correlation::new(side, &kernels.each_ref());
            let [a, b, c] = &mut sums;
            correlation.correlate(&plane, stride, &mut Vec::new(), &mut [a, b, c]);
            for (kernel, sums) in kernels.iter().zip(&sums) {
                let kernel = kernel.values();
                for (x, sum) in sums.iter().enumerate() {
                    let terms =
                        (0..side * side).map(|k| kernel[k] * plane[k / side * stride + x + k % side]);
                    let direct: f64 = terms.sum();
                    prop_assert!((sum - direct).abs() < 1e-10 * most, "{sum} {direct}");
                }
            }
        }
    }
}
