//! An effective PSF whose samples are polynomials of the detector position.

use crate::image::{Image, Pixel, PixelBox};
use crate::{Error, Run};

use super::sampled::{Sampling, check_finite};
use super::spline::SplineImage;
use super::stencil::{Blend, Geometry};
use super::{Placement, Psf};

/// The number of terms of a polynomial in x and y, by its degree.
const TERMS: [usize; 5] = [1, 3, 6, 10, 15];

/// Beyond this distance from the centre, in scales, a position is clamped: a
/// polynomial says nothing far from the stars that it was fitted to.
const REACH: f64 = 1.0;

/// How a detector position becomes the variable of a polynomial:
/// `(position − centre) / scale`, from −1 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Domain {
    centre: (f64, f64),
    scale: (f64, f64),
}

impl Domain {
    /// The `centre` and `scale`, each (x, y) in pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] naming `center` or `scale`.
    pub fn new(centre: (f64, f64), scale: (f64, f64)) -> Result<Self, Error> {
        if !(centre.0.is_finite() && centre.1.is_finite()) {
            return Err(Error::invalid("center", "be finite", format!("{centre:?}")));
        }
        let usable = |s: f64| s.is_finite() && s >= f64::MIN_POSITIVE;
        if !(usable(scale.0) && usable(scale.1)) {
            let got = format!("{scale:?}");
            return Err(Error::invalid("scale", "be positive and finite", got));
        }
        Ok(Self { centre, scale })
    }
}

/// The powers 0 to 4 of a position's variable, and their derivatives by the
/// position.
#[derive(Debug, Clone, Copy)]
struct Powers {
    values: [f64; 5],
    slopes: [f64; 5],
}

impl Powers {
    fn new(position: f64, centre: f64, scale: f64) -> Self {
        let free = (position - centre) / scale;
        let u = free.clamp(-REACH, REACH);
        let slope = if free.abs() <= REACH {
            1.0 / scale
        } else {
            0.0
        };
        let (mut values, mut slopes) = ([1.0; 5], [0.0; 5]);
        for k in 1..5 {
            slopes[k] = k as f64 * values[k - 1] * slope;
            values[k] = values[k - 1] * u;
        }
        Self { values, slopes }
    }
}

/// A PSF that is a sum of images, each times a power of x and one of y.
///
/// With `u` and `v` the source's position in the variables of a [`Domain`], and
/// for the degree 2, the images are the coefficients of 1, u, u², v, u v, v²:
/// the power of u counts fastest. Each is interpolated by a bicubic spline;
/// the derivatives by the position include those of the polynomial. Where u or
/// v is beyond ±1, it is taken at ±1.
///
/// This is the PSF of `PSFEx` (Bertin 2011, ADASS XX, ASP Conf. Ser. 442, 435).
///
/// ```
/// use psfphot::Run;
/// use psfphot::psf::{Domain, Placement, PolynomialPsf, Psf, Sampling};
///
/// # fn main() -> Result<(), psfphot::Error> {
/// // 1 + u / 2, the same at all samples.
/// let planes: Vec<f64> = [1.0, 0.5, 0.0].iter().flat_map(|&c| [c; 16]).collect();
/// let domain = Domain::new((100.0, 100.0), (50.0, 50.0))?;
/// let sampling = Sampling::new((1.25, 1.25));
/// let psf = PolynomialPsf::new(&planes, (4, 4), domain, sampling, Run::new())?;
/// let at = Placement { x: 120.0, y: 100.0, shape: &[] };
/// assert!((psf.value(at, 120.0, 100.0) - 1.2).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PolynomialPsf {
    splines: Vec<SplineImage>,
    domain: Domain,
    geometry: Geometry,
}

impl PolynomialPsf {
    /// The PSF of the images `planes`, one after another, each of
    /// `shape = (ny, nx)`; their number, 1, 3, 6, 10 or 15, tells the degree
    /// from 0 to 4. The splines are prepared in parallel as `run` says.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] naming `data`, `oversampling` or `origin`;
    /// [`Error::Cancelled`].
    pub fn new<T: Pixel>(
        planes: &[T],
        shape: (usize, usize),
        domain: Domain,
        sampling: Sampling,
        run: Run<'_>,
    ) -> Result<Self, Error> {
        let geometry = sampling.geometry(shape)?;
        let size = shape.0.saturating_mul(shape.1);
        let terms = planes.len() / size;
        if !TERMS.contains(&terms) || !planes.len().is_multiple_of(size) {
            return Err(Error::invalid(
                "data",
                "have 1, 3, 6, 10 or 15 images, of the degrees 0 to 4",
                format!("{} samples in images of {size}", planes.len()),
            ));
        }
        check_finite(planes)?;
        let splines = run.map(
            (0..terms).collect(),
            || (),
            |(), i| Image::new(&planes[i * size..(i + 1) * size], shape).map(SplineImage::new),
        )?;
        Ok(Self {
            splines,
            domain,
            geometry,
        })
    }

    /// The sum of the K images at a position.
    fn blend<const K: usize>(&self, at: Placement<'_>) -> Blend<'_, K> {
        let Domain { centre, scale } = self.domain;
        let x = Powers::new(at.x, centre.0, scale.0);
        let y = Powers::new(at.y, centre.1, scale.1);
        let (mut weights, mut by_x, mut by_y) = ([0.0; K], [0.0; K], [0.0; K]);
        for (k, (i, j)) in exponents(K).enumerate() {
            weights[k] = x.values[i] * y.values[j];
            by_x[k] = x.slopes[i] * y.values[j];
            by_y[k] = x.values[i] * y.slopes[j];
        }
        Blend {
            planes: std::array::from_fn(|k| self.splines[k].coefficients()),
            stride: self.splines[0].stride(),
            weights,
            by_x,
            by_y,
        }
    }
}

/// The powers of x and of y of each of so many terms.
fn exponents(terms: usize) -> impl Iterator<Item = (usize, usize)> {
    let degree = TERMS.iter().position(|&n| n == terms).unwrap_or(0);
    (0..=degree).flat_map(move |j| (0..=degree - j).map(move |i| (i, j)))
}

/// Evaluates an expression with the blend of as many images as the PSF has.
macro_rules! with_blend {
    ($psf:expr, $at:expr, $blend:ident => $body:expr) => {
        match $psf.splines.len() {
            3 => with_blend!(3, $psf, $at, $blend => $body),
            6 => with_blend!(6, $psf, $at, $blend => $body),
            10 => with_blend!(10, $psf, $at, $blend => $body),
            15 => with_blend!(15, $psf, $at, $blend => $body),
            _ => with_blend!(1, $psf, $at, $blend => $body),
        }
    };
    ($terms:literal, $psf:expr, $at:expr, $blend:ident => $body:expr) => {{
        let $blend = &$psf.blend::<$terms>($at);
        $body
    }};
}

impl Psf for PolynomialPsf {
    fn support(&self, at: Placement<'_>) -> PixelBox {
        self.geometry.support(at)
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        with_blend!(self, at, blend => self.geometry.point(blend, at, (px, py)).0)
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let value;
        (value, gradient[0], gradient[1]) =
            with_blend!(self, at, blend => self.geometry.point(blend, at, (px, py)));
        value
    }

    fn continued(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let value;
        (value, gradient[0], gradient[1]) =
            with_blend!(self, at, blend => self.geometry.continued(blend, at, (px, py)));
        value
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        with_blend!(self, at, blend => self.geometry.fill(blend, at, window, values));
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        with_blend!(self, at, blend => {
            self.geometry.fill_with_gradient(blend, at, window, values, gradient);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_of_x_counts_fastest() {
        for (degree, &terms) in TERMS.iter().enumerate() {
            let all: Vec<_> = exponents(terms).collect();
            assert_eq!(all.len(), terms);
            assert!(all.iter().all(|(i, j)| i + j <= degree));
        }
        let quadratic: Vec<_> = exponents(6).collect();
        assert_eq!(quadratic, [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2)]);
    }

    #[test]
    fn bad_input_is_named() -> Result<(), Error> {
        let domain =
            |centre, scale| Domain::new((centre, 0.0), (1.0, scale)).map_err(|e| e.to_string());
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-310] {
            let message = domain(0.0, scale).err().unwrap_or_default();
            assert!(message.starts_with("scale must be positive and finite"));
        }
        let message = domain(f64::NAN, 1.0).err().unwrap_or_default();
        assert!(message.starts_with("center must be finite"));
        let plain = Domain::new((0.0, 0.0), (1.0, 1.0))?;
        for n in [0, 2, 4, 21] {
            let planes = vec![1.0; 16 * n];
            let sampling = Sampling::new((1.0, 1.0));
            let psf = PolynomialPsf::new(&planes, (4, 4), plain, sampling, Run::new().serial());
            let message = psf.err().map(|e| e.to_string()).unwrap_or_default();
            assert!(message.starts_with("data must have 1, 3, 6, 10 or 15 images"));
        }
        Ok(())
    }

    #[test]
    fn far_positions_are_clamped() -> Result<(), Error> {
        let planes = [1.0; 16 * 15];
        let domain = Domain::new((0.0, 0.0), (1e-300, 1e-300))?;
        let sampling = Sampling::new((1.5, 1.5));
        let psf = PolynomialPsf::new(&planes, (4, 4), domain, sampling, Run::new().serial())?;
        for x in [-1e300, -7.0, 7.0, 1e300] {
            let at = Placement {
                x,
                y: 7.0,
                shape: &[],
            };
            let mut gradient = [f64::NAN; 2];
            let value = psf.value_and_gradient(at, x, 7.0, &mut gradient);
            // Of the 15 terms, at u = v = 1, and at u = -1 those with even
            // powers of u less those with odd.
            let expected = if x > 0.0 { 15.0 } else { 3.0 };
            assert!((value - expected).abs() < 1e-12);
            assert!(gradient.iter().all(|g| g.abs() < 1e-12));
        }
        Ok(())
    }
}
