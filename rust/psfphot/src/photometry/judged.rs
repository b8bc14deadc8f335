//! Rows for parameters that somebody else has fitted.

use crate::fit::source::Solution;
use crate::fit::{MAX_PARAMETERS, Parameters, Termination, group};
use crate::image::{Frame, Pixel};
use crate::psf::Psf;
use crate::{Error, Run, bands};

use super::contamination::add_contamination;
use super::duplicates::flag_duplicates;
use super::plan::{Plan, members_of_groups};
use super::row::FittedSource;
use super::starts::Starts;
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
        let plan = Plan::new(self, &free, psf, frame, starts, 0..starts.len(), run)?;
        let mut rows = vec![FittedSource::not_fitted(0); starts.len()];
        let (x, y) = starts.positions();
        for group in members_of_groups(starts, bands::order(x, y)) {
            run.check()?;
            for (index, row) in plan.judge_group(&group, judged) {
                rows[index] = row;
            }
        }
        flag_duplicates(&mut rows, starts, run)?;
        add_contamination(&plan, &mut rows)?;
        Ok(rows)
    }
}

impl Judged {
    /// As if it came out of a fit of the `free` parameters.
    fn solution(&self, free: &[usize]) -> Solution {
        let mut variances = [f64::NAN; MAX_PARAMETERS];
        for &k in free {
            variances[k] = self.errors[k].powi(2);
        }
        Solution {
            parameters: self.parameters,
            variances: (!variances.iter().all(|v| v.is_nan())).then_some(variances),
            level: None,
            termination: if self.has_converged {
                Termination::Converged
            } else {
                Termination::Stalled
            },
            iterations: 0,
            n_rejected: 0,
            flags: 0,
        }
    }
}

impl Plan<'_> {
    fn judge_group(&self, group: &[usize], judged: &[Judged]) -> Vec<(usize, FittedSource)> {
        let (sources, mut rows) = self.sort_out(group);
        let found = sources.iter().map(|source| &judged[source.index]);
        let solutions: Vec<_> = found.map(|j| j.solution(self.fitter.free)).collect();
        let parameters = solutions
            .iter()
            .map(|solution| solution.parameters)
            .collect();
        let model = group::evaluate(&self.fitter, &self.exposure, &sources, parameters);
        rows.extend(self.rows(&sources, &solutions, &model));
        rows
    }
}
