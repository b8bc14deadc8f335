//! What else goes into a fitted flux than the star's own light and the noise of
//! its pixels: the errors of its background and of the PSF, and stars of other groups.
//!
//! With the position held, light L on the pixels of a star of profile P and
//! weights w adds Σ w P L / Σ w P² to its flux.

use crate::fit::{FLUX, Parameters, Termination};
use crate::image::PixelBox;
use crate::near::cells::Cells;
use crate::psf::{Placement, Psf};
use crate::run::chunks;
use crate::{Error, bands, flags};

use super::misfit::Widened;
use super::plan::Plan;
use super::row::FittedSource;

/// Sources per task.
const CHUNK: usize = 64;

/// The widest star that is looked for, pixels.
const WIDEST: f64 = 1e3;

/// A star's profile times its weights.
#[derive(Default)]
struct Profile {
    values: Vec<f64>,
    weights: Vec<f64>,
    weighted: Vec<f64>,
    /// Σ w P².
    norm: f64,
}

impl Profile {
    /// Of a source on the pixels of its window.
    fn take(&mut self, plan: &Plan<'_>, window: PixelBox, parameters: &Parameters) {
        self.values.clear();
        self.values.resize(window.len(), 0.0);
        let at = plan.fitter.placement(parameters);
        plan.fitter.psf.fill(at, window, &mut self.values);
        self.weights.clear();
        let (rule, width) = (&plan.fitter.weighting, plan.exposure.image().width());
        let rows = (window.y0 as usize..).zip(plan.exposure.rows(window));
        for ((y, (_, given)), values) in rows.zip(self.values.chunks(window.width().max(1))) {
            let first = y * width + window.x0 as usize;
            let pixels = given.iter().zip(values).enumerate();
            self.weights.extend(
                pixels.map(|(k, (&given, p))| rule.weight(first + k, given, parameters[FLUX] * p)),
            );
        }
        self.weighted.clear();
        let products = self.weights.iter().zip(&self.values).map(|(w, p)| w * p);
        self.weighted.extend(products);
        self.norm = self.flux_of_sum(&self.values);
    }

    /// Σ w P L.
    fn flux_of_sum(&self, light: &[f64]) -> f64 {
        self.weighted.iter().zip(light).map(|(a, b)| a * b).sum()
    }

    /// What light adds to the flux.
    fn flux_of(&self, light: &[f64]) -> f64 {
        self.flux_of_sum(light) / self.norm
    }

    /// What a level of 1 adds to the flux.
    fn flux_of_level(&self) -> f64 {
        self.weighted.iter().sum::<f64>() / self.norm
    }
}

/// Reusable memory of one thread.
#[derive(Default)]
struct Scratch {
    own: Profile,
    other: Vec<f64>,
    widened: Widened,
}

/// What came of one source.
struct Found {
    row: usize,
    flux_error: f64,
    has_neighbour: bool,
}

/// The fitted sources, sorted by place.
struct Stars<'a> {
    rows: &'a [FittedSource],
    /// The rows that were fitted.
    fitted: Vec<usize>,
    cells: Cells,
    fwhm: f64,
}

/// Adds the noise of their backgrounds and the error of the PSF to the errors of fluxes,
/// and flags the sources that have more light of others than that error.
///
/// # Errors
/// [`Error::Cancelled`].
pub(super) fn add_contamination(plan: &Plan<'_>, rows: &mut [FittedSource]) -> Result<(), Error> {
    let stars = Stars::new(plan, rows)?;
    let order = bands::order(plan.starts.positions().0, plan.starts.positions().1);
    let mut number = vec![None; rows.len()];
    for (k, &row) in stars.fitted.iter().enumerate() {
        number[row] = Some(k);
    }
    let order: Vec<usize> = order.into_iter().filter_map(|row| number[row]).collect();
    let ranges = chunks(order.len(), CHUNK);
    let found = plan
        .fitter
        .run
        .map(ranges, Scratch::default, |scratch, range| {
            let look = |&k: &usize| stars.look(plan, k, scratch);
            Ok(order[range].iter().filter_map(look).collect::<Vec<_>>())
        })?;
    for found in found.into_iter().flatten() {
        rows[found.row].errors[FLUX] = found.flux_error;
        if found.has_neighbour {
            rows[found.row].flags |= flags::NEIGHBOUR_IN_BOX;
        }
    }
    Ok(())
}

impl<'a> Stars<'a> {
    fn new(plan: &Plan<'_>, rows: &'a [FittedSource]) -> Result<Self, Error> {
        let is_fitted = |row: &FittedSource| {
            row.termination != Termination::NotFitted
                && row.x().is_finite()
                && row.y().is_finite()
                && row.flux().is_finite()
        };
        let fitted: Vec<usize> = (0..rows.len()).filter(|&i| is_fitted(&rows[i])).collect();
        let x: Vec<f64> = fitted.iter().map(|&i| rows[i].x()).collect();
        let y: Vec<f64> = fitted.iter().map(|&i| rows[i].y()).collect();
        let image = plan.exposure.image();
        let middle = (image.width() as f64 / 2.0, image.height() as f64 / 2.0);
        let fwhm = fwhm(plan.fitter.psf, middle);
        let (ny, nx) = plan.fit_shape;
        let reach = (nx as f64 + 1.0).hypot(ny as f64 + 1.0).max(fwhm);
        Ok(Self {
            rows,
            cells: Cells::new(&x, &y, reach, plan.fitter.run)?,
            fitted,
            fwhm,
        })
    }

    /// Looks at the `k`-th of the fitted stars; nothing where nothing changes.
    fn look(&self, plan: &Plan<'_>, k: usize, scratch: &mut Scratch) -> Option<Found> {
        let row = self.fitted[k];
        let star = &self.rows[row];
        let mut error = star.errors[FLUX];
        if error.is_nan() {
            return None;
        }
        let window = plan.window(row);
        let variance = plan.starts.background_variance(row);
        // A constant that is fitted makes up for what is wrong with the level.
        let has_noise = variance.is_finite() && variance > 0.0 && !plan.fitter.fits_background;
        let part = profile_error(plan, star);
        let mut others = self.others(plan, k, window).peekable();
        if !has_noise && part <= 0.0 && others.peek().is_none() {
            return None;
        }
        scratch.own.take(plan, window, &star.parameters);
        if part > 0.0 {
            let weights = scratch.own.weights.iter().copied();
            let at = plan.fitter.placement(&star.parameters);
            let response = scratch
                .widened
                .response(plan.fitter.psf, at, window, weights);
            error = error.hypot(part * response.of_values() * star.flux());
        }
        if has_noise {
            error = error.hypot(scratch.own.flux_of_level() * variance.sqrt());
        }
        let mut light = 0.0;
        for other in others {
            let parameters = &self.rows[other].parameters;
            scratch.other.clear();
            scratch.other.resize(window.len(), 0.0);
            let at = plan.fitter.placement(parameters);
            plan.fitter.psf.fill(at, window, &mut scratch.other);
            light += parameters[FLUX] * scratch.own.flux_of(&scratch.other);
        }
        Some(Found {
            row,
            flux_error: error,
            has_neighbour: light.abs() > error,
        })
    }

    /// The rows of stars of other groups that are in a star's box or within one
    /// FWHM of it.
    fn others(&self, plan: &Plan<'_>, k: usize, window: PixelBox) -> impl Iterator<Item = usize> {
        let row = self.fitted[k];
        let (x, y) = (self.rows[row].x(), self.rows[row].y());
        let group = move |i: usize| plan.starts.groups().map_or(i as i64, |all| all[i]);
        let is_near = move |other: &FittedSource| {
            let is_in = !window.is_outside(other.x(), other.y());
            is_in || (other.x() - x).hypot(other.y() - y) <= self.fwhm
        };
        self.cells
            .around(self.cells.cell_of(k))
            .flat_map(|cell| self.cells.points(cell))
            .map(|&other| self.fitted[other])
            .filter(move |&i| i != row && group(i) != group(row) && is_near(&self.rows[i]))
    }
}

/// What the image's noise says the PSF is off by where a star is, or at the nearest pixel.
fn profile_error(plan: &Plan<'_>, star: &FittedSource) -> f64 {
    let Some(noise) = plan.fitter.weighting.noise else {
        return 0.0;
    };
    let image = plan.exposure.image();
    let nearest = |place: f64, n: usize| place.round().clamp(0.0, n as f64 - 1.0) as usize;
    let (x, y) = (
        nearest(star.x(), image.width()),
        nearest(star.y(), image.height()),
    );
    noise.profile_error(y * image.width() + x)
}

/// The full width at half maximum of a PSF at a place, pixels: the larger of
/// those along the axes.
fn fwhm(psf: &dyn Psf, (x, y): (f64, f64)) -> f64 {
    let at = Placement {
        x,
        y,
        shape: psf.shape(),
    };
    let half = 0.5 * psf.value(at, x, y);
    let is_inside = |dx: f64, dy: f64| psf.value(at, x + dx, y + dy) > half;
    let along = |x: f64, y: f64| {
        let (mut low, mut high) = (0.0, 0.25);
        while high < WIDEST && is_inside(high * x, high * y) {
            (low, high) = (high, 2.0 * high);
        }
        // To a hundredth of a pixel or, of a wide star, to a per cent.
        for _ in 0..7 {
            let middle = 0.5 * (low + high);
            if is_inside(middle * x, middle * y) {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    };
    (along(1.0, 0.0) + along(-1.0, 0.0)).max(along(0.0, 1.0) + along(0.0, -1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psf::{CircularGaussianPrf, GaussianPsf, MoffatPsf};

    #[test]
    fn the_width_is_that_of_the_profile() -> Result<(), Error> {
        let place = (51.3, 20.8);
        for width in [1.5, 2.5, 7.0] {
            assert!((fwhm(&GaussianPsf::new(width, 1.0, 0.0)?, place) - width).abs() < 0.1);
            let beta = 2.5_f64;
            let alpha = 0.5 * width / (2.0_f64.powf(1.0 / beta) - 1.0).sqrt();
            assert!((fwhm(&MoffatPsf::new(alpha, beta)?, place) - width).abs() < 0.1);
        }
        // One pixel is added in quadrature, nearly.
        assert!((fwhm(&CircularGaussianPrf::new(4.0)?, place) - 4.05).abs() < 0.1);
        Ok(())
    }
}
