//! A PSF given as one oversampled image.

use crate::Error;
use crate::image::{Image, Pixel, PixelBox};

use super::spline::{MIN_SAMPLES, SplineImage};
use super::stencil::{Axis, Blend, Geometry};
use super::{Placement, Psf};

/// How an oversampled PSF image relates to the detector's pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    oversampling: (f64, f64),
    origin: Option<(f64, f64)>,
    fill_value: f64,
}

impl Sampling {
    /// `oversampling = (y, x)` samples per detector pixel; the source is in
    /// the centre of the image, and the PSF is 0 off it.
    #[must_use]
    pub fn new(oversampling: (f64, f64)) -> Self {
        Self {
            oversampling,
            origin: None,
            fill_value: 0.0,
        }
    }

    /// The sample coordinates `(x, y)` of the source, instead of the centre.
    #[must_use]
    pub fn with_origin(mut self, origin: (f64, f64)) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The value off the image, instead of 0. A fit takes it only within the
    /// image's support, as everywhere else it is no part of the star.
    #[must_use]
    pub fn with_fill_value(mut self, fill_value: f64) -> Self {
        self.fill_value = fill_value;
        self
    }

    /// The geometry for images of `shape = (ny, nx)`, checked.
    pub(crate) fn geometry(&self, shape: (usize, usize)) -> Result<Geometry, Error> {
        if shape.0 < MIN_SAMPLES || shape.1 < MIN_SAMPLES {
            return Err(Error::invalid(
                "data",
                format!("have at least {MIN_SAMPLES} samples along each axis"),
                format!("the shape {shape:?}"),
            ));
        }
        let usable = |s: f64| s.is_finite() && s > 0.0;
        if !(usable(self.oversampling.0) && usable(self.oversampling.1)) {
            return Err(Error::invalid(
                "oversampling",
                "be positive and finite",
                format!("{:?}", self.oversampling),
            ));
        }
        let centre = |n: usize| (n - 1) as f64 / 2.0;
        let origin = self.origin.unwrap_or((centre(shape.1), centre(shape.0)));
        if !(origin.0.is_finite() && origin.1.is_finite()) {
            return Err(Error::invalid("origin", "be finite", format!("{origin:?}")));
        }
        let axis = |n, oversampling, origin| Axis {
            n,
            oversampling,
            origin,
        };
        Ok(Geometry {
            x: axis(shape.1, self.oversampling.1, origin.0),
            y: axis(shape.0, self.oversampling.0, origin.1),
            fill: self.fill_value,
        })
    }
}

/// Refuses samples that are not finite.
pub(crate) fn check_finite<T: Pixel>(samples: &[T]) -> Result<(), Error> {
    match samples
        .iter()
        .position(|&v| !Into::<f64>::into(v).is_finite())
    {
        None => Ok(()),
        Some(index) => Err(Error::invalid(
            "data",
            "hold only finite values",
            format!("{:?} at element {index}", samples[index]),
        )),
    }
}

/// A PSF given as one oversampled image, interpolated by a bicubic spline.
///
/// The image should sum to the product of the two oversamplings (over an
/// infinite plane); it is not normalised here.
///
/// ```
/// use psfphot::image::{Image, PixelBox};
/// use psfphot::psf::{Placement, Psf, SampledPsf, Sampling};
///
/// # fn main() -> Result<(), psfphot::Error> {
/// let gaussian = |i: usize| (-(i as f64 - 20.0).powi(2) / 32.0).exp();
/// let samples: Vec<f64> = (0..41 * 41).map(|k| gaussian(k / 41) * gaussian(k % 41)).collect();
/// let psf = SampledPsf::new(Image::new(&samples, (41, 41))?, Sampling::new((4.0, 4.0)))?;
/// let at = Placement { x: 7.0, y: 5.0, shape: &[] };
/// assert!((psf.value(at, 7.0, 5.0) - 1.0).abs() < 1e-12);
/// assert_eq!(psf.support(at), PixelBox::new(2, 13, 0, 11));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SampledPsf {
    spline: SplineImage,
    geometry: Geometry,
}

impl SampledPsf {
    /// The PSF of `samples`, at least 4 × 4 and all finite.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] naming `data`, `oversampling` or `origin`.
    pub fn new<T: Pixel>(samples: Image<'_, T>, sampling: Sampling) -> Result<Self, Error> {
        let geometry = sampling.geometry(samples.shape())?;
        check_finite(samples.as_slice())?;
        Ok(Self {
            spline: SplineImage::new(samples),
            geometry,
        })
    }

    fn blend(&self) -> Blend<'_, 1> {
        Blend {
            planes: [self.spline.coefficients()],
            stride: self.spline.stride(),
            weights: [1.0],
            by_x: [0.0],
            by_y: [0.0],
        }
    }
}

impl Psf for SampledPsf {
    fn support(&self, at: Placement<'_>) -> PixelBox {
        self.geometry.support(at)
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        self.geometry.point(&self.blend(), at, (px, py)).0
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let value;
        (value, gradient[0], gradient[1]) = self.geometry.point(&self.blend(), at, (px, py));
        value
    }

    fn continued(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let value;
        (value, gradient[0], gradient[1]) = self.geometry.continued(&self.blend(), at, (px, py));
        value
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        self.geometry.fill(&self.blend(), at, window, values);
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        self.geometry
            .fill_with_gradient(&self.blend(), at, window, values, gradient);
    }
}
