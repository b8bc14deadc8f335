//! An image cut into boxes.

use std::ops::Range;

use crate::run::chunks;
use crate::{Error, Run};

/// Pixels per task, as whole boxes: about a tenth of a millisecond of work.
const TASK: usize = 16_384;

/// Where an image is cut: edge k is where box k begins and k − 1 ends.
#[derive(Debug, Clone)]
pub(super) struct Cuts {
    pub(super) rows: Vec<usize>,
    pub(super) columns: Vec<usize>,
}

impl Cuts {
    /// Boxes of one size from the first pixel on; the last ones may be cut off.
    pub(super) fn of_size(shape: (usize, usize), size: (usize, usize)) -> Self {
        let edges = |n: usize, size: usize| {
            let starts = (0..n).step_by(size);
            starts.chain(std::iter::once(n)).collect()
        };
        Self {
            rows: edges(shape.0, size.0),
            columns: edges(shape.1, size.1),
        }
    }

    /// Boxes of about one size, as even as whole pixels can be.
    pub(super) fn even(shape: (usize, usize), size: (usize, usize)) -> Self {
        let edges = |n: usize, size: usize| {
            let count = ((n + size / 2) / size).max(1);
            (0..=count).map(|k| k * n / count).collect()
        };
        Self {
            rows: edges(shape.0, size.0),
            columns: edges(shape.1, size.1),
        }
    }

    /// (rows, columns) of boxes.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.rows.len() - 1, self.columns.len() - 1)
    }

    /// Rows and columns of pixels of box `k`.
    fn at(&self, k: usize) -> (Range<usize>, Range<usize>) {
        let (row, column) = (k / self.shape().1, k % self.shape().1);
        (
            self.rows[row]..self.rows[row + 1],
            self.columns[column]..self.columns[column + 1],
        )
    }

    /// Maps the boxes in order; `work` gets a workspace, and the rows and
    /// columns of each.
    pub(super) fn map<S, R: Send>(
        &self,
        run: Run<'_>,
        scratch: impl Fn() -> S + Sync + Send,
        work: impl Fn(&mut S, (Range<usize>, Range<usize>)) -> Result<R, Error> + Sync + Send,
    ) -> Result<Vec<R>, Error> {
        let (n_rows, n_columns) = self.shape();
        let pixels = (self.rows[n_rows] / n_rows) * (self.columns[n_columns] / n_columns);
        let tasks = chunks(n_rows * n_columns, (TASK / pixels.max(1)).max(1));
        let results = run.map(tasks, scratch, |space, boxes| {
            let results = boxes.map(|k| work(space, self.at(k)));
            results.collect::<Result<Vec<_>, Error>>()
        })?;
        Ok(results.into_iter().flatten().collect())
    }
}

pub(super) fn check_box_shape(box_shape: (usize, usize)) -> Result<(), Error> {
    if box_shape.0 == 0 || box_shape.1 == 0 {
        let got = format!("{box_shape:?}");
        return Err(Error::invalid("box_size", "be at least 1", got));
    }
    Ok(())
}
