//! The step of pixel values that lie on a lattice: those of a digitised image
//! whose noise is about as small as one unit of its converter.
//!
//! Medians of such values are values of the lattice themselves. So each value is
//! spread over the steps beside it, and the variance that this adds is taken off.
//! The spread is triangular, which joins the values' histogram by straight lines:
//! with an even one the scatter would be up to 5 % off where it is as large as a
//! step.

use super::median::median;
use crate::image::{Frame, Pixel};
use crate::{Error, Run};

/// Patches along each axis, and the pixels along a side of one: small, so that
/// neither the sky's slope nor a flat field's smears a lattice.
const PATCHES: usize = 8;
const SIDE: usize = 16;

/// Fewer usable pixels than this tell nothing.
const LEAST_VALUES: usize = 128;

/// A slope makes at most this part of a patch's variance.
const LARGEST_SLOPE: f64 = 0.5;

/// The frequencies tried, multiples of 1 / (16 σ): from steps of 5 σ to those of
/// σ / 20, which shift a median absolute deviation by less than 3 %.
const PER_SIGMA: f64 = 16.0;
const FREQUENCIES: std::ops::Range<usize> = 3..320;

/// The power at a lattice's frequency is 1 of values that lie on it, less where
/// a flat field or a dark frame moved them. That of a uniform distribution (a
/// steep sky) has side lobes of 0.047.
const LEAST_POWER: f64 = 0.06;

/// Of a lattice's harmonics the first with this part of the highest power is its
/// own.
const FUNDAMENTAL: f64 = 0.8;

/// Below so many steps a median absolute deviation tells no scatter, even of
/// values that are spread.
const COARSE: f64 = 0.85;

/// The step of a lattice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantum(f64);

impl Quantum {
    /// The step of an image's values, if they have one: the peak of their
    /// characteristic function, averaged over small patches.
    pub(super) fn of<T: Pixel>(frame: &Frame<'_, T>, run: Run<'_>) -> Result<Option<Self>, Error> {
        let patches = run.map(places(frame.data().shape()), Vec::new, |space, place| {
            Ok(patch(frame, place, space))
        })?;
        let patches: Vec<_> = patches.into_iter().flatten().collect();
        let mut sigmas: Vec<f64> = patches.iter().map(|patch| patch.sigma).collect();
        let sigma = median(&mut sigmas);
        if !(sigma.is_finite() && sigma > 0.0) {
            return Ok(None);
        }
        let powers = run.map(
            patches,
            || (),
            |(), patch| Ok(power_spectrum(&patch.values, 1.0 / (PER_SIGMA * sigma))),
        )?;
        let n = powers.len() as f64;
        let mean: Vec<f64> = (0..FREQUENCIES.end)
            .map(|k| powers.iter().map(|power| power[k]).sum::<f64>() / n)
            .collect();
        Ok(fundamental(&mean).map(|k| Self(PER_SIGMA * sigma / k)))
    }

    /// Subtracts from `model` by how much the values of row `y` from column `x`
    /// on are to be moved, by up to a step: a sequence of low discrepancy in both
    /// directions.
    pub(super) fn subtract_dither(self, (y, x): (usize, usize), model: &mut [f64]) {
        // 2³² times the plastic number's inverse powers; Roberts 2018.
        const ALONG_X: u32 = 3_242_174_889;
        const ALONG_Y: u32 = 2_447_445_414;
        const SCALE: f64 = 1.0 / (1_u64 << 31) as f64;
        let mut phase = (y as u32)
            .wrapping_mul(ALONG_Y)
            .wrapping_add((x as u32).wrapping_mul(ALONG_X));
        for model in model {
            // Even from -1 to 1, then triangular.
            let even = SCALE * f64::from(phase.cast_signed());
            *model -= self.0 * (1.0 - (1.0 - even.abs()).sqrt()).copysign(even);
            phase = phase.wrapping_add(ALONG_X);
        }
    }

    /// The scatter of values before they were moved, and not below that of the
    /// rounding.
    pub(super) fn without_dither(self, scatter: f64) -> f64 {
        let variance = self.0 * self.0 / 6.0;
        // `max` would turn NaN into a number.
        if scatter.is_nan() {
            scatter
        } else {
            (scatter * scatter - variance)
                .max(0.0)
                .sqrt()
                .max(self.rounding())
        }
    }

    /// Whether the lattice is too coarse for medians.
    pub(super) fn is_coarse(self, scatter: f64) -> bool {
        scatter < COARSE * self.0
    }

    /// The standard deviation of values on a coarse lattice, without those that
    /// are farther from their `level` than so many of it and half a step: a value
    /// stands for all within half a step.
    pub(super) fn coarse_scatter(
        self,
        values: &[f64],
        level: f64,
        (lower, upper): (f64, f64),
    ) -> f64 {
        let half = 0.5 * self.0;
        let (mut scatter, mut n) = (COARSE * self.0, 0);
        for _ in 0..10 {
            let (low, high) = (
                level - lower * scatter - half,
                level + upper * scatter + half,
            );
            let kept = values.iter().map(|&v| v - level);
            let kept = kept.filter(|d| low - level <= *d && *d <= high - level);
            let (count, first, second) = kept.fold((0, 0.0, 0.0), |(n, first, second), d| {
                (n + 1, first + d, second + d * d)
            });
            if count == n {
                break;
            }
            n = count;
            let mean = first / f64::from(n);
            scatter = (second / f64::from(n) - mean * mean).max(0.0).sqrt();
        }
        scatter.max(self.rounding())
    }

    /// The standard deviation within a step.
    fn rounding(self) -> f64 {
        self.0 / 12f64.sqrt()
    }
}

/// The first rows and columns of the patches.
fn places((ny, nx): (usize, usize)) -> Vec<(usize, usize)> {
    let starts = |n: usize| {
        let last = n.saturating_sub(SIDE);
        let mut starts: Vec<usize> = (0..PATCHES).map(|k| k * last / (PATCHES - 1)).collect();
        starts.dedup();
        starts
    };
    let columns = starts(nx);
    let rows = starts(ny).into_iter();
    rows.flat_map(|y| columns.iter().map(move |&x| (y, x)))
        .collect()
}

/// Values without outliers, less their median, and their standard deviation.
#[derive(Debug, Clone, PartialEq)]
struct Patch {
    values: Vec<f64>,
    sigma: f64,
}

/// The usable values of a patch; `None` if they are too few, or a slope is most of
/// their scatter: that of a sky which is steep along an axis makes a lattice of
/// its own, and smears that of the values over a box.
fn patch<T: Pixel>(
    frame: &Frame<'_, T>,
    (top, left): (usize, usize),
    values: &mut Vec<f64>,
) -> Option<Patch> {
    let (ny, nx) = frame.data().shape();
    let usable = || {
        (top..ny.min(top + SIDE)).flat_map(move |y| {
            let row = &frame.data().row(y)[left..nx.min(left + SIDE)];
            let mask = frame.mask().map(|mask| &mask.row(y)[left..]);
            row.iter().enumerate().filter_map(move |(k, &value)| {
                let value: f64 = value.into();
                let is_masked = mask.is_some_and(|mask| mask[k]);
                (value.is_finite() && !is_masked).then_some((y - top, k, value))
            })
        })
    };
    values.clear();
    values.extend(usable().map(|(_, _, value)| value));
    if values.len() < LEAST_VALUES {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let centre = values[values.len() / 2];
    let mut kept: Vec<f64> = values.iter().map(|v| v - centre).collect();
    for _ in 0..10 {
        let limit = 3.0 * deviation(&kept);
        let fewer: Vec<f64> = kept.iter().copied().filter(|v| v.abs() <= limit).collect();
        // A clip that leaves one value has gone beyond the noise.
        if fewer.len() == kept.len() || fewer.first() == fewer.last() {
            break;
        }
        kept = fewer;
    }
    let (low, high) = (*kept.first()?, *kept.last()?);
    let inside = usable()
        .map(|(y, x, value)| (y, x, value - centre))
        .filter(|&(_, _, v)| low <= v && v <= high);
    if slope_variance(inside) > LARGEST_SLOPE * deviation(&kept).powi(2) {
        return None;
    }
    drop_pile(&mut kept);
    let sigma = deviation(&kept);
    (kept.len() >= LEAST_VALUES / 2).then_some(Patch {
        values: kept,
        sigma,
    })
}

/// The variance that a plane makes, from the means of the halves along each axis.
fn slope_variance(pixels: impl Iterator<Item = (usize, usize, f64)>) -> f64 {
    // Number and sum in the lower and the upper half, along y and x.
    let mut halves = [[(0.0, 0.0); 2]; 2];
    for (y, x, value) in pixels {
        for (axis, at) in [y, x].into_iter().enumerate() {
            let half = &mut halves[axis][usize::from(at >= SIDE / 2)];
            *half = (half.0 + 1.0, half.1 + value);
        }
    }
    let side = SIDE as f64;
    // The means are half a side apart; 0 where a half is empty.
    let slope = |[(n, sum), (m, other)]: [(f64, f64); 2]| {
        let step = 2.0 / side * (other / m - sum / n);
        if step.is_finite() { step } else { 0.0 }
    };
    let slopes: f64 = halves.into_iter().map(|half| slope(half).powi(2)).sum();
    slopes * (side * side - 1.0) / 12.0
}

fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// Drops the one value that is frequent among sorted values which have no others
/// in common: it stands for pixels without data.
fn drop_pile(values: &mut Vec<f64>) {
    let runs = || values.chunk_by(|a, b| a.total_cmp(b).is_eq());
    let Some(longest) = runs().max_by_key(|run| run.len()) else {
        return;
    };
    let (pile, length) = (longest[0], longest.len());
    let tied: usize = runs().map(<[f64]>::len).filter(|&n| n > 1).sum();
    let others = values.len() - length;
    if length > 1 && 10 * (tied - length) < others {
        values.retain(|v| v.total_cmp(&pile).is_ne());
    }
}

/// |mean exp(2πi k step v)|² for each k, less what noise makes of it.
fn power_spectrum(values: &[f64], step: f64) -> Vec<f64> {
    const LANES: usize = 8;
    // Turned on by one more frequency each time: (re, im), (cos, sin).
    let mut turning: Vec<[[f32; LANES]; 4]> = values
        .chunks(LANES)
        .map(|chunk| {
            let mut lanes = [[0.0; LANES]; 4];
            for (k, value) in chunk.iter().enumerate() {
                let (sin, cos) = (std::f64::consts::TAU * step * value).sin_cos();
                lanes[0][k] = 1.0;
                (lanes[2][k], lanes[3][k]) = (cos as f32, sin as f32);
            }
            lanes
        })
        .collect();
    let n = values.len() as f64;
    let mut power = vec![1.0];
    for _ in 1..FREQUENCIES.end {
        let (mut sum_re, mut sum_im) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for [re, im, cos, sin] in &mut turning {
            for k in 0..LANES {
                let turned = re[k] * cos[k] - im[k] * sin[k];
                im[k] = re[k] * sin[k] + im[k] * cos[k];
                re[k] = turned;
                sum_re[k] += re[k];
                sum_im[k] += im[k];
            }
        }
        let total = |lanes: [f32; LANES]| f64::from(lanes.iter().sum::<f32>()) / n;
        power.push(total(sum_re).powi(2) + total(sum_im).powi(2) - 1.0 / n);
    }
    power
}

/// The frequency of a lattice as a fractional index, if there is one.
fn fundamental(power: &[f64]) -> Option<f64> {
    let is_peak = |k: &usize| {
        let at = power[*k];
        let frequency = *k as f64 / PER_SIGMA;
        // Twice the amplitude of a Gaussian's.
        let smooth = 4.0 * (-(std::f64::consts::TAU * frequency).powi(2)).exp();
        power[*k - 1] <= at && at > power[*k + 1] && at > LEAST_POWER.max(smooth)
    };
    let peaks: Vec<usize> = (FREQUENCIES.start..FREQUENCIES.end - 1)
        .filter(is_peak)
        .collect();
    let highest = peaks.iter().map(|&k| power[k]).fold(0.0, f64::max);
    let first = peaks
        .into_iter()
        .find(|&k| power[k] >= FUNDAMENTAL * highest)?;
    let (before, at, after) = (power[first - 1], power[first], power[first + 1]);
    Some(first as f64 + 0.5 * (after - before) / (2.0 * at - before - after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;

    const SHAPE: (usize, usize) = (200, 240);

    /// About Gaussian noise around a level that rises along the rows.
    fn noise(level: f64, slope: f64, sigma: f64) -> Vec<f64> {
        let mut state = 9_u64;
        let mut uniform = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 11) as f64 / 2f64.powi(53) - 0.5
        };
        (0..SHAPE.0 * SHAPE.1)
            .map(|k| {
                let sum: f64 = (0..12).map(|_| uniform()).sum();
                level + slope * (k % SHAPE.1) as f64 + sigma * sum
            })
            .collect()
    }

    fn step(data: &[f64]) -> Result<Option<f64>, Error> {
        let frame = Frame::new(Image::new(data, SHAPE)?);
        Ok(Quantum::of(&frame, Run::new())?.map(|quantum| quantum.0))
    }

    #[test]
    fn the_step_of_rounded_values_is_found() -> Result<(), Error> {
        for (sigma, level) in [(0.3, 7.0), (0.5, 7.3), (1.0, 7.5), (3.0, 7.0), (12.0, 7.1)] {
            let rounded: Vec<f64> = noise(level, 0.0, sigma)
                .iter()
                .map(|v| 2.5 * v.round())
                .collect();
            let found = step(&rounded)?.unwrap_or(0.0);
            assert!((found / 2.5 - 1.0).abs() < 0.05, "{sigma} {found}");
        }
        // A flat field that varies by a per cent within a patch.
        let mut flattened: Vec<f64> = noise(0.7, 0.0, 0.8).iter().map(|v| v.round()).collect();
        for (k, value) in flattened.iter_mut().enumerate() {
            *value *= 1.0 + 0.01 * ((k * 7919) % 13) as f64 / 6.0;
        }
        let found = step(&flattened)?.unwrap_or(0.0);
        assert!((found - 1.0).abs() < 0.1, "{found}");
        Ok(())
    }

    #[test]
    fn continuous_values_have_none() -> Result<(), Error> {
        for slope in [0.0, 0.1, 0.3, 1.0, 10.0] {
            assert_eq!(step(&noise(100.0, slope, 1.0))?, None, "{slope}");
        }
        let mut holed = noise(0.5, 0.0, 1.0);
        for value in holed.iter_mut().step_by(3) {
            *value = 0.0;
        }
        assert_eq!(step(&holed)?, None);
        assert_eq!(step(&vec![4.0; SHAPE.0 * SHAPE.1])?, None);
        assert_eq!(step(&vec![f64::NAN; SHAPE.0 * SHAPE.1])?, None);
        Ok(())
    }

    #[test]
    fn dither_is_within_a_step_and_its_variance_is_known() {
        let quantum = Quantum(3.0);
        let mut model = vec![0.0; 10_000];
        for (y, row) in model.chunks_exact_mut(100).enumerate() {
            quantum.subtract_dither((y, 17), row);
        }
        let spread = deviation(&model);
        assert!((spread / 1.5_f64.sqrt() - 1.0).abs() < 2e-3, "{spread}");
        assert!(model.iter().all(|v| v.abs() <= 3.0));
        assert!(quantum.without_dither(f64::NAN).is_nan());
        assert!((quantum.without_dither(2.0) - 2.5_f64.sqrt()).abs() < 1e-12);
    }
}
