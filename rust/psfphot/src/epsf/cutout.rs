//! What the solver is given: cutouts of stars.

use crate::Error;
use crate::image::{FARTHEST, Image};

/// The pixels of one star in one image, and where the star about is.
#[derive(Debug, Clone)]
pub struct Cutout<'a> {
    /// Background-subtracted pixels; those that are not finite are ignored.
    pub data: Image<'a, f64>,
    /// 1-sigma errors; pixels without a positive and finite one are ignored.
    pub error: Option<Image<'a, f64>>,
    /// `true`: ignored.
    pub mask: Option<Image<'a, bool>>,
    /// Column of the star to begin with, in pixels of the cutout.
    pub x: f64,
    /// Row likewise.
    pub y: f64,
    /// Flux of the star in this cutout to begin with; else the pixels' sum.
    pub flux: Option<f64>,
    /// (x, y) of the cutout's first pixel in the frame, at most 1e9 from 0.
    pub origin: (f64, f64),
    /// Cutouts of the same number show the same star.
    pub link: Option<usize>,
    /// The flux in this cutout over the star's.
    pub scale: f64,
    /// Derivatives of the position in this cutout by the star's: rows are
    /// (x by x, x by y) and (y by x, y by y).
    pub jacobian: [[f64; 2]; 2],
}

impl<'a> Cutout<'a> {
    /// A star at (x, y) of `data`, of which nothing else is known.
    #[must_use]
    pub fn new(data: Image<'a, f64>, x: f64, y: f64) -> Self {
        Self {
            data,
            error: None,
            mask: None,
            x,
            y,
            flux: None,
            origin: (0.0, 0.0),
            link: None,
            scale: 1.0,
            jacobian: [[1.0, 0.0], [0.0, 1.0]],
        }
    }

    /// Refuses what cannot be worked with.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let shape = self.data.shape();
        let same = |argument: &'static str, other: Option<(usize, usize)>| match other {
            Some(got) if got != shape => Err(Error::ShapeMismatch {
                argument,
                expected: vec![shape.0, shape.1],
                got: vec![got.0, got.1],
            }),
            _ => Ok(()),
        };
        same("cutouts.error", self.error.map(|error| error.shape()))?;
        same("cutouts.mask", self.mask.map(|mask| mask.shape()))?;
        let (ny, nx) = (shape.0 as f64, shape.1 as f64);
        let inside = |p: f64, n: f64| p > -0.5 && p < n - 0.5;
        if !(inside(self.x, nx) && inside(self.y, ny)) {
            return Err(Error::invalid(
                "cutouts",
                "have their stars' positions within the pixels",
                format!("({}, {}) in the shape {shape:?}", self.x, self.y),
            ));
        }
        if !(self.origin.0.abs() <= FARTHEST && self.origin.1.abs() <= FARTHEST) {
            let got = format!("{:?}", self.origin);
            return Err(Error::invalid("cutouts.origin", "be within 1e9", got));
        }
        Error::check_positive("cutouts.scale", self.scale)?;
        let [[a, b], [c, d]] = self.jacobian;
        let determinant = a * d - b * c;
        if !(determinant.is_finite() && determinant.abs() > 1e-6) {
            let got = format!("{:?}", self.jacobian);
            return Err(Error::invalid("cutouts.jacobian", "be regular", got));
        }
        Ok(())
    }

    /// Whether each pixel may be used.
    pub(crate) fn valid(&self) -> Vec<bool> {
        let data = self.data.as_slice();
        let error = self.error.map(|error| error.as_slice());
        let mask = self.mask.map(|mask| mask.as_slice());
        (0..data.len())
            .map(|k| {
                let has_error = error.is_none_or(|error| error[k] > 0.0 && error[k].is_finite());
                data[k].is_finite() && has_error && !mask.is_some_and(|mask| mask[k])
            })
            .collect()
    }
}
