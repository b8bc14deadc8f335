//! How well the PSF is known.

use crate::Error;

use super::alias::Functional;
use super::basis::grid;
use super::precondition::Preconditioner;
use super::solution::AliasReport;
use super::solver::{Solver, undetermined};

/// Accuracy of the posterior of a functional: its variance is wrong by the square.
const TOLERANCE: f64 = 0.1;
const MOST_STEPS: usize = 40;

/// 1-sigma errors of the samples of each plane, for given stars; and the preconditioner
/// that they were told by, the inverse of the PSF's covariance for such.
///
/// # Errors
/// [`Error::Cancelled`], or that the stars do not determine the PSF.
pub(crate) fn errors(
    solver: &Solver<'_, '_>,
) -> Result<(Vec<Vec<f64>>, Vec<Preconditioner>), Error> {
    let basis = &solver.model.basis;
    let (shape, oversampling) = (solver.settings.shape, solver.settings.oversampling);
    let mut variances = Vec::new();
    let inverse = solver.system().precondition(|inverse| {
        variances.push(inverse.variances(basis, grid(shape, oversampling)));
        inverse.rounded()
    })?;
    let mut planes = solver.terms.variances(&variances);
    planes.iter_mut().flatten().for_each(|v| *v = v.sqrt());
    Ok((planes, inverse.ok_or_else(undetermined)?))
}

/// The alias functionals of the mean PSF, with what the stars leave open: those
/// along the axes, of the flux and the centroid, of the plane that all stars have
/// in common.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn alias(
    solver: &Solver<'_, '_>,
    inverse: Option<&[Preconditioner]>,
) -> Result<Vec<AliasReport>, Error> {
    let (coefficients, _) = solver.reference();
    let is_shared = !matches!(solver.settings.field, super::Field::Nodes { .. });
    let all = solver.prior.aliases.iter().zip(&solver.prior.alias);
    all.map(|(alias, functional)| {
        let is_along = alias.order <= 1 && (alias.frequency.0 == 0 || alias.frequency.1 == 0);
        let posterior = match inverse {
            Some(inverse) if is_shared && is_along => deviation(solver, inverse, functional)?,
            _ => f64::NAN,
        };
        Ok(AliasReport {
            alias: *alias,
            value: functional.value(&coefficients),
            prior: functional.deviation,
            posterior,
        })
    })
    .collect()
}

/// The posterior standard deviation of a functional of the first plane.
fn deviation(
    solver: &Solver<'_, '_>,
    inverse: &[Preconditioner],
    functional: &Functional,
) -> Result<f64, Error> {
    let mut right = vec![vec![0.0; solver.model.basis.len()]; solver.model.planes.len()];
    right[0][..functional.vector.len()].copy_from_slice(&functional.vector);
    let solved = solver
        .system()
        .solve(&right, inverse, TOLERANCE, MOST_STEPS)?;
    Ok(functional.value(&solved.planes[0]).max(0.0).sqrt())
}
