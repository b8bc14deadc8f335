//! 2 J₁(z)/z, what an Airy disk is the square of.
//!
//! Below z = 1 it is a power series, beyond that a table of Taylor series (2.5
//! times as fast as J₀ and J₁ themselves), and far out J₁ itself.

use std::sync::LazyLock;

/// Intervals of the table per unit of z, and where it ends: at the corners of
/// a box of 10 FWHM, z is 46.
const PER_UNIT: usize = 4;
const END: f64 = 64.0;

/// Terms of a Taylor series: the last is below 1/(11! 8¹¹), 3e-18.
const TERMS: usize = 12;

static TABLE: LazyLock<Vec<[f64; TERMS]>> = LazyLock::new(|| {
    let intervals = (END as usize - 1) * PER_UNIT;
    (0..intervals).map(|k| taylor(middle(k))).collect()
});

/// The middle of an interval of the table, which starts at 1.
fn middle(interval: usize) -> f64 {
    1.0 + (interval as f64 + 0.5) / PER_UNIT as f64
}

/// The Taylor series of f(z) = 2 J₁(z)/z around z, by z f″ + 3 f′ + z f = 0.
fn taylor(z: f64) -> [f64; TERMS] {
    let (value, by_z2) = by_bessel(z);
    let mut series = [0.0; TERMS];
    (series[0], series[1]) = (value, 2.0 * z * by_z2);
    for k in 0..TERMS - 2 {
        let before = if k > 0 { series[k - 1] } else { 0.0 };
        let n = k as f64;
        let sum = (n + 1.0) * (n + 3.0) * series[k + 1] + z * series[k] + before;
        series[k + 2] = -sum / (z * (n + 1.0) * (n + 2.0));
    }
    series
}

/// The series around the middle of z's interval, and how far z is from there.
fn nearest(z: f64) -> (&'static [f64; TERMS], f64) {
    let interval = ((z - 1.0) * PER_UNIT as f64) as usize;
    (&TABLE[interval], z - middle(interval))
}

/// f and its derivative by z², −J₂(z)/z², by the functions themselves; z > 0.
fn by_bessel(z: f64) -> (f64, f64) {
    let jinc = 2.0 * libm::j1(z) / z;
    (jinc, (libm::j0(z) - jinc) / (z * z))
}

/// The power series of Jₙ(z)/zⁿ, Σ (−x)ᵏ/(k! (k + n)!)/2ⁿ with x = z²/4:
/// good to rounding for z < 1.
fn bessel_series(order: u32, x: f64) -> f64 {
    const TERMS: u32 = 9;
    let mut sum = 1.0;
    for k in (1..=TERMS).rev() {
        sum = 1.0 - sum * x / f64::from(k * (k + order));
    }
    sum / f64::from((1..=order).map(|k| 2 * k).product::<u32>())
}

/// 2 J₁(z)/z, to a few 1e-16.
pub(super) fn jinc(z2: f64) -> f64 {
    if z2 < 1.0 {
        return 2.0 * bessel_series(1, 0.25 * z2);
    }
    let z = z2.sqrt();
    if z < END {
        let (series, t) = nearest(z);
        return series.iter().rev().fold(0.0, |sum, c| sum * t + c);
    }
    2.0 * libm::j1(z) / z
}

/// 2 J₁(z)/z and its derivative by z².
pub(super) fn jinc_with_slope(z2: f64) -> (f64, f64) {
    if z2 < 1.0 {
        let x = 0.25 * z2;
        return (2.0 * bessel_series(1, x), -bessel_series(2, x));
    }
    let z = z2.sqrt();
    if z < END {
        let (series, t) = nearest(z);
        let (mut value, mut slope) = (0.0, 0.0);
        for c in series.iter().rev() {
            slope = slope * t + value;
            value = value * t + c;
        }
        return (value, 0.5 * slope / z);
    }
    by_bessel(z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_agree_with_the_bessel_functions() {
        for k in 1..70_000 {
            let z = f64::from(k) * 1e-3;
            let (value, slope) = jinc_with_slope(z * z);
            assert_eq!(value.to_bits(), jinc(z * z).to_bits());
            let expected = by_bessel(z);
            assert!((value - expected.0).abs() < 1e-15, "{z}");
            // Their difference cancels near 0.
            let tolerance = 1e-15 + 1e-15 / (z * z);
            assert!((slope - expected.1).abs() < tolerance, "{z}");
        }
    }

    #[test]
    fn tabulated_values() {
        // J₁(2) and J₂(2)/4 (Abramowitz & Stegun, table 9.1).
        let (value, slope) = jinc_with_slope(4.0);
        assert!((value - 0.576_724_807_756_873_4).abs() < 1e-15);
        assert!((slope + 0.352_834_028_615_637_7 / 4.0).abs() < 1e-15);
        assert!((jinc(0.0) - 1.0).abs() < 1e-16);
        assert!((jinc_with_slope(0.0).1 + 0.125).abs() < 1e-16);
    }

    #[test]
    fn ends() {
        for z in [64.0_f64 - 1e-12, 64.0, 1e8, 1e150] {
            assert!((jinc(z * z) - 2.0 * libm::j1(z) / z).abs() < 1e-15);
        }
        assert!(jinc(f64::INFINITY).abs() < 1e-300);
        assert!(jinc(f64::NAN).is_nan() && jinc_with_slope(f64::NAN).1.is_nan());
    }
}
