//! A fitted group's model, for the measures of quality.

use crate::image::PixelBox;

use super::overlaps::Overlaps;

/// The model of a group on its pixels, and the weights that these had.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// Disjoint boxes, and where the values of each begin.
    tiles: Vec<(PixelBox, usize)>,
    by_place: Overlaps,
    values: Vec<f64>,
    weights: Vec<f64>,
}

impl Model {
    /// Of boxes of pixels, and where in `values` and `weights` those of each begin, row
    /// by row.
    pub(crate) fn new(tiles: Vec<(PixelBox, usize)>, values: Vec<f64>, weights: Vec<f64>) -> Self {
        Self {
            by_place: Overlaps::new(tiles.iter().map(|(tile, _)| *tile).collect()),
            tiles,
            values,
            weights,
        }
    }

    /// Calls `visit` with each row of pixels of `window` that belong to the group,
    /// as a box, and the group's model and weights there.
    pub(crate) fn visit(&self, window: PixelBox, mut visit: impl FnMut(PixelBox, &[f64], &[f64])) {
        for (i, part) in self.by_place.with(window) {
            let (tile, first) = self.tiles[i];
            for y in part.y0..part.y1 {
                let start = first + tile.index_of(part.x0, y);
                let pixels = start..start + part.width();
                visit(
                    PixelBox {
                        y0: y,
                        y1: y + 1,
                        ..part
                    },
                    &self.values[pixels.clone()],
                    &self.weights[pixels],
                );
            }
        }
    }
}
