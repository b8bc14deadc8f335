//! Evaluation of spline images on detector pixels.
//!
//! Sample coordinates are `ξ = oversampling · (pixel − position) + origin`.
//! With integer oversampling all pixels of one source lie at the same offset
//! between samples: the 4 + 4 B-spline weights (and those of the derivatives)
//! are computed once per source, and the rest is a fixed stencil that walks
//! over the coefficients. All spline images of a PSF are blended in the same
//! pass.

mod axis;
mod frozen;
mod scatter;

pub(crate) use axis::SampleAxis;
pub use frozen::Frozen;
pub(crate) use scatter::StencilRow;

use crate::image::PixelBox;
use crate::simd::{Four, dispatch, mul_add};

use super::Placement;
use super::spline::{weight_derivatives, weights};
use axis::Phase;

/// Spline images with the weights of their blend and its derivatives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blend<'a, const K: usize> {
    /// Coefficients of each image.
    pub(crate) planes: [&'a [f64]; K],
    /// Distance between rows of coefficients.
    pub(crate) stride: usize,
    /// Weight of each image.
    pub(crate) weights: [f64; K],
    /// Its derivative by the position's x.
    pub(crate) by_x: [f64; K],
    /// Its derivative by the position's y.
    pub(crate) by_y: [f64; K],
}

/// A sampled PSF's geometry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Geometry {
    /// Along x.
    pub(crate) x: SampleAxis,
    /// Along y.
    pub(crate) y: SampleAxis,
}

/// No PSF reaches so many pixels; the arithmetic of a walk does.
const FAR: f64 = 1e9;

/// What the kernels need to know of a walk over pixels.
#[derive(Debug, Clone, Copy)]
struct Walk {
    /// First coefficient of the first pixel's stencil.
    start: usize,
    /// Between columns and between rows of pixels, in coefficients.
    step: (usize, usize),
    nx: usize,
    ny: usize,
    wx: [f64; 4],
    wy: [f64; 4],
    /// Of the derivatives by the *position*.
    dx: [f64; 4],
    dy: [f64; 4],
    /// First output element, and distance between output rows.
    out: (usize, usize),
}

impl Geometry {
    /// Pixels that may lie on the samples.
    pub(crate) fn support(&self, at: Placement<'_>) -> PixelBox {
        PixelBox::spanning(self.x.reach(at.x), self.y.reach(at.y))
    }

    /// The blend's value at one point, and its derivatives by the position; 0
    /// off the samples.
    pub(crate) fn point<const K: usize>(
        &self,
        blend: &Blend<'_, K>,
        at: Placement<'_>,
        (px, py): (f64, f64),
    ) -> (f64, f64, f64) {
        let (phase_x, phase_y) = (self.x.phase(px, at.x), self.y.phase(py, at.y));
        if !(self.x.holds(phase_x) && self.y.holds(phase_y)) {
            return (0.0, 0.0, 0.0);
        }
        one(
            blend,
            &self.walk(blend.stride, phase_x, phase_y, (1, 1), (0, 1)),
        )
    }

    /// As [`Geometry::point`], but off the samples what the nearest of them
    /// has: there the value does not change with the position.
    pub(crate) fn continued<const K: usize>(
        &self,
        blend: &Blend<'_, K>,
        at: Placement<'_>,
        (px, py): (f64, f64),
    ) -> (f64, f64, f64) {
        let (phase_x, off_x) = self.x.nearest(px, at.x);
        let (phase_y, off_y) = self.y.nearest(py, at.y);
        let mut walk = self.walk(blend.stride, phase_x, phase_y, (1, 1), (0, 1));
        if off_x {
            walk.dx = [0.0; 4];
        }
        if off_y {
            walk.dy = [0.0; 4];
        }
        one(blend, &walk)
    }

    /// The blend's values on the pixels of `window`.
    pub(crate) fn fill<const K: usize>(
        &self,
        blend: &Blend<'_, K>,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
    ) {
        let values = &mut values[..window.len()];
        let Some(walk) = self.window_walk(blend.stride, at, window) else {
            for (value, point) in values.iter_mut().zip(points(window)) {
                *value = self.point(blend, at, point).0;
            }
            return;
        };
        values.fill(0.0);
        fill_values(blend, &walk, values);
    }

    /// The blend's values and derivatives by the position.
    pub(crate) fn fill_with_gradient<const K: usize>(
        &self,
        blend: &Blend<'_, K>,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        let n = window.len();
        let values = &mut values[..n];
        let (by_x, rest) = gradient.split_at_mut(n);
        let by_y = &mut rest[..n];
        let Some(walk) = self.window_walk(blend.stride, at, window) else {
            for (i, point) in points(window).enumerate() {
                (values[i], by_x[i], by_y[i]) = self.point(blend, at, point);
            }
            return;
        };
        if walk.nx * walk.ny < n {
            values.fill(0.0);
            by_x.fill(0.0);
            by_y.fill(0.0);
        }
        fill_gradient(blend, &walk, values, by_x, by_y);
    }

    /// The walk over the part of the window that is on the samples; `None`
    /// where the oversampling is not a whole number.
    fn window_walk(&self, stride: usize, at: Placement<'_>, window: PixelBox) -> Option<Walk> {
        let (step_x, step_y) = (self.x.step()?, self.y.step()?);
        // Far from the source nothing is on the samples, and this keeps the
        // arithmetic of the walk within range.
        let is_near = |position: f64, first: i64| (first as f64 - position).abs() < FAR;
        if is_near(at.x, window.x0) && is_near(at.y, window.y0) {
            let (xs, phase_x) = self.x.walk(step_x, at.x, window.x0..window.x1);
            let (ys, phase_y) = self.y.walk(step_y, at.y, window.y0..window.y1);
            if !(xs.is_empty() || ys.is_empty()) {
                let size = ((xs.end - xs.start) as usize, (ys.end - ys.start) as usize);
                let out = (window.index_of(xs.start, ys.start), window.width());
                return Some(self.walk(stride, phase_x, phase_y, size, out));
            }
        }
        let nowhere = Phase {
            sample: 0,
            offset: 0.0,
        };
        Some(self.walk(stride, nowhere, nowhere, (0, 0), (0, 1)))
    }

    fn walk(
        &self,
        stride: usize,
        phase_x: Phase,
        phase_y: Phase,
        (nx, ny): (usize, usize),
        out: (usize, usize),
    ) -> Walk {
        let by_position = |phase: Phase, axis: &SampleAxis| {
            weight_derivatives(phase.offset).map(|w| -axis.oversampling * w)
        };
        Walk {
            start: phase_y.sample as usize * stride + phase_x.sample as usize,
            step: (
                self.x.oversampling as usize,
                self.y.oversampling as usize * stride,
            ),
            nx,
            ny,
            wx: weights(phase_x.offset),
            wy: weights(phase_y.offset),
            dx: by_position(phase_x, &self.x),
            dy: by_position(phase_y, &self.y),
            out,
        }
    }
}

/// The value and the derivatives at the one pixel of a walk.
fn one<const K: usize>(blend: &Blend<'_, K>, walk: &Walk) -> (f64, f64, f64) {
    let (mut value, mut gradient) = ([0.0], [0.0; 2]);
    let [by_x, by_y] = gradient.each_mut().map(std::slice::from_mut);
    fill_gradient(blend, walk, &mut value, by_x, by_y);
    (value[0], gradient[0], gradient[1])
}

fn points(window: PixelBox) -> impl Iterator<Item = (f64, f64)> {
    window.pixels().map(|(x, y)| (x as f64, y as f64))
}

/// Four neighbouring coefficients.
#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernels
fn load(plane: &[f64], at: usize) -> [f64; 4] {
    let c = &plane[at..at + 4];
    [c[0], c[1], c[2], c[3]]
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn dot<const FMA: bool>(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let low = mul_add::<FMA>(a[0], b[0], a[1] * b[1]);
    let high = mul_add::<FMA>(a[2], b[2], a[3] * b[3]);
    low + high
}

/// Coefficients of a row that are blended at a time: 32 pixels at the usual
/// oversampling of 4, and little enough for the stack.
const LINE: usize = 128;

/// Beyond this many samples per pixel most of a row lies between the pixels'
/// stencils: then these are blended one by one.
const DENSE: usize = 8;

/// How many pixels, whose stencils are `step` coefficients apart, share a line.
fn tile(step: usize) -> usize {
    if step > DENSE {
        1
    } else {
        (LINE - 4) / step.max(1) + 1
    }
}

/// A row is blended over y first and then over x, pixel by pixel: that takes
/// three quarters of the time of a stencil for each pixel (101 x 101 pixels,
/// oversampling 4).
#[inline(always)]
#[allow(clippy::inline_always)]
fn values_kernel<const FMA: bool, const K: usize>(
    blend: &Blend<'_, K>,
    walk: &Walk,
    values: &mut [f64],
) {
    let mut weights = [[0.0; 4]; K];
    for (weights, b) in weights.iter_mut().zip(blend.weights) {
        for (weight, w) in weights.iter_mut().zip(walk.wy) {
            *weight = b * w;
        }
    }
    let (step, tile) = (walk.step.0, tile(walk.step.0));
    let mut line = [0.0; LINE];
    for y in 0..walk.ny {
        let out = walk.out.0 + y * walk.out.1;
        let mut at = walk.start + y * walk.step.1;
        for values in values[out..out + walk.nx].chunks_mut(tile) {
            let line = &mut line[..step * (values.len() - 1) + 4];
            blend_rows::<FMA, K>(blend, at, &weights, line);
            for (x, value) in values.iter_mut().enumerate() {
                *value = dot::<FMA>(&load(line, x * step), &walk.wx);
            }
            at += step * values.len();
        }
    }
}

/// Four rows of each image, from the coefficient `at` on: cut to their length once, so that
/// no access below is checked.
#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernels
fn rows<'a, const K: usize>(blend: &Blend<'a, K>, at: usize, length: usize) -> [[&'a [f64]; 4]; K] {
    // By loops: calls of `map` are not always inlined.
    let mut rows = [[&[][..]; 4]; K];
    for (rows, plane) in rows.iter_mut().zip(blend.planes) {
        for (r, row) in rows.iter_mut().enumerate() {
            *row = &plane[at + r * blend.stride..][..length];
        }
    }
    rows
}

/// The weighted sum of four rows of each image, from the coefficient `at` on.
#[inline(always)]
#[allow(clippy::inline_always)]
fn blend_rows<const FMA: bool, const K: usize>(
    blend: &Blend<'_, K>,
    at: usize,
    weights: &[[f64; 4]; K],
    line: &mut [f64],
) {
    let rows = rows(blend, at, line.len());
    let quads = line.len() / 4 * 4;
    for c in (0..quads).step_by(4) {
        let mut sum = Four::<FMA>::ZERO;
        for (rows, weights) in rows.iter().zip(weights) {
            for (row, &w) in rows.iter().zip(weights) {
                sum = Four::splat(w).mul_add(Four::new(&load(row, c)), sum);
            }
        }
        sum.store(&mut line[c..c + 4]);
    }
    for c in quads..line.len() {
        line[c] = 0.0;
        for (rows, weights) in rows.iter().zip(weights) {
            for (row, &w) in rows.iter().zip(weights) {
                line[c] = mul_add::<FMA>(w, row[c], line[c]);
            }
        }
    }
}

dispatch! {
    /// The blend at the pixels of the walk.
    fn fill_values[const K: usize](
        blend: &Blend<'_, K>, walk: &Walk, values: &mut [f64],
    ) = values_kernel[K]
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn gradient_kernel<const FMA: bool, const K: usize>(
    blend: &Blend<'_, K>,
    walk: &Walk,
    values: &mut [f64],
    by_x: &mut [f64],
    by_y: &mut [f64],
) {
    if walk.nx == 0 {
        return;
    }
    let splats = |weights: [f64; K]| weights.map(Four::<FMA>::splat);
    let (of_value, by_place_x, by_place_y) = (
        splats(blend.weights),
        splats(blend.by_x),
        splats(blend.by_y),
    );
    let [wy, dy] = [walk.wy, walk.dy].map(|weights| weights.map(Four::<FMA>::splat));
    let [wx, dx] = [walk.wx, walk.dx].map(|weights| Four::<FMA>::new(&weights));
    let (step, length) = (walk.step.0, walk.step.0 * (walk.nx - 1) + 4);
    for y in 0..walk.ny {
        let out = walk.out.0 + y * walk.out.1;
        let row = out..out + walk.nx;
        let (values, by_x, by_y) = (
            &mut values[row.clone()],
            &mut by_x[row.clone()],
            &mut by_y[row],
        );
        let rows = rows(blend, walk.start + y * walk.step.1, length);
        let pixels = values.iter_mut().zip(by_x).zip(by_y);
        for (x, ((of, by_x), by_y)) in pixels.enumerate() {
            // Blended over y: the images, and their slope; the change of the blend itself
            // with the position goes along x with the one, along y with the other.
            let (mut sum, mut slope) = (Four::ZERO, Four::ZERO);
            let mut change_x = Four::ZERO;
            for k in 0..K {
                let (mut value, mut change) = (Four::ZERO, Four::ZERO);
                for r in 0..4 {
                    let c = Four::new(&load(rows[k][r], x * step));
                    value = wy[r].mul_add(c, value);
                    change = dy[r].mul_add(c, change);
                }
                sum = of_value[k].mul_add(value, sum);
                slope = of_value[k].mul_add(change, slope);
                if K > 1 {
                    change_x = by_place_x[k].mul_add(value, change_x);
                    slope = by_place_y[k].mul_add(value, slope);
                }
            }
            *of = sum.mul_add(wx, Four::ZERO).sum();
            *by_x = dx.mul_add(sum, wx.mul_add(change_x, Four::ZERO)).sum();
            *by_y = slope.mul_add(wx, Four::ZERO).sum();
        }
    }
}

dispatch! {
    /// The blend and its derivatives by the position at the pixels of the walk.
    fn fill_gradient[const K: usize](
        blend: &Blend<'_, K>, walk: &Walk,
        values: &mut [f64], by_x: &mut [f64], by_y: &mut [f64],
    ) = gradient_kernel[K]
}
