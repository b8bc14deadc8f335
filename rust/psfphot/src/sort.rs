//! Sorting of many values that can be stopped between its parts.

use std::cmp::Ordering;

use crate::{Error, Run};

/// Values between two looks at whether to stop: some milliseconds of work.
const BLOCK: usize = 1 << 17;

/// Sorts by `order`; values that are equal by it come in an order that depends
/// on nothing but the values given.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn sort<T: Copy>(
    values: &mut Vec<T>,
    order: impl Fn(&T, &T) -> Ordering,
    run: Run<'_>,
) -> Result<(), Error> {
    for block in values.chunks_mut(BLOCK) {
        run.check()?;
        block.sort_unstable_by(&order);
    }
    let mut merged = Vec::new();
    let mut length = BLOCK;
    while length < values.len() {
        merged.clear();
        merged.reserve(values.len());
        for pair in values.chunks(2 * length) {
            let (first, second) = pair.split_at(length.min(pair.len()));
            merge(first, second, &mut merged, &order, run)?;
        }
        std::mem::swap(values, &mut merged);
        length *= 2;
    }
    Ok(())
}

/// Appends what two sorted lists hold, sorted.
fn merge<T: Copy>(
    first: &[T],
    second: &[T],
    into: &mut Vec<T>,
    order: impl Fn(&T, &T) -> Ordering,
    run: Run<'_>,
) -> Result<(), Error> {
    let (mut i, mut j) = (0, 0);
    while i < first.len() && j < second.len() {
        if (i + j) % BLOCK == 0 {
            run.check()?;
        }
        if order(&second[j], &first[i]) == Ordering::Less {
            into.push(second[j]);
            j += 1;
        } else {
            into.push(first[i]);
            i += 1;
        }
    }
    into.extend_from_slice(&first[i..]);
    into.extend_from_slice(&second[j..]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::CancelAfter;

    /// More than three blocks of numbers in no order, some of them equal.
    fn numbers() -> Vec<u64> {
        let next = |k: &u64| Some(k.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        std::iter::successors(Some(7), next)
            .map(|k| k >> 44)
            .take(3 * BLOCK + 1234)
            .collect()
    }

    #[test]
    fn many_values_are_sorted() {
        let mut values = numbers();
        let mut expected = values.clone();
        expected.sort_unstable();
        sort(&mut values, Ord::cmp, Run::new()).unwrap();
        assert_eq!(values, expected);
    }

    #[test]
    fn sorting_stops_between_blocks_and_in_merges() {
        let sorted = |n_looks: usize| {
            let monitor = CancelAfter::new(n_looks);
            sort(&mut numbers(), Ord::cmp, Run::new().with_monitor(&monitor))
        };
        // Four blocks, each block of the first merge of them, and of the second.
        for n_looks in [0, 3, 5, 9] {
            assert_eq!(sorted(n_looks), Err(Error::Cancelled), "{n_looks}");
        }
        assert_eq!(sorted(13), Ok(()));
    }
}
