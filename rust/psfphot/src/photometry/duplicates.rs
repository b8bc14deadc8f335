//! Sources that have been fitted to the same light.

use crate::fit::{Termination, X, Y};
use crate::flags;
use crate::near::cells::Cells;
use crate::run::chunks;
use crate::{Error, Run};

use super::row::FittedSource;
use super::starts::Starts;

/// Two separate fits of one star end within this distance (pixels) of each
/// other, or within the smaller of their errors where that is more: their
/// boxes, and so their noise, differ by a row at most, their PSF errors too.
/// In simulations (FWHM 2 and 3, boxes of 5 and 7 pixels, starts up to 1 pixel
/// apart) that finds all from S/N 80, at least 95 % at S/N 17 and 91 % at S/N 6;
/// where the PSF is 15 % too narrow they end up to 0.085 pixels apart.
const SAME: f64 = 0.1;

/// However large the errors, stars further apart than this are two.
const APART: f64 = 0.5;

/// Sources between two looks at whether to stop: some milliseconds.
const PATIENCE: usize = 10_000;

/// Flags the sources whose position is that of a source of another group.
///
/// Members of one group are left out: they share their light, and where it
/// does not tell them apart their errors (or flags) say so.
///
/// # Errors
/// [`Error::Cancelled`].
pub(super) fn flag_duplicates(
    rows: &mut [FittedSource],
    starts: &Starts<'_>,
    run: Run<'_>,
) -> Result<(), Error> {
    let is_fitted = |row: &FittedSource| {
        row.termination != Termination::NotFitted && row.x().is_finite() && row.y().is_finite()
    };
    let fitted: Vec<usize> = (0..rows.len()).filter(|&i| is_fitted(&rows[i])).collect();
    let x: Vec<f64> = fitted.iter().map(|&i| rows[i].x()).collect();
    let y: Vec<f64> = fitted.iter().map(|&i| rows[i].y()).collect();
    let cells = Cells::new(&x, &y, APART, run)?;
    let group = |k: usize| starts.groups().map_or(k as i64, |all| all[fitted[k]]);
    let is_same = |k: usize, other: usize| {
        group(k) != group(other) && {
            let near = reach(&rows[fitted[k]]).min(reach(&rows[fitted[other]]));
            (x[k] - x[other]).hypot(y[k] - y[other]) <= near
        }
    };
    // All that are no duplicates are more than `SAME` apart, or of one group:
    // not many fit into a cell, so that this takes time in proportion to the
    // number of sources.
    let has_duplicate = |&k: &usize| {
        let around = cells.around(cells.cell_of(k));
        around
            .flat_map(|cell| cells.points(cell))
            .any(|&other| is_same(k, other))
    };
    let mut duplicates = Vec::new();
    for range in chunks(fitted.len(), PATIENCE) {
        run.check()?;
        duplicates.extend(range.filter(has_duplicate));
    }
    for k in duplicates {
        rows[fitted[k]].flags |= flags::DUPLICATE_SOURCE;
    }
    Ok(())
}

/// How far another fit of the same star may be, pixels.
fn reach(row: &FittedSource) -> f64 {
    // Fixed positions have no errors; then this is no number, and `max` skips it.
    let error = row.errors[X].hypot(row.errors[Y]);
    SAME.max(error).min(APART)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::MAX_PARAMETERS;

    fn row(x: f64, error: f64) -> FittedSource {
        let mut row = FittedSource {
            termination: Termination::Converged,
            errors: [error; MAX_PARAMETERS],
            ..FittedSource::not_fitted(0)
        };
        (row.parameters[X], row.parameters[Y]) = (x, 3.0);
        row
    }

    fn flagged(mut rows: Vec<FittedSource>, groups: Option<&[i64]>) -> Vec<usize> {
        let zeros = vec![0.0; rows.len()];
        let mut starts = Starts::new(&zeros, &zeros, &zeros).unwrap();
        if let Some(groups) = groups {
            starts = starts.with_groups(groups).unwrap();
        }
        flag_duplicates(&mut rows, &starts, Run::new()).unwrap();
        (0..rows.len()).filter(|&i| rows[i].flags != 0).collect()
    }

    #[test]
    fn the_same_position_in_another_group() {
        let rows = vec![row(1.0, 0.01), row(1.09, 0.01), row(1.2, 0.01)];
        assert_eq!(flagged(rows.clone(), None), [0, 1]);
        assert_eq!(flagged(rows.clone(), Some(&[1, 1, 2])), []);
        assert_eq!(flagged(rows, Some(&[1, 2, 2])), [0, 1]);
    }

    #[test]
    fn errors_count_to_half_a_pixel() {
        assert_eq!(flagged(vec![row(1.0, 0.3), row(1.4, 0.3)], None), [0, 1]);
        assert_eq!(flagged(vec![row(1.0, 0.01), row(1.4, 0.3)], None), []);
        assert_eq!(flagged(vec![row(1.0, 9.0), row(1.51, 9.0)], None), []);
        let forced = vec![row(1.0, f64::NAN), row(1.05, f64::NAN)];
        assert_eq!(flagged(forced, None), [0, 1]);
    }

    #[test]
    fn sources_that_were_not_fitted_are_nobody_s() {
        let lost = FittedSource::not_fitted(0);
        assert_eq!(flagged(vec![lost, lost, row(1.0, 0.1)], None), []);
        assert_eq!(flagged(Vec::new(), None), []);
    }
}
