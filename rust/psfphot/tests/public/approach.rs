//! Isolated stars of a grid approach their places with an image that stands for its PSFs:
//! they end where the PSFs alone bring them.

use psfphot::fit::{FLUX, FitSettings, X, Y};
use psfphot::image::{Frame, Image, PixelBox};
use psfphot::photometry::{FittedSource, Photometry, Starts};
use psfphot::psf::{GriddedPsf, Placement, Psf, Sampling};
use psfphot::{Error, Run};

const SIDE: usize = 120;

/// A grid that has no image to stand for it.
#[derive(Debug)]
struct Alone(GriddedPsf);

impl Psf for Alone {
    fn support(&self, at: Placement<'_>) -> PixelBox {
        self.0.support(at)
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        self.0.value(at, px, py)
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        self.0.value_and_gradient(at, px, py, gradient)
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        self.0.fill(at, window, values);
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        self.0.fill_with_gradient(at, window, values, gradient);
    }
}

/// Gaussians whose widths differ by a half over the image.
fn grid() -> Result<GriddedPsf, Error> {
    let end = (SIDE - 1) as f64;
    let positions = [(0.0, 0.0), (end, 0.0), (0.0, end), (end, end)];
    let n = 60;
    let planes: Vec<f64> = (0..4 * n * n)
        .map(|k| {
            let offset = |i: usize| (i as f64 - (n - 1) as f64 / 2.0) / 4.0;
            let (x, y) = (offset(k % n), offset(k / n % n));
            let width = 0.9 + 0.15 * (k / (n * n)) as f64;
            (-(x * x + 1.2 * y * y) / (2.0 * width * width)).exp() / (6.0 * width * width)
        })
        .collect();
    let sampling = Sampling::new((4.0, 4.0));
    GriddedPsf::new(&planes, (n, n), &positions, sampling, Run::default())
}

/// Stars of many fluxes whose starts are up to 0.8 pixels off, on noise; one of them over
/// the image's edge.
fn fit(psf: &dyn Psf, settings: FitSettings) -> Result<Vec<FittedSource>, Error> {
    let stars: Vec<(f64, f64, f64)> = (0..64)
        .map(|k| {
            let off = |i: usize| (i * 37 % 16) as f64 / 10.0 - 0.8;
            let (x, y) = ((k % 8 * 15) as f64, (k / 8 * 15 + 7) as f64);
            (60.0 * 1.13_f64.powi(k as i32), x + off(k), y + off(k + 5))
        })
        .collect();
    let shape: &[f64] = &[];
    let data: Vec<f64> = (0..SIDE * SIDE)
        .map(|k| {
            let (px, py) = ((k % SIDE) as f64, (k / SIDE) as f64);
            let noise = ((k * 7919 % 1013) as f64 / 1013.0 - 0.5) * 7.0;
            let light = stars
                .iter()
                .map(|&(flux, x, y)| flux * psf.value(Placement { x, y, shape }, px, py));
            noise + light.sum::<f64>()
        })
        .collect();
    let error = vec![2.0; data.len()];
    let image = |values| Image::new(values, (SIDE, SIDE));
    let frame = Frame::new(image(&data)?).with_error(image(&error)?)?;
    let column = |of: fn(&(f64, f64, f64)) -> f64| -> Vec<f64> { stars.iter().map(of).collect() };
    let (x, y) = (column(|s| s.1.round()), column(|s| s.2.round()));
    let flux = column(|s| 0.8 * s.0);
    let starts = Starts::new(&x, &y, &flux)?;
    let photometry = Photometry::new((9, 9))?.with_settings(settings);
    photometry.fit(psf, &frame, &starts, Run::default())
}

#[test]
fn stars_end_where_the_psfs_alone_bring_them() -> Result<(), Error> {
    let psf = Alone(grid()?);
    let end = fit(&psf, FitSettings::default().with_step_tolerance(1e-8)?)?;
    let found = fit(&psf.0, FitSettings::default())?;
    for (star, end) in found.iter().zip(&end) {
        assert!(star.termination.was_successful());
        assert_eq!(star.flags, end.flags);
        for p in [FLUX, X, Y] {
            let off = (star.parameters[p] - end.parameters[p]) / end.errors[p];
            assert!(off.abs() < 3e-4, "{p}: {off}");
            // Those of a star beyond the edge go with its place.
            assert!((star.errors[p] / end.errors[p] - 1.0).abs() < 2e-3);
        }
    }
    Ok(())
}

#[test]
fn stars_that_the_psfs_alone_bring_home_in_time_come_home() -> Result<(), Error> {
    let psf = Alone(grid()?);
    for most in 1..10 {
        let settings = FitSettings::default().with_max_iterations(most)?;
        let (found, alone) = (fit(&psf.0, settings)?, fit(&psf, settings)?);
        for (star, alone) in found.iter().zip(&alone) {
            assert!(star.iterations <= most);
            if alone.termination.was_successful() {
                assert!(star.termination.was_successful(), "{most}");
                assert_eq!(star.flags, alone.flags);
            }
        }
    }
    Ok(())
}
