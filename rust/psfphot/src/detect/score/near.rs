//! The known stars near some places: their derivatives, and how these overlap.

use std::ops::Range;

use super::Field;
use crate::image::{Frame, Pixel, PixelBox};
use crate::psf::{Placement, Psf};
use crate::simd::dispatch;

/// Free parameters of a star: flux, x and y.
pub(super) const FREE: usize = 3;

/// `JᵀWJ` of a star with itself or with another.
pub(super) type Block = [[f64; FREE]; FREE];

/// Stars near a place that are taken into account.
pub(super) const MOST: usize = 6;

/// The nearest stars of a place, by increasing number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Near {
    stars: [u32; MOST],
    distances: [f32; MOST],
    n: usize,
}

impl Default for Near {
    fn default() -> Self {
        Self {
            stars: [0; MOST],
            distances: [0.0; MOST],
            n: 0,
        }
    }
}

impl Near {
    /// Takes a star into account, whose number is above those before, unless
    /// there are enough nearer ones.
    pub(super) fn offer(&mut self, distance: f32, star: u32) {
        if self.n == MOST {
            let farthest = (0..MOST).fold(0, |k, i| {
                if self.distances[i] > self.distances[k] {
                    i
                } else {
                    k
                }
            });
            if self.distances[farthest] <= distance {
                return;
            }
            self.stars.copy_within(farthest + 1.., farthest);
            self.distances.copy_within(farthest + 1.., farthest);
            self.n -= 1;
        }
        self.stars[self.n] = star;
        self.distances[self.n] = distance;
        self.n += 1;
    }

    pub(super) fn members(&self) -> &[u32] {
        &self.stars[..self.n]
    }
}

/// A star's derivatives by flux, x and y, as if its flux were 1, each divided
/// by its length in units of the noise.
struct Stamp {
    x: f64,
    y: f64,
    window: PixelBox,
    derivatives: Vec<[f64; FREE]>,
    /// Times the weights.
    weighted: Vec<[f64; FREE]>,
    /// The same; four in a row are one vector of a processor, the last is 0.
    packed: Vec<[f32; 4]>,
    gradient: [f64; FREE],
}

/// The known stars within reach of some places.
pub(super) struct NearStars {
    /// In the order of their numbers here.
    stamps: Vec<Stamp>,
    planes: Planes,
}

impl NearStars {
    /// The stars `members` of the field, which are within reach of the pixels of
    /// `window`, and the pixels that matter there.
    pub(super) fn new<T: Pixel>(
        frame: &Frame<'_, T>,
        psf: &dyn Psf,
        field: &Field<'_>,
        members: &[usize],
        window: PixelBox,
    ) -> Self {
        let boxes = members
            .iter()
            .map(|&i| field.window(field.x[i], field.y[i]));
        let all = boxes.fold(window, PixelBox::hull);
        let planes = Planes::new(frame, all.intersection(&frame.data().bounds()));
        let mut room = Vec::new();
        let stamps = members
            .iter()
            .map(|&i| {
                let place = (field.x[i], field.y[i]);
                Stamp::new(
                    psf,
                    place,
                    field.window(place.0, place.1),
                    &planes,
                    &mut room,
                )
            })
            .collect();
        Self { stamps, planes }
    }

    /// `JᵀWr` of a star.
    pub(super) fn gradient(&self, star: u32) -> [f64; FREE] {
        self.stamps[star as usize].gradient
    }

    /// `JᵀWJ` of two stars.
    pub(super) fn block(&self, a: u32, b: u32) -> Block {
        let (a, b) = (&self.stamps[a as usize], &self.stamps[b as usize]);
        let mut block = [[0.0; FREE]; FREE];
        for (rows, columns) in shared_rows(a.window, b.window) {
            for (left, right) in a.weighted[rows].iter().zip(&b.derivatives[columns]) {
                for (sums, l) in block.iter_mut().zip(left) {
                    for (sum, r) in sums.iter_mut().zip(right) {
                        *sum += l * r;
                    }
                }
            }
        }
        block
    }

    /// `PᵀWr` and `PᵀWP` of a PSF's values in a window.
    pub(super) fn alone(&self, window: PixelBox, values: &[f64]) -> (f64, f64) {
        let (mut sum, mut information) = (0.0, 0.0);
        for (own, shared) in shared_rows(window, self.planes.window) {
            let weights = &self.planes.weight[shared.clone()];
            let pixels = weights.iter().zip(&self.planes.weighted[shared]);
            for (p, (weight, weighted)) in values[own].iter().zip(pixels) {
                sum += p * weighted;
                information += p * p * weight;
            }
        }
        (sum, information)
    }

    /// The mean of the usable pixels' weights, by the squares of a PSF's values in a
    /// window; NaN of none.
    pub(super) fn mean_weight(&self, window: PixelBox, values: &[f64]) -> f64 {
        let (mut sum, mut norm) = (0.0, 0.0);
        for (own, shared) in shared_rows(window, self.planes.window) {
            for (p, weight) in values[own].iter().zip(&self.planes.weight[shared]) {
                sum += p * p * weight;
                norm += if *weight > 0.0 { p * p } else { 0.0 };
            }
        }
        sum / norm
    }

    /// `JᵀWP` of each of the stars near a PSF, with values in a window.
    pub(super) fn overlaps(
        &self,
        near: &Near,
        (window, values): (PixelBox, &[f32]),
    ) -> [[f64; FREE]; MOST] {
        let mut overlaps = [[0.0; FREE]; MOST];
        for (sums, &star) in overlaps.iter_mut().zip(near.members()) {
            let stamp = &self.stamps[star as usize];
            let [flux, x, y, _] = overlap(&stamp.packed, stamp.window, values, window);
            *sums = [flux, x, y].map(f64::from);
        }
        overlaps
    }

    /// The stars near each pixel of row `y`.
    pub(super) fn near_row(&self, y: i64, reach: f64, row: &mut [Near]) {
        row.fill(Near::default());
        for (star, stamp) in (0..).zip(&self.stamps) {
            stamp.offer_to(star, y, reach, row);
        }
    }
}

impl Stamp {
    fn new(
        psf: &dyn Psf,
        (x, y): (f64, f64),
        window: PixelBox,
        planes: &Planes,
        room: &mut Vec<f64>,
    ) -> Self {
        let n = window.len();
        let n_planes = FREE + psf.shape_names().len();
        room.resize(n * n_planes, 0.0);
        let (values, gradient) = room.split_at_mut(n);
        psf.fill_with_gradient(Placement { x, y, shape: &[] }, window, values, gradient);
        let mut stamp = Self {
            x,
            y,
            window,
            derivatives: (0..n)
                .map(|k| [values[k], gradient[k], gradient[n + k]])
                .collect(),
            weighted: vec![[0.0; FREE]; n],
            packed: vec![[0.0; 4]; n],
            gradient: [0.0; FREE],
        };
        stamp.weigh(planes);
        stamp
    }

    /// Scales the derivatives, and multiplies them by the weights.
    fn weigh(&mut self, planes: &Planes) {
        let mut lengths = [0.0; FREE];
        for (own, shared) in shared_rows(self.window, planes.window) {
            for (derivatives, weight) in self.derivatives[own].iter().zip(&planes.weight[shared]) {
                for (length, d) in lengths.iter_mut().zip(derivatives) {
                    *length += d * d * weight;
                }
            }
        }
        // What no pixel tells of is left out.
        let scales = lengths.map(|l: f64| if l > 0.0 { 1.0 / l.sqrt() } else { 0.0 });
        for derivatives in &mut self.derivatives {
            for (d, scale) in derivatives.iter_mut().zip(scales) {
                *d *= scale;
            }
        }
        for (own, shared) in shared_rows(self.window, planes.window) {
            for (k, pixel) in own.zip(shared) {
                for i in 0..FREE {
                    let d = self.derivatives[k][i];
                    self.gradient[i] += d * planes.weighted[pixel];
                    self.weighted[k][i] = d * planes.weight[pixel];
                    self.packed[k][i] = self.weighted[k][i] as f32;
                }
            }
        }
    }

    /// Offers itself to the pixels of row `y` within reach.
    fn offer_to(&self, star: u32, y: i64, reach: f64, row: &mut [Near]) {
        let dy = y as f64 - self.y;
        let chord = (reach * reach - dy * dy).sqrt();
        if chord.is_nan() {
            return;
        }
        let first = (self.x - chord).ceil().max(0.0) as usize;
        let end = ((self.x + chord).floor() + 1.0).clamp(0.0, row.len() as f64) as usize;
        for (x, near) in row.iter_mut().enumerate().take(end).skip(first) {
            let dx = x as f64 - self.x;
            near.offer((dx * dx + dy * dy) as f32, star);
        }
    }
}

dispatch! {
    /// `JᵀWP` of the derivatives of a star in a window and a PSF's values in another.
    fn overlap(packed: &[[f32; 4]], own: PixelBox, values: &[f32], window: PixelBox) -> [f32; 4]
        = sum_overlap
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn sum_overlap<const FMA: bool>(
    packed: &[[f32; 4]],
    own: PixelBox,
    values: &[f32],
    window: PixelBox,
) -> [f32; 4] {
    // Two sums, so that one addition need not wait for the other.
    let mut sums = [[0.0_f32; 4]; 2];
    for (stamp, shared) in shared_rows(own, window) {
        let (derivatives, values) = (&packed[stamp], &values[shared]);
        for (d, p) in derivatives.chunks(2).zip(values.chunks(2)) {
            for ((sum, d), &p) in sums.iter_mut().zip(d).zip(p) {
                for (s, &d) in sum.iter_mut().zip(d) {
                    *s = if FMA { d.mul_add(p, *s) } else { d * p + *s };
                }
            }
        }
    }
    std::array::from_fn(|i| sums[0][i] + sums[1][i])
}

/// The pixels of a window: their weights, and these times the data.
struct Planes {
    window: PixelBox,
    weight: Vec<f64>,
    weighted: Vec<f64>,
}

impl Planes {
    /// Of a window on the image. Pixels that cannot be used weigh nothing.
    fn new<T: Pixel>(frame: &Frame<'_, T>, window: PixelBox) -> Self {
        let mut planes = Self {
            window,
            weight: Vec::with_capacity(window.len()),
            weighted: Vec::with_capacity(window.len()),
        };
        for y in window.y0..window.y1 {
            for pixel in frame.row_pixels(y as usize, window.columns()) {
                let (value, weight) = pixel.unwrap_or((0.0, 0.0));
                planes.weight.push(weight);
                planes.weighted.push(value * weight);
            }
        }
        planes
    }
}

/// Where the pixels that two windows share lie in each, row by row.
fn shared_rows(a: PixelBox, b: PixelBox) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let both = a.intersection(&b);
    let n = both.width();
    let rows = if n == 0 { 0..0 } else { both.y0..both.y1 };
    rows.map(move |y| {
        let start = |window: PixelBox| window.index_of(both.x0, y);
        (start(a)..start(a) + n, start(b)..start(b) + n)
    })
}
