//! The work of a factor, divided among threads.

use std::ops::Range;

use super::pattern::Pattern;

/// Subtrees with more than this part of all work are divided.
const LARGE: usize = 32;

/// Multiplications of blocks of a task: some 0.1 ms of work.
const TASK: usize = 20_000;

/// Supernodes in groups that have nothing to do with each other, and those above them.
#[derive(Debug, Default)]
pub(super) struct Division {
    /// Whole subtrees.
    pub(super) groups: Vec<Range<usize>>,
    /// The others, in the order of elimination.
    pub(super) tops: Vec<usize>,
}

impl Division {
    pub(super) fn new(pattern: &Pattern) -> Self {
        let nodes = &pattern.nodes;
        let mut sums = vec![0];
        for node in nodes {
            sums.push(sums[sums.len() - 1] + node.work());
        }
        let work = |range: &Range<usize>| sums[range.end] - sums[range.start];
        let most = (sums[nodes.len()] / LARGE).max(TASK);
        let mut division = Self::default();
        let mut group = 0..0;
        let mut k = 0;
        while k < nodes.len() {
            // The largest subtree that begins with this supernode and is not too large.
            let mut root = k;
            while let Some(parent) = nodes[root].parent
                && nodes[parent].subtree.start == k
                && work(&nodes[parent].subtree) <= most
            {
                root = parent;
            }
            let subtree = nodes[root].subtree.clone();
            if subtree.start < k {
                // What is below it went before.
                division.close(&mut group);
                division.tops.push(k);
                group = k + 1..k + 1;
                k += 1;
                continue;
            }
            group.end = subtree.end;
            if work(&group) >= TASK {
                division.close(&mut group);
            }
            k = subtree.end;
        }
        division.close(&mut group);
        division
    }

    fn close(&mut self, group: &mut Range<usize>) {
        let nodes = std::mem::replace(group, group.end..group.end);
        if nodes.start < nodes.end {
            self.groups.push(nodes);
        }
    }
}
