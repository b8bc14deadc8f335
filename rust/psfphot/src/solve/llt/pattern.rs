//! Which blocks of a factor are not zero.

use std::ops::Range;

use crate::solve::order::Order;
use crate::{Error, Run};

/// Where a block of the factor begins as a block of the matrix, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct From(u32);

impl From {
    /// As zero: fill.
    const NOTHING: Self = Self(u32::MAX);
    const TRANSPOSED: u32 = 1 << 31;

    fn new(pair: usize, is_transposed: bool) -> Self {
        Self(pair as u32 | if is_transposed { Self::TRANSPOSED } else { 0 })
    }

    /// The number of the matrix's block, and whether it is transposed.
    pub(super) fn pair(self) -> Option<(usize, bool)> {
        let number = (self.0 & !Self::TRANSPOSED) as usize;
        (self != Self::NOTHING).then_some((number, self.0 & Self::TRANSPOSED != 0))
    }
}

/// The pattern of a factor.
#[derive(Debug)]
pub(super) struct Pattern {
    /// `order[new] = old`.
    pub(super) order: Vec<u32>,
    /// `place[old] = new`.
    pub(super) place: Vec<u32>,
    /// Where the blocks of each column below the diagonal start, and the end.
    pub(super) starts: Vec<usize>,
    /// The row of each block, increasing in each column.
    pub(super) rows: Vec<u32>,
    pub(super) from: Vec<From>,
    /// Columns that have nothing to do with others.
    pub(super) parts: Vec<Range<usize>>,
}

/// Columns of a part: some 0.1 ms of work.
const PART: usize = 256;

/// Columns between two looks at whether to stop.
const PATIENCE: usize = 4096;

impl Pattern {
    pub(super) fn new(n: usize, pairs: &[(u32, u32)], run: Run<'_>) -> Result<Self, Error> {
        let Order { order, ends } = Order::new(n, pairs);
        let mut place = vec![0; n];
        for (new, &old) in (0_u32..).zip(&order) {
            place[old as usize] = new;
        }
        let lower = Lower::new(n, pairs, &place);
        let (mut starts, mut rows, mut from) = (vec![0], Vec::new(), Vec::new());
        let mut is_in = vec![usize::MAX; n];
        // The columns whose first block is in each row, as linked lists.
        let (mut head, mut next) = (vec![usize::MAX; n], vec![usize::MAX; n]);
        for j in 0..n {
            if j % PATIENCE == 0 {
                run.check()?;
            }
            let first = rows.len();
            let own = &lower.entries[lower.starts[j]..lower.starts[j + 1]];
            rows.extend(own.iter().map(|&(row, _)| row));
            for &row in &rows[first..] {
                is_in[row as usize] = j;
            }
            let mut child = head[j];
            while child != usize::MAX {
                for k in starts[child]..starts[child + 1] {
                    let row = rows[k];
                    if row as usize > j && is_in[row as usize] != j {
                        is_in[row as usize] = j;
                        rows.push(row);
                    }
                }
                child = next[child];
            }
            rows[first..].sort_unstable();
            let mut own = own.iter().peekable();
            for &row in &rows[first..] {
                let entry = own.next_if(|(of, _)| *of == row);
                from.push(entry.map_or(From::NOTHING, |(_, from)| *from));
            }
            if let Some(&parent) = rows.get(first) {
                next[j] = head[parent as usize];
                head[parent as usize] = j;
            }
            starts.push(rows.len());
        }
        Ok(Self {
            order,
            place,
            starts,
            rows,
            from,
            parts: parts(&ends),
        })
    }

    /// The blocks of a column.
    pub(super) fn column(&self, j: usize) -> Range<usize> {
        self.starts[j]..self.starts[j + 1]
    }
}

/// Components put together until there are enough columns for a task.
fn parts(ends: &[usize]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for (k, &end) in ends.iter().enumerate() {
        if end - start >= PART || k + 1 == ends.len() {
            parts.push(start..end);
            start = end;
        }
    }
    parts
}

/// The matrix's own blocks below the diagonal in the order of elimination.
struct Lower {
    starts: Vec<usize>,
    /// Row and origin, by increasing row in each column.
    entries: Vec<(u32, From)>,
}

impl Lower {
    fn new(n: usize, pairs: &[(u32, u32)], place: &[u32]) -> Self {
        let ends = |&(row, column): &(u32, u32)| (place[row as usize], place[column as usize]);
        let mut starts = vec![0; n + 1];
        for pair in pairs {
            let (a, b) = ends(pair);
            starts[a.min(b) as usize + 1] += 1;
        }
        for j in 0..n {
            starts[j + 1] += starts[j];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, From::NOTHING); pairs.len()];
        for (number, pair) in pairs.iter().enumerate() {
            let (a, b) = ends(pair);
            let at = &mut next[a.min(b) as usize];
            entries[*at] = (a.max(b), From::new(number, a < b));
            *at += 1;
        }
        for column in starts.windows(2) {
            entries[column[0]..column[1]].sort_unstable_by_key(|entry| entry.0);
        }
        Self { starts, entries }
    }
}
