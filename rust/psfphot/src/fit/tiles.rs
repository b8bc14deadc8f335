//! The pixels of a group cut into tiles, and the sources that reach each.

use std::ops::Range;

use crate::image::PixelBox;
use crate::psf::{Placement, Psf};

use super::MAX_PARAMETERS;
use super::exposure::Exposure;
use super::overlaps::Overlaps;
use super::pixels::{LANES, Pixels, padded, union};
use super::source::Source;

/// A rectangle of pixels, and the sources that reach it.
pub(crate) struct Tile {
    pub(crate) window: PixelBox,
    /// First pixel, and number of pixels in whole lanes.
    pub(crate) first: usize,
    pub(crate) size: usize,
    pub(crate) sources: Vec<Reach>,
    /// The matrix block of each pair of these sources.
    pub(crate) blocks: Vec<u32>,
}

/// A source that reaches a tile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    pub(crate) source: u32,
    /// First element of its planes in the Jacobian.
    pub(crate) offset: usize,
    /// The pixels of the tile that belong to its starting position's support,
    /// and so to the source throughout the fit.
    pub(crate) window: PixelBox,
}

impl Tile {
    /// The tile's rows that a source reaches, and the first of their pixels: off them its
    /// planes stay 0.
    pub(crate) fn rows_of(&self, reach: &Reach) -> (PixelBox, usize) {
        let (window, own) = (self.window, reach.window);
        let rows = PixelBox::new(window.x0, window.x1, own.y0, own.y1);
        (rows, window.index_of(window.x0, own.y0))
    }

    /// The pixels, in whole lanes, of the rows that both sources reach: off them the
    /// products of their planes are 0.
    pub(crate) fn shared(&self, a: &Reach, b: &Reach) -> Range<usize> {
        let (first, end) = (a.window.y0.max(b.window.y0), a.window.y1.min(b.window.y1));
        let before = |row: i64| self.window.index_of(self.window.x0, row);
        if end <= first {
            return 0..0;
        }
        before(first) / LANES * LANES..padded(before(end))
    }
}

/// The pixels of the sources' windows, each once, and their tiles.
pub(crate) fn gather(exposure: &Exposure, sources: &[Source]) -> (Pixels, Vec<Tile>) {
    let windows: Vec<_> = sources.iter().map(|source| source.window).collect();
    let boxes = union(&windows);
    let has_background = sources.iter().any(|source| source.background != 0.0);
    let by_place = has_background.then(|| Overlaps::new(windows));
    let mut pixels = Pixels::default();
    let mut tiles = Vec::with_capacity(boxes.len());
    for window in boxes {
        let first = pixels.data.len();
        if let Some(by_place) = &by_place {
            let levels = mean_background(sources, window, by_place);
            pixels.gather(exposure, window, levels);
        } else {
            pixels.gather(exposure, window, std::iter::repeat(0.0));
        }
        tiles.push(Tile {
            window,
            first,
            size: pixels.data.len() - first,
            sources: Vec::new(),
            blocks: Vec::new(),
        });
    }
    (pixels, tiles)
}

/// The mean local background of the windows that hold a pixel of `tile`, row by
/// row.
fn mean_background(sources: &[Source], tile: PixelBox, by_place: &Overlaps) -> Vec<f64> {
    let mut levels = vec![0.0; tile.len()];
    let mut counts = vec![0.0; tile.len()];
    for (i, shared) in by_place.with(tile) {
        for (x, y) in shared.pixels() {
            let k = tile.index_of(x, y);
            levels[k] += sources[i].background;
            counts[k] += 1.0;
        }
    }
    for (level, count) in levels.iter_mut().zip(counts) {
        *level /= f64::max(count, 1.0);
    }
    levels
}

/// Finds the sources of each tile, and lays out their planes in a Jacobian of
/// `n_free` planes each, whose length is returned.
///
/// A sampled PSF ends with a step. If pixels at its end came and went as
/// the source moves, χ² would jump, and a fit could end on such a jump:
/// which pixels belong to a source is settled at its start.
pub(crate) fn link(
    tiles: &mut [Tile],
    image: PixelBox,
    supports: impl Iterator<Item = PixelBox>,
    n_free: usize,
) -> usize {
    let supports = supports.map(|support| support.intersection(&image));
    let by_place = Overlaps::new(supports.collect());
    let mut length = 0;
    for tile in tiles {
        for (source, window) in by_place.with(tile.window) {
            tile.sources.push(Reach {
                source: source as u32,
                offset: length,
                window,
            });
            length += n_free * tile.size;
        }
    }
    length
}

/// Fills the planes (value, then derivatives) of a source on the pixels of `rows`:
/// continued where it has moved off pixels of `own`, which has the same rows, 0 off `own`.
pub(crate) fn fill_reach(
    psf: &dyn Psf,
    at: Placement<'_>,
    rows: PixelBox,
    own: PixelBox,
    planes: &mut [f64],
) {
    let n = rows.len();
    let (values, gradient) = planes.split_at_mut(n);
    psf.fill_with_gradient(at, rows, values, gradient);
    let support = psf.support(at);
    if own == rows && support.intersection(&rows) == rows {
        return;
    }
    let mut point = [0.0; MAX_PARAMETERS];
    for y in rows.y0..rows.y1 {
        let place = |x: i64| rows.index_of(x, y);
        // Wings beyond the support are not zero.
        for plane in planes.chunks_exact_mut(n) {
            plane[place(rows.x0)..place(own.x0)].fill(0.0);
            plane[place(own.x1)..place(rows.x1)].fill(0.0);
        }
        for x in (own.x0..own.x1).filter(|&x| !support.contains(x, y)) {
            let k = place(x);
            planes[k] = psf.continued(at, x as f64, y as f64, &mut point);
            for (plane, derivative) in planes.chunks_exact_mut(n).skip(1).zip(point) {
                plane[k] = derivative;
            }
        }
    }
}
