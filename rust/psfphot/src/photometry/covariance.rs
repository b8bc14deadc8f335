//! The joint covariance of sources that were fitted together.

use crate::fit::{Parameters, group};
use crate::image::{Frame, Pixel};
use crate::psf::Psf;
use crate::{Error, Run};

use super::plan::Plan;
use super::starts::Starts;
use super::{Photometry, free_parameters};

impl Photometry {
    /// The covariance of the free parameters of the sources `members`, as they
    /// came out of a joint fit: with n free parameters per source a matrix of
    /// (members · n)², row by row, source by source, in the order flux, x, y,
    /// shape.
    ///
    /// `starts` are those of the fit, which say what its pixels are, and
    /// `fitted` the parameters of the members at its end. Rows and columns of
    /// what has no covariance are NaN.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] as [`Photometry::fit`], or if a member is not
    /// one of the sources; [`Error::ShapeMismatch`] unless there are as many
    /// `fitted` as `members`; [`Error::Cancelled`].
    pub fn covariance<T: Pixel>(
        &self,
        psf: &dyn Psf,
        frame: &Frame<'_, T>,
        starts: &Starts<'_>,
        members: &[usize],
        fitted: &[Parameters],
        run: Run<'_>,
    ) -> Result<Vec<f64>, Error> {
        Error::check_len("fitted", members.len(), fitted.len())?;
        if let Some(&wrong) = members.iter().find(|&&i| i >= starts.len()) {
            let expected = format!("be below the number of sources, {}", starts.len());
            return Err(Error::invalid("members", expected, wrong));
        }
        let free = free_parameters(self, psf)?;
        let indices = members.iter().copied();
        let plan = Plan::new(self, &free, psf, frame, starts, indices, run)?;
        let (mut rows, mut sources, mut parameters) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (&index, fitted)) in members.iter().zip(fitted).enumerate() {
            if let Ok(source) = plan.source(index)
                && fitted.iter().all(|value| value.is_finite())
            {
                rows.push(row);
                sources.push(source);
                parameters.push(*fitted);
            }
        }
        let n = members.len() * free.len();
        let mut whole = vec![f64::NAN; n * n];
        let order = sources.len() * free.len();
        let part = group::covariance(&plan.fitter, &plan.exposure, &sources, parameters)?;
        let place = |i: usize| rows[i / free.len()] * free.len() + i % free.len();
        for (k, value) in part.into_iter().enumerate() {
            whole[place(k / order) * n + place(k % order)] = value;
        }
        Ok(whole)
    }
}
