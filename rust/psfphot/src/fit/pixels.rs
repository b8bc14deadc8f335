//! The pixels of a fit: gathered once, each once.

use crate::image::PixelBox;

use super::exposure::Exposure;

/// Pixels are stored in whole lanes; the padding has weight 0.
pub(crate) const LANES: usize = 4;

/// The least number of elements that holds `n` in whole lanes.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// Values and weights of gathered pixels. A bad pixel has value and weight 0.
#[derive(Debug, Default, Clone)]
pub(crate) struct Pixels {
    pub(crate) data: Vec<f64>,
    pub(crate) weights: Vec<f64>,
    /// Pixels with a weight.
    pub(crate) n_good: usize,
}

impl Pixels {
    /// Forgets all pixels but keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.data.clear();
        self.weights.clear();
        self.n_good = 0;
    }

    /// Appends the pixels of `window`, row by row, minus `background`, which has
    /// one element for each of them, and pads to whole lanes.
    pub(crate) fn gather(
        &mut self,
        exposure: &Exposure,
        window: PixelBox,
        background: impl IntoIterator<Item = f64>,
    ) {
        let mut background = background.into_iter();
        for (values, weights) in exposure.rows(window) {
            let pixels = values.iter().zip(weights).zip(&mut background);
            for ((&value, &weight), background) in pixels {
                let is_good = weight > 0.0;
                self.n_good += usize::from(is_good);
                self.data
                    .push(if is_good { value - background } else { 0.0 });
                self.weights.push(if is_good { weight } else { 0.0 });
            }
        }
        let n = padded(self.data.len());
        self.data.resize(n, 0.0);
        self.weights.resize(n, 0.0);
    }

    /// The variance of a pixel of weight 1: 1 where errors are given, else
    /// χ² per degree of freedom, as astropy has it.
    pub(crate) fn unit_variance(&self, has_error: bool, chi2: f64, n_parameters: usize) -> f64 {
        if has_error {
            1.0
        } else {
            chi2 / self.n_good.saturating_sub(n_parameters).max(1) as f64
        }
    }
}

/// The union of boxes as disjoint boxes, from top to bottom.
///
/// Rows are cut into runs of pixels that lie in some box; runs that repeat in
/// the next row are joined. Boxes that overlap nothing come back whole.
pub(crate) fn union(boxes: &[PixelBox]) -> Vec<PixelBox> {
    let mut edges: Vec<i64> = boxes
        .iter()
        .filter(|b| !b.is_empty())
        .flat_map(|b| [b.y0, b.y1])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let mut by_row: Vec<usize> = (0..boxes.len()).collect();
    by_row.sort_by_key(|&i| boxes[i].y0);
    let (mut next, mut active) = (0, Vec::new());
    let (mut done, mut open): (Vec<PixelBox>, Vec<PixelBox>) = (Vec::new(), Vec::new());
    for slab in edges.windows(2) {
        let (y0, y1) = (slab[0], slab[1]);
        while next < by_row.len() && boxes[by_row[next]].y0 <= y0 {
            active.push(boxes[by_row[next]]);
            next += 1;
        }
        active.retain(|b| b.y1 > y0 && !b.is_empty());
        let mut growing = Vec::new();
        // Both from left to right.
        let mut above = open.iter_mut().peekable();
        for (x0, x1) in runs(&active) {
            while above.next_if(|b| b.x0 < x0).is_some() {}
            let same = above.next_if(|b| (b.x0, b.x1, b.y1) == (x0, x1, y0));
            let start = same.map_or(y0, |b| std::mem::replace(&mut b.y0, b.y1));
            growing.push(PixelBox::new(x0, x1, start, y1));
        }
        open.retain(|b| !b.is_empty());
        done.append(&mut open);
        open = growing;
    }
    done.append(&mut open);
    // In an order that does not depend on how they were found.
    done.sort_unstable_by_key(|b| (b.y0, b.x0));
    done
}

/// The union of the boxes' columns as disjoint runs.
fn runs(boxes: &[PixelBox]) -> Vec<(i64, i64)> {
    let mut columns: Vec<_> = boxes.iter().map(|b| (b.x0, b.x1)).collect();
    columns.sort_unstable();
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for (x0, x1) in columns {
        match runs.last_mut() {
            // Boxes that merely touch stay apart: joined, their rows would
            // match neither above nor below.
            Some(last) if x0 < last.1 => last.1 = last.1.max(x1),
            _ => runs.push((x0, x1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn union_holds_every_pixel_once(
            corners in prop::collection::vec((0_i64..20, 0_i64..20, 0_i64..8, 0_i64..8), 0..8),
        ) {
            let boxes: Vec<_> = corners
                .iter()
                .map(|&(x, y, w, h)| PixelBox::new(x, x + w, y, y + h))
                .collect();
            let tiles = union(&boxes);
            for y in -1..30 {
                for x in -1..30 {
                    let expected = boxes.iter().any(|b| b.contains(x, y));
                    let count = tiles.iter().filter(|t| t.contains(x, y)).count();
                    prop_assert_eq!(count, usize::from(expected));
                }
            }
        }
    }

    #[test]
    fn boxes_apart_come_back_whole() {
        let boxes = [PixelBox::new(0, 5, 0, 5), PixelBox::new(7, 12, 2, 7)];
        let tiles = union(&boxes);
        // The second box begins in a row of its own: still one tile each.
        assert_eq!(tiles, boxes);
    }
}
