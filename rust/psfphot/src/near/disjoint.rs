//! Disjoint sets of indices.

/// Union-find; the root of a set is its lowest member.
#[derive(Debug)]
pub(crate) struct DisjointSets {
    parent: Vec<usize>,
}

impl DisjointSets {
    /// `0..n`, each in a set of its own.
    pub(crate) fn new(n: usize) -> Self {
        Self {
            parent: (0..n).collect(),
        }
    }

    /// The lowest member of the set that holds `member`.
    pub(crate) fn root(&mut self, mut member: usize) -> usize {
        while self.parent[member] != member {
            // Halves the path, so that long ones do not stay long.
            self.parent[member] = self.parent[self.parent[member]];
            member = self.parent[member];
        }
        member
    }

    /// Makes one set of the two that hold `a` and `b`.
    pub(crate) fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_lowest_member() {
        let mut sets = DisjointSets::new(7);
        for (a, b) in [(5, 6), (3, 5), (6, 1), (2, 4), (1, 6)] {
            sets.unite(a, b);
        }
        let roots: Vec<usize> = (0..7).map(|i| sets.root(i)).collect();
        assert_eq!(roots, [0, 1, 2, 1, 2, 1, 1]);
    }
}
