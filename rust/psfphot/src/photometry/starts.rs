//! What goes into a photometry run.

use crate::Error;
use crate::fit::{FLUX, MAX_PARAMETERS, Parameters, SHAPE, X, Y};
use crate::psf::Psf;

/// Starting values of the sources, one array per quantity.
///
/// Values that are not finite are no error: such a source is not fitted, and
/// its flags say so.
#[derive(Debug, Clone, Copy)]
pub struct Starts<'a> {
    x: &'a [f64],
    y: &'a [f64],
    flux: &'a [f64],
    local_background: Option<&'a [f64]>,
    background_variance: Option<&'a [f64]>,
    groups: Option<&'a [i64]>,
    shape: Option<&'a [f64]>,
}

impl<'a> Starts<'a> {
    /// Positions (pixels) and fluxes, arrays of one length.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the lengths differ.
    pub fn new(x: &'a [f64], y: &'a [f64], flux: &'a [f64]) -> Result<Self, Error> {
        Error::check_len("y", x.len(), y.len())?;
        Error::check_len("flux", x.len(), flux.len())?;
        Ok(Self {
            x,
            y,
            flux,
            local_background: None,
            background_variance: None,
            groups: None,
            shape: None,
        })
    }

    /// With the local background per pixel of each source. In place of what is
    /// not finite stands what [`known_backgrounds`](super::known_backgrounds) says.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the lengths differ.
    pub fn with_local_background(mut self, background: &'a [f64]) -> Result<Self, Error> {
        Error::check_len("local_background", self.len(), background.len())?;
        self.local_background = Some(background);
        Ok(self)
    }

    /// With the variance of each local background, for the errors of the fluxes;
    /// what is not finite counts as 0.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the lengths differ.
    pub fn with_background_variance(mut self, variance: &'a [f64]) -> Result<Self, Error> {
        Error::check_len("background_variance", self.len(), variance.len())?;
        self.background_variance = Some(variance);
        Ok(self)
    }

    /// With labels: sources of one label are fitted jointly.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the lengths differ.
    pub fn with_groups(mut self, groups: &'a [i64]) -> Result<Self, Error> {
        Error::check_len("groups", self.len(), groups.len())?;
        // Where all of them grow each is the label of one source.
        let are_apart = groups.is_sorted_by(|a, b| a < b);
        self.groups = (!are_apart).then_some(groups);
        Ok(self)
    }

    /// With shape parameters, source by source, instead of the PSF's own.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] unless there are as many for each source as
    /// `psf` has; [`Error::InvalidArgument`] naming one that makes no PSF.
    pub fn with_shape(mut self, shape: &'a [f64], psf: &dyn Psf) -> Result<Self, Error> {
        let n = psf.shape_names().len();
        Error::check_len("shape", self.len() * n, shape.len())?;
        for source in shape.chunks(n.max(1)) {
            psf.check_shape(source)?;
        }
        self.shape = Some(shape);
        Ok(self)
    }

    /// Number of sources.
    #[must_use]
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether there is no source.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// The columns and rows.
    pub(crate) fn positions(&self) -> (&'a [f64], &'a [f64]) {
        (self.x, self.y)
    }

    /// The labels, if some of the sources may share one.
    pub(crate) fn groups(&self) -> Option<&'a [i64]> {
        self.groups
    }

    /// The starting parameters of a source.
    pub(crate) fn parameters(&self, index: usize, psf: &dyn Psf) -> Parameters {
        let mut parameters = [0.0; MAX_PARAMETERS];
        parameters[FLUX] = self.flux[index];
        parameters[X] = self.x[index];
        parameters[Y] = self.y[index];
        let n = psf.shape_names().len();
        let shape = self
            .shape
            .map_or(psf.shape(), |shape| &shape[index * n..(index + 1) * n]);
        parameters[SHAPE..SHAPE + n].copy_from_slice(shape);
        parameters
    }

    /// The local backgrounds, if there are any.
    pub(crate) fn backgrounds(&self) -> Option<&'a [f64]> {
        self.local_background
    }

    /// The variance of a source's local background, 0 if none is given.
    pub(crate) fn background_variance(&self, index: usize) -> f64 {
        self.background_variance.map_or(0.0, |all| all[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_all_grow_make_no_groups() -> Result<(), Error> {
        let zeros = [0.0; 3];
        let starts = Starts::new(&zeros, &zeros, &zeros)?;
        for apart in [[1, 2, 3], [-7, 0, 90]] {
            assert_eq!(starts.with_groups(&apart)?.groups(), None);
        }
        for others in [[1, 1, 2], [1, 2, 2], [1, 2, 1], [3, 2, 1]] {
            assert_eq!(starts.with_groups(&others)?.groups(), Some(&others[..]));
        }
        assert!(starts.with_groups(&[1, 2]).is_err());
        Ok(())
    }
}
