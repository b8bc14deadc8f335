//! The PSF as a kernel, at one place or several places of an image.

use std::ops::Range;

use super::correlation::Correlation;
use super::separable::Separable;
use super::sums::Sums;
use crate::Error;
use crate::image::{FARTHEST, PixelBox};
use crate::psf::{Placement, Psf, Whole};

/// What of a PSF's peak its low-rank form may be off by. The loss of S/N goes
/// with the square of it: 2e-5 of a Moffat's, of real PSFs some 1e-5.
const TRUNCATION: f64 = 3e-3;
/// Likewise of the peak of its square, which gives the errors where pixels differ
/// in weight; the sum of all is exact.
const TRUNCATION_OF_SQUARE: f64 = 1e-4;

/// The largest loss of S/N by the kernel of another place.
const LARGEST_LOSS: f64 = 0.01;
/// Numbers of blocks along each side of the image that are tried.
const BLOCKS: [usize; 8] = [1, 2, 3, 4, 6, 8, 12, 16];
/// Places along each side at which a PSF is looked at to see whether it varies.
const PROBES: usize = 5;

/// Half the width of the largest window, pixels.
const LARGEST_HALF_WIDTH: usize = 255;

/// A PSF averaged over the positions within a pixel.
#[derive(Debug, Clone)]
pub(crate) struct PsfKernel {
    /// As the low-rank form has it, row by row.
    pub(super) values: Vec<f64>,
    /// Gives Σ w, Σ w P and Σ w P² of weights.
    pub(super) of_weights: Correlation,
    /// Gives Σ w D and Σ w D P of weighted data.
    pub(super) of_data: Correlation,
    /// Over the whole window, with weights 1, of no data.
    pub(super) whole: Sums,
}

impl PsfKernel {
    fn new(values: &[f64], side: usize) -> Self {
        let kernel = Separable::new(values, side, TRUNCATION);
        let values = kernel.values();
        let squares: Vec<f64> = values.iter().map(|v| v * v).collect();
        let ones = Separable::ones(side);
        let mut whole = Sums::default();
        for value in &values {
            whole.add(1.0, *value, 0.0);
        }
        let square = Separable::new(&squares, side, TRUNCATION_OF_SQUARE).with_sum(whole.wpp);
        Self {
            of_weights: Correlation::new(side, &[&ones, &kernel, &square]),
            of_data: Correlation::new(side, &[&ones, &kernel]),
            values,
            whole,
        }
    }
}

/// The kernels of an image: one, or one for each of its blocks.
#[derive(Debug, Clone)]
pub(crate) struct Kernels {
    pub(super) half_width: usize,
    pub(super) rows: Vec<Range<usize>>,
    pub(super) columns: Vec<Range<usize>>,
    /// The middle (x, y) of each block, row by row.
    centres: Vec<(f64, f64)>,
    of_blocks: Vec<PsfKernel>,
}

impl Kernels {
    /// The kernels of `psf` over an image, and its full width at half maximum,
    /// which is measured in the middle of the image unless it is given.
    ///
    /// `half_width` is twice that unless it is given.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] naming the argument that cannot be used.
    pub(crate) fn of_image(
        psf: &dyn Psf,
        half_width: Option<usize>,
        fwhm: Option<f64>,
        shape: (usize, usize),
    ) -> Result<(Self, f64), Error> {
        let fwhm = match fwhm {
            Some(fwhm) => {
                Error::check_positive("fwhm", fwhm)?;
                fwhm
            }
            None => measured_fwhm(psf, ((shape.1 / 2) as f64, (shape.0 / 2) as f64))?,
        };
        let half_width = half_width.unwrap_or((2.0 * fwhm).round().max(1.0) as usize);
        if !(1..=LARGEST_HALF_WIDTH).contains(&half_width) {
            let expected = format!("be between 1 and {LARGEST_HALF_WIDTH}");
            return Err(Error::invalid("half_width", expected, half_width));
        }
        Ok((Self::new(psf, half_width, shape)?, fwhm))
    }

    /// The kernels of `psf` over an image of `shape = (ny, nx)`.
    ///
    /// One will do where it costs less than 1 % of the S/N anywhere on the
    /// image; else the image is cut into so many blocks that those of their
    /// centres cost less than that, up to 16 by 16. Of a part of an image the blocks
    /// are those of the whole, so that stars are found in the part as in the whole.
    pub(super) fn new(
        psf: &dyn Psf,
        half_width: usize,
        shape: (usize, usize),
    ) -> Result<Self, Error> {
        let whole = psf.whole().filter(|whole| {
            let (x, y) = whole.origin;
            y + shape.0 <= whole.shape.0 && x + shape.1 <= whole.shape.1
        });
        let whole = whole.unwrap_or(Whole {
            origin: (0, 0),
            shape,
        });
        let n = n_blocks(psf, half_width, whole);
        let rows = seen(&blocks(whole.shape.0, n), whole.origin.1, shape.0);
        let columns = seen(&blocks(whole.shape.1, n), whole.origin.0, shape.1);
        let side = 2 * half_width + 1;
        let mut of_blocks = Vec::new();
        let centres: Vec<(f64, f64)> = rows
            .iter()
            .flat_map(|(_, y)| columns.iter().map(move |(_, x)| (*x, *y)))
            .collect();
        for &(x, y) in &centres {
            let values = averaged(psf, half_width, (x, y));
            check(&values, (x, y))?;
            of_blocks.push(PsfKernel::new(&values, side));
        }
        Ok(Self {
            half_width,
            rows: rows.into_iter().map(|(range, _)| range).collect(),
            columns: columns.into_iter().map(|(range, _)| range).collect(),
            centres,
            of_blocks,
        })
    }

    /// Pixels along a side of the windows.
    pub(crate) fn side(&self) -> usize {
        2 * self.half_width + 1
    }

    /// That of a block, by the numbers of its row and column.
    pub(super) fn block(&self, row: usize, column: usize) -> &PsfKernel {
        &self.of_blocks[row * self.columns.len() + column]
    }

    /// Half the width of the windows.
    pub(crate) fn half_width(&self) -> usize {
        self.half_width
    }

    /// The number and the values of that of the pixel in column `x` of row `y`.
    pub(crate) fn kernel_at(&self, x: usize, y: usize) -> (usize, &[f64]) {
        let number = |ranges: &[Range<usize>], i: usize| {
            let number = ranges.partition_point(|range| range.end <= i);
            number.min(ranges.len() - 1)
        };
        let k = number(&self.rows, y) * self.columns.len() + number(&self.columns, x);
        (k, &self.of_blocks[k].values)
    }

    /// Something of each kernel, from its place (x, y) and its values.
    pub(crate) fn map<R>(&self, of: impl Fn((f64, f64), &[f64]) -> R) -> Vec<R> {
        let places = self.centres.iter().zip(&self.of_blocks);
        places
            .map(|(place, kernel)| of(*place, &kernel.values))
            .collect()
    }
}

/// `0..n` cut into equal parts, at least one.
fn blocks(n: usize, parts: usize) -> Vec<Range<usize>> {
    let parts = parts.clamp(1, n.max(1));
    (0..parts)
        .map(|i| i * n / parts..(i + 1) * n / parts)
        .collect()
}

fn middle(range: &Range<usize>) -> f64 {
    usize::midpoint(range.start, range.end) as f64
}

/// Those of the blocks of a side that a part sees, so many pixels from `origin` on, and
/// where in it their middles are.
fn seen(all: &[Range<usize>], origin: usize, side: usize) -> Vec<(Range<usize>, f64)> {
    let inside = |at: usize| at.saturating_sub(origin).min(side);
    let mut seen: Vec<(Range<usize>, f64)> = all
        .iter()
        .map(|range| {
            let part = inside(range.start)..inside(range.end);
            (part, middle(range) - origin as f64)
        })
        .collect();
    seen.retain(|(part, _)| !part.is_empty() || side == 0);
    seen
}

/// The window of whole pixels around a pixel.
fn window(half_width: usize, (x, y): (f64, f64)) -> PixelBox {
    PixelBox::around(x, y, (2 * half_width + 1, 2 * half_width + 1))
}

/// The PSF of a star in the middle of the pixel at (x, y).
fn centred(psf: &dyn Psf, half_width: usize, (x, y): (f64, f64)) -> Vec<f64> {
    let window = window(half_width, (x, y));
    let mut values = vec![0.0; window.len()];
    psf.fill(Placement { x, y, shape: &[] }, window, &mut values);
    values
}

/// The mean over a raster of 3 by 3 positions within the pixel at (x, y).
fn averaged(psf: &dyn Psf, half_width: usize, (x, y): (f64, f64)) -> Vec<f64> {
    const PHASES: [f64; 3] = [-1.0 / 3.0, 0.0, 1.0 / 3.0];
    let window = window(half_width, (x, y));
    let (mut sum, mut values) = (vec![0.0; window.len()], vec![0.0; window.len()]);
    for (dx, dy) in PHASES.iter().flat_map(|dy| PHASES.map(|dx| (dx, *dy))) {
        let at = Placement {
            x: x + dx,
            y: y + dy,
            shape: &[],
        };
        psf.fill(at, window, &mut values);
        sum.iter_mut().zip(&values).for_each(|(s, v)| *s += v / 9.0);
    }
    sum
}

/// Refuses kernels that are no star.
fn check(values: &[f64], (x, y): (f64, f64)) -> Result<(), Error> {
    let refuse = |got: String| {
        let expected = "have finite values and a positive sum around a star";
        Err(Error::invalid("psf_model", expected, got))
    };
    if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
        return refuse(format!("{bad} near ({x}, {y})"));
    }
    let sum: f64 = values.iter().sum();
    let differs = values.iter().any(|v| (v - values[0]).abs() > 0.0);
    if sum > 0.0 && differs {
        return Ok(());
    }
    refuse(format!("the sum {sum} near ({x}, {y})"))
}

/// The least number of blocks along each side that keeps the loss of S/N small.
fn n_blocks(psf: &dyn Psf, half_width: usize, whole: Whole) -> usize {
    let (ny, nx) = whole.shape;
    let (left, low) = (whole.origin.0 as f64, whole.origin.1 as f64);
    let at = |(x, y): (f64, f64)| centred(psf, half_width, (x - left, y - low));
    let far = |n: usize, i: usize| (n.saturating_sub(1) * i / (PROBES - 1)) as f64;
    let places = (0..PROBES * PROBES).map(|k| (far(nx, k % PROBES), far(ny, k / PROBES)));
    let first = at((far(nx, 0), far(ny, 0)));
    if places.map(at).all(|values| loss(&first, &values) < 1e-12) {
        return 1;
    }
    let is_enough = |n: usize| {
        let (rows, columns) = (blocks(ny, n), blocks(nx, n));
        rows.iter().all(|row| {
            columns.iter().all(|column| {
                let own = at((middle(column), middle(row)));
                let ends = |range: &Range<usize>| {
                    let last = range.end.saturating_sub(1);
                    [range.start as f64, middle(range), last as f64]
                };
                ends(row).iter().all(|&y| {
                    let edge = ends(column).map(|x| (x, y));
                    edge.iter()
                        .all(|&place| loss(&own, &at(place)) < LARGEST_LOSS)
                })
            })
        })
    };
    let most = BLOCKS[BLOCKS.len() - 1];
    BLOCKS.into_iter().find(|&n| is_enough(n)).unwrap_or(most)
}

/// 1 − the S/N of a star like `b` with the kernel `a` over that with its own,
/// both with a free sky.
fn loss(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let product = |p: &[f64], mp: f64, q: &[f64], mq: f64| -> f64 {
        p.iter().zip(q).map(|(p, q)| (p - mp) * (q - mq)).sum()
    };
    let norm = product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b);
    1.0 - product(a, mean_a, b, mean_b) / norm.sqrt()
}

/// The full width at half maximum of a PSF in the middle of the pixel at
/// `place = (x, y)`: the diameter of the circle of the area where it is at
/// least half its maximum, pixels.
///
/// # Errors
/// [`Error::InvalidArgument`] if there is no maximum, or it is wider than 100
/// pixels, or if the place is farther than 1e9 pixels from the first one.
pub fn measured_fwhm(psf: &dyn Psf, place: (f64, f64)) -> Result<f64, Error> {
    if !(place.0.abs() <= FARTHEST && place.1.abs() <= FARTHEST) {
        let got = format!("{place:?}");
        return Err(Error::invalid("place", "be within 1e9 pixels", got));
    }
    let place = (place.0.round(), place.1.round());
    // Half widths of the raster and points per pixel, from fine to wide.
    for (half_width, points) in [(4, 16), (8, 8), (16, 4), (32, 2), (64, 1)] {
        let (values, inner) = raster(psf, half_width, points, place);
        let most = values.iter().copied().fold(0.0, f64::max);
        if !(most > 0.0 && most.is_finite()) {
            break;
        }
        let above = |v: &f64| *v >= 0.5 * most;
        let area = values.iter().filter(|v| above(v)).count() as f64;
        let inner_area = inner.iter().filter(|v| above(v)).count() as f64;
        if area > 0.0 && (area - inner_area).abs() < 0.5 {
            let points = points as f64;
            return Ok(2.0 * (area / (points * points) / std::f64::consts::PI).sqrt());
        }
    }
    Err(Error::invalid(
        "psf_model",
        "have a maximum, and a width of at most 100 pixels",
        format!("another PSF near {place:?}; give half_width and min_separation"),
    ))
}

/// The PSF on a raster of `points` by `points` positions per pixel, in no
/// order, and that of it which does not lie in the outermost ring of pixels.
fn raster(
    psf: &dyn Psf,
    half_width: usize,
    points: usize,
    (x, y): (f64, f64),
) -> (Vec<f64>, Vec<f64>) {
    let window = window(half_width, (x, y));
    let (mut all, mut inner) = (Vec::new(), Vec::new());
    let mut values = vec![0.0; window.len()];
    for k in 0..points * points {
        let shift = |i: usize| (i as f64 + 0.5) / points as f64 - 0.5;
        let at = Placement {
            x: x + shift(k % points),
            y: y + shift(k / points),
            shape: &[],
        };
        psf.fill(at, window, &mut values);
        all.extend_from_slice(&values);
        let side = window.width();
        for row in values.chunks_exact(side).skip(1).take(side - 2) {
            inner.extend_from_slice(&row[1..side - 1]);
        }
    }
    (all, inner)
}
