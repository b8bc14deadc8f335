//! The amplitude of the PSF at each pixel of an image, from correlations.

use std::ops::Range;

use super::band::Band;
use super::correlation::{Correlation, LANES};
use super::kernels::{Kernels, PsfKernel};
use super::separable::Separable;
use super::sums::{Amplitude, Sums};
use crate::Error;
use crate::image::{Frame, Pixel};
use crate::run::{Run, chunks};

/// Rows per task: enough tasks for any number of threads on a small image.
const BAND: usize = 64;
/// Windows that a band is high at least, whose margins are made twice.
const MARGINS: usize = 4;
/// Columns summed at once: with the rows of a window they stay in the cache.
const TILE: usize = 256;
/// Pixels with the same sums as everywhere between others are not worth a
/// change of the way.
const SHORT_RUN: usize = LANES;

/// How pixels are weighted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Weights {
    /// All usable ones by the same weight.
    Equal(f64),
    /// By 1/error².
    Errors,
}

/// What is kept of an amplitude.
pub(super) trait Kept: Copy + Send {
    const NOTHING: Self;
    fn of(amplitude: Amplitude) -> Self;
}

/// The S/N. Single precision is enough to find a maximum, and half the memory.
impl Kept for f32 {
    const NOTHING: Self = 0.0;
    #[inline]
    fn of(amplitude: Amplitude) -> Self {
        amplitude.snr() as Self
    }
}

/// The amplitude and its error.
impl Kept for [f64; 2] {
    const NOTHING: Self = [0.0; 2];
    #[inline]
    fn of(amplitude: Amplitude) -> Self {
        [amplitude.value(), amplitude.error()]
    }
}

/// What the pixels say of a star without a free sky: `PᵀWr`, and the information
/// `PᵀWP`, in single precision.
impl Kept for [f32; 2] {
    const NOTHING: Self = [0.0; 2];
    #[inline]
    fn of(amplitude: Amplitude) -> Self {
        let error = amplitude.error();
        let information = 1.0 / (error * error);
        [(amplitude.value() * information) as f32, information as f32]
    }
}

/// Fits the kernels of their blocks at each pixel, with a free sky or none.
///
/// Beyond the edges of the image pixels are not used, like bad ones.
pub(super) fn filter<T: Pixel, K: Kept>(
    frame: &Frame<'_, T>,
    kernels: &Kernels,
    weights: Weights,
    sky: bool,
    run: Run<'_>,
) -> Result<Vec<K>, Error> {
    let (ny, nx) = frame.data().shape();
    let mut kept = vec![K::NOTHING; ny * nx];
    if kept.is_empty() {
        return Ok(kept);
    }
    let side = kernels.side();
    let mut tasks = Vec::new();
    let mut rest = kept.as_mut_slice();
    for (block, rows) in kernels.rows.iter().enumerate() {
        for band in chunks(rows.len(), BAND.max(MARGINS * side)) {
            let (head, tail) = rest.split_at_mut(band.len() * nx);
            tasks.push((block, rows.start + band.start, head));
            rest = tail;
        }
    }
    let ones = Correlation::new(side, &[&Separable::ones(side)]);
    let filter = Filter {
        frame,
        kernels,
        ones: &ones,
        weights,
        sky,
    };
    run.map(tasks, Band::default, |band, (block, first_row, rows)| {
        let band_rows = first_row..first_row + rows.len() / nx;
        band.fill(frame, filter.equal_weight(), kernels.half_width, band_rows);
        for (i, row) in rows.chunks_exact_mut(nx).enumerate() {
            filter.filter_row(band, (block, i), row);
        }
        Ok(())
    })?;
    Ok(kept)
}

struct Filter<'a, 'f, T> {
    frame: &'a Frame<'f, T>,
    kernels: &'a Kernels,
    /// Of equal weights.
    ones: &'a Correlation,
    weights: Weights,
    sky: bool,
}

impl<T: Pixel> Filter<'_, '_, T> {
    fn equal_weight(&self) -> Option<f64> {
        match self.weights {
            Weights::Equal(weight) => Some(weight),
            Weights::Errors => None,
        }
    }

    fn stride(&self) -> usize {
        self.frame.data().shape().1 + 2 * self.kernels.half_width + LANES
    }

    /// Row `i` of the band, which lies in the row `block` of blocks.
    fn filter_row<K: Kept>(&self, band: &mut Band, (block, i): (usize, usize), row: &mut [K]) {
        let rows = i..i + self.kernels.side();
        let is_whole = band.is_whole[rows].iter().all(|whole| *whole);
        for (j, columns) in self.kernels.columns.iter().enumerate() {
            let kernel = self.kernels.block(block, j);
            for tile in chunks(columns.len(), TILE) {
                let tile = columns.start + tile.start..columns.start + tile.end;
                self.filter_tile(band, (i, is_whole), kernel, tile.clone(), &mut row[tile]);
            }
        }
    }

    fn filter_tile<K: Kept>(
        &self,
        band: &mut Band,
        (i, is_whole): (usize, bool),
        kernel: &PsfKernel,
        tile: Range<usize>,
        kept: &mut [K],
    ) {
        let (stride, half) = (self.stride(), self.kernels.half_width);
        let start = i * stride + tile.start;
        let Band {
            weight,
            weighted,
            work,
            sums: [wdp, wd, w, wp, wpp],
            ..
        } = band;
        for sums in [&mut *wdp, &mut *wd, &mut *w, &mut *wp, &mut *wpp] {
            sums.resize(tile.len(), 0.0);
        }
        let data = &weighted[start..];
        let sums_of_data: &mut [&mut [f64]] = &mut [wd, wdp];
        kernel.of_data.correlate(data, stride, work, sums_of_data);
        let nx = self.frame.data().shape().1;
        let is_inside = |k: usize| (half..nx.saturating_sub(half)).contains(&(tile.start + k));
        let equal = self.equal_weight();
        if equal.is_some() && !is_whole {
            let weights = &weight[start..];
            self.ones.correlate(weights, stride, work, &mut [w]);
        }
        let whole = kernel.whole.scaled(equal.unwrap_or(1.0));
        // Half a pixel below all.
        let all_but_half = whole.w * (1.0 - 0.5 / kernel.whole.w);
        let is_plain = |k: usize, w: &[f64]| {
            equal.is_some()
                && if is_whole {
                    is_inside(k)
                } else {
                    w[k] > all_but_half
                }
        };
        let mut k = 0;
        while k < kept.len() {
            let plain = k..(k..kept.len())
                .find(|&k| !is_plain(k, w))
                .unwrap_or(kept.len());
            for k in plain.clone() {
                let sums = Sums {
                    wd: wd[k],
                    wdp: wdp[k],
                    ..whole
                };
                kept[k] = K::of(sums.amplitude(self.sky));
            }
            let run = plain.end..end_of_run(plain.end, kept.len(), |k| is_plain(k, w));
            let weights = &weight[start + run.start..];
            let sums_of_weights: &mut [&mut [f64]] = &mut [
                &mut w[run.clone()],
                &mut wp[run.clone()],
                &mut wpp[run.clone()],
            ];
            kernel
                .of_weights
                .correlate(weights, stride, work, sums_of_weights);
            for k in run.clone() {
                let sums = Sums {
                    w: w[k],
                    wp: wp[k],
                    wpp: wpp[k],
                    wd: wd[k],
                    wdp: wdp[k],
                };
                kept[k] = K::of(sums.amplitude(self.sky));
            }
            k = run.end;
        }
    }
}

/// Where a run of pixels from `start` on ends that are not plain, but for short
/// runs of those.
fn end_of_run(start: usize, n: usize, is_plain: impl Fn(usize) -> bool) -> usize {
    let mut end = start;
    for k in start..n {
        if !is_plain(k) {
            end = k + 1;
        } else if k >= end + SHORT_RUN {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Image, PixelBox, PixelState};
    use crate::psf::{CircularGaussianPrf, GriddedPsf, MoffatPsf, Psf, Sampling};
    use proptest::prelude::*;

    /// What a random frame is made of; a share of the pixels is bad in one way
    /// or another.
    #[derive(Debug)]
    struct Made {
        shape: (usize, usize),
        data: Vec<f64>,
        error: Vec<f64>,
        mask: Vec<bool>,
    }

    impl Made {
        fn new(shape: (usize, usize), share: f64, seed: u64) -> Self {
            let n = shape.0 * shape.1;
            let random = |k: usize, stream: u64| {
                let mut z = (k as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                z ^= (seed * 31 + stream + 1).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB);
                (z >> 11) as f64 / (1_u64 << 53) as f64
            };
            let bad =
                |k: usize, kind: u64| random(k, 7) < share && (random(k, 8) * 4.0) as u64 == kind;
            let value = |k| 100.0 + 20.0 * random(k, 1) + 300.0 * random(k, 2).powi(20);
            let mut data: Vec<f64> = (0..n).map(value).collect();
            let mut error: Vec<f64> = (0..n).map(|k| 1.0 + 9.0 * random(k, 3)).collect();
            for k in 0..n {
                if bad(k, 0) {
                    data[k] = f64::NAN;
                }
                if bad(k, 1) {
                    error[k] = [0.0, -1.0, f64::NAN, f64::INFINITY][k % 4];
                }
            }
            let mask = (0..n).map(|k| bad(k, 2)).collect();
            Self {
                shape,
                data,
                error,
                mask,
            }
        }

        fn frame(&self, has_error: bool) -> Result<Frame<'_, f64>, Error> {
            let frame = Frame::new(Image::new(&self.data, self.shape)?)
                .with_mask(Image::new(&self.mask, self.shape)?)?;
            if has_error {
                return frame.with_error(Image::new(&self.error, self.shape)?);
            }
            Ok(frame)
        }
    }

    /// A and `σ_A` by the normal equations of the straight fit in a window.
    fn direct(
        frame: &Frame<'_, f64>,
        kernels: &Kernels,
        (x, y): (usize, usize),
        sky: bool,
    ) -> Option<[f64; 2]> {
        let side = kernels.side();
        let window = PixelBox::around(x as f64, y as f64, (side, side));
        let (mut pixels, mut used) = (Vec::new(), 0.0);
        for ((i, j), p) in window.pixels().zip(kernels.kernel_at(x, y).1) {
            if let PixelState::Good { value, weight } = frame.pixel(i, j) {
                pixels.push((value, weight, *p));
                used += p * p;
            }
        }
        // Where the finder finds stars.
        if used < 0.5 * kernels.kernel_at(x, y).1.iter().map(|p| p * p).sum::<f64>() {
            return None;
        }
        // Around the weighted means, so that nothing cancels.
        let total: f64 = pixels.iter().map(|(_, w, _)| w).sum();
        let mean = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            let sum: f64 = pixels.iter().map(|&(d, w, p)| w * of(d, p)).sum();
            if sky { sum / total } else { 0.0 }
        };
        let (mean_d, mean_p) = (mean(&|d, _| d), mean(&|_, p| p));
        let (mut dp, mut pp) = (0.0, 0.0);
        for (d, w, p) in pixels {
            dp += w * (d - mean_d) * (p - mean_p);
            pp += w * (p - mean_p) * (p - mean_p);
        }
        Some([dp / pp, 1.0 / f64::sqrt(pp)])
    }

    fn compare(made: &Made, psf: &dyn Psf, has_error: bool, sky: bool) -> Result<(), Error> {
        let frame = made.frame(has_error)?;
        let kernels = Kernels::new(psf, 3, made.shape)?;
        let weights = if has_error {
            Weights::Errors
        } else {
            Weights::Equal(1.0)
        };
        let serial = Run::new().serial();
        let pairs: Vec<[f64; 2]> = filter(&frame, &kernels, weights, sky, serial)?;
        let parallel: Vec<[f64; 2]> = filter(&frame, &kernels, weights, sky, Run::new())?;
        let snr: Vec<f32> = filter(&frame, &kernels, weights, sky, serial)?;
        for (k, pair) in pairs.iter().enumerate() {
            assert_eq!(pair.map(f64::to_bits), parallel[k].map(f64::to_bits));
            let at = (k % made.shape.1, k / made.shape.1);
            let Some([a, error]) = direct(&frame, &kernels, at, sky) else {
                continue;
            };
            // The square's own truncation, which counts where weights differ.
            assert!(
                (pair[1] / error - 1.0).abs() < 2e-3,
                "{at:?} {pair:?} {error}"
            );
            assert!(
                (pair[0] - a).abs() < 2e-3 * error + 4e-3 * a.abs(),
                "{at:?} {pair:?} {a}"
            );
            let ratio = pair[0] / pair[1];
            assert!((f64::from(snr[k]) - ratio).abs() < 1e-6 * ratio.abs() + 1e-9);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn it_is_the_weighted_fit_at_each_pixel(
            shape in (1..90_usize, 1..300_usize),
            share in prop::sample::select(vec![0.0, 0.002, 0.05, 0.3]),
            seed in 0..1000_u64,
            has_error in any::<bool>(),
            sky in any::<bool>(),
        ) {
            let made = Made::new(shape, share, seed);
            let psf = MoffatPsf::new(1.7, 2.5)?;
            compare(&made, &psf, has_error, sky)?;
        }
    }

    #[test]
    fn a_varying_psf_has_a_kernel_for_each_block() -> Result<(), Error> {
        let plane = |fwhm: f64| -> Result<Vec<f64>, Error> {
            let star = CircularGaussianPrf::new(2.0 * fwhm)?;
            let window = PixelBox::new(-14, 15, -14, 15);
            let mut values = vec![0.0; window.len()];
            let at = crate::psf::Placement {
                x: 0.0,
                y: 0.0,
                shape: &[],
            };
            star.fill(at, window, &mut values);
            for value in &mut values {
                *value *= 4.0;
            }
            Ok(values)
        };
        let planes = [plane(2.0)?, plane(2.6)?, plane(2.3)?, plane(3.4)?].concat();
        let corners = [(0.0, 0.0), (200.0, 0.0), (0.0, 100.0), (200.0, 100.0)];
        let sampling = Sampling::new((2.0, 2.0));
        let psf = GriddedPsf::new(&planes, (29, 29), &corners, sampling, Run::new())?;
        let made = Made::new((100, 200), 0.01, 1);
        let kernels = Kernels::new(&psf, 3, made.shape)?;
        let n = kernels.map(|_, _| ()).len();
        assert!((4..=64).contains(&n), "{n}");
        for has_error in [false, true] {
            compare(&made, &psf, has_error, true)?;
        }
        Ok(())
    }

    #[test]
    fn cancelling_stops_it() -> Result<(), Error> {
        let made = Made::new((200, 20), 0.0, 1);
        let psf = CircularGaussianPrf::new(2.0)?;
        let kernels = Kernels::new(&psf, 3, made.shape)?;
        let watch = crate::run::CancelAfter::new(2);
        let run = Run::new().with_monitor(&watch);
        let frame = made.frame(false)?;
        let result: Result<Vec<f32>, Error> =
            filter(&frame, &kernels, Weights::Equal(4.0), true, run);
        assert_eq!(result, Err(Error::Cancelled));
        Ok(())
    }
}
