//! The nearest of the nodes of a mesh, with ties decided as scipy decides them.
//!
//! On a mesh many nodes are equally far from a place, and which of them are the
//! k nearest depends on the order in which a tree finds them. photutils takes
//! those of `scipy.spatial.cKDTree`, so a tree is made and searched in the same
//! order here: it splits at the median along the widest axis, by the selection
//! of C++'s standard library (Musser 1997, *Introspective sorting and selection
//! algorithms*), and the nearest cells are searched first.

use std::ops::Range;

/// What is indexed: (y, x).
type Point = [f64; 2];

/// A k-d tree whose leaves hold a few points.
#[derive(Debug)]
pub(super) struct Neighbours {
    points: Vec<Point>,
    /// The points in the order of the leaves.
    order: Vec<usize>,
    cells: Vec<Cell>,
}

#[derive(Debug)]
enum Cell {
    Leaf(Range<usize>),
    Split {
        axis: usize,
        at: f64,
        /// The cells of points below `at`, and of the others.
        sides: [usize; 2],
    },
}

/// A cell to be searched: its squared distance, along each axis.
#[derive(Debug, Clone, Copy)]
struct Visit {
    cell: usize,
    sides: [f64; 2],
}

impl Neighbours {
    /// Of finite points; `leaf_size` of them are looked at one by one.
    pub(super) fn new(points: Vec<Point>, leaf_size: usize) -> Self {
        let mut tree = Self {
            order: (0..points.len()).collect(),
            points,
            cells: Vec::new(),
        };
        tree.split(0..tree.points.len(), leaf_size.max(1));
        tree
    }

    /// Makes the cell of some points of the order, and returns its number.
    fn split(&mut self, part: Range<usize>, leaf_size: usize) -> usize {
        let number = self.cells.len();
        self.cells.push(Cell::Leaf(part.clone()));
        let (low, high) = self.bounds(&self.order[part.clone()]);
        let axis = usize::from(high[1] - low[1] > high[0] - low[0]);
        if part.len() <= leaf_size || high[axis] <= low[axis] {
            return number;
        }
        let key = |&i: &usize| self.points[i][axis];
        let order = &mut self.order[part.clone()];
        let half = order.len() / 2;
        select(order, half, key);
        let mut at = key(&order[half]);
        let mut below = partition(&mut order[..half], |i| key(i) < at);
        if below == 0 {
            // The median is the lowest: the cell below holds all that equal it.
            at = low[axis].next_up();
            below = partition(order, |i| key(i) < at);
        }
        let middle = part.start + below;
        let sides = [
            self.split(part.start..middle, leaf_size),
            self.split(middle..part.end, leaf_size),
        ];
        self.cells[number] = Cell::Split { axis, at, sides };
        number
    }

    /// The lowest and the highest coordinates.
    fn bounds(&self, indices: &[usize]) -> (Point, Point) {
        let mut bounds = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for &i in indices {
            for (axis, v) in self.points[i].into_iter().enumerate() {
                bounds.0[axis] = bounds.0[axis].min(v);
                bounds.1[axis] = bounds.1[axis].max(v);
            }
        }
        bounds
    }

    /// The squared distance and index of up to `k` nearest points, the nearest
    /// first.
    pub(super) fn nearest(&self, place: Point, k: usize) -> Vec<(f64, usize)> {
        let k = k.min(self.points.len());
        if k == 0 {
            return Vec::new();
        }
        // The farthest, with the negative distance, comes first.
        let mut found = Heap::default();
        let mut limit = f64::INFINITY;
        let mut cells = Heap::default();
        let mut visit = self.root(place);
        loop {
            match &self.cells[visit.cell] {
                Cell::Leaf(part) => {
                    for &i in &self.order[part.clone()] {
                        let d = squared_distance(self.points[i], place);
                        if d < limit {
                            if found.len() == k {
                                found.pop();
                            }
                            found.push(-d, i);
                            limit = if found.len() == k {
                                -found.first()
                            } else {
                                limit
                            };
                        }
                    }
                    match cells.pop() {
                        Some((_, next)) => visit = next,
                        None => break,
                    }
                }
                Cell::Split { axis, at, sides } => {
                    if visit.sides.iter().sum::<f64>() > limit {
                        break;
                    }
                    let offset = place[*axis] - at;
                    let is_above = usize::from(offset >= 0.0);
                    let mut far = visit;
                    far.sides[*axis] = offset * offset;
                    (visit.cell, far.cell) = (sides[is_above], sides[1 - is_above]);
                    let distance = far.sides.iter().sum::<f64>();
                    if distance <= limit {
                        cells.push(distance, far);
                    }
                }
            }
        }
        let mut nearest: Vec<_> = std::iter::from_fn(|| found.pop())
            .map(|(d, i)| (-d, i))
            .collect();
        nearest.reverse();
        nearest
    }

    fn root(&self, place: Point) -> Visit {
        let (low, high) = self.bounds(&self.order);
        let outside = |axis: usize| {
            let d = (low[axis] - place[axis])
                .max(place[axis] - high[axis])
                .max(0.0);
            d * d
        };
        Visit {
            cell: 0,
            sides: [outside(0), outside(1)],
        }
    }
}

fn squared_distance(a: Point, b: Point) -> f64 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

/// A binary heap, the lowest key first. Unlike the standard library's its order
/// among equal keys is laid down: no exchange unless a key is really lower.
#[derive(Debug)]
struct Heap<T> {
    items: Vec<(f64, T)>,
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T> Heap<T> {
    fn len(&self) -> usize {
        self.items.len()
    }

    /// The lowest key; infinity of none.
    fn first(&self) -> f64 {
        self.key(0)
    }

    fn key(&self, k: usize) -> f64 {
        self.items.get(k).map_or(f64::INFINITY, |item| item.0)
    }

    fn push(&mut self, key: f64, item: T) {
        let mut k = self.items.len();
        self.items.push((key, item));
        while k > 0 && self.key(k) < self.key((k - 1) / 2) {
            self.items.swap(k, (k - 1) / 2);
            k = (k - 1) / 2;
        }
    }

    fn pop(&mut self) -> Option<(f64, T)> {
        if self.items.is_empty() {
            return None;
        }
        let first = self.items.swap_remove(0);
        let mut k = 0;
        loop {
            let (left, right) = (2 * k + 1, 2 * k + 2);
            let lower = if self.key(left) > self.key(right) {
                right
            } else {
                left
            };
            if self.key(k) <= self.key(lower) {
                return Some(first);
            }
            self.items.swap(k, lower);
            k = lower;
        }
    }
}

/// Moves those of which `is_first` holds to the front; returns their number.
/// The last that belongs to the front and the first that does not change places
/// until they meet.
fn partition(order: &mut [usize], is_first: impl Fn(&usize) -> bool) -> usize {
    let (mut low, mut high) = (0, order.len());
    loop {
        while low < high && is_first(&order[low]) {
            low += 1;
        }
        while low < high && !is_first(&order[high - 1]) {
            high -= 1;
        }
        if low >= high {
            return low;
        }
        order.swap(low, high - 1);
        low += 1;
        high -= 1;
    }
}

/// Puts the element of rank `nth` in its place, none higher before it and none
/// lower behind it.
fn select(order: &mut [usize], nth: usize, key: impl Fn(&usize) -> f64) {
    let (mut start, mut end) = (0, order.len());
    let mut rounds = 2 * order.len().checked_ilog2().unwrap_or(0);
    while end - start > 3 {
        if rounds == 0 {
            break;
        }
        rounds -= 1;
        let cut = start + split_by_median_of_three(&mut order[start..end], &key);
        if cut <= nth {
            start = cut;
        } else {
            end = cut;
        }
    }
    order[start..end].sort_by(|a, b| key(a).total_cmp(&key(b)));
}

/// Splits behind the first element, with the median of the second, the middle
/// and the last one as the pivot, which comes first.
fn split_by_median_of_three(order: &mut [usize], key: impl Fn(&usize) -> f64) -> usize {
    let candidates = [1, order.len() / 2, order.len() - 1];
    let [a, b, c] = candidates.map(|k| key(&order[k]));
    let middle = if a < b {
        if b < c {
            1
        } else if a < c {
            2
        } else {
            0
        }
    } else if a < c {
        0
    } else if b < c {
        2
    } else {
        1
    };
    order.swap(0, candidates[middle]);
    let pivot = key(&order[0]);
    let (mut low, mut high) = (1, order.len());
    // An element that is not lower and one that is not higher are always there.
    loop {
        while key(&order[low]) < pivot {
            low += 1;
        }
        high -= 1;
        while pivot < key(&order[high]) {
            high -= 1;
        }
        if low >= high {
            return low;
        }
        order.swap(low, high);
        low += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_nearest_are_those_of_brute_force(
            // On a small mesh, so that many are equally far and some coincide.
            points in prop::collection::vec((0..9_u8, 0..9_u8), 1..120),
            place in (0..20_u8, 0..20_u8),
            k in 1..15_usize,
            leaf_size in 1..12_usize,
        ) {
            let point = |(y, x): (u8, u8)| [f64::from(y), f64::from(x)];
            let points: Vec<Point> = points.into_iter().map(point).collect();
            let place = [point(place)[0] / 2.0, point(place)[1] / 2.0];
            let found = Neighbours::new(points.clone(), leaf_size).nearest(place, k);
            let mut expected: Vec<f64> =
                points.iter().map(|&p| squared_distance(p, place)).collect();
            expected.sort_by(f64::total_cmp);
            expected.truncate(k);
            let distances: Vec<f64> = found.iter().map(|f| f.0).collect();
            prop_assert_eq!(&distances, &expected);
            let mut indices: Vec<usize> = found.iter().map(|f| f.1).collect();
            for (d, i) in found {
                prop_assert!(d.total_cmp(&squared_distance(points[i], place)).is_eq());
            }
            indices.sort_unstable();
            indices.dedup();
            prop_assert_eq!(indices.len(), expected.len());
        }

        #[test]
        fn selection_puts_one_rank_in_its_place(
            keys in prop::collection::vec(0..7_u8, 1..60),
            nth in 0..60_usize,
        ) {
            let nth = nth % keys.len();
            let mut order: Vec<usize> = (0..keys.len()).collect();
            select(&mut order, nth, |&i| f64::from(keys[i]));
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            let key = |i: &usize| keys[*i];
            prop_assert_eq!(key(&order[nth]), sorted[nth]);
            prop_assert!(order[..nth].iter().all(|i| key(i) <= sorted[nth]));
            prop_assert!(order[nth..].iter().all(|i| key(i) >= sorted[nth]));
        }
    }

    #[test]
    fn no_points_have_no_neighbours() {
        assert!(
            Neighbours::new(Vec::new(), 10)
                .nearest([0.0, 0.0], 3)
                .is_empty()
        );
    }
}
