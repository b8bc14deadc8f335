//! Maxima to parts of a pixel.

use crate::image::Image;

/// Where the maximum of a map near the pixel `at = (x, y)` is: the vertices of the
/// parabolas through it and its neighbours along x and along y.
pub(super) fn vertex_at(map: Image<'_, f32>, at: (usize, usize)) -> (f64, f64) {
    let (x, y) = (at.0 as i64, at.1 as i64);
    let value = |dx: i64, dy: i64| map.get(x + dx, y + dy).map_or(f64::NAN, f64::from);
    (
        x as f64 + vertex(value(-1, 0), value(0, 0), value(1, 0)),
        y as f64 + vertex(value(0, -1), value(0, 0), value(0, 1)),
    )
}

/// The vertex of the parabola through three values at −1, 0 and 1, within half
/// a pixel; 0 where the middle one is no maximum.
fn vertex(left: f64, middle: f64, right: f64) -> f64 {
    let curvature = left - 2.0 * middle + right;
    let offset = 0.5 * (left - right) / curvature;
    if curvature < 0.0 && offset.is_finite() {
        return offset.clamp(-0.5, 0.5);
    }
    0.0
}
