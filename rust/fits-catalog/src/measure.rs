//! From an image to its stars: sky, finding, groups, fits.

use psfphot::background::{
    Clip, Level, Scatter,
    mesh::{BoxSettings, ResidualSettings, residual_background},
};
use psfphot::detect::MatchedFinder;
use psfphot::group::group;
use psfphot::image::{Frame, Image};
use psfphot::photometry::{FittedSource, Photometry, Starts};
use psfphot::psf::CircularGaussianPrf;
use psfphot::{Error, Run};

/// The S/N of a star in the filtered image.
const N_SIGMA: f64 = 5.0;
/// A box of the sky's mesh, in widths of a star: enough sky between the stars.
const BOX: f64 = 24.0;

/// The stars of an image, taken for round Gaussians of a full width at half
/// maximum of `fwhm` pixels. The noise is that of the sky: errors of bright stars
/// lack their photons.
///
/// # Errors
/// [`Error::InvalidArgument`] if `fwhm` is not positive or no pixel can be used.
pub(crate) fn measure(
    data: &[f64],
    shape: (usize, usize),
    fwhm: f64,
) -> Result<Vec<FittedSource>, Error> {
    let run = Run::new();
    let psf = CircularGaussianPrf::new(fwhm)?;
    let sky = residual_background(&Frame::new(Image::new(data, shape)?), &sky(fwhm), run)?;
    let subtracted: Vec<f64> = data.iter().zip(&sky.level).map(|(d, s)| d - s).collect();

    let image = Image::new(&subtracted, shape)?;
    let frame = Frame::new(image).with_error(Image::new(&sky.scatter, shape)?)?;
    let found = MatchedFinder::new(&psf, N_SIGMA)
        .with_sky(false)
        .find(&frame, run)?
        .sources;
    let (x, y): (Vec<_>, Vec<_>) = found.iter().map(|star| (star.x, star.y)).unzip();
    let flux: Vec<_> = found.iter().map(|star| star.flux).collect();

    // A box of one FWHM around each star, and those that share light together.
    let side = 2 * (fwhm.round() as usize).max(2) + 1;
    let groups = group(&x, &y, side as f64, run)?;
    let starts = Starts::new(&x, &y, &flux)?.with_groups(&groups)?;
    Photometry::new((side, side))?.fit(&psf, &frame, &starts, run)
}

/// How the sky is measured between stars of this width.
fn sky(fwhm: f64) -> ResidualSettings {
    let side = (BOX * fwhm).round() as usize;
    ResidualSettings {
        box_shape: (side, side),
        statistics: BoxSettings {
            clip: Some(Clip::default()),
            level: Level::Median,
            scatter: Scatter::Std,
        },
        highest_degree: 5,
        rounds: 2,
        fwhm: Some(fwhm),
        threshold: 4.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_on_a_slope_have_their_fluxes() {
        let (side, flux, fwhm) = (240_usize, 5000.0, 3.0_f64);
        let sigma = fwhm / (8.0 * 2_f64.ln()).sqrt();
        let places: Vec<(f64, f64)> = (0..25)
            .map(|k| {
                (
                    30.3 + 44.1 * f64::from(k % 5),
                    28.8 + 44.7 * f64::from(k / 5),
                )
            })
            .collect();
        let mut state = 7_u64;
        let mut noise = || {
            let sum: f64 = (0..12)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state >> 11) as f64 / (1_u64 << 53) as f64
                })
                .sum();
            sum - 6.0
        };
        // A Gaussian at the pixels' centres, which at this width is that of the
        // model within 0.1 % after the pixel's own 1/12 is added to its variance.
        let variance = sigma * sigma + 1.0 / 12.0;
        let data: Vec<f64> = (0..side * side)
            .map(|k| {
                let (px, py) = ((k % side) as f64, (k / side) as f64);
                let stars: f64 = places
                    .iter()
                    .map(|(x, y)| {
                        let r2 = (px - x).powi(2) + (py - y).powi(2);
                        (-0.5 * r2 / variance).exp() / (std::f64::consts::TAU * variance)
                    })
                    .sum();
                100.0 + 0.2 * px + flux * stars + 2.0 * noise()
            })
            .collect();

        let mut stars = measure(&data, (side, side), fwhm).unwrap();
        assert_eq!(stars.len(), places.len());
        stars.sort_by(|a, b| {
            let key = |s: &FittedSource| ((s.y() / 44.7).floor(), s.x());
            key(a).partial_cmp(&key(b)).unwrap()
        });
        for (star, (x, y)) in stars.iter().zip(&places) {
            assert!((star.x() - x).abs() < 0.05 && (star.y() - y).abs() < 0.05);
            assert!((star.flux() / flux - 1.0).abs() < 0.02, "{}", star.flux());
            assert_eq!(star.flags, 0);
        }
    }
}
