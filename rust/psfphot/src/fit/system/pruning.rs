//! Pairs of stars that matter to no step.

use crate::solve::blocks::Blocks;

use super::sweep::{Sums, Sweep};

/// A pair is weak where no correlation of the derivatives of its stars is larger. Of
/// stars of FWHM 3 those are the ones more than 7 pixels apart, half of all whose cores
/// overlap; without them the factor of 100,000 on 2048 x 2048 pixels takes a seventh of
/// the time.
pub(super) const WEAK: f64 = 1e-3;

/// Of no parameter the information is raised by more than this part: steps fall short by
/// as much, and PSFs with wings have many weak pairs.
const MOST: f64 = 0.01;

/// Takes the weak pairs out of a system; returns what stands for them: the part by which
/// the information on each parameter is to be raised.
///
/// The quadratic form of a block B between two stars is nowhere larger than that of the
/// diagonal `|B_ij| (a + 1/a)` for any a; with the ratio of the parameters' errors for a
/// the matrix is at least what it was with the pair, and stays positive definite. Steps
/// are shorter by no more than those parts, and end in the same place. Without this a
/// pair of stars that the data can hardly tell apart makes the matrix indefinite.
pub(super) fn prune<const P: usize>(
    sweep: &mut Sweep,
    sums: &mut Sums<P>,
    weak: f64,
) -> Vec<[f64; P]> {
    let (is_kept, slack) = find_weak(&sums.matrix, weak);
    sweep.retain(&is_kept);
    sums.matrix.retain(&is_kept);
    slack
}

/// Tells which pairs are kept, and what stands for the others.
fn find_weak<const P: usize>(matrix: &Blocks<P>, weak: f64) -> (Vec<bool>, Vec<[f64; P]>) {
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
    (is_kept, slack)
}

/// Raises the diagonal by what stands for the pairs that are left out.
pub(super) fn raise<const P: usize>(matrix: &mut Blocks<P>, slack: &[[f64; P]]) {
    for (own, slack) in matrix.diagonal.iter_mut().zip(slack) {
        for (i, slack) in slack.iter().enumerate() {
            own[i][i] *= 1.0 + slack;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `n` members all of which are linked by blocks of about `size`.
    fn matrix(n: u32, size: f64) -> Blocks<2> {
        let pairs = (0..n).flat_map(|row| (0..row).map(move |column| (row, column)));
        let mut matrix = Blocks::new(n as usize, pairs.collect());
        for (k, own) in (1_u32..).zip(&mut matrix.diagonal) {
            // Of different units.
            *own = [[f64::from(k), 0.1], [0.1, 1e4]];
        }
        for (k, block) in (1_u32..).zip(&mut matrix.values) {
            let value = |i: u32| size * f64::from(k * 7 + i).sin();
            *block = [
                [value(0), 100.0 * value(1)],
                [100.0 * value(2), 1e4 * value(3)],
            ];
        }
        matrix
    }

    #[test]
    fn without_weak_pairs_a_matrix_is_no_smaller() {
        let whole = matrix(9, 2e-4);
        let (is_kept, slack) = find_weak(&whole, 1e-3);
        assert!(is_kept.iter().all(|kept| !kept));
        let mut pruned = whole.clone();
        pruned.retain(&is_kept);
        raise(&mut pruned, &slack);
        for seed in 0..200_u32 {
            let value = |i: u32| f64::from(seed * 31 + i * i).sin();
            let x: Vec<[f64; 2]> = (0..9).map(|i| [value(i), 0.01 * value(50 + i)]).collect();
            let form = |of: &Blocks<2>| -> f64 {
                let product = of.times(&x);
                let pairs = x.as_flattened().iter().zip(product.as_flattened());
                pairs.map(|(a, b)| a * b).sum()
            };
            assert!(form(&pruned) >= form(&whole));
        }
    }

    #[test]
    fn strong_pairs_stay_and_weak_ones_beyond_what_steps_can_bear() {
        let (is_kept, slack) = find_weak(&matrix(9, 0.05), 1e-3);
        assert!(is_kept.iter().all(|&kept| kept));
        assert!(slack.as_flattened().iter().all(|&part| part == 0.0));
        let (is_kept, slack) = find_weak(&matrix(60, 5e-4), 1e-3);
        assert!(is_kept.contains(&true) && is_kept.contains(&false));
        assert!(slack.as_flattened().iter().all(|&part| part <= MOST));
    }
}
