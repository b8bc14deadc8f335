//! Groups of sources that are close enough to be fitted together.

mod overlap;

use crate::near::cells::{Cells, Later};
use crate::near::disjoint::DisjointSets;
use crate::near::tree::Tree;
use crate::{Error, Run};

pub use overlap::group_overlapping;

/// The groups of sources that are linked by steps of at most `min_separation`.
///
/// Friends of friends: two sources whose distance is not above
/// `min_separation` pixels belong to one group. The groups are numbered from 1
/// in the order in which the sources first name them. It takes hardly longer
/// than sorting the sources, also where they all percolate into one group.
///
/// ```
/// use psfphot::{Run, group::group};
///
/// let ids = group(&[0.0, 50.0, 3.0], &[0.0, 0.0, 4.0], 5.0, Run::new())?;
/// assert_eq!(ids, [1, 2, 1]);
/// # Ok::<(), psfphot::Error>(())
/// ```
///
/// # Errors
/// [`Error::ShapeMismatch`] if `x` and `y` differ in length;
/// [`Error::InvalidArgument`] if they are empty or not all finite, or if
/// `min_separation` is not positive and finite; [`Error::Cancelled`].
pub fn group(x: &[f64], y: &[f64], min_separation: f64, run: Run<'_>) -> Result<Vec<i64>, Error> {
    check_points(x, y)?;
    if x.is_empty() {
        return Err(Error::invalid("x", "not be empty", "no sources"));
    }
    Error::check_positive("min_separation", min_separation)?;
    let cells = Cells::new(x, y, min_separation, run)?;
    let mut sets = DisjointSets::new(cells.len());
    let mut later = Later::new(&cells);
    for cell in 0..cells.len() {
        run.check()?;
        for other in later.than(cell) {
            if sets.root(cell) != sets.root(other) && are_linked(&cells, (cell, other), run)? {
                sets.unite(cell, other);
            }
        }
        run.advance(cells.points(cell).len());
    }
    Ok(number(&cells, &mut sets, x.len()))
}

/// With fewer pairs of points than this all are looked at: it takes as long as
/// to make a tree of them.
const FEW_PAIRS: usize = 1024;

/// Whether points of two cells are within the distance. The points of one cell
/// always are, so that one pair links all points of both.
fn are_linked(cells: &Cells, (a, b): (usize, usize), run: Run<'_>) -> Result<bool, Error> {
    let (mut few, mut many) = (cells.places(a), cells.places(b));
    if few.len() > many.len() {
        (few, many) = (many, few);
    }
    if few.len() * many.len() < FEW_PAIRS {
        let is_near = |place| many.iter().any(|other| cells.is_near(place, other));
        return Ok(few.iter().any(is_near));
    }
    let limit = cells.distance() * cells.distance();
    let reachable = |extent: &Extent, places: &[[f64; 2]]| -> Vec<[f64; 2]> {
        let is_near = |place: &&[f64; 2]| extent.squared_distance(place) <= limit;
        places.iter().filter(is_near).copied().collect()
    };
    let second = reachable(&Extent::of(few), many);
    let first = reachable(&Extent::of(&second), few);
    let tree = Tree::new(&first, run)?;
    for point in &second {
        run.check()?;
        if tree.nearest(point, limit).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The smallest rectangle around some points: lowest and highest coordinates.
struct Extent([(f64, f64); 2]);

impl Extent {
    /// Those of no points are far from everything.
    fn of(points: &[[f64; 2]]) -> Self {
        let ends = |axis: usize| {
            let coordinates = points.iter().map(|point| point[axis]);
            coordinates.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            })
        };
        Self([ends(0), ends(1)])
    }

    /// Of the point from the rectangle. Rounded like that of two points, it is
    /// never more than that from a point inside.
    fn squared_distance(&self, point: &[f64; 2]) -> f64 {
        let offset = |axis: usize| {
            let (low, high) = self.0[axis];
            (low - point[axis]).max(point[axis] - high).max(0.0)
        };
        offset(0) * offset(0) + offset(1) * offset(1)
    }
}

/// Numbers the sets from 1 by the first of `n` points that is in each.
fn number(cells: &Cells, sets: &mut DisjointSets, n: usize) -> Vec<i64> {
    let mut numbers = vec![0; cells.len()];
    let mut last = 0;
    (0..n)
        .map(|point| {
            let id = &mut numbers[sets.root(cells.cell_of(point))];
            if *id == 0 {
                last += 1;
                *id = last;
            }
            *id
        })
        .collect()
}

/// The sources that stay when none may be nearer than `min_separation` to
/// another: `true` for those.
///
/// The sources are taken in order, and each removes all later ones whose
/// distance is not above `min_separation` pixels. One that is removed removes
/// no others. It takes hardly longer than sorting the sources.
///
/// ```
/// use psfphot::{Run, group::thin};
///
/// let stays = thin(&[0.0, 1.0, 2.0], &[0.0; 3], 1.5, Run::new())?;
/// assert_eq!(stays, [true, false, true]);
/// # Ok::<(), psfphot::Error>(())
/// ```
///
/// # Errors
/// [`Error::ShapeMismatch`] if `x` and `y` differ in length;
/// [`Error::InvalidArgument`] if they are not all finite or `min_separation`
/// is not positive; [`Error::Cancelled`].
pub fn thin(x: &[f64], y: &[f64], min_separation: f64, run: Run<'_>) -> Result<Vec<bool>, Error> {
    check_points(x, y)?;
    if min_separation.is_nan() || min_separation <= 0.0 {
        let expected = "be positive";
        return Err(Error::invalid("min_separation", expected, min_separation));
    }
    let cells = Cells::new(x, y, min_separation, run)?;
    let mut stays = vec![true; x.len()];
    for i in 0..x.len() {
        run.check()?;
        if stays[i] {
            for cell in cells.around(cells.cell_of(i)) {
                let others = cells.points(cell).iter().zip(cells.places(cell));
                for (&j, place) in others.filter(|&(&j, _)| j > i) {
                    stays[j] &= !cells.is_near(&[x[i], y[i]], place);
                }
            }
        }
        run.advance(1);
    }
    Ok(stays)
}

fn check_points(x: &[f64], y: &[f64]) -> Result<(), Error> {
    Error::check_len("y", x.len(), y.len())?;
    for (argument, values) in [("x", x), ("y", y)] {
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::invalid(argument, "be finite", value));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Points = Vec<(f64, f64)>;

    fn points(n: usize) -> impl Strategy<Value = Points> {
        // A lattice of halves, so that exact ties and coincidences occur.
        let axis = || (0..80_i32).prop_map(|k| f64::from(k) / 2.0);
        prop::collection::vec((axis(), axis()), 1..n)
    }

    fn group_points(points: &[(f64, f64)], separation: f64) -> Vec<i64> {
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        group(&x, &y, separation, Run::new()).unwrap()
    }

    fn near(a: (f64, f64), b: (f64, f64), distance: f64) -> bool {
        (a.0 - b.0).powi(2) + (a.1 - b.1).powi(2) <= distance * distance
    }

    /// By spreading the lowest label along all links until nothing changes.
    fn brute_force(points: &[(f64, f64)], separation: f64) -> Vec<i64> {
        let n = points.len();
        let mut label: Vec<usize> = (0..n).collect();
        let mut changed = true;
        while changed {
            changed = false;
            for i in 0..n {
                for j in 0..n {
                    if near(points[i], points[j], separation) && label[j] < label[i] {
                        label[i] = label[j];
                        changed = true;
                    }
                }
            }
        }
        let mut seen: Vec<usize> = Vec::new();
        label
            .iter()
            .map(|l| {
                if !seen.contains(l) {
                    seen.push(*l);
                }
                1 + seen.iter().position(|s| s == l).unwrap() as i64
            })
            .collect()
    }

    proptest! {
        #[test]
        fn groups_are_those_of_brute_force(points in points(120), separation in 0.1..15.0) {
            prop_assert_eq!(
                group_points(&points, separation),
                brute_force(&points, separation)
            );
            // A separation that is a distance of the lattice: ends included.
            prop_assert_eq!(group_points(&points, 2.5), brute_force(&points, 2.5));
        }

        #[test]
        fn far_points_change_no_group(
            points in points(100),
            separation in 0.1..10.0,
            shift in prop::sample::select(vec![-20.0, -1e7, 1e12]),
            far in prop::sample::select(vec![1e4, -1e9, -1e18, 1e300, f64::MAX]),
        ) {
            let expected = group_points(&points, separation);
            let mut all: Points = points.iter().map(|p| (p.0 + shift, p.1 - shift)).collect();
            prop_assert_eq!(&group_points(&all, separation), &expected);
            all.insert(0, (far, shift));
            let ids = group_points(&all, separation);
            prop_assert_eq!(ids[0], 1);
            let others: Vec<i64> = ids[1..].iter().map(|id| id - 1).collect();
            prop_assert_eq!(others, expected);
        }

        #[test]
        fn full_cells_are_linked_like_others(
            (first, second) in (
                prop::collection::vec((0.0..7.0_f64, 0.0..7.0_f64), 40..60),
                prop::collection::vec((0.0..7.0_f64, 0.0..7.0_f64), 40..60),
            ),
            offset in (7.0..18.0_f64, -18.0..18.0_f64),
        ) {
            let moved = second.iter().map(|p| (p.0 + offset.0, p.1 + offset.1));
            let all: Points = first.into_iter().chain(moved).collect();
            prop_assert_eq!(group_points(&all, 10.0), brute_force(&all, 10.0));
        }

        #[test]
        fn order_changes_nothing_but_the_numbers(
            (points, order) in points(100).prop_flat_map(|points| {
                let order: Vec<usize> = (0..points.len()).collect();
                (Just(points), Just(order).prop_shuffle())
            }),
            separation in 0.1..10.0,
        ) {
            let ids = group_points(&points, separation);
            let shuffled: Points = order.iter().map(|&i| points[i]).collect();
            let shuffled_ids = group_points(&shuffled, separation);
            for (a, &i) in order.iter().enumerate() {
                for (b, &j) in order.iter().enumerate() {
                    prop_assert_eq!(ids[i] == ids[j], shuffled_ids[a] == shuffled_ids[b]);
                }
            }
        }

        #[test]
        fn thinning_is_that_of_brute_force(points in points(150), separation in 0.1..15.0) {
            let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
            let stays = thin(&x, &y, separation, Run::new()).unwrap();
            let mut expected = vec![true; x.len()];
            for i in 0..x.len() {
                expected[i] = !(0..i).any(|j| expected[j] && near(points[i], points[j], separation));
            }
            prop_assert_eq!(stays, expected);
        }
    }

    #[test]
    fn extents_may_be_huge_and_points_may_coincide() {
        let far = [-1e300, 0.0, 0.5, 1e15, 1e15 + 1.0, 1e300, 1e300];
        assert_eq!(
            group_points(&far.map(|v| (v, v)), 2.0),
            [1, 2, 2, 3, 3, 4, 4]
        );
        let n = 100_000;
        let ids = group(&vec![7.0; n], &vec![7.0; n], 1e-9, Run::new()).unwrap();
        assert!(ids.iter().all(|&id| id == 1));
        // Two clumps just beyond the distance, and just within it.
        let clumps: Vec<f64> = (0..n)
            .map(|i| if i % 2 == 0 { 0.0 } else { 1.01 })
            .collect();
        let ids = group(&clumps, &vec![0.0; n], 1.0, Run::new()).unwrap();
        assert_eq!((ids[0], ids[1], ids[n - 1]), (1, 2, 2));
        let ids = group(&clumps, &vec![0.0; n], 1.01, Run::new()).unwrap();
        assert!(ids.iter().all(|&id| id == 1));
        let line: Vec<f64> = (0..100_000).map(f64::from).collect();
        let ids = group(&line, &vec![0.0; n], 1.0, Run::new()).unwrap();
        assert_eq!(ids.last(), Some(&1));
    }

    #[test]
    fn thinning_takes_an_infinite_separation_and_no_points() {
        let stays = thin(&[3.0, 4.0], &[0.0, 9.0], f64::INFINITY, Run::new()).unwrap();
        assert_eq!(stays, [true, false]);
        assert!(thin(&[], &[], 1.0, Run::new()).unwrap().is_empty());
        assert!(thin(&[0.0], &[0.0], f64::NAN, Run::new()).is_err());
    }

    #[test]
    fn bad_arguments_are_named() {
        let message = |x: &[f64], y: &[f64], s| group(x, y, s, Run::new()).unwrap_err().to_string();
        assert!(message(&[1.0], &[], 1.0).starts_with("y must have the shape [1]"));
        assert!(message(&[], &[], 1.0).starts_with("x must not be empty"));
        assert!(message(&[f64::NAN], &[0.0], 1.0).starts_with("x must be finite"));
        assert!(message(&[0.0], &[f64::INFINITY], 1.0).starts_with("y must be finite"));
        for separation in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(message(&[0.0], &[0.0], separation).starts_with("min_separation must"));
        }
    }

    #[test]
    fn a_cancelled_run_stops() {
        let progress = crate::run::Progress::default();
        progress.cancel();
        let result = group(&[0.0], &[0.0], 1.0, Run::new().with_monitor(&progress));
        assert_eq!(result, Err(Error::Cancelled));
    }

    #[test]
    fn grouping_stops_while_points_are_sorted_and_compared() {
        use crate::run::CancelAfter;

        // Two crowded cells just too far apart to be linked.
        let x: Vec<f64> = (0..4000).map(|i| f64::from(i % 2) * 1.5).collect();
        let y: Vec<f64> = (0..4000).map(|i| f64::from(i) * 1e-5).collect();
        let groups = |n_looks: usize| {
            let monitor = CancelAfter::new(n_looks);
            group(&x, &y, 1.2, Run::new().with_monitor(&monitor)).map(|ids| ids[..2].to_vec())
        };
        for n_looks in [0, 2, 4] {
            assert_eq!(groups(n_looks), Err(Error::Cancelled), "{n_looks}");
        }
        assert_eq!(groups(10_000), Ok(vec![1, 2]));
    }
}
