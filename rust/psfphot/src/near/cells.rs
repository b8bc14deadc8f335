//! Points sorted into cells, so that near neighbours are found without looking
//! at every pair.

use std::ops::Range;

use crate::near::tree::squared_distance;
use crate::sort::sort;
use crate::{Error, Run};

/// A cell's side in units of the distance: a little less than 1/√2, so that
/// two points of one cell are always within the distance, rounding included.
const SIDE: f64 = 0.707;

/// Most columns (and rows) of equal width per point: those without a point take memory.
/// With nearly so many a million points are still grouped in 0.6 of the time that columns
/// take that adapt to the points.
const MOST: usize = 4;

/// How many cells further a point within the distance can lie, along one axis.
const REACH: u32 = 2;

/// Points between two looks at whether to stop: some milliseconds of work.
const PATIENCE: usize = 1 << 17;

/// Points in square cells whose diagonal is (just below) one distance.
///
/// So two points of one cell are within the distance, and two points within the
/// distance are at most [`REACH`] columns and rows apart.
pub(crate) struct Cells {
    distance: f64,
    /// The points, cell by cell; within a cell by their number.
    points: Vec<usize>,
    /// Where they are, in the same order: neighbours are near in memory too.
    places: Vec<[f64; 2]>,
    /// The cells that hold points, column by column, by increasing row.
    filled: Vec<Cell>,
    /// The first cell of each column, and the end of the last.
    columns: Vec<usize>,
    /// The cell of each point.
    cell_of: Vec<usize>,
}

/// One cell that holds at least one point.
struct Cell {
    column: u32,
    row: u32,
    points: Range<usize>,
}

/// A point on its way into its cell.
#[derive(Clone, Copy, Default)]
struct Entry {
    column: u32,
    row: u32,
    point: usize,
}

impl Cells {
    /// Sorts finite points of equal number of x and y.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn new(x: &[f64], y: &[f64], distance: f64, run: Run<'_>) -> Result<Self, Error> {
        let side = SIDE * distance;
        let (columns, rows) = (intervals(x, side, run)?, intervals(y, side, run)?);
        let cells = columns.iter().zip(&rows).enumerate();
        let entries: Vec<Entry> = cells
            .map(|(point, (&column, &row))| Entry { column, row, point })
            .collect();
        let by_row = counting_sort(&entries, |entry| entry.row, run)?;
        let sorted = counting_sort(&by_row, |entry| entry.column, run)?;

        let points: Vec<usize> = sorted.iter().map(|entry| entry.point).collect();
        let mut grid = Self {
            distance,
            places: points.iter().map(|&i| [x[i], y[i]]).collect(),
            points,
            filled: Vec::new(),
            columns: Vec::new(),
            cell_of: vec![0; x.len()],
        };
        for (k, entry) in sorted.iter().enumerate() {
            grid.append(entry.column, entry.row, k);
            grid.cell_of[entry.point] = grid.filled.len() - 1;
        }
        grid.columns.push(grid.filled.len());
        Ok(grid)
    }

    /// Adds the `k`-th point of the sorted list to the last cell or a new one.
    fn append(&mut self, column: u32, row: u32, k: usize) {
        if let Some(last) = self.filled.last_mut()
            && (last.column, last.row) == (column, row)
        {
            last.points.end = k + 1;
            return;
        }
        // There may be columns without a point before this one.
        let n_columns = self.columns.len().max(column as usize + 1);
        self.columns.resize(n_columns, self.filled.len());
        self.filled.push(Cell {
            column,
            row,
            points: k..k + 1,
        });
    }

    /// The distance that they were made for.
    pub(crate) fn distance(&self) -> f64 {
        self.distance
    }

    /// Number of cells.
    pub(crate) fn len(&self) -> usize {
        self.filled.len()
    }

    /// The cell of a point.
    pub(crate) fn cell_of(&self, point: usize) -> usize {
        self.cell_of[point]
    }

    /// The points of a cell, by increasing number.
    pub(crate) fn points(&self, cell: usize) -> &[usize] {
        &self.points[self.filled[cell].points.clone()]
    }

    /// Where the points of a cell are, in the same order.
    pub(crate) fn places(&self, cell: usize) -> &[[f64; 2]] {
        &self.places[self.filled[cell].points.clone()]
    }

    /// The cells that may hold points within the distance of a point of
    /// `cell`, itself included.
    pub(crate) fn around(&self, cell: usize) -> impl Iterator<Item = usize> {
        let Cell { column, row, .. } = self.filled[cell];
        let low = row.saturating_sub(REACH);
        (column.saturating_sub(REACH)..=column + REACH).flat_map(move |column| {
            let Range { start, end } = self.column(column);
            let below = self.filled[start..end].partition_point(|cell| cell.row < low);
            self.up_to(row, start + below..end)
        })
    }

    /// The first cells of a part of a column, as long as a point within the distance
    /// of one in `row` can be there.
    fn up_to(&self, row: u32, cells: Range<usize>) -> impl Iterator<Item = usize> {
        let cells = cells.into_iter();
        cells.take_while(move |&cell| self.filled[cell].row <= row + REACH)
    }

    /// The cells of a column; empty beyond the last.
    fn column(&self, column: u32) -> Range<usize> {
        match self.columns.get(column as usize..column as usize + 2) {
            Some(&[start, end]) => start..end,
            _ => 0..0,
        }
    }

    /// Whether two points are within the distance, its end included.
    pub(crate) fn is_near(&self, a: &[f64; 2], b: &[f64; 2]) -> bool {
        squared_distance(a, b) <= self.distance * self.distance
    }
}

/// Goes through the cells in their order; tells those of [`Cells::around`] that come
/// after each.
pub(crate) struct Later<'a> {
    cells: &'a Cells,
    /// The first cell of each of the next columns that is not too far below.
    first: [usize; REACH as usize],
}

impl<'a> Later<'a> {
    pub(crate) fn new(cells: &'a Cells) -> Self {
        Self {
            cells,
            first: [0; REACH as usize],
        }
    }

    /// Those after `cell`, which comes after the one that was asked for before.
    pub(crate) fn than(&mut self, cell: usize) -> impl Iterator<Item = usize> + use<'a> {
        let cells = self.cells;
        let Cell { column, row, .. } = cells.filled[cell];
        for (first, next) in self.first.iter_mut().zip(column + 1..) {
            let Range { start, end } = cells.column(next);
            *first = start.max(*first);
            while *first < end && cells.filled[*first].row + REACH < row {
                *first += 1;
            }
        }
        let own = cells.up_to(row, cell + 1..cells.column(column).end);
        let first = self.first.into_iter().zip(column + 1..);
        own.chain(
            first.flat_map(move |(first, next)| cells.up_to(row, first..cells.column(next).end)),
        )
    }
}

/// The number of each coordinate's interval, from 0. An interval is at most `side` long,
/// and between those whose numbers differ by k + 1 there are at least k sides.
///
/// They are equally long, unless that makes many more of them than coordinates.
fn intervals(values: &[f64], side: f64, run: Run<'_>) -> Result<Vec<u32>, Error> {
    run.check()?;
    let ends = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |ends, &v| {
            (v.min(ends.0), v.max(ends.1))
        });
    let most = (MOST * values.len()).min(1 << 31) as f64;
    // Neither an extent that overflows nor a side of 0 is below.
    if (ends.1 - ends.0) / side < most {
        let number = |v: &f64| ((v - ends.0) / side) as u32;
        return Ok(values.iter().map(number).collect());
    }
    adapted_intervals(values, side, run)
}

/// As [`intervals`], without gaps in the numbers: an interval starts at the first
/// coordinate beyond the last one's side. There are at most as many as coordinates,
/// whatever the extent.
fn adapted_intervals(values: &[f64], side: f64, run: Run<'_>) -> Result<Vec<u32>, Error> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    sort(&mut order, |&a, &b| values[a].total_cmp(&values[b]), run)?;
    let mut numbers = vec![0; values.len()];
    let mut number = 0;
    let mut start = order.first().map_or(0.0, |&first| values[first]);
    for i in order {
        if values[i] - start > side {
            start = values[i];
            number += 1;
        }
        numbers[i] = number;
    }
    Ok(numbers)
}

/// Sorts by small numbers; those of equal ones stay in their order.
fn counting_sort(
    entries: &[Entry],
    number: impl Fn(&Entry) -> u32,
    run: Run<'_>,
) -> Result<Vec<Entry>, Error> {
    let n = entries.iter().map(|entry| number(entry) as usize + 1).max();
    let mut next = vec![0; n.unwrap_or(0) + 1];
    for entry in entries {
        next[number(entry) as usize + 1] += 1;
    }
    for k in 1..next.len() {
        next[k] += next[k - 1];
    }
    let mut sorted = vec![Entry::default(); entries.len()];
    for block in entries.chunks(PATIENCE) {
        run.check()?;
        for entry in block {
            let place = &mut next[number(entry) as usize];
            sorted[*place] = *entry;
            *place += 1;
        }
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Points = (Vec<f64>, Vec<f64>);

    /// Points around any place, and maybe one so far off that columns adapt to them.
    fn points() -> impl Strategy<Value = Points> {
        let near = prop::collection::vec((-15.0..15.0, -15.0..15.0), 1..80);
        let middle = prop::sample::select(vec![0.0, -1e6, 1e15]);
        let far = prop::sample::select(vec![40.0, -1e9, 1e300, f64::MAX, -f64::MAX]);
        (near, middle, prop::option::of(far)).prop_map(|(near, middle, far)| {
            let all = near.iter().map(|&(x, y)| (x + middle, y - middle));
            all.chain(far.map(|far| (far, middle))).unzip()
        })
    }

    fn adapts(values: &[f64], distance: f64) -> bool {
        let side = SIDE * distance;
        intervals(values, side, Run::new()) == adapted_intervals(values, side, Run::new())
    }

    proptest! {
        #[test]
        fn near_points_are_in_nearby_cells((x, y) in points(), distance in 0.1..40.0) {
            let cells = Cells::new(&x, &y, distance, Run::new()).unwrap();
            for i in 0..x.len() {
                let own = cells.cell_of(i);
                prop_assert!(cells.points(own).contains(&i));
                prop_assert!(cells.points(own).is_sorted());
                prop_assert!(cells.places(own).contains(&[x[i], y[i]]));
                for j in 0..x.len() {
                    let near = cells.is_near(&[x[i], y[i]], &[x[j], y[j]]);
                    let same = own == cells.cell_of(j);
                    prop_assert!(near || !same);
                    let around = cells.around(own).any(|c| c == cells.cell_of(j));
                    prop_assert!(around || !near);
                }
            }
        }

        #[test]
        fn later_cells_are_those_around_that_come_after(
            (x, y) in points(),
            distance in 0.1..40.0,
        ) {
            let cells = Cells::new(&x, &y, distance, Run::new()).unwrap();
            let mut later = Later::new(&cells);
            for cell in 0..cells.len() {
                let both: Vec<usize> = cells.around(cell).filter(|&other| other > cell).collect();
                let after: Vec<usize> = later.than(cell).collect();
                prop_assert_eq!(both, after);
            }
        }
    }

    #[test]
    fn columns_adapt_to_points_that_are_far_apart() {
        let gap = |gap: f64| [0.0, 0.9, 1.8, 1.8 + gap];
        assert!(!adapts(&gap(5.0), 1.0) && adapts(&gap(20.0), 1.0));
        assert!(adapts(&gap(f64::MAX), 1.0) && adapts(&[-f64::MAX, f64::MAX], 1.0));
        // The side is 0, or the largest number.
        assert!(adapts(&gap(5.0), f64::from_bits(1)));
        let numbers = |distance| intervals(&gap(5.0), SIDE * distance, Run::new());
        assert_eq!(numbers(f64::INFINITY), Ok(vec![0; 4]));
        assert_eq!(numbers(f64::MAX), Ok(vec![0; 4]));
        // Equal parts, of which those without a coordinate count.
        assert_eq!(numbers(1.0), Ok(vec![0, 1, 2, 9]));
    }

    #[test]
    fn sorting_stops_between_blocks() {
        use crate::run::CancelAfter;

        let points = vec![0.0; 2 * PATIENCE + 1];
        let made = |n_looks: usize| {
            let monitor = CancelAfter::new(n_looks);
            Cells::new(&points, &points, 1.0, Run::new().with_monitor(&monitor)).map(|c| c.len())
        };
        // Two axes, and three blocks for each.
        for n_looks in [0, 1, 2, 4, 5, 7] {
            assert_eq!(made(n_looks), Err(Error::Cancelled), "{n_looks}");
        }
        assert_eq!(made(8), Ok(1));
    }
}
