//! Sources at scattered points: what a model's `evaluate` and `fit_deriv` need.

use crate::Error;
use crate::image::PixelBox;

use super::{Placement, Psf};

/// A number for all points, or one for each.
#[derive(Debug, Clone, Copy)]
pub enum PerPoint<'a> {
    /// The same everywhere.
    Same(f64),
    /// One value for each point.
    Each(&'a [f64]),
}

impl PerPoint<'_> {
    fn at(&self, point: usize) -> f64 {
        match *self {
            Self::Same(value) => value,
            Self::Each(values) => values[point],
        }
    }

    fn check(&self, argument: &'static str, points: usize) -> Result<(), Error> {
        match self {
            Self::Same(_) => Ok(()),
            Self::Each(values) => Error::check_len(argument, points, values.len()),
        }
    }
}

/// The parameters of the source, or of one source for each point.
#[derive(Debug, Clone)]
pub struct PointSource<'a> {
    /// The total flux.
    pub flux: PerPoint<'a>,
    /// Column of the centre, pixels.
    pub x: PerPoint<'a>,
    /// Row of the centre, pixels.
    pub y: PerPoint<'a>,
    /// The shape parameters in the order of [`Psf::shape_names`]; those that
    /// are left out are the model's own.
    pub shape: Vec<PerPoint<'a>>,
}

impl PointSource<'_> {
    fn check(&self, psf: &dyn Psf, xs: &[f64], ys: &[f64]) -> Result<(), Error> {
        let n = xs.len();
        Error::check_len("y", n, ys.len())?;
        self.flux.check("flux", n)?;
        self.x.check("source.x", n)?;
        self.y.check("source.y", n)?;
        let names = psf.shape_names();
        if self.shape.len() > names.len() {
            return Err(Error::invalid(
                "shape",
                format!("hold at most {} parameters", names.len()),
                self.shape.len(),
            ));
        }
        self.shape
            .iter()
            .zip(names)
            .try_for_each(|(values, name)| values.check(name, n))
    }

    /// Flux, x, y and shape of the one source of all points, where there is one
    /// and its position is finite.
    fn single(&self) -> Option<(f64, f64, f64, Vec<f64>)> {
        let number = |values: &PerPoint<'_>| match *values {
            PerPoint::Same(value) => Some(value),
            PerPoint::Each(_) => None,
        };
        let shape = self.shape.iter().map(number).collect::<Option<_>>()?;
        let (flux, x, y) = (number(&self.flux)?, number(&self.x)?, number(&self.y)?);
        (x.is_finite() && y.is_finite()).then_some((flux, x, y, shape))
    }

    /// Calls `work` with each point's index, its coordinates, its flux and its
    /// source's placement.
    fn each(
        &self,
        xs: &[f64],
        ys: &[f64],
        mut work: impl FnMut(usize, (f64, f64), f64, Placement<'_>),
    ) {
        let mut shape = vec![0.0; self.shape.len()];
        for (point, (&px, &py)) in xs.iter().zip(ys).enumerate() {
            for (value, values) in shape.iter_mut().zip(&self.shape) {
                *value = values.at(point);
            }
            let at = Placement {
                x: self.x.at(point),
                y: self.y.at(point),
                shape: &shape,
            };
            work(point, (px, py), self.flux.at(point), at);
        }
    }
}

/// The pixels that the points are, row by row, if they are.
///
/// One source on an image's pixels is the usual case, and much faster than
/// scattered points.
#[allow(clippy::float_cmp, reason = "a pixel's centre is a whole number")]
fn pixels(xs: &[f64], ys: &[f64]) -> Option<PixelBox> {
    // Far beyond every detector, and far from where i64 and f64 end.
    const FAR: f64 = 1e9;
    let (x0, y0) = (*xs.first()?, *ys.first()?);
    let on_pixel = |v: f64| v.fract() == 0.0 && v.abs() < FAR;
    if xs.len() == 1 || !(on_pixel(x0) && on_pixel(y0)) {
        return None;
    }
    let width = ys.iter().take_while(|&&y| y == y0).count();
    let rows = xs.chunks(width).zip(ys.chunks(width));
    let is_row = |(j, (xs, ys)): (usize, (&[f64], &[f64]))| {
        let y = y0 + j as f64;
        let follows = |(i, &x): (usize, &f64)| x == x0 + i as f64;
        xs.len() == width && ys.iter().all(|&v| v == y) && xs.iter().enumerate().all(follows)
    };
    if !rows.enumerate().all(is_row) {
        return None;
    }
    let (left, low, height) = (x0 as i64, y0 as i64, (xs.len() / width) as i64);
    Some(PixelBox::new(left, left + width as i64, low, low + height))
}

/// `flux · P` at the points (xs, ys), pixels.
///
/// The values of one source on a rectangle of pixels are those of
/// [`Psf::fill`], all others those of [`Psf::value`].
///
/// # Errors
/// [`Error::ShapeMismatch`] or [`Error::InvalidArgument`] unless all lengths
/// agree.
///
/// ```
/// use psfphot::psf::{CircularGaussianPrf, PerPoint, PointSource, evaluate_points};
///
/// # fn main() -> Result<(), psfphot::Error> {
/// let psf = CircularGaussianPrf::new(2.0)?;
/// let source = PointSource {
///     flux: PerPoint::Each(&[1.0, 2.0]),
///     x: PerPoint::Same(3.0),
///     y: PerPoint::Same(4.0),
///     shape: vec![],
/// };
/// let values = evaluate_points(&psf, &[3.0, 3.0], &[4.0, 4.0], &source)?;
/// assert_eq!(values[1], 2.0 * values[0]);
/// # Ok(())
/// # }
/// ```
pub fn evaluate_points(
    psf: &dyn Psf,
    xs: &[f64],
    ys: &[f64],
    source: &PointSource<'_>,
) -> Result<Vec<f64>, Error> {
    source.check(psf, xs, ys)?;
    let mut values = vec![0.0; xs.len()];
    if let (Some((flux, x, y, shape)), Some(window)) = (source.single(), pixels(xs, ys)) {
        let shape = &shape;
        psf.fill(Placement { x, y, shape }, window, &mut values);
        for value in &mut values {
            *value *= flux;
        }
        return Ok(values);
    }
    source.each(xs, ys, |point, (px, py), flux, at| {
        values[point] = flux * psf.value(at, px, py);
    });
    Ok(values)
}

/// The derivatives of `flux · P` at the points (xs, ys) by flux, x, y and the
/// shape parameters, one plane of `xs.len()` after another.
///
/// # Errors
/// As [`evaluate_points`].
pub fn gradient_points(
    psf: &dyn Psf,
    xs: &[f64],
    ys: &[f64],
    source: &PointSource<'_>,
) -> Result<Vec<f64>, Error> {
    source.check(psf, xs, ys)?;
    let n = xs.len();
    let mut by_place = vec![0.0; 2 + psf.shape_names().len()];
    let mut planes = vec![0.0; n * (1 + by_place.len())];
    if let (Some((flux, x, y, shape)), Some(window)) = (source.single(), pixels(xs, ys)) {
        let (values, gradient) = planes.split_at_mut(n);
        let shape = &shape;
        psf.fill_with_gradient(Placement { x, y, shape }, window, values, gradient);
        for derivative in gradient {
            *derivative *= flux;
        }
        return Ok(planes);
    }
    source.each(xs, ys, |point, (px, py), flux, at| {
        planes[point] = psf.value_and_gradient(at, px, py, &mut by_place);
        for (k, derivative) in by_place.iter().enumerate() {
            planes[(k + 1) * n + point] = flux * derivative;
        }
    });
    Ok(planes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psf::CircularGaussianPrf;

    #[test]
    fn one_source_or_one_for_each_point_agree() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.0)?;
        let (xs, ys) = ([1.0, 2.0, 3.5], [0.0, -1.0, 0.25]);
        let same = PointSource {
            flux: PerPoint::Same(5.0),
            x: PerPoint::Same(1.5),
            y: PerPoint::Same(0.5),
            shape: vec![PerPoint::Same(3.0)],
        };
        let each = PointSource {
            flux: PerPoint::Each(&[5.0; 3]),
            x: PerPoint::Each(&[1.5; 3]),
            y: PerPoint::Each(&[0.5; 3]),
            shape: vec![PerPoint::Each(&[3.0; 3])],
        };
        assert_eq!(
            evaluate_points(&psf, &xs, &ys, &same),
            evaluate_points(&psf, &xs, &ys, &each)
        );
        let planes = gradient_points(&psf, &xs, &ys, &same)?;
        assert_eq!(planes, gradient_points(&psf, &xs, &ys, &each)?);
        let values = evaluate_points(&psf, &xs, &ys, &same)?;
        assert!((5.0 * planes[1] - values[1]).abs() < 1e-15);
        Ok(())
    }

    #[test]
    fn pixels_and_scattered_points_agree() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.0)?;
        let (xs, ys): (Vec<f64>, Vec<f64>) = (0..20)
            .map(|k| (f64::from(k % 5), f64::from(k / 5)))
            .unzip();
        let flux = [3.0; 20];
        let mut source = PointSource {
            flux: PerPoint::Same(3.0),
            x: PerPoint::Same(1.3),
            y: PerPoint::Same(2.1),
            shape: vec![PerPoint::Same(1.7)],
        };
        let values = evaluate_points(&psf, &xs, &ys, &source)?;
        let planes = gradient_points(&psf, &xs, &ys, &source)?;
        source.flux = PerPoint::Each(&flux);
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15);
        assert!(close(&values, &evaluate_points(&psf, &xs, &ys, &source)?));
        assert!(close(&planes, &gradient_points(&psf, &xs, &ys, &source)?));
        Ok(())
    }

    #[test]
    fn pixels_are_recognised() {
        let points = |width: i32, n: i32| -> (Vec<f64>, Vec<f64>) {
            (0..n)
                .map(|k| (f64::from(k % width - 3), f64::from(k / width + 7)))
                .unzip()
        };
        let (xs, ys) = points(4, 12);
        assert_eq!(pixels(&xs, &ys), Some(PixelBox::new(-3, 1, 7, 10)));
        let (xs, ys) = points(5, 5);
        assert_eq!(pixels(&xs, &ys), Some(PixelBox::new(-3, 2, 7, 8)));
        let (xs, ys) = points(1, 5);
        assert_eq!(pixels(&xs, &ys), Some(PixelBox::new(-3, -2, 7, 12)));
        // Not complete, shuffled, off the pixels, not numbers, none.
        let (xs, ys) = points(4, 11);
        assert_eq!(pixels(&xs, &ys), None);
        let (mut xs, mut ys) = points(4, 12);
        xs.swap(1, 2);
        assert_eq!(pixels(&xs, &ys), None);
        xs.swap(1, 2);
        ys[11] += 1.0;
        assert_eq!(pixels(&xs, &ys), None);
        assert_eq!(pixels(&[0.5, 1.5], &[0.0, 0.0]), None);
        assert_eq!(pixels(&[0.0, 1.0], &[f64::NAN, 0.0]), None);
        assert_eq!(pixels(&[1e300, 1e300], &[0.0, 1.0]), None);
        assert_eq!(pixels(&[], &[]), None);
    }

    #[test]
    fn lengths_that_differ_are_errors_that_name_the_argument() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.0)?;
        let mut source = PointSource {
            flux: PerPoint::Same(1.0),
            x: PerPoint::Each(&[0.0]),
            y: PerPoint::Same(0.0),
            shape: vec![],
        };
        let message = |source: &PointSource<'_>, ys: &[f64]| {
            evaluate_points(&psf, &[0.0, 1.0], ys, source)
                .map_err(|e| e.to_string())
                .err()
                .unwrap_or_default()
        };
        assert!(message(&source, &[0.0, 0.0]).starts_with("source.x must"));
        assert!(message(&source, &[0.0]).starts_with("y must"));
        source.x = PerPoint::Same(0.0);
        source.shape = vec![PerPoint::Same(1.0); 2];
        assert!(message(&source, &[0.0, 0.0]).starts_with("shape must"));
        Ok(())
    }
}
