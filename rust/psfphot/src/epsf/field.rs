//! How an ePSF varies over the frame: its terms, and their weights at a place.

use crate::Error;

/// How the PSF varies over the frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// Not at all.
    Constant,
    /// Polynomials of the position (x, y).
    Polynomial {
        /// 1 or 2.
        degree: usize,
        /// The variables are (position − centre) / scale, (x, y) each.
        centre: (f64, f64),
        /// Half of the frame's width and height.
        scale: (f64, f64),
    },
    /// PSFs at nodes, bilinear between them.
    Nodes {
        /// Columns of the nodes, increasing.
        x: Vec<f64>,
        /// Rows of the nodes, increasing.
        y: Vec<f64>,
    },
}

/// A term's number and its weight at a place.
pub(crate) type TermWeight = (usize, f64);

impl Field {
    /// Number of terms: planes of coefficients.
    pub(crate) fn n_terms(&self) -> usize {
        match self {
            Self::Constant => 1,
            Self::Polynomial { degree, .. } => (degree + 1) * (degree + 2) / 2,
            Self::Nodes { x, y } => x.len() * y.len(),
        }
    }

    /// Refuses what is no field.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Constant => Ok(()),
            Self::Polynomial {
                degree,
                centre,
                scale,
            } => {
                if !(1..=2).contains(degree) {
                    return Err(Error::invalid("field", "have the degree 1 or 2", degree));
                }
                if !(centre.0.is_finite() && centre.1.is_finite()) {
                    let got = format!("{centre:?}");
                    return Err(Error::invalid("field", "have a finite center", got));
                }
                Error::check_positive("field.scale", scale.0.min(scale.1))?;
                Error::check_positive("field.scale", scale.0.max(scale.1))
            }
            Self::Nodes { x, y } => {
                for nodes in [x, y] {
                    let increases = nodes.windows(2).all(|pair| pair[0] < pair[1]);
                    let is_finite = nodes.iter().all(|node| node.is_finite());
                    if nodes.is_empty() || !increases || !is_finite {
                        let expected = "have increasing, finite nodes in x and y";
                        return Err(Error::invalid("field", expected, format!("{nodes:?}")));
                    }
                }
                Ok(())
            }
        }
    }

    /// The terms that make the PSF at a place; beyond the frame those of its edge.
    pub(crate) fn weights(&self, (x, y): (f64, f64)) -> Vec<TermWeight> {
        match self {
            Self::Constant => vec![(0, 1.0)],
            Self::Polynomial {
                degree,
                centre,
                scale,
            } => {
                let u = ((x - centre.0) / scale.0).clamp(-1.0, 1.0);
                let v = ((y - centre.1) / scale.1).clamp(-1.0, 1.0);
                // The power of u counts fastest, as in a PolynomialPsf.
                let mut weights = Vec::with_capacity(self.n_terms());
                for power_v in 0..=*degree {
                    for power_u in 0..=degree - power_v {
                        let weight = u.powi(power_u as i32) * v.powi(power_v as i32);
                        weights.push((weights.len(), weight));
                    }
                }
                weights
            }
            Self::Nodes { x: xs, y: ys } => {
                let mut weights = Vec::with_capacity(4);
                for (j, wy) in between(ys, y) {
                    for (i, wx) in between(xs, x) {
                        if wx * wy > 0.0 {
                            weights.push((j * xs.len() + i, wx * wy));
                        }
                    }
                }
                weights
            }
        }
    }

    /// Where each plane is the PSF itself: the nodes, x fastest.
    pub(crate) fn nodes(&self) -> Vec<(f64, f64)> {
        match self {
            Self::Nodes { x, y } => y
                .iter()
                .flat_map(|y| x.iter().map(move |x| (*x, *y)))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// The nodes below and above, with their weights.
fn between(nodes: &[f64], position: f64) -> [(usize, f64); 2] {
    let last = nodes.len() - 1;
    let upper = nodes
        .partition_point(|&node| node <= position)
        .clamp(1.min(last), last);
    let lower = upper.saturating_sub(1);
    if lower == upper {
        return [(lower, 1.0), (upper, 0.0)];
    }
    let fraction = (position - nodes[lower]) / (nodes[upper] - nodes[lower]);
    let fraction = fraction.clamp(0.0, 1.0);
    [(lower, 1.0 - fraction), (upper, fraction)]
}

/// Terms that vary by less than this over the stars, of the 1 that the variables
/// reach at the edges of the frame, are not determined by them.
const LEAST_SPREAD: f64 = 0.05;

/// Polynomials that are orthonormal over the stars: in them the solver's matrix
/// is nearly one block for each term. The identity for other fields.
#[derive(Debug, Clone)]
pub(crate) struct Orthonormal {
    /// Lower triangle: rows of the new terms in the old.
    rows: Vec<Vec<f64>>,
}

impl Orthonormal {
    /// Leaves the terms as they are.
    pub(crate) fn identity() -> Self {
        Self { rows: Vec::new() }
    }

    /// For the weights of a polynomial's terms at the places of the stars, each
    /// with how much it counts. Terms that the places do not tell apart are kept
    /// as they are.
    pub(crate) fn new(stars: &[(Vec<TermWeight>, f64)], n_terms: usize) -> Self {
        let total: f64 = stars.iter().map(|(_, count)| count).sum();
        let product = |a: &[f64], b: &[f64]| {
            let at = |row: &[f64], terms: &[TermWeight]| -> f64 {
                terms.iter().map(|(t, w)| row[*t] * w).sum()
            };
            let sum: f64 = stars
                .iter()
                .map(|(terms, count)| count * at(a, terms) * at(b, terms))
                .sum();
            sum / total
        };
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(n_terms);
        for t in 0..n_terms {
            let mut row = vec![0.0; n_terms];
            row[t] = 1.0;
            for other in &rows {
                let along = product(&row, other);
                row.iter_mut().zip(other).for_each(|(r, o)| *r -= along * o);
            }
            let norm = product(&row, &row).sqrt();
            if norm > LEAST_SPREAD {
                for r in &mut row {
                    *r /= norm;
                }
            }
            rows.push(row);
        }
        Self { rows }
    }

    /// The weights of the new terms.
    pub(crate) fn weights(&self, terms: Vec<TermWeight>) -> Vec<TermWeight> {
        if self.rows.is_empty() {
            return terms;
        }
        self.rows
            .iter()
            .map(|row| terms.iter().map(|(t, w)| row[*t] * w).sum())
            .enumerate()
            .collect()
    }

    /// Planes of the old terms from those of the new.
    pub(crate) fn planes(&self, planes: &[Vec<f64>]) -> Vec<Vec<f64>> {
        if self.rows.is_empty() {
            return planes.to_vec();
        }
        (0..planes.len())
            .map(|old| {
                let mut sum = vec![0.0; planes[old].len()];
                for (row, plane) in self.rows.iter().zip(planes) {
                    sum.iter_mut()
                        .zip(plane)
                        .for_each(|(s, p)| *s += row[old] * p);
                }
                sum
            })
            .collect()
    }

    /// Variances of the old terms' planes from those of the new, if these are
    /// independent.
    pub(crate) fn variances(&self, planes: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let squared = self
            .rows
            .iter()
            .map(|row| row.iter().map(|r| r * r).collect());
        Self {
            rows: squared.collect(),
        }
        .planes(planes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_blend_and_polynomials_have_their_powers() {
        let nodes = Field::Nodes {
            x: vec![0.0, 10.0],
            y: vec![0.0, 4.0, 8.0],
        };
        assert_eq!(
            nodes.weights((2.5, 6.0)),
            [(2, 0.375), (3, 0.125), (4, 0.375), (5, 0.125)]
        );
        assert_eq!(nodes.weights((-3.0, 99.0)), [(4, 1.0)]);
        let centre = (5.0, 5.0);
        let field = Field::Polynomial {
            degree: 2,
            centre,
            scale: (10.0, 5.0),
        };
        let weights: Vec<f64> = field.weights((10.0, 6.0)).iter().map(|t| t.1).collect();
        assert_eq!(weights, [1.0, 0.5, 0.25, 0.2, 0.1, 0.2 * 0.2]);
        for bad in [
            Field::Nodes {
                x: vec![1.0, 1.0],
                y: vec![0.0],
            },
            Field::Nodes {
                x: vec![1.0],
                y: vec![],
            },
            Field::Polynomial {
                degree: 3,
                centre,
                scale: (1.0, 1.0),
            },
            Field::Polynomial {
                degree: 1,
                centre,
                scale: (1.0, 0.0),
            },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn orthonormal_terms_are_that_and_lead_back() {
        let field = Field::Polynomial {
            degree: 2,
            centre: (0.0, 0.0),
            scale: (1.0, 1.0),
        };
        let stars: Vec<_> = (0..40)
            .map(|k| {
                let at = (
                    f64::from(k * 17 % 40) / 20.0 - 1.0,
                    f64::from(k) / 30.0 - 0.5,
                );
                (field.weights(at), 1.0 + f64::from(k % 3))
            })
            .collect();
        let terms = Orthonormal::new(&stars, 6);
        let total: f64 = stars.iter().map(|s| s.1).sum();
        for (a, b) in [(0, 0), (3, 3), (5, 5), (0, 4), (2, 5), (3, 1)] {
            let sum: f64 = stars
                .iter()
                .map(|(w, count)| {
                    let q = terms.weights(w.clone());
                    count * q[a].1 * q[b].1 / total
                })
                .sum();
            assert!((sum - f64::from(a == b)).abs() < 1e-12, "{a} {b} {sum}");
        }
        let planes: Vec<_> = (0..6).map(|t| vec![f64::from(t * t) - 2.0]).collect();
        let old = terms.planes(&planes);
        let at = |weights: &[TermWeight], planes: &[Vec<f64>]| -> f64 {
            weights.iter().map(|(t, w)| w * planes[*t][0]).sum()
        };
        let direct = at(&terms.weights(stars[7].0.clone()), &planes);
        assert!((direct - at(&stars[7].0, &old)).abs() < 1e-12);
    }
}
