//! Pairs of stars that matter to no step.

use crate::solve::blocks::Blocks;

use super::sweep::{Sums, Sweep};

/// A pair is weak where no correlation of the derivatives of its stars is larger. Of
/// stars of FWHM 3 those are the ones more than 7 pixels apart, half of all whose cores
/// overlap; without them the factor of 100,000 on 2048 x 2048 pixels takes a seventh of
/// the time.
pub(super) const WEAK: f64 = 1e-3;

/// Of no parameter the information is raised by more than this part. Steps shrink by as
/// much from one to the next, and PSFs with wings have many weak pairs.
const MOST: f64 = 0.01;

/// Takes the weak pairs out of a system; returns what stands for them: the part by which
/// the information on each parameter is to be raised.
///
/// The quadratic form of a block B between two stars is nowhere larger than that of the
/// diagonal |B_ij| (a_i + 1/a_i) for any a; with the ratio of the parameters' errors for
/// a the matrix is at least what it was with the pair, and stays positive definite. Steps
/// are shorter by no more than those parts, and end in the same place. Without this a
/// pair of stars that the data can hardly tell apart makes the matrix indefinite.
pub(super) fn prune<const P: usize>(
    sweep: &mut Sweep,
    sums: &mut Sums<P>,
    weak: f64,
) -> Vec<[f64; P]> {
    let matrix = &sums.matrix;
    let mut slack = vec![[0.0; P]; matrix.n()];
    let roots: Vec<[f64; P]> = matrix
        .diagonal
        .iter()
        .map(|own| std::array::from_fn(|i| own[i][i].sqrt()))
        .collect();
    let blocks = matrix.pairs().iter().zip(&matrix.values);
    let is_kept: Vec<bool> = blocks
        .map(|(&(row, column), block)| {
            let (row, column) = (row as usize, column as usize);
            let correlation = |i: usize, j: usize| {
                let scale = roots[row][i] * roots[column][j];
                // Also where a diagonal is zero: so is the block.
                (block[i][j].abs() / scale.max(f64::MIN_POSITIVE)).min(1.0)
            };
            let all = (0..P).flat_map(|i| (0..P).map(move |j| (i, j)));
            if all.clone().any(|(i, j)| correlation(i, j) > weak) {
                return true;
            }
            let mut raised = [slack[row], slack[column]];
            for (i, j) in all {
                raised[0][i] += correlation(i, j);
                raised[1][j] += correlation(i, j);
            }
            if raised.as_flattened().iter().any(|&part| part > MOST) {
                return true;
            }
            [slack[row], slack[column]] = raised;
            false
        })
        .collect();
    sweep.retain(&is_kept);
    sums.matrix.retain(&is_kept);
    slack
}

/// Raises the diagonal by what stands for the pairs that are left out.
pub(super) fn raise<const P: usize>(matrix: &mut Blocks<P>, slack: &[[f64; P]]) {
    for (own, slack) in matrix.diagonal.iter_mut().zip(slack) {
        for (i, slack) in slack.iter().enumerate() {
            own[i][i] *= 1.0 + slack;
        }
    }
}
