//! The local background of a source that has none of its own.

use std::borrow::Cow;
use std::collections::HashMap;

/// The levels with which sources are fitted: each its own where that is finite.
///
/// Else it is the mean of those of its group, as its neighbours lie in the same
/// light, or the median of all, or 0 where none is known. Nobody's level is 0 for
/// want of a number: in a group the neighbours would pay for it.
#[must_use]
pub fn known_backgrounds<'a>(background: &'a [f64], groups: Option<&[i64]>) -> Cow<'a, [f64]> {
    let mut known: Vec<f64> = background
        .iter()
        .copied()
        .filter(|b| b.is_finite())
        .collect();
    if known.len() == background.len() {
        return Cow::Borrowed(background);
    }
    let middle = known.len() / 2;
    let all = if known.is_empty() {
        0.0
    } else {
        *known.select_nth_unstable_by(middle, f64::total_cmp).1
    };
    let mut of_group: HashMap<i64, (f64, f64)> = HashMap::new();
    for (&label, &level) in groups.unwrap_or_default().iter().zip(background) {
        if level.is_finite() {
            let (sum, n) = of_group.entry(label).or_default();
            *sum += level;
            *n += 1.0;
        }
    }
    let level = |i: usize| {
        if background[i].is_finite() {
            return background[i];
        }
        let label = groups.and_then(|groups| groups.get(i));
        let own = label.and_then(|label| of_group.get(label));
        own.map_or(all, |(sum, n)| sum / n)
    };
    Cow::Owned((0..background.len()).map(level).collect())
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn the_group_s_mean_then_the_median_of_all_then_nothing() {
        let levels = [1.0, 3.0, NAN, 7.0, f64::INFINITY, 9.0];
        let groups = [4, 4, 4, 5, 6, 7];
        let of_groups = known_backgrounds(&levels, Some(&groups));
        assert_eq!(of_groups[..], [1.0, 3.0, 2.0, 7.0, 7.0, 9.0]);
        let alone = known_backgrounds(&levels, None);
        assert_eq!(alone[..], [1.0, 3.0, 7.0, 7.0, 7.0, 9.0]);
        assert_eq!(known_backgrounds(&[NAN, NAN], Some(&[1, 1]))[..], [0.0; 2]);
    }

    #[test]
    fn levels_that_are_all_known_are_not_copied() {
        let levels = [1.0, 2.0];
        assert!(matches!(known_backgrounds(&levels, None), Cow::Borrowed(_)));
    }
}
