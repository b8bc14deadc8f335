//! The members of a system that share pixels.

/// Who shares pixels with whom, and where the block of each pair is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Neighbours {
    /// Where those of each member begin, and the end of the last.
    starts: Vec<u32>,
    /// Neighbour and pair, by increasing neighbour.
    entries: Vec<(u32, u32)>,
}

impl Neighbours {
    /// From pairs of `n` members.
    pub(super) fn new(n: usize, pairs: &[(u32, u32)]) -> Self {
        let mut starts = vec![0_u32; n + 1];
        for &(a, b) in pairs {
            starts[a as usize + 1] += 1;
            starts[b as usize + 1] += 1;
        }
        for k in 0..n {
            starts[k + 1] += starts[k];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0); 2 * pairs.len()];
        for (pair, &(a, b)) in (0_u32..).zip(pairs) {
            for (own, other) in [(a, b), (b, a)] {
                entries[next[own as usize] as usize] = (other, pair);
                next[own as usize] += 1;
            }
        }
        for k in 0..n {
            entries[starts[k] as usize..starts[k + 1] as usize].sort_unstable();
        }
        Self { starts, entries }
    }

    /// Those of a member, each with the number of the pair.
    pub(super) fn of(&self, member: usize) -> &[(u32, u32)] {
        &self.entries[self.starts[member] as usize..self.starts[member + 1] as usize]
    }
}
