//! Where sources stand out of a background.

use super::rendered::Rendered;
use crate::image::{Frame, Pixel};
use crate::psf::SIGMA_PER_FWHM;
use crate::simd::dispatch;
use crate::{Error, Run};

/// Rows of pixels per task.
const BAND: usize = 64;

/// Half the width of the filter, FWHM: the Gaussian ends at 0.6 % of its peak.
const FILTER_REACH: f64 = 1.35;

/// No pixel is grown farther than can be counted in a byte.
const MOST_GROWTH: usize = 254;

/// The pixels near sources: those where the image, less the background and in
/// units of the noise, stands out of a Gaussian filter of the FWHM by more than
/// `threshold` standard deviations, and those within one FWHM of them.
///
/// Both signs count: what noise alone does to the pixels left is then even.
pub(super) fn source_mask<T: Pixel>(
    frame: &Frame<'_, T>,
    (background, rms): (&Rendered, &Rendered),
    fwhm: f64,
    threshold: f64,
    run: Run<'_>,
) -> Result<Vec<bool>, Error> {
    let (ny, nx) = frame.data().shape();
    let filter = filter(fwhm);
    let reach = filter.len() / 2;
    // The root of the sum of squares along both axes.
    let noise = filter.iter().map(|w| w * w).sum::<f32>();
    let limit = threshold as f32 * noise;
    let mut seen = vec![false; ny * nx];
    let tasks: Vec<_> = seen.chunks_mut(BAND * nx).enumerate().collect();
    run.map(tasks, Lines::default, |lines, (band, rows)| {
        let first = band * BAND;
        let end = first + rows.len() / nx;
        lines.filter_rows(
            frame,
            (background, rms),
            &filter,
            first.saturating_sub(reach)..ny.min(end + reach),
        );
        lines.sums.resize(nx, 0.0);
        for (y, row) in (first..end).zip(rows.chunks_exact_mut(nx)) {
            lines.sums.fill(0.0);
            for (k, &weight) in filter.iter().enumerate() {
                if let Some(line) = lines.row(y + k, reach, nx) {
                    add_scaled(&mut lines.sums, &lines.filtered[line], weight);
                }
            }
            for (seen, sum) in row.iter_mut().zip(&lines.sums) {
                *seen = sum.abs() > limit;
            }
        }
        Ok(())
    })?;
    grow(&seen, (ny, nx), fwhm, run)
}

/// A Gaussian of the FWHM along one axis.
fn filter(fwhm: f64) -> Vec<f32> {
    let sigma = SIGMA_PER_FWHM * fwhm;
    let reach = (FILTER_REACH * fwhm).ceil().clamp(1.0, 1e4) as i32;
    (-reach..=reach)
        .map(|k| (-0.5 * (f64::from(k) / sigma).powi(2)).exp() as f32)
        .collect()
}

/// A thread's rows.
#[derive(Debug, Default)]
struct Lines {
    /// Filtered along the rows, from `first` on.
    filtered: Vec<f32>,
    first: usize,
    padded: Vec<f32>,
    level: Vec<f64>,
    noise: Vec<f64>,
    sums: Vec<f32>,
}

impl Lines {
    /// Filters some rows along x, in units of the noise.
    fn filter_rows<T: Pixel>(
        &mut self,
        frame: &Frame<'_, T>,
        (background, rms): (&Rendered, &Rendered),
        filter: &[f32],
        rows: std::ops::Range<usize>,
    ) {
        let nx = frame.data().shape().1;
        let reach = filter.len() / 2;
        self.level.resize(nx, 0.0);
        self.noise.resize(nx, 0.0);
        self.padded.clear();
        self.padded.resize(nx + 2 * reach, 0.0);
        self.filtered.clear();
        self.filtered.resize(rows.len() * nx, 0.0);
        self.first = rows.start;
        for (y, filtered) in rows.zip(self.filtered.chunks_exact_mut(nx)) {
            background.row(y, 0..nx, &mut self.level);
            rms.row(y, 0..nx, &mut self.noise);
            let signal = &mut self.padded[reach..reach + nx];
            let values = frame.data().row(y).iter();
            let models = self.level.iter().zip(&self.noise);
            for ((signal, &value), (level, noise)) in signal.iter_mut().zip(values).zip(models) {
                let ratio = ((value.into() - level) / noise) as f32;
                *signal = if ratio.is_finite() { ratio } else { 0.0 };
            }
            if let Some(mask) = frame.mask() {
                for (signal, &masked) in signal.iter_mut().zip(mask.row(y)) {
                    *signal = if masked { 0.0 } else { *signal };
                }
            }
            for (k, &weight) in filter.iter().enumerate() {
                add_scaled(filtered, &self.padded[k..k + nx], weight);
            }
        }
    }

    /// Where row `y - reach` is in `filtered`, if it is there.
    fn row(&self, y: usize, reach: usize, nx: usize) -> Option<std::ops::Range<usize>> {
        let start = y.checked_sub(reach)?.checked_sub(self.first)? * nx;
        (start + nx <= self.filtered.len()).then_some(start..start + nx)
    }
}

dispatch! {
    /// Adds `weight` times a line.
    fn add_scaled(sums: &mut [f32], line: &[f32], weight: f32) = add_scaled_kernel
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn add_scaled_kernel<const FMA: bool>(sums: &mut [f32], line: &[f32], weight: f32) {
    for (sum, value) in sums.iter_mut().zip(line) {
        *sum = if FMA {
            weight.mul_add(*value, *sum)
        } else {
            weight * value + *sum
        };
    }
}

/// The pixels within `radius` of one that is seen.
fn grow(
    seen: &[bool],
    (ny, nx): (usize, usize),
    radius: f64,
    run: Run<'_>,
) -> Result<Vec<bool>, Error> {
    let reach = (radius as usize).min(MOST_GROWTH);
    // How far a pixel is from the nearest one seen in its row.
    let mut distances = vec![u8::MAX; ny * nx];
    let tasks: Vec<_> = distances
        .chunks_mut(BAND * nx)
        .zip(seen.chunks(BAND * nx))
        .collect();
    run.map(
        tasks,
        || (),
        |(), (distances, seen)| {
            for (distances, seen) in distances.chunks_exact_mut(nx).zip(seen.chunks_exact(nx)) {
                along_row(distances, seen);
            }
            Ok(())
        },
    )?;
    let mut grown = vec![false; ny * nx];
    let tasks: Vec<_> = grown.chunks_mut(BAND * nx).enumerate().collect();
    run.map(
        tasks,
        || (),
        |(), (band, rows)| {
            for (k, row) in rows.chunks_exact_mut(nx).enumerate() {
                let y = band * BAND + k;
                for other in y.saturating_sub(reach)..ny.min(y + reach + 1) {
                    let dy = other.abs_diff(y) as f64;
                    let width = (radius * radius - dy * dy).max(0.0).sqrt() as usize;
                    let width = width.min(MOST_GROWTH) as u8;
                    for (grown, &d) in row.iter_mut().zip(&distances[other * nx..]) {
                        *grown |= d <= width;
                    }
                }
            }
            Ok(())
        },
    )?;
    Ok(grown)
}

fn along_row(distances: &mut [u8], seen: &[bool]) {
    if !seen.contains(&true) {
        return;
    }
    let step = |distance: &mut u8, (d, &seen): (&mut u8, &bool)| {
        *distance = if seen { 0 } else { distance.saturating_add(1) };
        *d = (*d).min(*distance);
    };
    let mut distance = u8::MAX;
    distances
        .iter_mut()
        .zip(seen)
        .for_each(|pair| step(&mut distance, pair));
    distance = u8::MAX;
    distances
        .iter_mut()
        .zip(seen)
        .rev()
        .for_each(|pair| step(&mut distance, pair));
}

#[cfg(test)]
mod tests {
    use super::super::sheet::Sheet;
    use super::*;
    use crate::image::Image;

    #[test]
    fn a_source_is_masked_with_what_lies_within_its_reach() -> Result<(), Error> {
        let shape = (200, 90);
        let mut data = vec![10.0; shape.0 * shape.1];
        data[64 * 90 + 40] = 500.0; // at the border of two tasks
        data[199 * 90 + 89] = 500.0;
        data[20 * 90 + 20] = 500.0;
        data[150 * 90 + 10] = f64::NAN;
        let mut mask = vec![false; data.len()];
        mask[20 * 90 + 20] = true;
        let frame = Frame::new(Image::new(&data, shape)?).with_mask(Image::new(&mask, shape)?)?;
        let level = Sheet::polynomial((1, 1), |_, _| 10.0).render(shape, (200.0, 90.0));
        let noise = Sheet::polynomial((1, 1), |_, _| 5.0).render(shape, (200.0, 90.0));
        let found = source_mask(&frame, (&level, &noise), 3.0, 5.0, Run::new())?;
        // What the filter sees of 100 sigma, and 3 pixels around it.
        let filter = filter(3.0);
        let norm = filter.iter().map(|w| w * w).sum::<f32>();
        let weight = |d: i64| {
            let k = (filter.len() / 2) as i64 + d;
            usize::try_from(k)
                .ok()
                .and_then(|k| filter.get(k))
                .copied()
                .unwrap_or(0.0)
        };
        let is_seen = |(y, x): (i64, i64), at: (i64, i64)| {
            98.0 * weight(y - at.0) * weight(x - at.1) > 5.0 * norm
        };
        let near = |y: i64, x: i64, at: (i64, i64)| {
            (-3..=3).any(|dy: i64| {
                (-3..=3).any(|dx: i64| {
                    let (oy, ox) = (y + dy, x + dx);
                    let inside = (0..200).contains(&oy) && (0..90).contains(&ox);
                    dx * dx + dy * dy <= 9 && inside && is_seen((oy, ox), at)
                })
            })
        };
        for (k, &found) in found.iter().enumerate() {
            let (y, x) = ((k / 90) as i64, (k % 90) as i64);
            let expected = near(y, x, (64, 40)) || near(y, x, (199, 89));
            assert_eq!(found, expected, "{y} {x}");
        }
        Ok(())
    }
}
