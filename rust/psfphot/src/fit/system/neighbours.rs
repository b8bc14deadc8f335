//! The members of a system that share pixels.

use crate::lists::Lists;

/// Who shares pixels with whom, and where the block of each pair is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Neighbours(Lists<(u32, u32)>);

impl Neighbours {
    /// From pairs of `n` members.
    pub(super) fn new(n: usize, pairs: &[(u32, u32)]) -> Self {
        let both = |(pair, &(a, b)): (u32, &(u32, u32))| {
            [(a as usize, (b, pair)), (b as usize, (a, pair))]
        };
        let mut lists = Lists::new(n, (0..).zip(pairs).flat_map(both));
        for member in 0..n {
            lists.of_mut(member).sort_unstable();
        }
        Self(lists)
    }

    /// Those of a member by increasing number, each with the number of the pair.
    pub(super) fn of(&self, member: usize) -> &[(u32, u32)] {
        self.0.of(member)
    }
}
