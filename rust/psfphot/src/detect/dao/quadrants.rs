//! The roundness of a star from opposite quadrants.

/// [`roundness1`](super::DaoSource::roundness1) of a cutout with `shape = (ny, nx)`, both odd.
///
/// A quadrant holds the half axis that is clockwise next to it; those above
/// and below the x axis to the right and the left have opposite signs.
pub(super) fn roundness(cutout: &[f64], (ny, nx): (usize, usize)) -> f64 {
    let half = (ny.min(nx) / 2) as i64;
    let (mut sum2, mut sum4) = (0.0, 0.0);
    for dy in -half..=half {
        let row = (ny / 2).saturating_add_signed(dy as isize) * nx;
        for dx in -half..=half {
            let value = cutout[row + (nx / 2).saturating_add_signed(dx as isize)];
            // Those with dx > 0 ≥ dy and their opposites count negative.
            let sign = if (dx > 0 && dy <= 0) || (dx < 0 && dy >= 0) {
                -1.0
            } else if dx == 0 && dy == 0 {
                0.0
            } else {
                1.0
            };
            // Beside gaps some cannot be told.
            if sign != 0.0 && value.is_finite() {
                sum2 += sign * value;
                sum4 += value.abs();
            }
        }
    }
    2.0 * sum2 / sum4
}
