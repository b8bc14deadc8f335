//! Equal peaks that are too close to each other become one.
//!
//! Every peak is the largest pixel of a disk around it, so two peaks within
//! its radius are equal: the pixels of a saturated star, or of integer data.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::Peak;
use crate::near::disjoint::DisjointSets;

/// Resolves ties among `peaks`, which are sorted row by row.
///
/// Connected peaks (8-connected where the disk holds the diagonal neighbours,
/// 4-connected where it holds those along the axes) become the one nearest to
/// their centroid. Of equal ones that are then still within `separation`, the
/// one that stands for more pixels is kept, else the first.
pub(super) fn resolve(peaks: Vec<Peak>, separation: f64) -> Vec<Peak> {
    let plateaus = if separation < 1.0 {
        peaks.into_iter().map(|peak| (peak, 1)).collect()
    } else {
        collapse(&peaks, separation * separation >= 2.0)
    };
    thin(&plateaus, separation)
}

/// The peak that stands for each group of connected peaks, and the size of the
/// group, row by row.
fn collapse(peaks: &[Peak], diagonals: bool) -> Vec<(Peak, usize)> {
    let mut groups = DisjointSets::new(peaks.len());
    let reach = usize::from(diagonals);
    // The peaks of the row above, found by walking along behind.
    let mut above = 0;
    for (i, peak) in peaks.iter().enumerate() {
        if i > 0 && (peaks[i - 1].y, peaks[i - 1].x + 1) == (peak.y, peak.x) {
            groups.unite(i - 1, i);
        }
        let first = (peak.y.wrapping_sub(1), peak.x.saturating_sub(reach));
        if peak.y == 0 {
            continue;
        }
        while (peaks[above].y, peaks[above].x) < first {
            above += 1;
        }
        let neighbours =
            (above..i).take_while(|&j| peaks[j].y + 1 == peak.y && peaks[j].x <= peak.x + reach);
        for j in neighbours {
            groups.unite(j, i);
        }
    }
    let roots: Vec<usize> = (0..peaks.len()).map(|i| groups.root(i)).collect();
    let mut order: Vec<usize> = (0..peaks.len()).collect();
    order.sort_by_key(|&i| roots[i]);
    let mut kept: Vec<(usize, usize)> = order
        .chunk_by(|&i, &j| roots[i] == roots[j])
        .map(|group| (most_central(peaks, group), group.len()))
        .collect();
    kept.sort_unstable();
    kept.into_iter().map(|(i, n)| (peaks[i], n)).collect()
}

/// The first of those nearest to the centroid of the group. The squared
/// distances are compared times n², in whole numbers, so that equal ones are
/// equal.
fn most_central(peaks: &[Peak], group: &[usize]) -> usize {
    let n = group.len() as i128;
    let place = |i: usize| (i128::from(peaks[i].x as u64), i128::from(peaks[i].y as u64));
    let (sum_x, sum_y) = group
        .iter()
        .map(|&i| place(i))
        .fold((0, 0), |s, p| (s.0 + p.0, s.1 + p.1));
    let distance = |i: usize| {
        let (dx, dy) = (n * place(i).0 - sum_x, n * place(i).1 - sum_y);
        dx * dx + dy * dy
    };
    let first = group.first().copied().unwrap_or_default();
    group.iter().copied().fold(first, |best, i| {
        if distance(i) < distance(best) {
            i
        } else {
            best
        }
    })
}

/// Keeps, of equal peaks within `separation`, the largest plateau, else the
/// first; a peak is dropped only for one that is kept.
fn thin(plateaus: &[(Peak, usize)], separation: f64) -> Vec<Peak> {
    let mut order: Vec<usize> = (0..plateaus.len()).collect();
    order.sort_by(|&i, &j| {
        let ((a, n), (b, m)) = (plateaus[i], plateaus[j]);
        let falling = b.value.partial_cmp(&a.value).unwrap_or(Ordering::Equal);
        falling.then(m.cmp(&n)).then(i.cmp(&j))
    });
    let mut keep = vec![true; plateaus.len()];
    // Equal to the last bit, as ties are.
    #[allow(clippy::float_cmp)]
    let equal = order.chunk_by(|&i, &j| plateaus[i].0.value == plateaus[j].0.value);
    for group in equal.filter(|group| group.len() > 1) {
        thin_equal(plateaus, group, separation, &mut keep);
    }
    let kept = plateaus.iter().zip(keep).filter(|(_, keep)| *keep);
    kept.map(|((peak, _), _)| *peak).collect()
}

/// [`thin`] for peaks of one value, in the order of their rank.
fn thin_equal(plateaus: &[(Peak, usize)], group: &[usize], separation: f64, keep: &mut [bool]) {
    // Those kept, by square cells of that size: all within reach of a peak lie
    // in its cell and the eight around, a few in each.
    let size = separation.max(1.0);
    let mut kept: HashMap<(i64, i64), Vec<Peak>> = HashMap::new();
    for &i in group {
        let (peak, _) = plateaus[i];
        let (cx, cy) = ((peak.x as f64 / size) as i64, (peak.y as f64 / size) as i64);
        let around = (cy - 1..=cy + 1).flat_map(|y| (cx - 1..=cx + 1).map(move |x| (x, y)));
        keep[i] = !around
            .filter_map(|cell| kept.get(&cell))
            .flatten()
            .any(|other| within(*other, peak, separation));
        if keep[i] {
            kept.entry((cx, cy)).or_default().push(peak);
        }
    }
}

fn within(a: Peak, b: Peak, separation: f64) -> bool {
    let (dx, dy) = (a.x.abs_diff(b.x) as f64, a.y.abs_diff(b.y) as f64);
    dx * dx + dy * dy <= separation * separation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peaks(places: &[(usize, usize)]) -> Vec<Peak> {
        let mut places = places.to_vec();
        places.sort_by_key(|&(x, y)| (y, x));
        let peak = |(x, y)| Peak { x, y, value: 7.0 };
        places.into_iter().map(peak).collect()
    }

    fn resolved(places: &[(usize, usize)], separation: f64) -> Vec<(usize, usize)> {
        let kept = resolve(peaks(places), separation);
        kept.iter().map(|peak| (peak.x, peak.y)).collect()
    }

    #[test]
    fn a_flat_top_is_its_most_central_pixel() {
        let block: Vec<_> = (3..8).flat_map(|x| (2..7).map(move |y| (x, y))).collect();
        assert_eq!(resolved(&block, 2.0), [(5, 4)]);
        // Of two that are equally near, the first.
        assert_eq!(resolved(&[(3, 3), (4, 3)], 2.0), [(3, 3)]);
        // An L joined round a corner, larger than the separation.
        let l: Vec<_> = (0..9)
            .map(|x| (x, 0))
            .chain((1..9).map(|y| (0, y)))
            .collect();
        assert_eq!(resolved(&l, 2.0).len(), 1);
        // A U, whose arms meet only in the last row.
        let u: Vec<_> = (0..6)
            .flat_map(|y| [(0, y), (4, y)])
            .chain((1..4).map(|x| (x, 5)))
            .collect();
        assert_eq!(resolved(&u, 2.0).len(), 1);
    }

    #[test]
    fn the_larger_flat_top_wins_over_a_pixel_before_it() {
        assert_eq!(resolved(&[(2, 2), (5, 2), (6, 2), (7, 2)], 4.0), [(6, 2)]);
        assert_eq!(resolved(&[(2, 2), (5, 2)], 4.0), [(2, 2)]);
    }

    #[test]
    fn a_peak_is_dropped_only_for_one_that_is_kept() {
        // 0 takes 3, so 3 cannot take 6.
        assert_eq!(resolved(&[(0, 0), (3, 0), (6, 0)], 3.0), [(0, 0), (6, 0)]);
    }

    #[test]
    fn connection_needs_the_disk_to_reach_the_neighbour() {
        assert_eq!(resolved(&[(0, 0), (1, 0)], 0.5).len(), 2);
        assert_eq!(resolved(&[(0, 0), (1, 1)], 1.2).len(), 2);
        assert_eq!(resolved(&[(0, 0), (1, 1)], 1.5).len(), 1);
        assert_eq!(resolved(&[(0, 0), (0, 1)], 1.0).len(), 1);
    }

    #[test]
    fn different_values_never_meet() {
        let mut pair = peaks(&[(0, 0), (5, 0)]);
        pair[1].value = 8.0;
        assert_eq!(resolve(pair.clone(), 6.0), pair);
    }

    #[test]
    fn many_equal_peaks_take_no_quadratic_time() {
        let lattice: Vec<_> = (0..300)
            .flat_map(|x| (0..300).map(move |y| (4 * x, 4 * y)))
            .collect();
        assert_eq!(resolved(&lattice, 3.9).len(), 90_000);
        assert_eq!(resolved(&lattice, 4.0).len(), 45_000);
    }
}
