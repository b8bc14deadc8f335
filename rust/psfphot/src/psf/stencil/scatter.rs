//! The transpose of evaluation: what pixels give to the coefficients.

use crate::image::PixelBox;
use crate::psf::Placement;
use crate::simd::{dispatch, mul_add};

use super::super::spline::weights;
use super::{DENSE, Geometry, LINE, Walk, points};

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

    /// Calls `visit(pixel, coefficient)` for the pixels of `window` that are on
    /// the samples, with the first coefficient of each one's stencil, and
    /// returns the weights of a stencil's columns and rows; `None` where the
    /// oversampling is not a whole number.
    pub(crate) fn stencils(
        &self,
        stride: usize,
        at: Placement<'_>,
        window: PixelBox,
        mut visit: impl FnMut(usize, usize, &[f64; 4], &[f64; 4]),
    ) {
        let Some(walk) = self.window_walk(stride, at, window) else {
            for (pixel, (px, py)) in points(window).enumerate() {
                let (x, y) = (self.x.phase(px, at.x), self.y.phase(py, at.y));
                if self.x.holds(x) && self.y.holds(y) {
                    let first = y.sample as usize * stride + x.sample as usize;
                    visit(pixel, first, &weights(x.offset), &weights(y.offset));
                }
            }
            return;
        };
        for y in 0..walk.ny {
            for x in 0..walk.nx {
                let pixel = walk.out.0 + y * walk.out.1 + x;
                let first = walk.start + y * walk.step.1 + x * walk.step.0;
                visit(pixel, first, &walk.wx, &walk.wy);
            }
        }
    }
}

/// The pixels of a row are spread over x first, and the row then over y.
#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn scatter_kernel<const FMA: bool>(stride: usize, walk: &Walk, values: &[f64], plane: &mut [f64]) {
    let step = walk.step.0;
    let tile = if step > DENSE {
        1
    } else {
        (LINE - 4) / step.max(1) + 1
    };
    let mut line = [0.0; LINE];
    for y in 0..walk.ny {
        let out = walk.out.0 + y * walk.out.1;
        let mut at = walk.start + y * walk.step.1;
        for values in values[out..out + walk.nx].chunks(tile) {
            let line = &mut line[..step * (values.len() - 1) + 4];
            line.fill(0.0);
            for (x, &value) in values.iter().enumerate() {
                let taps = &mut line[x * step..x * step + 4];
                for (tap, w) in taps.iter_mut().zip(walk.wx) {
                    *tap = mul_add::<FMA>(w, value, *tap);
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
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
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
            let values = numbers(seed ^ 99, window.len());
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
            geometry.stencils(stride, at, window, |pixel, first, wx, wy| {
                for (r, wy) in wy.iter().enumerate() {
                    stencils[pixel] += wy * dot(wx, &coefficients[first + r * stride..]);
                }
            });
            for (a, b) in stencils.iter().zip(&filled) {
                prop_assert!((a - b).abs() < 1e-12);
            }
        }
    }
}
