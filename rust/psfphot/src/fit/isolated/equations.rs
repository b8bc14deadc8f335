//! The normal equations of one star by flux, x and y, and its sandwich.

use crate::fit::leverage::meat_weight;
use crate::fit::normal::{SINGULAR, damped};
use crate::fit::pixels::LANES;
use crate::simd::{Four, dispatch, mul_add};

/// The upper triangle of a symmetric matrix, by rows: ff, fx, fy, xx, xy, yy.
pub(super) type Triangle = [f64; 6];

/// `A`, `g` and χ².
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Normal {
    pub(super) matrix: Triangle,
    pub(super) gradient: [f64; 3],
    pub(super) chi2: f64,
}

impl Normal {
    /// Takes a parameter out of the equations: its step is 0.
    pub(super) fn hold(&mut self, parameter: usize) {
        // The elements of each parameter's row and column, the diagonal first.
        const OWN: [[usize; 3]; 3] = [[0, 1, 2], [3, 1, 4], [5, 2, 4]];
        for element in OWN[parameter] {
            self.matrix[element] = 0.0;
        }
        self.matrix[OWN[parameter][0]] = 1.0;
        self.gradient[parameter] = 0.0;
    }
}

/// Weighted sums of products of a profile, its derivatives, and the residuals with some flux.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    squares: Triangle,
    residuals: [f64; 3],
    chi2: f64,
}

impl Sums {
    /// The best flux for this profile, where the residuals are those of `flux`.
    pub(super) fn best_flux(&self, flux: f64) -> f64 {
        flux + self.residuals[0] / self.squares[0]
    }

    /// The sums of residuals with a flux that differs by `change`.
    pub(super) fn with_change(&self, change: f64) -> Self {
        let [rp, rx, ry] = self.residuals;
        let [pp, px, py, ..] = self.squares;
        Self {
            residuals: [rp - change * pp, rx - change * px, ry - change * py],
            chi2: f64::max(self.chi2 - change * (2.0 * rp - change * pp), 0.0),
            ..*self
        }
    }

    /// The equations of the flux of these sums and the position.
    pub(super) fn normal(&self, flux: f64) -> Normal {
        let ([pp, px, py, xx, xy, yy], [rp, rx, ry]) = (self.squares, self.residuals);
        // The model is flux times the profile, and so are its derivatives.
        let square = flux * flux;
        Normal {
            matrix: [
                pp,
                flux * px,
                flux * py,
                square * xx,
                square * xy,
                square * yy,
            ],
            gradient: [rp, flux * rx, flux * ry],
            chi2: self.chi2,
        }
    }
}

/// Cholesky factors of a 3 × 3 matrix with its diagonal times 1 + λ: one over the
/// diagonal, and what is below it.
pub(super) struct Factor {
    per_diagonal: [f64; 3],
    l10: f64,
    l20: f64,
    l21: f64,
}

impl Factor {
    pub(super) fn new(a: &Triangle, lambda: f64) -> Option<Self> {
        let [a00, a11, a22] = [a[0], a[3], a[5]].map(|diagonal| damped(diagonal, lambda));
        let per_pivot = |rest: f64, whole: f64| {
            (rest > SINGULAR * whole && rest.is_finite()).then(|| 1.0 / rest.sqrt())
        };
        let p0 = per_pivot(a00, a00)?;
        let (l10, l20) = (a[1] * p0, a[2] * p0);
        let p1 = per_pivot(a11 - l10 * l10, a11)?;
        let l21 = (a[4] - l20 * l10) * p1;
        let p2 = per_pivot(a22 - l20 * l20 - l21 * l21, a22)?;
        Some(Self {
            per_diagonal: [p0, p1, p2],
            l10,
            l20,
            l21,
        })
    }

    pub(super) fn solve(&self, b: [f64; 3]) -> [f64; 3] {
        let Self {
            per_diagonal: [p0, p1, p2],
            l10,
            l20,
            l21,
        } = *self;
        let y0 = b[0] * p0;
        let y1 = (b[1] - l10 * y0) * p1;
        let y2 = (b[2] - l20 * y0 - l21 * y1) * p2;
        let x2 = y2 * p2;
        let x1 = (y1 - l21 * x2) * p1;
        [(y0 - l10 * x1 - l20 * x2) * p0, x1, x2]
    }

    /// The inverse of the matrix.
    pub(super) fn inverse(&self) -> Triangle {
        let [a, b, c] = [0, 1, 2].map(|k| {
            let mut unit = [0.0; 3];
            unit[k] = 1.0;
            self.solve(unit)
        });
        [a[0], a[1], a[2], b[1], b[2], c[2]]
    }
}

/// Sums over whole lanes. What the slices hold of other planes stands where the
/// padding has weight 0.
#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernel
fn accumulate_kernel<const FMA: bool>(
    data: &[f64],
    weights: &[f64],
    [profile, by_x, by_y]: [&[f64]; 3],
    flux: f64,
) -> Sums {
    let mut sums = [Four::<FMA>::ZERO; 10];
    let minus_flux = Four::splat(-flux);
    let lanes = data.as_chunks::<LANES>().0.iter();
    let lanes = lanes.zip(weights.as_chunks::<LANES>().0);
    let [profile, by_x, by_y] = [profile, by_x, by_y].map(|plane| plane.as_chunks::<LANES>().0);
    for ((((d, w), p), x), y) in lanes.zip(profile).zip(by_x).zip(by_y) {
        let [d, w, p, x, y] = [d, w, p, x, y].map(Four::new);
        let r = minus_flux.mul_add(p, d);
        let [wp, wx, wy, wr] = [p, x, y, r].map(|plane| w.mul_add(plane, Four::ZERO));
        let terms = [
            (wp, p),
            (wp, x),
            (wp, y),
            (wx, x),
            (wx, y),
            (wy, y),
            (wr, p),
            (wr, x),
            (wr, y),
            (wr, r),
        ];
        for (sum, (a, b)) in sums.iter_mut().zip(terms) {
            *sum = a.mul_add(b, *sum);
        }
    }
    let [pp, px, py, xx, xy, yy, rp, rx, ry, rr] = sums.map(Four::sum);
    Sums {
        squares: [pp, px, py, xx, xy, yy],
        residuals: [rp, rx, ry],
        chi2: rr,
    }
}

dispatch! {
    /// The sums over a star's pixels.
    pub(super) fn accumulate(
        data: &[f64], weights: &[f64], planes: [&[f64]; 3], flux: f64,
    ) -> Sums = accumulate_kernel
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn meat_kernel<const FMA: bool>(
    data: &[f64],
    weights: &[f64],
    [profile, by_x, by_y]: [&[f64]; 3],
    flux: f64,
    (inverse, per_unit): (&Triangle, f64),
) -> (Triangle, f64) {
    let [ff, fx, fy, xx, xy, yy] = *inverse;
    let mut sums = [[0.0; LANES]; 6];
    let mut largest = [0.0; LANES];
    let lanes = data.as_chunks::<LANES>().0.iter();
    let lanes = lanes.zip(weights.as_chunks::<LANES>().0);
    let [profile, by_x, by_y] = [profile, by_x, by_y].map(|plane| plane.as_chunks::<LANES>().0);
    for ((((d, w), p), x), y) in lanes.zip(profile).zip(by_x).zip(by_y) {
        for l in 0..LANES {
            let (a, b, c) = (p[l], flux * x[l], flux * y[l]);
            let across = mul_add::<FMA>(fx, b, fy * c);
            let own = mul_add::<FMA>(xx * b, b, yy * c * c);
            let twice = mul_add::<FMA>(xy * b, c, a * across);
            let leverage = w[l] * mul_add::<FMA>(ff * a, a, mul_add::<FMA>(2.0, twice, own));
            largest[l] = f64::max(largest[l], leverage);
            let weight = meat_weight(w[l], (d[l] - flux * a) * per_unit, leverage);
            let terms = [a * a, a * b, a * c, b * b, b * c, c * c];
            for (sum, term) in sums.iter_mut().zip(terms) {
                sum[l] = mul_add::<FMA>(weight, term, sum[l]);
            }
        }
    }
    let largest = largest.into_iter().fold(0.0, f64::max);
    (sums.map(|s| (s[0] + s[1]) + (s[2] + s[3])), largest)
}

dispatch! {
    /// The middle of a star's sandwich, and the largest leverage of a pixel, with the
    /// inverse of the normal matrix and one over the unit of residuals.
    pub(super) fn meat(
        data: &[f64], weights: &[f64], planes: [&[f64]; 3], flux: f64,
        inverse: (&Triangle, f64),
    ) -> (Triangle, f64) = meat_kernel
}

/// A B A, of symmetric matrices.
pub(super) fn sandwich(a: &Triangle, b: &Triangle) -> Triangle {
    const AT: [[usize; 3]; 3] = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
    let mut product = [0.0; 6];
    for i in 0..3 {
        for j in i..3 {
            let terms = (0..9).map(|k| (k / 3, k % 3));
            let sum = terms.map(|(k, l)| a[AT[i][k]] * b[AT[k][l]] * a[AT[l][j]]);
            product[AT[i][j]] = sum.sum();
        }
    }
    product
}
