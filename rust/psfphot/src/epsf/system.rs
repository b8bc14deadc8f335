//! The joint system: coefficients of the PSF with the parameters of every star
//! eliminated, solved by conjugate gradients.

use crate::psf::Placement;
use crate::run::chunks;
use crate::{Error, Run};

use super::alias::Functional;
use super::banded::dot;
use super::basis::Basis;
use super::model::{Scratch, blended};
use super::neighbours::Neighbours;
use super::precondition::Preconditioner;
use super::star::{Exposure, Star};

/// Coefficients of all terms.
pub(crate) type Planes = Vec<Vec<f64>>;

/// Stars are worked on in this many parts, whatever the number of threads: each
/// has its own sums, which are added in order.
const PARTS: usize = 16;

/// `Σ f² AᵀWPA + R` and what belongs to it: A spreads coefficients over a star's
/// pixels, P takes out what the star's own parameters can do, R is the prior.
#[derive(Debug, Clone, Copy)]
pub(crate) struct System<'s, 'a> {
    pub(crate) stars: &'s [Star<'a>],
    pub(crate) basis: &'s Basis,
    pub(crate) n_terms: usize,
    /// Whether neighbouring terms share stars, as nodes do.
    pub(crate) shares_stars: bool,
    /// Roughness that is penalised in every term.
    pub(crate) smooth: &'s Neighbours,
    /// Functionals that are held near zero in every term.
    pub(crate) alias: &'s [Functional],
    /// Functionals that no step may have: the flux and the centre of the PSF.
    pub(crate) gauge: &'s [Functional],
    pub(crate) run: Run<'s>,
}

/// What conjugate gradients came to.
#[derive(Debug)]
pub(crate) struct Solved {
    pub(crate) planes: Planes,
    pub(crate) steps: usize,
}

/// Buffers of a thread.
#[derive(Default)]
struct Buffers {
    scratch: Scratch,
    /// One for each exposure of a star.
    pixels: Vec<Vec<f64>>,
    spread: Vec<f64>,
}

impl System<'_, '_> {
    /// Sums what `work` adds to planes, star by star, in order.
    fn sum_over_stars(
        &self,
        work: impl Fn(&mut Buffers, &Star<'_>, &mut Planes) + Sync + Send,
    ) -> Result<Planes, Error> {
        let zeros = || vec![vec![0.0; self.basis.len()]; self.n_terms];
        let size = self.stars.len().div_ceil(PARTS).max(4);
        let parts = self.run.map(
            chunks(self.stars.len(), size),
            Buffers::default,
            |buffers, range| {
                let mut sum = zeros();
                for star in self.stars[range].iter().filter(|star| star.is_active) {
                    work(buffers, star, &mut sum);
                }
                Ok(sum)
            },
        )?;
        let mut parts = parts.into_iter();
        let mut total = parts.next().unwrap_or_else(zeros);
        for part in parts {
            for (total, part) in total.iter_mut().zip(part) {
                total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
            }
        }
        Ok(total)
    }

    /// The gradient of what is minimised, with the sign that leads down:
    /// `Σ f AᵀWP r − R c − Σ alias`.
    pub(crate) fn right_side(&self, planes: &Planes) -> Result<Planes, Error> {
        let mut right = self.sum_over_stars(|buffers, star, sum| {
            buffers.pixels.resize_with(star.exposures.len(), Vec::new);
            for (exposure, values) in star.exposures.iter().zip(&mut buffers.pixels) {
                let flux = star.flux_in(exposure);
                values.clear();
                values.extend((0..exposure.psi.len()).map(|k| {
                    let weight = exposure.weight[k];
                    // Data without a weight may be no number.
                    if weight > 0.0 {
                        weight * exposure.residual(k, flux)
                    } else {
                        0.0
                    }
                }));
            }
            self.gather(buffers, star, sum);
        })?;
        let mut prior = vec![0.0; self.basis.len()];
        for (plane, right) in planes.iter().zip(&mut right) {
            prior.fill(0.0);
            self.smooth.multiply_into(plane, &mut prior);
            add_functionals(self.alias, plane, &mut prior);
            right.iter_mut().zip(&prior).for_each(|(r, p)| *r -= p);
        }
        Ok(right)
    }

    /// The product with planes.
    fn multiply(&self, planes: &Planes) -> Result<Planes, Error> {
        let mut product = self.sum_over_stars(|buffers, star, sum| {
            buffers.pixels.resize_with(star.exposures.len(), Vec::new);
            for (exposure, values) in star.exposures.iter().zip(&mut buffers.pixels) {
                values.resize(exposure.psi.len(), 0.0);
                let c = blended(planes, &exposure.terms, &mut buffers.scratch.coefficients);
                let blend = self.basis.blend(c);
                let geometry = &self.basis.geometry;
                geometry.fill(&blend, placement(exposure), exposure.window(), values);
                let flux = star.flux_in(exposure);
                let weights = values.iter_mut().zip(exposure.weight.iter());
                weights.for_each(|(v, w)| *v *= flux * w);
            }
            self.gather(buffers, star, sum);
        })?;
        for (plane, product) in planes.iter().zip(&mut product) {
            self.smooth.multiply_into(plane, product);
            add_functionals(self.alias, plane, product);
            add_functionals(self.gauge, plane, product);
        }
        Ok(product)
    }

    /// Takes the star's parameters out of weighted pixels and spreads the rest
    /// over the coefficients.
    fn gather(&self, buffers: &mut Buffers, star: &Star<'_>, sum: &mut Planes) {
        let n = star.exposures.len();
        star.project(&mut buffers.pixels[..n]);
        for (exposure, values) in star.exposures.iter().zip(&mut buffers.pixels) {
            let flux = star.flux_in(exposure);
            for v in values.iter_mut() {
                *v *= flux;
            }
            let (at, window) = (placement(exposure), exposure.window());
            let geometry = &self.basis.geometry;
            let stride = self.basis.stride();
            if let [(term, weight)] = exposure.terms[..]
                && weight.to_bits() == 1.0_f64.to_bits()
            {
                geometry.scatter(stride, at, window, values, &mut sum[term]);
                continue;
            }
            buffers.spread.clear();
            buffers.spread.resize(self.basis.len(), 0.0);
            geometry.scatter(stride, at, window, values, &mut buffers.spread);
            for &(term, weight) in &exposure.terms {
                let spread = buffers.spread.iter();
                sum[term]
                    .iter_mut()
                    .zip(spread)
                    .for_each(|(s, v)| *s += weight * v);
            }
        }
    }

    /// The approximate inverse of the matrix of each term, without the elimination
    /// and without what couples terms; `None` where one is not positive definite. What
    /// `keep` makes of each is kept, for one alone is large.
    pub(crate) fn precondition(
        &self,
        mut keep: impl FnMut(Preconditioner<f64>) -> Preconditioner,
    ) -> Result<Option<Vec<Preconditioner>>, Error> {
        let mut inverses = Vec::with_capacity(self.n_terms);
        for term in 0..self.n_terms {
            let mut matrix = self.curvature(term)?;
            matrix.add(self.smooth);
            let Some(inverse) = Preconditioner::new(&matrix, self.alias.iter().chain(self.gauge))
            else {
                return Ok(None);
            };
            inverses.push(keep(inverse));
        }
        Ok(Some(inverses))
    }

    /// `Σ f² q² AᵀWA` for one term with the weights q.
    fn curvature(&self, term: usize) -> Result<Neighbours, Error> {
        let touching: Vec<&Star<'_>> = self
            .stars
            .iter()
            .filter(|star| star.is_active)
            .filter(|star| star.exposures.iter().any(|e| self.count(e, term) > 0.0))
            .collect();
        let size = touching.len().div_ceil(PARTS / 4).max(4);
        let parts = self.run.map(
            chunks(touching.len(), size),
            || (),
            |(), range| {
                let mut sum = Neighbours::new(self.basis);
                for star in &touching[range] {
                    for exposure in &star.exposures {
                        self.add_curvature(star, exposure, term, &mut sum);
                    }
                }
                Ok(sum)
            },
        )?;
        let mut parts = parts.into_iter();
        let mut total = parts.next().unwrap_or_else(|| Neighbours::new(self.basis));
        parts.for_each(|part| total.add(&part));
        Ok(total)
    }

    /// How much an exposure says about a term: the square of its weight; where
    /// terms share stars the weight itself, the sum of a row of their couplings.
    fn count(&self, exposure: &Exposure<'_>, term: usize) -> f64 {
        let weight = exposure.terms.iter().find(|t| t.0 == term);
        let weight = weight.map_or(0.0, |t| t.1);
        if self.shares_stars {
            weight
        } else {
            weight * weight
        }
    }

    fn add_curvature(
        &self,
        star: &Star<'_>,
        exposure: &Exposure<'_>,
        term: usize,
        sum: &mut Neighbours,
    ) {
        let count = (star.flux_in(exposure)).powi(2) * self.count(exposure, term);
        let (at, window) = (placement(exposure), exposure.window());
        let geometry = &self.basis.geometry;
        geometry.stencil_rows(self.basis.stride(), at, window, |row| {
            let weights = &exposure.weight[row.pixels.0..row.pixels.0 + row.pixels.1];
            sum.add_row(row, count, weights);
        });
    }

    /// Solves the system for a right side by preconditioned conjugate gradients,
    /// until the residual is `tolerance` of what it was.
    pub(crate) fn solve(
        &self,
        right: &Planes,
        inverse: &[Preconditioner],
        tolerance: f64,
        most_steps: usize,
    ) -> Result<Solved, Error> {
        let n = self.basis.len();
        let preconditioned = |r: &Planes| -> Planes {
            let mut z = r.clone();
            for (z, inverse) in z.iter_mut().zip(inverse) {
                inverse.solve(z);
            }
            z
        };
        let mut x = vec![vec![0.0; n]; self.n_terms];
        let mut r = right.clone();
        let mut z = preconditioned(&r);
        let mut p = z.clone();
        let mut rz = product(&r, &z);
        let target = tolerance * tolerance * rz;
        let mut steps = 0;
        while steps < most_steps && rz > target && rz > 0.0 {
            let hp = self.multiply(&p)?;
            let curvature = product(&p, &hp);
            // Rounding, or a system that has no minimum.
            if curvature.is_nan() || curvature <= 0.0 {
                break;
            }
            let step = rz / curvature;
            add_scaled(&mut x, step, &p);
            add_scaled(&mut r, -step, &hp);
            z = preconditioned(&r);
            let before = rz;
            rz = product(&r, &z);
            for (p, z) in p.iter_mut().zip(&z) {
                let turn = rz / before;
                p.iter_mut().zip(z).for_each(|(p, z)| *p = z + turn * *p);
            }
            steps += 1;
        }
        Ok(Solved { planes: x, steps })
    }
}

/// Where an exposure's star is in its cutout.
fn placement(exposure: &Exposure<'_>) -> Placement<'static> {
    Placement {
        x: exposure.x,
        y: exposure.y,
        shape: &[],
    }
}

fn add_functionals(functionals: &[Functional], plane: &[f64], out: &mut [f64]) {
    for functional in functionals {
        let pull = functional.value(plane) / functional.deviation.powi(2);
        let vector = functional.vector.iter();
        out.iter_mut().zip(vector).for_each(|(o, v)| *o += pull * v);
    }
}

fn product(a: &Planes, b: &Planes) -> f64 {
    a.iter().zip(b).map(|(a, b)| dot(a, b)).sum()
}

fn add_scaled(x: &mut Planes, factor: f64, y: &Planes) {
    for (x, y) in x.iter_mut().zip(y) {
        x.iter_mut().zip(y).for_each(|(x, y)| *x += factor * y);
    }
}
