//! What else the pixels of a fitted star tell: how crowded it is, how wide, how
//! well fitted.

use crate::error::Error;
use crate::image::{Frame, Image, Pixel, PixelBox};
use crate::psf::{Placement, Psf};
use crate::render::RenderSource;
use crate::run::Run;

use super::boxes::look_at;

/// By how many pixels the PSF is shifted to measure its curvature: two samples of
/// an image PSF that is oversampled four times.
const SHIFT: f64 = 0.5;

/// How the pixels of a star look after the fit. NaN where no pixel tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// The magnitudes by which the star would be brighter with the light of all
    /// others left in the image (Dolphin 2000, PASP 112, 1383): 2.5 log₁₀ of its
    /// flux so fitted, at its place, over its flux.
    pub crowding: f64,
    /// How much wider the star is than the PSF, pixels²: the coefficient of
    /// ½∇²(flux·P), which a further smearing by a Gaussian of that variance adds
    /// to first order, fitted to the residual. About 0 for a star, positive for
    /// a galaxy or a blend, negative for a cosmic ray: Stetson's SHARP (1987, PASP
    /// 99, 191), in pixels².
    pub sharpness: f64,
    /// The scatter of the residual over that of its errors: Stetson's CHI,
    /// √(π/2) times the mean of |residual|/error, times √(n/(n − 3)).
    pub chi: f64,
}

impl Profile {
    const NONE: Self = Self {
        crowding: f64::NAN,
        sharpness: f64::NAN,
        chi: f64::NAN,
    };
}

/// Looks at the pixels of fitted stars in boxes of `fit_shape` around them; their
/// backgrounds take no part.
///
/// `residual` is the image without its stars, `model` the image of all of them.
///
/// # Errors
/// [`Error::ShapeMismatch`] if the images differ in shape; [`Error::Cancelled`].
pub fn profiles<T: Pixel>(
    residual: &Frame<'_, T>,
    model: Image<'_, f64>,
    psf: &dyn Psf,
    stars: &[RenderSource<'_>],
    fit_shape: (usize, usize),
    run: Run<'_>,
) -> Result<Vec<Profile>, Error> {
    let (expected, got) = (residual.data().shape(), model.shape());
    if expected != got {
        return Err(Error::ShapeMismatch {
            argument: "model",
            expected: vec![expected.0, expected.1],
            got: vec![got.0, got.1],
        });
    }
    let bounds = residual.data().bounds();
    look_at(
        stars,
        fit_shape,
        bounds,
        run,
        |room: &mut Room, star, window| room.profile(residual, model, psf, star, window),
    )
}

/// The PSF of a star and its curvature.
#[derive(Default)]
struct Room {
    values: Vec<f64>,
    shifted: Vec<f64>,
    curvature: Vec<f64>,
}

impl Room {
    fn fill(&mut self, psf: &dyn Psf, star: &RenderSource<'_>, window: PixelBox) {
        for room in [&mut self.values, &mut self.shifted, &mut self.curvature] {
            room.clear();
            room.resize(window.len(), 0.0);
        }
        let centre = star.placement(psf);
        psf.fill(centre, window, &mut self.values);
        for (dx, dy) in [(-SHIFT, 0.0), (SHIFT, 0.0), (0.0, -SHIFT), (0.0, SHIFT)] {
            let at = Placement {
                x: centre.x + dx,
                y: centre.y + dy,
                shape: centre.shape,
            };
            psf.fill(at, window, &mut self.shifted);
            let pixels = self.curvature.iter_mut().zip(&self.shifted);
            for ((curvature, shifted), value) in pixels.zip(&self.values) {
                *curvature += 0.5 * (shifted - value) / (SHIFT * SHIFT);
            }
        }
    }

    fn profile<T: Pixel>(
        &mut self,
        residual: &Frame<'_, T>,
        model: Image<'_, f64>,
        psf: &dyn Psf,
        star: &RenderSource<'_>,
        window: PixelBox,
    ) -> Profile {
        if window.is_empty() || !star.is_finite() {
            return Profile::NONE;
        }
        self.fill(psf, star, window);
        let mut sums = Sums::default();
        let mut k = 0;
        for y in window.y0..window.y1 {
            let models = &model.row(y as usize)[window.columns()];
            let pixels = residual.row_pixels(y as usize, window.columns());
            for (pixel, model) in pixels.zip(models) {
                if let Some((left, weight)) = pixel {
                    sums.add(self.values[k], self.curvature[k], (left, *model, weight));
                }
                k += 1;
            }
        }
        sums.profile(star.flux)
    }
}

/// Sums over the pixels of a star, all with the weights.
#[derive(Default)]
struct Sums {
    n: f64,
    profile_model: f64,
    profile_square: f64,
    curvature_left: f64,
    curvature_square: f64,
    absolute: f64,
}

impl Sums {
    fn add(&mut self, profile: f64, curvature: f64, (left, model, weight): (f64, f64, f64)) {
        self.n += 1.0;
        self.profile_model += weight * profile * model;
        self.profile_square += weight * profile * profile;
        self.curvature_left += weight * curvature * left;
        self.curvature_square += weight * curvature * curvature;
        self.absolute += left.abs() * weight.sqrt();
    }

    fn profile(&self, flux: f64) -> Profile {
        let with_others = self.profile_model / self.profile_square;
        let ratio = with_others / flux;
        let scatter = (std::f64::consts::PI / 2.0).sqrt() * self.absolute / self.n;
        let is_enough = self.n > 3.0;
        Profile {
            crowding: if ratio > 0.0 {
                2.5 * ratio.log10()
            } else {
                f64::NAN
            },
            sharpness: self.curvature_left / (flux * self.curvature_square),
            chi: if is_enough {
                scatter * (self.n / (self.n - 3.0)).sqrt()
            } else {
                f64::NAN
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psf::CircularGaussianPrf;

    const SHAPE: (usize, usize) = (31, 33);
    const ALL: PixelBox = PixelBox {
        x0: 0,
        x1: SHAPE.1 as i64,
        y0: 0,
        y1: SHAPE.0 as i64,
    };

    fn image(fwhm: f64, stars: &[(f64, f64, f64)]) -> Result<Vec<f64>, Error> {
        let psf = CircularGaussianPrf::new(fwhm)?;
        let (mut sum, mut values) = (vec![0.0; ALL.len()], vec![0.0; ALL.len()]);
        for &(flux, x, y) in stars {
            psf.fill(Placement { x, y, shape: &[] }, ALL, &mut values);
            sum.iter_mut()
                .zip(&values)
                .for_each(|(s, v)| *s += flux * v);
        }
        Ok(sum)
    }

    #[test]
    fn crowding_is_the_light_of_the_others_and_sharpness_a_width() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(3.0)?;
        let stars = [(100.0, 15.2, 14.9), (50.0, 18.2, 14.9)];
        let model = image(3.0, &stars)?;
        // The first star is wider than the PSF by a variance of 0.1 px².
        let fwhm = (9.0 + 0.1 * 8.0 * std::f64::consts::LN_2).sqrt();
        let wide = image(fwhm, &stars[..1])?;
        let alone = image(3.0, &stars[..1])?;
        let left: Vec<f64> = wide.iter().zip(&alone).map(|(a, b)| a - b).collect();
        let errors = vec![0.1; ALL.len()];
        let frame =
            Frame::new(Image::new(&left, SHAPE)?).with_error(Image::new(&errors, SHAPE)?)?;
        let list = stars.map(|(flux, x, y)| RenderSource::new(flux, x, y));
        let model = Image::new(&model, SHAPE)?;
        let found = profiles(&frame, model, &psf, &list, (9, 9), Run::new())?;
        assert!((found[0].sharpness - 0.1).abs() < 0.01, "{found:?}");
        // What Gaussians 3 pixels apart share, which pixels widen by 1/12 pixel².
        let variance = 9.0 / (8.0 * std::f64::consts::LN_2) + 1.0 / 12.0;
        let shared = (-9.0 / (4.0 * variance)).exp();
        let expected = [1.0 + 0.5 * shared, 1.0 + 2.0 * shared];
        for (one, ratio) in found.iter().zip(expected) {
            assert!(
                (one.crowding - 2.5 * f64::log10(ratio)).abs() < 0.005,
                "{one:?}"
            );
        }
        let expected: f64 = PixelBox::around(15.2, 14.9, (9, 9))
            .pixels()
            .map(|(x, y)| left[y as usize * SHAPE.1 + x as usize].abs() / 0.1)
            .sum();
        let chi = (std::f64::consts::PI / 2.0).sqrt() * expected / 81.0 * (81.0_f64 / 78.0).sqrt();
        assert!((found[0].chi / chi - 1.0).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn what_has_no_pixels_or_place_has_no_profile() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(3.0)?;
        let data = vec![0.0; ALL.len()];
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let star = |flux: f64, x: f64| RenderSource::new(flux, x, 5.0);
        let list = [star(1.0, 900.0), star(f64::NAN, 5.0), star(1.0, f64::NAN)];
        let model = Image::new(&data, SHAPE)?;
        for one in profiles(&frame, model, &psf, &list, (5, 5), Run::new())? {
            assert!(one.crowding.is_nan() && one.sharpness.is_nan() && one.chi.is_nan());
        }
        let other = Image::new(&data, (SHAPE.1, SHAPE.0))?;
        assert!(profiles(&frame, other, &psf, &list, (5, 5), Run::new()).is_err());
        Ok(())
    }
}
