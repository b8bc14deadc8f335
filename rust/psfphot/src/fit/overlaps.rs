//! Which boxes of many share pixels with another, without looking at all.

use crate::image::PixelBox;

/// So few boxes are looked at one by one.
const FEW: usize = 32;

/// A box in more cells than this is looked at every time.
const WIDE: usize = 16;

/// Boxes sorted into cells as large as a box is on average.
#[derive(Debug, Clone)]
pub(crate) struct Overlaps {
    boxes: Vec<PixelBox>,
    /// Columns and rows of a cell.
    side: (i64, i64),
    /// Row and column of a cell and a box that touches it; empty for few boxes.
    cells: Vec<(i64, i64, usize)>,
    /// The boxes that are in no cell.
    wide: Vec<usize>,
}

impl Overlaps {
    /// Of boxes on an image.
    pub(crate) fn new(boxes: Vec<PixelBox>) -> Self {
        let mut sorted = Self {
            side: (1, 1),
            cells: Vec::new(),
            wide: Vec::new(),
            boxes,
        };
        if sorted.boxes.len() <= FEW {
            sorted.wide = (0..sorted.boxes.len()).collect();
            return sorted;
        }
        let mean = |extent: fn(&PixelBox) -> usize| {
            let sum: usize = sorted.boxes.iter().map(extent).sum();
            (sum / sorted.boxes.len()).max(1) as i64
        };
        sorted.side = (mean(PixelBox::width), mean(PixelBox::height));
        for (i, pixels) in sorted.boxes.iter().enumerate() {
            let cells = sorted.cells_of(pixels);
            if cells.len() > WIDE {
                sorted.wide.push(i);
            } else {
                sorted.cells.extend(cells.pixels().map(|(x, y)| (y, x, i)));
            }
        }
        sorted.cells.sort_unstable();
        sorted
    }

    /// The numbers of the boxes that share a pixel with `window`, increasing,
    /// each with what they share.
    pub(crate) fn with(&self, window: PixelBox) -> Vec<(usize, PixelBox)> {
        let mut found = Vec::new();
        let mut look = |i: usize| {
            let shared = self.boxes[i].intersection(&window);
            if !shared.is_empty() {
                found.push((i, shared));
            }
        };
        self.wide.iter().for_each(|&i| look(i));
        let touched = self.cells_of(&window);
        if !self.cells.is_empty() {
            for row in touched.y0..touched.y1 {
                let first = (row, touched.x0, 0);
                let start = self.cells.partition_point(|&cell| cell < first);
                self.cells[start..]
                    .iter()
                    .take_while(|cell| cell.0 == row && cell.1 < touched.x1)
                    .for_each(|cell| look(cell.2));
            }
        }
        found.sort_unstable_by_key(|(i, _)| *i);
        found.dedup_by_key(|(i, _)| *i);
        found
    }

    /// The cells that a box touches, as a box of cells.
    fn cells_of(&self, pixels: &PixelBox) -> PixelBox {
        if pixels.is_empty() {
            return PixelBox::default();
        }
        let (width, height) = self.side;
        PixelBox::new(
            pixels.x0.div_euclid(width),
            (pixels.x1 - 1).div_euclid(width) + 1,
            pixels.y0.div_euclid(height),
            (pixels.y1 - 1).div_euclid(height) + 1,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn boxes(most: usize) -> impl Strategy<Value = Vec<PixelBox>> {
        let one = (0_i64..60, 0_i64..60, 0_i64..6, 0_i64..6, 0..20).prop_map(
            |(x, y, w, h, wide): (i64, i64, i64, i64, i32)| {
                let scale = if wide == 0 { 12 } else { 1 };
                PixelBox::new(x, x + scale * w, y, y + scale * h)
            },
        );
        prop::collection::vec(one, 0..most)
    }

    proptest! {
        #[test]
        fn found_are_those_of_brute_force(boxes in boxes(90), windows in boxes(10)) {
            let overlaps = Overlaps::new(boxes.clone());
            for window in windows {
                let expected: Vec<_> = (0..boxes.len())
                    .map(|i| (i, boxes[i].intersection(&window)))
                    .filter(|(_, shared)| !shared.is_empty())
                    .collect();
                prop_assert_eq!(overlaps.with(window), expected);
            }
        }
    }
}
