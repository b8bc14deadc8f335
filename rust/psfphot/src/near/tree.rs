//! A k-d tree: the points near a place, in any number of dimensions.

use crate::{Error, Run};

/// A k-d tree of the finite ones of some points.
///
/// The nodes are the points themselves: that of a slice is its middle, whose
/// coordinate along the slice's axis is not below those before it and not above
/// those behind it.
pub(crate) struct Tree<const D: usize> {
    nodes: Vec<Node<D>>,
    /// Number of all points.
    size: usize,
}

/// A point of a [`Tree`].
#[derive(Clone, Copy)]
pub(crate) struct Node<const D: usize> {
    /// Where it is.
    pub(crate) point: [f64; D],
    /// Its index among the points that the tree was made of.
    pub(crate) index: usize,
    /// The lowest index in its slice, itself included.
    lowest: usize,
    axis: usize,
}

impl<const D: usize> Tree<D> {
    /// The tree of the points that are finite.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn new(points: &[[f64; D]], run: Run<'_>) -> Result<Self, Error> {
        let mut nodes: Vec<Node<D>> = (0..points.len())
            .filter(|&index| is_finite(&points[index]))
            .map(|index| Node {
                point: points[index],
                index,
                lowest: index,
                axis: 0,
            })
            .collect();
        arrange(&mut nodes, run)?;
        Ok(Self {
            nodes,
            size: points.len(),
        })
    }

    /// The finite points, in an order in which neighbours follow each other.
    pub(crate) fn nodes(&self) -> &[Node<D>] {
        &self.nodes
    }

    /// Number of all points that it was made of.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The index of the nearest point whose squared distance is not above
    /// `limit`; of equals the lowest.
    pub(crate) fn nearest(&self, point: &[f64; D], limit: f64) -> Option<usize> {
        let mut best = (limit, usize::MAX);
        search(&self.nodes, point, 0.0, &mut best);
        (best.1 != usize::MAX).then_some(best.1)
    }

    /// Adds the indices of the points whose squared distance is not above
    /// `limit`.
    pub(crate) fn within(&self, point: &[f64; D], limit: f64, into: &mut Vec<usize>) {
        gather(&self.nodes, point, limit, into);
    }
}

/// Slices of fewer points are arranged without a look at whether to stop: some
/// milliseconds of work.
const PATIENCE: usize = 10_000;

/// Makes a tree of a slice.
fn arrange<const D: usize>(nodes: &mut [Node<D>], run: Run<'_>) -> Result<(), Error> {
    if nodes.is_empty() {
        return Ok(());
    }
    if nodes.len() > PATIENCE {
        run.check()?;
    }
    let lowest = nodes.iter().map(|node| node.index).min().unwrap_or(0);
    let axis = widest_axis(nodes);
    let middle = nodes.len() / 2;
    nodes.select_nth_unstable_by(middle, |a, b| a.point[axis].total_cmp(&b.point[axis]));
    nodes[middle].axis = axis;
    nodes[middle].lowest = lowest;
    let (before, rest) = nodes.split_at_mut(middle);
    arrange(before, run)?;
    arrange(&mut rest[1..], run)
}

fn widest_axis<const D: usize>(nodes: &[Node<D>]) -> usize {
    let width = |axis: usize| {
        let coordinates = nodes.iter().map(|node| node.point[axis]);
        let (low, high) = coordinates.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        high - low
    };
    (0..D)
        .map(|axis| (axis, width(axis)))
        .fold((0, f64::NEG_INFINITY), |widest, other| {
            if other.1 > widest.1 { other } else { widest }
        })
        .0
}

/// Whether a point has a place.
pub(crate) fn is_finite<const D: usize>(point: &[f64; D]) -> bool {
    point.iter().all(|coordinate| coordinate.is_finite())
}

/// Of two points from each other.
pub(crate) fn squared_distance<const D: usize>(a: &[f64; D], b: &[f64; D]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Improves on the best squared distance and index. No point of the slice is
/// nearer than `bound`, squared.
fn search<const D: usize>(
    nodes: &[Node<D>],
    point: &[f64; D],
    bound: f64,
    best: &mut (f64, usize),
) {
    let middle = nodes.len() / 2;
    let Some(node) = nodes.get(middle) else {
        return;
    };
    // By index, too, so that coincident points do not take long.
    if bound > best.0 || (bound >= best.0 && node.lowest >= best.1) {
        return;
    }
    let distance = squared_distance(&node.point, point);
    if distance < best.0 || (distance <= best.0 && node.index < best.1) {
        *best = (distance, node.index);
    }
    let offset = point[node.axis] - node.point[node.axis];
    let (before, behind) = (&nodes[..middle], &nodes[middle + 1..]);
    let (near, far) = if offset < 0.0 {
        (before, behind)
    } else {
        (behind, before)
    };
    search(near, point, bound, best);
    search(far, point, bound.max(offset * offset), best);
}

fn gather<const D: usize>(nodes: &[Node<D>], point: &[f64; D], limit: f64, into: &mut Vec<usize>) {
    let middle = nodes.len() / 2;
    let Some(node) = nodes.get(middle) else {
        return;
    };
    if squared_distance(&node.point, point) <= limit {
        into.push(node.index);
    }
    let offset = point[node.axis] - node.point[node.axis];
    let is_near = offset * offset <= limit;
    if offset < 0.0 || is_near {
        gather(&nodes[..middle], point, limit, into);
    }
    if offset >= 0.0 || is_near {
        gather(&nodes[middle + 1..], point, limit, into);
    }
}
