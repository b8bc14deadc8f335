//! Which blocks of a factor are not zero.

use std::ops::Range;

use crate::lists::Lists;
use crate::solve::order::{inverse_of, order};
use crate::{Error, Run};

use super::supernodes::{Nodes, Supernodes};

/// A block of the matrix in a supernode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its number in the matrix.
    pub(super) pair: u32,
    /// Whether it is there as its transpose.
    pub(super) is_transposed: bool,
    /// Of the front, in blocks.
    pub(super) row: u32,
    pub(super) column: u32,
}

/// Columns of the factor with the same rows below.
///
/// Its *front* is a symmetric matrix of its columns and its rows.
#[derive(Debug, Clone)]
pub(super) struct Supernode {
    /// In the order of elimination.
    pub(super) columns: Range<usize>,
    /// Those of [`Pattern::rows`].
    rows: Range<usize>,
    /// The supernode in whose columns its first row is.
    pub(super) parent: Option<usize>,
    /// Those below which it is, as a range that ends with itself.
    pub(super) subtree: Range<usize>,
}

impl Supernode {
    /// Members in its columns.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Members in its rows.
    pub(super) fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Members in its front.
    pub(super) fn height(&self) -> usize {
        self.width() + self.n_rows()
    }

    /// Multiplications of blocks, roughly.
    pub(super) fn work(&self) -> usize {
        self.width() * self.height() * self.height()
    }
}

/// The pattern of a factor: a forest of supernodes, children before their parents.
#[derive(Debug)]
pub(super) struct Pattern {
    /// `order[new] = old`.
    pub(super) order: Vec<u32>,
    /// `place[old] = new`.
    pub(super) place: Vec<u32>,
    pub(super) nodes: Vec<Supernode>,
    /// The supernode of each column.
    pub(super) node_of: Vec<u32>,
    /// The rows of each supernode below its columns, increasing.
    rows: Vec<u32>,
    /// Where each is in the front of the parent.
    places: Vec<u32>,
    /// The blocks of the matrix, supernode by supernode.
    entries: Lists<Entry>,
}

impl Pattern {
    pub(super) fn new(n: usize, pairs: &[(u32, u32)], run: Run<'_>) -> Result<Self, Error> {
        let order = order(n, pairs);
        let Supernodes { order, nodes } = Supernodes::new(&order, pairs, run)?;
        let mut pattern = Self {
            place: inverse_of(&order),
            order,
            nodes: Vec::with_capacity(nodes.len()),
            node_of: Vec::with_capacity(n),
            rows: Vec::new(),
            places: Vec::new(),
            entries: Lists::new(0, std::iter::empty()),
        };
        pattern.add_nodes(nodes);
        pattern.find_places();
        pattern.entries = pattern.find_entries(pairs);
        Ok(pattern)
    }

    fn add_nodes(&mut self, nodes: Nodes) {
        for (number, node) in nodes.into_iter().enumerate() {
            let first = self.node_of.len();
            self.node_of.resize(first + node.width, number as u32);
            let start = self.rows.len();
            self.rows
                .extend(node.rows.iter().map(|&old| self.place[old as usize]));
            self.rows[start..].sort_unstable();
            self.nodes.push(Supernode {
                columns: first..first + node.width,
                rows: start..self.rows.len(),
                parent: node.parent,
                subtree: node.first_below..number + 1,
            });
        }
    }

    fn find_places(&mut self) {
        for node in &self.nodes {
            let Some(parent) = node.parent.map(|parent| &self.nodes[parent]) else {
                continue;
            };
            for &row in &self.rows[node.rows.clone()] {
                let place = self.place_in(parent, row as usize);
                self.places.push(place as u32);
            }
        }
    }

    /// Where a row is in the front of a supernode that has it.
    fn place_in(&self, node: &Supernode, row: usize) -> usize {
        if row < node.columns.end {
            return row - node.columns.start;
        }
        let rows = &self.rows[node.rows.clone()];
        node.width() + rows.partition_point(|&other| (other as usize) < row)
    }

    fn find_entries(&self, pairs: &[(u32, u32)]) -> Lists<Entry> {
        let ends = |(row, column): (u32, u32)| {
            let (a, b) = (self.place[row as usize], self.place[column as usize]);
            (a.max(b) as usize, a.min(b) as usize, a < b)
        };
        let node_of = |pair| self.node_of[ends(pair).1] as usize;
        let numbered = (0_u32..).zip(pairs);
        let by_node = numbered.map(|(number, &pair)| (node_of(pair), number));
        Lists::new(self.nodes.len(), by_node).map(|number| {
            let pair = pairs[number as usize];
            let (row, column, is_transposed) = ends(pair);
            let node = &self.nodes[node_of(pair)];
            Entry {
                pair: number,
                is_transposed,
                row: self.place_in(node, row) as u32,
                column: (column - node.columns.start) as u32,
            }
        })
    }

    /// The rows of a supernode below its columns.
    pub(super) fn rows(&self, node: usize) -> &[u32] {
        &self.rows[self.nodes[node].rows.clone()]
    }

    /// Where those are in the front of its parent; none has no parent.
    pub(super) fn places(&self, node: usize) -> &[u32] {
        &self.places[self.nodes[node].rows.clone()]
    }

    /// The blocks of the matrix in a supernode.
    pub(super) fn entries(&self, node: usize) -> &[Entry] {
        self.entries.of(node)
    }

    /// Where a block of the factor is: its supernode, its row in the front and its
    /// column; `None` if it is not in the pattern. `row` is not before `column`.
    pub(super) fn find(&self, row: usize, column: usize) -> Option<(usize, usize, usize)> {
        let number = self.node_of[column] as usize;
        let node = &self.nodes[number];
        let place = self.place_in(node, row);
        let is_there = row < node.columns.end
            || self.rows(number).get(place - node.width()) == Some(&(row as u32));
        is_there.then_some((number, place, column - node.columns.start))
    }
}
