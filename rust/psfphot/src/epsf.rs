//! Effective PSFs from stars: the coefficients of a bicubic spline, solved for
//! jointly with every star's flux and position.
//!
//! Given cutouts d of stars with variances v, a PSF ψ is sought that makes
//! Σ (d − f ψ(p − x))² / v + prior(ψ) least over ψ and all f and x. Each step is
//! one of Gauss and Newton for all unknowns: the stars' own are eliminated, one
//! star after another, and conjugate gradients solve for the PSF's
//! (`system`), preconditioned by a banded Cholesky factor (`precondition`).
//! Solving for PSF and stars in turn instead never finds an undersampled PSF:
//! what the stars' positions take up is no longer in the residuals.
//!
//! The prior says that ψ is smooth (`neighbours`), by how much is chosen by
//! stars that are held out (`choose`), and that the flux and the centroid of a
//! star do not depend on where in a pixel it is (`alias`), which no single
//! exposure can tell. Pixels that the model does not explain lose weight, and so
//! do all in which the model's own error is larger than the noise (`noise`, `estimate`).
//!
//! The ePSF, its grid and its centre are those of Anderson & King (2000, PASP
//! 112, 1360); the penalised B-splines those of Eilers & Marx (1996, Stat. Sci.
//! 11, 89).

mod alias;
mod banded;
mod basis;
mod choose;
mod cutout;
mod estimate;
mod field;
mod model;
mod neighbours;
mod noise;
mod posterior;
mod precondition;
mod prior;
mod profile;
mod refit;
mod report;
mod rounds;
mod settings;
mod solution;
mod solver;
mod star;
mod stars;
mod system;

pub use alias::Alias;
pub use cutout::Cutout;
pub use field::Field;
pub use rounds::solve_epsf;
pub use settings::EpsfSettings;
pub use solution::{AliasReport, EpsfSolution, RoundReport, StarReport};
