//! The joint covariance of a group.

use crate::fit::FLUX;
use crate::fit::blended::{is_blended, is_vague};
use crate::fit::covariance::{Covariance, Joint, lower_triangle};
use crate::fit::leverage::{LARGEST_LEVERAGE, meat_weight, residual_unit};
use crate::flags;

use super::Group;

/// The covariance of all parameters of a group, source by source, and of the constant
/// after them if there is one; NaN for those of members that the data do not determine.
pub(super) struct Whole {
    /// Row by row.
    matrix: Vec<f64>,
    order: usize,
    n_parameters: usize,
    /// The members whose errors are as if pixels were equally noisy, for want of
    /// residuals.
    is_unit: Vec<bool>,
    /// The members of which the data tell little for the others' sake.
    is_unresolved: Vec<bool>,
}

impl Whole {
    /// The variance of a parameter.
    pub(super) fn variance(&self, parameter: usize) -> f64 {
        self.matrix[parameter * (self.order + 1)]
    }

    /// The variance of the constant.
    pub(super) fn level(&self) -> f64 {
        self.matrix.last().copied().unwrap_or(f64::NAN)
    }

    /// The flags of a member.
    pub(super) fn flags(&self, member: usize) -> u32 {
        let conditions = [
            (self.is_unit[member], flags::NO_COVARIANCE),
            (self.is_unresolved[member], flags::UNRESOLVED_PAIR),
        ];
        let bits = conditions.map(|(holds, bit)| if holds { bit } else { 0 });
        bits[0] | bits[1]
    }

    /// What is kept: without the constant.
    pub(super) fn into_joint(self) -> Joint {
        let rows = self.matrix.chunks_exact(self.order.max(1));
        let own = rows.take(self.n_parameters);
        let own: Vec<f64> = own
            .flat_map(|row| &row[..self.n_parameters])
            .copied()
            .collect();
        Joint::Dense(lower_triangle(&own, self.n_parameters))
    }
}

impl Group<'_> {
    /// The covariance at the parameters that were last evaluated, where the `inverse` of
    /// the normal matrix is that of them, and `scale` the variance of a pixel of weight 1.
    pub(super) fn covariance(
        &mut self,
        mut inverse: Vec<f64>,
        is_determined: &[bool],
        scale: f64,
    ) -> Whole {
        let (n, width) = (self.n_parameters(), self.fitter.free.len());
        let is_free = |i: usize| is_determined.get(i / width).is_none_or(|&is| is);
        for (k, value) in inverse.iter_mut().enumerate() {
            if !(is_free(k / n) && is_free(k % n)) {
                *value = 0.0;
            }
        }
        let order = self.n_unknowns();
        if order > n {
            inverse = bordered(&inverse, &self.normal.border, self.total_weight);
        }
        let unit: Vec<f64> = inverse.iter().map(|value| value * scale).collect();
        let mut is_unresolved = self.are_blended(&inverse);
        let mut is_unit = vec![false; is_determined.len()];
        let mut matrix = unit;
        if self.fitter.covariance == Covariance::Sandwich {
            let weights = self.meat_weights(&inverse, scale, &mut is_unit);
            let meat = self.meat(&weights);
            let found = product(&product(&inverse, &meat, order), &inverse, order);
            // Where the matrix has hardly an inverse, of a variance nothing may be left
            // but what rounding makes of it.
            for i in (0..n).filter(|i| found[i * (order + 1)] < 0.0) {
                is_unit[i / width] = true;
            }
            // The constant, after all members, has no residuals to itself.
            let is_own = |i: usize| !is_unit.get(i / width).is_some_and(|&is| is && i < n);
            for (k, value) in matrix.iter_mut().enumerate() {
                if is_own(k / order) && is_own(k % order) {
                    *value = found[k] * scale;
                }
            }
        }
        for (k, value) in matrix.iter_mut().enumerate() {
            let is_free = |i: usize| i >= n || is_free(i);
            if !(is_free(k / order) && is_free(k % order)) {
                *value = f64::NAN;
            }
        }
        let diagonal: Vec<f64> = matrix.iter().copied().step_by(order + 1).take(n).collect();
        for (member, is_unresolved) in is_unresolved.iter_mut().enumerate() {
            let variances = &diagonal[member * width..][..width];
            let flux = self.current[member][FLUX];
            *is_unresolved &= is_vague(self.fitter.free, variances, flux);
        }
        Whole {
            matrix,
            order,
            n_parameters: n,
            is_unit,
            is_unresolved,
        }
    }

    /// Which members the others make uncertain, where the `inverse` of the normal matrix
    /// is that of all unknowns.
    fn are_blended(&self, inverse: &[f64]) -> Vec<bool> {
        let width = self.fitter.free.len();
        let diagonal: Vec<f64> = inverse
            .iter()
            .copied()
            .step_by(self.n_unknowns() + 1)
            .collect();
        let members = diagonal.chunks(width).take(self.current.len());
        members
            .enumerate()
            .map(|(member, joint)| {
                let (own, run) = (self.normal.matrix.own(member), self.fitter.run);
                own.factor(0.0, &[], run).is_some_and(|factor| {
                    let alone = factor.inverse(run);
                    let alone: Vec<f64> = alone.into_iter().step_by(width + 1).collect();
                    is_blended(joint, &alone)
                })
            })
            .collect()
    }

    /// The weight of each pixel in the middle of the sandwich. The members in whose
    /// boxes a pixel's residual says nothing are marked.
    fn meat_weights(&self, inverse: &[f64], scale: f64, is_unit: &mut [bool]) -> Vec<f64> {
        let per_unit = 1.0 / residual_unit(scale);
        let mut weights = vec![0.0; self.pixels.weights.len()];
        let (order, width) = (self.n_unknowns(), self.fitter.free.len());
        let own_element = if order > self.n_parameters() {
            inverse.last().copied().unwrap_or(0.0)
        } else {
            0.0
        };
        let mut across = Vec::new();
        for tile in &self.tiles {
            let size = tile.size;
            let mut leverage = vec![own_element; size];
            let parameters: Vec<(usize, usize)> = tile
                .sources
                .iter()
                .flat_map(|reach| {
                    let of = reach.source as usize * width;
                    (0..width).map(move |k| (of + k, reach.offset + k * size))
                })
                .collect();
            for &(i, own) in &parameters {
                across.clear();
                let constant = if order > self.n_parameters() {
                    2.0 * inverse[i * order + order - 1]
                } else {
                    0.0
                };
                across.resize(size, constant);
                for &(j, other) in &parameters {
                    let element = inverse[i * order + j];
                    for (sum, d) in across.iter_mut().zip(&self.jacobian[other..]) {
                        *sum += element * d;
                    }
                }
                let terms = across.iter().zip(&self.jacobian[own..]);
                for (leverage, (sum, d)) in leverage.iter_mut().zip(terms) {
                    *leverage += sum * d;
                }
            }
            for (k, leverage) in leverage.into_iter().enumerate() {
                let pixel = tile.first + k;
                let weight = self.pixels.weights[pixel];
                let leverage = weight * leverage;
                weights[pixel] = meat_weight(weight, self.residual[pixel] * per_unit, leverage);
                if leverage > LARGEST_LEVERAGE {
                    // Padding has no weight: the pixel is one of the window.
                    let row = tile.window.y0 + (k / tile.window.width()) as i64;
                    let column = tile.window.x0 + (k % tile.window.width()) as i64;
                    for (is_unit, source) in is_unit.iter_mut().zip(self.sources) {
                        *is_unit |= source.window.contains(column, row);
                    }
                }
            }
        }
        weights
    }

    /// The middle of the sandwich, row by row: the normal equations with the weights
    /// of [`Group::meat_weights`].
    fn meat(&mut self, weights: &[f64]) -> Vec<f64> {
        let n = self.n_parameters();
        let mut sums = self.normal.clone();
        self.sum(weights, &mut sums);
        let full = sums.matrix.full();
        if !self.fitter.fits_background {
            return full;
        }
        let mut whole = Vec::with_capacity((n + 1) * (n + 1));
        for (row, &last) in full.chunks_exact(n).zip(&sums.border) {
            whole.extend_from_slice(row);
            whole.push(last);
        }
        whole.extend_from_slice(&sums.border);
        whole.push(weights.iter().sum());
        whole
    }
}

/// The inverse of a matrix with a `column` more, which ends with `element`, where
/// `inverse` is that of the rest with the column eliminated.
fn bordered(inverse: &[f64], column: &[f64], element: f64) -> Vec<f64> {
    let n = column.len();
    let last: Vec<f64> = inverse
        .chunks_exact(n)
        .map(|row| -row.iter().zip(column).map(|(a, b)| a * b).sum::<f64>() / element)
        .collect();
    let corner: f64 = last.iter().zip(column).map(|(l, b)| l * b).sum();
    let mut whole = Vec::with_capacity((n + 1) * (n + 1));
    for (row, &last) in inverse.chunks_exact(n).zip(&last) {
        whole.extend_from_slice(row);
        whole.push(last);
    }
    whole.extend_from_slice(&last);
    whole.push((1.0 - corner) / element);
    whole
}

/// A B, of matrices of one order, row by row; B is symmetric.
fn product(a: &[f64], b: &[f64], order: usize) -> Vec<f64> {
    let rows = a.chunks_exact(order.max(1));
    rows.flat_map(|row| {
        b.chunks_exact(order)
            .map(move |column| super::dot(row, column))
    })
    .collect()
}
