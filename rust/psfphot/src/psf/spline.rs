//! The interpolating bicubic spline as coefficients of the uniform B-spline.
//!
//! FITPACK's interpolating spline (`RectBivariateSpline(kx=ky=3, s=0)`) leaves
//! out the second and the last but one sample as knots ("not-a-knot"): the
//! third derivative is continuous there. On samples 0, 1, … n−1 it is
//! therefore also a spline on the knots …, −1, 0, 1, …, that is
//!
//! ```text
//! s(ξ) = Σ_{j=−1}^{n} c_j B(ξ − j)
//! ```
//!
//! with the centred cubic B-spline `B`, and one four-sample stencil holds from
//! edge to edge. The n + 2 coefficients follow from
//! `(c_{i−1} + 4 c_i + c_{i+1}) / 6 = f_i` and the two conditions on the third
//! derivative, which with the neighbouring equations give the second
//! coefficient outright: `c_1 = (8 f_1 − f_0 − f_2) / 6` (and alike at the
//! other end). What remains between them is tridiagonal and diagonally
//! dominant. See de Boor (1978), *A Practical Guide to Splines*, ch. IV and X.

use crate::image::{Image, Pixel};

/// The smallest number of samples that determines a cubic.
pub(crate) const MIN_SAMPLES: usize = 4;

/// Spline coefficients of one image of (ny, nx) samples.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SplineImage {
    /// (ny + 2) rows of (nx + 2) coefficients, then zeros: the stencil of the
    /// very last sample reads one row and one column further, with weight 0.
    coefficients: Vec<f64>,
    stride: usize,
}

impl SplineImage {
    /// The spline through the samples, at least 4 in each direction.
    pub(crate) fn new<T: Pixel>(samples: Image<'_, T>) -> Self {
        let (ny, nx) = samples.shape();
        debug_assert!(ny >= MIN_SAMPLES && nx >= MIN_SAMPLES);
        let stride = nx + 2;
        let mut coefficients = vec![0.0; (ny + 3) * stride + 1];
        let solver = Solver::new(nx);
        for y in 0..ny {
            let row = &mut coefficients[(y + 1) * stride..(y + 2) * stride];
            for (c, &f) in row[1..].iter_mut().zip(samples.row(y)) {
                *c = f.into();
            }
            solver.solve_in_place(row, 1);
        }
        Solver::new(ny).solve_in_place(&mut coefficients[..(ny + 2) * stride], stride);
        Self {
            coefficients,
            stride,
        }
    }

    /// Rows of coefficients, see the field.
    pub(crate) fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Distance between rows in [`SplineImage::coefficients`].
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }
}

/// Solves for the coefficients along one direction, for many columns at once.
struct Solver {
    /// Factors of the forward sweep, 1/(4 − previous), for rows 2..=n−3.
    factors: Vec<f64>,
    n: usize,
}

impl Solver {
    fn new(n: usize) -> Self {
        let mut previous = 0.0;
        let factors = (2..n.saturating_sub(2))
            .map(|_| {
                previous = 1.0 / (4.0 - previous);
                previous
            })
            .collect();
        Self { factors, n }
    }

    /// `block` is n + 2 rows of `width` values, the samples in rows 1..=n;
    /// they are replaced by the coefficients.
    fn solve_in_place(&self, block: &mut [f64], width: usize) {
        let n = self.n;
        // The row of coefficient or sample i.
        let at = |i: usize| (i + 1) * width;
        let (first, last) = (
            second_coefficients(block, width, 1),
            second_coefficients(block, width, n - 2),
        );
        let ends = [0, 1, n - 2, n - 1].map(|i| block[at(i)..at(i + 1)].to_vec());
        block[at(1)..at(2)].copy_from_slice(&first);
        block[at(n - 2)..at(n - 1)].copy_from_slice(&last);
        for (k, &factor) in self.factors.iter().enumerate() {
            let i = k + 2;
            for x in 0..width {
                block[at(i) + x] = (6.0 * block[at(i) + x] - block[at(i - 1) + x]) * factor;
            }
        }
        for (k, &factor) in self.factors.iter().enumerate().rev() {
            let i = k + 2;
            for x in 0..width {
                block[at(i) + x] -= factor * block[at(i + 1) + x];
            }
        }
        for x in 0..width {
            let c = |i: usize| block[at(i) + x];
            let low = 6.0 * ends[1][x] - 4.0 * c(1) - c(2);
            let high = 6.0 * ends[2][x] - 4.0 * c(n - 2) - c(n - 3);
            let lowest = 6.0 * ends[0][x] - 4.0 * low - c(1);
            let highest = 6.0 * ends[3][x] - 4.0 * high - c(n - 2);
            block[x] = lowest;
            block[at(0) + x] = low;
            block[at(n - 1) + x] = high;
            block[at(n) + x] = highest;
        }
    }
}

/// The coefficients at sample `i`, the second from an end, of every column.
fn second_coefficients(block: &[f64], width: usize, i: usize) -> Vec<f64> {
    let sample = |i: usize, x: usize| block[(i + 1) * width + x];
    (0..width)
        .map(|x| (8.0 * sample(i, x) - sample(i - 1, x) - sample(i + 1, x)) / 6.0)
        .collect()
}

/// The four B-spline weights at the offset `u` from the lower sample.
pub(crate) fn weights(u: f64) -> [f64; 4] {
    let v = 1.0 - u;
    [
        v * v * v / 6.0,
        2.0 / 3.0 - u * u * (2.0 - u) / 2.0,
        2.0 / 3.0 - v * v * (2.0 - v) / 2.0,
        u * u * u / 6.0,
    ]
}

/// Their derivatives by `u`.
pub(crate) fn weight_derivatives(u: f64) -> [f64; 4] {
    let v = 1.0 - u;
    [
        -v * v / 2.0,
        -u * (2.0 - 1.5 * u),
        v * (2.0 - 1.5 * v),
        u * u / 2.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cubic in x and y is its own not-a-knot spline.
    #[test]
    fn reproduces_bicubic_polynomials() {
        let poly = |x: f64, y: f64| {
            (0.3 * x * x * x - x * x + 2.0 * x - 1.0) * (0.1 * y * y * y + y * y - 0.5)
        };
        for (ny, nx) in [(4, 4), (5, 4), (4, 9), (7, 6), (12, 5)] {
            let samples: Vec<f64> = (0..ny * nx)
                .map(|k| poly((k % nx) as f64, (k / nx) as f64))
                .collect();
            let image = Image::new(&samples, (ny, nx)).unwrap_or_else(|e| panic!("{e}"));
            let spline = SplineImage::new(image);
            let (i, j, u, v) = (nx - 2, 1, 0.37, 0.81);
            let (wx, wy) = (weights(u), weights(v));
            let mut sum = 0.0;
            for (r, wy) in wy.iter().enumerate() {
                for (c, wx) in wx.iter().enumerate() {
                    sum += wx * wy * spline.coefficients()[(j + r) * spline.stride() + i + c];
                }
            }
            let expected = poly(i as f64 + u, j as f64 + v);
            assert!((sum - expected).abs() < 1e-10 * expected.abs().max(1.0));
        }
    }

    #[test]
    fn weights_sum_to_one_and_derivatives_to_zero() {
        for u in [0.0, 0.2, 0.5, 0.9, 1.0] {
            assert!((weights(u).iter().sum::<f64>() - 1.0).abs() < 1e-15);
            assert!(weight_derivatives(u).iter().sum::<f64>().abs() < 1e-15);
            let h = 1e-6;
            for k in 0..4 {
                let numeric = (weights(u + h)[k] - weights(u - h)[k]) / (2.0 * h);
                assert!((numeric - weight_derivatives(u)[k]).abs() < 1e-9);
            }
        }
    }
}
