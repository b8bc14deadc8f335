//! Simulates a field of stars, finds, groups and fits them, and looks at the
//! residual: the whole way in plain Rust.
//!
//! `cargo run --release -p psfphot --example fit_field`

use psfphot::aperture::circular_sums;
use psfphot::detect::{IrafFinder, Selection, Threshold};
use psfphot::group::group;
use psfphot::image::{Frame, Image};
use psfphot::photometry::{Photometry, Starts};
use psfphot::psf::CircularGaussianPrf;
use psfphot::render::{RenderSource, render};
use psfphot::{Error, Run};

const SHAPE: (usize, usize) = (300, 300);
const SKY_NOISE: f64 = 2.0;

/// Uniform numbers, reproducible.
fn uniform(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

#[allow(clippy::print_stdout)] // an example is for its output
fn main() -> Result<(), Error> {
    let run = Run::new();
    let psf = CircularGaussianPrf::new(2.5)?;
    let mut state = 42;
    let truth: Vec<_> = (0..200)
        .map(|_| {
            let flux = 500.0 * 20_f64.powf(uniform(&mut state));
            let (x, y) = (uniform(&mut state), uniform(&mut state));
            RenderSource::new(flux, 5.0 + 290.0 * x, 5.0 + 290.0 * y)
        })
        .collect();

    let mut data = vec![0.0; SHAPE.0 * SHAPE.1];
    render(&mut data, SHAPE, &psf, &truth, None, run)?;
    let error: Vec<f64> = data
        .iter()
        .map(|d| (d + SKY_NOISE * SKY_NOISE).sqrt())
        .collect();
    for (pixel, error) in data.iter_mut().zip(&error) {
        // Twelve uniform numbers make a good enough normal one.
        let normal: f64 = (0..12).map(|_| uniform(&mut state)).sum::<f64>() - 6.0;
        *pixel += error * normal;
    }

    let frame = Frame::new(Image::new(&data, SHAPE)?).with_error(Image::new(&error, SHAPE)?)?;
    let near = Selection::new().with_min_separation(Some(3.0));
    let finder = IrafFinder::new(2.5).with_selection(near);
    let found = finder.find(&frame, Threshold::Scalar(4.0 * SKY_NOISE), run)?;
    let (x, y): (Vec<_>, Vec<_>) = found.sources.iter().map(|s| (s.x, s.y)).unzip();
    let sums = circular_sums(&frame, &x, &y, 3.0, run)?;
    let flux: Vec<_> = sums.iter().map(|sum| sum.sum).collect();
    let groups = group(&x, &y, 6.0, run)?;

    let starts = Starts::new(&x, &y, &flux)?.with_groups(&groups)?;
    let fitted = Photometry::new((5, 5))?.fit(&psf, &frame, &starts, run)?;

    let model: Vec<_> = fitted
        .iter()
        .map(|s| RenderSource::new(-s.flux(), s.x(), s.y()))
        .collect();
    let mut residual = data.clone();
    render(&mut residual, SHAPE, &psf, &model, None, run)?;
    let chi2: f64 = residual
        .iter()
        .zip(&error)
        .map(|(r, e)| (r / e).powi(2))
        .sum();

    println!(
        "{} stars, {} found, {} groups",
        truth.len(),
        x.len(),
        groups.iter().max().unwrap_or(&0)
    );
    println!(
        "reduced chi2 of the residual image: {:.3}",
        chi2 / data.len() as f64
    );
    println!("{:>9} {:>9} {:>9} {:>7} flags", "x", "y", "flux", "error");
    for source in fitted.iter().take(5) {
        println!(
            "{:9.3} {:9.3} {:9.1} {:7.1} {}",
            source.x(),
            source.y(),
            source.flux(),
            source.flux_error(),
            source.flags
        );
    }
    Ok(())
}
