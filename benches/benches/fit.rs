//! Fitting stars of a 2048 × 2048 image from given starting values, on one
//! thread: alone, in groups that do not overlap, and in crowded groups.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use psfphot::image::{Frame, Image};
use psfphot::photometry::{Photometry, Starts};
use psfphot::psf::Psf;
use psfphot::{Error, Run};
use psfphot_benches::{SIDE, Scene, grid};

fn fit(psf: &dyn Psf, scene: &Scene, size: usize, groups: Option<&[i64]>) -> Result<f64, Error> {
    let frame = Frame::new(Image::new(&scene.data, (SIDE, SIDE))?)
        .with_error(Image::new(&scene.error, (SIDE, SIDE))?)?;
    let mut starts = Starts::new(&scene.x, &scene.y, &scene.flux)?;
    if let Some(groups) = groups {
        starts = starts.with_groups(groups)?;
    }
    let sources = Photometry::new((size, size))?.fit(psf, &frame, &starts, Run::new().serial())?;
    Ok(sources.iter().map(|s| s.iterations as f64).sum::<f64>() / sources.len() as f64)
}

fn benches(c: &mut Criterion) {
    let psf = grid().unwrap_or_else(|error| panic!("{error}"));
    let mut group = c.benchmark_group("fit on one thread");
    group.sample_size(10);
    let scene = Scene::new(&psf, 5000);
    group.throughput(Throughput::Elements(5000));
    for size in [5, 11] {
        group.bench_function(format!("5000 stars alone, {size} x {size}"), |b| {
            b.iter(|| fit(&psf, &scene, size, None));
        });
    }
    let crowded = Scene::new(&psf, 40_000);
    let pairs: Vec<i64> = (0..40_000).map(|k| k / 4).collect();
    group.throughput(Throughput::Elements(40_000));
    group.bench_function("40000 stars in groups of 4, 5 x 5", |b| {
        b.iter(|| fit(&psf, &crowded, 5, Some(&pairs)));
    });
}

criterion_group!(all, benches);
criterion_main!(all);
