//! Matching two catalogues by position.

use crate::near::tree::{Node, Tree, is_finite};
use crate::run::chunks;
use crate::{Error, Run};

/// Points per task: some tenths of a millisecond of work.
const CHUNK: usize = 512;

/// Indices into two catalogues: `first[k]` and `second[k]` belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs {
    /// Indices into the first catalogue.
    pub first: Vec<usize>,
    /// Indices into the second.
    pub second: Vec<usize>,
}

/// The pairs of points that are each other's nearest, at most `radius` apart,
/// in the order of the first catalogue.
///
/// Of several at the same distance the one with the lowest index is taken for
/// the nearest. Points that are not finite match nothing. No index is in two
/// pairs.
///
/// ```
/// use psfphot::{Run, matching::match_points};
///
/// let first = [[0.0, 0.0], [5.0, 5.0], [9.0, 0.0]];
/// let second = [[5.1, 5.0], [0.2, 0.0], [0.1, 0.0]];
/// let pairs = match_points(&first, &second, 0.5, Run::new())?;
/// assert_eq!((pairs.first, pairs.second), (vec![0, 1], vec![2, 0]));
/// # Ok::<(), psfphot::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`] unless `radius` is positive and finite;
/// [`Error::Cancelled`].
pub fn match_points<const D: usize>(
    first: &[[f64; D]],
    second: &[[f64; D]],
    radius: f64,
    run: Run<'_>,
) -> Result<Pairs, Error> {
    Error::check_positive("radius", radius)?;
    let trees = (Tree::new(first, run)?, Tree::new(second, run)?);
    let forth = nearest(&trees.0, &trees.1, radius, |_| true, run)?;
    let mut wanted = vec![false; second.len()];
    for &j in forth.iter().flatten() {
        wanted[j] = true;
    }
    let back = nearest(&trees.1, &trees.0, radius, |j| wanted[j], run)?;
    let mut pairs = Pairs::default();
    for (i, &other) in forth.iter().enumerate() {
        if let Some(j) = other
            && back[j] == Some(i)
        {
            pairs.first.push(i);
            pairs.second.push(j);
        }
    }
    Ok(pairs)
}

/// All pairs of points that are at most `radius` apart, ordered by the first
/// catalogue, then by the second. Points that are not finite are in none.
///
/// # Errors
/// [`Error::InvalidArgument`] unless `radius` is positive and finite;
/// [`Error::Cancelled`].
pub fn near_pairs<const D: usize>(
    first: &[[f64; D]],
    second: &[[f64; D]],
    radius: f64,
    run: Run<'_>,
) -> Result<Pairs, Error> {
    Error::check_positive("radius", radius)?;
    let tree = Tree::new(second, run)?;
    let found = run.map(chunks(first.len(), CHUNK), Vec::new, |near, range| {
        run.advance(range.len());
        let mut pairs = Pairs::default();
        for i in range {
            run.check()?;
            near.clear();
            // The square of a large radius is infinite, and no distance above it.
            if is_finite(&first[i]) {
                tree.within(&first[i], radius * radius, near);
            }
            near.sort_unstable();
            pairs.first.resize(pairs.first.len() + near.len(), i);
            pairs.second.extend_from_slice(near);
        }
        Ok(pairs)
    })?;
    Ok(found.into_iter().fold(Pairs::default(), |mut all, pairs| {
        all.first.extend(pairs.first);
        all.second.extend(pairs.second);
        all
    }))
}

/// For each point of a tree's catalogue the index of the nearest of the others
/// within the radius; of those that are not wanted none.
fn nearest<const D: usize>(
    points: &Tree<D>,
    others: &Tree<D>,
    radius: f64,
    wanted: impl Fn(usize) -> bool + Sync,
    run: Run<'_>,
) -> Result<Vec<Option<usize>>, Error> {
    // In the order of the tree neighbours follow each other, and look at the
    // same parts of the other tree: much faster where these are large.
    let found = run.map(
        chunks(points.nodes().len(), CHUNK),
        || (),
        |(), range| {
            run.advance(range.len());
            let nearest = |node: &Node<D>| {
                run.check()?;
                let nearest = || others.nearest(&node.point, radius * radius);
                Ok(wanted(node.index).then(nearest).flatten())
            };
            let found = points.nodes()[range].iter().map(nearest);
            found.collect::<Result<Vec<_>, Error>>()
        },
    )?;
    let mut all = vec![None; points.size()];
    for (node, other) in points.nodes().iter().zip(found.into_iter().flatten()) {
        all[node.index] = other;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::near::tree::squared_distance;
    use proptest::prelude::*;

    /// Halves, so that ties and coincidences occur, and a few NaN.
    fn points(n: usize) -> impl Strategy<Value = Vec<[f64; 2]>> {
        let axis = || {
            prop_oneof![
                30 => (0..40_i32).prop_map(|k| f64::from(k) / 2.0),
                1 => Just(f64::NAN),
            ]
        };
        prop::collection::vec((axis(), axis()).prop_map(|(x, y)| [x, y]), 0..n)
    }

    fn brute_nearest(points: &[[f64; 2]], others: &[[f64; 2]], radius: f64) -> Vec<Option<usize>> {
        let nearest = |point: &[f64; 2]| {
            let mut best = None;
            let mut least = radius * radius;
            for (j, other) in others.iter().enumerate() {
                let distance = squared_distance(point, other);
                if distance < least || (distance <= least && best.is_none()) {
                    (best, least) = (Some(j), distance);
                }
            }
            best
        };
        points.iter().map(nearest).collect()
    }

    proptest! {
        #[test]
        fn the_nearest_is_that_of_brute_force(
            first in points(60),
            second in points(60),
            radius in prop_oneof![0.1..9.0_f64, Just(2.5)],
        ) {
            let trees = (
                Tree::new(&first, Run::new()).unwrap(),
                Tree::new(&second, Run::new()).unwrap(),
            );
            let found = nearest(&trees.0, &trees.1, radius, |_| true, Run::new()).unwrap();
            prop_assert_eq!(found, brute_nearest(&first, &second, radius));
        }

        #[test]
        fn pairs_are_mutual_and_mirrored(first in points(60), second in points(60), radius in 0.1..9.0) {
            let pairs = match_points(&first, &second, radius, Run::new()).unwrap();
            let (forth, back) = (
                brute_nearest(&first, &second, radius),
                brute_nearest(&second, &first, radius),
            );
            let expected: Vec<(usize, usize)> = (0..first.len())
                .filter_map(|i| forth[i].map(|j| (i, j)))
                .filter(|&(i, j)| back[j] == Some(i))
                .collect();
            let found: Vec<_> = pairs.first.iter().copied().zip(pairs.second.clone()).collect();
            prop_assert_eq!(&found, &expected);
            let mirrored = match_points(&second, &first, radius, Run::new()).unwrap();
            let mut turned: Vec<_> = mirrored.second.into_iter().zip(mirrored.first).collect();
            turned.sort_unstable();
            prop_assert_eq!(&turned, &expected);
        }

        #[test]
        fn near_pairs_are_those_of_brute_force(
            first in points(60),
            second in points(60),
            radius in prop_oneof![0.1..9.0_f64, Just(2.5)],
        ) {
            let pairs = near_pairs(&first, &second, radius, Run::new()).unwrap();
            let found: Vec<_> = pairs.first.into_iter().zip(pairs.second).collect();
            let mut expected = Vec::new();
            for (i, a) in first.iter().enumerate() {
                for (j, b) in second.iter().enumerate() {
                    if squared_distance(a, b) <= radius * radius {
                        expected.push((i, j));
                    }
                }
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn coincident_points_do_not_take_long() -> Result<(), Error> {
        let many = vec![[7.0, 7.0, 7.0]; 100_000];
        let pairs = match_points(&many, &many, 1.0, Run::new())?;
        assert_eq!((pairs.first, pairs.second), (vec![0], vec![0]));
        Ok(())
    }

    #[test]
    fn bad_radii_are_named_and_runs_can_be_cancelled() {
        let points = [[0.0, 0.0]];
        for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let matched = match_points(&points, &points, radius, Run::new());
            assert!(matched.unwrap_err().to_string().starts_with("radius must"));
            assert!(near_pairs(&points, &points, radius, Run::new()).is_err());
        }
        let progress = crate::run::Progress::default();
        progress.cancel();
        let run = Run::new().with_monitor(&progress);
        assert_eq!(
            match_points(&points, &points, 1.0, run),
            Err(Error::Cancelled)
        );
        assert_eq!(
            near_pairs(&points, &points, 1.0, run),
            Err(Error::Cancelled)
        );
    }

    #[test]
    fn points_that_are_not_finite_are_in_no_pair() {
        let first = [[f64::NAN, 0.0], [0.0, f64::INFINITY], [1.0, 1.0]];
        // Its square is infinite.
        let radius = 1e200;
        let near = near_pairs(&first, &[[0.0, 0.0]], radius, Run::new()).unwrap();
        assert_eq!((near.first, near.second), (vec![2], vec![0]));
        let far = near_pairs(&[[0.0, 0.0]], &first, radius, Run::new()).unwrap();
        assert_eq!((far.first, far.second), (vec![0], vec![2]));
    }

    #[test]
    fn matching_stops_while_the_trees_are_made_and_searched() {
        use crate::run::CancelAfter;

        let points: Vec<[f64; 2]> = (0..25_000).map(|i| [f64::from(i), 0.0]).collect();
        let matched = |n_looks: usize| {
            let monitor = CancelAfter::new(n_looks);
            let run = Run::new().with_monitor(&monitor).serial();
            match_points(&points, &points, 0.5, run).map(|pairs| pairs.first.len())
        };
        // A look at each large slice of both trees, then at each point.
        for n_looks in [0, 1, 5, 30_000] {
            assert_eq!(matched(n_looks), Err(Error::Cancelled), "{n_looks}");
        }
        assert_eq!(matched(100_000), Ok(25_000));
    }
}
