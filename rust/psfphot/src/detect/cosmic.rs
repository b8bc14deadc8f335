//! Hot pixels and cosmic rays: pixels that stand out of what their neighbours
//! say of a star there.

mod around;
mod search;
mod star;

use std::collections::BTreeSet;

use super::matched::{Kernels, deviation};
use super::setters::setters;
use crate::Error;
use crate::image::{Frame, Image, Pixel};
use crate::psf::Psf;
use crate::run::Run;

use search::Search;
use star::Star;

/// Finds pixels that no star could make so bright beside its neighbours.
///
/// At each local maximum of three by three pixels A·PSF + constant is fitted to
/// the pixels around it by least squares, without the pixel itself; all with one
/// weight, for then q is the same in every star: with 1/error² the wings would
/// count more the brighter a star is. A star's brightest pixel is at most q·A above the constant, wherever in the
/// pixel the star lies; q is measured on the PSF at all positions, and s is the error of A. A pixel D is
/// bad where
///
/// D − constant − `margin`·q·max(A, 0) > `n_sigma` √(error² + (q·s/2)²),
///
/// and where the mean of the eight pixels around it, above a low level of the
/// window, is less beside D than any star has it, by `margin`. A neighbour that
/// spoils the fit makes these pixels only brighter, so that the blends of a
/// crowded field are no bad pixels.
///
/// The same is tried without the eight pixels, with the sixteen around them in
/// their place, which tells cosmic rays of several pixels from stars; what the
/// PSF fits in its 25 innermost pixels, to within 30 % of its flux, is a star
/// then, whatever a crowd does around it. The pixels found are left out, and the
/// next round looks again for maxima among the others, until none is found
/// or for so many rounds; from the third round on only beside pixels found.
///
/// Pixels at the edges, where a star would be cut, are not judged.
///
/// The idea is that of stars' sharpness (Stetson 1987, PASP 99, 191), and of
/// the comparison with the sharpest possible star by van Dokkum (2001, PASP
/// 113, 1420). It needs a PSF that is not undersampled: with a full width at
/// half maximum of less than about 2 pixels q·A says little.
#[derive(Debug, Clone)]
pub struct CosmicRays<'a> {
    psf: &'a dyn Psf,
    n_sigma: f64,
    margin: f64,
    error: Option<f64>,
    half_width: Option<usize>,
    rounds: usize,
}

impl<'a> CosmicRays<'a> {
    /// Pixels that no star like `psf` could make: 5 sigma, a margin of 1.3, 12
    /// rounds.
    #[must_use]
    pub fn new(psf: &'a dyn Psf) -> Self {
        Self {
            psf,
            n_sigma: 5.0,
            margin: 1.3,
            error: None,
            half_width: None,
            rounds: 12,
        }
    }

    setters! {
        /// By how many sigma a bad pixel exceeds what a star may have there;
        /// beside bad pixels half of that is enough.
        fn with_n_sigma(n_sigma: f64);

        /// By what factor stars may be sharper than the PSF, at least 1.
        fn with_margin(margin: f64);

        /// The 1-sigma error of all pixels of a frame that has no errors; `None`
        /// to measure it by the differences of pixels in a row.
        fn with_error(error: Option<f64>);

        /// Half the width of the windows; `None` for twice the PSF's full width
        /// at half maximum, rounded.
        fn with_half_width(half_width: Option<usize>);

        /// The most rounds.
        fn with_rounds(rounds: usize);
    }

    /// The pixels found, row by row, `true` where bad; those that the frame
    /// does not use are not among them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a setting or a PSF that cannot be used;
    /// [`Error::Cancelled`].
    pub fn find<T: Pixel>(&self, frame: &Frame<'_, T>, run: Run<'_>) -> Result<Vec<bool>, Error> {
        Error::check_positive("n_sigma", self.n_sigma)?;
        if !(self.margin >= 1.0 && self.margin.is_finite()) {
            return Err(Error::invalid("margin", "be at least 1", self.margin));
        }
        if let Some(error) = self.error {
            Error::check_positive("error", error)?;
        }
        let (ny, nx) = frame.data().shape();
        let kernels = Kernels::of_image(self.psf, self.half_width, None, (ny, nx))?.0;
        let stars = kernels.map(|place, kernel| Star::new(self.psf, &kernels, place, kernel));
        let unit = match (frame.has_error(), self.error) {
            (true, _) => 1.0,
            (false, Some(error)) => error,
            (false, None) => row_noise(frame.data()),
        };
        let mut search = Search {
            n_sigma: self.n_sigma,
            margin: self.margin,
            frame,
            kernels: &kernels,
            stars: &stars,
            unit,
            found: vec![false; ny * nx],
        };
        let mut places = BTreeSet::new();
        for round in 0..self.rounds {
            let new = if round < 2 {
                search.everywhere(run)?
            } else {
                search.among(&search.beside(&places), run)?
            };
            if new.is_empty() && round > 0 {
                break;
            }
            for &at in &new {
                search.found[at.1 * nx + at.0] = true;
            }
            places.extend(new);
        }
        Ok(search.found)
    }
}

/// The noise of a pixel from the median absolute difference of pixels five
/// columns apart, which are too far to be one star's and near enough to have
/// one sky; 1 where there is none.
fn row_noise<T: Pixel>(data: Image<'_, T>) -> f64 {
    const APART: usize = 5;
    let (ny, nx) = data.shape();
    let step = (ny * nx).div_ceil(1 << 18).max(1);
    let mut differences: Vec<f64> = (0..ny)
        .flat_map(|y| {
            let row = data.row(y);
            let pairs = row.iter().zip(row.iter().skip(APART));
            pairs.map(|(a, b)| {
                let (a, b): (f64, f64) = ((*a).into(), (*b).into());
                (a - b).abs()
            })
        })
        .step_by(step)
        .filter(|difference| difference.is_finite())
        .collect();
    let noise: f64 = deviation(&mut differences) / std::f64::consts::SQRT_2;
    if noise > 0.0 { noise } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::PixelBox;
    use crate::psf::{CircularGaussianPrf, MoffatPsf, Placement};
    use proptest::prelude::*;

    const SHAPE: (usize, usize) = (40, 48);

    /// Stars (x, y, flux) on a sky of 100, and σ = 1 of no noise.
    fn scene(psf: &dyn Psf, stars: &[(f64, f64, f64)]) -> Vec<f64> {
        let window = PixelBox::new(0, SHAPE.1 as i64, 0, SHAPE.0 as i64);
        let mut sum = vec![100.0; window.len()];
        let mut values = vec![0.0; window.len()];
        for &(x, y, flux) in stars {
            psf.fill(Placement { x, y, shape: &[] }, window, &mut values);
            sum.iter_mut()
                .zip(&values)
                .for_each(|(s, v)| *s += flux * v);
        }
        sum
    }

    fn found(psf: &dyn Psf, data: &[f64]) -> Result<Vec<(usize, usize)>, Error> {
        let frame = Frame::new(Image::new(data, SHAPE)?);
        let search = CosmicRays::new(psf).with_error(Some(1.0));
        let mask = search.find(&frame, Run::new())?;
        assert_eq!(mask, search.find(&frame, Run::new().serial())?);
        let places = mask.iter().enumerate().filter(|(_, bad)| **bad);
        Ok(places.map(|(k, _)| (k % SHAPE.1, k / SHAPE.1)).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn no_star_is_bad_at_any_phase_and_flux(
            dx in -0.5..0.5_f64, dy in -0.5..0.5_f64, magnitude in 1.0..6.5_f64,
            fwhm in 2.0..4.5_f64, other in 1.0..6.5_f64, distance in 0.0..12.0_f64,
            angle in 0.0..6.3_f64,
        ) {
            let gaussian = CircularGaussianPrf::new(fwhm)?;
            let moffat = MoffatPsf::new(fwhm, 3.0)?;
            for psf in [&gaussian as &dyn Psf, &moffat] {
                let star = (24.0 + dx, 20.0 + dy, 10.0_f64.powf(magnitude));
                prop_assert!(found(psf, &scene(psf, &[star]))?.is_empty());
                let (sin, cos) = angle.sin_cos();
                let second = (
                    star.0 + distance * cos, star.1 + distance * sin, 10.0_f64.powf(other),
                );
                prop_assert!(found(psf, &scene(psf, &[star, second]))?.is_empty());
            }
        }
    }

    #[test]
    fn hot_pixels_are_found_alone_and_near_a_star() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.5)?;
        let mut data = scene(&psf, &[(24.2, 20.4, 3000.0)]);
        let bad = [(5, 5), (9, 1), (29, 20), (40, 38), (46, 10)];
        for (x, y) in bad {
            data[y * SHAPE.1 + x] += 60.0;
        }
        let mut places = found(&psf, &data)?;
        places.sort_unstable();
        let mut expected = bad.to_vec();
        expected.sort_unstable();
        assert_eq!(places, expected);
        Ok(())
    }

    #[test]
    fn tracks_and_blocks_are_found_whole() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.5)?;
        let track: Vec<_> = (0..6).map(|i| (10 + i, 12 + i / 2)).collect();
        let block = vec![(30, 30), (31, 30), (30, 31), (31, 31)];
        for bad in [track, block] {
            let mut data = scene(&psf, &[]);
            for (k, (x, y)) in bad.iter().enumerate() {
                data[y * SHAPE.1 + x] += 80.0 + 5.0 * k as f64;
            }
            let mut places = found(&psf, &data)?;
            places.sort_unstable();
            let mut bad = bad.clone();
            bad.sort_unstable();
            assert_eq!(places, bad);
        }
        Ok(())
    }

    /// A place within the image, for each number.
    fn place(k: u64, stream: u64) -> f64 {
        let bits = (k + 1 + stream * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((bits ^ (bits >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 11) as f64
            / (1_u64 << 53) as f64
    }

    #[test]
    fn no_star_of_a_dense_crowd_is_bad() -> Result<(), Error> {
        let psf = MoffatPsf::new(3.0, 3.0)?;
        for seed in 0..12 {
            // Twenty in a thousand pixels, of fluxes over four decades.
            let star = |k: u64| {
                (
                    place(k, 3 * seed) * 48.0,
                    place(k, 3 * seed + 1) * 40.0,
                    10.0_f64.powf(2.0 + 4.5 * place(k, 3 * seed + 2)),
                )
            };
            let stars: Vec<_> = (0..40).map(star).collect();
            let mut data = scene(&psf, &stars);
            assert_eq!(found(&psf, &data)?, [], "seed {seed}");
            // A ray of four pixels over whatever is there.
            for (x, y) in [(20, 18), (21, 18), (20, 19), (21, 19)] {
                data[y * SHAPE.1 + x] += 1e6;
            }
            assert!(found(&psf, &data)?.len() >= 4, "seed {seed}");
        }
        Ok(())
    }

    #[test]
    fn bad_settings_are_named() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.5)?;
        let data = scene(&psf, &[]);
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let refused = |search: CosmicRays<'_>, name: &str| {
            let message = search.find(&frame, Run::new()).map_err(|e| e.to_string());
            assert!(
                message.is_err_and(|message| message.starts_with(name)),
                "{name}"
            );
        };
        refused(CosmicRays::new(&psf).with_margin(0.9), "margin");
        refused(CosmicRays::new(&psf).with_n_sigma(0.0), "n_sigma");
        refused(CosmicRays::new(&psf).with_error(Some(f64::NAN)), "error");
        refused(CosmicRays::new(&psf).with_half_width(Some(0)), "half_width");
        Ok(())
    }
}
