//! Builds a PSF that varies over the detector from effective PSFs of a formula,
//! renders a random field with it, and looks where the flux went.
//!
//! `cargo run --release -p psfphot --example render_field`

use std::f64::consts::TAU;

use psfphot::psf::{GriddedPsf, Sampling};
use psfphot::render::{RenderSource, render};
use psfphot::{Error, Run};

/// Rows and columns of the image.
const SHAPE: (usize, usize) = (800, 1000);
/// Samples of an ePSF along one side: 31 pixels.
const SAMPLES: usize = 124;
const OVERSAMPLING: f64 = 4.0;
/// Stars keep this distance from the edges, so that no flux is lost there.
const BORDER: f64 = 16.0;

/// Uniform numbers, reproducible.
fn uniform(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

/// Width of the PSF in pixels, along x and y, at a position on the detector.
fn sigma(x: f64, y: f64) -> (f64, f64) {
    let (u, v) = (x / (SHAPE.1 - 1) as f64, y / (SHAPE.0 - 1) as f64);
    (1.0 + 0.5 * u, 1.2 + 0.3 * v)
}

/// Samples of an elliptical Gaussian. An effective PSF is normalised so that
/// its samples sum to the product of the oversamplings.
fn epsf((x, y): (f64, f64)) -> impl Iterator<Item = f64> {
    let (sigma_x, sigma_y) = sigma(x, y);
    let offset = |i: usize| (i as f64 - 0.5 * (SAMPLES as f64 - 1.0)) / OVERSAMPLING;
    (0..SAMPLES * SAMPLES).map(move |k| {
        let (u, v) = (offset(k % SAMPLES) / sigma_x, offset(k / SAMPLES) / sigma_y);
        (-0.5 * (u * u + v * v)).exp() / (TAU * sigma_x * sigma_y)
    })
}

/// Standard deviations, along x and y, of the light in a box around a pixel.
fn measure(image: &[f64], (x, y): (usize, usize), half: usize) -> (f64, f64) {
    let (mut sum, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for row in y - half..=y + half {
        for column in x - half..=x + half {
            let value = image[row * SHAPE.1 + column];
            sum += value;
            xx += value * (column as f64 - x as f64).powi(2);
            yy += value * (row as f64 - y as f64).powi(2);
        }
    }
    ((xx / sum).sqrt(), (yy / sum).sqrt())
}

#[allow(clippy::print_stdout)] // an example is for its output
fn main() -> Result<(), Error> {
    let run = Run::new();
    let (right, top) = ((SHAPE.1 - 1) as f64, (SHAPE.0 - 1) as f64);
    let nodes: Vec<_> = [0.0, 0.5, 1.0]
        .iter()
        .flat_map(|v| [0.0, 0.5, 1.0].map(|u| (u * right, v * top)))
        .collect();
    let planes: Vec<f64> = nodes.iter().flat_map(|&node| epsf(node)).collect();
    let sampling = Sampling::new((OVERSAMPLING, OVERSAMPLING));
    let psf = GriddedPsf::new(&planes, (SAMPLES, SAMPLES), &nodes, sampling, run)?;

    let mut state = 42;
    let stars: Vec<_> = (0..2000)
        .map(|_| {
            let flux = 500.0 * 40_f64.powf(uniform(&mut state));
            let x = BORDER + (right - 2.0 * BORDER) * uniform(&mut state);
            let y = BORDER + (top - 2.0 * BORDER) * uniform(&mut state);
            RenderSource::new(flux, x, y)
        })
        .collect();
    let mut image = vec![0.0; SHAPE.0 * SHAPE.1];
    // A star without a position, or off the image, is skipped, and counted.
    let missing = [
        RenderSource::new(1.0, f64::NAN, 10.0),
        RenderSource::new(1.0, -900.0, 10.0),
    ];
    let skipped = render(&mut image, SHAPE, &psf, &missing, None, run)?;
    render(&mut image, SHAPE, &psf, &stars, None, run)?;

    let expected: f64 = stars.iter().map(|star| star.flux).sum();
    let total: f64 = image.iter().sum();
    println!(
        "{} stars on {} x {} pixels; skipped: {} without a position, {} off the image",
        stars.len(),
        SHAPE.1,
        SHAPE.0,
        skipped.not_finite,
        skipped.off_image
    );
    println!(
        "flux in the image: {total:.2}, of the stars: {expected:.2}, ratio - 1: {:.1e}",
        total / expected - 1.0
    );

    // Between the nodes, where ePSFs of different widths are blended, the light
    // is a little wider than the formula says.
    println!(
        "{:>5} {:>5} {:>18} {:>18}",
        "x", "y", "measured widths", "of the formula"
    );
    for at in [(100, 100), (500, 400), (900, 700)] {
        let mut one = vec![0.0; image.len()];
        let (x, y) = (at.0 as f64, at.1 as f64);
        let star = [RenderSource::new(1.0, x, y)];
        render(&mut one, SHAPE, &psf, &star, None, run)?;
        let (width_x, width_y) = measure(&one, at, 15);
        let (sigma_x, sigma_y) = sigma(x, y);
        println!("{x:5} {y:5} {width_x:9.4} {width_y:8.4} {sigma_x:9.4} {sigma_y:8.4}");
    }
    Ok(())
}
