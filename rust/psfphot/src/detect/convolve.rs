//! Direct convolution of an image with a star finder's kernel.

use super::Kernel;
use super::partial::PartialFit;
use crate::Error;
use crate::image::{CACHED, Image, Pixel};
use crate::run::Run;
use crate::simd::dispatch;

/// Columns summed at once: four AVX2 registers. On 2048² pixels with the kernel
/// of a `fwhm` of 6 pixels 4, 8, 16 and 32 columns take 32, 23, 21 and 21 ms.
const LANES: usize = 16;

/// One pixel of the footprint.
#[derive(Debug, Clone, Copy)]
struct Tap {
    /// From the first pixel of the window, in the padded band.
    offset: usize,
    weight: f64,
}

/// What [`convolve`] makes of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolved<T> {
    /// Row by row.
    pub values: Vec<T>,
    /// Whether there are pixels that are not finite.
    pub has_gaps: bool,
}

/// The image convolved with the kernel; pixels beyond the edges count as 0.
///
/// Only pixels of the footprint enter. Those that are not finite are left out:
/// there the star and the constant that the convolution fits (see [`Kernel`])
/// are fitted to the others, and the value is the height that would be as
/// significant with all pixels; NaN where the others tell too little.
///
/// The sums are made in `f64`, product by product and row by row over the
/// footprint, without fused operations: they have the same bits on every
/// processor, and are those of `scipy.ndimage.convolve` for the same kernel.
///
/// # Errors
/// [`Error::Cancelled`].
pub fn convolve<T: Pixel>(
    image: Image<'_, T>,
    kernel: &Kernel,
    run: Run<'_>,
) -> Result<Convolved<T>, Error> {
    let (_, nx) = image.shape();
    let mut values = vec![T::from_f64(0.0); image.as_slice().len()];
    let convolution = Convolution::new(image, kernel);
    let tasks: Vec<_> = values
        .chunks_mut((CACHED * nx).max(1))
        .enumerate()
        .map(|(i, rows)| (i * CACHED, rows))
        .collect();
    let has_gaps = run.map(tasks, Padded::default, |work, (first_row, rows)| {
        Ok(convolution.fill(first_row, rows, work))
    })?;
    Ok(Convolved {
        values,
        has_gaps: has_gaps.contains(&true),
    })
}

/// An image and the kernel that it is convolved with.
pub(super) struct Convolution<'a, T> {
    image: Image<'a, T>,
    kernel: &'a Kernel,
    taps: Vec<Tap>,
    /// Columns of a padded row.
    stride: usize,
    /// Σ K².
    whole: f64,
}

impl<'a, T: Pixel> Convolution<'a, T> {
    pub(super) fn new(image: Image<'a, T>, kernel: &'a Kernel) -> Self {
        let stride = image.shape().1 + kernel.shape().1 - 1;
        Self {
            image,
            kernel,
            taps: taps(kernel, stride),
            stride,
            whole: kernel.sum_of_squares(),
        }
    }

    /// Fills whole `rows` of the convolved image, from `first_row` on; whether a
    /// footprint holds pixels that are not finite.
    pub(super) fn fill(&self, first_row: usize, rows: &mut [T], work: &mut Padded) -> bool {
        let (_, nx) = self.image.shape();
        let mut has_gaps = false;
        // So many at a time that they stay in the cache.
        for (i, rows) in rows.chunks_mut((CACHED * nx).max(1)).enumerate() {
            work.pad(
                self.image,
                self.kernel,
                first_row + i * CACHED,
                rows.len() / nx,
            );
            work.sums.resize(nx, 0.0);
            for (i, row) in rows.chunks_exact_mut(nx).enumerate() {
                let padded = &work.rows[i * self.stride..];
                weighted_sums(padded, &self.taps, &mut work.sums);
                has_gaps |= repair(padded, &self.taps, self.whole, &mut work.sums);
                for (value, sum) in row.iter_mut().zip(&work.sums) {
                    *value = T::from_f64(*sum);
                }
            }
        }
        has_gaps
    }
}

/// Makes the sums that are not finite of the finite pixels alone; whether any
/// pixel was not.
fn repair(padded: &[f64], taps: &[Tap], whole: f64, sums: &mut [f64]) -> bool {
    let mut has_gaps = false;
    for (i, sum) in sums.iter_mut().enumerate() {
        if sum.is_finite() {
            continue;
        }
        let mut fit = PartialFit::default();
        for tap in taps {
            let value = padded[i + tap.offset];
            if value.is_finite() {
                fit.add(tap.weight, value);
            }
        }
        // Finite pixels can have a sum that is not.
        if fit.n() < taps.len() {
            *sum = fit.significant_height(whole);
            has_gaps = true;
        }
    }
    has_gaps
}

/// The kernel turned around, as a convolution has it, without the pixels off
/// its footprint.
fn taps(kernel: &Kernel, stride: usize) -> Vec<Tap> {
    let (_, width) = kernel.shape();
    let turned = kernel.values().iter().zip(kernel.footprint()).rev();
    turned
        .enumerate()
        .filter(|(_, (_, inside))| **inside)
        .map(|(i, (weight, _))| Tap {
            offset: (i / width) * stride + i % width,
            weight: *weight,
        })
        .collect()
}

/// A thread's buffers: rows with margins, and a row of sums.
#[derive(Debug, Default)]
pub(super) struct Padded {
    rows: Vec<f64>,
    sums: Vec<f64>,
}

impl Padded {
    /// Copies `n_rows` rows from `first_row` on with the margins that the
    /// turned kernel needs, zero where they are off the image.
    fn pad<T: Pixel>(
        &mut self,
        image: Image<'_, T>,
        kernel: &Kernel,
        first_row: usize,
        n_rows: usize,
    ) {
        let (ny, nx) = image.shape();
        let (height, width) = kernel.shape();
        let (cy, cx) = kernel.center();
        let (above, left) = (height - 1 - cy, width - 1 - cx);
        self.rows.clear();
        for y in first_row..first_row + n_rows + height - 1 {
            // y counts from the top of the margin.
            let row = if (above..ny + above).contains(&y) {
                image.row(y - above)
            } else {
                &[]
            };
            self.rows.resize(self.rows.len() + left, 0.0);
            self.rows.extend(row.iter().map(|&value| value.into()));
            self.rows
                .resize(self.rows.len() + cx + (nx - row.len()), 0.0);
        }
    }
}

dispatch! {
    /// One row of sums over the taps; `padded` begins at the first pixel of the
    /// first window.
    fn weighted_sums(padded: &[f64], taps: &[Tap], sums: &mut [f64]) = weighted_sums_kernel
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn weighted_sums_kernel<const FMA: bool>(padded: &[f64], taps: &[Tap], sums: &mut [f64]) {
    let n_blocked = sums.len() - sums.len() % LANES;
    let (blocks, rest) = sums.split_at_mut(n_blocked);
    for (i, block) in blocks.chunks_exact_mut(LANES).enumerate() {
        let mut sum = [0.0; LANES];
        for tap in taps {
            let start = i * LANES + tap.offset;
            for (s, value) in sum.iter_mut().zip(&padded[start..start + LANES]) {
                *s += tap.weight * value;
            }
        }
        block.copy_from_slice(&sum);
    }
    for (i, sum) in rest.iter_mut().enumerate() {
        *sum = 0.0;
        for tap in taps {
            *sum += tap.weight * padded[n_blocked + i + tap.offset];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::samples::noise;
    use proptest::prelude::*;

    /// The definition, pixel by pixel.
    fn naive<T: Pixel>(image: Image<'_, T>, kernel: &Kernel) -> Vec<T> {
        let (cy, cx) = (kernel.center().0 as i64, kernel.center().1 as i64);
        let (height, width) = (kernel.shape().0 as i64, kernel.shape().1 as i64);
        let (ny, nx) = image.shape();
        let mut out = Vec::new();
        for (y, x) in (0..ny as i64).flat_map(|y| (0..nx as i64).map(move |x| (y, x))) {
            let mut sum = 0.0;
            let offsets = (0..height).flat_map(|j| (0..width).map(move |i| (j, i)));
            for (j, i) in offsets.collect::<Vec<_>>().into_iter().rev() {
                let value: f64 = image.get(x + cx - i, y + cy - j).map_or(0.0, Into::into);
                let k = (j * width + i) as usize;
                if kernel.footprint()[k] {
                    sum += kernel.values()[k] * value;
                }
            }
            out.push(T::from_f64(sum));
        }
        out
    }

    proptest! {
        #[test]
        fn it_has_the_bits_of_the_definition(
            shape in (1..70_usize, 1..70_usize),
            fwhm in 1.0..9.0_f64,
            ratio in 0.3..1.0_f64,
            theta in 0.0..180.0_f64,
            seed in 0..1000_u64,
        ) {
            let kernel = Kernel::elliptical(fwhm, ratio, theta, 1.5)?;
            let data = noise(shape.0 * shape.1, seed);
            let image = Image::new(&data, shape)?;
            let serial = convolve(image, &kernel, Run::new().serial())?;
            prop_assert_eq!(&serial.values, &naive(image, &kernel));
            prop_assert_eq!(&serial, &convolve(image, &kernel, Run::new())?);

            let single: Vec<f32> = data.iter().map(|&v| v as f32).collect();
            let image = Image::new(&single, shape)?;
            let result = convolve(image, &kernel, Run::new())?;
            prop_assert_eq!(result.values, naive(image, &kernel));
        }
    }

    #[test]
    fn kernels_of_any_shape_have_the_bits_of_the_definition() -> Result<(), Error> {
        let data = noise(19 * 23, 3);
        let image = Image::new(&data, (19, 23))?;
        for shape in [(1, 1), (1, 4), (2, 2), (3, 6), (4, 3), (25, 30)] {
            let values: Vec<f64> = noise(shape.0 * shape.1, 5)
                .iter()
                .map(|v| v.abs() + 1.0)
                .collect();
            let kernel = Kernel::from_values(&values, shape)?;
            assert_eq!(
                convolve(image, &kernel, Run::new())?.values,
                naive(image, &kernel),
                "{shape:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_nan_changes_the_footprint_alone_and_no_height() -> Result<(), Error> {
        let kernel = Kernel::circular(3.0, 1.5)?;
        // The star of the kernel, of height 5 on a constant.
        let whole = kernel.sum_of_squares();
        let mut data = vec![7.0; 81];
        for (k, value) in kernel.values().iter().enumerate() {
            data[(2 + k / 5) * 9 + 2 + k % 5] += 5.0 * value / whole;
        }
        let before = convolve(Image::new(&data, (9, 9))?, &kernel, Run::new())?;
        assert!(!before.has_gaps && (before.values[40] - 5.0).abs() < 1e-12);
        data[40] = f64::NAN;
        let after = convolve(Image::new(&data, (9, 9))?, &kernel, Run::new())?;
        assert!(after.has_gaps && after.values.iter().all(|v| v.is_finite()));
        let pairs = after.values.iter().zip(&before.values);
        let changed = pairs.filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        assert_eq!(changed, 13);
        // Less significant, by the root of what is left.
        let centre = kernel.values()[12];
        let left = 1.0 - centre * centre * 13.0 / 12.0 / whole;
        assert!((after.values[40] - 5.0 * left.sqrt()).abs() < 1e-12);
        // Nothing is left to tell a height.
        data.fill(f64::NAN);
        data[40] = 3.0;
        let none = convolve(Image::new(&data, (9, 9))?, &kernel, Run::new())?;
        assert!(none.values[40].is_nan());
        Ok(())
    }

    #[test]
    fn empty_images_stay_empty() -> Result<(), Error> {
        let kernel = Kernel::circular(3.0, 1.5)?;
        for shape in [(0, 0), (0, 5), (5, 0)] {
            let image = Image::<f64>::new(&[], shape)?;
            assert!(convolve(image, &kernel, Run::new())?.values.is_empty());
        }
        Ok(())
    }
}
