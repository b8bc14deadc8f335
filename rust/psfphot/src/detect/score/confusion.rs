//! What the score of a final residual says of the stars that were fitted.

use std::f64::consts::TAU;

use super::near::{Near, NearStars};
use super::projection::{Projected, Projector};
use super::{Field, ProjectedScore, ScoreWidth};
use crate::Error;
use crate::image::{Frame, Pixel};
use crate::psf::Placement;
use crate::run::{Run, chunks};

/// Where another star is looked for, full widths at half maximum from a star's centre.
///
/// Of the stars of a crowd whose errors are above 3 sigma these places leave 3.5 %
/// unmarked, the pixels within one of the centre 4.3 %.
const RINGS: [f64; 3] = [0.2, 0.35, 0.5];

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

/// Room for the scores beside one star after another.
#[derive(Default)]
struct Scratch {
    members: Vec<usize>,
    values: Vec<f64>,
    kernel: Vec<f32>,
    projector: Projector,
}

/// Where another star is looked for, from a star's centre, pixels.
fn places(fwhm: f64) -> impl Iterator<Item = (f64, f64)> {
    RINGS.into_iter().flat_map(move |ring| {
        (0..PLACES).map(move |k| {
            let (sin, cos) = (TAU * k as f64 / PLACES as f64).sin_cos();
            (ring * fwhm * cos, ring * fwhm * sin)
        })
    })
}

impl ProjectedScore<'_> {
    /// What the stars that were not found, and what the PSF does not match, mean for
    /// the errors of the known stars.
    ///
    /// The width of the score may be known, as that of an image of which the frame is a
    /// part.
    ///
    /// # Errors
    /// As [`ProjectedScore::maps`].
    pub fn confusion<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        known: Option<&ScoreWidth>,
        run: Run<'_>,
    ) -> Result<Confusion, Error> {
        let field = self.field(frame, run)?;
        let width = if let Some(width) = known {
            width.clone()
        } else {
            let maps = self.maps_in(&field, frame, run)?;
            ScoreWidth::measure(&maps, frame, field.fwhm, run)?
        };
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
        let tasks = chunks(self.x.len(), TASK);
        let each: Vec<Vec<f64>> = run.map(tasks, Scratch::default, |scratch, stars| {
            let companion = |i: usize| self.companion(field, frame, i, scratch);
            Ok(stars.map(companion).collect())
        })?;
        Ok(each.concat())
    }

    /// The largest score of another star beside one.
    fn companion<T: Pixel>(
        &self,
        field: &Field<'_>,
        frame: &Frame<'_, T>,
        star: usize,
        scratch: &mut Scratch,
    ) -> f64 {
        let (x, y) = (self.x[star], self.y[star]);
        let farthest = RINGS.map(|ring| ring * field.fwhm)[RINGS.len() - 1];
        let reach = field.reach + farthest;
        scratch.members.clear();
        field
            .tree
            .within(&[x, y], reach * reach, &mut scratch.members);
        scratch.members.sort_unstable();
        let corner = |sign: f64| field.window(x + sign * farthest, y + sign * farthest);
        let window = corner(-1.0).hull(corner(1.0));
        let stars = NearStars::new(frame, self.psf, field, &scratch.members, window);
        scratch.projector.forget();
        let mut largest = f64::NAN;
        for (dx, dy) in places(field.fwhm) {
            let score = self.score_beside(&stars, field, (x + dx, y + dy), scratch);
            if score.q >= LEAST_INFORMATION {
                largest = largest.max(score.z);
            }
        }
        largest
    }

    fn score_beside(
        &self,
        stars: &NearStars,
        field: &Field<'_>,
        (x, y): (f64, f64),
        scratch: &mut Scratch,
    ) -> Projected {
        let window = field.window(x, y);
        scratch.values.resize(window.len(), 0.0);
        self.psf
            .fill(Placement { x, y, shape: &[] }, window, &mut scratch.values);
        let mut near = Near::default();
        for (local, &i) in (0..).zip(&scratch.members) {
            let squared = (self.x[i] - x).powi(2) + (self.y[i] - y).powi(2);
            if squared <= field.reach * field.reach {
                near.offer(squared as f32, local);
            }
        }
        let alone = stars.alone(window, &scratch.values);
        scratch.kernel.clear();
        scratch
            .kernel
            .extend(scratch.values.iter().map(|v| *v as f32));
        scratch
            .projector
            .score(stars, &near, (window, &scratch.kernel), alone)
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
