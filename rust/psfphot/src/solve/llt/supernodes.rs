//! Columns of a factor, gathered where they have (nearly) the same rows.
//!
//! A column's *parent* is the first of its rows: what is below it the parent has too.
//! Small blocks of single columns would leave the arithmetic waiting for memory; columns
//! are therefore put together with their parents where that stores few zeros more
//! (Ashcraft & Grimes 1989, ACM Trans. Math. Softw. 15, 291).

use crate::lists::Lists;
use crate::solve::order::inverse_of;
use crate::{Error, Run};

/// Members of a supernode. Wider ones gain nothing more from the cache, and within one
/// the arithmetic is by single columns.
const WIDEST: usize = 20;

/// Of the blocks of a supernode of up to so many members this part may be zero.
const ZEROS: [(usize, f64); 4] = [(2, 0.4), (5, 0.15), (12, 0.05), (WIDEST, 0.03)];

/// Columns between two looks at whether to stop.
const PATIENCE: usize = 4096;

/// A supernode.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) width: usize,
    /// The members in its rows below its columns, in no order.
    pub(super) rows: Vec<u32>,
    pub(super) parent: Option<usize>,
    /// The first of the supernodes below it, or itself.
    pub(super) first_below: usize,
}

pub(super) type Nodes = Vec<Node>;

/// The supernodes of a factor, children before their parents and all that is below one
/// just before it.
#[derive(Debug)]
pub(super) struct Supernodes {
    /// Their members, one supernode after another.
    pub(super) order: Vec<u32>,
    pub(super) nodes: Nodes,
}

/// While they are gathered: by their last column.
#[derive(Debug, Clone, Default)]
struct Gathered {
    /// Its columns, children before parents.
    columns: Vec<u32>,
    rows: Vec<u32>,
    children: Vec<u32>,
    /// Blocks that are stored, though zero.
    zeros: usize,
}

impl Gathered {
    /// Blocks of the lower part of its columns.
    fn n_blocks(width: usize, n_rows: usize) -> usize {
        width * (width + 1) / 2 + width * n_rows
    }

    /// Takes a child's columns, if that is worth it.
    fn absorbs(&mut self, child: &mut Self) -> bool {
        let (own, other) = (self.columns.len(), child.columns.len());
        let width = own + other;
        let Some(&(_, allowed)) = ZEROS.iter().find(|(widest, _)| width <= *widest) else {
            return false;
        };
        let n_rows = self.rows.len();
        let all = Self::n_blocks(width, n_rows);
        let used = Self::n_blocks(own, n_rows) + Self::n_blocks(other, child.rows.len());
        let zeros = self.zeros + child.zeros + all - used;
        if zeros as f64 > allowed * all as f64 {
            return false;
        }
        self.zeros = zeros;
        let mut columns = std::mem::take(&mut child.columns);
        columns.append(&mut self.columns);
        self.columns = columns;
        self.children.append(&mut child.children);
        child.rows = Vec::new();
        true
    }
}

impl Supernodes {
    /// Of the columns of a matrix in an order of elimination, `order[new] = old`.
    pub(super) fn new(order: &[u32], pairs: &[(u32, u32)], run: Run<'_>) -> Result<Self, Error> {
        let mut gathered = gather(order, pairs, run)?;
        let is_root = |&k: &usize| {
            let node = &gathered[k];
            !node.columns.is_empty() && node.rows.is_empty()
        };
        let roots: Vec<usize> = (0..order.len()).filter(is_root).collect();
        let mut found = Self {
            order: Vec::with_capacity(order.len()),
            nodes: Vec::new(),
        };
        for root in roots {
            found.add_tree(root, &mut gathered, order);
        }
        Ok(found)
    }

    /// Adds a supernode and those below it.
    fn add_tree(&mut self, root: usize, gathered: &mut [Gathered], order: &[u32]) {
        // With the first supernode below each, and those whose parent it is.
        let mut path = vec![(root, self.nodes.len(), Vec::new())];
        while let Some((node, first_below, below)) = path.last_mut() {
            if let Some(child) = gathered[*node].children.pop() {
                path.push((child as usize, self.nodes.len(), Vec::new()));
                continue;
            }
            let own = std::mem::take(&mut gathered[*node]);
            let number = self.nodes.len();
            for &child in &*below {
                let child: &mut Node = &mut self.nodes[child];
                child.parent = Some(number);
            }
            let old = |&k: &u32| order[k as usize];
            self.order.extend(own.columns.iter().map(old));
            self.nodes.push(Node {
                width: own.columns.len(),
                rows: own.rows.iter().map(old).collect(),
                parent: None,
                first_below: *first_below,
            });
            path.pop();
            if let Some((_, _, below)) = path.last_mut() {
                below.push(number);
            }
        }
    }
}

/// The rows of all columns, and which are together; of a column that is with a later
/// one nothing is left.
fn gather(order: &[u32], pairs: &[(u32, u32)], run: Run<'_>) -> Result<Vec<Gathered>, Error> {
    let n = order.len();
    let lower = lower(order, pairs);
    let mut all: Vec<Gathered> = vec![Gathered::default(); n];
    let mut is_in = vec![usize::MAX; n];
    for j in 0..n {
        if j % PATIENCE == 0 {
            run.check()?;
        }
        let (before, rest) = all.split_at_mut(j);
        let own = &mut rest[0];
        own.columns = vec![j as u32];
        let mut rows = Vec::new();
        let mut add = |row: u32| {
            if row as usize > j && is_in[row as usize] != j {
                is_in[row as usize] = j;
                rows.push(row);
            }
        };
        lower.of(j).iter().copied().for_each(&mut add);
        for &child in &own.children {
            before[child as usize]
                .rows
                .iter()
                .copied()
                .for_each(&mut add);
        }
        own.rows = rows;
        let parent = own.rows.iter().min().copied();
        let mut children = std::mem::take(&mut own.children);
        // Those first that have most in common with it.
        children.sort_by_key(|&c| (std::cmp::Reverse(before[c as usize].rows.len()), c));
        for child in children {
            if !own.absorbs(&mut before[child as usize]) {
                own.children.push(child);
            }
        }
        if let Some(parent) = parent {
            all[parent as usize].children.push(j as u32);
        }
    }
    Ok(all)
}

/// The rows of the matrix's own blocks below the diagonal, by column.
fn lower(order: &[u32], pairs: &[(u32, u32)]) -> Lists<u32> {
    let place = inverse_of(order);
    let entries = pairs.iter().map(|&(row, column)| {
        let (a, b) = (place[row as usize], place[column as usize]);
        (a.min(b) as usize, a.max(b))
    });
    Lists::new(order.len(), entries)
}
