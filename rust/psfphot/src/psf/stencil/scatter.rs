//! The transpose of evaluation: what pixels give to the coefficients.

use crate::image::PixelBox;
use crate::psf::Placement;
use crate::simd::{dispatch, mul_add};

use super::super::spline::weights;
use super::{Geometry, LINE, Walk, points, tile};

impl Geometry {
    /// Adds to the coefficients `plane` the transpose of [`Geometry::fill`]
    /// applied to the pixels of `window`: to each coefficient the sum of the
    /// values, each times what the pixel's value takes of the coefficient.
    pub(crate) fn scatter(
        &self,
        stride: usize,
        at: Placement<'_>,
        window: PixelBox,
        values: &[f64],
        plane: &mut [f64],
    ) {
        let values = &values[..window.len()];
        if let Some(walk) = self.window_walk(stride, at, window) {
            scatter_values(stride, &walk, values, plane);
            return;
        }
        for (&value, (px, py)) in values.iter().zip(points(window)) {
            let (x, y) = (self.x.phase(px, at.x), self.y.phase(py, at.y));
            if self.x.holds(x) && self.y.holds(y) {
                let walk = self.walk(stride, x, y, (1, 1), (0, 1));
                scatter_values(stride, &walk, &[value], plane);
            }
        }
    }

    /// Calls `visit` for each row of the pixels of `window` that are on the
    /// samples.
    pub(crate) fn stencil_rows(
        &self,
        stride: usize,
        at: Placement<'_>,
        window: PixelBox,
        mut visit: impl FnMut(&StencilRow),
    ) {
        let Some(walk) = self.window_walk(stride, at, window) else {
            for (pixel, (px, py)) in points(window).enumerate() {
                let (x, y) = (self.x.phase(px, at.x), self.y.phase(py, at.y));
                if self.x.holds(x) && self.y.holds(y) {
                    visit(&StencilRow {
                        pixels: (pixel, 1),
                        first: y.sample as usize * stride + x.sample as usize,
                        step: 0,
                        wx: weights(x.offset),
                        wy: weights(y.offset),
                    });
                }
            }
            return;
        };
        for y in 0..walk.ny {
            visit(&StencilRow {
                pixels: (walk.out.0 + y * walk.out.1, walk.nx),
                first: walk.start + y * walk.step.1,
                step: walk.step.0,
                wx: walk.wx,
                wy: walk.wy,
            });
        }
    }
}

/// Pixels next to each other, and the coefficients that they are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StencilRow {
    /// The first pixel in its window, and how many there are.
    pub(crate) pixels: (usize, usize),
    /// First coefficient of the first pixel's stencil.
    pub(crate) first: usize,
    /// Coefficients from one pixel to the next.
    pub(crate) step: usize,
    /// Weights of a stencil's columns.
    pub(crate) wx: [f64; 4],
    /// Weights of its rows.
    pub(crate) wy: [f64; 4],
}

/// The pixels of a row are spread over x first, and the row then over y.
#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn scatter_kernel<const FMA: bool>(stride: usize, walk: &Walk, values: &[f64], plane: &mut [f64]) {
    let (step, tile) = (walk.step.0, tile(walk.step.0));
    let mut line = [0.0; LINE];
    for y in 0..walk.ny {
        let out = walk.out.0 + y * walk.out.1;
        let mut at = walk.start + y * walk.step.1;
        for values in values[out..out + walk.nx].chunks(tile) {
            let line = &mut line[..step * (values.len() - 1) + 4];
            match step {
                1 => spread::<FMA, 1>(values, walk.wx, line),
                2 => spread::<FMA, 2>(values, walk.wx, line),
                3 => spread::<FMA, 3>(values, walk.wx, line),
                _ => {
                    line.fill(0.0);
                    for (x, value) in values.iter().enumerate() {
                        let taps = line[x * step..].iter_mut().zip(walk.wx);
                        taps.for_each(|(tap, w)| *tap = w * value);
                    }
                }
            }
            for (r, w) in walk.wy.into_iter().enumerate() {
                let first = at + r * stride;
                let row = &mut plane[first..first + line.len()];
                for (c, &tap) in row.iter_mut().zip(&*line) {
                    *c = mul_add::<FMA>(w, tap, *c);
                }
            }
            at += step * values.len();
        }
    }
}

/// Spreads pixels over the coefficients of a line, so close that stencils overlap: what
/// the next one adds to is carried on, for to read what was just written takes long.
#[inline(always)]
#[allow(clippy::inline_always)]
fn spread<const FMA: bool, const STEP: usize>(values: &[f64], w: [f64; 4], line: &mut [f64]) {
    let mut taps = [0.0; 4];
    for (x, value) in values.iter().enumerate() {
        for k in 0..4 {
            taps[k] = mul_add::<FMA>(w[k], *value, taps[k]);
        }
        line[x * STEP..x * STEP + 4].copy_from_slice(&taps);
        for k in 0..4 {
            taps[k] = if k + STEP < 4 { taps[k + STEP] } else { 0.0 };
        }
    }
}

dispatch! {
    /// The pixels of the walk, spread over the coefficients.
    fn scatter_values(
        stride: usize, walk: &Walk, values: &[f64], plane: &mut [f64],
    ) = scatter_kernel
}

#[cfg(test)]
mod tests {
    use super::super::{Blend, SampleAxis};
    use super::*;
    use proptest::prelude::*;

    fn numbers(seed: u64, n: usize) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        (0..n).map(|_| next()).collect()
    }

    proptest! {
        /// ⟨v, fill(c)⟩ = ⟨scatter(v), c⟩ for any coefficients and values.
        #[test]
        fn scatter_is_the_transpose_of_fill(
            (nx, ny) in (4..30_usize, 4..30_usize),
            (sx, sy) in (prop_oneof![Just(1.0), Just(2.0), Just(3.0), Just(9.0), 0.5..4.0], 1..5_u8),
            (x, y) in (-6.0..14.0, -6.0..14.0),
            seed: u64,
        ) {
            let axis = |n: usize, oversampling| SampleAxis {
                n, oversampling, origin: (n - 1) as f64 / 2.0,
            };
            let geometry = Geometry { x: axis(nx, sx), y: axis(ny, f64::from(sy)) };
            let stride = nx + 2;
            let coefficients = numbers(seed, (ny + 3) * stride + 1);
            let window = PixelBox::new(-2, 9, 1, 8);
            let values = numbers(seed ^ 0x63, window.len());
            let at = Placement { x, y, shape: &[] };
            let blend = Blend {
                planes: [&coefficients[..]], stride, weights: [1.0], by_x: [0.0], by_y: [0.0],
            };
            let mut filled = vec![f64::NAN; window.len()];
            geometry.fill(&blend, at, window, &mut filled);
            let mut spread = vec![0.0; coefficients.len()];
            geometry.scatter(stride, at, window, &values, &mut spread);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            prop_assert!((dot(&values, &filled) - dot(&spread, &coefficients)).abs() < 1e-12);
            let mut stencils = vec![0.0; window.len()];
            geometry.stencil_rows(stride, at, window, |row| {
                for k in 0..row.pixels.1 {
                    for (r, wy) in row.wy.iter().enumerate() {
                        let first = row.first + k * row.step + r * stride;
                        let taps = &coefficients[first..first + 4];
                        stencils[row.pixels.0 + k] += wy * dot(&row.wx, taps);
                    }
                }
            });
            for (a, b) in stencils.iter().zip(&filled) {
                prop_assert!((a - b).abs() < 1e-12);
            }
        }
    }
}
