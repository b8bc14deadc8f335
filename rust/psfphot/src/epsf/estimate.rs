//! What the residuals of stars say of the noise, and of how wrong the model is.

use super::banded::Banded;
use super::noise::{IN_CORE, Noise};
use super::star::Star;

/// Squared residuals beyond this many sigmas count as this many.
const CAP: f64 = 9.0;
/// Mean of a squared normal deviate that is capped there.
const CAPPED_MEAN: f64 = 0.995;

/// Whether the errors follow the noise of the data, and by how much the variance
/// rises with the flux: it is then a function of the data, less scattered than
/// about one of the model.
pub(crate) fn data_slope(stars: &[Star<'_>]) -> Option<f64> {
    let (mut vv, mut vd, mut dd, mut vm, mut mm) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (star, exposure) in stars.iter().flat_map(Star::active_exposures) {
        let (data, error) = (exposure.data(), exposure.error()?);
        let used = || (0..data.len()).filter(|&k| exposure.is_used(k));
        let n = used().count() as f64;
        if n < 10.0 {
            continue;
        }
        let factor = star.flux_in(exposure);
        let mean = |value: &dyn Fn(usize) -> f64| used().map(value).sum::<f64>() / n;
        let (variance, model) = (
            |k: usize| error[k] * error[k],
            |k: usize| exposure.light(k, factor),
        );
        let (v0, d0, m0) = (mean(&variance), mean(&|k| data[k]), mean(&model));
        for k in used() {
            let (v, d, m) = (variance(k) - v0, data[k] - d0, model(k) - m0);
            // Each star counts alike.
            let count = 1.0 / (n * v0 * v0);
            vv += count * v * v;
            vd += count * v * d;
            dd += count * d * d;
            vm += count * v * m;
            mm += count * m * m;
        }
    }
    let scatter_about = |by: f64, square: f64| 1.0 - by * by / (vv * square);
    let varies = vv > 1e-12;
    let follows = varies && scatter_about(vd, dd) < 0.5 * scatter_about(vm, mm);
    (follows && vd > 0.0).then(|| vd / dd)
}

/// What the residuals say of a pixel where the model counts.
struct Sample {
    /// The variance that an error of 1 of the model would make.
    model2: f64,
    residual2: f64,
    variance: f64,
    /// The part of its variance that the star's own fit leaves.
    freedom: f64,
}

/// The relative error of the model at which the residuals of the cores are as
/// large as they should be (the maximum likelihood of a normal error, with large
/// residuals capped).
pub(crate) fn model_error(stars: &[Star<'_>], noise: &Noise) -> f64 {
    /// A square that is none.
    const LEAST: f64 = 1e-8;
    let samples = core_samples(stars, noise);
    let excess = |e2: f64| -> f64 {
        samples
            .iter()
            .map(|s| {
                let v = s.variance + e2 * s.model2;
                let z2 = (s.residual2 / v).min(CAP);
                s.model2 / v * (z2 - CAPPED_MEAN * s.freedom)
            })
            .sum()
    };
    if samples.is_empty() || excess(LEAST) <= 0.0 {
        return 0.0;
    }
    let (mut low, mut high) = (LEAST.ln(), 0.0);
    for _ in 0..30 {
        let middle = f64::midpoint(low, high);
        if excess(middle.exp()) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high).exp().sqrt()
}

fn core_samples(stars: &[Star<'_>], noise: &Noise) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (star, exposure) in stars.iter().flat_map(Star::active_exposures) {
        let factor = star.flux_in(exposure);
        let leverage = star.leverage(exposure);
        let peak = exposure.peak(factor);
        for k in 0..exposure.psi.len() {
            if !exposure.is_used(k) || exposure.light(k, factor) < IN_CORE * peak {
                continue;
            }
            let model = exposure.light(k, factor);
            let variance = exposure.variance(k, noise, factor);
            if model * model < 0.1 * variance {
                continue;
            }
            samples.push(Sample {
                model2: noise.mismatch(1.0, model, peak),
                residual2: exposure.residual(k, factor).powi(2),
                variance,
                freedom: (1.0 - leverage(k)).max(0.0),
            });
        }
    }
    samples
}

/// The least noise that makes a star's pixels believable, as a part of their
/// median scatter.
const TINY: f64 = 1e-6;

/// Constant and slope of the variance that the residuals have, by least squares over
/// bins of the model's flux; a relative error of the model is told from them where
/// there may be one.
pub(crate) fn variance(stars: &[Star<'_>], with_model_error: bool) -> (f64, f64) {
    let mut pairs = Vec::new();
    for (star, exposure) in stars.iter().flat_map(Star::active_exposures) {
        let factor = star.flux_in(exposure);
        let leverage = star.leverage(exposure);
        for k in 0..exposure.psi.len() {
            if exposure.is_used(k) {
                let freedom = (1.0 - leverage(k)).max(0.05);
                let residual2 = exposure.residual(k, factor).powi(2);
                pairs.push((exposure.light(k, factor).max(0.0), residual2 / freedom));
            }
        }
    }
    let bins = binned(&mut pairs);
    let Some(&(_, faint)) = bins.first() else {
        return (1.0, 0.0);
    };
    let floor = faint.max(f64::MIN_POSITIVE) * TINY;
    let terms = |m: f64| [1.0, m, m * m];
    // Of the combinations without a negative part, that with the least misfit.
    let mut best = (f64::INFINITY, [faint.max(floor), 0.0, 0.0]);
    for subset in [0b001, 0b011, 0b101, 0b111] {
        if subset & 0b100 != 0 && !with_model_error {
            continue;
        }
        let Some(solution) = least_squares(&bins, subset) else {
            continue;
        };
        let misfit: f64 = bins
            .iter()
            .map(|&(m, v)| {
                let model: f64 = terms(m).iter().zip(solution).map(|(t, s)| t * s).sum();
                (model / v - 1.0).powi(2)
            })
            .sum();
        if solution.iter().all(|s| *s >= 0.0) && solution[0] > 0.0 && misfit < best.0 {
            best = (misfit, solution);
        }
    }
    let [constant, slope, _] = best.1;
    (constant.max(floor), slope)
}

/// (flux, variance) of bins: the faintest half of the pixels, of the rest the
/// faintest half, and so on.
fn binned(pairs: &mut [(f64, f64)]) -> Vec<(f64, f64)> {
    const FEWEST: usize = 30;
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut bins = Vec::new();
    let mut rest = pairs;
    while rest.len() >= FEWEST {
        let n = if rest.len() < 2 * FEWEST {
            rest.len()
        } else {
            rest.len() / 2
        };
        let (bin, brighter) = rest.split_at_mut(n);
        let flux = bin.iter().map(|p| p.0).sum::<f64>() / n as f64;
        let (_, middle, _) = bin.select_nth_unstable_by(n / 2, |a, b| a.1.total_cmp(&b.1));
        // The median of a squared normal deviate is 0.4549.
        if middle.1 > 0.0 {
            bins.push((flux, middle.1 / 0.4549));
        }
        rest = brighter;
    }
    bins
}

/// The terms of `subset` (bits: constant, linear, square) that fit the bins'
/// variances, each relative to itself.
fn least_squares(bins: &[(f64, f64)], subset: u8) -> Option<[f64; 3]> {
    let chosen: Vec<usize> = (0..3).filter(|t| subset >> t & 1 == 1).collect();
    if bins.len() < chosen.len() {
        return None;
    }
    let n = chosen.len();
    let mut matrix = Banded::new(n, n - 1);
    let mut right = vec![0.0; n];
    // Columns of like size.
    let top = bins.last().map_or(1.0, |bin| bin.0).max(f64::MIN_POSITIVE);
    for &(m, v) in bins {
        let terms: Vec<f64> = chosen
            .iter()
            .map(|&t| (m / top).powi(t as i32) / v)
            .collect();
        for i in 0..n {
            right[i] += terms[i];
            for j in 0..=i {
                *matrix.at(i, j) += terms[i] * terms[j];
            }
        }
    }
    if !matrix.factor() {
        return None;
    }
    matrix.solve_lower(&mut right);
    matrix.solve_upper(&mut right);
    let mut solution = [0.0; 3];
    for (&t, value) in chosen.iter().zip(right) {
        solution[t] = value / top.powi(t as i32);
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_give_back_the_variance_that_made_them() {
        let bins: Vec<_> = (0..9)
            .map(|k| {
                let m = 4.0_f64.powi(k);
                (m, 25.0 + 2.0 * m + 1e-4 * m * m)
            })
            .collect();
        let [a, b, c] = least_squares(&bins, 0b111).unwrap_or_default();
        assert!((a - 25.0).abs() < 1e-6 && (b - 2.0).abs() < 1e-6 && (c - 1e-4).abs() < 1e-9);
    }
}
