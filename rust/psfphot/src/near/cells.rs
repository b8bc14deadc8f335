//! Points sorted into cells, so that near neighbours are found without looking
//! at every pair.

use std::ops::Range;

use crate::sort::sort;
use crate::{Error, Run};

/// A cell's side in units of the distance: a little less than 1/√2, so that
/// two points of one cell are always within the distance, rounding included.
const SIDE: f64 = 0.707;

/// How many cells further a point within the distance can lie, along one axis.
const REACH: u32 = 2;

/// Points in square cells whose diagonal is (just below) one distance.
///
/// The boundaries of the cells adapt to the points: along each axis a new cell
/// starts at the first coordinate beyond the last cell's side. So there are at
/// most as many columns and rows as points, whatever the extent; two points of
/// one cell are within the distance; and two points within the distance are at
/// most [`REACH`] columns and rows apart.
pub(crate) struct Cells {
    distance: f64,
    /// The points, cell by cell; within a cell by their number.
    points: Vec<usize>,
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

impl Cells {
    /// Sorts finite points of equal number of x and y.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn new(x: &[f64], y: &[f64], distance: f64, run: Run<'_>) -> Result<Self, Error> {
        let side = SIDE * distance;
        let (columns, rows) = (intervals(x, side, run)?, intervals(y, side, run)?);
        let mut points: Vec<usize> = (0..x.len()).collect();
        let key = |&i: &usize| (columns[i], rows[i], i);
        sort(&mut points, |a, b| key(a).cmp(&key(b)), run)?;

        let mut grid = Self {
            distance,
            filled: Vec::new(),
            columns: Vec::new(),
            cell_of: vec![0; points.len()],
            points: Vec::new(),
        };
        for (k, &i) in points.iter().enumerate() {
            grid.append(columns[i], rows[i], k);
            grid.cell_of[i] = grid.filled.len() - 1;
        }
        grid.columns.push(grid.filled.len());
        grid.points = points;
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
        if self.filled.last().is_none_or(|last| last.column != column) {
            self.columns.push(self.filled.len());
        }
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

    /// The cells that may hold points within the distance of a point of
    /// `cell`, itself included.
    pub(crate) fn around(&self, cell: usize) -> impl Iterator<Item = usize> {
        let column = self.filled[cell].column;
        self.nearby(cell, column.saturating_sub(REACH)..=column + REACH)
    }

    /// Those of [`Cells::around`] that come after `cell`.
    pub(crate) fn after(&self, cell: usize) -> impl Iterator<Item = usize> {
        let column = self.filled[cell].column;
        self.nearby(cell, column..=column + REACH)
            .filter(move |&other| other > cell)
    }

    fn nearby(
        &self,
        cell: usize,
        columns: std::ops::RangeInclusive<u32>,
    ) -> impl Iterator<Item = usize> {
        let row = self.filled[cell].row;
        let (low, high) = (row.saturating_sub(REACH), row + REACH);
        columns.flat_map(move |column| {
            let range = self.column(column);
            let start =
                range.start + self.filled[range.clone()].partition_point(|cell| cell.row < low);
            (start..range.end).take_while(move |&other| self.filled[other].row <= high)
        })
    }

    /// The cells of a column; empty beyond the last.
    fn column(&self, column: u32) -> Range<usize> {
        match self.columns.get(column as usize..column as usize + 2) {
            Some(&[start, end]) => start..end,
            _ => 0..0,
        }
    }

    /// Whether two points are within the distance, its end included.
    pub(crate) fn is_near(&self, a: (f64, f64), b: (f64, f64)) -> bool {
        let (dx, dy) = (a.0 - b.0, a.1 - b.1);
        dx * dx + dy * dy <= self.distance * self.distance
    }
}

/// The number of each coordinate's interval, from 0 without gaps; an interval
/// starts at its lowest coordinate and is at most `side` long.
fn intervals(values: &[f64], side: f64, run: Run<'_>) -> Result<Vec<u32>, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn near_points_are_in_nearby_cells(
            points in prop::collection::vec((0.0..30.0, 0.0..30.0), 1..80),
            distance in 0.1..40.0,
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
            let cells = Cells::new(&x, &y, distance, Run::new()).unwrap();
            for i in 0..x.len() {
                for j in 0..x.len() {
                    let near = cells.is_near(points[i], points[j]);
                    let same = cells.cell_of(i) == cells.cell_of(j);
                    prop_assert!(near || !same);
                    let around = cells.around(cells.cell_of(i)).any(|c| c == cells.cell_of(j));
                    prop_assert!(around || !near);
                }
            }
        }
    }

    #[test]
    fn every_pair_of_cells_is_seen_once_by_after() {
        let (x, y): (Vec<f64>, Vec<f64>) = (0..100)
            .map(|i| (f64::from(i % 10), f64::from(i / 10)))
            .unzip();
        let cells = Cells::new(&x, &y, 1.0, Run::new()).unwrap();
        for cell in 0..cells.len() {
            let both: Vec<usize> = cells.around(cell).filter(|&other| other > cell).collect();
            let after: Vec<usize> = cells.after(cell).collect();
            assert_eq!(both, after);
        }
    }
}
