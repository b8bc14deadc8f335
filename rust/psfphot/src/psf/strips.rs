//! Gaussians along an axis, many pixels at a time.
//!
//! What a Gaussian has between the edges of a pixel is the difference of two tails, and
//! a tail is the density times a smooth function: one exponential and one polynomial for
//! each edge, without a branch, make the values of the pixels on both sides of it and
//! their derivatives. Pixel by pixel with the error function of a library they took 40 %
//! of a fit of 20,000 stars.

use crate::image::PixelBox;
use crate::simd::{dispatch, mul_add};

use super::strip::{PixelValue, Strip};
use super::{Placement, offset};

/// Pixels that are worked on at a time.
const RUN: usize = 32;

/// Edges that are worked on at a time: two vectors hide each other's latency.
const WIDE: usize = 8;

/// Edges of a run, in whole vectors.
const EDGES: usize = (RUN + 1).next_multiple_of(WIDE);

/// Beyond this many σ the density is less than 10⁻³⁰⁰, and is 0.
const FURTHEST: f64 = 37.0;

/// The tail of a standard normal number over its density times √(2π) and 1/(1 + √2 t), as
/// a polynomial of (t − [`CENTRE`])/(t + [`CENTRE`]), t ≥ 0; the lowest power first.
///
/// That function is smooth up to infinity (Shepherd & Laframboise 1981, Math. Comp. 36,
/// 249). These are the first 23 terms of its Chebyshev series, summed by powers; with them
/// a tail is good to 5e-16 of itself, and to 2e-16.
const TAIL: [f64; 23] = [
    0.618_756_315_418_913_7,
    -0.070_120_299_292_772_61,
    0.001_792_707_742_740_106_8,
    0.041_138_369_244_995_95,
    -0.054_401_965_071_246_804,
    0.046_152_160_582_172_04,
    -0.029_346_699_287_935_214,
    0.014_181_138_685_781_707,
    -0.004_873_289_844_773_608,
    0.000_877_813_083_836_169_5,
    0.000_146_857_203_642_038_2,
    -0.000_145_077_679_295_131_72,
    2.582_322_290_193_612_6e-5,
    1.119_378_682_791_074e-5,
    -5.718_947_470_883_567e-6,
    -4.896_330_909_110_531e-7,
    8.709_023_704_921_114e-7,
    -2.542_376_927_972_177_4e-8,
    -1.242_225_053_065_299_4e-7,
    9.397_410_892_384_898e-9,
    1.596_453_953_005_502_3e-8,
    -9.782_186_359_365_68e-10,
    -1.307_297_941_299_641_7e-9,
];

/// Where the polynomial's argument is 0: 3.75 √2.
const CENTRE: f64 = 5.303_300_858_899_107;

/// 1/√(2π).
const PEAK: f64 = 0.398_942_280_401_432_7;

/// 1/n! up to n = 13: for arguments within ½ ln 2 the exponential is good to rounding.
const EXPONENTIAL: [f64; 14] = {
    let mut terms = [1.0; 14];
    let mut n = 1;
    while n < terms.len() {
        terms[n] = terms[n - 1] / n as f64;
        n += 1;
    }
    terms
};

/// The Gaussian along one axis at some pixels.
struct Strips {
    value: [f64; RUN],
    by_position: [f64; RUN],
    by_sigma: [f64; RUN],
}

impl Strips {
    const fn new() -> Self {
        Self {
            value: [0.0; RUN],
            by_position: [0.0; RUN],
            by_sigma: [0.0; RUN],
        }
    }

    fn at(&self, i: usize) -> Strip {
        Strip {
            value: self.value[i],
            by_position: self.by_position[i],
            by_sigma: self.by_sigma[i],
        }
    }
}

/// exp(−t²/2), 0 beyond [`FURTHEST`].
#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernels
fn bells<const FMA: bool>(t: &[f64; WIDE]) -> [f64; WIDE] {
    // Adding it rounds to an integer, which then stands in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts; the first has so few bits that its multiples are exact.
    const LN_2: (f64, f64) = (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10);
    let (mut rest, mut power) = ([0.0; WIDE], [0.0; WIDE]);
    for l in 0..WIDE {
        let x = -0.5 * t[l] * t[l];
        let shifted = mul_add::<FMA>(x, std::f64::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        rest[l] = mul_add::<FMA>(n, -LN_2.1, mul_add::<FMA>(n, -LN_2.0, x));
        power[l] = f64::from_bits((shifted.to_bits().wrapping_add(1023)) << 52);
    }
    let mut sum = [EXPONENTIAL[13]; WIDE];
    for &term in EXPONENTIAL[..13].iter().rev() {
        for l in 0..WIDE {
            sum[l] = mul_add::<FMA>(sum[l], rest[l], term);
        }
    }
    for l in 0..WIDE {
        sum[l] = if t[l].abs() > FURTHEST {
            0.0
        } else {
            sum[l] * power[l]
        };
    }
    sum
}

/// The tails beyond |t|, with the sign of t, where the bells are known.
#[inline(always)]
#[allow(clippy::inline_always)]
fn tails<const FMA: bool>(t: &[f64; WIDE], bells: &[f64; WIDE]) -> [f64; WIDE] {
    let (mut argument, mut factor) = ([0.0; WIDE], [0.0; WIDE]);
    for l in 0..WIDE {
        let t = t[l].abs();
        let (from, scale) = (t + CENTRE, mul_add::<FMA>(std::f64::consts::SQRT_2, t, 1.0));
        // One division for both quotients.
        let inverse = 1.0 / (from * scale);
        argument[l] = (t - CENTRE) * scale * inverse;
        factor[l] = from * inverse * bells[l];
    }
    let mut sum = [TAIL[22]; WIDE];
    for &term in TAIL[..22].iter().rev() {
        for l in 0..WIDE {
            sum[l] = mul_add::<FMA>(sum[l], argument[l], term);
        }
    }
    for l in 0..WIDE {
        let tail = sum[l] * factor[l];
        sum[l] = if t[l] > 0.0 { tail } else { -tail };
    }
    sum
}

/// The Gaussian at `centre` along an axis, at `n` pixels from `first` on; the
/// derivatives only with `SLOPES`.
#[inline(always)]
#[allow(clippy::inline_always)]
fn strips<const FMA: bool, const SLOPES: bool>(
    per_pixel: PixelValue,
    (first, n): (i64, usize),
    (centre, sigma): (f64, f64),
    out: &mut Strips,
) {
    // Where it is finite it stays so, and NaN stays NaN.
    let per_sigma = (1.0 / sigma).clamp(0.0, f64::MAX);
    let half = per_pixel.half_pixel();
    let (mut t, mut bell, mut tail) = ([0.0; EDGES], [0.0; EDGES], [0.0; EDGES]);
    let n_edges = match per_pixel {
        PixelValue::Density => n,
        PixelValue::Integral => n + 1,
    };
    for (k, t) in t[..n_edges].iter_mut().enumerate() {
        let edge = offset((first + k as i64) as f64, centre) - half;
        *t = (edge * per_sigma).clamp(-2.0 * FURTHEST, 2.0 * FURTHEST);
    }
    let wide = (t.as_chunks::<WIDE>().0.iter())
        .zip(bell.as_chunks_mut::<WIDE>().0)
        .zip(tail.as_chunks_mut::<WIDE>().0);
    for ((t, bell), tail) in wide.take(n_edges.div_ceil(WIDE)) {
        *bell = bells::<FMA>(t);
        if per_pixel == PixelValue::Integral {
            *tail = tails::<FMA>(t, bell);
        }
    }
    match per_pixel {
        PixelValue::Density => {
            let peak = PEAK * per_sigma;
            for i in 0..n.min(RUN) {
                let value = peak * bell[i];
                out.value[i] = value;
                if SLOPES {
                    out.by_position[i] = value * t[i] * per_sigma;
                    out.by_sigma[i] = value * (t[i] * t[i] - 1.0) * per_sigma;
                }
            }
        }
        PixelValue::Integral => {
            for i in 0..n.min(RUN) {
                // The tails on either side of the centre are those of two sides.
                let whole = if t[i] <= 0.0 && t[i + 1] > 0.0 {
                    1.0
                } else {
                    0.0
                };
                out.value[i] = whole + (tail[i] - tail[i + 1]);
                if SLOPES {
                    let (low, high) = (PEAK * bell[i], PEAK * bell[i + 1]);
                    out.by_position[i] = (low - high) * per_sigma;
                    out.by_sigma[i] = (t[i] * low - t[i + 1] * high) * per_sigma;
                }
            }
        }
    }
}

/// Where a run of at most [`RUN`] starts, and how long it is.
fn runs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n)
        .step_by(RUN)
        .map(move |start| (start, RUN.min(n - start)))
}

/// Calls `visit` with both axes' strips of each block of at most [`RUN`]² pixels of
/// `window`, the place of its first pixel in the window and its size, each (x, y).
#[inline(always)]
#[allow(clippy::inline_always)]
fn each_block<const FMA: bool, const SLOPES: bool>(
    per_pixel: PixelValue,
    at: Placement<'_>,
    (sigma_x, sigma_y): (f64, f64),
    window: PixelBox,
    mut visit: impl FnMut((&Strips, &Strips), (usize, usize), (usize, usize)),
) {
    let (mut x, mut y) = (Strips::new(), Strips::new());
    for (left, nx) in runs(window.width()) {
        let columns = (window.x0 + left as i64, nx);
        strips::<FMA, SLOPES>(per_pixel, columns, (at.x, sigma_x), &mut x);
        for (top, ny) in runs(window.height()) {
            let rows = (window.y0 + top as i64, ny);
            strips::<FMA, SLOPES>(per_pixel, rows, (at.y, sigma_y), &mut y);
            visit((&x, &y), (left, top), (nx, ny));
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn fill_kernel<const FMA: bool>(
    per_pixel: PixelValue,
    at: Placement<'_>,
    sigmas: (f64, f64),
    window: PixelBox,
    values: &mut [f64],
) {
    let width = window.width();
    let fill = |(x, y): (&Strips, &Strips), (left, top), (nx, ny)| {
        for (j, &factor) in y.value[..ny].iter().enumerate() {
            let row = &mut values[(top + j) * width + left..][..nx];
            for (value, x) in row.iter_mut().zip(&x.value[..nx]) {
                *value = factor * x;
            }
        }
    };
    each_block::<FMA, false>(per_pixel, at, sigmas, window, fill);
}

dispatch! {
    /// The product of the two axes at the pixels of `window`.
    pub(super) fn fill(
        per_pixel: PixelValue, at: Placement<'_>, sigmas: (f64, f64), window: PixelBox,
        values: &mut [f64],
    ) = fill_kernel
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn gradient_kernel<const FMA: bool, F: Fn(Strip, Strip) -> [f64; N], const N: usize>(
    per_pixel: PixelValue,
    at: Placement<'_>,
    sigmas: (f64, f64),
    window: PixelBox,
    (values, gradient): (&mut [f64], &mut [f64]),
    by_shape: F,
) {
    let (width, n) = (window.width(), window.len());
    let fill = |(x, y): (&Strips, &Strips), (left, top), (nx, ny): (usize, usize)| {
        for j in 0..ny {
            let (row, first) = (y.at(j), (top + j) * width + left);
            let product = |out: &mut [f64], x: &[f64; RUN], factor: f64| {
                for (value, x) in out[first..][..nx].iter_mut().zip(x) {
                    *value = x * factor;
                }
            };
            product(values, &x.value, row.value);
            product(gradient, &x.by_position, row.value);
            product(&mut gradient[n..], &x.value, row.by_position);
            for plane in 0..N {
                let out = &mut gradient[(2 + plane) * n + first..][..nx.min(RUN)];
                for (i, value) in out.iter_mut().enumerate() {
                    *value = by_shape(x.at(i), row)[plane];
                }
            }
        }
    };
    each_block::<FMA, true>(per_pixel, at, sigmas, window, fill);
}

dispatch! {
    /// As [`fill`], with the planes of the derivatives by x, y and the N shape
    /// parameters, which `by_shape` makes of the two strips.
    pub(super) fn fill_with_gradient[F: Fn(Strip, Strip) -> [f64; N], const N: usize](
        per_pixel: PixelValue, at: Placement<'_>, sigmas: (f64, f64), window: PixelBox,
        planes: (&mut [f64], &mut [f64]), by_shape: F,
    ) = gradient_kernel[F, N]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_pixels_are_the_pixels_one_by_one() {
        // Windows of several runs, far off the centre too, and narrow to wide Gaussians.
        for (sigma, centre) in [(0.3, 2.2), (1.27, 40.0), (1.27, 0.5), (50.0, 3.7)] {
            for per_pixel in [PixelValue::Density, PixelValue::Integral] {
                let at = Placement {
                    x: centre,
                    y: -0.3 * centre,
                    shape: &[],
                };
                let window = PixelBox::new(-4, 70, -36, 5);
                let n = window.len();
                let (mut values, mut gradient) = (vec![f64::NAN; n], vec![f64::NAN; 4 * n]);
                let both = |x: Strip, y: Strip| [x.by_sigma * y.value, x.value * y.by_sigma];
                let planes = (&mut values[..], &mut gradient[..]);
                fill_with_gradient(per_pixel, at, (sigma, 1.5), window, planes, both);
                let mut again = vec![f64::NAN; n];
                fill(per_pixel, at, (sigma, 1.5), window, &mut again);
                assert_eq!(values, again);
                for (k, (x, y)) in window.pixels().enumerate() {
                    let x = per_pixel.strip(offset(x as f64, at.x), sigma);
                    let y = per_pixel.strip(offset(y as f64, at.y), 1.5);
                    let [by_x, by_y] = both(x, y);
                    let expected = [
                        x.value * y.value,
                        x.by_position * y.value,
                        x.value * y.by_position,
                        by_x,
                        by_y,
                    ];
                    let found = std::iter::once(values[k])
                        .chain((0..4).map(|plane| gradient[plane * n + k]));
                    for (found, expected) in found.zip(expected) {
                        let scale = 4e-15 / sigma.min(1.0).powi(2) + 5e-14 * expected.abs();
                        assert!((found - expected).abs() < scale, "{found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_width_of_nothing_is_nan_and_what_is_far_is_zero() {
        let window = PixelBox::new(0, 3, 0, 1);
        let value = |x: f64, sigma: f64| {
            let mut values = [7.0; 3];
            let at = Placement {
                x,
                y: 0.0,
                shape: &[],
            };
            fill(PixelValue::Integral, at, (sigma, 1.0), window, &mut values);
            values
        };
        assert!(value(1.0, f64::NAN).iter().all(|v| v.is_nan()));
        assert!(value(f64::NAN, 1.0).iter().all(|v| v.is_nan()));
        for far in [1e3, -1e18, 1e300, f64::INFINITY] {
            assert!(value(far, 1.0).iter().all(|&v| v == 0.0));
        }
        let narrow = value(1.0, 1e-320);
        assert!(narrow[1] > 0.3 && narrow[0] == 0.0 && narrow[2] == 0.0);
    }
}
