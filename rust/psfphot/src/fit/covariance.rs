//! How the covariance of fitted parameters is made.

use crate::Error;

/// How the covariance of fitted parameters is made of the normal matrix A = `JᵀWJ`,
/// the weights w and the residuals r.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Covariance {
    /// A⁻¹: right where the errors of the pixels are. Needs them.
    Formal,
    /// A⁻¹ χ²/(n − p): right where all pixels are equally noisy, for want of their
    /// errors. Of a bright star, whose own light is the noise, it makes errors several
    /// times too small.
    Unit,
    /// A⁻¹ (Σ w² r²/(1 − h)² j jᵀ) A⁻¹, with the derivatives j of a pixel and its
    /// leverage h = w jᵀA⁻¹j: the noise of each pixel is taken from its own residual
    /// (White 1980, Econometrica 48, 817; HC3 of `MacKinnon` & White 1985, J.
    /// Econometrics 29, 305). Where a pixel has a leverage near 1, as those of a star
    /// that is narrower than a pixel, its residual says nothing, and errors are as with
    /// [`Covariance::Formal`] or [`Covariance::Unit`].
    Sandwich,
}

impl Covariance {
    /// The one that is taken: as `asked`, or for want of that formal with errors of the
    /// pixels and the sandwich without.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for one that needs errors, or has no use for them.
    pub(crate) fn chosen(asked: Option<Self>, has_error: bool) -> Result<Self, Error> {
        match (asked, has_error) {
            (Some(Self::Formal), false) => Err(Error::invalid(
                "covariance",
                "not be formal without errors of the pixels",
                "no errors",
            )),
            (Some(Self::Unit), true) => Err(Error::invalid(
                "covariance",
                "not be unit with errors of the pixels",
                "errors",
            )),
            (Some(asked), _) => Ok(asked),
            (None, true) => Ok(Self::Formal),
            (None, false) => Ok(Self::Sandwich),
        }
    }
}

/// The joint covariance of sources that were fitted together, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Joint {
    /// The lower triangle of the matrix of their free parameters, row by row.
    Dense(Vec<f64>),
    /// The equations that it follows from.
    Sparse(Box<super::system::kept::Kept>),
}

/// The lower triangle of a matrix of some order, row by row.
pub(crate) fn lower_triangle(matrix: &[f64], order: usize) -> Vec<f64> {
    let rows = matrix.chunks_exact(order.max(1)).enumerate();
    rows.flat_map(|(i, row)| &row[..=i]).copied().collect()
}
