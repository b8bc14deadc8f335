//! What is kept of a system after its fit: enough for the covariance of a few stars.

use std::collections::HashMap;

use crate::fit::normal::dot;
use crate::solve::blocks::{Block, Blocks};
use crate::solve::llt::Llt;
use crate::solve::{Factor, Outcome};
use crate::{Error, Run};

use super::neighbours::Neighbours;

/// The covariance of some stars is that of the equations of the stars within so many
/// steps from neighbour to neighbour, with the others known: of stars in a field of
/// 20,000 within 0.1 % of that of the whole.
const STEPS: usize = 3;

/// The normal equations of a system at its end, and the middle of its sandwich.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// Free parameters of a star.
    width: usize,
    numbers: Numbers,
    neighbours: Neighbours,
}

/// All that a [`Kept`] is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Numbers {
    /// The member that each star of the fit is.
    pub(crate) places: Vec<u32>,
    /// (row, column) of each block below the diagonal, row > column.
    pub(crate) pairs: Vec<(u32, u32)>,
    /// Whether the data determine each member.
    pub(crate) is_determined: Vec<bool>,
    /// The blocks of the diagonal, then those of the pairs, row by row.
    pub(crate) normal: Vec<f64>,
    /// Empty where the covariance is the inverse of the normal matrix.
    pub(crate) meat: Vec<f64>,
    /// The variance of a pixel of weight 1.
    pub(crate) scale: f64,
}

/// The blocks of a matrix, those of the diagonal first, as numbers.
fn flat<const P: usize>(matrix: &Blocks<P>) -> Vec<f64> {
    let blocks = matrix.diagonal.iter().chain(&matrix.values);
    blocks.flatten().flatten().copied().collect()
}

/// A block of [`flat`].
fn block<const P: usize>(values: &[f64], number: usize) -> Block<P> {
    std::array::from_fn(|i| std::array::from_fn(|j| values[(number * P + i) * P + j]))
}

impl Kept {
    /// Of the stars `members` of a system, and their matrices.
    pub(crate) fn new<const P: usize>(
        members: &[u32],
        normal: &Blocks<P>,
        meat: Option<&Blocks<P>>,
        scale: f64,
        is_determined: Vec<bool>,
    ) -> Self {
        let mut places = vec![0; members.len()];
        for (member, &star) in (0..).zip(members) {
            places[star as usize] = member;
        }
        let numbers = Numbers {
            places,
            pairs: normal.pairs().to_vec(),
            is_determined,
            normal: flat(normal),
            meat: meat.map_or_else(Vec::new, flat),
            scale,
        };
        Self {
            width: P,
            neighbours: Neighbours::new(normal.n(), &numbers.pairs),
            numbers,
        }
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Made of its numbers again; `None` if they do not fit together.
    pub(crate) fn of_numbers(width: usize, numbers: Numbers) -> Option<Self> {
        let n = numbers.places.len();
        let size = (n + numbers.pairs.len()) * width * width;
        let is_member = |&member: &u32| (member as usize) < n;
        let is_pair = |(a, b): &(u32, u32)| b < a && is_member(a);
        let fits = numbers.places.iter().all(is_member)
            && numbers.pairs.iter().all(is_pair)
            && numbers.is_determined.len() == n
            && numbers.normal.len() == size
            && (numbers.meat.is_empty() || numbers.meat.len() == size);
        fits.then(|| Self {
            width,
            neighbours: Neighbours::new(n, &numbers.pairs),
            numbers,
        })
    }

    /// The covariance of the free parameters of some stars of the fit, row by row; NaN
    /// for those that the data do not determine.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn of(&self, stars: &[usize], run: Run<'_>) -> Result<Vec<f64>, Error> {
        match self.width {
            1 => self.of_width::<1>(stars, run),
            2 => self.of_width::<2>(stars, run),
            3 => self.of_width::<3>(stars, run),
            4 => self.of_width::<4>(stars, run),
            5 => self.of_width::<5>(stars, run),
            _ => self.of_width::<6>(stars, run),
        }
    }

    fn of_width<const P: usize>(&self, stars: &[usize], run: Run<'_>) -> Result<Vec<f64>, Error> {
        let asked: Vec<u32> = stars
            .iter()
            .map(|&star| self.numbers.places[star])
            .collect();
        let near = self.near(&asked);
        let local: HashMap<u32, usize> = near.iter().copied().zip(0..).collect();
        let matrix = self.part::<P>(&self.numbers.normal, &near, &local);
        let held: Vec<bool> = near
            .iter()
            .flat_map(|&m| [!self.numbers.is_determined[m as usize]; P])
            .collect();
        let order = asked.len() * P;
        let mut covariance = vec![f64::NAN; order * order];
        let mut factor = Llt::new(&matrix, run)?;
        if factor.factor(&matrix, &held, run)? != Outcome::Factored {
            return Ok(covariance);
        }
        let mut columns = Vec::with_capacity(order);
        for member in &asked {
            for k in 0..P {
                run.check()?;
                let mut column = vec![[0.0; P]; near.len()];
                column[local[member]][k] = 1.0;
                factor.solve(&mut column);
                for (value, &held) in column.as_flattened_mut().iter_mut().zip(&held) {
                    *value = if held { 0.0 } else { *value };
                }
                columns.push(column);
            }
        }
        let right: Option<Vec<_>> = (!self.numbers.meat.is_empty()).then(|| {
            let meat = self.part::<P>(&self.numbers.meat, &near, &local);
            columns.iter().map(|column| meat.times(column)).collect()
        });
        let is_there = |i: usize| self.numbers.is_determined[asked[i / P] as usize];
        for i in (0..order).filter(|&i| is_there(i)) {
            let own = local[&asked[i / P]];
            for j in (0..=i).filter(|&j| is_there(j)) {
                let value = right.as_ref().map_or_else(
                    || columns[j][own][i % P],
                    |right| dot(columns[i].as_flattened(), right[j].as_flattened()),
                );
                let value = self.numbers.scale * value;
                covariance[i * order + j] = value;
                covariance[j * order + i] = value;
            }
        }
        Ok(covariance)
    }

    /// The members within some steps of those asked for, in order.
    fn near(&self, asked: &[u32]) -> Vec<u32> {
        let mut near: Vec<u32> = asked.to_vec();
        near.sort_unstable();
        near.dedup();
        for _ in 0..STEPS {
            let others = near.iter().flat_map(|&m| self.neighbours.of(m as usize));
            let others: Vec<u32> = others.map(|&(other, _)| other).collect();
            near.extend(others);
            near.sort_unstable();
            near.dedup();
        }
        near
    }

    /// The part of a matrix of some members, in their order.
    fn part<const P: usize>(
        &self,
        values: &[f64],
        near: &[u32],
        local: &HashMap<u32, usize>,
    ) -> Blocks<P> {
        let (mut pairs, mut numbers) = (Vec::new(), Vec::new());
        for (row, &member) in near.iter().enumerate() {
            for &(other, pair) in self.neighbours.of(member as usize) {
                if let Some(&column) = local.get(&other)
                    && other < member
                {
                    pairs.push((row as u32, column as u32));
                    numbers.push(self.numbers.places.len() + pair as usize);
                }
            }
        }
        let mut part = Blocks::new(near.len(), pairs);
        for (target, &member) in part.diagonal.iter_mut().zip(near) {
            *target = block(values, member as usize);
        }
        for (target, number) in part.values.iter_mut().zip(numbers) {
            *target = block(values, number);
        }
        part
    }
}
