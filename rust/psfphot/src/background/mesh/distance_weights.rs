//! Nodes weighted by the inverse of their distances (Shepard 1968, *A
//! two-dimensional interpolation function for irregularly-spaced data*).

use super::neighbours::Neighbours;
use crate::image::{Image, Pixel};
use crate::{Error, Run};

/// How nodes are weighted: by 1 / (distance^power + regularization).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DistanceWeights {
    /// How many of the nearest nodes take part, at most.
    pub n_neighbors: usize,
    /// The power of the distance.
    pub power: f64,
    /// What is added to the power.
    pub regularization: f64,
    /// The most nodes that the search looks at one by one.
    pub leaf_size: usize,
}

impl Default for DistanceWeights {
    /// The inverse distances of ten nodes.
    fn default() -> Self {
        Self {
            n_neighbors: 10,
            power: 1.0,
            regularization: 0.0,
            leaf_size: 10,
        }
    }
}

/// Nodes somewhere, and how they are weighted.
struct Scattered<'a> {
    neighbours: Neighbours,
    values: Vec<f64>,
    weights: &'a DistanceWeights,
}

impl<'a> Scattered<'a> {
    /// Those nodes of a mesh that are not excluded, at `place(row, column)`.
    fn new(
        nodes: Image<'_, f64>,
        excluded: &[bool],
        place: impl Fn(usize, usize) -> [f64; 2],
        weights: &'a DistanceWeights,
    ) -> Self {
        let nx = nodes.shape().1;
        let kept: Vec<usize> = (0..excluded.len()).filter(|&k| !excluded[k]).collect();
        let points = kept.iter().map(|k| place(k / nx, k % nx)).collect();
        Self {
            neighbours: Neighbours::new(points, weights.leaf_size),
            values: kept.iter().map(|&k| nodes.as_slice()[k]).collect(),
            weights,
        }
    }

    /// NaN if there are no nodes.
    fn at(&self, place: [f64; 2]) -> f64 {
        let DistanceWeights {
            n_neighbors,
            power,
            regularization,
            ..
        } = *self.weights;
        let nearest = self.neighbours.nearest(place, n_neighbors);
        if let [(_, only)] = nearest[..] {
            return self.values[only];
        }
        let (mut sum, mut total) = (0.0, 0.0);
        for (squared, k) in nearest {
            if squared <= 0.0 {
                return self.values[k];
            }
            let weight = 1.0 / (squared.sqrt().powf(power) + regularization);
            sum += weight * self.values[k];
            total += weight;
        }
        sum / total
    }
}

/// Gives the nodes that are excluded what their neighbours on the mesh have.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `excluded` has another length than there are
/// nodes; [`Error::Cancelled`].
pub fn fill_nodes(
    nodes: Image<'_, f64>,
    excluded: &[bool],
    weights: &DistanceWeights,
    run: Run<'_>,
) -> Result<Vec<f64>, Error> {
    let mut filled = nodes.as_slice().to_vec();
    Error::check_len("excluded", filled.len(), excluded.len())?;
    let holes: Vec<usize> = (0..excluded.len()).filter(|&k| excluded[k]).collect();
    if holes.is_empty() {
        return Ok(filled);
    }
    let place = |row: usize, column: usize| [row as f64, column as f64];
    let scattered = Scattered::new(nodes, excluded, place, weights);
    let nx = nodes.shape().1;
    let values = run.map(
        holes.clone(),
        || (),
        |(), k| Ok(scattered.at(place(k / nx, k % nx))),
    )?;
    for (k, value) in holes.into_iter().zip(values) {
        filled[k] = value;
    }
    Ok(filled)
}

/// Nodes interpolated to the pixels of an image of `shape`, whose boxes of
/// `box_shape` pixels they are the centres of. Those excluded take no part.
///
/// # Errors
/// As [`fill_nodes`].
pub fn interpolate_nodes<T: Pixel>(
    nodes: Image<'_, f64>,
    excluded: &[bool],
    box_shape: (usize, usize),
    shape: (usize, usize),
    weights: &DistanceWeights,
    run: Run<'_>,
) -> Result<Vec<T>, Error> {
    Error::check_len("excluded", nodes.as_slice().len(), excluded.len())?;
    let centre = |k: usize, size: usize| (k * size) as f64 + (size as f64 - 1.0) / 2.0;
    let place = |row, column| [centre(row, box_shape.0), centre(column, box_shape.1)];
    let scattered = Scattered::new(nodes, excluded, place, weights);
    let (ny, nx) = shape;
    let rows = run.map(
        (0..ny).collect(),
        || (),
        |(), y: usize| {
            let row = (0..nx).map(|x| T::from_f64(scattered.at([y as f64, x as f64])));
            Ok(row.collect::<Vec<T>>())
        },
    )?;
    Ok(rows.concat())
}
