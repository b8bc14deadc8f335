//! Borrowed views of images and boxes of pixels.

mod patch;

use crate::Error;
use crate::noise::NoiseModel;

pub(crate) use patch::{NO_LEVEL, Patch};

/// A pixel type that the crate reads natively: `f32` or `f64`.
///
/// All sums are made in `f64`, whatever the pixel type.
pub trait Pixel: Copy + Send + Sync + PartialOrd + std::fmt::Debug + Into<f64> + 'static {
    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;
}

impl Pixel for f32 {
    fn from_f64(value: f64) -> Self {
        value as Self
    }
}

impl Pixel for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }
}

/// A borrowed two-dimensional array, rows one after another.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a, T> {
    data: &'a [T],
    ny: usize,
    nx: usize,
}

impl<'a, T: Copy> Image<'a, T> {
    /// A view of `data` as `shape = (ny, nx)`, row by row.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] unless `data` has ny·nx elements.
    pub fn new(data: &'a [T], shape: (usize, usize)) -> Result<Self, Error> {
        let (ny, nx) = shape;
        // No slice is as long as what an overflow saturates to.
        Error::check_len("data", ny.saturating_mul(nx), data.len())?;
        Ok(Self { data, ny, nx })
    }

    /// (ny, nx).
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        (self.ny, self.nx)
    }

    /// All elements, row by row.
    #[must_use]
    pub fn as_slice(&self) -> &'a [T] {
        self.data
    }

    /// Row `y`.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, y: usize) -> &'a [T] {
        &self.data[y * self.nx..(y + 1) * self.nx]
    }

    /// The element in column `x` of row `y`, if there is one.
    #[must_use]
    pub fn get(&self, x: i64, y: i64) -> Option<T> {
        if !self.bounds().contains(x, y) {
            return None;
        }
        self.data.get(y as usize * self.nx + x as usize).copied()
    }

    /// The box of all pixels.
    #[must_use]
    pub fn bounds(&self) -> PixelBox {
        PixelBox::new(0, self.nx as i64, 0, self.ny as i64)
    }
}

/// Beyond 2^53 the pixels next to a position cannot be told apart.
const FAR: f64 = 9.0e15;

/// A half-open rectangle of pixels, `x0 <= x < x1` and `y0 <= y < y1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PixelBox {
    /// First column.
    pub x0: i64,
    /// One past the last column.
    pub x1: i64,
    /// First row.
    pub y0: i64,
    /// One past the last row.
    pub y1: i64,
}

impl PixelBox {
    /// The box of columns `x0..x1` and rows `y0..y1`; empty if reversed.
    #[must_use]
    pub fn new(x0: i64, x1: i64, y0: i64, y1: i64) -> Self {
        Self { x0, x1, y0, y1 }
    }

    /// The box of `shape = (ny, nx)` pixels around a position: the first
    /// column is `ceil(x - nx/2)`, as astropy's `overlap_slices` has it.
    /// Empty where the position is not finite.
    #[must_use]
    pub fn around(x: f64, y: f64, shape: (usize, usize)) -> Self {
        if x.abs() < FAR && y.abs() < FAR {
            let x0 = (x - shape.1 as f64 / 2.0).ceil() as i64;
            let y0 = (y - shape.0 as f64 / 2.0).ceil() as i64;
            let end = |start: i64, n: usize| start.saturating_add_unsigned(n as u64);
            return Self::new(x0, end(x0, shape.1), y0, end(y0, shape.0));
        }
        Self::default()
    }

    /// The pixels whose centres lie within both ranges (lowest, highest),
    /// ends included. Empty where an end is not finite.
    #[must_use]
    pub fn spanning(x: (f64, f64), y: (f64, f64)) -> Self {
        if [x.0, x.1, y.0, y.1].iter().all(|v| v.abs() < FAR) {
            return Self::new(
                x.0.ceil() as i64,
                x.1.floor() as i64 + 1,
                y.0.ceil() as i64,
                y.1.floor() as i64 + 1,
            );
        }
        Self::default()
    }

    /// Its pixels (x, y), row by row.
    pub fn pixels(&self) -> impl Iterator<Item = (i64, i64)> + use<> {
        let Self { x0, x1, y0, y1 } = *self;
        (y0..y1).flat_map(move |y| (x0..x1).map(move |x| (x, y)))
    }

    /// The columns of a box that lies on an image; empty if the box is.
    pub(crate) fn columns(&self) -> std::ops::Range<usize> {
        if self.is_empty() {
            return 0..0;
        }
        self.x0 as usize..self.x1 as usize
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        extent(self.x0, self.x1)
    }

    /// Number of rows.
    #[must_use]
    pub fn height(&self) -> usize {
        extent(self.y0, self.y1)
    }

    /// Number of pixels; `usize::MAX` where there are more.
    #[must_use]
    pub fn len(&self) -> usize {
        self.width().saturating_mul(self.height())
    }

    /// Whether it holds no pixel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.width() == 0 || self.height() == 0
    }

    /// Whether the pixel (x, y) lies inside.
    #[must_use]
    pub fn contains(&self, x: i64, y: i64) -> bool {
        (self.x0..self.x1).contains(&x) && (self.y0..self.y1).contains(&y)
    }

    /// Whether a position is off all of its pixels, which reach half a pixel beyond
    /// their centres. What is not a number is not off.
    pub(crate) fn is_outside(&self, x: f64, y: f64) -> bool {
        x < self.x0 as f64 - 0.5
            || x > self.x1 as f64 - 0.5
            || y < self.y0 as f64 - 0.5
            || y > self.y1 as f64 - 0.5
    }

    /// The smallest box that holds both.
    pub(crate) fn hull(self, other: Self) -> Self {
        Self::new(
            self.x0.min(other.x0),
            self.x1.max(other.x1),
            self.y0.min(other.y0),
            self.y1.max(other.y1),
        )
    }

    /// The pixels that lie in both boxes.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::new(
            self.x0.max(other.x0),
            self.x1.min(other.x1),
            self.y0.max(other.y0),
            self.y1.min(other.y1),
        )
    }
}

/// Length of `start..end`, 0 if reversed. The ends may lie further apart than
/// an `i64` can say.
fn extent(start: i64, end: i64) -> usize {
    if start < end {
        end.abs_diff(start) as usize
    } else {
        0
    }
}

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

    /// The values in `columns` of row `y`, whatever their errors: `None` where
    /// masked or not finite.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub(crate) fn row_values(
        &self,
        y: usize,
        columns: std::ops::Range<usize>,
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
        columns: std::ops::Range<usize>,
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
        columns: std::ops::Range<usize>,
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
    fn boxes_follow_overlap_slices() {
        assert_eq!(
            PixelBox::around(10.0, 20.4, (5, 3)),
            PixelBox::new(9, 12, 18, 23)
        );
        // A position half-way between two pixels goes to the lower one.
        assert_eq!(PixelBox::around(10.5, 0.0, (1, 5)).x0, 8);
        assert!(PixelBox::around(f64::NAN, 0.0, (5, 5)).is_empty());
        assert!(PixelBox::around(1e300, 0.0, (5, 5)).is_empty());
    }

    #[test]
    fn boxes_may_be_larger_than_any_image() {
        let image = PixelBox::new(0, 30, 0, 20);
        for n in [usize::MAX / 4, usize::MAX / 2 + 1, usize::MAX] {
            let huge = PixelBox::around(5.5, 7.0, (n, n));
            assert!(!huge.is_empty() && huge.len() == usize::MAX);
            assert_eq!(huge.intersection(&image), image);
            let column = PixelBox::around(5.0, 7.0, (n, 1));
            assert_eq!((column.width(), column.x0), (1, 5));
            assert!(PixelBox::around(5.0, 7.0, (n, 0)).is_empty());
        }
        let whole = PixelBox::new(i64::MIN, i64::MAX, i64::MIN, i64::MAX);
        assert_eq!(whole.width(), usize::MAX);
        assert!(PixelBox::new(i64::MAX, i64::MIN, 0, 1).is_empty());
    }

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
    fn wrong_shapes_are_refused() {
        let error = Image::new(&[0.0_f64; 5], (2, 3)).unwrap_err();
        assert_eq!(error.to_string(), "data must have the shape [6], got [5]");
        // Shapes whose product overflows, to 0 if it wrapped.
        assert!(Image::<f64>::new(&[], (usize::MAX / 2 + 1, 2)).is_err());
        assert!(Image::<f64>::new(&[], (2, usize::MAX / 2 + 1)).is_err());
    }
}
