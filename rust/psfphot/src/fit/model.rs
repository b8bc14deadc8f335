//! A fitted group's model, for the measures of quality.

use crate::image::PixelBox;

/// The model of a group on its pixels.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// Disjoint boxes, and where the values of each begin.
    tiles: Vec<(PixelBox, usize)>,
    values: Vec<f64>,
}

impl Model {
    /// Of boxes of pixels, and where in `values` those of each begin, row by row.
    pub(crate) fn new(tiles: Vec<(PixelBox, usize)>, values: Vec<f64>) -> Self {
        Self { tiles, values }
    }

    /// Calls `visit` with each pixel of `window` that belongs to the group and
    /// the group's model there.
    pub(crate) fn visit(&self, window: PixelBox, mut visit: impl FnMut((i64, i64), f64)) {
        for (tile, first) in &self.tiles {
            for (x, y) in tile.intersection(&window).pixels() {
                let k = (y - tile.y0) as usize * tile.width() + (x - tile.x0) as usize;
                visit((x, y), self.values[first + k]);
            }
        }
    }
}
