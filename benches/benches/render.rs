//! Rendering stars of a gridded ePSF into an image of 2048 × 2048 pixels: few
//! in large boxes, as a simulation has them, and many in small ones.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use psfphot::Run;
use psfphot::render::render;
use psfphot_benches::{LARGE_SIZE, SIDE, field, grid_of};

fn benches(c: &mut Criterion) {
    let psf = grid_of(LARGE_SIZE).unwrap_or_else(|error| panic!("{error}"));
    let mut group = c.benchmark_group("render");
    group.sample_size(10);
    for (n, size) in [(500, 101), (20_000, 25)] {
        let sources = field(n);
        group.throughput(Throughput::Elements(n as u64));
        for (threads, run) in [("one thread", Run::new().serial()), ("rayon", Run::new())] {
            // Stars are added to those of the iterations before: as much work.
            let mut image = vec![0.0; SIDE * SIDE];
            group.bench_function(format!("{n} stars, {size} x {size}, {threads}"), |b| {
                let window = Some((size, size));
                b.iter(|| render(&mut image, (SIDE, SIDE), &psf, &sources, window, run));
            });
        }
    }
}

criterion_group!(all, benches);
criterion_main!(all);
