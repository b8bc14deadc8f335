//! The order in which a sparse matrix is eliminated.

/// An order of elimination with little fill: `order[new] = old`.
///
/// Approximate minimum degree (Amestoy, Davis & Duff 1996, SIAM J. Matrix Anal.
/// Appl. 17, 886). Geometric nested dissection gave more fill on every star field.
pub(super) fn order(n: usize, pairs: &[(u32, u32)]) -> Vec<u32> {
    Elimination::new(n, pairs).order()
}

/// `place[old] = new` of an order.
pub(super) fn inverse_of(order: &[u32]) -> Vec<u32> {
    let mut place = vec![0; order.len()];
    for (new, &old) in (0_u32..).zip(order) {
        place[old as usize] = new;
    }
    place
}

/// The graph while members are eliminated: what is left of it, and *elements*, each
/// the clique of the neighbours of a member that is gone.
struct Elimination {
    /// The neighbours of each member that no element of its has.
    neighbours: Vec<Vec<u32>>,
    /// The elements of each member, by the member that they came from.
    elements: Vec<Vec<u32>>,
    /// The members of each element; empty once another has all of them.
    cliques: Vec<Vec<u32>>,
    degrees: Degrees,
    /// For each member or element when it was last looked at.
    stamps: Vec<u32>,
    /// Members of an element that the newest one has not.
    outside: Vec<u32>,
}

impl Elimination {
    fn new(n: usize, pairs: &[(u32, u32)]) -> Self {
        let mut neighbours = vec![Vec::new(); n];
        for &(row, column) in pairs {
            neighbours[row as usize].push(column);
            neighbours[column as usize].push(row);
        }
        Self {
            degrees: Degrees::new(neighbours.iter().map(Vec::len)),
            elements: vec![Vec::new(); n],
            cliques: vec![Vec::new(); n],
            stamps: vec![u32::MAX; n],
            outside: vec![0; n],
            neighbours,
        }
    }

    fn order(mut self) -> Vec<u32> {
        let n = self.neighbours.len();
        let mut order = Vec::with_capacity(n);
        let mut seen = vec![u32::MAX; n];
        while let Some(member) = self.degrees.pop() {
            order.push(member);
            self.eliminate(member, n - order.len(), &mut seen);
        }
        order
    }

    /// Makes an element of a member; `left` others remain.
    fn eliminate(&mut self, member: u32, left: usize, seen: &mut [u32]) {
        seen[member as usize] = member;
        let mut clique = Vec::new();
        let mut add = |other: u32| {
            if seen[other as usize] != member {
                seen[other as usize] = member;
                clique.push(other);
            }
        };
        for other in std::mem::take(&mut self.neighbours[member as usize]) {
            add(other);
        }
        for element in std::mem::take(&mut self.elements[member as usize]) {
            // The new one has all that it has.
            for other in std::mem::take(&mut self.cliques[element as usize]) {
                add(other);
            }
        }
        for &other in &clique {
            for &element in &self.elements[other as usize] {
                let element = element as usize;
                if self.stamps[element] != member {
                    self.stamps[element] = member;
                    self.outside[element] = self.cliques[element].len() as u32;
                }
                self.outside[element] = self.outside[element].saturating_sub(1);
            }
        }
        for &other in &clique {
            let i = other as usize;
            self.neighbours[i].retain(|&k| seen[k as usize] != member);
            let (outside, cliques) = (&self.outside, &self.cliques);
            self.elements[i]
                .retain(|&e| outside[e as usize] > 0 && !cliques[e as usize].is_empty());
            let elements = self.elements[i].iter();
            let beyond: usize = elements.map(|&e| outside[e as usize] as usize).sum();
            let degree = self.neighbours[i].len() + clique.len() - 1 + beyond;
            self.elements[i].push(member);
            self.degrees.set(other, degree.min(left - 1));
        }
        self.cliques[member as usize] = clique;
    }
}

const NONE: u32 = u32::MAX;

/// Members by degree, as linked lists.
struct Degrees {
    degree: Vec<u32>,
    head: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
    least: usize,
}

impl Degrees {
    fn new(degrees: impl Iterator<Item = usize>) -> Self {
        let degree: Vec<u32> = degrees.map(|degree| degree as u32).collect();
        let n = degree.len();
        let mut lists = Self {
            degree: vec![0; n],
            head: vec![NONE; n],
            next: vec![NONE; n],
            previous: vec![NONE; n],
            least: 0,
        };
        for (member, degree) in (0..n as u32).zip(degree).rev() {
            lists.link(member, (degree as usize).min(n - 1));
        }
        lists.least = 0;
        lists
    }

    fn link(&mut self, member: u32, degree: usize) {
        let (i, first) = (member as usize, self.head[degree]);
        self.degree[i] = degree as u32;
        self.next[i] = first;
        self.previous[i] = NONE;
        if first != NONE {
            self.previous[first as usize] = member;
        }
        self.head[degree] = member;
        self.least = self.least.min(degree);
    }

    fn unlink(&mut self, member: u32) {
        let (next, previous) = (self.next[member as usize], self.previous[member as usize]);
        if next != NONE {
            self.previous[next as usize] = previous;
        }
        if previous == NONE {
            self.head[self.degree[member as usize] as usize] = next;
        } else {
            self.next[previous as usize] = next;
        }
    }

    fn set(&mut self, member: u32, degree: usize) {
        if self.degree[member as usize] as usize != degree {
            self.unlink(member);
            self.link(member, degree);
        }
    }

    /// Takes out a member of the least degree.
    fn pop(&mut self) -> Option<u32> {
        while *self.head.get(self.least)? == NONE {
            self.least += 1;
        }
        let member = self.head[self.least];
        self.unlink(member);
        Some(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_there_once_and_leaves_go_before_their_centre() {
        // Two stars of many leaves, and one by itself.
        let pairs: Vec<(u32, u32)> = (0..8)
            .map(|k| (2 * k + 2, 0))
            .chain((0..8).map(|k| (2 * k + 3, 1)))
            .collect();
        let order = order(19, &pairs);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..19).collect::<Vec<_>>());
        let place = |member: u32| order.iter().position(|&m| m == member);
        for (centre, leaves) in [(0, 2_u32), (1, 3)] {
            let leaves = (0..8).map(|k| 2 * k + leaves);
            let before = leaves.filter(|&leaf| place(leaf) < place(centre));
            assert!(before.count() >= 7, "{order:?}");
        }
    }

    #[test]
    fn a_lattice_has_little_fill() {
        // Eliminated by increasing number, each member fills a row of the lattice.
        let side = 40_u32;
        let pairs: Vec<(u32, u32)> = (0..side * side)
            .flat_map(|i| {
                let right = (i % side > 0).then(|| (i, i - 1));
                right.into_iter().chain((i >= side).then(|| (i, i - side)))
            })
            .collect();
        let n = (side * side) as usize;
        let fill = |order: &[u32]| {
            let mut place = vec![0; n];
            order
                .iter()
                .enumerate()
                .for_each(|(new, &old)| place[old as usize] = new);
            let mut columns = vec![std::collections::BTreeSet::new(); n];
            for &(a, b) in &pairs {
                let (a, b) = (place[a as usize], place[b as usize]);
                columns[a.min(b)].insert(a.max(b));
            }
            let mut total = 0;
            for j in 0..n {
                total += columns[j].len();
                let mut own = std::mem::take(&mut columns[j]);
                if let Some(parent) = own.pop_first() {
                    columns[parent].extend(own);
                }
            }
            total
        };
        let natural: Vec<u32> = (0..n as u32).collect();
        let (ours, natural) = (fill(&order(n, &pairs)), fill(&natural));
        assert!(ours * 3 < natural, "{ours} {natural}");
    }
}
