//! The covariances of fitted sources, kept from their fits.

mod encoding;

use crate::fit::covariance::Joint;
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
    parts: Vec<Joint>,
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
        }
    }

    pub(super) fn push(&mut self, part: Part) {
        let number = self.parts.len() as u32;
        for (member, source) in (0..).zip(part.sources) {
            self.places[source] = Some((number, member));
        }
        self.parts.push(part.joint);
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

    /// The covariance of some members of a part.
    fn of_part(&self, part: &Joint, own: &[usize], run: Run<'_>) -> Result<Vec<f64>, Error> {
        let lower = match part {
            Joint::Sparse(kept) => return kept.of(own, run),
            Joint::Dense(lower) => lower,
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
