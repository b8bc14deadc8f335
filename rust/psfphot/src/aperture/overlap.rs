//! Which part of each pixel lies in a circle.

use std::ops::Range;

use super::quadrant::{Band, Circle, LANES, quadrant_areas};
use crate::simd::dispatch;

/// How much of a pixel an aperture takes where its edge cuts the pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// The area that pixel and aperture have in common.
    #[default]
    Exact,
    /// All of it if the pixel's centre is nearer than the radius, else nothing.
    Center,
    /// The part of n × n points, at the centres of n × n equal squares, that
    /// are nearer than the radius.
    Subpixel(u32),
}

/// The columns of the pixels that a circle is laid on. All rows share them, so
/// that the circle's crossings with their edges are computed once.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// The first column, and the circle's centre.
    first: i64,
    center: f64,
    /// How many columns there are.
    n: usize,
    /// Of each column, cut in two where the y axis crosses it: the lesser and
    /// the greater distance from the axis, and half the chord at both.
    near: Vec<f64>,
    far: Vec<f64>,
    chord_near: Vec<f64>,
    chord_far: Vec<f64>,
    /// The column that is cut; beyond all columns if none is.
    cut: usize,
    /// The areas that the circle shares with them in a part of a row.
    areas: Vec<f64>,
}

impl Columns {
    /// Lays a circle on `n` columns from `first` on.
    pub(super) fn lay(
        &mut self,
        circle: Circle,
        method: Method,
        center: f64,
        first: i64,
        n: usize,
    ) {
        (self.first, self.center, self.n) = (first, center, n);
        if method != Method::Exact {
            return;
        }
        self.cut = usize::MAX;
        for list in self.lists() {
            list.clear();
        }
        let edge = |k: usize| (first + k as i64) as f64 - 0.5 - center;
        let mut low = edge(0);
        let mut at_low = circle.half_chord(low.abs());
        for k in 0..n {
            let high = edge(k + 1);
            let at_high = circle.half_chord(high.abs());
            if low < 0.0 && high > 0.0 {
                self.cut = k;
                self.push((0.0, circle.radius), (-low, at_low));
                self.push((0.0, circle.radius), (high, at_high));
            } else if low < 0.0 {
                self.push((-high, at_high), (-low, at_low));
            } else {
                self.push((low, at_low), (high, at_high));
            }
            (low, at_low) = (high, at_high);
        }
        // Blocks may begin at the last column.
        for list in self.lists() {
            list.resize(list.len() + LANES, 0.0);
        }
        self.areas.resize(self.near.len(), 0.0);
    }

    fn lists(&mut self) -> [&mut Vec<f64>; 4] {
        [
            &mut self.near,
            &mut self.far,
            &mut self.chord_near,
            &mut self.chord_far,
        ]
    }

    fn push(&mut self, (near, chord_near): (f64, f64), (far, chord_far): (f64, f64)) {
        self.near.push(near);
        self.far.push(far);
        self.chord_near.push(chord_near);
        self.chord_far.push(chord_far);
    }

    /// Computes the areas in a band of a block of (cut) columns from `first` on.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must take on the caller's target features
    fn fill_block(&mut self, circle: Circle, band: &Band, first: usize) {
        let block = |list: &[f64]| {
            let mut values = [0.0; LANES];
            values.copy_from_slice(&list[first..first + LANES]);
            values
        };
        let near = (block(&self.near), block(&self.chord_near));
        let far = (block(&self.far), block(&self.chord_far));
        let areas = quadrant_areas(circle, band, near, far);
        // All of them, needed or not: else the compiler computes each alone.
        self.areas[first..first + LANES].copy_from_slice(&areas);
    }

    /// Where a pixel's centre is.
    fn at(&self, k: usize) -> f64 {
        (self.first + k as i64) as f64 - self.center
    }
}

impl Circle {
    /// Adds `sign` times the weights of the row of pixels at `dy` to `weights`,
    /// one for each column. Returns the range that the circle can touch.
    pub(super) fn add_row(
        self,
        method: Method,
        dy: f64,
        columns: &mut Columns,
        sign: f64,
        weights: &mut [f64],
    ) -> Range<usize> {
        let (nearest, farthest) = ((dy.abs() - 0.5).max(0.0), dy.abs() + 0.5);
        // The longest and the shortest half-chord of the row.
        let (reach, inside) = (self.half_chord(nearest), self.half_chord(farthest));
        if reach <= 0.0 || columns.n == 0 {
            return 0..0;
        }
        // Casts round down: a call of `floor` would take longer than the rest.
        let index = |x: f64| (x.clamp(0.0, columns.n as f64)) as usize;
        let origin = columns.at(0);
        let touched = index(-reach + 0.5 - MARGIN - origin)..index(reach + 1.5 + MARGIN - origin);
        let start = index(-inside + 1.5 - origin);
        let end = index(inside + 0.5 - origin).max(start);
        let full = if farthest < self.radius {
            start.clamp(touched.start, touched.end)..end.clamp(touched.start, touched.end)
        } else {
            touched.start..touched.start
        };
        for weight in &mut weights[full.clone()] {
            *weight += sign;
        }
        let edges = [touched.start..full.start, full.end..touched.end];
        let points = match method {
            Method::Exact => {
                let bands = self.bands(dy, (reach, inside));
                add_areas(self, columns, &bands, &edges, sign, weights);
                return touched;
            }
            Method::Center => 1,
            Method::Subpixel(n) => n,
        };
        for pixels in edges {
            self.count(pixels, points, dy, columns, sign, weights);
        }
        touched
    }

    /// Adds the part of `n` × `n` points of each pixel that lie in the circle.
    fn count(
        self,
        pixels: Range<usize>,
        n: u32,
        dy: f64,
        columns: &Columns,
        sign: f64,
        weights: &mut [f64],
    ) {
        let offset = |i: u32| (f64::from(i) + 0.5) / f64::from(n) - 0.5;
        let square = self.radius * self.radius;
        for k in pixels {
            let x = columns.at(k);
            // In a line of points those inside follow each other, around the one
            // nearest to the axis: only the ends have to be looked for.
            let axis = first(0..n, |i| x + offset(i) >= 0.0);
            let in_line = |j: u32| {
                let y2 = (dy + offset(j)).powi(2);
                let inside = |i: u32| (x + offset(i)).powi(2) + y2 < square;
                first(axis..n, |i| !inside(i)) - first(0..axis, inside)
            };
            let inside = (0..n).map(|j| u64::from(in_line(j))).sum::<u64>();
            weights[k] += sign * inside as f64 / f64::from(n).powi(2);
        }
    }
}

/// The first number of which `holds` is true, where it is for all behind it;
/// the range's end if it is of none.
fn first(mut range: Range<u32>, holds: impl Fn(u32) -> bool) -> u32 {
    while range.start < range.end {
        let middle = range.start + (range.end - range.start) / 2;
        if holds(middle) {
            range.end = middle;
        } else {
            range.start = middle + 1;
        }
    }
    range.end
}

dispatch! {
    /// Adds `sign` times the areas that a circle shares with some pixels of a
    /// row to their weights.
    fn add_areas(
        circle: Circle,
        columns: &mut Columns,
        bands: &[Band; 2],
        edges: &[Range<usize>; 2],
        sign: f64,
        weights: &mut [f64],
    ) = add_areas_kernel
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn add_areas_kernel<const _FMA: bool>(
    circle: Circle,
    columns: &mut Columns,
    bands: &[Band; 2],
    edges: &[Range<usize>; 2],
    sign: f64,
    weights: &mut [f64],
) {
    let cut = columns.cut;
    let part = |k: usize| k + usize::from(k > cut);
    for band in bands.iter().filter(|band| band.y0 < band.y1) {
        for pixels in edges {
            let (start, end) = (part(pixels.start), part(pixels.end));
            for first in (start..end).step_by(LANES) {
                columns.fill_block(circle, band, first);
            }
            for (part, area) in (start..end).zip(&columns.areas[start..end]) {
                weights[part - usize::from(part > cut)] += sign * area;
            }
        }
    }
}

/// Added to the reach of a circle, pixels, so that rounding loses no pixel.
const MARGIN: f64 = 1e-3;

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;
    use crate::aperture::pixel_overlap;
    use proptest::prelude::*;

    /// The weights of one row by `add_row`, and whether none lies outside of
    /// the range that it returns.
    fn row(method: Method, dy: f64, first: f64, n: usize, radius: f64) -> (Vec<f64>, bool) {
        let mut weights = vec![0.0; n];
        let circle = Circle::new(radius);
        let mut columns = Columns::default();
        columns.lay(circle, method, -first, 0, n);
        let touched = circle.add_row(method, dy, &mut columns, 1.0, &mut weights);
        let outside = |k: &usize| !touched.contains(k);
        let clear = (0..n).filter(outside).all(|k| weights[k] == 0.0);
        (weights, clear)
    }

    proptest! {
        #[test]
        fn a_row_is_its_pixels(
            first in -12.0..12.0_f64,
            dy in -9.0..9.0_f64,
            radius in prop_oneof![0.01..1.0_f64, 0.5..9.0_f64],
            n in 0..25_usize,
            points in 1..30_u32,
        ) {
            let (exact, clear) = row(Method::Exact, dy, first, n, radius);
            prop_assert!(clear);
            for (k, weight) in exact.iter().enumerate() {
                let expected = pixel_overlap(first + k as f64, dy, radius);
                // The ends of a pixel at a distance of 8 to 13 are rounded by 1e-15.
                prop_assert!((weight - expected).abs() < 3e-15, "{} {}", weight, expected);
            }
            let (center, clear) = row(Method::Center, dy, first, n, radius);
            prop_assert!(clear);
            for (k, &weight) in center.iter().enumerate() {
                let inside = (first + k as f64).powi(2) + dy * dy < radius * radius;
                prop_assert_eq!(weight == 1.0, inside);
                prop_assert!(weight == 1.0 || weight == 0.0);
            }
            let (parts, clear) = row(Method::Subpixel(points), dy, first, n, radius);
            prop_assert!(clear);
            let m = f64::from(points);
            for (k, &weight) in parts.iter().enumerate() {
                let mut inside = 0.0;
                for i in 0..points * points {
                    let x = first + k as f64 - 0.5 + (f64::from(i % points) + 0.5) / m;
                    let y = dy - 0.5 + (f64::from(i / points) + 0.5) / m;
                    inside += f64::from(u8::from(x * x + y * y < radius * radius));
                }
                // A point on the circle may be counted either way.
                prop_assert!((weight * m * m - inside).abs() < 1e-9);
            }
        }

    }
}
