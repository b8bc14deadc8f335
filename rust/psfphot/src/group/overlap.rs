//! Groups of sources whose boxes overlap.

use std::collections::BTreeMap;

use crate::image::PixelBox;
use crate::near::disjoint::DisjointSets;
use crate::{Error, Run};

use super::check_points;

/// The groups of sources that are linked by overlapping boxes.
///
/// Each source has the box of `box_shape = (ny, nx)` pixels around it
/// ([`PixelBox::around`]). Two whose boxes share a pixel belong to one group, and so
/// do those that share one with either. The groups are numbered from 1 in the order
/// in which the sources first name them. It takes hardly longer than sorting the
/// sources, however many of them overlap.
///
/// ```
/// use psfphot::{Run, group::group_overlapping};
///
/// let ids = group_overlapping(&[0.0, 50.0, 4.0], &[0.0; 3], (5, 5), Run::new())?;
/// assert_eq!(ids, [1, 2, 1]);
/// # Ok::<(), psfphot::Error>(())
/// ```
///
/// # Errors
/// [`Error::ShapeMismatch`] if `x` and `y` differ in length;
/// [`Error::InvalidArgument`] if they are empty or not all finite, or if `box_shape`
/// has a zero; [`Error::Cancelled`].
pub fn group_overlapping(
    x: &[f64],
    y: &[f64],
    box_shape: (usize, usize),
    run: Run<'_>,
) -> Result<Vec<i64>, Error> {
    check_points(x, y)?;
    if x.is_empty() {
        return Err(Error::invalid("x", "not be empty", "no sources"));
    }
    if box_shape.0 == 0 || box_shape.1 == 0 {
        let got = format!("{box_shape:?}");
        return Err(Error::invalid(
            "box_shape",
            "be at least 1 along both axes",
            got,
        ));
    }
    let corners: Vec<(i64, i64)> = x
        .iter()
        .zip(y)
        .map(|(&x, &y)| {
            let own = PixelBox::around(x, y, box_shape);
            (own.y0, own.x0)
        })
        .collect();
    let mut sets = link(&corners, box_shape, run)?;
    let mut numbers = vec![0; corners.len()];
    let mut last = 0;
    let ids = (0..corners.len()).map(|source| {
        let id = &mut numbers[sets.root(source)];
        if *id == 0 {
            last += 1;
            *id = last;
        }
        *id
    });
    Ok(ids.collect())
}

/// Row and column of a cell of the size of a box.
type Cell = (i64, i64);

/// Unites the sources whose boxes overlap.
fn link(
    corners: &[(i64, i64)],
    (ny, nx): (usize, usize),
    run: Run<'_>,
) -> Result<DisjointSets, Error> {
    let mut sets = DisjointSets::new(corners.len());
    let (ny, nx) = (ny as i64, nx as i64);
    // Corners of one cell overlap all: of each place one source stands for all.
    let mut cells: BTreeMap<Cell, Vec<(i64, i64, usize)>> = BTreeMap::new();
    for (source, &(y, x)) in corners.iter().enumerate() {
        let cell = (y.div_euclid(ny), x.div_euclid(nx));
        cells.entry(cell).or_default().push((y, x, source));
    }
    for own in cells.values_mut() {
        own.sort_unstable();
        let first = own[0].2;
        for &(_, _, source) in own.iter() {
            sets.unite(first, source);
        }
        own.dedup_by_key(|&mut (y, x, _)| (y, x));
    }
    for (&(row, column), own) in &cells {
        run.check()?;
        let after = [(0, 1), (1, -1), (1, 0), (1, 1)];
        for (down, right) in after {
            let Some(others) = cells.get(&(row + down, column + right)) else {
                continue;
            };
            let meets = |&(y, x, _): &(i64, i64, usize)| {
                let near =
                    |&&(b, a, _): &&(i64, i64, usize)| (b - y).abs() < ny && (a - x).abs() < nx;
                others.iter().any(|other| near(&other))
            };
            if sets.root(own[0].2) != sets.root(others[0].2) && own.iter().any(meets) {
                sets.unite(own[0].2, others[0].2);
            }
        }
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn groups_are_those_of_brute_force(
            points in prop::collection::vec((-20.0..40.0_f64, -20.0..40.0_f64), 1..40),
            shape in (1_usize..9, 1_usize..9),
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
            let ids = group_overlapping(&x, &y, shape, Run::new()).unwrap();
            let boxes: Vec<_> = points.iter().map(|&(x, y)| PixelBox::around(x, y, shape)).collect();
            let mut sets = DisjointSets::new(points.len());
            for i in 0..points.len() {
                for j in 0..i {
                    if !boxes[i].intersection(&boxes[j]).is_empty() {
                        sets.unite(i, j);
                    }
                }
            }
            for i in 0..points.len() {
                for j in 0..i {
                    prop_assert_eq!(ids[i] == ids[j], sets.root(i) == sets.root(j));
                }
            }
            let mut seen = 0;
            for id in ids {
                prop_assert!(id <= seen + 1);
                seen = seen.max(id);
            }
        }
    }

    #[test]
    fn bad_arguments_are_named() {
        let message = |x: &[f64], y: &[f64], shape| {
            group_overlapping(x, y, shape, Run::new())
                .unwrap_err()
                .to_string()
        };
        assert!(message(&[1.0], &[], (3, 3)).starts_with("y must have"));
        assert!(message(&[], &[], (3, 3)).starts_with("x must not be empty"));
        assert!(message(&[0.0], &[f64::NAN], (3, 3)).starts_with("y must be finite"));
        assert!(message(&[0.0], &[0.0], (0, 3)).starts_with("box_shape must"));
    }
}
