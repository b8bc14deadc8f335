//! Preparing splines and evaluating one star of a gridded ePSF.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use psfphot::image::PixelBox;
use psfphot::psf::{Placement, Psf};
use psfphot_benches::{LARGE_SIZE, SIZE, grid, planes, prepare};

fn benches(c: &mut Criterion) {
    let psf = grid().unwrap_or_else(|error| panic!("{error}"));
    for size in [SIZE, LARGE_SIZE] {
        let samples = planes(size);
        c.bench_function(&format!("prepare 16 splines of {size} x {size}"), |b| {
            b.iter(|| prepare(&samples, size));
        });
    }
    let at = Placement {
        x: 1000.3,
        y: 700.8,
        shape: &[],
    };
    for size in [5, 11] {
        let window = PixelBox::around(at.x, at.y, (size, size));
        let mut values = vec![0.0; window.len()];
        let mut gradient = vec![0.0; 2 * window.len()];
        c.bench_function(&format!("values and gradient {size} x {size}"), |b| {
            b.iter(|| psf.fill_with_gradient(black_box(at), window, &mut values, &mut gradient));
        });
        c.bench_function(&format!("values {size} x {size}"), |b| {
            b.iter(|| psf.fill(black_box(at), window, &mut values));
        });
    }
}

criterion_group!(psf, benches);
criterion_main!(psf);
