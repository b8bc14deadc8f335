//! A model of an image's noise.

use crate::Error;

use super::Image;

/// One value for all pixels, or one for each.
#[derive(Debug, Clone, Copy)]
pub enum Level<'a> {
    /// The same everywhere.
    Uniform(f64),
    /// An image of values.
    Map(Image<'a, f64>),
}

impl From<f64> for Level<'_> {
    fn from(value: f64) -> Self {
        Self::Uniform(value)
    }
}

impl<'a> From<Image<'a, f64>> for Level<'a> {
    fn from(values: Image<'a, f64>) -> Self {
        Self::Map(values)
    }
}

impl Level<'_> {
    /// At an element of the image, rows one after another.
    #[inline]
    fn at(&self, pixel: usize) -> f64 {
        match self {
            Self::Uniform(value) => *value,
            Self::Map(values) => values.as_slice()[pixel],
        }
    }

    fn shape(&self) -> Option<(usize, usize)> {
        match self {
            Self::Uniform(_) => None,
            Self::Map(values) => Some(values.shape()),
        }
    }

    /// An error unless every value passes.
    fn check(
        &self,
        argument: &'static str,
        expected: &'static str,
        passes: impl Fn(f64) -> bool,
    ) -> Result<(), Error> {
        let bad = match self {
            Self::Uniform(value) => (!passes(*value)).then_some(*value),
            Self::Map(values) => values.as_slice().iter().copied().find(|&v| !passes(v)),
        };
        bad.map_or(Ok(()), |bad| Err(Error::invalid(argument, expected, bad)))
    }
}

/// The variance of a pixel as a function of the light that a model puts there:
///
/// ```text
/// max(model + background, 0) / gain + (read noise / gain)²
///     + (flat error · model)² + (profile error · model)²
/// ```
///
/// The light is the model's and never the data's: weights that know the noise of the
/// data make pixels that came out low count for more.
///
/// ```
/// use psfphot::image::NoiseModel;
///
/// # fn main() -> Result<(), psfphot::Error> {
/// let noise = NoiseModel::new(5.0, 2.0)?.with_background(100.0)?;
/// assert_eq!(noise.variance(0, 20.0), 120.0 / 2.0 + 6.25);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NoiseModel<'a> {
    read_noise: Level<'a>,
    gain: Level<'a>,
    background: Level<'a>,
    flat_error: Level<'a>,
    profile_error: Level<'a>,
}

/// The variance is nowhere less than this part of that without any star: a model that
/// is more negative than the background is high says nothing of the noise.
const LEAST: f64 = 0.25;

impl<'a> NoiseModel<'a> {
    /// With a read noise in electrons and a gain in electrons per unit of the image.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] naming `read_noise` or `effective_gain`.
    pub fn new(
        read_noise: impl Into<Level<'a>>,
        effective_gain: impl Into<Level<'a>>,
    ) -> Result<Self, Error> {
        let (read_noise, gain) = (read_noise.into(), effective_gain.into());
        check_part("read_noise", &read_noise)?;
        gain.check("effective_gain", "be positive and finite", |v| {
            v > 0.0 && v.is_finite()
        })?;
        let none = Level::Uniform(0.0);
        Ok(Self {
            read_noise,
            gain,
            background: none,
            flat_error: none,
            profile_error: none,
        })
    }

    /// With a level under the stars, subtracted from the image or not.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is negative or not finite.
    pub fn with_background(mut self, background: impl Into<Level<'a>>) -> Result<Self, Error> {
        self.background = background.into();
        check_part("background", &self.background)?;
        Ok(self)
    }

    /// With an error of the flat field, as a part of the light.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is negative or not finite.
    pub fn with_flat_error(mut self, flat_error: impl Into<Level<'a>>) -> Result<Self, Error> {
        self.flat_error = flat_error.into();
        check_part("flat_error", &self.flat_error)?;
        Ok(self)
    }

    /// With an error of the PSF, as a part of its values.
    ///
    /// It is in what is left of stars and, as far as they follow
    /// ([`Response`](crate::photometry::Response)), in the errors of fluxes, and not in the
    /// weights of fits: what all pixels of a star share would there give its wings the say of
    /// its core.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is negative or not finite.
    pub fn with_profile_error(
        mut self,
        profile_error: impl Into<Level<'a>>,
    ) -> Result<Self, Error> {
        self.profile_error = profile_error.into();
        check_part("profile_error", &self.profile_error)?;
        Ok(self)
    }

    /// The variance of an element of the image (rows one after another) in which the
    /// model's stars have so much light.
    ///
    /// # Panics
    /// If there is no such element of a map.
    #[must_use]
    #[inline]
    pub fn variance(&self, pixel: usize, model: f64) -> f64 {
        let profile = self.profile_error.at(pixel) * model;
        self.noise_variance(pixel, model) + profile * profile
    }

    /// The same without the error of the PSF: what pixels are weighted by.
    #[inline]
    pub(crate) fn noise_variance(&self, pixel: usize, model: f64) -> f64 {
        let (gain, background) = (self.gain.at(pixel), self.background.at(pixel));
        let read = self.read_noise.at(pixel) / gain;
        let flat = self.flat_error.at(pixel) * model;
        let photons = (model + background).max(0.0) / gain;
        let empty = background / gain + read * read;
        (photons + read * read).max(LEAST * empty) + flat * flat
    }

    /// The error of the PSF, as a part of its values, in an element of the image.
    #[inline]
    pub(crate) fn profile_error(&self, pixel: usize) -> f64 {
        self.profile_error.at(pixel)
    }

    /// Refuses maps that are not of the image's shape, and pixels without any noise.
    pub(crate) fn check(&self, shape: (usize, usize)) -> Result<(), Error> {
        let maps = [
            ("read_noise", &self.read_noise),
            ("effective_gain", &self.gain),
            ("background", &self.background),
            ("flat_error", &self.flat_error),
            ("profile_error", &self.profile_error),
        ];
        for (argument, level) in maps {
            if let Some(got) = level.shape()
                && got != shape
            {
                return Err(Error::ShapeMismatch {
                    argument,
                    expected: vec![shape.0, shape.1],
                    got: vec![got.0, got.1],
                });
            }
        }
        let is_silent = |i| self.read_noise.at(i) == 0.0 && self.background.at(i) == 0.0;
        let are_uniform = self.read_noise.shape().is_none() && self.background.shape().is_none();
        let n = if are_uniform { 1 } else { shape.0 * shape.1 };
        if (0..n).any(is_silent) {
            return Err(Error::invalid(
                "read_noise",
                "be positive where background is 0: a pixel without light would have no noise",
                0.0,
            ));
        }
        Ok(())
    }
}

fn check_part(argument: &'static str, level: &Level<'_>) -> Result<(), Error> {
    level.check(argument, "be finite and not negative", |v| {
        v >= 0.0 && v.is_finite()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variance_is_the_sum_of_its_parts() -> Result<(), Error> {
        let maps = [vec![4.0, 2.0], vec![10.0, 30.0]];
        let map = |k: usize| Image::new(&maps[k], (1, 2));
        let noise = NoiseModel::new(6.0, map(0)?)?
            .with_background(map(1)?)?
            .with_flat_error(0.01)?
            .with_profile_error(0.02)?;
        noise.check((1, 2))?;
        let relative = 5e-4 * 1e4;
        assert!((noise.variance(0, 100.0) - (110.0 / 4.0 + 2.25 + relative)).abs() < 1e-12);
        assert!((noise.variance(1, 100.0) - (130.0 / 2.0 + 9.0 + relative)).abs() < 1e-12);
        let weighed = noise.noise_variance(1, 100.0);
        assert!((noise.variance(1, 100.0) - weighed - 4e-4 * 1e4).abs() < 1e-12);
        // A model far below the sky leaves the read noise, or a quarter of the sky's.
        assert!((noise.variance(1, -1e3) - 9.0 - 5e-4 * 1e6).abs() < 1e-9);
        let photons = NoiseModel::new(0.0, 1.0)?.with_background(8.0)?;
        assert!((photons.variance(0, -1e3) - 2.0).abs() < 1e-12);
        assert!(noise.check((2, 1)).is_err());
        Ok(())
    }

    #[test]
    fn what_is_no_noise_is_refused() {
        assert!(NoiseModel::new(-1.0, 1.0).is_err());
        assert!(NoiseModel::new(1.0, 0.0).is_err());
        assert!(NoiseModel::new(1.0, f64::INFINITY).is_err());
        let silent = NoiseModel::new(0.0, 1.0).expect("valid parts");
        assert!(silent.check((3, 3)).is_err());
        assert!(silent.with_background(f64::NAN).is_err());
        let sky = silent.with_background(1.0).expect("valid parts");
        assert!(sky.check((3, 3)).is_ok());
    }
}
