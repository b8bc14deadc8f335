//! Which pairs of a group have something in common.

use crate::fit::minimise::Problem;
use crate::fit::normal::add_outer;
use crate::fit::tiles::{Reach, Tile};
use crate::fit::{MAX_PARAMETERS, Parameters};

use super::Group;

/// A tile has no part in the correlations of a pair of which it makes less than this, at
/// the start. A source that moves by a pixel, and weights that change, make that some
/// hundred times larger: still far below what errors are known to.
const NEGLIGIBLE: f64 = 1e-9;

/// Groups of so many sources gain by leaving those out: most of their pairs are far apart.
const CROWD: usize = 8;

/// The block of a pair that has none in a tile.
pub(super) const NO_BLOCK: u32 = u32::MAX;

impl Group<'_> {
    /// Gives each pair of sources of a tile its block, where the tile has a part in it.
    pub(super) fn find_blocks(&mut self) {
        let is_crowd = self.sources.len() >= CROWD;
        if is_crowd {
            self.evaluate_trial();
        }
        let roots = self.roots();
        let mut tiles = std::mem::take(&mut self.tiles);
        let (mut products, mut weighted) = ([0.0; MAX_PARAMETERS * MAX_PARAMETERS], Vec::new());
        let width = self.fitter.free.len();
        for tile in &mut tiles {
            for (k, row) in tile.sources.iter().enumerate() {
                if is_crowd {
                    self.weigh(tile, *row, &mut weighted);
                }
                for (l, column) in tile.sources[..=k].iter().enumerate() {
                    let products = &mut products[..width * width];
                    products.fill(0.0);
                    if is_crowd && l < k {
                        let other = &self.jacobian[column.offset..][..width * tile.size];
                        add_outer(&weighted, other, tile.size, products);
                        let roots = [row, column].map(|reach| &roots[reach.source as usize]);
                        if is_negligible(products, roots, width) {
                            tile.blocks.push(NO_BLOCK);
                            continue;
                        }
                    }
                    let block = self.normal.matrix.block(row.source, column.source);
                    tile.blocks.push(block);
                }
            }
        }
        self.tiles = tiles;
    }

    /// A source's derivatives on a tile times the weights.
    fn weigh(&self, tile: &Tile, reach: Reach, weighted: &mut Vec<f64>) {
        let weights = &self.pixels.weights[tile.first..][..tile.size];
        let width = self.fitter.free.len();
        let planes = self.jacobian[reach.offset..][..width * tile.size].chunks_exact(tile.size);
        weighted.clear();
        for plane in planes {
            weighted.extend(plane.iter().zip(weights).map(|(j, w)| j * w));
        }
    }

    /// The roots of the information on the free parameters of each source.
    fn roots(&self) -> Vec<Parameters> {
        let mut totals = vec![[0.0; MAX_PARAMETERS]; self.sources.len()];
        for tile in &self.tiles {
            let weights = &self.pixels.weights[tile.first..][..tile.size];
            for reach in &tile.sources {
                let planes = self.jacobian[reach.offset..].chunks_exact(tile.size);
                let total = totals[reach.source as usize].iter_mut();
                for (total, plane) in total.take(self.fitter.free.len()).zip(planes) {
                    let products = plane.iter().zip(weights).map(|(j, w)| j * j * w);
                    *total += products.sum::<f64>();
                }
            }
        }
        totals.iter().map(|total| total.map(f64::sqrt)).collect()
    }
}

/// Whether all of some products are nearly nothing beside what both sources have.
fn is_negligible(products: &[f64], [row, column]: [&Parameters; 2], width: usize) -> bool {
    let mut elements = products.iter().enumerate();
    elements.all(|(k, product)| {
        let whole = row[k / width] * column[k % width];
        // Also where there is nothing to compare with.
        product.abs() <= NEGLIGIBLE * whole
    })
}
