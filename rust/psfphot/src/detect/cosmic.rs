//! Hot pixels and cosmic rays: pixels that stand out of what their neighbours
//! say of a star there.

use std::collections::BTreeSet;

use super::finder::setters;
use super::matched::{Kernels, Sums, deviation};
use crate::Error;
use crate::image::{Frame, Image, Pixel, PixelBox};
use crate::psf::{Placement, Psf};
use crate::run::{Run, chunks};

/// Rows per task.
const BAND: usize = 32;
/// Pixels per task of a round that looks at some pixels only.
const BATCH: usize = 256;

/// Along each axis, the positions of a star within a pixel that are tried; the
/// first and the last lie on the pixel's edges.
const PHASES: usize = 9;

/// Finds pixels that no star could make so bright beside its neighbours.
///
/// At each local maximum of three by three pixels A·PSF + constant is fitted to
/// the pixels around it by least squares, without the pixel itself; all with one
/// weight, for then q is the same in every star: with 1/error² the wings would
/// count more the brighter a star is. A star's brightest pixel is at most q·A above the constant, wherever in the
/// pixel the star lies; q is measured on the PSF at all positions. A pixel D is
/// bad where
///
/// D − constant − `margin`·q·max(A, 0) > `n_sigma` √(error² + (q σ_A/2)²).
///
/// The same is tried without the eight pixels around it, too, which tells
/// cosmic rays of several pixels from stars. The pixels found are left out, and
/// the next round looks again for maxima among the others, until none is found
/// or for so many rounds; from the third round on only beside pixels found.
///
/// The idea is that of stars' sharpness (Stetson 1987, PASP 99, 191), and of
/// the comparison with the sharpest possible star by van Dokkum (2001, PASP
/// 113, 1420). It needs a PSF that is not undersampled: with a full width at
/// half maximum of less than about 2 pixels q·A says little.
#[derive(Debug, Clone)]
pub struct CosmicRays<'a> {
    psf: &'a dyn Psf,
    n_sigma: f64,
    margin: f64,
    error: Option<f64>,
    half_width: Option<usize>,
    rounds: usize,
}

impl<'a> CosmicRays<'a> {
    /// Pixels that no star like `psf` could make: 5 sigma, a margin of 1.3, 12
    /// rounds.
    #[must_use]
    pub fn new(psf: &'a dyn Psf) -> Self {
        Self {
            psf,
            n_sigma: 5.0,
            margin: 1.3,
            error: None,
            half_width: None,
            rounds: 12,
        }
    }

    setters! {
        /// By how many sigma a bad pixel exceeds what a star may have there;
        /// beside bad pixels half of that is enough.
        fn with_n_sigma(n_sigma: f64);

        /// By what factor stars may be sharper than the PSF, at least 1.
        fn with_margin(margin: f64);

        /// The 1-sigma error of all pixels of a frame that has no errors; `None`
        /// to measure it by the differences of pixels in a row.
        fn with_error(error: Option<f64>);

        /// Half the width of the windows; `None` for twice the PSF's full width
        /// at half maximum, rounded up.
        fn with_half_width(half_width: Option<usize>);

        /// The most rounds.
        fn with_rounds(rounds: usize);
    }

    /// The pixels found, row by row, `true` where bad; those that the frame
    /// does not use are not among them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a setting or a PSF that cannot be used;
    /// [`Error::Cancelled`].
    pub fn find<T: Pixel>(&self, frame: &Frame<'_, T>, run: Run<'_>) -> Result<Vec<bool>, Error> {
        Error::check_positive("n_sigma", self.n_sigma)?;
        if !(self.margin >= 1.0 && self.margin.is_finite()) {
            return Err(Error::invalid("margin", "be at least 1", self.margin));
        }
        if let Some(error) = self.error {
            Error::check_positive("error", error)?;
        }
        let (ny, nx) = frame.data().shape();
        let kernels = Kernels::of_image(self.psf, self.half_width, None, (ny, nx))?.0;
        let stars = kernels.map(|place, kernel| Star::new(self.psf, &kernels, place, kernel));
        let unit = match (frame.has_error(), self.error) {
            (true, _) => 1.0,
            (false, Some(error)) => error,
            (false, None) => row_noise(frame.data()),
        };
        let mut search = Search {
            settings: self,
            frame,
            kernels: &kernels,
            stars: &stars,
            unit,
            found: vec![false; ny * nx],
        };
        let mut places = BTreeSet::new();
        for round in 0..self.rounds {
            let new = if round < 2 {
                search.everywhere(run)?
            } else {
                search.among(&search.beside(&places), run)?
            };
            if new.is_empty() && round > 0 {
                break;
            }
            for &at in &new {
                search.found[at.1 * nx + at.0] = true;
            }
            places.extend(new);
        }
        Ok(search.found)
    }
}

/// How bright a star's brightest pixel can be.
#[derive(Debug, Clone, Copy)]
struct Star {
    /// The brightest pixel, from the middle of the window.
    brightest: (i64, i64),
    /// Over the amplitude fitted to the others; over that fitted without its
    /// eight neighbours. Infinite where that amplitude is not positive.
    ratio: [f64; 2],
}

impl Star {
    fn new(psf: &dyn Psf, kernels: &Kernels, (x, y): (f64, f64), kernel: &[f64]) -> Self {
        let (side, half) = (kernels.side(), kernels.half_width() as i64);
        let largest = (0..kernel.len()).max_by(|&a, &b| kernel[a].total_cmp(&kernel[b]));
        let place = |k: usize| ((k % side) as i64 - half, (k / side) as i64 - half);
        let brightest = largest.map_or((0, 0), place);
        let window = PixelBox::around(x, y, (side, side));
        let mut values = vec![0.0; window.len()];
        let mut ratio = [0.0_f64; 2];
        let phase = |i: usize| i as f64 / (PHASES - 1) as f64 - 0.5;
        for k in 0..PHASES * PHASES {
            let at = Placement {
                x: x + phase(k % PHASES),
                y: y + phase(k / PHASES),
                shape: &[],
            };
            psf.fill(at, window, &mut values);
            for (reach, most) in (0..).zip(&mut ratio) {
                let mut sums = Sums::default();
                let mut peak = 0.0;
                for (i, (value, p)) in values.iter().zip(kernel).enumerate() {
                    let (dx, dy) = place(i);
                    let distance = (dx - brightest.0).abs().max((dy - brightest.1).abs());
                    if distance > reach {
                        sums.add(1.0, *p, *value);
                    } else if distance == 0 {
                        peak = *value;
                    }
                }
                let amplitude = sums.amplitude(true).value();
                let share = (peak - sums.sky(amplitude)) / amplitude;
                *most = if amplitude > 0.0 {
                    most.max(share)
                } else {
                    f64::INFINITY
                };
            }
        }
        Self { brightest, ratio }
    }
}

/// A search in progress.
struct Search<'a, 'f, T> {
    settings: &'a CosmicRays<'a>,
    frame: &'a Frame<'f, T>,
    kernels: &'a Kernels,
    stars: &'a [Star],
    /// The error of a pixel of weight 1.
    unit: f64,
    found: Vec<bool>,
}

impl<T: Pixel> Search<'_, '_, T> {
    /// The bad pixels (x, y) among all.
    fn everywhere(&self, run: Run<'_>) -> Result<Vec<(usize, usize)>, Error> {
        let (ny, nx) = self.frame.data().shape();
        let found = run.map(
            chunks(ny, BAND),
            || (),
            |(), rows| {
                let pixels = rows.flat_map(|y| (0..nx).map(move |x| (x, y)));
                Ok(pixels.filter(|&at| self.is_bad(at)).collect::<Vec<_>>())
            },
        )?;
        Ok(found.concat())
    }

    /// Those among the given ones.
    fn among(&self, pixels: &[(usize, usize)], run: Run<'_>) -> Result<Vec<(usize, usize)>, Error> {
        let found = run.map(
            chunks(pixels.len(), BATCH),
            || (),
            |(), batch| {
                let pixels = pixels[batch].iter().copied();
                Ok(pixels.filter(|&at| self.is_bad(at)).collect::<Vec<_>>())
            },
        )?;
        Ok(found.concat())
    }

    /// The pixels next to given ones.
    fn beside(&self, places: &BTreeSet<(usize, usize)>) -> Vec<(usize, usize)> {
        let around = places.iter().flat_map(|&at| self.neighbours(at));
        let pixels: BTreeSet<_> = around.collect();
        pixels.into_iter().collect()
    }

    /// The up to eight pixels around one.
    fn neighbours(&self, (x, y): (usize, usize)) -> impl Iterator<Item = (usize, usize)> + use<T> {
        let (ny, nx) = self.frame.data().shape();
        let rows = y.saturating_sub(1)..(y + 2).min(ny);
        let columns = x.saturating_sub(1)..(x + 2).min(nx);
        rows.flat_map(move |j| columns.clone().map(move |i| (i, j)))
            .filter(move |&other| other != (x, y))
    }

    fn is_found(&self, (x, y): (usize, usize)) -> bool {
        self.found[y * self.frame.data().shape().1 + x]
    }

    /// Value and weight of a pixel that is usable and not found yet.
    fn pixel(&self, at: (usize, usize)) -> Option<(f64, f64)> {
        if self.is_found(at) {
            return None;
        }
        self.frame.row_pixels(at.1, at.0..at.0 + 1).next().flatten()
    }

    fn is_bad(&self, at: (usize, usize)) -> bool {
        let value: f64 = self.frame.data().row(at.1)[at.0].into();
        let is_lower = |&other: &(usize, usize)| {
            let other: f64 = self.frame.data().row(other.1)[other.0].into();
            other > value
        };
        // Most pixels end here. A larger pixel that is not used does not count.
        if self
            .neighbours(at)
            .any(|other| is_lower(&other) && self.pixel(other).is_some())
        {
            return false;
        }
        let Some((value, weight)) = self.pixel(at) else {
            return false;
        };
        let noise = self.unit / weight.sqrt();
        let around = self.neighbours(at).filter_map(|other| self.pixel(other));
        let lowest = around.map(|(other, _)| other).fold(f64::INFINITY, f64::min);
        let is_beside = self.neighbours(at).any(|other| self.is_found(other));
        let n_sigma = self.settings.n_sigma * if is_beside { 0.5 } else { 1.0 };
        value - lowest > n_sigma * noise
            && (0..2).any(|reach| self.stands_out(at, (value, noise), n_sigma, reach))
    }

    /// Whether a pixel exceeds what a star has that is fitted to the pixels
    /// farther than `reach` from it.
    fn stands_out(
        &self,
        at: (usize, usize),
        (value, noise): (f64, f64),
        n_sigma: f64,
        reach: usize,
    ) -> bool {
        let (number, kernel) = self.kernels.kernel_at(at.0, at.1);
        let star = self.stars[number];
        let ratio = star.ratio[reach];
        if !ratio.is_finite() {
            return false;
        }
        let around = self.sums_around(at, star.brightest, kernel, reach as i64);
        let amplitude = around.sums.amplitude(true);
        let height = amplitude.value().max(0.0);
        let uncertain = 0.5 * ratio * around.error(amplitude.precision) * self.unit;
        let allowed = around.sums.sky(height) + self.settings.margin * ratio * height;
        // NaN, of too few pixels, is never above.
        around.coverage > 0.5 && value - allowed > n_sigma * noise.hypot(uncertain)
    }

    /// The usable pixels of the window with its brightest pixel at `at`, without
    /// those within `reach` of it.
    fn sums_around(
        &self,
        at: (usize, usize),
        brightest: (i64, i64),
        kernel: &[f64],
        reach: i64,
    ) -> Around {
        let (px, py) = (at.0 as i64, at.1 as i64);
        let side = self.kernels.side();
        let middle = ((px - brightest.0) as f64, (py - brightest.1) as f64);
        let window = PixelBox::around(middle.0, middle.1, (side, side));
        let usable = window.intersection(&self.frame.data().bounds());
        let (mut sums, mut variances) = (Sums::default(), Sums::default());
        let (mut used, mut whole) = (0.0, 0.0);
        for (k, p) in kernel.iter().enumerate() {
            let (x, y) = (window.x0 + (k % side) as i64, window.y0 + (k / side) as i64);
            whole += if (x - px).abs().max((y - py).abs()) > reach {
                p * p
            } else {
                0.0
            };
        }
        let nx = self.frame.data().shape().1;
        for y in usable.y0..usable.y1 {
            let start = (y - window.y0) as usize * side + (usable.x0 - window.x0) as usize;
            let columns = usable.columns();
            let found = &self.found[y as usize * nx + columns.start..];
            let row = self.frame.row_pixels(y as usize, columns).zip(found);
            for ((x, p), (pixel, found)) in (usable.x0..).zip(&kernel[start..]).zip(row) {
                let is_apart = (x - px).abs().max((y - py).abs()) > reach;
                if let (Some((value, weight)), false, true) = (pixel, *found, is_apart) {
                    sums.add(1.0, *p, value);
                    variances.add(1.0 / weight, *p, 0.0);
                    used += p * p;
                }
            }
        }
        Around {
            sums,
            variances,
            coverage: used / whole,
        }
    }
}

/// The pixels around one.
struct Around {
    /// With weights 1.
    sums: Sums,
    /// With their variances in the place of weights, of no data.
    variances: Sums,
    /// How much of the squared kernel they hold.
    coverage: f64,
}

impl Around {
    /// The error of the amplitude, which is the sum of (P − mean P)·D over the
    /// `precision`.
    fn error(&self, precision: f64) -> f64 {
        let mean = self.sums.wp / self.sums.w;
        let Sums { w, wp, wpp, .. } = self.variances;
        (wpp - 2.0 * mean * wp + mean * mean * w).sqrt() / precision
    }
}

/// The noise of a pixel from the median absolute difference of pixels five
/// columns apart, which are too far to be one star's and near enough to have
/// one sky; 1 where there is none.
fn row_noise<T: Pixel>(data: Image<'_, T>) -> f64 {
    const APART: usize = 5;
    let (ny, nx) = data.shape();
    let step = (ny * nx).div_ceil(1 << 18).max(1);
    let mut differences: Vec<f64> = (0..ny)
        .flat_map(|y| {
            let row = data.row(y);
            let pairs = row.iter().zip(row.iter().skip(APART));
            pairs.map(|(a, b)| {
                let (a, b): (f64, f64) = ((*a).into(), (*b).into());
                (a - b).abs()
            })
        })
        .step_by(step)
        .filter(|difference| difference.is_finite())
        .collect();
    let noise: f64 = deviation(&mut differences) / std::f64::consts::SQRT_2;
    if noise > 0.0 { noise } else { 1.0 }
}
