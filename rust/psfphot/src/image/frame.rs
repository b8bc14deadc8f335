//! An image with its errors, or a model of its noise, and its mask.

use std::ops::Range;

use crate::run::chunks;
use crate::simd::prefetch;
use crate::{Error, Run};

use super::noise::NoiseModel;
use super::{CACHED, Image, Pixel};

/// One image with its errors and mask.
///
/// A pixel whose value is not finite, whose error is not finite or not
/// positive, or that is masked, does not take part in anything.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a, T> {
    data: Image<'a, T>,
    error: Option<Image<'a, T>>,
    noise: Option<NoiseModel<'a>>,
    mask: Option<Image<'a, bool>>,
}

impl<'a, T: Pixel> Frame<'a, T> {
    /// A frame without errors (all weights 1) and without a mask.
    #[must_use]
    pub fn new(data: Image<'a, T>) -> Self {
        Self {
            data,
            error: None,
            noise: None,
            mask: None,
        }
    }

    /// With 1-sigma errors per pixel; weights become 1/error².
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the shapes differ.
    pub fn with_error(mut self, error: Image<'a, T>) -> Result<Self, Error> {
        self.check_shape("error", error.shape())?;
        self.error = Some(error);
        Ok(self)
    }

    /// With a model of the noise instead of errors: fits make its weights from the
    /// light of their stars; all else has those of pixels without any.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the shapes differ; [`Error::InvalidArgument`] if a
    /// pixel has no noise.
    pub fn with_noise(mut self, noise: NoiseModel<'a>) -> Result<Self, Error> {
        noise.check(self.data.shape())?;
        (self.error, self.noise) = (None, Some(noise));
        Ok(self)
    }

    /// With a mask; `true` means ignore.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the shapes differ.
    pub fn with_mask(mut self, mask: Image<'a, bool>) -> Result<Self, Error> {
        self.check_shape("mask", mask.shape())?;
        self.mask = Some(mask);
        Ok(self)
    }

    fn check_shape(&self, argument: &'static str, got: (usize, usize)) -> Result<(), Error> {
        let expected = self.data.shape();
        if got == expected {
            return Ok(());
        }
        Err(Error::ShapeMismatch {
            argument,
            expected: vec![expected.0, expected.1],
            got: vec![got.0, got.1],
        })
    }

    /// The pixel values.
    #[must_use]
    pub fn data(&self) -> Image<'a, T> {
        self.data
    }

    /// The mask, if there is one.
    #[must_use]
    pub fn mask(&self) -> Option<Image<'a, bool>> {
        self.mask
    }

    /// The 1-sigma errors, if there are any.
    #[must_use]
    pub fn error(&self) -> Option<Image<'a, T>> {
        self.error
    }

    /// The model of its noise, if there is one.
    #[must_use]
    pub fn noise(&self) -> Option<NoiseModel<'a>> {
        self.noise
    }

    /// Whether the frame has errors, or a model of its noise.
    #[must_use]
    pub fn has_error(&self) -> bool {
        self.error.is_some() || self.noise.is_some()
    }

    /// Whether all pixels that are not masked have finite values.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn is_finite(&self, run: Run<'_>) -> Result<bool, Error> {
        let bands = chunks(self.data.shape().0, CACHED);
        let is_good =
            |(): &mut (), rows: Range<usize>| Ok(rows.into_iter().all(|y| self.is_row_finite(y)));
        let good = run.map(bands, || (), is_good)?;
        Ok(!good.contains(&false))
    }

    fn is_row_finite(&self, y: usize) -> bool {
        let is_finite = |value: &T| Into::<f64>::into(*value).is_finite();
        let row = self.data.row(y);
        // All of them without a look at each, which the compiler does several at once.
        row.iter().fold(true, |all, value| all & is_finite(value))
            || self.mask.is_some_and(|mask| {
                let mut pixels = row.iter().zip(mask.row(y));
                pixels.all(|(value, &is_masked)| is_masked || is_finite(value))
            })
    }

    /// The values in `columns` of row `y`, whatever their errors: `None` where
    /// masked or not finite.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub(crate) fn row_values(
        &self,
        y: usize,
        columns: Range<usize>,
    ) -> impl Iterator<Item = Option<f64>> + '_ {
        let values = &self.data.row(y)[columns.clone()];
        let mask = self.mask.map(|mask| &mask.row(y)[columns]);
        values.iter().enumerate().map(move |(k, &value)| {
            let value: f64 = value.into();
            let masked = mask.is_some_and(|mask| mask[k]);
            (value.is_finite() && !masked).then_some(value)
        })
    }

    /// Values and weights in `columns` of row `y`; `None` where a pixel cannot
    /// be used. As [`Frame::pixel`] has it, without the reasons.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub(crate) fn row_pixels(
        &self,
        y: usize,
        columns: Range<usize>,
    ) -> impl Iterator<Item = Option<(f64, f64)>> + '_ {
        let errors = self.error.map(|error| &error.row(y)[columns.clone()]);
        let empty = self.empty_weights(y, columns.start);
        let values = self.row_values(y, columns);
        values.enumerate().map(move |(k, value)| {
            let weight =
                errors.map_or_else(|| Some(empty(k)), |errors| weight_of(errors[k].into()));
            value.zip(weight)
        })
    }

    /// What the pixel in column `x` of row `y` can be used for.
    #[must_use]
    pub fn pixel(&self, x: i64, y: i64) -> PixelState {
        if !self.data.bounds().contains(x, y) {
            return PixelState::Outside;
        }
        let mut states = self.row_states(y as usize, x as usize..x as usize + 1);
        states.next().unwrap_or(PixelState::Outside)
    }

    /// What the pixels in `columns` of row `y` can be used for.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub(crate) fn row_states(
        &self,
        y: usize,
        columns: Range<usize>,
    ) -> impl Iterator<Item = PixelState> + '_ {
        let values = &self.data.row(y)[columns.clone()];
        let mask = self.mask.map(|mask| &mask.row(y)[columns.clone()]);
        let errors = self.error.map(|error| &error.row(y)[columns.clone()]);
        let empty = self.empty_weights(y, columns.start);
        values.iter().enumerate().map(move |(k, &value)| {
            if mask.is_some_and(|mask| mask[k]) {
                return PixelState::Masked;
            }
            match errors {
                Some(errors) => PixelState::new(value.into(), Some(errors[k].into())),
                None => PixelState::new(value.into(), None).with_weight(empty(k)),
            }
        })
    }

    /// Asks for values and errors in `columns` of row `y`, which are read soon.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub(crate) fn prefetch_row(&self, y: usize, columns: Range<usize>) {
        prefetch(&self.data.row(y)[columns.clone()]);
        if let Some(error) = self.error {
            prefetch(&error.row(y)[columns]);
        }
    }

    /// The weights in row `y`, from a column on, where no error is given: 1, or those
    /// of the noise without any star.
    fn empty_weights(&self, y: usize, first: usize) -> impl Fn(usize) -> f64 + use<'a, T> {
        let (noise, start) = (self.noise, y * self.data.shape().1 + first);
        move |k| noise.map_or(1.0, |noise| 1.0 / noise.variance(start + k, 0.0))
    }
}

/// 1/error²; `None` unless it is positive and finite: an error so small or
/// large that its weight over- or underflows says nothing that a sum could use.
#[inline]
pub(crate) fn weight_of(error: f64) -> Option<f64> {
    let weight = 1.0 / (error * error);
    (error > 0.0 && weight.is_finite() && weight > 0.0).then_some(weight)
}

/// What a pixel of a [`Frame`] can be used for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PixelState {
    /// A value and its weight, 1/error² (1 without errors).
    Good {
        /// The pixel value.
        value: f64,
        /// Its weight.
        weight: f64,
    },
    /// Not on the image.
    Outside,
    /// Masked by the user.
    Masked,
    /// NaN or infinite.
    NonFinite,
    /// Its error is not finite or not positive.
    BadError,
}

impl PixelState {
    /// Of a pixel that is not masked.
    fn new(value: f64, error: Option<f64>) -> Self {
        if !value.is_finite() {
            return Self::NonFinite;
        }
        let Some(error) = error else {
            return Self::Good { value, weight: 1.0 };
        };
        match weight_of(error) {
            Some(weight) => Self::Good { value, weight },
            None => Self::BadError,
        }
    }

    /// A good pixel with another weight.
    fn with_weight(self, weight: f64) -> Self {
        match self {
            Self::Good { value, .. } => Self::Good { value, weight },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_sorted_into_states() -> Result<(), Error> {
        let data = [1.0_f32, f32::NAN, 3.0, 4.0];
        let error = [0.5_f32, 1.0, 0.0, 1e-30];
        let mask = [false, false, true, false];
        let frame = Frame::new(Image::new(&data, (1, 4))?)
            .with_error(Image::new(&error, (1, 4))?)?
            .with_mask(Image::new(&mask, (1, 4))?)?;
        let good = PixelState::Good {
            value: 1.0,
            weight: 4.0,
        };
        assert_eq!(frame.pixel(0, 0), good);
        assert_eq!(frame.pixel(1, 0), PixelState::NonFinite);
        assert_eq!(frame.pixel(2, 0), PixelState::Masked);
        assert_eq!(frame.pixel(-1, 0), PixelState::Outside);
        assert!(matches!(frame.pixel(3, 0), PixelState::Good { .. }));
        let values: Vec<_> = frame.row_values(0, 1..4).collect();
        assert_eq!(values, [None, None, Some(4.0)]);
        Ok(())
    }

    #[test]
    fn masked_pixels_need_no_finite_value() -> Result<(), Error> {
        // Three bands of rows, the last of one row.
        let shape = (2 * CACHED + 1, 5);
        let mut data = vec![1e300; shape.0 * shape.1];
        let mut mask = vec![false; data.len()];
        let is_finite = |data: &[f64], mask: Option<&[bool]>| {
            let mut frame = Frame::new(Image::new(data, shape)?);
            if let Some(mask) = mask {
                frame = frame.with_mask(Image::new(mask, shape)?)?;
            }
            let all = frame.is_finite(Run::new())?;
            assert_eq!(all, frame.is_finite(Run::new().serial())?);
            Ok::<bool, Error>(all)
        };
        assert!(is_finite(&data, None)? && is_finite(&data, Some(&mask))?);
        for (k, bad) in [(0, f64::NAN), (163, f64::INFINITY), (324, -f64::INFINITY)] {
            data[k] = bad;
            assert!(!is_finite(&data, None)? && !is_finite(&data, Some(&mask))?);
            mask[k] = true;
            assert!(is_finite(&data, Some(&mask))?);
        }
        assert!(Frame::new(Image::new(&[0.0_f32; 0], (0, 3))?).is_finite(Run::new())?);
        Ok(())
    }
}
