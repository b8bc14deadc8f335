//! The point spread functions: one trait and its models.

mod airy;
mod ellipse;
mod elliptical;
pub(crate) mod fwhm;
mod gaussian;
mod gridded;
mod jinc;
mod moffat;
mod points;
mod polynomial;
mod quadrature;
mod radial;
mod rectangle;
mod sampled;
mod spline;
mod stencil;
mod strip;
mod strips;

use crate::Error;
use crate::image::PixelBox;

pub use airy::{AiryPrf, AiryPsf};
pub use elliptical::{GaussianPrf, GaussianPsf};
pub(crate) use gaussian::SIGMA_PER_FWHM;
pub use gaussian::{CircularGaussianPrf, CircularGaussianPsf, CircularGaussianSigmaPrf};
pub use gridded::GriddedPsf;
pub use moffat::{MoffatPrf, MoffatPsf};
pub use points::{PerPoint, PointSource, evaluate_points, gradient_points};
pub use polynomial::{Domain, PolynomialPsf};
pub use sampled::{SampledPsf, Sampling};
pub(crate) use spline::SplineImage;
pub(crate) use spline::weights as cubic_weights;
pub use stencil::Frozen;
pub(crate) use stencil::{Blend, Geometry, SampleAxis, StencilRow};

/// Where, and with which shape parameters, a PSF is evaluated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement<'a> {
    /// Column of the source's centre, pixels.
    pub x: f64,
    /// Row of the source's centre, pixels.
    pub y: f64,
    /// The shape parameters in the order of [`Psf::shape_names`]; those that
    /// are left out are the model's own.
    pub shape: &'a [f64],
}

/// A PSF of unit flux that can be placed anywhere on the detector.
///
/// A source is `flux · P(pixel; x, y, shape)`. The flux enters linearly, so
/// that `P` itself is the derivative by the flux, and the other derivatives of
/// the source are `flux` times those that the methods give.
///
/// Every method takes caller-owned buffers and allocates nothing.
pub trait Psf: Send + Sync + std::fmt::Debug {
    /// Names of the shape parameters besides flux, x and y.
    fn shape_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// The model's own values of the shape parameters.
    fn shape(&self) -> &[f64] {
        &[]
    }

    /// Refuses shape parameters that make no PSF.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] naming the parameter.
    fn check_shape(&self, shape: &[f64]) -> Result<(), Error> {
        match shape
            .iter()
            .zip(self.shape_names())
            .find(|(v, _)| !v.is_finite())
        {
            None => Ok(()),
            Some((value, name)) => Err(Error::invalid(name, "be finite", value)),
        }
    }

    /// Shortens a fit's step of a shape parameter (its index and value) that
    /// would lead to no PSF.
    fn limit_shape_step(&self, _index: usize, _value: f64, step: f64) -> f64 {
        step
    }

    /// The pixels where the PSF and its derivatives may differ from zero, or
    /// for a PSF whose wings do not end, beyond which a renderer and a fit of
    /// groups take it for zero; empty for a position that is not finite.
    fn support(&self, at: Placement<'_>) -> PixelBox;

    /// The PSF at any point (px, py), pixels.
    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64;

    /// The PSF at a point, and into `gradient` its derivatives by x, y and
    /// the shape parameters, in this order.
    ///
    /// # Panics
    /// If `gradient` is shorter than 2 + the number of shape parameters.
    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64;

    /// As [`Psf::value_and_gradient`], but off the samples of a sampled PSF
    /// what it has at the nearest of them: as a function of the position this
    /// is continuous, where the PSF itself ends with a step.
    ///
    /// # Panics
    /// If `gradient` is too short.
    fn continued(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        self.value_and_gradient(at, px, py, gradient)
    }

    /// The PSF at the pixel centres of `window`, row by row, into `values`.
    ///
    /// # Panics
    /// If `values` is shorter than `window.len()`.
    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]);

    /// As [`Psf::fill`], and into `gradient` the derivatives by x, y and the
    /// shape parameters: one plane of `window.len()` after another.
    ///
    /// # Panics
    /// If a buffer is too short.
    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    );

    /// Makes of the PSF at a place an image that stands for it near there, in the pixels
    /// of `window`; returns whether it has one and saves time by it.
    fn freeze(&self, _at: Placement<'_>, _window: PixelBox, _frozen: &mut Frozen) -> bool {
        false
    }

    /// Of which image the one with this PSF is a part, if it is known to be one.
    fn whole(&self) -> Option<Whole> {
        None
    }
}

/// An image of which another is a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// The (x, y) of the part's first pixel.
    pub origin: (usize, usize),
    /// Rows and columns.
    pub shape: (usize, usize),
}

/// A pixel's offset from a source. What is infinitely far becomes so far that
/// every PSF is zero, and no difference of infinities can arise.
fn offset(pixel: f64, center: f64) -> f64 {
    const FAR: f64 = 1e150;
    (pixel - center).clamp(-FAR, FAR)
}

/// NaN in place of a width that makes no PSF.
fn positive(width: f64) -> f64 {
    if width > 0.0 { width } else { f64::NAN }
}

/// Implements [`Psf`] for a type by that of its only field.
macro_rules! delegate_psf {
    ($name:ident) => {
        impl $crate::psf::Psf for $name {
            fn shape_names(&self) -> &'static [&'static str] {
                self.0.shape_names()
            }

            fn shape(&self) -> &[f64] {
                self.0.shape()
            }

            fn check_shape(&self, shape: &[f64]) -> Result<(), $crate::Error> {
                self.0.check_shape(shape)
            }

            fn limit_shape_step(&self, index: usize, value: f64, step: f64) -> f64 {
                self.0.limit_shape_step(index, value, step)
            }

            fn support(&self, at: $crate::psf::Placement<'_>) -> $crate::image::PixelBox {
                self.0.support(at)
            }

            fn value(&self, at: $crate::psf::Placement<'_>, px: f64, py: f64) -> f64 {
                self.0.value(at, px, py)
            }

            fn value_and_gradient(
                &self,
                at: $crate::psf::Placement<'_>,
                px: f64,
                py: f64,
                gradient: &mut [f64],
            ) -> f64 {
                self.0.value_and_gradient(at, px, py, gradient)
            }

            fn continued(
                &self,
                at: $crate::psf::Placement<'_>,
                px: f64,
                py: f64,
                gradient: &mut [f64],
            ) -> f64 {
                self.0.continued(at, px, py, gradient)
            }

            fn fill(
                &self,
                at: $crate::psf::Placement<'_>,
                window: $crate::image::PixelBox,
                values: &mut [f64],
            ) {
                self.0.fill(at, window, values);
            }

            fn fill_with_gradient(
                &self,
                at: $crate::psf::Placement<'_>,
                window: $crate::image::PixelBox,
                values: &mut [f64],
                gradient: &mut [f64],
            ) {
                self.0.fill_with_gradient(at, window, values, gradient);
            }

            fn freeze(
                &self,
                at: $crate::psf::Placement<'_>,
                window: $crate::image::PixelBox,
                frozen: &mut $crate::psf::Frozen,
            ) -> bool {
                self.0.freeze(at, window, frozen)
            }

            fn whole(&self) -> Option<$crate::psf::Whole> {
                self.0.whole()
            }
        }
    };
}
use delegate_psf;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose every method answers as no default does.
    #[derive(Debug)]
    struct Odd;

    #[derive(Debug)]
    struct Wrapped(Odd);

    delegate_psf!(Wrapped);

    impl Psf for Odd {
        fn shape_names(&self) -> &'static [&'static str] {
            &["odd"]
        }

        fn shape(&self) -> &[f64] {
            &[1.0]
        }

        fn check_shape(&self, _shape: &[f64]) -> Result<(), Error> {
            Err(Error::Cancelled)
        }

        fn limit_shape_step(&self, _index: usize, _value: f64, _step: f64) -> f64 {
            2.0
        }

        fn support(&self, _at: Placement<'_>) -> PixelBox {
            PixelBox::new(3, 4, 5, 6)
        }

        fn value(&self, _at: Placement<'_>, _px: f64, _py: f64) -> f64 {
            7.0
        }

        fn value_and_gradient(
            &self,
            _at: Placement<'_>,
            _px: f64,
            _py: f64,
            _gradient: &mut [f64],
        ) -> f64 {
            8.0
        }

        fn continued(&self, _at: Placement<'_>, _px: f64, _py: f64, _gradient: &mut [f64]) -> f64 {
            9.0
        }

        fn fill(&self, _at: Placement<'_>, _window: PixelBox, values: &mut [f64]) {
            values.fill(10.0);
        }

        fn fill_with_gradient(
            &self,
            _at: Placement<'_>,
            _window: PixelBox,
            values: &mut [f64],
            gradient: &mut [f64],
        ) {
            values.fill(11.0);
            gradient.fill(12.0);
        }

        fn freeze(&self, _at: Placement<'_>, _window: PixelBox, _frozen: &mut Frozen) -> bool {
            true
        }

        fn whole(&self) -> Option<Whole> {
            Some(Whole {
                origin: (1, 2),
                shape: (3, 4),
            })
        }
    }

    /// What all methods answer.
    fn answers(psf: &dyn Psf) -> String {
        let at = Placement {
            x: 0.0,
            y: 0.0,
            shape: &[],
        };
        let (mut filled, mut values, mut planes) = ([0.0], [0.0], [0.0; 3]);
        let window = PixelBox::new(0, 1, 0, 1);
        psf.fill(at, window, &mut filled);
        psf.fill_with_gradient(at, window, &mut values, &mut planes);
        let numbers = [
            psf.limit_shape_step(0, 0.0, 0.0),
            psf.value(at, 0.0, 0.0),
            psf.value_and_gradient(at, 0.0, 0.0, &mut planes.clone()),
            psf.continued(at, 0.0, 0.0, &mut planes.clone()),
        ];
        let shape = (psf.shape_names(), psf.shape(), psf.check_shape(&[0.0]));
        format!(
            "{shape:?} {:?} {numbers:?} {filled:?} {values:?} {planes:?} {}",
            psf.support(at),
            psf.freeze(at, window, &mut Frozen::default())
        )
    }

    #[test]
    fn a_wrapped_psf_answers_as_the_psf_itself() {
        assert_eq!(answers(&Wrapped(Odd)), answers(&Odd));
    }

    #[test]
    fn every_method_of_the_trait_is_delegated() {
        let names_after = |start: &str| -> Vec<&str> {
            let source = include_str!("psf.rs");
            let body = &source[source.find(start).unwrap()..];
            let body = &body[..body.find("\n}\n").unwrap()];
            let names = body
                .lines()
                .filter_map(|line| line.trim().strip_prefix("fn "));
            names.filter_map(|line| line.split('(').next()).collect()
        };
        let methods = names_after("pub trait Psf");
        assert!(methods.contains(&"continued"));
        assert_eq!(names_after("macro_rules! delegate_psf"), methods);
    }
}
