//! What the score of a final residual says of the stars that were fitted.

use std::f64::consts::TAU;

use super::near::NearStars;
use super::{Field, ProjectedScore, ScoreWidth};
use crate::Error;
use crate::image::{Frame, Pixel};
use crate::psf::Placement;
use crate::run::{Run, chunks};

/// Where another star is looked for, full widths at half maximum from a star's centre.
///
/// Of the stars of a deep field whose error is above 3 sigma these places find more
/// than the pixels within one of the centre do: 4.2 instead of 4.7 % are left with 6 %
/// of all marked.
const RINGS: [f64; 2] = [0.3, 0.5];

/// Places on each.
const PLACES: usize = 8;

/// Where the known stars leave less of the information, the score tells nothing.
const LEAST_INFORMATION: f64 = 0.003;

/// Stars that make a task.
const TASK: usize = 64;

/// By how much errors are too small, and which stars seem to be two.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    /// By what factor each star's error is too small, at least 1; NaN where the position
    /// is.
    pub factor: Vec<f64>,
    /// [`ProjectedScore::companions`].
    pub companion: Vec<f64>,
    /// The median width of the score in blocks of the image.
    pub typical: f64,
}

impl ProjectedScore<'_> {
    /// What the stars that were not found, and what the PSF does not match, mean for
    /// the errors of the known stars.
    ///
    /// # Errors
    /// As [`ProjectedScore::maps`].
    pub fn confusion<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        run: Run<'_>,
    ) -> Result<Confusion, Error> {
        let field = self.field(frame, run)?;
        let maps = self.maps_in(&field, frame, run)?;
        let width = ScoreWidth::measure(&maps, frame, field.fwhm, run)?;
        drop(maps);
        let tasks = chunks(self.x.len(), TASK);
        let factors: Vec<Vec<f64>> = run.map(tasks, Vec::new, |values, stars| {
            let factor = |i: usize| {
                let weight = self.mean_weight(frame, &field, i, values);
                width.factor(self.x[i], self.y[i], weight)
            };
            Ok(stars.map(factor).collect())
        })?;
        Ok(Confusion {
            factor: factors.concat(),
            companion: self.companions_in(&field, frame, run)?,
            typical: width.typical(),
        })
    }

    /// The largest score of another star within half of a full width at half maximum
    /// of each known one; NaN where there is none.
    ///
    /// # Errors
    /// As [`ProjectedScore::maps`].
    pub fn companions<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        run: Run<'_>,
    ) -> Result<Vec<f64>, Error> {
        self.companions_in(&self.field(frame, run)?, frame, run)
    }

    fn companions_in<T: Pixel>(
        &self,
        field: &Field<'_>,
        frame: &Frame<'_, T>,
        run: Run<'_>,
    ) -> Result<Vec<f64>, Error> {
        let mut places = Vec::with_capacity(self.x.len() * RINGS.len() * PLACES);
        for (&x, &y) in self.x.iter().zip(self.y) {
            for ring in RINGS {
                let radius = ring * field.fwhm;
                places.extend((0..PLACES).map(|k| {
                    let (sin, cos) = (TAU * k as f64 / PLACES as f64).sin_cos();
                    (x + radius * cos, y + radius * sin)
                }));
            }
        }
        let scores = self.at_in(field, frame, &places, run)?;
        let each = scores.chunks(RINGS.len() * PLACES);
        Ok(each
            .map(|around| {
                let known = around.iter().filter(|s| s.q >= LEAST_INFORMATION);
                known.map(|score| score.z).fold(f64::NAN, f64::max)
            })
            .collect())
    }

    /// The mean of the weights of a star's usable pixels, by the square of its light.
    fn mean_weight<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        field: &Field<'_>,
        star: usize,
        values: &mut Vec<f64>,
    ) -> f64 {
        let (x, y) = (self.x[star], self.y[star]);
        if !x.is_finite() || !y.is_finite() {
            return f64::NAN;
        }
        let window = field.window(x, y);
        values.resize(window.len(), 0.0);
        self.psf
            .fill(Placement { x, y, shape: &[] }, window, values);
        NearStars::new(frame, self.psf, field, &[], window).mean_weight(window, values)
    }
}
