//! Local maxima above a threshold.

mod candidates;
mod neighbourhood;

use std::ops::Range;

use candidates::{Levels, Row};
pub use neighbourhood::Neighbourhood;

use super::ties;
use crate::Error;
use crate::image::{CACHED, Image, Pixel};
use crate::run::{Run, chunks};

/// What a pixel must exceed to be a peak.
#[derive(Debug, Clone, Copy)]
pub enum Threshold<'a> {
    /// The same for all pixels.
    Scalar(f64),
    /// One for each pixel; where it is NaN there are no peaks.
    Map(Image<'a, f64>),
}

impl Threshold<'_> {
    pub(super) fn check(&self, shape: (usize, usize)) -> Result<(), Error> {
        match self {
            Self::Scalar(value) if value.is_nan() => {
                Err(Error::invalid("threshold", "be a number", value))
            }
            Self::Map(map) if map.shape() != shape => Err(Error::ShapeMismatch {
                argument: "threshold",
                expected: vec![shape.0, shape.1],
                got: vec![map.shape().0, map.shape().1],
            }),
            _ => Ok(()),
        }
    }

    /// That of some rows.
    fn rows(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Scalar(value) => Self::Scalar(*value),
            Self::Map(map) => Self::Map(map.rows(rows)),
        }
    }

    /// That of one pixel.
    pub(super) fn at(&self, x: usize, y: usize) -> f64 {
        match self {
            Self::Scalar(value) => *value,
            Self::Map(map) => map.row(y)[x],
        }
    }
}

/// A local maximum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Column.
    pub x: usize,
    /// Row.
    pub y: usize,
    /// The image there.
    pub value: f64,
}

/// A search for peaks.
#[derive(Debug, Clone, Copy)]
pub struct PeakSearch<'a> {
    neighbourhood: &'a Neighbourhood,
    threshold: Threshold<'a>,
    scale: f64,
    mask: Option<Image<'a, bool>>,
    border: (usize, usize),
}

impl<'a> PeakSearch<'a> {
    /// Pixels above the threshold that are the largest of their neighbourhood.
    #[must_use]
    pub fn new(neighbourhood: &'a Neighbourhood, threshold: Threshold<'a>) -> Self {
        Self {
            neighbourhood,
            threshold,
            scale: 1.0,
            mask: None,
            border: (0, 0),
        }
    }

    /// Multiplies the threshold.
    #[must_use]
    pub fn with_scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// Masked pixels are no peaks, and do not keep others from being peaks.
    #[must_use]
    pub fn with_mask(mut self, mask: Option<Image<'a, bool>>) -> Self {
        self.mask = mask;
        self
    }

    /// No peaks within `border = (rows, columns)` of the edges.
    #[must_use]
    pub fn with_border(mut self, border: (usize, usize)) -> Self {
        self.border = border;
        self
    }

    /// The peaks of the image, row by row.
    ///
    /// NaN pixels are treated as masked ones. Beyond the edges the image counts
    /// as 0, so that a negative pixel near an edge is no peak. An image of one
    /// constant has none.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if mask or threshold have another shape,
    /// [`Error::InvalidArgument`] if the threshold is NaN, [`Error::Cancelled`].
    pub fn find<T: Pixel>(&self, image: Image<'_, T>, run: Run<'_>) -> Result<Vec<Peak>, Error> {
        self.check(image.shape())?;
        let searched = self.rows(image.shape().0);
        let bands = chunks(searched.len(), CACHED);
        let peaks = run.map(bands, Vec::new, |places, band| {
            let rows = band.start + searched.start..band.end + searched.start;
            Ok(self.find_in_rows(image, 0, rows, places))
        })?;
        let peaks = peaks.concat();
        if !peaks.is_empty() && constant(image).is_some() {
            return Ok(Vec::new());
        }
        Ok(self.resolve(peaks))
    }

    /// Refuses a threshold or mask that an image of `shape = (ny, nx)` cannot have.
    pub(super) fn check(&self, shape: (usize, usize)) -> Result<(), Error> {
        self.threshold.check(shape)?;
        match self.mask.filter(|mask| mask.shape() != shape) {
            None => Ok(()),
            Some(mask) => Err(Error::ShapeMismatch {
                argument: "mask",
                expected: vec![shape.0, shape.1],
                got: vec![mask.shape().0, mask.shape().1],
            }),
        }
    }

    /// Of peaks that are too close to each other, all row by row, those that are kept.
    pub(super) fn resolve(&self, peaks: Vec<Peak>) -> Vec<Peak> {
        match self.neighbourhood.separation {
            Some(separation) => ties::resolve(peaks, separation),
            None => peaks,
        }
    }

    /// The rows of an image of `ny` rows that are not in its border.
    pub(super) fn rows(&self, ny: usize) -> Range<usize> {
        let (border, _) = self.border;
        border..ny.saturating_sub(border).max(border)
    }

    /// How many rows above and below a pixel tell whether it is a peak.
    pub(super) fn reach(&self) -> usize {
        let spans = self.neighbourhood.spans.iter();
        spans
            .map(|span| span.dy.unsigned_abs() as usize)
            .max()
            .unwrap_or(0)
    }

    /// The peaks in `rows` of an image of which `window` has the rows from `first` on,
    /// those that tell of peaks in `rows` ([`PeakSearch::reach`]) among them; equal ones
    /// are not resolved. `places` is a buffer.
    pub(super) fn find_in_rows<T: Pixel>(
        &self,
        window: Image<'_, T>,
        first: usize,
        rows: Range<usize>,
        places: &mut Vec<usize>,
    ) -> Vec<Peak> {
        let (ny, nx) = window.shape();
        let (all, (_, border)) = (first..first + ny, self.border);
        let local = Self {
            threshold: self.threshold.rows(all.clone()),
            mask: self.mask.map(|mask| mask.rows(all)),
            ..*self
        };
        let columns = border..nx.saturating_sub(border).max(border);
        let sides = [(0, -1), (0, 1), (-1, 0), (1, 0)]
            .map(|side| self.neighbourhood.adjacent.contains(&side));
        let mut peaks = Vec::new();
        for y in rows.start - first..rows.end - first {
            let levels = match local.threshold {
                Threshold::Scalar(level) => Levels::Scalar(level * self.scale),
                Threshold::Map(map) => Levels::Map(map.row(y), self.scale),
            };
            let row = Row {
                image: window,
                mask: local.mask,
                y,
                levels,
            };
            places.clear();
            row.candidates(columns.clone(), sides, places);
            for &x in &*places {
                let value = window.row(y)[x];
                if !local.is_masked(x as i64, y as i64) && local.is_largest(window, x, y, value) {
                    let (y, value) = (y + first, value.into());
                    peaks.push(Peak { x, y, value });
                }
            }
        }
        peaks
    }

    fn is_masked(&self, x: i64, y: i64) -> bool {
        self.mask.is_some_and(|mask| mask.get(x, y) == Some(true))
    }

    /// Whether no pixel of the neighbourhood is larger.
    fn is_largest<T: Pixel>(&self, image: Image<'_, T>, x: usize, y: usize, value: T) -> bool {
        let (ny, nx) = image.shape();
        let (x, y, ny, nx) = (x as i64, y as i64, ny as i64, nx as i64);
        let exceeded_at = |px: i64, py: i64| {
            image.get(px, py).is_some_and(|other| other > value) && !self.is_masked(px, py)
        };
        let adjacent = &self.neighbourhood.adjacent;
        if adjacent.iter().any(|(dy, dx)| exceeded_at(x + dx, y + dy)) {
            return false;
        }
        self.neighbourhood.spans.iter().all(|span| {
            let py = y + span.dy;
            let (x0, x1) = ((x + span.x0).max(0), (x + span.x1).min(nx - 1));
            let has_row = (0..ny).contains(&py);
            let inside = has_row && x1 - x0 == span.x1 - span.x0;
            if !inside && value.into() < 0.0 {
                return false;
            }
            if !has_row || x0 > x1 {
                return true;
            }
            let others = &image.row(py as usize)[x0 as usize..=x1 as usize];
            // Nearly always none is larger, and then the mask is not asked.
            !others.iter().any(|other| *other > value) || !(x0..=x1).any(|px| exceeded_at(px, py))
        })
    }
}

/// The value of an image that has the same everywhere.
pub(super) fn constant<T: Pixel>(image: Image<'_, T>) -> Option<T> {
    let first = image.as_slice().first()?;
    // NaN is not even the same as itself.
    let same = image.as_slice().iter().all(|value| value == first);
    same.then_some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: equal to the maximum over the disk, and above.
    fn brute_force(
        image: Image<'_, f64>,
        mask: &[bool],
        inside: impl Fn(i64, i64) -> bool,
        threshold: f64,
    ) -> Vec<(usize, usize)> {
        let (ny, nx) = image.shape();
        let (h, w) = (ny as i64, nx as i64);
        let good = |x: i64, y: i64| {
            image
                .get(x, y)
                .filter(|v| !v.is_nan() && !mask[(y * w + x) as usize])
        };
        let mut peaks = Vec::new();
        for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            let Some(value) = good(x, y) else { continue };
            let mut largest = f64::NEG_INFINITY;
            for (py, px) in (-12..h + 12).flat_map(|y| (-12..w + 12).map(move |x| (y, x))) {
                if inside(px - x, py - y) {
                    let off_image = image.get(px, py).is_none();
                    let other = if off_image { Some(0.0) } else { good(px, py) };
                    largest = largest.max(other.unwrap_or(f64::NEG_INFINITY));
                }
            }
            if value > threshold && value >= largest {
                peaks.push((x as usize, y as usize));
            }
        }
        peaks
    }

    fn positions(peaks: &[Peak]) -> Vec<(usize, usize)> {
        peaks.iter().map(|peak| (peak.x, peak.y)).collect()
    }

    proptest! {
            #[test]
            fn peaks_of_distinct_values_are_those_of_the_definition(
                shape in (1..40_usize, 2..40_usize),
                radius in 0.5..9.0_f64,
                threshold in -30.0..90.0_f64,
                seed in 0..u64::MAX,
            ) {
                let random = |i: usize| (i as u64 + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11;
                let n = shape.0 * shape.1;
                let data: Vec<f64> = (0..n)
                    .map(|i| match random(i) % 29 {
                        0 => f64::NAN,
                        _ => random(i + n) as f64 / 1e14 - 30.0,
                    })
                    .collect();
                let mask: Vec<bool> = (0..n).map(|i| random(i + 2 * n) % 13 == 0).collect();
                let image = Image::new(&data, shape)?;
                let disk = Neighbourhood::disk(radius, shape)?;
                let search = PeakSearch::new(&disk, Threshold::Scalar(threshold))
                    .with_mask(Some(Image::new(&mask, shape)?));
                let peaks = search.find(image, Run::new())?;
                let inside = |dx: i64, dy: i64| ((dx * dx + dy * dy) as f64) <= radius * radius;
                let expected = brute_force(image, &mask, inside, threshold);
                prop_assert_eq!(positions(&peaks), expected);
                prop_assert_eq!(&peaks, &search.find(image, Run::new().serial())?);
                let map = vec![threshold; n];
                let mapped = PeakSearch { threshold: Threshold::Map(Image::new(&map, shape)?), ..search };
                prop_assert_eq!(peaks, mapped.find(image, Run::new())?);
            }

            #[test]
            fn footprints_of_any_form_give_the_definition_with_all_ties(
                footprint in proptest::collection::vec(proptest::bool::ANY, 35),
                data in proptest::collection::vec(-3_i8..6, 13 * 53),
                masked in proptest::collection::vec(0..13 * 53_usize, 0..20),
                nan_row in 0..13_usize,
                threshold in -4.0..5.0_f64,
            ) {
                const SHAPE: (usize, usize) = (13, 53);
                let mut footprint = footprint;
                footprint[17] = true;
                let mut data: Vec<f64> = data.into_iter().map(f64::from).collect();
                data[nan_row * SHAPE.1..(nan_row + 1) * SHAPE.1].fill(f64::NAN);
                let mut mask = [false; SHAPE.0 * SHAPE.1];
                for k in masked {
     mask[k] = true;
    }
                let (image, run) = (Image::new(&data, SHAPE)?, Run::new());
                let hood = Neighbourhood::footprint(&footprint, (5, 7))?;
                let search = PeakSearch::new(&hood, Threshold::Scalar(threshold))
                    .with_mask(Some(Image::new(&mask, SHAPE)?));
                let peaks = search.find(image, run)?;
                let inside = |dx: i64, dy: i64| {
                    Image::new(&footprint, (5, 7)).is_ok_and(|f| f.get(dx + 3, dy + 2) == Some(true))
                };
                let expected = brute_force(image, &mask, inside, threshold);
                prop_assert_eq!(positions(&peaks), expected);
                let single: Vec<f32> = data.iter().map(|v| *v as f32).collect();
                prop_assert_eq!(&peaks, &search.find(Image::new(&single, SHAPE)?, run)?);
                // Each pixel has a level of its own, one of three what none exceeds.
                let level = |k: usize| if k.is_multiple_of(3) { f64::NAN } else { threshold };
                let levels: Vec<f64> = (0..data.len()).map(level).collect();
                let mapped = PeakSearch { threshold: Threshold::Map(Image::new(&levels, SHAPE)?), ..search };
                let others = peaks.into_iter().filter(|peak| !level(peak.y * SHAPE.1 + peak.x).is_nan());
                prop_assert_eq!(others.collect::<Vec<_>>(), mapped.find(image, run)?);
            }
        }

    #[test]
    fn a_masked_pixel_neither_is_a_peak_nor_hides_one() -> Result<(), Error> {
        let mut data = vec![0.0; 81];
        (data[40], data[41]) = (9.0, 5.0);
        let mut mask = [false; 81];
        mask[40] = true;
        let disk = Neighbourhood::disk(2.5, (9, 9))?;
        let image = Image::new(&data, (9, 9))?;
        let search = PeakSearch::new(&disk, Threshold::Scalar(1.0));
        let run = Run::new();
        assert_eq!(positions(&search.find(image, run)?), [(4, 4)]);
        let search = search.with_mask(Some(Image::new(&mask, (9, 9))?));
        assert_eq!(positions(&search.find(image, run)?), [(5, 4)]);
        assert_eq!(search.with_border((4, 6)).find(image, run)?, []);
        assert_eq!(search.with_border((90, 90)).find(image, run)?, []);
        Ok(())
    }

    #[test]
    fn constant_empty_and_nan_images_have_no_peaks() -> Result<(), Error> {
        let run = Run::new();
        for (data, shape) in [
            (vec![3.0; 20], (4, 5)),
            (vec![3.0], (1, 1)),
            (vec![], (0, 4)),
            (vec![f64::NAN; 20], (4, 5)),
        ] {
            let disk = Neighbourhood::disk(2.0, shape)?;
            let search = PeakSearch::new(&disk, Threshold::Scalar(-1.0));
            assert_eq!(search.find(Image::new(&data, shape)?, run)?, []);
        }
        Ok(())
    }

    #[test]
    fn any_radius_is_taken_but_nan_and_negative_ones() -> Result<(), Error> {
        let data: Vec<f64> = (0..35).map(|i| f64::from(i * 17 % 35)).collect();
        for radius in [1e-300, 20.0, 1e300, f64::INFINITY] {
            let disk = Neighbourhood::disk(radius, (5, 7))?;
            let search = PeakSearch::new(&disk, Threshold::Scalar(0.5));
            let n = search.find(Image::new(&data, (5, 7))?, Run::new())?.len();
            assert_eq!(n, if radius < 1.0 { 34 } else { 1 });
        }
        for radius in [0.0, -1.0, f64::NAN] {
            assert!(Neighbourhood::disk(radius, (5, 7)).is_err());
        }
        Ok(())
    }

    #[test]
    fn wrong_thresholds_and_masks_are_refused() -> Result<(), Error> {
        let (data, map, mask) = ([0.0; 4], [0.0; 2], [false; 2]);
        let image = Image::new(&data, (2, 2))?;
        let disk = Neighbourhood::disk(2.0, (2, 2))?;
        let nan = PeakSearch::new(&disk, Threshold::Scalar(f64::NAN));
        assert!(nan.find(image, Run::new()).is_err());
        let map = PeakSearch::new(&disk, Threshold::Map(Image::new(&map, (1, 2))?));
        assert!(map.find(image, Run::new()).is_err());
        let masked = PeakSearch::new(&disk, Threshold::Scalar(1.0))
            .with_mask(Some(Image::new(&mask, (2, 1))?));
        assert!(masked.find(image, Run::new()).is_err());
        Ok(())
    }
}
