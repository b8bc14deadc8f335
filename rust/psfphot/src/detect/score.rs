//! The projected score: how significant a new star would be at each place of a
//! residual image, with the known stars near it free to be fitted again.

mod confusion;
mod near;
mod projection;
mod width;

use std::collections::HashSet;

use super::Peak;
use super::matched::{Kernels, MatchedFinder, measured_fwhm};
use super::selection::Selection;
use super::vertex::vertex_at;
use crate::Error;
use crate::bands::{Bands, RENDERED};
use crate::group::thin;
use crate::image::{Frame, Image, Pixel, PixelBox};
use crate::near::tree::Tree;
use crate::psf::{Placement, Psf};
use crate::run::{Run, chunks};

use near::{Near, NearStars};
use projection::{Projected, Projector};

pub use confusion::Confusion;
pub use width::{BlockWidth, ScoreWidth, block_edges};

/// Pixels that a star must lie off for its derivatives not to matter, and half
/// the width of the windows of the PSF, in units of the full width at half
/// maximum. (At 5 px for 3 px the score of a perfect list has a standard deviation
/// of 1.00.)
const REACH: f64 = 5.0 / 3.0;

/// Positions that make a task of [`ProjectedScore::at`].
const TASK: usize = 64;

/// Scores places of a residual image for new stars.
///
/// After a fit the residual is orthogonal to the derivatives of the stars that
/// were fitted, so that near them the matched filter varies far less than its
/// error says. With P the PSF at a place, W the weights 1/error², r the
/// residual, J the derivatives of the stars near the place by flux, x and y,
/// A = `JᵀWJ`, g = `JᵀWr` and C = `JᵀWP`, the score
///
/// z = (`PᵀWr` − CᵀA⁻¹g) / √(`PᵀWP` − CᵀA⁻¹C)
///
/// is that of a star there in the joint fit of all of them: normal with the
/// standard deviation 1 where there is none, however crowded (the score test of
/// Rao 1948, Proc. Cambridge Phil. Soc. 44, 50). It contains one Gauss-Newton
/// step of the known stars, so that these need not be converged. Up to six stars
/// take part, the nearest within `reach`. Where there are none it is the S/N of
/// [`MatchedFinder`] without a free sky.
#[derive(Debug, Clone)]
pub struct ProjectedScore<'a> {
    psf: &'a dyn Psf,
    x: &'a [f64],
    y: &'a [f64],
    reach: Option<f64>,
    fwhm: Option<f64>,
}

/// The score of a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Column of the place, pixels.
    pub x: f64,
    /// Its row.
    pub y: f64,
    /// The score: the flux over its error. NaN where no pixel is usable.
    pub z: f64,
    /// The flux that a star there would have in the joint fit.
    pub flux: f64,
    /// What the known stars leave of the information on its flux, 0 to 1.
    pub q: f64,
    /// The nearest known star within reach, and how far it is (pixels).
    pub nearest: Option<(usize, f64)>,
    /// The width of the score around, where it was measured; else 1.
    pub width: f64,
}

/// Below this `q` a new star is hard to tell from a known one. (20,000 stars on 2048 x
/// 2048 pixels: 0.17 instead of 0.23 % of the rows are false, 98.06 instead of 98.08 % of
/// the stars are found.)
const SHARED: f64 = 0.1;

/// Scores, pixel by pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreMaps {
    /// [`Score::z`]; NaN where too few pixels are usable.
    pub z: Vec<f32>,
    /// [`Score::q`].
    pub q: Vec<f32>,
}

/// Which peaks of the score are new stars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Acceptance {
    /// The least score.
    pub n_sigma: f64,
    /// The least [`Score::q`]: where less is left, the flux means nothing.
    pub min_q: f64,
    /// The least distance from known stars, in full widths at half maximum.
    pub min_distance: f64,
    /// The least distance of new stars from more significant ones, in full
    /// widths at half maximum: one unresolved pair shows two peaks.
    pub min_separation: f64,
    /// Whether the least score is in units of the score's own width, see
    /// [`ScoreWidth`].
    pub is_scaled: bool,
}

impl Default for Acceptance {
    /// 4.5; 0.01; 0.17; 1, as measured on 20,000 stars of which each has a
    /// hundredth of the others within one full width at half maximum.
    fn default() -> Self {
        Self {
            n_sigma: 4.5,
            min_q: 0.01,
            min_distance: 0.17,
            min_separation: 1.0,
            is_scaled: false,
        }
    }
}

impl<'a> ProjectedScore<'a> {
    /// The score beside the known stars at (x, y), pixels. Those whose position
    /// is not finite take no part.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if x and y have different lengths.
    pub fn new(psf: &'a dyn Psf, x: &'a [f64], y: &'a [f64]) -> Result<Self, Error> {
        Error::check_len("y", x.len(), y.len())?;
        Ok(Self {
            psf,
            x,
            y,
            reach: None,
            fwhm: None,
        })
    }

    /// How far known stars matter, pixels; `None` for 5/3 of the full width at
    /// half maximum.
    #[must_use]
    pub fn with_reach(mut self, reach: Option<f64>) -> Self {
        self.reach = reach;
        self
    }

    /// The PSF's full width at half maximum, pixels; `None` to measure it in the
    /// middle of the image.
    #[must_use]
    pub fn with_fwhm(mut self, fwhm: Option<f64>) -> Self {
        self.fwhm = fwhm;
        self
    }

    /// The scores of all pixels of a residual image with errors.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the frame has no errors, or for a setting
    /// or a PSF that cannot be used; [`Error::Cancelled`].
    pub fn maps<T: Pixel>(&self, frame: &Frame<'_, T>, run: Run<'_>) -> Result<ScoreMaps, Error> {
        self.maps_in(&self.field(frame, run)?, frame, run)
    }

    fn maps_in<T: Pixel>(
        &self,
        field: &Field<'_>,
        frame: &Frame<'_, T>,
        run: Run<'_>,
    ) -> Result<ScoreMaps, Error> {
        let mut evidence = MatchedFinder::evidence(frame, &field.kernels, run)?;
        let (n_rows, width) = frame.data().shape();
        let halo: Vec<PixelBox> = (0..self.x.len()).map(|i| field.halo(i, frame)).collect();
        let bands = Bands::new(&halo, n_rows, RENDERED);
        let size = (RENDERED * width).max(1);
        let tasks = evidence.chunks_mut(size).enumerate().collect();
        run.map(tasks, Projector::default, |projector, (number, pixels)| {
            let window = bands.window(number, width);
            let stars = NearStars::new(frame, self.psf, field, bands.boxes(number), window);
            projector.project(&stars, field, window, pixels);
            Ok(())
        })?;
        Ok(ScoreMaps {
            z: evidence.iter().map(|pair| pair[0]).collect(),
            q: evidence.iter().map(|pair| pair[1]).collect(),
        })
    }

    /// The scores of given places, with the PSF at each of them.
    ///
    /// # Errors
    /// As [`ProjectedScore::maps`].
    pub fn at<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        places: &[(f64, f64)],
        run: Run<'_>,
    ) -> Result<Vec<Score>, Error> {
        self.at_in(&self.field(frame, run)?, frame, places, run)
    }

    fn at_in<T: Pixel>(
        &self,
        field: &Field<'_>,
        frame: &Frame<'_, T>,
        places: &[(f64, f64)],
        run: Run<'_>,
    ) -> Result<Vec<Score>, Error> {
        let score_chunk = |values: &mut Vec<f64>, range: std::ops::Range<usize>| {
            let scores = places[range].iter();
            Ok(scores
                .map(|&place| self.score(frame, field, place, values))
                .collect())
        };
        let tasks = chunks(places.len(), TASK);
        let parts: Vec<Vec<Score>> = run.map(tasks, Vec::new, score_chunk)?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// The new stars that a residual image shows, the most significant first.
    ///
    /// # Errors
    /// As [`ProjectedScore::maps`].
    pub fn search<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        accept: &Acceptance,
        run: Run<'_>,
    ) -> Result<Vec<Score>, Error> {
        self.search_by(frame, accept, None, run)
    }

    /// As [`ProjectedScore::search`]; where the least score is in units of the score's
    /// width, of a width that is known, as that of an image of which the frame is a part.
    ///
    /// # Errors
    /// As [`ProjectedScore::maps`].
    pub fn search_by<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        accept: &Acceptance,
        width: Option<&ScoreWidth>,
        run: Run<'_>,
    ) -> Result<Vec<Score>, Error> {
        let field = self.field(frame, run)?;
        let mut maps = self.maps_in(&field, frame, run)?;
        leave_out(&mut maps, accept.min_q);
        let places = peaks(&maps, frame.data().shape(), accept, run)?;
        let width = match width {
            _ if !accept.is_scaled => None,
            Some(known) => Some(known.clone()),
            None => Some(ScoreWidth::measure(&maps, frame, field.fwhm, run)?),
        };
        drop(maps);
        let mut found = self.at_in(&field, frame, &places, run)?;
        if let Some(width) = width {
            for score in &mut found {
                score.width = width.at(score.x, score.y);
            }
        }
        found.retain(|score| {
            let is_apart = |(_, d)| d >= accept.min_distance * field.fwhm;
            let least = accept.n_sigma * score.width;
            let is_significant = score.z >= least && score.q >= accept.min_q;
            is_significant && score.nearest.is_none_or(is_apart)
        });
        found.sort_by(|a, b| b.z.total_cmp(&a.z));
        let separation = accept.min_separation * field.fwhm;
        if separation > 0.0 {
            let (x, y): (Vec<f64>, Vec<f64>) = found.iter().map(|s| (s.x, s.y)).unzip();
            let mut stays = thin(&x, &y, separation, run)?.into_iter();
            found.retain(|_| stays.next() == Some(true));
        }
        leave_one_to_each(&mut found);
        Ok(found)
    }

    /// The width of the score in some blocks of a frame, see [`ScoreWidth::blocks`].
    ///
    /// # Errors
    /// As [`ProjectedScore::maps`] and [`ScoreWidth::blocks`].
    pub fn widths<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        edges: (&[usize], &[usize]),
        run: Run<'_>,
    ) -> Result<Vec<BlockWidth>, Error> {
        ScoreWidth::blocks(&self.maps(frame, run)?, frame, edges, run)
    }

    fn field<T: Pixel>(&self, frame: &Frame<'_, T>, run: Run<'_>) -> Result<Field<'_>, Error> {
        if !frame.has_error() {
            return Err(Error::invalid("error", "be given for a score", "none"));
        }
        let shape = frame.data().shape();
        let middle = ((shape.1 / 2) as f64, (shape.0 / 2) as f64);
        let fwhm = match self.fwhm {
            Some(fwhm) => fwhm,
            None => measured_fwhm(self.psf, middle)?,
        };
        let half_width = Some((REACH * fwhm).round().max(1.0) as usize);
        let (kernels, _) = Kernels::of_image(self.psf, half_width, Some(fwhm), shape)?;
        let single = |values: &[f64]| values.iter().map(|v| *v as f32).collect();
        let reach = self.reach.unwrap_or(REACH * fwhm);
        Error::check_positive("reach", reach)?;
        let points: Vec<[f64; 2]> = self.x.iter().zip(self.y).map(|(&x, &y)| [x, y]).collect();
        Ok(Field {
            x: self.x,
            y: self.y,
            fwhm,
            reach,
            values: kernels.map(|_, values| single(values)),
            kernels,
            tree: Tree::new(&points, run)?,
        })
    }

    fn score<T: Pixel>(
        &self,
        frame: &Frame<'_, T>,
        field: &Field<'_>,
        (x, y): (f64, f64),
        values: &mut Vec<f64>,
    ) -> Score {
        let window = field.window(x, y);
        values.resize(window.len(), 0.0);
        self.psf
            .fill(Placement { x, y, shape: &[] }, window, values);
        let mut near = Near::default();
        let mut members = Vec::new();
        field
            .tree
            .within(&[x, y], field.reach * field.reach, &mut members);
        members.sort_unstable();
        for (local, &i) in members.iter().enumerate() {
            let (dx, dy) = (self.x[i] - x, self.y[i] - y);
            near.offer((dx * dx + dy * dy) as f32, local as u32);
        }
        let stars = NearStars::new(frame, self.psf, field, &members, window);
        let alone = stars.alone(window, values);
        let kernel: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        let place = (window, &kernel[..]);
        let Projected { z, q, flux } = Projector::default().score(&stars, &near, place, alone);
        let distances = members
            .iter()
            .map(|&i| (i, (self.x[i] - x).hypot(self.y[i] - y)));
        Score {
            x,
            y,
            z,
            flux,
            q,
            nearest: distances.min_by(|a, b| a.1.total_cmp(&b.1)),
            width: 1.0,
        }
    }
}

/// The known stars and how far each matters.
pub(super) struct Field<'a> {
    x: &'a [f64],
    y: &'a [f64],
    fwhm: f64,
    reach: f64,
    kernels: Kernels,
    /// Those of the kernels.
    values: Vec<Vec<f32>>,
    tree: Tree<2>,
}

impl Field<'_> {
    /// The pixels of the PSF at a place, and of a star's derivatives.
    fn window(&self, x: f64, y: f64) -> PixelBox {
        let side = self.kernels.side();
        PixelBox::around(x.round(), y.round(), (side, side))
    }

    /// The PSF averaged over the positions within a pixel.
    fn kernel_at(&self, x: usize, y: usize) -> &[f32] {
        &self.values[self.kernels.kernel_at(x, y).0]
    }

    /// The pixels that a star is within reach of.
    fn halo<T: Pixel>(&self, star: usize, frame: &Frame<'_, T>) -> PixelBox {
        let (x, y) = (self.x[star], self.y[star]);
        PixelBox::spanning(
            (x - self.reach, x + self.reach),
            (y - self.reach, y + self.reach),
        )
        .intersection(&frame.data().bounds())
    }
}

/// Takes the pixels out of which a star of the list leaves too little. The score of
/// an unresolved pair is highest on the star that stands for both: such a pixel can be
/// no new star, and must not keep those beside it from being one.
fn leave_out(maps: &mut ScoreMaps, min_q: f64) {
    for (z, q) in maps.z.iter_mut().zip(&maps.q) {
        if f64::from(*q) < min_q {
            *z = f32::NAN;
        }
    }
}

/// Leaves the first of those that share much of their light with one known star: what
/// it does not explain looks like a new star on either side of it.
fn leave_one_to_each(found: &mut Vec<Score>) {
    let mut claimed = HashSet::new();
    found.retain(|score| {
        let is_first = score.nearest.is_none_or(|(star, _)| claimed.insert(star));
        is_first || score.q > SHARED
    });
}

/// The local maxima of the score that are high enough, to parts of a pixel.
fn peaks(
    maps: &ScoreMaps,
    shape: (usize, usize),
    accept: &Acceptance,
    run: Run<'_>,
) -> Result<Vec<(f64, f64)>, Error> {
    let z = Image::new(&maps.z, shape)?;
    let adjacent = Selection::new().with_min_separation(Some(0.0));
    let found = adjacent.peaks(z, accept.n_sigma, 0.0, 0, run)?;
    let vertex = |peak: &Peak| vertex_at(z, (peak.x, peak.y));
    Ok(found.iter().map(vertex).collect())
}
