//! Linear algebra of large symmetric systems in blocks: it knows no star.
//!
//! A system has n members with P parameters each. Its matrix is stored as P × P
//! blocks, of which most are zero and not there ([`blocks`]). It is factored by
//! a sparse Cholesky decomposition ([`llt`]) in an order with little fill
//! ([`order`]): the pattern once, the numbers as often as they change.

pub(crate) mod blocks;
mod dense;
pub(crate) mod llt;
mod order;
pub(crate) mod small;

use crate::{Error, Run};

use blocks::Blocks;

/// A combination of parameters that a matrix does not determine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Null {
    /// The member whose pivot failed.
    pub(crate) member: usize,
    /// The members with a notable part in the combination, itself included.
    pub(crate) members: Vec<usize>,
}

/// How a factorisation ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The matrix is positive definite.
    Factored,
    /// It is not; a null vector for each pivot that failed.
    Indefinite(Vec<Null>),
}

/// A factor of a matrix of one pattern, computed as often as its values change.
///
/// `held` names parameters, one after another; those take no part: their rows
/// and columns are those of the identity. Empty, it holds none.
pub(crate) trait Factor<const P: usize> {
    /// Factors the matrix.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    fn factor(&mut self, matrix: &Blocks<P>, held: &[bool], run: Run<'_>)
    -> Result<Outcome, Error>;

    /// Solves A x = b in place, after a factorisation that succeeded.
    fn solve(&mut self, b: &mut [[f64; P]]);

    /// Makes the factor the inverse, of which the diagonal and the blocks of the
    /// matrix's pattern are computed.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    fn invert(&mut self, run: Run<'_>) -> Result<(), Error>;

    /// The block (row, column) of the inverse: of the diagonal or of a pair that
    /// is in the pattern; `None` elsewhere.
    fn inverse(&self, row: usize, column: usize) -> Option<blocks::Block<P>>;
}

/// A pivot that has lost all but this part of its diagonal is no pivot: the
/// rest is rounding.
pub(crate) const SINGULAR: f64 = 1e-13;

/// A parameter has a part in a degeneracy if its own is more than this of the
/// largest. Rounding is far below, and the partners in a pair are far above.
pub(crate) const NOTABLE: f64 = 1e-3;

/// Factors a matrix with the members that it does not determine held; returns
/// whether each member is determined.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn factor_determined<const P: usize>(
    factor: &mut dyn Factor<P>,
    matrix: &Blocks<P>,
    held: &mut [bool],
    run: Run<'_>,
) -> Result<Vec<bool>, Error> {
    let mut is_determined = vec![true; matrix.n()];
    loop {
        let Outcome::Indefinite(nulls) = factor.factor(matrix, held, run)? else {
            return Ok(is_determined);
        };
        for null in nulls {
            for member in null.members.into_iter().chain([null.member]) {
                is_determined[member] = false;
                held[member * P..(member + 1) * P].fill(true);
            }
        }
    }
}
