//! Sums over circular apertures, with the exact overlap of circle and pixel.

use crate::image::{Frame, Pixel, PixelBox};
use crate::run::chunks;
use crate::{Error, Run};

/// Sources per task: about a millisecond of work.
const CHUNK: usize = 256;

/// The sum over an aperture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApertureSum {
    /// Σ value · overlap, in the image's unit. NaN where the aperture does not
    /// overlap the image or its centre is not finite, 0 where it does but no
    /// pixel can be used.
    pub sum: f64,
    /// Σ overlap of the pixels that entered the sum, in pixels: the area that
    /// a background per pixel has to be multiplied by. Never NaN.
    pub area: f64,
}

/// Sums of the image over a circle of `radius` pixels around each position.
///
/// A pixel counts with the part of its area that lies in the circle. Masked
/// and non-finite pixels are left out of both sum and area; errors are not
/// looked at.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `x` and `y` differ in length;
/// [`Error::InvalidArgument`] unless `radius` is positive and finite;
/// [`Error::Cancelled`].
pub fn circular_sums<T: Pixel>(
    frame: &Frame<'_, T>,
    x: &[f64],
    y: &[f64],
    radius: f64,
    run: Run<'_>,
) -> Result<Vec<ApertureSum>, Error> {
    Error::check_len("y", x.len(), y.len())?;
    Error::check_positive("radius", radius)?;
    let sums = run.map(
        chunks(x.len(), CHUNK),
        || (),
        |(), range| {
            run.advance(range.len());
            range
                .map(|i| {
                    // A circle can be as large as the image.
                    run.check()?;
                    Ok(circular_sum(frame, (x[i], y[i]), radius))
                })
                .collect::<Result<Vec<_>, Error>>()
        },
    )?;
    Ok(sums.concat())
}

fn circular_sum<T: Pixel>(frame: &Frame<'_, T>, centre: (f64, f64), radius: f64) -> ApertureSum {
    let (mut sum, mut area, mut on_image) = (0.0, 0.0, false);
    let window = bounds(centre, radius).intersection(&frame.data().bounds());
    for y in window.y0..window.y1 {
        let row = frame.row_values(y as usize, window.columns());
        for (x, value) in (window.x0..window.x1).zip(row) {
            let overlap = pixel_overlap(x as f64 - centre.0, y as f64 - centre.1, radius);
            on_image |= overlap > 0.0;
            if let Some(value) = value {
                sum += value * overlap;
                area += overlap;
            }
        }
    }
    if !on_image {
        sum = f64::NAN;
    }
    ApertureSum { sum, area }
}

/// The pixels that a circle can touch, by at most one row or column too many.
fn bounds(centre: (f64, f64), radius: f64) -> PixelBox {
    if !(centre.0.is_finite() && centre.1.is_finite()) {
        return PixelBox::default();
    }
    // A cast saturates, and no image reaches that far.
    let first = |c: f64| (c - radius - 0.5).floor() as i64;
    let last = |c: f64| ((c + radius + 0.5).ceil() as i64).saturating_add(1);
    PixelBox::new(
        first(centre.0),
        last(centre.0),
        first(centre.1),
        last(centre.1),
    )
}

/// The area that a pixel centred at (`dx`, `dy`) has in common with the circle
/// of `radius` around the origin, between 0 and 1.
#[must_use]
pub fn pixel_overlap(dx: f64, dy: f64, radius: f64) -> f64 {
    // The circle is symmetric about both axes.
    let (dx, dy) = (dx.abs(), dy.abs());
    let square = radius * radius;
    let far = (dx + 0.5).powi(2) + (dy + 0.5).powi(2);
    let near = (dx - 0.5).max(0.0).powi(2) + (dy - 0.5).max(0.0).powi(2);
    // All but the pixels on the circle are done here; an overflow decides
    // nothing.
    if far <= square && far.is_finite() {
        return 1.0;
    }
    if near >= square && near.is_finite() {
        return 0.0;
    }
    let columns = fold((dx - 0.5, dx + 0.5));
    let rows = fold((dy - 0.5, dy + 0.5));
    columns
        .iter()
        .flat_map(|&column| rows.map(|row| quadrant_overlap(column, row, radius)))
        .sum::<f64>()
        .min(1.0)
}

/// An interval that ends above 0, as up to two intervals of distances from 0.
fn fold((low, high): (f64, f64)) -> [(f64, f64); 2] {
    if low < 0.0 {
        [(0.0, -low), (0.0, high)]
    } else {
        [(low, high), (0.0, 0.0)]
    }
}

/// The area of a rectangle in the first quadrant below the circle
/// s(x) = √(r² − x²).
///
/// With y₀ and y₁ the rectangle's rows, the area is
/// ∫ min(s(x), y₁) − y₀ dx from x₀ to where s falls to y₀. Up to where s falls
/// to y₁ that is a rectangle; the rest is a trapezium below a chord and the
/// segment between chord and arc. No term is larger than the rectangle's own
/// sizes, so that nothing cancels, whatever the radius.
fn quadrant_overlap((x0, x1): (f64, f64), (y0, y1): (f64, f64), radius: f64) -> f64 {
    if x0 >= x1 || y0 >= y1 || x0 >= radius || y0 >= radius {
        return 0.0;
    }
    let arc = |v: f64| {
        if v < radius {
            ((radius - v) * (radius + v)).sqrt()
        } else {
            0.0
        }
    };
    let a = arc(y1).clamp(x0, x1);
    let b = arc(y0).clamp(x0, x1);
    // Between a and b the circle is between the rows but for rounding.
    let (at_a, at_b) = (arc(a).clamp(y0, y1), arc(b).clamp(y0, y1));
    let full = (a - x0) * (y1 - y0);
    let below_chord = 0.5 * (b - a) * ((at_a - y0) + (at_b - y0));
    full + below_chord + segment((b - a).hypot(at_a - at_b), radius)
}

/// The area between a chord and its arc, ½ r² (θ − sin θ).
fn segment(chord: f64, radius: f64) -> f64 {
    let theta = 2.0 * (0.5 * chord / radius).min(1.0).asin();
    // θ − sin θ loses its digits below a radian or so; its series, here to
    // θ¹⁷, has a relative error below 1e-16 up to 1.
    let excess = if theta < 1.0 {
        let t = theta * theta;
        let series = [272.0, 210.0, 156.0, 110.0, 72.0, 42.0, 20.0]
            .iter()
            .fold(1.0, |sum, factor| 1.0 - t / factor * sum);
        theta * t / 6.0 * series
    } else {
        theta - theta.sin()
    };
    0.5 * radius * radius * excess
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;
    use crate::image::Image;
    use crate::run::CancelAfter;
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

    #[test]
    fn bad_pixels_leave_sum_and_area() -> Result<(), Error> {
        let mut data = vec![2.0_f32; 20 * 20];
        data[10 * 20 + 10] = f32::NAN;
        let mut mask = vec![false; 400];
        mask[10 * 20 + 11] = true;
        let zero = vec![0.0_f32; 400];
        let frame = Frame::new(Image::new(&data, (20, 20))?)
            .with_error(Image::new(&zero, (20, 20))?)?
            .with_mask(Image::new(&mask, (20, 20))?)?;
        let xs = [10.0, -2.4, -2.5, -2.2, f64::NAN, 1e300];
        let ys = [10.0, 10.0, 10.0, -2.2, 1.0, 1.0];
        let sums = circular_sums(&frame, &xs, &ys, 2.0, Run::new())?;
        let area = 4.0 * PI - 2.0;
        assert!((sums[0].area - area).abs() < 1e-13 && (sums[0].sum - 2.0 * area).abs() < 1e-13);
        assert!(sums[1].sum > 0.0 && sums[1].area < 0.2);
        for sum in &sums[2..] {
            assert!(sum.sum.is_nan() && sum.area == 0.0);
        }
        assert!(circular_sums(&frame, &xs, &ys, f64::INFINITY, Run::new()).is_err());
        Ok(())
    }

    #[test]
    fn a_run_can_be_cancelled_between_two_sources() -> Result<(), Error> {
        let frame = Frame::new(Image::new(&[1.0; 9], (3, 3))?);
        let sums = |monitor: &CancelAfter| {
            let run = Run::new().with_monitor(monitor).serial();
            circular_sums(&frame, &[1.0; 3], &[1.0; 3], 1e9, run).map(|sums| sums.len())
        };
        assert_eq!(sums(&CancelAfter::new(100)), Ok(3));
        assert_eq!(sums(&CancelAfter::new(2)), Err(Error::Cancelled));
        Ok(())
    }

    #[test]
    fn a_fully_masked_aperture_sums_to_zero() -> Result<(), Error> {
        let frame = Frame::new(Image::new(&[1.0; 9], (3, 3))?)
            .with_mask(Image::new(&[true; 9], (3, 3))?)?;
        let sums = circular_sums(&frame, &[1.0], &[1.0], 1.0, Run::new())?;
        assert_eq!(
            sums,
            [ApertureSum {
                sum: 0.0,
                area: 0.0
            }]
        );
        Ok(())
    }
}
