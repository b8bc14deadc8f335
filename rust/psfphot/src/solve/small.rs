//! Small dense blocks.

use super::SINGULAR;
use super::blocks::Block;

/// The transpose.
pub(super) fn transposed<const P: usize>(a: &Block<P>) -> Block<P> {
    std::array::from_fn(|i| std::array::from_fn(|j| a[j][i]))
}

/// The inverse of a lower triangle.
pub(super) fn inverse_of_lower<const P: usize>(l: &Block<P>) -> Block<P> {
    let mut inverse = [[0.0; P]; P];
    for j in 0..P {
        inverse[j][j] = 1.0 / l[j][j];
        for i in j + 1..P {
            let sum: f64 = (j..i).map(|k| l[i][k] * inverse[k][j]).sum();
            inverse[i][j] = -sum / l[i][i];
        }
    }
    inverse
}

/// The diagonal of the inverse of a positive definite block.
pub(crate) fn inverse_diagonal<const P: usize>(a: &Block<P>) -> Option<[f64; P]> {
    let mut factor = *a;
    let diagonal = std::array::from_fn(|k| a[k][k]);
    factor_block(&mut factor, diagonal, SINGULAR).ok()?;
    let inverse = inverse_of_lower(&factor);
    Some(std::array::from_fn(|k| {
        inverse.iter().map(|row| row[k] * row[k]).sum()
    }))
}

/// The lower factor of a block, in place; the row whose pivot is less than `least`
/// times its `diagonal`, if there is one.
pub(super) fn factor_block<const P: usize>(
    a: &mut Block<P>,
    diagonal: [f64; P],
    least: f64,
) -> Result<(), usize> {
    for i in 0..P {
        for j in 0..i {
            let sum: f64 = (0..j).map(|k| a[i][k] * a[j][k]).sum();
            a[i][j] = (a[i][j] - sum) / a[j][j];
        }
        let sum: f64 = (0..i).map(|k| a[i][k] * a[i][k]).sum();
        let pivot = a[i][i] - sum;
        if !(pivot > least * diagonal[i] && pivot.is_finite()) {
            return Err(i);
        }
        a[i][i] = pivot.sqrt();
    }
    for i in 0..P {
        a[i][i + 1..].fill(0.0);
    }
    Ok(())
}
