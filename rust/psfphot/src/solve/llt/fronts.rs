//! The numbers of a factor, front by front.

use crate::solve::SINGULAR;
use crate::solve::blocks::{Block, Blocks};
use crate::solve::dense::{Shape, Strips, View, factor_columns, subtract_product};
use crate::solve::small::transposed;
use crate::{Error, Run};

use super::pattern::Pattern;

/// What is factored: a matrix, and which of its parameters take no part.
#[derive(Clone, Copy)]
pub(super) struct Problem<'a, const P: usize> {
    pub(super) matrix: &'a Blocks<P>,
    pub(super) held: &'a [bool],
}

impl<const P: usize> Problem<'_, P> {
    fn is_held(&self, member: usize, k: usize) -> bool {
        self.held.get(member * P + k).is_some_and(|&held| held)
    }

    /// A block of the diagonal, with the parameters that are held as the identity has
    /// them.
    fn diagonal(&self, member: usize) -> Block<P> {
        let mut own = self.matrix.diagonal[member];
        for k in (0..P).filter(|&k| self.is_held(member, k)) {
            own[k].fill(0.0);
            for row in &mut own {
                row[k] = 0.0;
            }
            own[k][k] = 1.0;
        }
        own
    }

    /// The block of a pair, of the members of its row and its column.
    fn block(&self, pair: usize, is_transposed: bool, row: usize, column: usize) -> Block<P> {
        let mut block = self.matrix.values[pair];
        if is_transposed {
            block = transposed(&block);
        }
        if !self.held.is_empty() {
            for (k, values) in block.iter_mut().enumerate() {
                for (l, value) in values.iter_mut().enumerate() {
                    if self.is_held(row, k) || self.is_held(column, l) {
                        *value = 0.0;
                    }
                }
            }
        }
        block
    }
}

/// What a supernode subtracts from the fronts above it: the lower triangle of its rows.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) node: usize,
    values: Vec<f64>,
}

/// Buffers that all fronts use.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    strips: Strips,
    least: Vec<f64>,
}

/// Factors the columns of a supernode into its panel; returns what it does to those above
/// it, and which of its columns, as numbers, have no pivot and are left out.
///
/// A front is the sum of what is the matrix's own and of the updates of the supernodes
/// whose parent this is (Duff & Reid 1983, ACM Trans. Math. Softw. 9, 302).
pub(super) fn factor_front<const P: usize>(
    pattern: &Pattern,
    number: usize,
    problem: Problem<'_, P>,
    panel: &mut [f64],
    children: impl Iterator<Item = Update>,
    scratch: &mut Scratch,
    run: Run<'_>,
) -> Result<(Update, Vec<usize>), Error> {
    let node = &pattern.nodes[number];
    let (height, width) = (node.height() * P, node.width() * P);
    load(pattern, number, problem, panel);
    let least = &mut scratch.least;
    least.clear();
    least.extend((0..width).map(|c| SINGULAR * panel[c * (height + 1)]));
    let n_rows = height - width;
    let shape = Shape::Triangle(n_rows);
    let mut update = vec![0.0; shape.len(n_rows)];
    for child in children {
        add_update::<P>(pattern, &child, (width, height), panel, &mut update);
    }
    let failed = factor_columns(panel, height, least, P);
    if n_rows > 0 {
        let below = View::of_columns(&panel[width..], height, n_rows, width);
        subtract_product(&mut update, shape, below, below, &mut scratch.strips, run)?;
    }
    let update = Update {
        node: number,
        values: update,
    };
    Ok((update, failed))
}

/// Copies the matrix's own blocks into a panel.
fn load<const P: usize>(
    pattern: &Pattern,
    number: usize,
    problem: Problem<'_, P>,
    panel: &mut [f64],
) {
    let node = &pattern.nodes[number];
    let height = node.height() * P;
    panel.fill(0.0);
    let mut put = |row: usize, column: usize, block: &Block<P>| {
        for (i, values) in block.iter().enumerate() {
            for (j, value) in values.iter().enumerate() {
                panel[(column * P + j) * height + row * P + i] = *value;
            }
        }
    };
    let member = |place: usize| pattern.order[place] as usize;
    for (column, place) in node.columns.clone().enumerate() {
        put(column, column, &problem.diagonal(member(place)));
    }
    let rows = pattern.rows(number);
    for entry in pattern.entries(number) {
        let (row, column) = (entry.row as usize, entry.column as usize);
        let place = if row < node.width() {
            node.columns.start + row
        } else {
            rows[row - node.width()] as usize
        };
        let members = (member(place), member(node.columns.start + column));
        let pair = entry.pair as usize;
        let block = problem.block(pair, entry.is_transposed, members.0, members.1);
        put(row, column, &block);
    }
}

/// Adds a child's update to a front: to its panel, of `(width, height)`, and to what it
/// passes on.
fn add_update<const P: usize>(
    pattern: &Pattern,
    child: &Update,
    (width, height): (usize, usize),
    panel: &mut [f64],
    update: &mut [f64],
) {
    let places = pattern.places(child.node);
    let shape = Shape::Triangle(height - width);
    let mut source = &child.values[..];
    for (k, &place) in places.iter().enumerate() {
        for l in 0..P {
            let column = place as usize * P + l;
            // Row 0 of the front is so far before or behind what is at `start`.
            let (target, start) = if column < width {
                (&mut *panel, (column * height) as isize)
            } else {
                let own = column - width;
                (&mut *update, shape.start(own) as isize - width as isize)
            };
            let (own, rest) = source.split_at((places.len() - k) * P - l);
            source = rest;
            let (first, others) = own.split_at(P - l);
            let at = (start + column as isize) as usize;
            for (target, value) in target[at..].iter_mut().zip(first) {
                *target += value;
            }
            let (blocks, _) = others.as_chunks::<P>();
            for (block, &row) in blocks.iter().zip(&places[k + 1..]) {
                let at = (start + (row as usize * P) as isize) as usize;
                for (target, value) in target[at..at + P].iter_mut().zip(block) {
                    *target += value;
                }
            }
        }
    }
}
