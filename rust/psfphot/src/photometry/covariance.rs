//! The covariances of fitted sources, kept from their fits.

mod encoding;

use std::ops::Range;

use crate::fit::covariance::Joint;
use crate::fit::system::kept::Kept;
use crate::{Error, Run};

/// The covariances of the sources of a fit, without its pixels.
///
/// Of sources that were fitted alone or in small groups it is the covariance itself that
/// is kept. Of a large component it is the normal equations, whose blocks grow with the
/// number of pairs that share pixels; the covariance of a few of its sources is computed
/// from those around them.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariances {
    /// Free parameters of a source.
    width: usize,
    /// The part that each source is in, and which of the part it is.
    places: Vec<Option<(u32, u32)>>,
    parts: Vec<Held>,
    /// The matrices of all dense parts in one piece of memory, as most are of one source.
    lower: Vec<f64>,
}

/// What is kept of a part, as a [`Joint`] has it.
#[derive(Debug, Clone, PartialEq)]
enum Held {
    /// Which elements of `lower` are its own.
    Dense(Range<usize>),
    Sparse(Box<Kept>),
}

/// Sources that were fitted together.
pub(super) struct Part {
    sources: Vec<usize>,
    joint: Joint,
}

impl Part {
    pub(super) fn new(sources: impl IntoIterator<Item = usize>, joint: Joint) -> Self {
        Self {
            sources: sources.into_iter().collect(),
            joint,
        }
    }
}

impl Covariances {
    /// Of `n` sources with so many free parameters each, none of which has any yet.
    pub(super) fn new(n: usize, width: usize) -> Self {
        Self {
            width,
            places: vec![None; n],
            parts: Vec::new(),
            lower: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, part: Part) {
        let number = self.parts.len() as u32;
        for (member, source) in (0..).zip(part.sources) {
            self.places[source] = Some((number, member));
        }
        self.hold(part.joint);
    }

    /// Adds the lower triangle of a source that was fitted alone.
    pub(super) fn push_alone(&mut self, source: usize, lower: &[f64]) {
        self.places[source] = Some((self.parts.len() as u32, 0));
        self.hold_dense(lower);
    }

    fn hold(&mut self, joint: Joint) {
        match joint {
            Joint::Dense(lower) => self.hold_dense(&lower),
            Joint::Sparse(kept) => self.parts.push(Held::Sparse(kept)),
        }
    }

    fn hold_dense(&mut self, lower: &[f64]) {
        let start = self.lower.len();
        self.lower.extend_from_slice(lower);
        self.parts.push(Held::Dense(start..self.lower.len()));
    }

    /// The covariance of the free parameters of some sources, as they came out of their
    /// fit: with n free parameters per source a matrix of (members · n)², row by row,
    /// source by source, in the order flux, x, y, shape.
    ///
    /// Elements of sources that were not fitted together, or that have no covariance, are
    /// NaN.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a member is not one of the sources;
    /// [`Error::Cancelled`].
    pub fn of(&self, members: &[usize], run: Run<'_>) -> Result<Vec<f64>, Error> {
        if let Some(&wrong) = members.iter().find(|&&i| i >= self.places.len()) {
            let expected = format!("be below the number of sources, {}", self.places.len());
            return Err(Error::invalid("members", expected, wrong));
        }
        let order = members.len() * self.width;
        let mut whole = vec![f64::NAN; order * order];
        let mut parts: Vec<u32> = members
            .iter()
            .filter_map(|&m| self.places[m].map(|(part, _)| part))
            .collect();
        parts.sort_unstable();
        parts.dedup();
        for part in parts {
            run.check()?;
            let (mut rows, mut own) = (Vec::new(), Vec::new());
            for (row, &member) in members.iter().enumerate() {
                if let Some((of, number)) = self.places[member]
                    && of == part
                {
                    rows.push(row);
                    own.push(number as usize);
                }
            }
            let found = self.of_part(&self.parts[part as usize], &own, run)?;
            let n = own.len() * self.width;
            let place = |i: usize| rows[i / self.width] * self.width + i % self.width;
            for (k, value) in found.into_iter().enumerate() {
                whole[place(k / n) * order + place(k % n)] = value;
            }
        }
        Ok(whole)
    }

    /// How many times larger the variance of the flux of each of some sources is than it
    /// would be if the source's other parameters were known: a variance inflation factor
    /// (Marquardt 1970, Technometrics 12, 591). 1 where there is no covariance.
    ///
    /// In a close pair it is large: there it is certain that there are two sources, and
    /// not how bright each is.
    ///
    /// # Errors
    /// As for [`Covariances::of`].
    pub fn flux_inflation(&self, members: &[usize], run: Run<'_>) -> Result<Vec<f64>, Error> {
        run.map(
            members.to_vec(),
            || (),
            |(), member| {
                let own = self.of(&[member], run.serial())?;
                Ok(inflation_of_first(own, self.width).unwrap_or(1.0))
            },
        )
    }

    /// The covariance of some members of a part.
    fn of_part(&self, part: &Held, own: &[usize], run: Run<'_>) -> Result<Vec<f64>, Error> {
        let lower = match part {
            Held::Sparse(kept) => return kept.of(own, run),
            Held::Dense(range) => &self.lower[range.clone()],
        };
        let n = own.len() * self.width;
        let index = |i: usize| own[i / self.width] * self.width + i % self.width;
        let element = |k: usize| {
            let (i, j) = (index(k / n), index(k % n));
            let (row, column) = (i.max(j), i.min(j));
            lower[row * (row + 1) / 2 + column]
        };
        Ok((0..n * n).map(element).collect())
    }
}

/// The variance of the first of n parameters over what is left of it once the others are
/// known, if there is any.
fn inflation_of_first(mut covariance: Vec<f64>, n: usize) -> Option<f64> {
    let variance = *covariance.first()?;
    for known in (1..n).rev() {
        let pivot = covariance[known * n + known];
        for i in 0..known {
            for j in 0..known {
                covariance[i * n + j] -=
                    covariance[i * n + known] * covariance[known * n + j] / pivot;
            }
        }
    }
    let inflation = variance / covariance[0];
    (inflation >= 1.0 && inflation.is_finite()).then_some(inflation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_are_inflated_by_what_is_not_known() {
        // Of the inverse of [[4, 1, 0], [1, 3, 1], [0, 1, 2]], whose first element is
        // 5/18: the variance if the others are known is 1/4.
        let covariance: Vec<f64> = [5.0, -2.0, 1.0, -2.0, 8.0, -4.0, 1.0, -4.0, 11.0]
            .map(|v| v / 18.0)
            .to_vec();
        let inflation = inflation_of_first(covariance, 3);
        assert!(inflation.is_some_and(|v| (v - 10.0 / 9.0).abs() < 1e-14));
        assert_eq!(inflation_of_first(vec![2.0], 1), Some(1.0));
        assert_eq!(inflation_of_first(vec![f64::NAN; 4], 2), None);
        assert_eq!(inflation_of_first(vec![], 0), None);
    }

    #[test]
    fn sources_without_a_covariance_have_an_inflation_of_1() -> Result<(), Error> {
        let mut covariances = Covariances::new(2, 2);
        // [[4, 1], [1, 1]], packed.
        covariances.push(Part::new([1], Joint::Dense(vec![4.0, 1.0, 1.0])));
        let run = Run::new();
        assert_eq!(covariances.flux_inflation(&[0, 1], run)?, [1.0, 4.0 / 3.0]);
        assert!(covariances.flux_inflation(&[2], run).is_err());
        Ok(())
    }
}
