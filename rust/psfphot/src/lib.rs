//! PSF photometry of astronomical images: ePSF models, finding, grouping,
//! joint fitting and rendering, in plain Rust without Python and file I/O.
//!
//! Each stage is a function from borrowed arrays to owned arrays, usable alone:
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`image`] | borrowed image views, pixel boxes, the [`Frame`](image::Frame) of data, error (or a model of the noise) and mask |
//! | [`detect`] | finding stars: the kernel, the convolution, the peaks, the statistics of IRAF's starfind |
//! | [`epsf`] | PSFs from stars, solved for with their fluxes and positions |
//! | [`psf`] | the [`Psf`](psf::Psf) trait and its models |
//! | [`group`] | friends-of-friends groups of sources |
//! | [`aperture`] | sums over circles and annuli, with exact overlaps |
//! | [`background`] | the local background in an annulus, the background of a whole image |
//! | [`matching`] | which source of one catalogue is which of another |
//! | [`fit`] | Levenberg–Marquardt: its settings and outcomes |
//! | [`photometry`] | from starting values to fitted sources with errors and flags |
//! | [`flags`] | the flag bits and what they mean |
//! | [`render`] | adding many sources to an image |
//! | [`run`] | how a stage runs: parallel or not, progress, cancellation |
//! | [`error`] | the one error type |
//!
//! # Conventions
//!
//! | quantity | convention |
//! | --- | --- |
//! | pixel | (0, 0) is the *centre* of the first pixel; x is the column, y the row; image arrays are `[y, x]`; the pixel (x=i, y=j) spans ±0.5 around its centre; DS9 regions and FITS headers count from 1; RA and Dec are ICRS |
//! | shapes and pairs of sizes | `(ny, nx)`; pairs of positions `(x, y)`; oversampling pairs `(y, x)` |
//! | flux | the PSF's total, in the image's unit; PSF images are normalised so that they sum to oversampling_y·oversampling_x over an infinite plane |
//! | error | 1-sigma per pixel, same unit as the image; weights are 1/error² |
//! | angles | degrees, counter-clockwise from +x |
//! | masks | `true` = ignore |
//! | failed *fit* | data: a flag bit in that row, NaN errors where there is no covariance; never an error of the call |
//! | failed *call* | an [`Error`] that names the argument, what was expected and what was given |

pub mod aperture;
pub mod background;
mod bands;
pub mod detect;
pub mod epsf;
pub mod error;
pub mod fit;
pub mod flags;
pub mod group;
pub mod image;
mod lists;
pub mod matching;
mod near;
pub mod photometry;
mod positions;
pub mod psf;
pub mod render;
pub mod run;
mod simd;
mod solve;
mod sort;

pub use error::Error;
pub use run::Run;
