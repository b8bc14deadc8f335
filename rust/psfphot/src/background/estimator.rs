//! From the values of an annulus or of a box to one level and one scatter.

use super::clip::{Clip, Kept, MAD_TO_SIGMA, Space};
use crate::{Error, Run};

/// What is taken for the level of values that are left by a clipping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// The mean.
    Mean,
    /// The median.
    Median,
    /// `median_factor` · median − `mean_factor` · mean, an estimate of the
    /// mode.
    Mode {
        /// Factor of the median.
        median_factor: f64,
        /// Factor of the mean.
        mean_factor: f64,
    },
    /// 2.5 · median − 1.5 · mean; but the median where that and the mean are
    /// 0.3 standard deviations or more apart, and the mean where the standard
    /// deviation is 0 (Bertin & Arnouts 1996, A&AS 117, 393).
    SExtractor,
    /// Tukey's biweight location (Beers, Flynn & Gebhardt 1990, AJ 100, 32,
    /// equation 5).
    BiweightLocation {
        /// Values farther than so many median absolute deviations (from the
        /// median) have no weight.
        c: f64,
        /// Where deviations are measured from; `None` for the median.
        start: Option<f64>,
    },
}

/// How a level is estimated: clip, then reduce.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimator {
    /// What is taken for the level.
    pub level: Level,
    /// The clipping before; `None` for none.
    pub clip: Option<Clip>,
}

impl Default for Estimator {
    /// The median after clipping at three standard deviations, in up to ten
    /// rounds.
    fn default() -> Self {
        Self {
            level: Level::Median,
            clip: Some(Clip::default()),
        }
    }
}

impl Estimator {
    /// The level of finite values, and its variance; NaN where none is left.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn estimate(
        &self,
        values: &[f64],
        space: &mut Space,
        run: Run<'_>,
    ) -> Result<Measured, Error> {
        let kept = space.clip(values, self.clip.as_ref(), run)?;
        Ok(Measured {
            level: self.level.of(values, &kept, space, run)?,
            // That of the values divided by n − 1; of a single one nothing is known.
            variance: self.level.variance_factor() * kept.std * kept.std / (kept.n - 1.0),
        })
    }
}

/// A level, and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The level.
    pub level: f64,
    /// Its variance, if the values are independent and normally distributed; not
    /// finite for a single value.
    pub variance: f64,
}

impl Level {
    /// The variance of the level of many normal values, in units of that of their
    /// mean: 1 for the mean, π/2 for the median (and the covariance of the two
    /// is the variance of the mean; Stuart & Ord 1987, Kendall's Advanced Theory
    /// of Statistics, §10).
    fn variance_factor(&self) -> f64 {
        let mode = |median: f64, mean: f64| {
            median * median * std::f64::consts::FRAC_PI_2 - 2.0 * median * mean + mean * mean
        };
        match *self {
            Self::Mean => 1.0,
            Self::Median => mode(1.0, 0.0),
            Self::Mode {
                median_factor,
                mean_factor,
            } => mode(median_factor, mean_factor),
            Self::SExtractor => mode(2.5, 1.5),
            Self::BiweightLocation { c, .. } => biweight_factor(c / MAD_TO_SIGMA),
        }
    }

    /// The level of the values kept; NaN of none.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn of(
        &self,
        values: &[f64],
        kept: &Kept,
        space: &mut Space,
        run: Run<'_>,
    ) -> Result<f64, Error> {
        Ok(match *self {
            Self::Mean => kept.mean,
            Self::Median => kept.median,
            Self::Mode {
                median_factor,
                mean_factor,
            } => median_factor * kept.median - mean_factor * kept.mean,
            Self::SExtractor => sextractor(kept),
            Self::BiweightLocation { c, start } => {
                let width = c * space.mad(values, kept, run)?;
                biweight_location(values, kept, start.unwrap_or(kept.median), width)
            }
        })
    }
}

/// What is taken for the scatter of values that are left by a clipping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scatter {
    /// The standard deviation, divided by n.
    Std,
    /// The median absolute deviation from the median, as a standard deviation.
    MadStd,
    /// Tukey's biweight scale (Beers, Flynn & Gebhardt 1990, AJ 100, 32,
    /// equation 9).
    BiweightScale {
        /// Values farther than so many median absolute deviations (from the
        /// median) have no weight.
        c: f64,
        /// Where deviations are measured from; `None` for the median.
        start: Option<f64>,
    },
}

impl Scatter {
    /// The scatter of the values kept; NaN of none.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn of(
        &self,
        values: &[f64],
        kept: &Kept,
        space: &mut Space,
        run: Run<'_>,
    ) -> Result<f64, Error> {
        Ok(match *self {
            Self::Std => kept.std,
            Self::MadStd => MAD_TO_SIGMA * space.mad(values, kept, run)?,
            Self::BiweightScale { c, start } => {
                let width = c * space.mad(values, kept, run)?;
                biweight_scale(values, kept, start.unwrap_or(kept.median), width)
            }
        })
    }
}

fn sextractor(kept: &Kept) -> f64 {
    if kept.std <= 0.0 {
        kept.mean
    } else if (kept.mean - kept.median).abs() / kept.std >= 0.3 {
        kept.median
    } else {
        2.5 * kept.median - 1.5 * kept.mean
    }
}

fn biweight_location(values: &[f64], kept: &Kept, start: f64, width: f64) -> f64 {
    if kept.n <= 0.0 {
        return f64::NAN;
    }
    if width == 0.0 {
        return start;
    }
    let (mut sum, mut weights) = (0.0, 0.0);
    for value in values.iter().filter(|&&v| kept.has(v)) {
        let d = value - start;
        let u = d / width;
        if u.abs() < 1.0 {
            let weight = (1.0 - u * u).powi(2);
            sum += d * weight;
            weights += weight;
        }
    }
    start + sum / weights
}

/// The variance of the biweight location of normal values over that of their
/// mean: ⟨ψ²⟩ / ⟨ψ′⟩² with ψ = z (1 − (z/c)²)² (Huber 1981, Robust Statistics, §3.2).
fn biweight_factor(c: f64) -> f64 {
    // Beyond ±9 σ there is nothing of a normal distribution.
    let end = c.min(9.0);
    let n = 200;
    let (mut square, mut slope) = (0.0, 0.0);
    // The sums of the midpoints are as good as ψ is smooth at ±c.
    for k in 0..n {
        let z = end * (f64::from(k) + 0.5) / f64::from(n);
        let (u2, density) = ((z / c).powi(2), (-0.5 * z * z).exp());
        square += density * (z * (1.0 - u2).powi(2)).powi(2);
        slope += density * (1.0 - u2) * (1.0 - 5.0 * u2);
    }
    // 2 · end / n / √(2π) is the weight of both sums.
    let weight = 2.0 * end / f64::from(n) / (2.0 * std::f64::consts::PI).sqrt();
    square / (slope * slope * weight)
}

fn biweight_scale(values: &[f64], kept: &Kept, start: f64, width: f64) -> f64 {
    if kept.n <= 0.0 {
        return f64::NAN;
    }
    if width == 0.0 {
        return 0.0;
    }
    let (mut above, mut below) = (0.0, 0.0);
    for value in values.iter().filter(|&&v| kept.has(v)) {
        let d = value - start;
        let u2 = (d / width).powi(2);
        if u2 < 1.0 {
            above += d * d * (1.0 - u2).powi(4);
            below += (1.0 - u2) * (1.0 - 5.0 * u2);
        }
    }
    kept.n.sqrt() * f64::sqrt(above) / f64::abs(below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn estimate(values: &[f64], level: Level) -> f64 {
        let estimator = Estimator { level, clip: None };
        estimator
            .estimate(values, &mut Space::default(), Run::new())
            .unwrap()
            .level
    }

    const MODE: Level = Level::Mode {
        median_factor: 3.0,
        mean_factor: 2.0,
    };
    const BIWEIGHT: Level = Level::BiweightLocation {
        c: 6.0,
        start: None,
    };

    proptest! {
        #[test]
        fn levels_move_and_scale_with_the_values(
            values in prop::collection::vec(-1.0..1.0_f64, 1..200),
            offset in -10.0..10.0_f64,
            scale in 0.5..4.0_f64,
        ) {
            let moved: Vec<f64> = values.iter().map(|v| offset + scale * v).collect();
            for level in [Level::Mean, Level::Median, MODE, BIWEIGHT] {
                let expected = offset + scale * estimate(&values, level);
                prop_assert!((estimate(&moved, level) - expected).abs() < 1e-12);
            }
        }
    }

    /// Of 20,000 samples of 101 normal values each.
    #[test]
    fn the_variance_is_that_of_levels_of_normal_values() {
        let mut state = 12345_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        let mut normal = || {
            let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), uniform());
            3.0 * radius * (2.0 * std::f64::consts::PI * angle).cos()
        };
        let samples: Vec<Vec<f64>> = (0..20_000)
            .map(|_| (0..101).map(|_| normal()).collect())
            .collect();
        let sextractor = Level::SExtractor;
        for level in [Level::Mean, Level::Median, MODE, sextractor, BIWEIGHT] {
            let estimator = Estimator { level, clip: None };
            let mut space = Space::default();
            let (mut square, mut predicted) = (0.0, 0.0);
            for values in &samples {
                let measured = estimator.estimate(values, &mut space, Run::new()).unwrap();
                square += measured.level.powi(2);
                predicted += measured.variance;
            }
            let ratio = predicted / square;
            assert!((ratio - 1.0).abs() < 0.05, "{level:?}: {ratio}");
        }
    }

    #[test]
    fn sextractor_has_three_cases() {
        let level = |values: &[f64]| estimate(values, Level::SExtractor);
        assert!((level(&[2.5; 9]) - 2.5).abs() < 1e-15);
        // A mean of 2 and a median of 1: 0.5 standard deviations apart.
        assert!((level(&[1.0, 1.0, 1.0, 1.0, 6.0]) - 1.0).abs() < 1e-15);
        let near = [0.0, 1.0, 2.1];
        let mean = near.iter().sum::<f64>() / 3.0;
        assert!((level(&near) - (2.5 - 1.5 * mean)).abs() < 1e-15);
    }

    #[test]
    fn scatters_of_a_few_values() {
        let scatter = |values: &[f64], scatter: Scatter| {
            let space = &mut Space::default();
            let kept = space.clip(values, None, Run::new()).unwrap();
            scatter.of(values, &kept, space, Run::new()).unwrap()
        };
        let biweight = Scatter::BiweightScale {
            c: 9.0,
            start: None,
        };
        let values = [1.0, 2.0, 3.0, 4.0, 10.0];
        assert!((scatter(&values, Scatter::Std) - 10f64.sqrt()).abs() < 1e-14);
        assert!((scatter(&values, Scatter::MadStd) - MAD_TO_SIGMA).abs() < 1e-14);
        // Deviations of -2, -1, 0, 1 and 7, and a width of 9.
        let u2 = |d: f64| (d / 9.0).powi(2);
        let deviations = [-2.0, -1.0, 0.0, 1.0, 7.0];
        let above: f64 = deviations
            .iter()
            .map(|&d| d * d * (1.0 - u2(d)).powi(4))
            .sum();
        let below: f64 = deviations
            .iter()
            .map(|&d| (1.0 - u2(d)) * (1.0 - 5.0 * u2(d)))
            .sum();
        let expected = (5.0 * above).sqrt() / below;
        assert!((scatter(&values, biweight) - expected).abs() < 1e-13);
        assert!(scatter(&[2.0; 4], biweight).abs() < 1e-300);
        for each in [Scatter::Std, Scatter::MadStd, biweight] {
            assert!(scatter(&[], each).is_nan());
        }
    }

    #[test]
    fn a_biweight_leaves_outliers_out() {
        assert!((estimate(&[1.0, 2.0, 3.0, 1e9], BIWEIGHT) - 2.0).abs() < 0.2);
        assert!((estimate(&[4.0; 5], BIWEIGHT) - 4.0).abs() < 1e-15);
        let from = |start| Level::BiweightLocation {
            c: 6.0,
            start: Some(start),
        };
        let values = [1.0, 2.0, 3.0, 4.5];
        assert!(estimate(&values, from(2.0)) > 2.0);
        assert!(estimate(&values, from(1e3)).is_nan());
        assert!(estimate(&[], BIWEIGHT).is_nan());
    }
}
