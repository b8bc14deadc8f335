//! Sigma clipping, and the moments and the median of what it leaves.
//!
//! What is left after any number of rounds are the values between two bounds.
//! So nothing is moved or sorted in a round: one pass sums what lies between
//! the bounds, and the median is looked up in the middle part of the values,
//! which is sorted once.

use std::cmp::Ordering;

use crate::simd::dispatch;
use crate::sort::sort;
use crate::{Error, Run};

/// From the median absolute deviation of a Gaussian to its standard deviation,
/// 1/Φ⁻¹(3/4).
pub(crate) const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// Where the clipping is centred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Centre {
    /// At the median.
    #[default]
    Median,
    /// At the mean.
    Mean,
}

/// What the clipping is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spread {
    /// The standard deviation, divided by n.
    #[default]
    Std,
    /// The median absolute deviation from the median, as a standard deviation.
    MadStd,
}

/// Sigma clipping as that of `astropy.stats.SigmaClip` along an axis: values
/// farther than so many spreads from the centre are dropped, until nothing is
/// dropped or for so many rounds. What is left in the end are all values, also
/// dropped ones, that lie between the bounds of the last round: they can be
/// wider than those of a round before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clip {
    /// How many spreads below the centre are kept.
    pub lower: f64,
    /// How many spreads above the centre are kept.
    pub upper: f64,
    /// The most rounds; `usize::MAX` for no limit.
    pub rounds: usize,
    /// The centre.
    pub centre: Centre,
    /// The spread.
    pub spread: Spread,
}

impl Default for Clip {
    /// Three standard deviations from the median, ten rounds.
    fn default() -> Self {
        Self {
            lower: 3.0,
            upper: 3.0,
            rounds: 10,
            centre: Centre::Median,
            spread: Spread::Std,
        }
    }
}

/// What a clipping leaves, all NaN of no values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kept {
    /// Lowest and highest value that may stay.
    pub(crate) bounds: (f64, f64),
    pub(crate) n: f64,
    pub(crate) mean: f64,
    pub(crate) median: f64,
    /// Divided by n.
    pub(crate) std: f64,
}

impl Kept {
    /// Whether a value stays.
    pub(crate) fn has(&self, value: f64) -> bool {
        self.bounds.0 <= value && value <= self.bounds.1
    }
}

/// Workspace of clippings, which carries nothing from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Space {
    /// The sorted middle of the values.
    middle: Vec<f64>,
    /// How many values lie below it.
    below: usize,
    /// Deviations from the median.
    deviations: Vec<f64>,
}

/// With fewer values than this all are sorted: it takes less than a
/// microsecond.
const FEW: usize = 100;

/// As many values, evenly spaced, say where the middle is, and so many of them,
/// above and below their median, bound it: the median of all lies outside in
/// 1 % of cases, and then all are sorted. Of an annulus' values a larger sample
/// takes as much longer to sort as a narrower middle takes less.
const SAMPLE: (usize, usize) = (64, 10);

/// The same for `MANY` values or more, as in the boxes of a mesh.
const LARGE_SAMPLE: (usize, usize) = (256, 20);
const MANY: usize = 1500;

impl Space {
    /// Clips finite values, or none without a clip.
    ///
    /// # Errors
    /// [`Error::Cancelled`]: the values can be those of an image.
    pub(crate) fn clip(
        &mut self,
        values: &[f64],
        clip: Option<&Clip>,
        run: Run<'_>,
    ) -> Result<Kept, Error> {
        let shift = self.sort_middle(values, run)?;
        let everything = (f64::NEG_INFINITY, f64::INFINITY);
        let mut kept = self.keep(values, everything, shift, run)?;
        let Some(clip) = clip else {
            return Ok(kept);
        };
        let mut last = everything;
        for _ in 0..clip.rounds {
            let centre = match clip.centre {
                Centre::Median => kept.median,
                Centre::Mean => kept.mean,
            };
            let spread = match clip.spread {
                Spread::Std => kept.std,
                Spread::MadStd => MAD_TO_SIGMA * self.mad(values, &kept, run)?,
            };
            last = (centre - clip.lower * spread, centre + clip.upper * spread);
            // `max` and `min` pass over a bound that is NaN.
            let bounds = (kept.bounds.0.max(last.0), kept.bounds.1.min(last.1));
            let n = kept.n;
            kept = self.keep(values, bounds, kept.median, run)?;
            if kept.n >= n || kept.n <= 0.0 {
                break;
            }
        }
        let is_wider = last.0 < kept.bounds.0 || last.1 > kept.bounds.1;
        if is_wider && kept.n > 0.0 {
            kept = self.keep(values, last, kept.median, run)?;
        }
        Ok(kept)
    }

    /// The median absolute deviation of the values kept from their median.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn mad(&mut self, values: &[f64], kept: &Kept, run: Run<'_>) -> Result<f64, Error> {
        run.check()?;
        let deviations = &mut self.deviations;
        deviations.clear();
        deviations.extend(
            values
                .iter()
                .filter(|&&v| kept.has(v))
                .map(|v| (v - kept.median).abs()),
        );
        let half = deviations.len() / 2;
        if half >= deviations.len() {
            return Ok(f64::NAN);
        }
        run.check()?;
        let is_odd = deviations.len() % 2 == 1;
        let (lower, &mut middle, _) = deviations.select_nth_unstable_by(half, f64::total_cmp);
        if is_odd {
            return Ok(middle);
        }
        let below = lower.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Ok(mean_of_two(below, middle))
    }

    /// Sums the values between bounds. `shift` is near their mean, so that the
    /// variance does not cancel.
    fn keep(
        &mut self,
        values: &[f64],
        bounds: (f64, f64),
        shift: f64,
        run: Run<'_>,
    ) -> Result<Kept, Error> {
        run.check()?;
        let [below, n, first, second] = sums(values, bounds.0, bounds.1, shift);
        let mean = first / n;
        let variance = second / n - mean * mean;
        let median = self.median(values, below as usize, n as usize, run)?;
        Ok(Kept {
            bounds,
            n,
            // Of a single value exactly that, else the next round could lose it.
            mean: if n > 2.0 { shift + mean } else { median },
            median,
            // Rounding can make a variance of 0 negative; NaN stays.
            std: match n {
                1.0 => 0.0,
                _ if variance < 0.0 => 0.0,
                _ => variance.sqrt(),
            },
        })
    }

    /// The median of `n` values above the `below` lowest ones.
    fn median(
        &mut self,
        values: &[f64],
        below: usize,
        n: usize,
        run: Run<'_>,
    ) -> Result<f64, Error> {
        if n == 0 {
            return Ok(f64::NAN);
        }
        let (low, high) = (below + (n - 1) / 2, below + n / 2);
        if self.ranked(low).is_none() || self.ranked(high).is_none() {
            self.sort_all(values, run)?;
        }
        Ok(match (self.ranked(low), self.ranked(high)) {
            (Some(value), Some(_)) if low == high => value,
            (Some(low), Some(high)) => mean_of_two(low, high),
            _ => f64::NAN,
        })
    }

    /// The value with so many lower ones, if it is in the middle.
    fn ranked(&self, rank: usize) -> Option<f64> {
        self.middle.get(rank.checked_sub(self.below)?).copied()
    }

    /// Sorts the middle of the values; returns about their median.
    fn sort_middle(&mut self, values: &[f64], run: Run<'_>) -> Result<f64, Error> {
        if values.len() < FEW {
            self.sort_all(values, run)?;
            return Ok(self.ranked(values.len() / 2).unwrap_or(0.0));
        }
        let (size, reach) = if values.len() < MANY {
            SAMPLE
        } else {
            LARGE_SAMPLE
        };
        let mut sample = [0.0; LARGE_SAMPLE.0];
        let sample = &mut sample[..size];
        for (k, value) in sample.iter_mut().enumerate() {
            *value = values[k * values.len() / size];
        }
        sample.sort_unstable_by(in_order);
        let half = size / 2;
        let (low, high) = (sample[half - reach], sample[half + reach]);
        let middle = &mut self.middle;
        middle.resize(values.len(), 0.0);
        let (mut n, mut below) = (0, 0);
        for &value in values {
            // Written in any case: faster than a branch that is hard to guess.
            middle[n] = value;
            n += usize::from(low <= value && value <= high);
            below += usize::from(value < low);
        }
        middle.truncate(n);
        sort(middle, in_order, run)?;
        self.below = below;
        Ok(sample[half])
    }

    fn sort_all(&mut self, values: &[f64], run: Run<'_>) -> Result<(), Error> {
        self.middle.clear();
        self.middle.extend_from_slice(values);
        self.below = 0;
        sort(&mut self.middle, in_order, run)
    }
}

/// Twice as fast as `total_cmp`, and an order because none is NaN.
#[allow(clippy::trivially_copy_pass_by_ref)] // as sorting passes them
fn in_order(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}

/// Half of each, so that the sum cannot overflow.
fn mean_of_two(a: f64, b: f64) -> f64 {
    0.5 * a + 0.5 * b
}

dispatch! {
    /// Of finite values: how many are below `low`; and of those from `low` to
    /// `high`: how many, Σ (v − shift) and Σ (v − shift)².
    fn sums(values: &[f64], low: f64, high: f64, shift: f64) -> [f64; 4] = sums_kernel
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn sums_kernel<const _FMA: bool>(values: &[f64], low: f64, high: f64, shift: f64) -> [f64; 4] {
    // One kind of sum after the other, so that the compiler vectorises each.
    let below = sum(values, |v| if v < low { 1.0 } else { 0.0 });
    let above = sum(values, |v| if v > high { 1.0 } else { 0.0 });
    let kept = |v: f64| {
        let d = if v < low { 0.0 } else { v - shift };
        if v > high { 0.0 } else { d }
    };
    let first = sum(values, kept);
    let second = sum(values, |v| kept(v) * kept(v));
    [below, values.len() as f64 - below - above, first, second]
}

/// Σ f(v) in eight interleaved sums, which the compiler vectorises.
#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn sum(values: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let (blocks, rest) = values.as_chunks::<8>();
    for block in blocks {
        for (lane, &v) in lanes.iter_mut().zip(block) {
            *lane += f(v);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&v| f(v)).sum::<f64>()
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain_mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn plain_median(values: &[f64]) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        mean_of_two(sorted[(n - 1) / 2], sorted[n / 2])
    }

    fn plain_std(values: &[f64]) -> f64 {
        let mean = plain_mean(values);
        let squares: Vec<f64> = values.iter().map(|v| (v - mean).powi(2)).collect();
        plain_mean(&squares).sqrt()
    }

    fn plain_mad(values: &[f64]) -> f64 {
        let median = plain_median(values);
        let deviations: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
        plain_median(&deviations)
    }

    /// Word for word what the documentation says, on plain vectors.
    fn by_definition(values: &[f64], clip: &Clip) -> Vec<f64> {
        let mut kept = values.to_vec();
        let mut bounds = (f64::NEG_INFINITY, f64::INFINITY);
        for _ in 0..clip.rounds {
            let centre = match clip.centre {
                Centre::Median => plain_median(&kept),
                Centre::Mean => plain_mean(&kept),
            };
            let spread = match clip.spread {
                Spread::Std => plain_std(&kept),
                Spread::MadStd => MAD_TO_SIGMA * plain_mad(&kept),
            };
            let before = kept.len();
            bounds = (centre - clip.lower * spread, centre + clip.upper * spread);
            kept.retain(|&v| v >= bounds.0 && v <= bounds.1);
            if kept.is_empty() {
                return kept;
            }
            if kept.len() == before {
                break;
            }
        }
        let within = |v: &&f64| **v >= bounds.0 && **v <= bounds.1;
        values.iter().filter(within).copied().collect()
    }

    fn clips() -> impl Strategy<Value = Clip> {
        (
            1.0..4.0_f64,
            1.0..4.0_f64,
            prop_oneof![0..5_usize, Just(usize::MAX)],
            prop_oneof![Just(Centre::Median), Just(Centre::Mean)],
            prop_oneof![Just(Spread::Std), Just(Spread::MadStd)],
        )
            .prop_map(|(lower, upper, rounds, centre, spread)| Clip {
                lower,
                upper,
                rounds,
                centre,
                spread,
            })
    }

    proptest! {
        #[test]
        fn clipping_follows_its_definition(
            values in prop::collection::vec(prop_oneof![9 => -1.0..1.0, 1 => -50.0..90.0], 1..500),
            clip in clips(),
        ) {
            let kept = Space::default().clip(&values, Some(&clip), Run::new()).unwrap();
            let expected = by_definition(&values, &clip);
            prop_assert_eq!(kept.n, expected.len() as f64);
            if expected.is_empty() {
                prop_assert!(kept.median.is_nan() && kept.mean.is_nan() && kept.std.is_nan());
            } else {
                prop_assert_eq!(kept.median, plain_median(&expected));
                prop_assert!((kept.mean - plain_mean(&expected)).abs() < 1e-12);
                prop_assert!((kept.std - plain_std(&expected)).abs() < 1e-12);
                let mad = Space::default().mad(&values, &kept, Run::new()).unwrap();
                prop_assert_eq!(mad, plain_mad(&expected));
            }
        }

        #[test]
        fn ties_and_trends_have_medians(
            values in prop::collection::vec((0..4_i32).prop_map(f64::from), 1..400),
            slope in prop_oneof![Just(0.0), -1.0..1.0_f64],
        ) {
            let trend = |(k, v): (usize, &f64)| v + slope * k as f64;
            let values: Vec<f64> = values.iter().enumerate().map(trend).collect();
            let kept = Space::default().clip(&values, None, Run::new()).unwrap();
            prop_assert_eq!(kept.median, plain_median(&values));
        }
    }

    #[test]
    fn a_workspace_carries_nothing_over() {
        let mut space = Space::default();
        let mut median = |values: &[f64]| space.clip(values, None, Run::new()).unwrap().median;
        let many: Vec<f64> = (0..1000).map(|k| f64::from(k * 7919 % 1000)).collect();
        assert_eq!(median(&many), 499.5);
        assert_eq!(median(&[3.0]), 3.0);
        assert!(median(&[]).is_nan());
        // A sample that misleads: every value that it takes is of the lowest.
        let comb: Vec<f64> = (0..1024).map(|k| f64::from(k % 16)).collect();
        assert_eq!(median(&comb), 7.5);
    }

    #[test]
    fn equal_and_extreme_values_have_a_median() {
        let median = |values: &[f64]| {
            let clip = Clip::default();
            Space::default()
                .clip(values, Some(&clip), Run::new())
                .unwrap()
                .median
        };
        assert_eq!(median(&[0.1; 7]), 0.1);
        assert_eq!(median(&[1e308, 1e308, -1e308]), 1e308);
        assert_eq!(median(&[1e308, 1e308]), 1e308);
        assert_eq!(median(&[0.1; 300]), 0.1);
        assert!(median(&[]).is_nan());
    }
}
