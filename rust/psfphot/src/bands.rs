//! The one partition of an image into bands of rows: what is worked on together.

use std::ops::Range;

use crate::image::{CACHED, PixelBox};
use crate::lists::Lists;

/// Rows that are rendered together.
///
/// Part of the definition of what is rendered: a PSF is evaluated band by band,
/// and the same bands for any number of threads give the same bits. 64 rows keep
/// two processors busy on a 2048 x 2048 image, and boxes of 101 rows are cut
/// into no more than three parts.
pub(crate) const RENDERED: usize = 64;

/// Which boxes touch which band of rows.
pub(crate) struct Bands {
    height: usize,
    n_rows: usize,
    /// The boxes of each band by increasing number.
    boxes: Lists<usize>,
}

impl Bands {
    /// Sorts boxes within an image of `n_rows` into bands of `height` rows.
    pub(crate) fn new(boxes: &[PixelBox], n_rows: usize, height: usize) -> Self {
        let bands_of = |(i, pixels)| touched(pixels, height).map(move |band| (band, i));
        let entries = boxes.iter().enumerate().flat_map(bands_of);
        Self {
            height,
            n_rows,
            boxes: Lists::new(n_rows.div_ceil(height), entries),
        }
    }

    /// Number of bands.
    pub(crate) fn len(&self) -> usize {
        self.boxes.len()
    }

    /// The boxes that touch a band, by increasing number.
    pub(crate) fn boxes(&self, band: usize) -> &[usize] {
        self.boxes.of(band)
    }

    /// The pixels of a band of an image of `width` columns; the last band has
    /// fewer rows.
    pub(crate) fn window(&self, band: usize, width: usize) -> PixelBox {
        let first = band * self.height;
        let end = (first + self.height).min(self.n_rows);
        PixelBox::new(0, width as i64, first as i64, end as i64)
    }
}

/// The bands that a box within an image touches.
fn touched(pixels: &PixelBox, height: usize) -> Range<usize> {
    if pixels.is_empty() {
        return 0..0;
    }
    pixels.y0 as usize / height..(pixels.y1 as usize).div_ceil(height)
}

/// The positions band by band, in each by column: neighbours find the pixels
/// that they share in the cache.
pub(crate) fn order(x: &[f64], y: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    // Casts saturate, and NaN becomes 0: any order will do.
    order.sort_unstable_by_key(|&i| ((y[i] / CACHED as f64) as i64, x[i] as i64, i));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_band_has_the_boxes_that_hold_its_rows(
            corners in prop::collection::vec((0_i64..90, 0_i64..40), 0..12),
            height in 1..40_usize,
        ) {
            let boxes: Vec<_> = corners
                .iter()
                .map(|&(y, n)| PixelBox::new(3, 5, y, (y + n).min(100)))
                .collect();
            let bands = Bands::new(&boxes, 100, height);
            let mut next = 0;
            for band in 0..bands.len() {
                let window = bands.window(band, 7);
                prop_assert_eq!((window.x0, window.x1, window.y0), (0, 7, next));
                next = window.y1;
                let holds = |&i: &usize| !boxes[i].intersection(&window).is_empty();
                let expected: Vec<_> = (0..boxes.len()).filter(holds).collect();
                prop_assert_eq!(bands.boxes(band), expected);
            }
            prop_assert_eq!(next, 100);
        }
    }
}
