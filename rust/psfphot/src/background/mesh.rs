//! Backgrounds of whole images: statistics in boxes, a mesh of what they give,
//! and its interpolation to every pixel.
//!
//! Two ways use the same rooms. [`box_statistics`], [`fill_nodes`],
//! [`median_filter`] and [`zoom`] are the steps of photutils' `Background2D`;
//! [`residual_background`] measures the mesh on what a surface and earlier
//! meshes leave, for skies that are steep within a box.

mod boxes;
mod cuts;
mod distance_weights;
mod flat;
mod median;
mod neighbours;
mod polynomial;
mod quantum;
mod rendered;
mod residual;
mod sheet;
mod slope;
mod sources;

pub use boxes::{BoxSettings, BoxStatistics, box_statistics};
pub use distance_weights::{DistanceWeights, fill_nodes, interpolate_nodes};
pub use flat::flat_blocks;
pub use median::median_filter;
pub use residual::{
    ResidualBackground, ResidualSettings, ResidualSheets, residual_background, residual_sheets,
};
pub use sheet::{Sheet, zoom};
