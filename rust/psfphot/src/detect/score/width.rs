//! How much wider the score is spread than it is where nothing is left to find.

use super::ScoreMaps;
use crate::image::{Frame, Image, Pixel};
use crate::{Error, Run};

/// Pixels whose stars leave less of the information tell of these, not of the rest.
const LEAST_INFORMATION: f32 = 0.2;

/// Sides of the blocks: so many pixels, and so many full widths at half maximum, of
/// which each is one value: 900 tell a width to 4 %.
const BLOCK: (f64, f64) = (100.0, 30.0);

/// A block of fewer usable pixels has no width of its own.
const FEWEST: usize = 500;

/// The excess of the variance is the whole of it for stars whose pixels have this part
/// of the median weight, and falls with the weight to this power for noisier ones.
///
/// Light can hide in a star that is less than some multiple of the star's error; where
/// the numbers of stars go with flux^-a the variance of all that does goes with
/// error^(3 - a), of which error^(1 - a) is the part of the star's own. Measured with
/// 35,000 stars too faint to be found among 9,000 others (a = 1.9), whose width is 1.28:
/// pulls of the formal errors are 1.36, 1.31, 1.19, 1.09, 1.10 and 0.90 where weights
/// are 0.35, 0.16, 0.08, 0.04, 0.02 and 0.005.
const NOISY: (f64, f64) = (0.2, 0.6);

/// A standard deviation in median absolute deviations.
const SIGMA_PER_MAD: f64 = 1.482_602_218_505_602;

/// The width of the score in blocks of an image, 1 where the errors of the pixels
/// are all there is.
///
/// Stars that were not found, and what the PSF does not match, widen the score, and the
/// errors of fitted stars are too small by the same factor. Pixel residuals do not
/// tell it: what is left of stars is correlated over the PSF.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreWidth {
    nodes: Vec<BlockWidth>,
    /// Of the nodes: rows and columns.
    shape: (usize, usize),
    /// Of a block, pixels.
    size: (f64, f64),
    /// The (x, y) in the image of what positions are counted from.
    origin: (f64, f64),
    typical: f64,
}

/// The width in a block of an image, and the median of its pixels' weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockWidth {
    /// NaN where too few pixels tell.
    pub width: f64,
    /// NaN without pixels.
    pub weight: f64,
}

impl ScoreWidth {
    /// Measures the width of the score of a frame, block by block: a median absolute
    /// deviation of the pixels that the fitted stars leave a fifth of the information,
    /// averaged with those of the blocks around (weights 1, 2, 1 along each axis).
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the maps are of another shape; [`Error::Cancelled`].
    pub fn measure<T: Pixel>(
        maps: &ScoreMaps,
        frame: &Frame<'_, T>,
        fwhm: f64,
        run: Run<'_>,
    ) -> Result<Self, Error> {
        let shape = frame.data().shape();
        let [rows, columns] = [shape.0, shape.1].map(|side| block_edges(side, fwhm));
        let blocks = Self::blocks(maps, frame, (&rows, &columns), run)?;
        Self::of_blocks(&blocks, (rows.len() - 1, columns.len() - 1), shape)
    }

    /// Measures the width in each of some blocks of a frame, row by row, as
    /// [`ScoreWidth::measure`] does before it averages: those between edges along y and
    /// along x, pixels.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the maps are of another shape;
    /// [`Error::InvalidArgument`] for edges that do not increase or are off the frame;
    /// [`Error::Cancelled`].
    pub fn blocks<T: Pixel>(
        maps: &ScoreMaps,
        frame: &Frame<'_, T>,
        edges: (&[usize], &[usize]),
        run: Run<'_>,
    ) -> Result<Vec<BlockWidth>, Error> {
        let shape = frame.data().shape();
        let (z, q) = (Image::new(&maps.z, shape)?, Image::new(&maps.q, shape)?);
        for (edges, side) in [(edges.0, shape.0), (edges.1, shape.1)] {
            let is_on = edges.last().is_some_and(|last| *last <= side);
            if !is_on || !edges.is_sorted() {
                let got = format!("{edges:?} of {side} pixels");
                return Err(Error::invalid("edges", "increase within the frame", got));
            }
        }
        let columns = edges.1.len() - 1;
        let blocks = (0..(edges.0.len() - 1) * columns).collect();
        let scratch = || (Vec::new(), Vec::new());
        run.map(blocks, scratch, |(values, weights), block: usize| {
            let part = |k: usize, edges: &[usize]| edges[k]..edges[k + 1];
            let inside = part(block % columns, edges.1);
            values.clear();
            weights.clear();
            for y in part(block / columns, edges.0) {
                let scores = z.row(y)[inside.clone()]
                    .iter()
                    .zip(&q.row(y)[inside.clone()]);
                let pixels = frame.row_pixels(y, inside.clone());
                for ((&z, &q), pixel) in scores.zip(pixels) {
                    if let Some((_, weight)) = pixel
                        && q > LEAST_INFORMATION
                        && z.is_finite()
                    {
                        values.push(f64::from(z));
                        weights.push(weight);
                    }
                }
            }
            let has_width = values.len() >= FEWEST;
            Ok(BlockWidth {
                width: if has_width { spread(values) } else { f64::NAN },
                weight: median(weights).unwrap_or(f64::NAN),
            })
        })
    }

    /// The width in an image of a shape whose blocks, between [`block_edges`], were
    /// measured; so many along y and x.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if there are not as many.
    pub fn of_blocks(
        blocks: &[BlockWidth],
        (rows, columns): (usize, usize),
        shape: (usize, usize),
    ) -> Result<Self, Error> {
        Error::check_len("blocks", rows * columns, blocks.len())?;
        let known = blocks.iter().map(|node| node.width);
        let mut known: Vec<f64> = known.filter(|width| width.is_finite()).collect();
        let typical = median(&mut known).unwrap_or(1.0).max(1.0);
        let node = |block: usize| {
            let at = (block / columns, block % columns);
            let mean = |of: fn(&BlockWidth) -> f64| smoothed(blocks, of, (rows, columns), at);
            BlockWidth {
                width: mean(|node| node.width).unwrap_or(typical).max(1.0),
                weight: mean(|node| node.weight).unwrap_or(f64::NAN),
            }
        };
        Ok(Self {
            nodes: (0..rows * columns).map(node).collect(),
            shape: (rows, columns),
            size: (
                shape.0 as f64 / rows as f64,
                shape.1 as f64 / columns as f64,
            ),
            origin: (0.0, 0.0),
            typical,
        })
    }

    /// The same, told by positions in a window whose first pixel is at (x, y).
    #[must_use]
    pub fn seen_from(mut self, x: f64, y: f64) -> Self {
        self.origin = (x, y);
        self
    }

    /// The width at a place, pixels: bilinear between the middles of the blocks, at
    /// least 1; NaN if the place is.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> f64 {
        self.between(x, y, |node| node.width)
    }

    /// By what factor the error of a star is too small whose pixels have a mean weight:
    /// the width, nearer to 1 the noisier they are.
    #[must_use]
    pub fn factor(&self, x: f64, y: f64, weight: f64) -> f64 {
        let excess = self.at(x, y).powi(2) - 1.0;
        let relative = weight / self.between(x, y, |node| node.weight);
        let part = (relative / NOISY.0).powf(NOISY.1);
        // Without weights, the whole.
        let part = if part < 1.0 { part } else { 1.0 };
        (1.0 + excess * part).sqrt()
    }

    /// The median width of the blocks, at least 1.
    #[must_use]
    pub fn typical(&self) -> f64 {
        self.typical
    }

    fn between(&self, x: f64, y: f64, of: fn(&BlockWidth) -> f64) -> f64 {
        if x.is_nan() || y.is_nan() {
            return f64::NAN;
        }
        let (row, down) = place(y + self.origin.1, self.size.0, self.shape.0);
        let (column, right) = place(x + self.origin.0, self.size.1, self.shape.1);
        let node = |row: usize, column: usize| {
            let (row, column) = (row.min(self.shape.0 - 1), column.min(self.shape.1 - 1));
            of(&self.nodes[row * self.shape.1 + column])
        };
        let on_row = |row: usize| node(row, column) * (1.0 - right) + node(row, column + 1) * right;
        on_row(row) * (1.0 - down) + on_row(row + 1) * down
    }
}

/// Where the blocks of a side of so many pixels begin and end.
#[must_use]
pub fn block_edges(side: usize, fwhm: f64) -> Vec<usize> {
    let block = BLOCK.0.max(BLOCK.1 * fwhm);
    let n = (side as f64 / block).round().max(1.0) as usize;
    (0..=n).map(|k| k * side / n).collect()
}

/// The mean of a node and those around it that are known, its own weight largest.
fn smoothed(
    nodes: &[BlockWidth],
    of: fn(&BlockWidth) -> f64,
    shape: (usize, usize),
    at: (usize, usize),
) -> Option<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for row in at.0.saturating_sub(1)..shape.0.min(at.0 + 2) {
        for column in at.1.saturating_sub(1)..shape.1.min(at.1 + 2) {
            let value = of(&nodes[row * shape.1 + column]);
            if value.is_finite() {
                let part = |a: usize, b: usize| if a == b { 2.0 } else { 1.0 };
                let weight = part(row, at.0) * part(column, at.1);
                sum += weight * value;
                weights += weight;
            }
        }
    }
    (weights > 0.0).then(|| sum / weights)
}

/// The node before a place, and how far the place is on the way to the next.
fn place(at: f64, size: f64, n: usize) -> (usize, f64) {
    let along = ((at + 0.5) / size - 0.5).clamp(0.0, (n - 1) as f64);
    (along as usize, along.fract())
}

/// The robust standard deviation of values, which are moved; NaN of none.
fn spread(values: &mut [f64]) -> f64 {
    let Some(middle) = median(values) else {
        return f64::NAN;
    };
    for value in values.iter_mut() {
        *value = (*value - middle).abs();
    }
    median(values).map_or(f64::NAN, |deviation| SIGMA_PER_MAD * deviation)
}

/// The upper median of values, which are moved.
fn median(values: &mut [f64]) -> Option<f64> {
    let half = values.len() / 2;
    (half < values.len()).then(|| *values.select_nth_unstable_by(half, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spread of values whose robust standard deviation is `sigma`.
    fn maps(shape: (usize, usize), sigma: impl Fn(usize, usize) -> f64) -> ScoreMaps {
        let value = |k: usize| {
            let quantile = ((k * 7919 + 13) % 10_007) as f64 / 10_007.0 * 2.0 - 1.0;
            // Of even values the median deviation is half of the largest.
            (2.0 * quantile / SIGMA_PER_MAD * sigma(k / shape.1, k % shape.1)) as f32
        };
        let z = (0..shape.0 * shape.1).map(value).collect();
        ScoreMaps {
            z,
            q: vec![1.0; shape.0 * shape.1],
        }
    }

    const SHAPE: (usize, usize) = (300, 400);

    fn measure(
        maps: &ScoreMaps,
        errors: &[f64],
        shape: (usize, usize),
    ) -> Result<ScoreWidth, Error> {
        let data = vec![0.0; errors.len()];
        let frame = Frame::new(Image::new(&data, shape)?).with_error(Image::new(errors, shape)?)?;
        let width = ScoreWidth::measure(maps, &frame, 2.0, Run::new())?;
        let serial = ScoreWidth::measure(maps, &frame, 2.0, Run::new().serial())?;
        assert!(width == serial || width.nodes.iter().any(|node| node.weight.is_nan()));
        Ok(width)
    }

    #[test]
    fn the_width_of_parts_is_that_of_the_whole() -> Result<(), Error> {
        let varying = maps(SHAPE, |_, x| 1.0 + x as f64 / 400.0);
        let errors = vec![1.0_f32; SHAPE.0 * SHAPE.1];
        let frame =
            Frame::new(Image::new(&errors, SHAPE)?).with_error(Image::new(&errors, SHAPE)?)?;
        let whole = ScoreWidth::measure(&varying, &frame, 2.0, Run::new())?;
        let [rows, columns] = [SHAPE.0, SHAPE.1].map(|side| block_edges(side, 2.0));
        assert_eq!((rows.len(), columns.len()), (4, 5));
        let mut blocks = Vec::new();
        for row in rows.windows(2) {
            blocks.extend(ScoreWidth::blocks(
                &varying,
                &frame,
                (row, &columns),
                Run::new(),
            )?);
        }
        let of_parts = ScoreWidth::of_blocks(&blocks, (3, 4), SHAPE)?;
        assert_eq!(of_parts, whole);
        let seen = of_parts.seen_from(100.0, 50.0);
        assert!((seen.at(120.0, 60.0) - whole.at(220.0, 110.0)).abs() < 1e-15);
        assert!(ScoreWidth::of_blocks(&blocks, (4, 4), SHAPE).is_err());
        for bad in [vec![], vec![0, 301], vec![7, 3]] {
            assert!(ScoreWidth::blocks(&varying, &frame, (&bad, &columns), Run::new()).is_err());
        }
        Ok(())
    }

    #[test]
    fn the_width_follows_the_image_and_is_never_below_one() -> Result<(), Error> {
        let wide = maps(SHAPE, |_, x| if x < 200 { 0.7 } else { 2.0 });
        let width = measure(&wide, &vec![1.0; 120_000], SHAPE)?;
        assert!((width.at(10.0, 150.0) - 1.0).abs() < 1e-12);
        assert!((width.at(390.0, 150.0) - 2.0).abs() < 0.05);
        let middle = width.at(200.0, 150.0);
        assert!(middle > 1.1 && middle < 1.7, "{middle}");
        // Between two nodes it goes straight.
        let [a, b, c] = [150.0, 175.0, 200.0].map(|x| width.at(x, 150.0));
        assert!((a + c - 2.0 * b).abs() < 1e-9);
        assert!(width.at(f64::NAN, 3.0).is_nan());
        Ok(())
    }

    #[test]
    fn stars_whose_pixels_are_noisier_have_less_of_it() -> Result<(), Error> {
        let width = measure(&maps(SHAPE, |_, _| 1.5), &vec![2.0; 120_000], SHAPE)?;
        let factor = |weight: f64| width.factor(50.0, 60.0, weight);
        assert!((factor(0.25) - 1.5).abs() < 0.05);
        for weight in [0.5, 0.06, f64::NAN] {
            assert!((factor(weight) - factor(0.25)).abs() < 1e-12);
        }
        let excess = (factor(0.0025).powi(2) - 1.0) / (factor(0.25).powi(2) - 1.0);
        assert!((excess - 0.05_f64.powf(NOISY.1)).abs() < 1e-9);
        assert!((factor(0.0) - 1.0).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn pixels_of_stars_and_without_data_take_no_part() -> Result<(), Error> {
        let shape = (120, 100);
        let mut some = maps(shape, |_, _| 1.5);
        for k in 0..6000 {
            some.z[2 * k] = if k % 2 == 0 { f32::NAN } else { 1000.0 };
            some.q[2 * k] = 0.1;
        }
        let errors = vec![1.0; 12_000];
        let width = measure(&some, &errors, shape)?;
        assert!((width.at(50.0, 60.0) - 1.5).abs() < 0.05);
        assert!((width.typical() - 1.5).abs() < 0.05);
        let none = ScoreMaps {
            z: vec![f32::NAN; 4],
            q: vec![1.0; 4],
        };
        let width = measure(&none, &errors[..4], (2, 2))?;
        assert!((width.factor(0.0, 0.0, 1.0) - 1.0).abs() < 1e-12);
        assert!(measure(&none, &errors[..6], (2, 3)).is_err());
        Ok(())
    }
}
