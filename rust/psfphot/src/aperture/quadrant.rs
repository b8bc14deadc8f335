//! The area that a circle shares with a pixel.

/// A circle around the origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Circle {
    pub(super) radius: f64,
}

/// A row of pixels, or a part of it, on one side of the x axis: an interval of
/// distances from the axis, and half the chord at both of its ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    pub(super) y0: f64,
    pub(super) y1: f64,
    chord0: f64,
    chord1: f64,
}

impl Circle {
    pub(super) fn new(radius: f64) -> Self {
        Self { radius }
    }

    pub(super) fn half_chord(self, distance: f64) -> f64 {
        if distance < self.radius {
            ((self.radius - distance) * (self.radius + distance)).sqrt()
        } else {
            0.0
        }
    }

    /// The row at `dy`, whose longest and shortest half-chords are given, folded
    /// at the x axis; the second is empty where the axis does not cut the row.
    pub(super) fn bands(self, dy: f64, (longest, shortest): (f64, f64)) -> [Band; 2] {
        fold((dy.abs() - 0.5, dy.abs() + 0.5)).map(|(y0, y1)| Band {
            y0,
            y1,
            // The nearest edge of both is the axis, or the row's own.
            chord0: longest,
            chord1: if y1 > 0.5 {
                shortest
            } else {
                self.half_chord(y1)
            },
        })
    }

    /// How often arcs in a pixel have to be halved for [`SERIES`].
    ///
    /// A chord within a pixel and a quadrant is at most √2 pixels and √2 radii
    /// long; u is half of it in radii.
    fn halvings(self) -> u32 {
        match std::f64::consts::FRAC_1_SQRT_2 / self.radius {
            u if u <= SERIES_END => 0,
            u if u <= HALVED_SERIES_END => 1,
            _ => 2,
        }
    }
}

/// Rectangles that are computed at once: a register of AVX2.
pub(super) const LANES: usize = 4;

/// The areas of rectangles in the first quadrant below the circle
/// s(x) = √(r² − x²). Given are the rectangles' ends along x with s there.
///
/// With y₀ and y₁ the rectangle's rows, the area is
/// ∫ min(s(x), y₁) − y₀ dx from x₀ to where s falls to y₀. Up to where s
/// falls to y₁ that is a rectangle; the rest is a trapezium below a chord
/// and the segment between chord and arc. No term is larger than the
/// rectangle's own sizes, so that nothing cancels, whatever the radius.
#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
pub(super) fn quadrant_areas(
    circle: Circle,
    band: &Band,
    (x0, at_x0): ([f64; LANES], [f64; LANES]),
    (x1, at_x1): ([f64; LANES], [f64; LANES]),
) -> [f64; LANES] {
    let Band { y0, y1, .. } = *band;
    let (mut areas, mut chords) = ([0.0; LANES], [0.0; LANES]);
    for i in 0..LANES {
        let a = between(x0[i], band.chord1, x1[i]);
        let b = between(x0[i], band.chord0, x1[i]);
        let (at_a, at_b) = (between(y0, at_x0[i], y1), between(y0, at_x1[i], y1));
        let full = (a - x0[i]) * (y1 - y0);
        areas[i] = full + 0.5 * (b - a) * ((at_a - y0) + (at_b - y0));
        chords[i] = ((b - a) * (b - a) + (at_a - at_b) * (at_a - at_b)).sqrt();
    }
    let segments = segments(circle, chords);
    std::array::from_fn(|i| areas[i] + segments[i])
}

/// `f64::clamp` without its check and its care for NaN.
#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn between(low: f64, value: f64, high: f64) -> f64 {
    let value = if value > low { value } else { low };
    if value < high { value } else { high }
}

/// The areas between chords and their arcs, r² (asin u − u √(1 − u²)) with u
/// the chord in units of the diameter.
///
/// That difference loses its digits as u falls: the series is
/// ¼ c² u Σ aₙ u²ⁿ with the chord c. A longer arc is halved first, which leaves
/// two segments and a triangle of the area ¼ c² u / (1 + √(1 − u²)).
#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn segments(circle: Circle, mut chords: [f64; LANES]) -> [f64; LANES] {
    // A circle that is smaller than this has no area.
    let scale = 0.5 / circle.radius.max(1e-300);
    let mut u = chords.map(|chord| chord * scale);
    let mut areas = [0.0; LANES];
    let mut n_arcs = 1.0;
    for _ in 0..circle.halvings() {
        for i in 0..LANES {
            let q = 1.0 + (1.0 - u[i] * u[i]).sqrt();
            areas[i] += n_arcs * 0.25 * chords[i] * chords[i] * u[i] / q;
            let shrink = 1.0 / (2.0 * q).sqrt();
            (u[i], chords[i]) = (u[i] * shrink, chords[i] * shrink);
        }
        n_arcs *= 2.0;
    }
    // Even and odd powers of u² apart: two short chains of sums are faster than
    // one long one.
    let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
    let pairs = SERIES.as_chunks::<2>().0;
    for [a, b] in pairs.iter().rev() {
        for i in 0..LANES {
            let u4 = (u[i] * u[i]) * (u[i] * u[i]);
            even[i] = even[i] * u4 + a;
            odd[i] = odd[i] * u4 + b;
        }
    }
    let series = |i: usize| even[i] + u[i] * u[i] * odd[i];
    std::array::from_fn(|i| areas[i] + n_arcs * 0.25 * chords[i] * chords[i] * u[i] * series(i))
}

/// Up to where the series is exact to rounding.
const SERIES_END: f64 = 0.25;

/// The same for arcs that are halved once, sin(2 asin 0.25); halved twice they
/// can be longer than a quadrant.
const HALVED_SERIES_END: f64 = 0.484;

/// aₙ = 2 (2n)! / (4ⁿ n!² (2n + 3)): the integral of 2 u² / √(1 − u²).
const SERIES: [f64; 14] = {
    let mut series = [0.0; 14];
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
    let parts = fold((dx.abs() - 0.5, dx.abs() + 0.5));
    let lanes = |values: [f64; 2]| [values[0], values[1], 0.0, 0.0];
    let [near, far] = [parts.map(|part| part.0), parts.map(|part| part.1)];
    let chords = |x: [f64; 2]| lanes(x.map(|x| circle.half_chord(x)));
    let (nearest, farthest) = ((dy.abs() - 0.5).max(0.0), dy.abs() + 0.5);
    let longest_and_shortest = (circle.half_chord(nearest), circle.half_chord(farthest));
    circle
        .bands(dy, longest_and_shortest)
        .iter()
        .filter(|band| band.y0 < band.y1)
        .flat_map(|band| {
            let (near, far) = ((lanes(near), chords(near)), (lanes(far), chords(far)));
            quadrant_areas(circle, band, near, far)
        })
        .sum::<f64>()
        .min(1.0)
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

    proptest! {
        #[test]
        fn segments_are_differences_where_these_keep_their_digits(u in 0.1..0.707_f64) {
            let exact = u.asin() - u * (1.0 - u * u).sqrt();
            // The smallest circle for which such a chord fits a pixel.
            let circle = Circle::new(std::f64::consts::FRAC_1_SQRT_2 / u);
            let segment = segments(circle, [2.0 * u * circle.radius; LANES])[0];
            let expected = circle.radius * circle.radius * exact;
            prop_assert!((segment - expected).abs() < 1e-13 * circle.radius.powi(2));
        }
    }
}
