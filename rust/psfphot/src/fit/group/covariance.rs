//! The joint covariance of a group that was fitted.

use crate::Error;
use crate::fit::exposure::Exposure;
use crate::fit::minimise::Problem;
use crate::fit::source::Source;
use crate::fit::{Fitter, Parameters};

use super::Group;

/// The covariance of the free parameters at `parameters`, member by member, row
/// by row; NaN for members that the data do not determine, or where there are
/// no more pixels than parameters.
pub(crate) fn covariance(
    fitter: &Fitter<'_>,
    exposure: &Exposure,
    sources: &[Source],
    parameters: Vec<Parameters>,
) -> Result<Vec<f64>, Error> {
    let mut group = Group::new(fitter, exposure, sources);
    group.current = parameters;
    group.weigh_as_fitted();
    let chi2 = group.evaluate_trial();
    group.accept();
    let (n, width) = (group.n_parameters(), fitter.free.len());
    let mut covariance = vec![f64::NAN; n * n];
    if group.pixels.n_good <= n {
        return Ok(covariance);
    }
    let determined = group.matrix.factor_determined(fitter.run);
    let (factor, is_determined) = determined.ok_or(Error::Cancelled)?;
    let scale = group.unit_variance(chi2);
    for (i, row) in covariance.chunks_exact_mut(n.max(1)).enumerate() {
        fitter.run.check()?;
        if !is_determined[i / width] {
            continue;
        }
        row.fill(0.0);
        row[i] = 1.0;
        factor.solve(row);
        for (j, value) in row.iter_mut().enumerate() {
            *value = if is_determined[j / width] {
                *value * scale
            } else {
                f64::NAN
            };
        }
    }
    Ok(covariance)
}
