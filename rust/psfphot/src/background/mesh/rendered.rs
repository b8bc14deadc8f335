//! A bicubic spline as values at the pixels of an image.

use std::ops::Range;

use crate::image::Pixel;
use crate::simd::{dispatch, mul_add};
use crate::{Error, Run};

/// Rows of pixels per task.
const BAND: usize = 16;

/// Of a pixel along one axis: the first of the four coefficients around it, and their
/// weights.
pub(super) type Stencil = (usize, [f64; 4]);

/// A spline at the pixels of an image: expanded along the rows, so that a
/// pixel takes four products.
#[derive(Debug, Clone)]
pub(super) struct Rendered {
    nx: usize,
    /// For each row of coefficients, its sum at each column of pixels.
    expanded: Vec<f64>,
    rows: Vec<Stencil>,
}

impl Rendered {
    /// The spline of `lines` of coefficients at pixels with the stencils of these
    /// columns and rows.
    pub(super) fn new<'a>(
        lines: impl ExactSizeIterator<Item = &'a [f64]>,
        columns: &[Stencil],
        rows: &[Stencil],
    ) -> Self {
        let mut expanded = Vec::with_capacity(lines.len() * columns.len());
        for line in lines {
            expanded.extend(columns.iter().map(|(first, weights)| {
                let around = &line[*first..first + 4];
                around.iter().zip(weights).map(|(c, w)| c * w).sum::<f64>()
            }));
        }
        Self {
            nx: columns.len(),
            expanded,
            rows: rows.to_vec(),
        }
    }

    /// The values in a run of columns of row `y`.
    pub(super) fn row<T: Pixel>(&self, y: usize, columns: Range<usize>, into: &mut [T]) {
        let everything = (f64::NEG_INFINITY, f64::INFINITY);
        self.clamped_row(y, columns, everything, into);
    }

    fn clamped_row<T: Pixel>(
        &self,
        y: usize,
        columns: Range<usize>,
        limits: (f64, f64),
        into: &mut [T],
    ) {
        let (first, weights) = self.rows[y];
        let lines = [0, 1, 2, 3].map(|k| {
            let start = (first + k) * self.nx;
            &self.expanded[start + columns.start..start + columns.end]
        });
        blend(&lines, &weights, limits, into);
    }

    /// All pixels, none below or above the limits.
    pub(super) fn image<T: Pixel>(
        &self,
        limits: (f64, f64),
        run: Run<'_>,
    ) -> Result<Vec<T>, Error> {
        let nx = self.nx;
        let mut image = vec![T::from_f64(0.0); nx * self.rows.len()];
        if image.is_empty() {
            return Ok(image);
        }
        let tasks: Vec<_> = image.chunks_mut(BAND * nx).enumerate().collect();
        run.map(
            tasks,
            || (),
            |(), (band, rows)| {
                for (k, row) in rows.chunks_exact_mut(nx).enumerate() {
                    self.clamped_row(band * BAND + k, 0..nx, limits, row);
                }
                Ok(())
            },
        )?;
        Ok(image)
    }
}

dispatch! {
    /// The sum of four lines with weights, between limits.
    fn blend[T: Pixel](
        lines: &[&[f64]; 4], weights: &[f64; 4], limits: (f64, f64), into: &mut [T],
    ) = blend_kernel[T]
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn blend_kernel<const FMA: bool, T: Pixel>(
    lines: &[&[f64]; 4],
    weights: &[f64; 4],
    limits: (f64, f64),
    into: &mut [T],
) {
    let n = into.len();
    let [a, b, c, d] = lines.map(|line| &line[..n]);
    for k in 0..n {
        let far = mul_add::<FMA>(weights[3], d[k], weights[0] * a[k]);
        let near = mul_add::<FMA>(weights[2], c[k], weights[1] * b[k]);
        into[k] = T::from_f64((far + near).max(limits.0).min(limits.1));
    }
}
