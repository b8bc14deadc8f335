//! Rows for parameters that somebody else has fitted.

use crate::fit::{Fitter, Parameters, Termination, group};
use crate::image::{Frame, Pixel};
use crate::psf::Psf;
use crate::{Error, Run};

use super::duplicates::flag_duplicates;
use super::outcome::Fitted;
use super::source::{FittedSource, Starts};
use super::tasks::{Job, members_of_groups};
use super::{Photometry, free_parameters};

/// What another fitter found for a source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Flux, x, y and shape.
    pub parameters: Parameters,
    /// Their 1-sigma errors; NaN for all that are free says that there is no
    /// covariance.
    pub errors: Parameters,
    /// Whether its fit has converged.
    pub has_converged: bool,
}

impl Photometry {
    /// The rows of sources whose parameters were fitted elsewhere: quality
    /// measures and flags are those of [`Photometry::fit`], and a source that
    /// cannot be fitted has the same row as there.
    ///
    /// # Errors
    /// As [`Photometry::fit`]; [`Error::ShapeMismatch`] unless there is one
    /// element of `judged` for each source.
    pub fn judge<T: Pixel>(
        &self,
        psf: &dyn Psf,
        frame: &Frame<'_, T>,
        starts: &Starts<'_>,
        judged: &[Judged],
        run: Run<'_>,
    ) -> Result<Vec<FittedSource>, Error> {
        Error::check_len("judged", starts.len(), judged.len())?;
        let free = free_parameters(self, psf)?;
        let job = Job::new(self, &free, psf, frame, starts, run);
        let mut rows = vec![FittedSource::not_fitted(0); starts.len()];
        for group in members_of_groups(starts) {
            run.check()?;
            for (index, row) in job.judge_group(&group, judged) {
                rows[index] = row;
            }
        }
        flag_duplicates(&mut rows, starts, run)?;
        Ok(rows)
    }
}

impl<T: Pixel> Job<'_, T> {
    fn judge_group(&self, group: &[usize], judged: &[Judged]) -> Vec<(usize, FittedSource)> {
        let (sources, mut rows) = self.sort_out(group);
        let members: Vec<_> = sources.iter().map(|source| self.member(source)).collect();
        let solution: Vec<_> = sources.iter().map(|s| judged[s.index].parameters).collect();
        let fitter: &Fitter<'_> = &self.fitter;
        let free = self.context.free;
        let solution = group::evaluate(fitter, self.frame, &members, free, &solution);
        for source in &sources {
            let found = &judged[source.index];
            let variances: Vec<f64> = free.iter().map(|&k| found.errors[k].powi(2)).collect();
            let fitted = Fitted {
                parameters: found.parameters,
                variances: variances
                    .iter()
                    .any(|v| !v.is_nan())
                    .then_some(&variances[..]),
                termination: if found.has_converged {
                    Termination::Converged
                } else {
                    Termination::Stalled
                },
                iterations: 0,
                residuals: self.residuals(source, &solution),
                n_bad_errors: self.count_bad_errors(source.window),
            };
            rows.push((source.index, self.context.row(source, &fitted)));
        }
        rows
    }
}
