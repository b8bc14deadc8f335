//! Matching two catalogues.

use psfphot::matching::{Pairs, match_points, near_pairs};

use crate::bytes::Bytes;
use crate::calls::call;

/// The pairs are those that a look at all pairs gives.
///
/// # Panics
/// Where the core breaks a promise.
pub fn matching(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    if bytes.one_in(2) {
        catalogues::<3>(&mut bytes);
    } else {
        catalogues::<2>(&mut bytes);
    }
}

fn catalogues<const D: usize>(bytes: &mut Bytes<'_>) {
    let first = points::<D>(bytes, &[]);
    let second = points::<D>(bytes, &first);
    let radius = bytes.number(0.0, 5.0);
    let matched = call(bytes, None, |run| {
        match_points(&first, &second, radius, run)
    });
    let near = call(bytes, Some(first.len()), |run| {
        near_pairs(&first, &second, radius, run)
    });
    assert_eq!(matched.is_ok(), near.is_ok(), "one check of the radius");
    let (Ok(matched), Ok(near)) = (matched, near) else {
        return;
    };
    let limit = radius * radius;
    let is_near = |a, b| distance(a, b).is_some_and(|distance| distance <= limit);
    let mut expected = Pairs::default();
    for (i, a) in first.iter().enumerate() {
        for (j, b) in second.iter().enumerate() {
            if is_near(a, b) {
                expected.first.push(i);
                expected.second.push(j);
            }
        }
    }
    assert_eq!(near, expected, "near pairs");
    let forth: Vec<_> = first.iter().map(|a| nearest(a, &second, limit)).collect();
    let back: Vec<_> = second.iter().map(|b| nearest(b, &first, limit)).collect();
    let mutual = |&(i, j): &(usize, usize)| back[j] == Some(i);
    let chosen = forth
        .iter()
        .enumerate()
        .filter_map(|(i, j)| Some((i, (*j)?)));
    let (first, second) = chosen.filter(mutual).unzip();
    assert_eq!(matched, Pairs { first, second }, "mutual nearest");
}

/// Up to 40 points, often equal to others.
fn points<const D: usize>(bytes: &mut Bytes<'_>, others: &[[f64; D]]) -> Vec<[f64; D]> {
    let mut all = others.to_vec();
    for _ in 0..bytes.below(41) {
        let next = if !all.is_empty() && bytes.one_in(4) {
            all[bytes.below(all.len())]
        } else {
            std::array::from_fn(|_| bytes.number(-6.0, 6.0))
        };
        all.push(next);
    }
    all.split_off(others.len())
}

/// The squared distance of finite points.
fn distance<const D: usize>(a: &[f64; D], b: &[f64; D]) -> Option<f64> {
    let finite = a.iter().chain(b).all(|v| v.is_finite());
    finite.then(|| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum())
}

/// The first of the nearest points within the limit.
fn nearest<const D: usize>(point: &[f64; D], others: &[[f64; D]], limit: f64) -> Option<usize> {
    let squared = |other| distance(point, other).filter(|&d| d <= limit);
    let all = others.iter().enumerate();
    let near = all.filter_map(|(j, other)| Some((squared(other)?, j)));
    near.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
        .map(|(_, j)| j)
}
