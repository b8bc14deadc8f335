//! Sparse Cholesky factors by supernodes.

mod division;
mod fronts;
mod inverse;
mod nulls;
mod pattern;
mod supernodes;
mod triangles;

use std::ops::Range;

use crate::{Error, Run};

use super::blocks::{Block, Blocks};
use super::small::transposed;
use super::{Factor, Null, Outcome};
use division::Division;
use fronts::{Problem, Scratch, Update, factor_front};
use pattern::Pattern;

/// The lower factor L of a matrix A = L Lᵀ in blocks, or what [`Factor::invert`]
/// makes of it.
///
/// Multifrontal: columns with the same rows, a *supernode*, are factored as one dense
/// *panel*, and what they do to the columns that follow is one dense product. Subtrees of
/// supernodes are tasks of the threads; the supernodes above them follow one by one,
/// each by all threads.
#[derive(Debug)]
pub(crate) struct Llt<const P: usize> {
    pattern: Pattern,
    division: Division,
    /// Where the panel of each supernode begins among the `values`, and the end.
    starts: Vec<usize>,
    /// The panels, each column by column.
    values: Vec<f64>,
    /// Those of b, in the order of elimination.
    scratch: Vec<[f64; P]>,
}

/// The panels of some supernodes.
struct Panels<'a> {
    pattern: &'a Pattern,
    starts: &'a [usize],
    nodes: Range<usize>,
    values: &'a mut [f64],
}

impl Panels<'_> {
    fn range(&self, node: usize) -> Range<usize> {
        let first = self.starts[self.nodes.start];
        self.starts[node] - first..self.starts[node + 1] - first
    }

    fn panel(&self, node: usize) -> &[f64] {
        &self.values[self.range(node)]
    }

    fn panel_mut(&mut self, node: usize) -> &mut [f64] {
        let range = self.range(node);
        &mut self.values[range]
    }

    /// Factors one of them, after those below it.
    fn factor<const P: usize>(
        &mut self,
        node: usize,
        problem: Problem<'_, P>,
        children: impl Iterator<Item = Update>,
        scratch: &mut Scratch,
        run: Run<'_>,
    ) -> Result<(Update, Vec<Null>), Error> {
        run.check()?;
        let (pattern, panel) = (self.pattern, self.panel_mut(node));
        let (update, failed) = factor_front(pattern, node, problem, panel, children, scratch, run)?;
        let nulls = failed.into_iter();
        let nulls = nulls.map(|column| nulls::null(self, node, column, problem.matrix));
        Ok((update, nulls.collect()))
    }

    /// Factors all, which are whole subtrees; returns the updates that those above wait
    /// for.
    fn factor_all<const P: usize>(
        &mut self,
        problem: Problem<'_, P>,
        scratch: &mut Scratch,
        run: Run<'_>,
    ) -> Result<(Vec<Update>, Vec<Null>), Error> {
        let (mut waiting, mut passed_on) = (Vec::<Update>::new(), Vec::new());
        let mut nulls = Vec::new();
        let pattern = self.pattern;
        for node in self.nodes.clone() {
            let is_child = |update: &Update| pattern.nodes[update.node].parent == Some(node);
            let first = waiting.iter().rposition(|update| !is_child(update));
            let children: Vec<_> = waiting.drain(first.map_or(0, |k| k + 1)..).collect();
            let (update, failed) =
                self.factor(node, problem, children.into_iter(), scratch, run)?;
            nulls.extend(failed);
            match pattern.nodes[node].parent {
                Some(parent) if self.nodes.contains(&parent) => waiting.push(update),
                Some(_) => passed_on.push(update),
                None => {}
            }
        }
        Ok((passed_on, nulls))
    }
}

impl<const P: usize> Llt<P> {
    /// For matrices of the pattern of `matrix`.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn new(matrix: &Blocks<P>, run: Run<'_>) -> Result<Self, Error> {
        let pattern = Pattern::new(matrix.n(), matrix.pairs(), run)?;
        let mut starts = vec![0];
        for node in &pattern.nodes {
            let size = node.height() * node.width() * P * P;
            starts.push(starts[starts.len() - 1] + size);
        }
        Ok(Self {
            division: Division::new(&pattern),
            values: vec![0.0; starts[pattern.nodes.len()]],
            starts,
            scratch: vec![[0.0; P]; matrix.n()],
            pattern,
        })
    }

    /// The panels of each group, and those of each supernode above them.
    fn split(&mut self) -> (Vec<Panels<'_>>, Vec<Panels<'_>>) {
        let Division { groups, tops } = &self.division;
        let tops = tops.iter().map(|&top| top..top + 1);
        let mut all: Vec<_> = groups.iter().cloned().map(|group| (group, true)).collect();
        all.extend(tops.map(|top| (top, false)));
        all.sort_by_key(|(nodes, _)| nodes.start);
        let (mut below, mut above) = (Vec::new(), Vec::new());
        let mut rest = &mut self.values[..];
        for (nodes, is_below) in all {
            let size = self.starts[nodes.end] - self.starts[nodes.start];
            let (values, after) = rest.split_at_mut(size);
            rest = after;
            let panels = Panels {
                pattern: &self.pattern,
                starts: &self.starts,
                nodes,
                values,
            };
            if is_below {
                below.push(panels);
            } else {
                above.push(panels);
            }
        }
        (below, above)
    }
}

impl<const P: usize> Factor<P> for Llt<P> {
    fn factor(
        &mut self,
        matrix: &Blocks<P>,
        held: &[bool],
        run: Run<'_>,
    ) -> Result<Outcome, Error> {
        let problem = Problem { matrix, held };
        let work = |scratch: &mut Scratch, mut panels: Panels<'_>| {
            panels.factor_all(problem, scratch, run)
        };
        let found = run.map(self.split().0, Scratch::default, work)?;
        let (mut updates, mut nulls) = (Vec::new(), Vec::new());
        for (own, failed) in found {
            updates.extend(own);
            nulls.extend(failed);
        }
        let mut all = Panels {
            pattern: &self.pattern,
            starts: &self.starts,
            nodes: 0..self.pattern.nodes.len(),
            values: &mut self.values,
        };
        let mut scratch = Scratch::default();
        for &top in &self.division.tops {
            let is_child =
                |update: &mut Update| self.pattern.nodes[update.node].parent == Some(top);
            let children: Vec<_> = updates.extract_if(.., is_child).collect();
            let (update, failed) =
                all.factor(top, problem, children.into_iter(), &mut scratch, run)?;
            updates.push(update);
            nulls.extend(failed);
        }
        Ok(if nulls.is_empty() {
            Outcome::Factored
        } else {
            Outcome::Indefinite(nulls)
        })
    }

    fn solve(&mut self, b: &mut [[f64; P]]) {
        let pattern = &self.pattern;
        for (x, &old) in self.scratch.iter_mut().zip(&pattern.order) {
            *x = b[old as usize];
        }
        let x = self.scratch.as_flattened_mut();
        triangles::solve::<P>(pattern, &self.starts, &self.values, x);
        for (x, &old) in self.scratch.iter().zip(&pattern.order) {
            b[old as usize] = *x;
        }
    }

    fn invert(&mut self, run: Run<'_>) -> Result<(), Error> {
        inverse::invert(self, run)
    }

    fn inverse(&self, row: usize, column: usize) -> Option<Block<P>> {
        let (i, j) = (self.pattern.place[row], self.pattern.place[column]);
        let (lower, upper) = (i.max(j) as usize, i.min(j) as usize);
        let (number, row, column) = self.pattern.find(lower, upper)?;
        let height = self.pattern.nodes[number].height() * P;
        let panel = &self.values[self.starts[number]..];
        let at = |a: usize, b: usize| panel[(column * P + b) * height + row * P + a];
        let block = std::array::from_fn(|a| std::array::from_fn(|b| at(a, b)));
        Some(if i >= j { block } else { transposed(&block) })
    }
}

#[cfg(test)]
mod tests;
