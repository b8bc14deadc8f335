//! Items, list by list.

/// Lists in one piece of memory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lists<T> {
    /// Where each list starts, and the end of the last.
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T> Lists<T> {
    /// Number of lists.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The items of a list.
    pub(crate) fn of(&self, list: usize) -> &[T] {
        &self.items[self.starts[list]..self.starts[list + 1]]
    }

    /// The items of a list.
    pub(crate) fn of_mut(&mut self, list: usize) -> &mut [T] {
        &mut self.items[self.starts[list]..self.starts[list + 1]]
    }

    /// The lists of what each item becomes.
    pub(crate) fn map<U>(self, f: impl FnMut(T) -> U) -> Lists<U> {
        Lists {
            starts: self.starts,
            items: self.items.into_iter().map(f).collect(),
        }
    }
}

impl<T: Copy> Lists<T> {
    /// `n` lists of items, each given with the number of its list: those of a list stay
    /// in their order.
    pub(crate) fn new(n: usize, entries: impl Iterator<Item = (usize, T)> + Clone) -> Self {
        let mut starts = vec![0; n + 1];
        for (list, _) in entries.clone() {
            starts[list + 1] += 1;
        }
        for list in 0..n {
            starts[list + 1] += starts[list];
        }
        let any = entries.clone().next();
        let mut items = any.map_or_else(Vec::new, |(_, item)| vec![item; starts[n]]);
        let mut next = starts.clone();
        for (list, item) in entries {
            items[next[list]] = item;
            next[list] += 1;
        }
        Self { starts, items }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_in_their_lists_in_their_order() {
        let entries = [(2, 'a'), (0, 'b'), (2, 'c'), (3, 'd'), (2, 'a')];
        let lists = Lists::new(5, entries.into_iter());
        assert_eq!(lists.len(), 5);
        let all: Vec<_> = (0..5)
            .map(|k| lists.of(k).iter().collect::<String>())
            .collect();
        assert_eq!(all, ["b", "", "aca", "d", ""]);
        let upper = lists.map(|letter| letter.to_ascii_uppercase());
        assert_eq!(upper.of(2), ['A', 'C', 'A']);
        let none = Lists::<u8>::new(2, std::iter::empty());
        assert!(none.of(0).is_empty() && none.of(1).is_empty());
    }
}
