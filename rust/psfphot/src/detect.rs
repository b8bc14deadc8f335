//! Finding stars.
//!
//! ```text
//! image ─► convolve with a zero-sum Gaussian ─► local maxima above a threshold
//!                                                      │
//! sources ◄─ n brightest ◄─ ranges ◄─ statistics of the image around each
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`kernel`] | the [`Kernel`]: an elliptical Gaussian that sums to zero |
//! | [`convolve`] | direct convolution with a kernel |
//! | [`peaks`] | local maxima within a [`Neighbourhood`], above a [`Threshold`] |
//! | [`moments`] | the image moments of a star |
//! | [`iraf`] | [`IrafFinder`], after IRAF's `starfind` |
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
pub mod iraf;
pub mod kernel;
pub mod moments;
pub mod peaks;
mod ties;

pub use iraf::{IrafFinder, IrafSource};
pub use kernel::Kernel;
pub use peaks::{Neighbourhood, Peak, Threshold};

use crate::Error;

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

fn in_range(range: Range, value: f64) -> bool {
    range.is_none_or(|(lowest, highest)| value >= lowest && value <= highest)
}

/// A NaN bound would silently refuse everything.
fn check_range(argument: &'static str, range: Range) -> Result<(), Error> {
    match range {
        Some((lowest, highest)) if lowest.is_nan() || highest.is_nan() => Err(Error::invalid(
            argument,
            "be a pair of numbers (lower, upper)",
            format!("({lowest}, {highest})"),
        )),
        _ => Ok(()),
    }
}

/// Keeps the `n` sources of the largest flux, brightest first; equal ones keep
/// their order.
fn keep_brightest<S>(sources: &mut Vec<S>, n: Option<usize>, flux: impl Fn(&S) -> f64) {
    if let Some(n) = n {
        sources.sort_by(|a, b| flux(b).total_cmp(&flux(a)));
        sources.truncate(n);
    }
}

/// The pixels that hold given (x, y) positions.
///
/// # Errors
/// [`Error::InvalidArgument`] if a position lies off the image or is not finite.
fn nearest_pixels(
    positions: &[(f64, f64)],
    shape: (usize, usize),
) -> Result<Vec<(usize, usize)>, Error> {
    let within = |value: f64, n: usize| value > -0.5 && value < n as f64 - 0.5;
    positions
        .iter()
        .map(|&(x, y)| {
            if within(x, shape.1) && within(y, shape.0) {
                return Ok((x.round() as usize, y.round() as usize));
            }
            Err(Error::invalid(
                "xycoords",
                format!("be within the bounds of the input data with shape {shape:?}"),
                format!("({x}, {y})"),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brightest_come_first_and_ties_keep_their_order() {
        let mut sources = vec![(0, 1.0), (1, 3.0), (2, 1.0), (3, 2.0)];
        keep_brightest(&mut sources, Some(3), |s| s.1);
        assert_eq!(sources, vec![(1, 3.0), (3, 2.0), (0, 1.0)]);
        keep_brightest(&mut sources, None, |s| s.1);
        assert_eq!(sources.len(), 3);
    }

    #[test]
    fn positions_round_away_from_zero_and_must_lie_on_the_image() {
        assert_eq!(
            nearest_pixels(&[(2.5, 0.4), (-0.4, 1.4)], (2, 4)),
            Ok(vec![(3, 0), (0, 1)])
        );
        for bad in [
            (3.5, 0.0),
            (-0.5, 0.0),
            (0.0, 1.5),
            (f64::NAN, 0.0),
            (1e300, 0.0),
        ] {
            assert!(nearest_pixels(&[bad], (2, 4)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ranges_include_their_ends() {
        assert!(in_range(Some((0.5, 2.0)), 0.5) && in_range(Some((0.5, 2.0)), 2.0));
        assert!(!in_range(Some((0.5, 2.0)), 2.1) && in_range(None, 1e9));
        assert!(check_range("sharpness_range", Some((f64::NAN, 1.0))).is_err());
    }
}
