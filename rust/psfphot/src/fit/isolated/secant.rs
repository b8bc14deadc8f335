//! What the normal matrix leaves out of the curvature of χ², learnt from the steps taken.
//!
//! Gauss–Newton steps leave out Σ w r ∇²m, which grows with the noise: those of faint stars
//! shrink by a factor of a few only. How the gradient changes along a step tells what was
//! left out along it, and a matrix of rank one that explains it is added (SR1, in its
//! structured form: Nocedal & Wright, Numerical Optimization, 2006, sections 6.2 and 10.3).

use super::equations::{Normal, Triangle};

/// Nothing is learnt where what was left out is nearly at right angles to the step.
const LEAST_COSINE: f64 = 1e-3;

/// More than this part of the normal matrix is not believed.
const LARGEST: f64 = 0.5;

/// An estimate of the rest of the curvature, by x and y, with the best flux at each place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Secant {
    /// Its elements xx, xy, yy.
    rest: [f64; 3],
    /// Whether it was found to be wrong once.
    is_off: bool,
}

impl Secant {
    /// A normal matrix with the rest.
    pub(super) fn added_to(&self, [ff, fx, fy, xx, xy, yy]: Triangle) -> Triangle {
        let [a, b, c] = self.rest;
        [ff, fx, fy, xx + a, xy + b, yy + c]
    }

    /// Whether there is a rest.
    pub(super) fn is_known(&self) -> bool {
        self.rest.iter().any(|rest| *rest != 0.0)
    }

    /// Leaves the rest out for good.
    pub(super) fn give_up(&mut self) {
        self.rest = [0.0; 3];
        self.is_off = true;
    }

    /// Learns from a step between two places, at each of which the flux is the best.
    pub(super) fn learn(&mut self, before: &Normal, after: &Normal, [dx, dy]: [f64; 2]) {
        if self.is_off {
            return;
        }
        let [ff, fx, fy, xx, xy, yy] = self.added_to(after.matrix);
        // The flux follows the position.
        let (xx, xy, yy) = (xx - fx * fx / ff, xy - fx * fy / ff, yy - fy * fy / ff);
        let ([_, gx0, gy0], [_, gx1, gy1]) = (before.gradient, after.gradient);
        let missed_x = gx0 - gx1 - (xx * dx + xy * dy);
        let missed_y = gy0 - gy1 - (xy * dx + yy * dy);
        let along = missed_x * dx + missed_y * dy;
        let lengths =
            (xx * dx * dx + yy * dy * dy) * (missed_x * missed_x / xx + missed_y * missed_y / yy);
        // Not where anything of this is no number, either.
        if along.abs() > LEAST_COSINE * lengths.sqrt() {
            let [a, b, c] = self.rest;
            self.rest = [
                a + missed_x * missed_x / along,
                b + missed_x * missed_y / along,
                c + missed_y * missed_y / along,
            ];
            let limits = [xx, (xx * yy).sqrt(), yy].map(|element| LARGEST * element);
            if !self
                .rest
                .iter()
                .zip(limits)
                .all(|(r, limit)| r.abs() <= limit)
            {
                self.give_up();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A curvature of which the normal matrix knows a part: 4, 3 along x and y, and 1.
    const MATRIX: Triangle = [1.0, 0.0, 0.0, 4.0, 1.0, 3.0];

    fn at(rest: [f64; 3], x: f64, y: f64) -> Normal {
        let [_, _, _, xx, xy, yy] = MATRIX;
        let [a, b, c] = [xx + rest[0], xy + rest[1], yy + rest[2]];
        Normal {
            matrix: MATRIX,
            gradient: [0.0, -(a * x + b * y), -(b * x + c * y)],
            chi2: 0.0,
        }
    }

    #[test]
    fn two_steps_tell_all_of_a_constant_rest() {
        let rest = [0.8, -0.3, -0.6];
        let places = [(1.0, 2.0), (0.2, -0.3), (-0.1, 0.1)].map(|(x, y)| at(rest, x, y));
        let mut secant = Secant::default();
        secant.learn(&places[0], &places[1], [-0.8, -2.3]);
        secant.learn(&places[1], &places[2], [-0.3, 0.4]);
        let found = secant.added_to(MATRIX);
        for k in 0..3 {
            let learnt = found[3 + k] - MATRIX[3 + k];
            assert!((learnt - rest[k]).abs() < 1e-12, "{learnt} {rest:?}");
        }
    }

    #[test]
    fn what_is_not_believed_is_left_out_for_good() {
        let mut secant = Secant::default();
        let rest = [-3.0, 0.0, 0.0];
        secant.learn(&at(rest, 1.0, 0.0), &at(rest, 0.5, 0.0), [-0.5, 0.0]);
        assert!(!secant.is_known());
        let rest = [-1.0, 0.0, 0.0];
        secant.learn(&at(rest, 1.0, 0.0), &at(rest, 0.5, 0.0), [-0.5, 0.0]);
        assert!(!secant.is_known());
    }

    #[test]
    fn no_step_tells_nothing() {
        let mut secant = Secant::default();
        let (before, after) = (at([0.5; 3], 1.0, 1.0), at([0.5; 3], 0.9, 1.0));
        secant.learn(&before, &after, [0.0, 0.0]);
        secant.learn(&Normal::default(), &Normal::default(), [0.1, 0.0]);
        assert!(!secant.is_known());
        // Nothing was wrong: what comes after is believed.
        secant.learn(&before, &after, [-0.1, 0.0]);
        assert!(secant.is_known());
    }
}
