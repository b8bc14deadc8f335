//! Finding stars.
//!
//! ```text
//! image ─► convolve with a zero-sum kernel ───► local maxima above a threshold
//!                                                      │
//! sources ◄─ n brightest ◄─ ranges ◄─ statistics of the image around each
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`kernel`] | the [`Kernel`]: a star that is shifted to sum to zero |
//! | [`convolve`] | direct convolution with a kernel |
//! | [`peaks`] | local maxima within a [`Neighbourhood`], above a [`Threshold`] |
//! | [`moments`] | the image moments of a star |
//! | `finder` | the traits of finders, and the loops that all share |
//! | `sweep` | an image convolved, searched and measured band by band |
//! | `gaps` | pixels that are not finite, left out of the sums |
//! | [`selection`] | the [`Selection`] that all finders share |
//! | [`iraf`] | [`IrafFinder`], after IRAF's `starfind` |
//! | [`dao`] | [`DaoFinder`], after DAOPHOT's `FIND` and IRAF's `daofind` |
//! | [`star`] | [`StarFinder`], with any kernel |
//! | [`cosmic`] | [`CosmicRays`]: hot pixels and cosmic rays, before stars are sought |
//! | [`matched`] | [`MatchedFinder`], the matched filter with weights and a free sky |
//!
//! ```
//! use psfphot::Run;
//! use psfphot::detect::{IrafFinder, Threshold};
//! use psfphot::image::{Frame, Image};
//!
//! # fn main() -> Result<(), psfphot::Error> {
//! let star = |x: usize, y: usize| {
//!     let (dx, dy) = (x as f64 - 20.3, y as f64 - 11.6);
//!     50.0 * (-(dx * dx + dy * dy) / (2.0 * 1.3 * 1.3)).exp()
//! };
//! let data: Vec<f64> = (0..32 * 40).map(|i| star(i % 40, i / 40)).collect();
//! let frame = Frame::new(Image::new(&data, (32, 40))?);
//! let found = IrafFinder::new(3.0).find(&frame, Threshold::Scalar(5.0), Run::new())?;
//! assert_eq!(found.sources.len(), 1);
//! assert!((found.sources[0].x - 20.3).abs() < 0.1);
//! # Ok(())
//! # }
//! ```

pub mod convolve;
pub mod cosmic;
pub mod dao;
mod finder;
mod gaps;
pub mod iraf;
pub mod kernel;
mod marginal;
pub mod matched;
pub mod moments;
mod partial;
pub mod peaks;
#[cfg(test)]
mod samples;
pub mod score;
pub mod selection;
mod setters;
pub mod star;
mod sweep;
mod ties;
mod vertex;

pub use cosmic::CosmicRays;
pub use dao::{DaoFinder, DaoSource};
pub use iraf::{IrafFinder, IrafSource};
pub use kernel::Kernel;
pub use matched::{MatchedFinder, MatchedMaps, MatchedSource, measured_fwhm};
pub use peaks::{Neighbourhood, Peak, PeakSearch, Threshold};
pub use score::{
    Acceptance, BlockWidth, Confusion, ProjectedScore, Score, ScoreMaps, ScoreWidth, block_edges,
};
pub use selection::Selection;
pub use star::{Star, StarFinder};

/// What a finder found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<S> {
    /// The sources that pass every filter: row by row, or by falling flux
    /// where only the brightest were asked for.
    pub sources: Vec<S>,
    /// Of the positions that were measured (the peaks, or those given), those
    /// where the statistics exist, before any filter. Where this is 0 there was
    /// nothing to find; where it is not, and there are no sources, the filters
    /// took them all.
    pub n_measured: usize,
}

/// An inclusive range (lowest, highest) of accepted values; `None` accepts all.
pub type Range = Option<(f64, f64)>;
