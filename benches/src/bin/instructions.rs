//! One kernel, called once, for `benches/instructions.sh` to count its instructions.
//!
//! Only what happens inside the function `counted_…` is counted; what it needs is
//! made before. Every kernel runs on one thread.

use std::hint::black_box;

use psfphot::detect::{DaoFinder, Threshold};
use psfphot::image::{Frame, Image, PixelBox};
use psfphot::photometry::{FittedSource, Photometry, Starts};
use psfphot::psf::{CircularGaussianPrf, GriddedPsf, Placement, Psf};
use psfphot::render::{RenderSource, render};
use psfphot::{Error, Run};
use psfphot_benches::{Uniform, grid_of};

/// Side of the image, pixels.
const SIDE: usize = 256;
/// Samples along one side of a PSF of 25 pixels, 4 times oversampled.
const SAMPLES: usize = 100;
const FWHM: f64 = 2.5;

/// Stars at random, their image and its errors, and starts beside them.
struct Field {
    stars: Vec<RenderSource<'static>>,
    data: Vec<f64>,
    error: Vec<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
    flux: Vec<f64>,
}

impl Field {
    fn new(psf: &dyn Psf, n: usize) -> Result<Self, Error> {
        let mut uniform = Uniform::default();
        let stars: Vec<_> = (0..n)
            .map(|_| {
                let flux = 500.0 * 40_f64.powf(uniform.draw());
                let at = |u: f64| 5.0 + (SIDE as f64 - 10.0) * u;
                RenderSource::new(flux, at(uniform.draw()), at(uniform.draw()))
            })
            .collect();
        let mut data = vec![0.0; SIDE * SIDE];
        render(
            &mut data,
            (SIDE, SIDE),
            psf,
            &stars,
            Some((25, 25)),
            Run::new().serial(),
        )?;
        let error: Vec<_> = data.iter().map(|d| (d + 100.0_f64).sqrt()).collect();
        for (pixel, error) in data.iter_mut().zip(&error) {
            *pixel += error * 3.0 * (uniform.draw() - 0.5);
        }
        let mut near = |v: f64| v + 0.2 * (uniform.draw() - 0.5);
        let x = stars.iter().map(|s| near(s.x)).collect();
        let y = stars.iter().map(|s| near(s.y)).collect();
        let flux = stars.iter().map(|s| s.flux).collect();
        Ok(Self {
            stars,
            data,
            error,
            x,
            y,
            flux,
        })
    }

    fn frame(&self) -> Result<Frame<'_, f64>, Error> {
        let shape = (SIDE, SIDE);
        Frame::new(Image::new(&self.data, shape)?).with_error(Image::new(&self.error, shape)?)
    }
}

#[inline(never)]
fn counted_spline(psf: &GriddedPsf) -> f64 {
    let mut sum = 0.0;
    for size in [5, 11] {
        let mut values = vec![0.0; size * size];
        let mut gradient = vec![0.0; 2 * size * size];
        for k in 0..500 {
            let (x, y) = (100.0 + f64::from(k) * 1.37, 900.0 - f64::from(k) * 0.71);
            let window = PixelBox::around(x, y, (size, size));
            psf.fill_with_gradient(
                Placement { x, y, shape: &[] },
                window,
                &mut values,
                &mut gradient,
            );
            sum += values[0] + gradient[0];
        }
    }
    sum
}

#[inline(never)]
fn counted_fits(psf: &dyn Psf, field: &Field, groups: Option<&[i64]>) -> Result<f64, Error> {
    let mut starts = Starts::new(&field.x, &field.y, &field.flux)?;
    if let Some(groups) = groups {
        starts = starts.with_groups(groups)?;
    }
    let frame = field.frame()?;
    let fitted = Photometry::new((5, 5))?.fit(psf, &frame, &starts, Run::new().serial())?;
    Ok(fitted.iter().map(FittedSource::flux).sum())
}

#[inline(never)]
fn counted_finder(field: &Field) -> Result<usize, Error> {
    let found =
        DaoFinder::new(FWHM).find(&field.frame()?, Threshold::Scalar(1e9), Run::new().serial())?;
    Ok(found.sources.len())
}

#[inline(never)]
fn counted_render(psf: &dyn Psf, field: &Field) -> Result<f64, Error> {
    let mut image = vec![0.0; SIDE * SIDE];
    render(
        &mut image,
        (SIDE, SIDE),
        psf,
        &field.stars,
        Some((25, 25)),
        Run::new().serial(),
    )?;
    Ok(image[0])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kernel = std::env::args().nth(1).unwrap_or_default();
    let gaussian = CircularGaussianPrf::new(FWHM)?;
    match kernel.as_str() {
        "spline" => {
            black_box(counted_spline(&grid_of(SAMPLES)?));
        }
        "fits" => {
            let psf = grid_of(SAMPLES)?;
            black_box(counted_fits(&psf, &Field::new(&psf, 200)?, None)?);
        }
        // One system of all stars: assembled, solved and tried a few times.
        "solver" => {
            let field = Field::new(&gaussian, 300)?;
            black_box(counted_fits(&gaussian, &field, Some(&[1; 300]))?);
        }
        // Nothing is above the threshold: what is left is the convolution.
        "finder" => {
            black_box(counted_finder(&Field::new(&gaussian, 200)?)?);
        }
        "render" => {
            let psf = grid_of(SAMPLES)?;
            black_box(counted_render(&psf, &Field::new(&psf, 200)?)?);
        }
        other => return Err(format!("no kernel {other:?}").into()),
    }
    Ok(())
}
