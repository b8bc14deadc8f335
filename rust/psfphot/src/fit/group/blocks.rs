//! Which pairs of a group have something in common.

use crate::fit::minimise::Problem;
use crate::fit::normal::add_outer;
use crate::fit::tiles::Reach;
use crate::fit::{MAX_PARAMETERS, Parameters};

use super::{Group, weigh};

/// A tile has no part in the correlations of a pair of which it makes less than this, at
/// the start. A source that moves by a pixel, and weights that change, make that some
/// hundred times larger: still far below what errors are known to.
const NEGLIGIBLE: f64 = 1e-9;

/// Groups of so many sources gain by leaving those out: most of their pairs are far apart.
pub(super) const CROWD: usize = 8;

/// The block of a pair that has none in a tile.
pub(super) const NO_BLOCK: u32 = u32::MAX;

impl Group<'_> {
    /// Takes from the pairs of a tile those in whose block it has no part.
    pub(super) fn drop_negligible(&mut self) {
        self.evaluate_trial();
        let (roots, width) = (self.roots(), self.fitter.free.len());
        let (mut products, mut weighted) = (vec![0.0; width * width], Vec::new());
        for tile in &mut self.tiles {
            let weights = &self.pixels.weights[tile.first..][..tile.size];
            let planes = |reach: &Reach| &self.jacobian[reach.offset..][..width * tile.size];
            weighted.resize(width * tile.size, 0.0);
            let mut blocks = std::mem::take(&mut tile.blocks);
            let mut pairs = blocks.iter_mut();
            for (k, row) in tile.sources.iter().enumerate() {
                weigh(planes(row), weights, &tile.shared(row, row), &mut weighted);
                for (column, block) in tile.sources[..=k].iter().zip(&mut pairs) {
                    products.fill(0.0);
                    add_outer(
                        &weighted,
                        planes(column),
                        tile.size,
                        tile.shared(row, column),
                        &mut products,
                    );
                    let roots = [row, column].map(|reach| &roots[reach.source as usize]);
                    if row.source != column.source && is_negligible(&products, roots, width) {
                        *block = NO_BLOCK;
                    }
                }
            }
            tile.blocks = blocks;
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
