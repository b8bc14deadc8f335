//! A polynomial surface through the nodes of a mesh that outliers do not bend.

use super::median::median;
use crate::background::clip::MAD_TO_SIGMA;

/// Rounds of weights by 1/|residual|, which find the surface whatever some
/// nodes are, and of Tukey's biweight after them.
const ROUNDS: (usize, usize) = (3, 4);

/// Where the biweight vanishes, standard deviations: 95 % efficient.
const BIWEIGHT_END: f64 = 4.685;

/// Nodes that a surface needs for each of its terms.
const NODES_PER_TERM: usize = 3;

/// The most nodes with which degrees are compared: a thousand take a millisecond.
const COMPARED: usize = 1000;

/// A higher degree has to predict the nodes left out by so much better.
const GAIN: f64 = 0.95;

/// The part of the nodes left out that degrees are judged by.
const KEPT_PART: f64 = 0.9;

/// A node of a mesh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) value: f64,
    /// The inverse of its variance, on any scale.
    pub(super) weight: f64,
}

/// A sum of products of Chebyshev polynomials over a mesh.
#[derive(Debug, Clone)]
pub(super) struct Polynomial {
    degree: usize,
    /// (rows, columns) of the mesh, which becomes the square from −1 to 1.
    shape: (usize, usize),
    coefficients: Vec<f64>,
}

impl Polynomial {
    /// Fits the degree, up to `highest`, that predicts nodes left out best.
    pub(super) fn fit(nodes: &[Node], shape: (usize, usize), highest: usize) -> Self {
        let degree = best_degree(nodes, shape, highest);
        Self::of_degree(nodes, shape, degree)
    }

    /// The total degree.
    pub(super) fn degree(&self) -> usize {
        self.degree
    }

    /// The value at row `v` and column `u` of the mesh.
    pub(super) fn value(&self, v: f64, u: f64) -> f64 {
        let terms = terms(self.degree, self.shape, (v, u));
        terms
            .iter()
            .zip(&self.coefficients)
            .map(|(t, c)| t * c)
            .sum()
    }

    fn of_degree(nodes: &[Node], shape: (usize, usize), degree: usize) -> Self {
        let rows: Vec<Vec<f64>> = nodes
            .iter()
            .map(|node| terms(degree, shape, (node.row as f64, node.column as f64)))
            .collect();
        let mut weights: Vec<f64> = nodes.iter().map(|node| node.weight).collect();
        let mut polynomial = Self {
            degree,
            shape,
            coefficients: least_squares(&rows, nodes, &weights),
        };
        for round in 0..ROUNDS.0 + ROUNDS.1 {
            let coefficients = &polynomial.coefficients;
            let residuals: Vec<f64> = rows
                .iter()
                .zip(nodes)
                .map(|(row, node)| node.value - dot(row, coefficients))
                .collect();
            let mut sizes: Vec<f64> = residuals.iter().map(|r| r.abs()).collect();
            let scale = MAD_TO_SIGMA * median(&mut sizes);
            // A positive number, also where NaN stands against it.
            if !(scale > 0.0 && scale.is_finite()) {
                break;
            }
            for ((weight, node), r) in weights.iter_mut().zip(nodes).zip(&residuals) {
                *weight = node.weight
                    * if round < ROUNDS.0 {
                        1.0 / r.abs().max(0.1 * scale)
                    } else {
                        let u = r / (BIWEIGHT_END * scale);
                        (1.0 - u * u).max(0.0).powi(2)
                    };
            }
            polynomial.coefficients = least_squares(&rows, nodes, &weights);
        }
        polynomial
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn n_terms(degree: usize) -> usize {
    (degree + 1) * (degree + 2) / 2
}

/// The products of Chebyshev polynomials up to a total degree.
fn terms(degree: usize, shape: (usize, usize), (v, u): (f64, f64)) -> Vec<f64> {
    let chebyshev = |k: f64, n: usize| {
        let t = (2.0 * k + 1.0) / n as f64 - 1.0;
        let mut values = vec![1.0, t];
        for i in 2..=degree {
            values.push(2.0 * t * values[i - 1] - values[i - 2]);
        }
        values
    };
    let (ys, xs) = (chebyshev(v, shape.0), chebyshev(u, shape.1));
    let mut products = Vec::with_capacity(n_terms(degree));
    for (j, y) in ys.iter().take(degree + 1).enumerate() {
        products.extend(xs[..=degree - j].iter().map(|x| y * x));
    }
    products
}

/// The degree whose surface through every other node, as on a chessboard,
/// misses the rest least.
fn best_degree(nodes: &[Node], shape: (usize, usize), highest: usize) -> usize {
    let every = (nodes.len() as f64 / COMPARED as f64)
        .sqrt()
        .ceil()
        .max(1.0) as usize;
    let is_compared =
        |node: &&Node| node.row.is_multiple_of(every) && node.column.is_multiple_of(every);
    let (shown, hidden): (Vec<Node>, Vec<Node>) = nodes
        .iter()
        .filter(is_compared)
        .partition(|node| (node.row / every + node.column / every).is_multiple_of(2));
    let rows_and_columns = |nodes: &[Node], along: fn(&Node) -> usize| {
        let mut values: Vec<usize> = nodes.iter().map(along).collect();
        values.sort_unstable();
        values.dedup();
        values.len()
    };
    let lines =
        rows_and_columns(&shown, |node| node.row).min(rows_and_columns(&shown, |node| node.column));
    let mut best = (0, miss(&shown, &hidden, shape, 0));
    for degree in 1..=highest {
        if shown.len() < NODES_PER_TERM * n_terms(degree) || lines < 2 * degree + 1 {
            break;
        }
        let missed = miss(&shown, &hidden, shape, degree);
        if missed < GAIN * best.1 {
            best = (degree, missed);
        }
    }
    best.0
}

/// The mean distance of hidden nodes from the surface through those shown,
/// without the farthest, which may be anything.
fn miss(shown: &[Node], hidden: &[Node], shape: (usize, usize), degree: usize) -> f64 {
    let surface = Polynomial::of_degree(shown, shape, degree);
    let mut distances: Vec<f64> = hidden
        .iter()
        .map(|node| (node.value - surface.value(node.row as f64, node.column as f64)).abs())
        .collect();
    distances.sort_by(f64::total_cmp);
    distances.truncate((KEPT_PART * distances.len() as f64).ceil() as usize);
    distances.iter().sum::<f64>() / distances.len().max(1) as f64
}

/// The weighted least-squares solution, by a Cholesky decomposition; terms that
/// the nodes cannot tell apart from others are 0.
fn least_squares(rows: &[Vec<f64>], nodes: &[Node], weights: &[f64]) -> Vec<f64> {
    let n = rows.first().map_or(0, Vec::len);
    let mut matrix = vec![0.0; n * n];
    let mut right = vec![0.0; n];
    for ((row, node), weight) in rows.iter().zip(nodes).zip(weights) {
        for i in 0..n {
            let scaled = weight * row[i];
            right[i] += scaled * node.value;
            for j in 0..=i {
                matrix[i * n + j] += scaled * row[j];
            }
        }
    }
    let diagonal: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    for i in 0..n {
        for j in 0..=i {
            let (before_i, before_j) = (&matrix[i * n..i * n + j], &matrix[j * n..j * n + j]);
            let value = matrix[i * n + j] - dot(before_i, before_j);
            matrix[i * n + j] = if i != j {
                value * matrix[j * n + j]
            } else if value > 1e-10 * diagonal[i] {
                // The inverse, so that 0 leaves a term out.
                1.0 / value.sqrt()
            } else {
                0.0
            };
        }
    }
    for i in 0..n {
        let known = dot(&matrix[i * n..i * n + i], &right[..i]);
        right[i] = (right[i] - known) * matrix[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| matrix[j * n + i] * right[j]).sum();
        right[i] = (right[i] - known) * matrix[i * n + i];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes of a mesh of 12 × 15, every 13th of them far off.
    fn nodes(value: impl Fn(f64, f64) -> f64) -> Vec<Node> {
        (0..180)
            .map(|k| {
                let (row, column) = (k / 15, k % 15);
                let noise = 1e-3 * ((k * 7919) % 101) as f64 / 101.0;
                let outlier = if k % 13 == 5 { 500.0 } else { 0.0 };
                Node {
                    row,
                    column,
                    value: value(row as f64, column as f64) + noise + outlier,
                    weight: 1.0,
                }
            })
            .collect()
    }

    #[test]
    fn the_surface_and_its_degree_are_found_among_outliers() {
        let quadratic = |v: f64, u: f64| 3.0 + 0.2 * v * u - 0.5 * u * u + v;
        let quartic = |v: f64, u: f64| 1e-3 * (v * u).powi(2) - 2.0 * u;
        let flat = |_: f64, _: f64| 7.0;
        for (degree, truth) in [
            (0, &flat as &dyn Fn(f64, f64) -> f64),
            (2, &quadratic),
            (4, &quartic),
        ] {
            let fit = Polynomial::fit(&nodes(truth), (12, 15), 5);
            assert_eq!(fit.degree(), degree);
            for (v, u) in [(0.0, 0.0), (-1.0, 15.0), (11.5, 7.2)] {
                assert!(
                    (fit.value(v, u) - truth(v, u)).abs() < 3e-3,
                    "{degree} {v} {u}"
                );
            }
        }
    }

    #[test]
    fn one_line_of_nodes_has_no_slope_across() {
        let line: Vec<Node> = nodes(|_, u| u).into_iter().filter(|n| n.row == 3).collect();
        let fit = Polynomial::of_degree(&line, (1, 15), 2);
        assert!((fit.value(3.0, 4.0) - 4.0).abs() < 0.1);
        assert!(Polynomial::fit(&line[..1], (12, 15), 5).degree() == 0);
        assert!(Polynomial::fit(&[], (12, 15), 5).value(1.0, 1.0).abs() < 1e-300);
    }
}
