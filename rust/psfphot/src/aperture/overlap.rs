//! Which part of each pixel lies in a circle.

use std::ops::Range;

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

/// A circle around the origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Circle {
    radius: f64,
}

/// A row of pixels, or a part of it, on one side of the x axis: an interval of
/// distances from the axis, and half the chord at both of its ends.
#[derive(Clone, Copy)]
struct Band {
    y0: f64,
    y1: f64,
    chord0: f64,
    chord1: f64,
}

impl Circle {
    pub(super) fn new(radius: f64) -> Self {
        Self { radius }
    }

    /// Adds `sign` times the weights of a row of pixels, whose centres are at
    /// (`column(k)`, `dy`), to `weights[k]`. Returns the range that the circle
    /// can touch.
    pub(super) fn add_row(
        self,
        method: Method,
        dy: f64,
        column: impl Fn(usize) -> f64,
        sign: f64,
        weights: &mut [f64],
    ) -> Range<usize> {
        let (nearest, farthest) = ((dy.abs() - 0.5).max(0.0), dy.abs() + 0.5);
        // The longest and the shortest half-chord of the row.
        let (reach, inside) = (self.half_chord(nearest), self.half_chord(farthest));
        if reach <= 0.0 {
            return 0..0;
        }
        let n = weights.len();
        // Casts round down: a call of `floor` would take longer than the rest.
        let index = |x: f64| (x.clamp(0.0, n as f64)) as usize;
        let origin = column(0);
        // One more on each side costs little, and rounding cannot lose any.
        let touched = index(-reach - 0.5 - origin)..index(reach + 2.5 - origin);
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
        let edge = |pixels: Range<usize>, weights: &mut [f64]| match method {
            Method::Exact => {
                let rows = self.bands(dy);
                for k in pixels {
                    weights[k] += sign * self.shared_area(column(k), &rows);
                }
            }
            Method::Center => self.count(pixels, 1, dy, &column, sign, weights),
            Method::Subpixel(n) => self.count(pixels, n, dy, &column, sign, weights),
        };
        edge(touched.start..full.start, weights);
        edge(full.end..touched.end, weights);
        touched
    }

    /// Adds the part of `n` × `n` points of each pixel that lie in the circle.
    fn count(
        self,
        pixels: Range<usize>,
        n: u32,
        dy: f64,
        column: impl Fn(usize) -> f64,
        sign: f64,
        weights: &mut [f64],
    ) {
        let offset = |i: u32| (f64::from(i) + 0.5) / f64::from(n) - 0.5;
        let square = self.radius * self.radius;
        for k in pixels {
            let x = column(k);
            let inside = (0..n)
                .map(|j| {
                    let y2 = (dy + offset(j)).powi(2);
                    (0..n)
                        .filter(|&i| (x + offset(i)).powi(2) + y2 < square)
                        .count()
                })
                .sum::<usize>();
            weights[k] += sign * inside as f64 / f64::from(n).powi(2);
        }
    }

    fn half_chord(self, distance: f64) -> f64 {
        if distance < self.radius {
            ((self.radius - distance) * (self.radius + distance)).sqrt()
        } else {
            0.0
        }
    }

    /// The row at `dy`, folded at the x axis; the second is empty where the
    /// axis does not cut the row.
    fn bands(self, dy: f64) -> [Band; 2] {
        fold((dy.abs() - 0.5, dy.abs() + 0.5)).map(|(y0, y1)| Band {
            y0,
            y1,
            chord0: self.half_chord(y0),
            chord1: self.half_chord(y1),
        })
    }

    /// The area that the circle shares with the pixel at `dx` of a row.
    fn shared_area(self, dx: f64, rows: &[Band; 2]) -> f64 {
        let columns = fold((dx.abs() - 0.5, dx.abs() + 0.5));
        columns
            .iter()
            .flat_map(|&column| rows.iter().map(move |row| self.quadrant(column, row)))
            .sum::<f64>()
            .min(1.0)
    }

    /// The area of a rectangle in the first quadrant below the circle
    /// s(x) = √(r² − x²).
    ///
    /// With y₀ and y₁ the rectangle's rows, the area is
    /// ∫ min(s(x), y₁) − y₀ dx from x₀ to where s falls to y₀. Up to where s
    /// falls to y₁ that is a rectangle; the rest is a trapezium below a chord
    /// and the segment between chord and arc. No term is larger than the
    /// rectangle's own sizes, so that nothing cancels, whatever the radius.
    #[inline]
    fn quadrant(self, (x0, x1): (f64, f64), row: &Band) -> f64 {
        let Band { y0, y1, .. } = *row;
        if x0 >= x1 || y0 >= y1 || x0 >= row.chord0 {
            return 0.0;
        }
        if x1 <= row.chord1 {
            return (x1 - x0) * (y1 - y0);
        }
        let (a, at_a) = if row.chord1 > x0 {
            (row.chord1, y1)
        } else {
            // On the arc between the rows, but for rounding.
            (x0, self.half_chord(x0).clamp(y0, y1))
        };
        let (b, at_b) = if row.chord0 < x1 {
            (row.chord0, y0)
        } else {
            (x1, self.half_chord(x1).clamp(y0, y1))
        };
        let full = (a - x0) * (y1 - y0);
        let below_chord = 0.5 * (b - a) * ((at_a - y0) + (at_b - y0));
        let (dx, dy) = (b - a, at_a - at_b);
        full + below_chord + self.segment((dx * dx + dy * dy).sqrt())
    }

    /// The area between a chord and its arc, r² (asin u − u √(1 − u²)) with u
    /// the chord in units of the diameter.
    fn segment(self, chord: f64) -> f64 {
        let u = (0.5 * chord / self.radius).min(1.0);
        if u > SERIES_END {
            let excess = u.asin() - u * (1.0 - u * u).sqrt();
            return self.radius * self.radius * excess;
        }
        // The difference loses its digits as u falls: its series, u³ Σ a u²ⁿ.
        let series = SERIES.iter().rev().fold(0.0, |sum, a| sum * (u * u) + a);
        0.5 * chord * chord * u * 0.5 * series
    }
}

/// Up to where the series is exact to rounding, and beyond which the difference
/// loses less than a part in 10¹⁴ of a segment that small circles alone have.
const SERIES_END: f64 = 0.25;

/// aₙ = 2 (2n)! / (4ⁿ n!² (2n + 3)): the integral of 2 u² / √(1 − u²).
const SERIES: [f64; 13] = {
    let mut series = [0.0; 13];
    let (mut binomial, mut n) = (1.0, 0);
    while n < series.len() {
        series[n] = 2.0 * binomial / (2.0 * n as f64 + 3.0);
        binomial *= (2.0 * n as f64 + 1.0) / (2.0 * n as f64 + 2.0);
        n += 1;
    }
    series
};

/// An interval that ends above 0, as up to two intervals of distances from 0.
fn fold((low, high): (f64, f64)) -> [(f64, f64); 2] {
    if low < 0.0 {
        [(0.0, -low), (0.0, high)]
    } else {
        [(low, high), (0.0, 0.0)]
    }
}

/// The area that a pixel centred at (`dx`, `dy`) has in common with the circle
/// of `radius` around the origin, between 0 and 1.
#[must_use]
pub fn pixel_overlap(dx: f64, dy: f64, radius: f64) -> f64 {
    let circle = Circle::new(radius);
    circle.shared_area(dx, &circle.bands(dy))
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::PI;

    /// ∫ over the pixel's columns of the length inside the circle, by the
    /// midpoint rule in the variable u of x = −½ + u²(3 − 2u), which makes the
    /// integrand's square-root ends harmless.
    fn by_quadrature(dx: f64, dy: f64, radius: f64) -> f64 {
        let mut breaks = vec![dx - 0.5, dx + 0.5, radius, -radius];
        for edge in [dy - 0.5, dy + 0.5] {
            if edge.abs() < radius {
                let x = (radius * radius - edge * edge).sqrt();
                breaks.extend([x, -x]);
            }
        }
        breaks.retain(|&b| (dx - 0.5..=dx + 0.5).contains(&b));
        breaks.sort_by(f64::total_cmp);
        breaks
            .windows(2)
            .map(|w| smooth_part(w[0], w[1], dy, radius))
            .sum()
    }

    fn smooth_part(low: f64, high: f64, dy: f64, radius: f64) -> f64 {
        let n = 4000;
        (0..n)
            .map(|k| {
                let u = (f64::from(k) + 0.5) / f64::from(n);
                let x = low + (high - low) * u * u * (3.0 - 2.0 * u);
                let half = (radius * radius - x * x).max(0.0).sqrt();
                let length = half.min(dy + 0.5) - (-half).max(dy - 0.5);
                length.max(0.0) * 6.0 * u * (1.0 - u) / f64::from(n) * (high - low)
            })
            .sum()
    }

    fn total(centre: (f64, f64), radius: f64) -> f64 {
        let reach = radius.ceil() as i64 + 1;
        let (cx, cy) = (centre.0.round() as i64, centre.1.round() as i64);
        let mut sum = 0.0;
        for y in cy - reach..=cy + reach {
            for x in cx - reach..=cx + reach {
                sum += pixel_overlap(x as f64 - centre.0, y as f64 - centre.1, radius);
            }
        }
        sum
    }

    proptest! {
        #[test]
        fn the_overlap_is_that_of_quadrature(
            dx in -3.0..3.0_f64,
            dy in -3.0..3.0_f64,
            radius in 0.01..4.0_f64,
        ) {
            let exact = pixel_overlap(dx, dy, radius);
            let expected = by_quadrature(dx, dy, radius);
            prop_assert!((exact - expected).abs() < 1e-6, "{} {}", exact, expected);
        }

        #[test]
        fn overlaps_add_up_to_the_circle(
            x in -0.5..0.5_f64,
            y in -0.5..0.5_f64,
            radius in prop_oneof![0.001..0.7_f64, 0.3..40.0_f64],
        ) {
            let area = PI * radius * radius;
            let sum = total((x, y), radius);
            prop_assert!((sum - area).abs() < 1e-13 * area.max(1.0), "{} {}", sum, area);
        }

        #[test]
        fn overlaps_of_huge_circles_are_those_of_half_planes(
            angle in 0.0..(2.0 * PI),
            offset in -0.7..0.7_f64,
        ) {
            let radius = 1e9;
            let (sin, cos) = angle.sin_cos();
            let near = pixel_overlap((radius + offset) * cos, (radius + offset) * sin, radius);
            let opposite = pixel_overlap((radius - offset) * cos, (radius - offset) * sin, radius);
            prop_assert!((near + opposite - 1.0).abs() < 1e-6, "{} {}", near, opposite);
        }
    }

    #[test]
    fn special_circles() {
        for radius in [1e-140, 1e-9, 0.3, 0.5] {
            let area = PI * radius * radius;
            assert!((pixel_overlap(0.0, 0.0, radius) - area).abs() <= 1e-15 * area);
        }
        assert!((pixel_overlap(0.5, 0.5, 0.1) - PI * 0.01 / 4.0).abs() < 1e-17);
        assert_eq!(pixel_overlap(0.0, 0.0, 0.75), 1.0);
        assert_eq!(pixel_overlap(3.5, 0.0, 3.0), 0.0);
        assert_eq!(pixel_overlap(2.5, 2.5, 1e200), 1.0);
    }

    /// The weights of one row by `add_row`, and whether none lies outside of
    /// the range that it returns.
    fn row(method: Method, dy: f64, first: f64, n: usize, radius: f64) -> (Vec<f64>, bool) {
        let mut weights = vec![0.0; n];
        let column = |k| first + k as f64;
        let touched = Circle::new(radius).add_row(method, dy, column, 1.0, &mut weights);
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
            points in 1..8_u32,
        ) {
            let (exact, clear) = row(Method::Exact, dy, first, n, radius);
            prop_assert!(clear);
            for (k, weight) in exact.iter().enumerate() {
                let expected = pixel_overlap(first + k as f64, dy, radius);
                prop_assert!((weight - expected).abs() < 1e-15, "{} {}", weight, expected);
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

        #[test]
        fn series_and_difference_meet(chord in 0.3..0.7_f64) {
            // Both sides of the end of the series, from one chord.
            let radius = 0.5 * chord / SERIES_END;
            let below = Circle::new(radius * (1.0 + 1e-12)).segment(chord);
            let above = Circle::new(radius * (1.0 - 1e-12)).segment(chord);
            prop_assert!((below - above).abs() < 1e-11 * below);
        }
    }
}
