//! Fits of sources, alone and in groups.

use psfphot::Error;
use psfphot::fit::{Covariance, FLUX, FitSettings, MAX_PARAMETERS, SHAPE, Termination, X, Y};
use psfphot::flags::{FLAGS, NON_FINITE_FLUX, NON_FINITE_POSITION};
use psfphot::image::{Frame, Pixel};
use psfphot::photometry::{Covariances, FittedSource, Judged, Photometry, Starts};
use psfphot::psf::Psf;

use crate::bytes::Bytes;
use crate::calls::{accepted, assert_same, call};
use crate::field::{Field, positions};
use crate::psfs::{psf, shape};

/// Bounds of the parameters, where there are any.
type Bounds = Vec<(f64, f64)>;

/// A row per source, whose errors are positive or NaN, whose parameters are
/// within their bounds and finite unless a flag says otherwise, and all of whose
/// numbers are NaN if it was not fitted; a covariance of the size of the group,
/// with a positive diagonal; the same rows for sources that cannot be fitted
/// where somebody else's fit is judged.
///
/// # Panics
/// Where the core breaks a promise.
pub fn fit(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    if bytes.one_in(3) {
        fit_in::<f32>(&mut bytes);
    } else {
        fit_in::<f64>(&mut bytes);
    }
}

fn fit_in<T: Pixel>(bytes: &mut Bytes<'_>) {
    let Some(psf) = psf(bytes) else {
        return;
    };
    let Some(settings) = Settings::new(bytes, &*psf) else {
        return;
    };
    let field = Field::<T>::new(bytes);
    let (x, y) = positions(bytes, field.shape, 8);
    let n = x.len();
    let flux = bytes.list(n, |bytes| bytes.number(0.0, 1000.0));
    let level = bytes.maybe(|bytes| bytes.list(n, |bytes| bytes.number(-5.0, 50.0)));
    let variance = bytes.maybe(|bytes| bytes.list(n, |bytes| bytes.number(0.0, 5.0)));
    let shapes = bytes.maybe(|bytes| {
        let all = bytes.list(n, |bytes| shape(bytes, &*psf));
        all.concat()
    });
    let groups = bytes.maybe(|bytes| bytes.list(n, |bytes| i64::from(bytes.byte() % 3) - 1));
    let starts = || {
        let mut starts = Starts::new(&x, &y, &flux)?;
        if let Some(level) = &level {
            starts = starts.with_local_background(level)?;
        }
        if let Some(variance) = &variance {
            starts = starts.with_background_variance(variance)?;
        }
        if let Some(groups) = &groups {
            starts = starts.with_groups(groups)?;
        }
        match &shapes {
            Some(shapes) => starts.with_shape(shapes, &*psf),
            None => Ok(starts),
        }
    };
    let Some(starts) = accepted(starts()) else {
        return;
    };
    settings.check(bytes, &*psf, &field.frame(), &starts);
}

/// What is fitted how, and what must hold of it.
pub(crate) struct Settings {
    photometry: Photometry,
    fit_shape: (usize, usize),
    bounds: Bounds,
}

impl Settings {
    /// For sources of this PSF, unless they are refused.
    pub(crate) fn new(bytes: &mut Bytes<'_>, psf: &dyn Psf) -> Option<Self> {
        let (n_parameters, fit_shape) = (SHAPE + psf.shape_names().len(), fit_shape(bytes));
        let bounds = bounds(bytes, n_parameters);
        let photometry = accepted(photometry(bytes, fit_shape, n_parameters, &bounds))?;
        Some(Self {
            photometry,
            fit_shape,
            bounds,
        })
    }

    /// Fits the sources, judges the fit as somebody else's, and takes its covariance.
    pub(crate) fn check<T: Pixel>(
        &self,
        bytes: &mut Bytes<'_>,
        psf: &dyn Psf,
        frame: &Frame<'_, T>,
        starts: &Starts<'_>,
    ) {
        let n = starts.len();
        let fit = call(bytes, Some(n), |run| {
            self.photometry.fit_and_keep(psf, frame, starts, run)
        });
        let Ok((rows, kept)) = fit else {
            return;
        };
        assert_eq!(rows.len(), n, "a row for each source");
        for row in &rows {
            check_row(row, self.fit_shape, &self.bounds);
        }
        check_judged(bytes, &self.photometry, psf, frame, starts, &rows);
        check_covariance(bytes, &kept, n);
        check_encoding(bytes, &kept, n);
    }
}

fn fit_shape(bytes: &mut Bytes<'_>) -> (usize, usize) {
    let mut side = || bytes.size(6).saturating_mul(2).saturating_add(1);
    (side(), side())
}

/// Flux and shape are kept within ordered ranges; positions are left to
/// `with_position_bounds`.
fn bounds(bytes: &mut Bytes<'_>, n_parameters: usize) -> Bounds {
    let mut one = |parameter: usize| {
        let range = match parameter {
            FLUX => bytes.range(-10.0, 500.0),
            X | Y => None,
            _ => bytes.range(1.1, 6.0),
        };
        range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY))
    };
    (0..n_parameters).map(&mut one).collect()
}

fn photometry(
    bytes: &mut Bytes<'_>,
    fit_shape: (usize, usize),
    n_parameters: usize,
    bounds: &Bounds,
) -> Result<Photometry, Error> {
    let settings = FitSettings::default()
        .with_max_iterations(bytes.below(30))?
        .with_step_tolerance(bytes.number(1e-6, 1e-1))?;
    let mut reach = || bytes.maybe(|bytes| bytes.number(0.1, 3.0));
    let reach = (reach(), reach());
    let is_fixed = bytes.list(n_parameters, |bytes| bytes.one_in(4));
    let mut photometry = Photometry::new(fit_shape)?
        .with_settings(settings)
        .with_fixed(&is_fixed)?
        .with_bounds(bounds)?
        .with_position_bounds(reach)?
        .with_background_fit(bytes.one_in(4));
    if bytes.one_in(4) {
        photometry = photometry.with_robust(bytes.number(1.0, 8.0))?;
    }
    Ok(match bytes.byte() % 6 {
        0 => photometry.with_covariance(Covariance::Formal),
        1 => photometry.with_covariance(Covariance::Unit),
        2 => photometry.with_covariance(Covariance::Sandwich),
        _ => photometry,
    })
}

fn check_row(row: &FittedSource, fit_shape: (usize, usize), bounds: &Bounds) {
    let known = FLAGS.iter().fold(0, |all, flag| all | flag.bit);
    assert_eq!(row.flags & !known, 0, "flags: {row:?}");
    assert!(
        row.n_pixels <= fit_shape.0.saturating_mul(fit_shape.1),
        "{row:?}"
    );
    for error in row.errors {
        assert!(
            error.is_nan() || (0.0..f64::INFINITY).contains(&error),
            "{row:?}"
        );
    }
    if row.termination == Termination::NotFitted {
        let numbers = row.parameters.iter().chain(&row.errors);
        assert!(numbers.clone().all(|v| v.is_nan()), "{row:?}");
        return;
    }
    let [flux, x, y, ..] = row.parameters;
    let is_flagged = |bit: u32| row.flags & bit != 0;
    assert_eq!(flux.is_finite(), !is_flagged(NON_FINITE_FLUX), "{row:?}");
    let is_placed = x.is_finite() && y.is_finite();
    assert_eq!(is_placed, !is_flagged(NON_FINITE_POSITION), "{row:?}");
    for (k, (lower, upper)) in bounds.iter().enumerate() {
        // Those that are fixed have no error, and stay where they start.
        if row.errors[k].is_finite() {
            let value = row.parameters[k];
            assert!(*lower <= value && value <= *upper, "parameter {k}: {row:?}");
        }
    }
}

fn check_judged<T: Pixel>(
    bytes: &mut Bytes<'_>,
    photometry: &Photometry,
    psf: &dyn Psf,
    frame: &Frame<'_, T>,
    starts: &Starts<'_>,
    rows: &[FittedSource],
) {
    let mut any = |value: f64| {
        if bytes.one_in(6) {
            bytes.number(-10.0, 100.0)
        } else {
            value
        }
    };
    let judged: Vec<_> = rows
        .iter()
        .map(|row| Judged {
            parameters: row.parameters.map(&mut any),
            errors: row.errors.map(&mut any),
            has_converged: row.termination == Termination::Converged,
        })
        .collect();
    let again = call(bytes, None, |run| {
        photometry.judge(psf, frame, starts, &judged, run)
    });
    let again = again.expect("the arguments of a fit");
    assert_eq!(again.len(), rows.len(), "a row for each source");
    for (row, again) in rows.iter().zip(&again) {
        let is_fitted = row.termination != Termination::NotFitted;
        // In a fit a whole group may be too large, or a source a duplicate.
        if again.termination == Termination::NotFitted {
            assert!(!is_fitted, "{row:?} is judged as {again:?}");
            assert_same(row, again, "fitted and judged");
        }
    }
}

fn check_covariance(bytes: &mut Bytes<'_>, kept: &Covariances, n: usize) {
    let members: Vec<usize> = (0..n).filter(|_| !bytes.one_in(3)).collect();
    let again = Covariances::from_bytes(&kept.to_bytes());
    let kept = again.expect("its own bytes");
    let matrix = call(bytes, None, |run| kept.of(&members, run));
    let matrix = matrix.expect("the arguments of a fit");
    let order = matrix.len().isqrt();
    assert_eq!(order * order, matrix.len(), "a square matrix");
    assert!(order <= members.len() * MAX_PARAMETERS && order >= members.len());
    for i in 0..order {
        let variance = matrix[i * order + i];
        assert!(variance.is_nan() || variance >= 0.0, "variance {variance}");
        for j in 0..i {
            let (a, b) = (matrix[i * order + j], matrix[j * order + i]);
            let is_same = (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
            assert!(is_same || !(a.is_finite() && b.is_finite()), "{a} {b}");
        }
    }
    // Each member takes a factor of the equations around it.
    let some = &members[..members.len().min(3)];
    let inflation = call(bytes, None, |run| kept.flux_inflation(some, run));
    let inflation = inflation.expect("the arguments of a fit");
    assert_eq!(inflation.len(), some.len(), "a number for each member");
}

/// Bytes that somebody wrote instead are refused, or are those of some covariance.
fn check_encoding(bytes: &mut Bytes<'_>, kept: &Covariances, n: usize) {
    let mut encoded = kept.to_bytes();
    for _ in 0..bytes.below(4) {
        let k = bytes.below(encoded.len());
        encoded[k] = bytes.byte();
    }
    if bytes.one_in(4) {
        encoded.truncate(bytes.below(encoded.len()));
    }
    let Some(read) = accepted(Covariances::from_bytes(&encoded)) else {
        return;
    };
    let again = Covariances::from_bytes(&read.to_bytes());
    assert_same(&read, &again.expect("its own bytes"), "read again");
    let all: Vec<usize> = (0..n).collect();
    if let Ok(matrix) = call(bytes, None, |run| read.of(&all, run)) {
        let order = matrix.len().isqrt();
        assert_eq!(order * order, matrix.len(), "a square matrix");
    }
}
