//! A PSF given as one oversampled image.

use crate::Error;
use crate::image::{Image, Pixel, PixelBox};

use super::spline::{MIN_SAMPLES, SplineImage};
use super::stencil::{Blend, Geometry, SampleAxis};
use super::{Placement, Psf};

/// More samples per pixel are a mistake, and could leave the range in which
/// samples are counted.
const MAX_OVERSAMPLING: f64 = 1e6;

/// A source further from its samples is a mistake likewise, samples.
const MAX_ORIGIN: f64 = 1e12;

/// How an oversampled PSF image relates to the detector's pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    oversampling: (f64, f64),
    origin: Option<(f64, f64)>,
}

impl Sampling {
    /// `oversampling = (y, x)` samples per detector pixel, at most 10⁶; the
    /// source is in the centre of the image, and the PSF is 0 off it.
    #[must_use]
    pub fn new(oversampling: (f64, f64)) -> Self {
        Self {
            oversampling,
            origin: None,
        }
    }

    /// The sample coordinates `(x, y)` of the source, instead of the centre; at
    /// most 10¹² in size.
    #[must_use]
    pub fn with_origin(mut self, origin: (f64, f64)) -> Self {
        self.origin = Some(origin);
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
        let usable = |s: f64| s > 0.0 && s <= MAX_OVERSAMPLING;
        if !(usable(self.oversampling.0) && usable(self.oversampling.1)) {
            return Err(Error::invalid(
                "oversampling",
                format!("be positive and at most {MAX_OVERSAMPLING}"),
                format!("{:?}", self.oversampling),
            ));
        }
        let centre = |n: usize| (n - 1) as f64 / 2.0;
        let origin = self.origin.unwrap_or((centre(shape.1), centre(shape.0)));
        if !(origin.0.abs() <= MAX_ORIGIN && origin.1.abs() <= MAX_ORIGIN) {
            return Err(Error::invalid(
                "origin",
                format!("be finite and within ±{MAX_ORIGIN}"),
                format!("{origin:?}"),
            ));
        }
        let axis = |n, oversampling, origin| SampleAxis {
            n,
            oversampling,
            origin,
        };
        Ok(Geometry {
            x: axis(shape.1, self.oversampling.1, origin.0),
            y: axis(shape.0, self.oversampling.0, origin.1),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_samplings_are_refused_or_evaluated() -> Result<(), Error> {
        let samples = [1.0_f64; 16];
        let image = Image::new(&samples, (4, 4))?;
        let psf = |s: f64, o: f64| {
            let sampling = Sampling::new((s, s)).with_origin((o, o));
            SampledPsf::new(image, sampling).map_err(|error| error.to_string())
        };
        for s in [0.0, -1.0, 1.1e6, 1e19, 1e300, f64::INFINITY, f64::NAN] {
            let message = psf(s, 0.0).err().unwrap_or_default();
            assert!(message.starts_with("oversampling must be positive and at most 1000000"));
        }
        for o in [2e12, -1e300, f64::INFINITY, f64::NAN] {
            let message = psf(1.0, o).err().unwrap_or_default();
            assert!(message.starts_with("origin must be finite"));
        }
        for (s, o) in [1.0, 1e6, 1e-300]
            .into_iter()
            .flat_map(|s| [0.0, 1.5, 1e12, -1e12].map(|o| (s, o)))
        {
            let psf = psf(s, o).unwrap_or_else(|message| panic!("{message}"));
            for position in [0.0, 0.3, 1e6, -1e12, 1e12, 8e15, 1e300] {
                let at = Placement {
                    x: position,
                    y: position,
                    shape: &[],
                };
                let mut windows = vec![PixelBox::new(-3, 4, -3, 4)];
                windows.push(psf.support(at).intersection(&PixelBox::new(0, 5, 0, 5)));
                windows.push(PixelBox::around(position, position, (5, 5)));
                windows.push(PixelBox::around(position - o / s, position - o / s, (5, 5)));
                for window in windows {
                    let (mut values, mut gradient) = ([0.0; 49], [0.0; 98]);
                    psf.fill(at, window, &mut values);
                    psf.fill_with_gradient(at, window, &mut values, &mut gradient);
                    assert!(values.iter().all(|v| v.is_finite()));
                }
            }
        }
        Ok(())
    }

    #[test]
    fn off_the_samples_the_psf_is_zero() -> Result<(), Error> {
        let samples = [1.0_f64; 16];
        for oversampling in [(1.0, 1.0), (2.5, 1.5)] {
            let psf = SampledPsf::new(Image::new(&samples, (4, 4))?, Sampling::new(oversampling))?;
            let at = Placement {
                x: 10.0,
                y: 10.0,
                shape: &[],
            };
            let mut values = [f64::NAN; 3];
            psf.fill(at, PixelBox::new(98, 101, 10, 11), &mut values);
            let off = [psf.value(at, 100.0, 10.0), values[0], values[1], values[2]];
            assert!(off.iter().all(|v| v.to_bits() == 0), "{off:?}");
        }
        Ok(())
    }
}
