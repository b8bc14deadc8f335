//! The convolution kernel of the star finders.

use crate::Error;
use crate::image::{Image, Pixel};
use crate::psf::SIGMA_PER_FWHM;

/// The footprint holds every pixel that is this near to the centre, pixels:
/// narrower Gaussians would leave too few pixels to fit two parameters.
const LEAST_RADIUS: f64 = 2.0;

/// A wider kernel (511 pixels across, 130,000 of them used) is a mistake in
/// the units, and would run for hours.
const MAX_RADIUS: f64 = 255.0;

/// The shape of a star, shifted so that it sums to zero.
///
/// The image convolved with it is, at every pixel, the height of the star (or,
/// if a half turn changes it, of the turned star) in the least-squares fit of a star plus a constant to the pixels of the
/// footprint, all with the same weight (Stetson 1987, PASP 99, 191): with the
/// star g on the footprint M of n pixels,
///
/// K = M · (g − Σg/n) / (Σg² − (Σg)²/n).
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    shape: (usize, usize),
    values: Vec<f64>,
    footprint: Vec<bool>,
    n_pixels: usize,
    relative_error: f64,
}

/// The quadratic form E = a·dx² + 2b·dx·dy + c·dy² of an elliptical Gaussian
/// exp(−E), per pixel².
#[derive(Debug, Clone, Copy)]
pub(super) struct QuadraticForm {
    a: f64,
    b: f64,
    c: f64,
}

impl QuadraticForm {
    pub(super) fn new(fwhm: f64, ratio: f64, theta: f64) -> Self {
        let sigma_x = fwhm * SIGMA_PER_FWHM;
        let sigma_y = sigma_x * ratio;
        let (sin, cos) = theta.rem_euclid(360.0).to_radians().sin_cos();
        let (x2, y2) = (sigma_x * sigma_x, sigma_y * sigma_y);
        Self {
            a: cos * cos / (2.0 * x2) + sin * sin / (2.0 * y2),
            b: 0.5 * cos * sin * (1.0 / x2 - 1.0 / y2),
            c: sin * sin / (2.0 * x2) + cos * cos / (2.0 * y2),
        }
    }

    pub(super) fn at(self, dx: f64, dy: f64) -> f64 {
        self.a * (dx * dx) + 2.0 * self.b * dx * dy + self.c * (dy * dy)
    }

    /// How far the curve E = `level` reaches along y and x, pixels.
    fn reach(self, level: f64) -> (f64, f64) {
        let determinant = self.a * self.c - self.b * self.b;
        (
            (self.a * level / determinant).sqrt(),
            (self.c * level / determinant).sqrt(),
        )
    }
}

impl Kernel {
    /// A round kernel; see [`Kernel::elliptical`].
    ///
    /// # Errors
    /// As [`Kernel::elliptical`].
    pub fn circular(fwhm: f64, sigma_radius: f64) -> Result<Self, Error> {
        Self::elliptical(fwhm, 1.0, 0.0, sigma_radius)
    }

    /// A Gaussian g = exp(−E), E = a·dx² + 2b·dx·dy + c·dy², of full width at
    /// half maximum `fwhm` (pixels) along its major axis, which makes the angle
    /// `theta` (degrees, counter-clockwise) with the x axis; `ratio` is the
    /// minor over the major axis. Its footprint holds the pixels with E ≤
    /// `sigma_radius`²/2, and those within 2 pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if an argument is out of range or not
    /// finite, or if the kernel has a radius of more than 255 pixels.
    pub fn elliptical(fwhm: f64, ratio: f64, theta: f64, sigma_radius: f64) -> Result<Self, Error> {
        Error::check_positive("fwhm", fwhm)?;
        Error::check_positive("sigma_radius", sigma_radius)?;
        if !(ratio > 0.0 && ratio <= 1.0) {
            return Err(Error::invalid("ratio", "be > 0 and <= 1.0", ratio));
        }
        if !theta.is_finite() {
            return Err(Error::invalid("theta", "be finite", theta));
        }
        let form = QuadraticForm::new(fwhm, ratio, theta);
        let level = sigma_radius * sigma_radius / 2.0;
        let (reach_y, reach_x) = form.reach(level);
        if !(reach_y <= MAX_RADIUS && reach_x <= MAX_RADIUS) {
            return Err(Error::invalid(
                "fwhm",
                format!(
                    "give a kernel of at most {MAX_RADIUS} pixels radius, \
                     with this ratio and sigma_radius"
                ),
                fwhm,
            ));
        }
        let radius = (
            reach_y.max(LEAST_RADIUS) as usize,
            reach_x.max(LEAST_RADIUS) as usize,
        );
        Self::sampled(form, level, radius).ok_or_else(|| {
            Error::invalid(
                "fwhm",
                "give, with sigma_radius, a kernel that is not flat",
                fwhm,
            )
        })
    }

    fn sampled(form: QuadraticForm, level: f64, radius: (usize, usize)) -> Option<Self> {
        let (ry, rx) = (radius.0 as i64, radius.1 as i64);
        let offsets = (-ry..=ry).flat_map(|dy| (-rx..=rx).map(move |dx| (dx as f64, dy as f64)));
        let (mut values, mut footprint) = (Vec::new(), Vec::new());
        for (dx, dy) in offsets {
            let exponent = form.at(dx, dy);
            let inside = exponent <= level || dx * dx + dy * dy <= LEAST_RADIUS * LEAST_RADIUS;
            footprint.push(inside);
            values.push(if inside { (-exponent).exp() } else { 0.0 });
        }
        Self::zero_sum((2 * radius.0 + 1, 2 * radius.1 + 1), values, footprint)
    }

    /// A star of any form: `values` with `shape = (ny, nx)`, row by row, all of
    /// them in the footprint. The scale does not matter, and the star's centre
    /// is the pixel (nx/2, ny/2), rounded down. A constant is not made to sum
    /// to zero, but to have a maximum of 1.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a value is not finite or none is positive,
    /// or the shape is larger than 511 pixels; [`Error::ShapeMismatch`] unless
    /// there are ny·nx values.
    pub fn from_values(values: &[f64], shape: (usize, usize)) -> Result<Self, Error> {
        Error::check_len("kernel", shape.0.saturating_mul(shape.1), values.len())?;
        let largest_size = 2 * MAX_RADIUS as usize + 1;
        if shape.0.max(shape.1) > largest_size {
            return Err(Error::invalid(
                "kernel",
                format!("have a shape of at most {largest_size} pixels"),
                format!("{shape:?}"),
            ));
        }
        if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::invalid("kernel", "contain only finite values", bad));
        }
        let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if values.is_empty() || largest <= 0.0 {
            return Err(Error::invalid(
                "kernel",
                "have a positive maximum value",
                largest,
            ));
        }
        let values: Vec<f64> = values.iter().map(|value| value / largest).collect();
        let footprint = vec![true; values.len()];
        Ok(
            Self::zero_sum(shape, values.clone(), footprint.clone()).unwrap_or(Self {
                shape,
                n_pixels: values.len(),
                values,
                footprint,
                relative_error: f64::INFINITY,
            }),
        )
    }

    /// The kernel of a star that is 0 off the footprint; `None` if it is flat.
    fn zero_sum(shape: (usize, usize), mut values: Vec<f64>, footprint: Vec<bool>) -> Option<Self> {
        let n_pixels = footprint.iter().filter(|&&inside| inside).count();
        let n = n_pixels as f64;
        let sum = pairwise_sum(&values);
        let squares = pairwise_sum(&values.iter().map(|g| g * g).collect::<Vec<_>>());
        let variance = squares - sum * sum / n;
        if !(variance > 0.0 && variance.is_finite()) {
            return None;
        }
        for (value, _) in values
            .iter_mut()
            .zip(&footprint)
            .filter(|(_, inside)| **inside)
        {
            *value = (*value - sum / n) / variance;
        }
        Some(Self {
            shape,
            values,
            footprint,
            n_pixels,
            relative_error: 1.0 / variance.sqrt(),
        })
    }

    /// (ny, nx).
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// The row and the column of the star's centre, (ny/2, nx/2) rounded down.
    #[must_use]
    pub fn center(&self) -> (usize, usize) {
        (self.shape.0 / 2, self.shape.1 / 2)
    }

    /// Its values, row by row; they are zero off the footprint.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Which pixels it uses, row by row.
    #[must_use]
    pub fn footprint(&self) -> &[bool] {
        &self.footprint
    }

    /// How many pixels it uses.
    #[must_use]
    pub fn n_pixels(&self) -> usize {
        self.n_pixels
    }

    /// The kernel's rectangle of the image around the pixel (x, y), row by row;
    /// 0 off the image.
    pub(super) fn fill_cutout<T: Pixel>(
        &self,
        image: Image<'_, T>,
        (x, y): (usize, usize),
        cutout: &mut Vec<f64>,
    ) {
        let (cy, cx) = self.center();
        let (height, width) = self.shape;
        let (ny, nx) = image.shape();
        cutout.clear();
        if x >= cx && y >= cy && x + width <= nx + cx && y + height <= ny + cy {
            for py in y - cy..y - cy + height {
                let row = &image.row(py)[x - cx..x - cx + width];
                cutout.extend(row.iter().map(|&value| value.into()));
            }
            return;
        }
        let (x0, y0) = (x as i64 - cx as i64, y as i64 - cy as i64);
        for py in y0..y0 + height as i64 {
            let row = (x0..x0 + width as i64).map(|px| image.get(px, py).map_or(0.0, Into::into));
            cutout.extend(row);
        }
    }

    /// Σ K².
    pub(super) fn sum_of_squares(&self) -> f64 {
        self.values.iter().map(|value| value * value).sum()
    }

    /// Noise of the convolved image over the noise of a pixel,
    /// 1/√(Σg² − (Σg)²/n); infinite for a constant.
    #[must_use]
    pub fn relative_error(&self) -> f64 {
        self.relative_error
    }
}

/// The sum in the order in which numpy adds contiguous numbers: eight running
/// sums, blocks of at most 128.
///
/// Thereby the kernel has, nearly always, the bits of photutils' kernel, and in
/// images without noise the same pixels of the convolved image are equal.
fn pairwise_sum(values: &[f64]) -> f64 {
    const BLOCK: usize = 128;
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (first, second) = values.split_at(half - half % 8);
        return pairwise_sum(first) + pairwise_sum(second);
    }
    let blocks = values.chunks_exact(8);
    let rest = blocks.remainder();
    let mut s = [0.0; 8];
    for block in blocks {
        for (sum, value) in s.iter_mut().zip(block) {
            *sum += value;
        }
    }
    let sum = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    rest.iter().fold(sum, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fwhm_of_3_pixels_gives_the_13_pixels_within_2() -> Result<(), Error> {
        let kernel = Kernel::circular(3.0, 1.5)?;
        assert_eq!(kernel.shape(), (5, 5));
        assert_eq!(kernel.footprint().iter().filter(|&&m| m).count(), 13);
        // 1 + 4e^{-u} + 4e^{-2u} + 4e^{-4u} with u = 1/2sigma^2, by hand.
        let u = 4.0 * std::f64::consts::LN_2 / 9.0;
        let (sum, squares) = [(1.0, 0.0), (4.0, 1.0), (4.0, 2.0), (4.0, 4.0)]
            .iter()
            .fold((0.0, 0.0), |(s, q), (n, r2)| {
                let g = f64::exp(-u * r2);
                (s + n * g, q + n * g * g)
            });
        let expected = 1.0 / (squares - sum * sum / 13.0_f64).sqrt();
        assert!((kernel.relative_error() - expected).abs() < 1e-14);
        Ok(())
    }

    #[test]
    fn a_tilted_ellipse_is_longer_along_its_axis() -> Result<(), Error> {
        let kernel = Kernel::elliptical(10.0, 0.3, 90.0, 1.5)?;
        assert!(kernel.center().0 > kernel.center().1);
        let tilted = Kernel::elliptical(10.0, 0.3, 45.0, 1.5)?;
        let (ny, nx) = tilted.shape();
        let at = |dx: i64, dy: i64| {
            tilted.values()[((ny as i64 / 2 + dy) * nx as i64 + nx as i64 / 2 + dx) as usize]
        };
        // Counter-clockwise from +x: long along dx = dy.
        assert!(at(3, 3) > at(3, -3));
        Ok(())
    }

    #[test]
    fn impossible_kernels_are_refused() {
        for fwhm in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9, 1e-300, 1e12] {
            assert!(Kernel::circular(fwhm, 1.5).is_err(), "fwhm {fwhm}");
        }
        for sigma_radius in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(Kernel::circular(3.0, sigma_radius).is_err());
        }
        for ratio in [0.0, 1.1, f64::NAN, 1e-300] {
            assert!(Kernel::elliptical(3.0, ratio, 0.0, 1.5).is_err());
        }
        assert!(Kernel::elliptical(3.0, 1.0, f64::NAN, 1.5).is_err());
        // A Gaussian so wide that the footprint cannot tell it from a constant.
        assert!(Kernel::circular(1e12, 1e-13).is_err());
    }

    #[test]
    fn a_star_of_any_form_is_fitted_with_height_1() -> Result<(), Error> {
        let star = [1.0, 2.0, 3.0, 9.0, 4.0, 0.0, -1.0, 2.0];
        let kernel = Kernel::from_values(&star, (2, 4))?;
        assert_eq!((kernel.center(), kernel.n_pixels()), ((1, 2), 8));
        let height: f64 = kernel
            .values()
            .iter()
            .zip(star)
            .map(|(k, g)| k * (g / 9.0 + 7.0))
            .sum();
        assert!((height - 1.0).abs() < 1e-14, "{height}");
        let scaled = Kernel::from_values(&star.map(|g| 4.0 * g), (2, 4))?;
        assert_eq!(scaled, kernel);
        assert_eq!(Kernel::from_values(&[3.0; 4], (2, 2))?.values(), [1.0; 4]);
        Ok(())
    }

    #[test]
    fn stars_that_cannot_be_used_are_refused() {
        for (star, shape) in [
            (vec![], (0, 0)),
            (vec![0.0; 4], (2, 2)),
            (vec![-1.0; 4], (2, 2)),
            (vec![1.0, f64::NAN], (1, 2)),
            (vec![1.0, f64::INFINITY], (1, 2)),
            (vec![1.0; 4], (2, 3)),
            (vec![1.0; 512], (1, 512)),
        ] {
            assert!(Kernel::from_values(&star, shape).is_err(), "{star:?}");
        }
    }

    proptest! {
        #[test]
        fn kernels_sum_to_zero_and_fit_a_gaussian_of_height_1(
            fwhm in 0.3..20.0_f64,
            ratio in 0.2..1.0_f64,
            theta in -400.0..400.0_f64,
            sigma_radius in 0.3..3.0_f64,
        ) {
            let kernel = Kernel::elliptical(fwhm, ratio, theta, sigma_radius)?;
            let scale: f64 = kernel.values().iter().map(|v| v.abs()).sum();
            prop_assert!(kernel.values().iter().sum::<f64>().abs() < 1e-12 * scale);
            let (ry, rx) = (kernel.center().0 as i64, kernel.center().1 as i64);
            let form = QuadraticForm::new(fwhm, ratio, theta);
            let mut height = 0.0;
            let mut pixels = kernel.values().iter();
            for dy in -ry..=ry {
                for dx in -rx..=rx {
                    let gaussian = (-form.at(dx as f64, dy as f64)).exp();
                    height += pixels.next().unwrap_or(&0.0) * (gaussian + 7.0);
                }
            }
            prop_assert!((height - 1.0).abs() < 1e-9 * scale.max(1.0), "{height}");
        }
    }
}
