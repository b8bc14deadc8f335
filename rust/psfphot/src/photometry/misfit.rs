//! How far the PSF is off a star, and what that does to its flux.
//!
//! Of a star that is wider than the PSF by the part d of its width, d · D is left in a pixel,
//! where D = −2 P − r · ∇P is the derivative by the logarithm of the width. With the weights
//! w of a fit it changes the flux by Σ w P D / Σ w P²: by −1 for a Gaussian if the sky is the
//! noise, and by 0 if the star's own photons are and all pixels count. What is wrong by
//! chance in each pixel, by a part of P, changes it by √(Σ w² P⁴) / Σ w P² of that; an
//! elongation, x ∂P/∂x − y ∂P/∂y and x ∂P/∂y + y ∂P/∂x, by nothing.

use crate::error::Error;
use crate::image::{Frame, Pixel, PixelBox};
use crate::psf::{Placement, Psf};
use crate::render::RenderSource;
use crate::run::Run;

use super::boxes::look_at;

/// How the flux of a fit follows errors of the PSF. NaN where no pixel has a weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Response {
    /// By what part of it the flux changes where the star is wider than the PSF, over the
    /// part of its width by which it is: negative.
    pub widening: f64,
    /// What such a star leaves after the fit, over that part: the root of the weighted mean
    /// square of it, as a part of the profile.
    pub left: f64,
    /// By what part of it the flux changes (1 sigma), over that by which each value of the
    /// PSF is off by chance.
    pub chance: f64,
}

impl Response {
    /// By what part of it the flux is off, over that by which the PSF's values are: of a
    /// wrong width or by chance, whichever is more.
    pub(super) fn of_values(&self) -> f64 {
        let widening = self.widening.abs();
        (widening / widening.hypot(self.left)).max(self.chance)
    }
}

/// What a star's pixels tell of its PSF. NaN where no pixel tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Misfit {
    /// By what part of its width the star is wider than the PSF.
    pub widening: f64,
    /// The 1-sigma error of that by the noise of the pixels.
    pub widening_error: f64,
    /// The squared relative error of the profile that an elongation explains; noise adds
    /// twice its own to it, over the squared flux and Σ w P².
    pub elongation: f64,
    /// How its flux follows.
    pub response: Response,
}

/// Compares fitted stars with the PSF, in boxes of `fit_shape` around them.
///
/// `residual` is the image without its stars and sky, with the errors that weighted the
/// fit; without errors all pixels weigh the same and `widening_error` is that of pixels
/// with the error 1.
///
/// # Errors
/// [`Error::Cancelled`].
pub fn misfits<T: Pixel>(
    residual: &Frame<'_, T>,
    psf: &dyn Psf,
    stars: &[RenderSource<'_>],
    fit_shape: (usize, usize),
    run: Run<'_>,
) -> Result<Vec<Misfit>, Error> {
    let bounds = residual.data().bounds();
    look_at(
        stars,
        fit_shape,
        bounds,
        run,
        |room: &mut Widened, star, window| room.misfit(residual, psf, star, window),
    )
}

/// The PSF of a star in its pixels, and by what a widening changes it.
#[derive(Default)]
pub(super) struct Widened {
    values: Vec<f64>,
    gradient: Vec<f64>,
    change: Vec<f64>,
    /// By what elongations along the axes and the diagonals change it.
    elongations: Vec<[f64; 2]>,
}

impl Widened {
    fn fill(&mut self, psf: &dyn Psf, at: Placement<'_>, window: PixelBox) {
        let (n, planes) = (window.len(), 2 + psf.shape_names().len());
        self.values.clear();
        self.values.resize(n, 0.0);
        self.gradient.clear();
        self.gradient.resize(planes * n, 0.0);
        psf.fill_with_gradient(at, window, &mut self.values, &mut self.gradient);
        let (by_x, by_y) = self.gradient[..2 * n].split_at(n);
        self.change.clear();
        self.elongations.clear();
        // Derivatives by the star's place are those by the pixel's, with the other sign.
        let slopes = by_x.iter().zip(by_y).zip(window.pixels());
        for (((by_x, by_y), (x, y)), p) in slopes.zip(&self.values) {
            let (dx, dy) = (x as f64 - at.x, y as f64 - at.y);
            self.change.push(dx * by_x + dy * by_y - 2.0 * p);
            self.elongations
                .push([dx * by_x - dy * by_y, dx * by_y + dy * by_x]);
        }
    }

    /// The response of a flux with these weights of the window's pixels.
    pub(super) fn response(
        &mut self,
        psf: &dyn Psf,
        at: Placement<'_>,
        window: PixelBox,
        weights: impl Iterator<Item = f64>,
    ) -> Response {
        self.fill(psf, at, window);
        let mut sums = Sums::default();
        for ((&p, &d), weight) in self.values.iter().zip(&self.change).zip(weights) {
            sums.add(p, d, weight, 0.0);
        }
        sums.response()
    }

    fn misfit<T: Pixel>(
        &mut self,
        residual: &Frame<'_, T>,
        psf: &dyn Psf,
        star: &RenderSource<'_>,
        window: PixelBox,
    ) -> Misfit {
        let mut sums = Sums::default();
        if !window.is_empty() && star.is_finite() {
            self.fill(psf, star.placement(psf), window);
            let rows = (window.y0..window.y1)
                .flat_map(|y| residual.row_pixels(y as usize, window.columns()));
            let profile = self.values.iter().zip(&self.change).zip(&self.elongations);
            for (((&p, &d), elongations), pixel) in profile.zip(rows) {
                if let Some((left, weight)) = pixel {
                    sums.add(p, d, weight, left);
                    sums.add_elongations(*elongations, weight, left);
                }
            }
        }
        sums.misfit(star.flux)
    }
}

/// Sums over the pixels of a star, all with the weights.
#[derive(Default)]
struct Sums {
    profile_square: f64,
    profile_change: f64,
    change_square: f64,
    /// Of the squared weights and the fourth power of the profile.
    fourth: f64,
    profile_left: f64,
    change_left: f64,
    elongation_square: [f64; 2],
    elongation_left: [f64; 2],
}

impl Sums {
    fn add(&mut self, profile: f64, change: f64, weight: f64, left: f64) {
        let weighted = weight * profile;
        self.profile_square += weighted * profile;
        self.profile_change += weighted * change;
        self.change_square += weight * change * change;
        self.fourth += (weighted * profile).powi(2);
        self.profile_left += weighted * left;
        self.change_left += weight * change * left;
    }

    fn add_elongations(&mut self, elongations: [f64; 2], weight: f64, left: f64) {
        for (k, elongation) in elongations.into_iter().enumerate() {
            self.elongation_square[k] += weight * elongation * elongation;
            self.elongation_left[k] += weight * elongation * left;
        }
    }

    /// Of the residual, the squares that elongations explain.
    fn elongated(&self) -> f64 {
        let squares = self.elongation_left.iter().zip(&self.elongation_square);
        squares.map(|(left, square)| left * left / square).sum()
    }

    /// Σ w (D − b P)², where b is what the flux takes of D.
    fn own_square(&self) -> f64 {
        let taken = self.profile_change.powi(2) / self.profile_square;
        (self.change_square - taken).max(0.0)
    }

    fn response(&self) -> Response {
        Response {
            widening: self.profile_change / self.profile_square,
            left: (self.own_square() / self.profile_square).sqrt(),
            chance: self.fourth.sqrt() / self.profile_square,
        }
    }

    fn misfit(&self, flux: f64) -> Misfit {
        let (response, own) = (self.response(), self.own_square());
        let left = self.change_left - response.widening * self.profile_left;
        Misfit {
            widening: left / (flux * own),
            widening_error: 1.0 / (flux.abs() * own.sqrt()),
            elongation: self.elongated() / (flux * flux * self.profile_square),
            response,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;
    use crate::psf::{CircularGaussianPrf, GaussianPsf};

    const SHAPE: (usize, usize) = (41, 43);
    const ALL: PixelBox = PixelBox {
        x0: 0,
        x1: SHAPE.1 as i64,
        y0: 0,
        y1: SHAPE.0 as i64,
    };
    const AT: Placement<'_> = Placement {
        x: 20.3,
        y: 19.6,
        shape: &[],
    };

    fn image(fwhm: f64, flux: f64) -> Result<Vec<f64>, Error> {
        let mut values = vec![0.0; ALL.len()];
        CircularGaussianPrf::new(fwhm)?.fill(AT, ALL, &mut values);
        Ok(values.iter().map(|v| flux * v).collect())
    }

    /// By what a flux that is fitted at its place changes, and what is left, where the star
    /// is so much wider than the PSF.
    fn fitted(weights: &[f64], fwhm: f64, wider: f64) -> Result<(f64, f64), Error> {
        let (psf, star) = (image(fwhm, 1.0)?, image(fwhm * (1.0 + wider), 1.0)?);
        let sum = |a: &[f64], b: &[f64]| -> f64 {
            weights
                .iter()
                .zip(a.iter().zip(b))
                .map(|(w, (a, b))| w * a * b)
                .sum()
        };
        let flux = sum(&psf, &star) / sum(&psf, &psf);
        let left: Vec<f64> = star.iter().zip(&psf).map(|(s, p)| s - flux * p).collect();
        Ok((flux - 1.0, (sum(&left, &left) / sum(&psf, &psf)).sqrt()))
    }

    #[test]
    fn fluxes_respond_as_fits_with_another_psf_do() -> Result<(), Error> {
        let (fwhm, wider) = (4.0, 1e-3);
        let psf = CircularGaussianPrf::new(fwhm)?;
        let light = image(fwhm, 1.0)?;
        for sky in [1e-9, 1e-2, 1e9] {
            let weights: Vec<f64> = light.iter().map(|p| 1.0 / (p + sky)).collect();
            let response = Widened::default().response(&psf, AT, ALL, weights.iter().copied());
            let (flux, left) = fitted(&weights, fwhm, wider)?;
            // A pixel is as wide for either.
            assert!(
                (response.widening - flux / wider).abs() < 0.04,
                "{response:?}"
            );
            assert!((response.left - left / wider).abs() < 0.06, "{response:?}");
        }
        Ok(())
    }

    #[test]
    fn a_gaussian_has_the_response_of_the_formulas() -> Result<(), Error> {
        let (fwhm, uniform) = (5.0, std::iter::repeat(1.0));
        let psf = GaussianPsf::new(fwhm, fwhm, 0.0)?;
        let found = Widened::default().response(&psf, AT, ALL, uniform);
        // Moments of P², a Gaussian of half the variance, in which (r/σ)² − 2 has the mean
        // −1 and the variance 1.
        let variance = fwhm * fwhm / (8.0 * std::f64::consts::LN_2);
        let chance = (2.0 * std::f64::consts::PI * variance).sqrt().recip();
        assert!((found.widening + 1.0).abs() < 1e-3 && (found.left - 1.0).abs() < 1e-3);
        assert!((found.chance - chance).abs() < 1e-3, "{found:?}");
        assert!((found.of_values() - 0.5_f64.sqrt()).abs() < 1e-3);
        Ok(())
    }

    #[test]
    fn an_elongation_is_told_from_a_width() -> Result<(), Error> {
        let (fwhm, flux, stretch) = (4.0, 1e4, 1.02);
        let psf = GaussianPsf::new(fwhm, fwhm, 0.0)?;
        let mut values = [vec![0.0; ALL.len()], vec![0.0; ALL.len()]];
        for (angle, explained) in [(0.0, true), (45.0, true), (20.0, true), (0.0, false)] {
            let (x, y) = if explained {
                (fwhm * stretch, fwhm / stretch)
            } else {
                (fwhm * stretch, fwhm * stretch)
            };
            GaussianPsf::new(x, y, angle)?.fill(AT, ALL, &mut values[0]);
            psf.fill(AT, ALL, &mut values[1]);
            let pairs = values[0].iter().zip(&values[1]);
            let left: Vec<f64> = pairs.map(|(star, psf)| flux * (star - psf)).collect();
            let frame = Frame::new(Image::new(&left, SHAPE)?);
            let star = [RenderSource::new(flux, AT.x, AT.y)];
            let found = misfits(&frame, &psf, &star, SHAPE, Run::new())?[0];
            let squares = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
            let whole = squares(&left) / (flux * flux * squares(&values[1]));
            let expected = if explained { whole } else { 0.0 };
            assert!(
                (found.elongation - expected).abs() < 0.05 * whole,
                "{found:?}"
            );
            let width = if explained { 0.0 } else { stretch - 1.0 };
            assert!((found.widening - width).abs() < 0.002, "{found:?}");
        }
        Ok(())
    }

    #[test]
    fn a_wider_star_says_by_how_much_and_a_masked_one_nothing() -> Result<(), Error> {
        let (fwhm, flux, wider) = (4.0, 3e4, 0.01);
        let psf = CircularGaussianPrf::new(fwhm)?;
        let (star, model) = (image(fwhm * (1.0 + wider), flux)?, image(fwhm, flux)?);
        // The flux of a fit, which here is not that of the star.
        let left: Vec<f64> = star.iter().zip(&model).map(|(s, m)| s - 0.98 * m).collect();
        let errors = vec![2.0; ALL.len()];
        let mut mask = vec![false; ALL.len()];
        let of = |mask: &[bool]| {
            let frame = Frame::new(Image::new(&left, SHAPE)?)
                .with_error(Image::new(&errors, SHAPE)?)?
                .with_mask(Image::new(mask, SHAPE)?)?;
            let stars = [(AT.x, flux), (f64::NAN, flux), (900.0, flux)];
            let stars = stars.map(|(x, flux)| RenderSource::new(flux, x, AT.y));
            misfits(&frame, &psf, &stars, (21, 21), Run::new())
        };
        let found = of(&mask)?;
        assert!((found[0].widening / wider - 1.0).abs() < 0.05, "{found:?}");
        // Of noise alone: a part of the star's own signal-to-noise.
        let peak: f64 = image(fwhm, 1.0)?.iter().map(|p| p * p).sum();
        let expected = 2.0 / (flux * peak.sqrt() * found[0].response.left);
        assert!((found[0].widening_error / expected - 1.0).abs() < 1e-3);
        assert!(
            found[1..]
                .iter()
                .all(|one| one.widening.is_nan() && one.response.chance.is_nan())
        );
        mask.fill(true);
        assert!(
            of(&mask)?
                .iter()
                .all(|one| one.widening.is_nan() && one.response.left.is_nan())
        );
        Ok(())
    }
}
