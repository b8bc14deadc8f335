//! Scenes that the benchmarks share; the benchmarks are in `benches/`.

use psfphot::image::PixelBox;
use psfphot::psf::{GriddedPsf, Placement, Psf, Sampling};
use psfphot::render::RenderSource;
use psfphot::{Error, Run};

/// The Rust examples of the README run as tests of this crate, which is never
/// published.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Samples along one side of a PSF of the grid: 51 pixels, 4 times oversampled.
pub const SIZE: usize = 204;
/// Side of the image, pixels.
pub const SIDE: usize = 2048;

/// Samples along one side of a PSF of 101 pixels, 4 times oversampled.
pub const LARGE_SIZE: usize = 404;

/// A 4 × 4 grid of slightly different Gaussians, of `SIZE` samples.
///
/// # Errors
/// Never, but for a bug.
pub fn grid() -> Result<GriddedPsf, Error> {
    grid_of(SIZE)
}

/// A 4 × 4 grid of slightly different Gaussians, of `size` samples along one side.
///
/// # Errors
/// Never, but for a bug.
pub fn grid_of(size: usize) -> Result<GriddedPsf, Error> {
    prepare(&planes(size), size)
}

/// The samples of 16 slightly different Gaussians, `size` along one side.
#[must_use]
pub fn planes(size: usize) -> Vec<f64> {
    let centre = 0.5 * (size as f64 - 1.0);
    (0..16 * size * size)
        .map(|k| {
            let plane = (k / (size * size)) as f64;
            let (x, y) = (
                (k % size) as f64 - centre,
                (k / size % size) as f64 - centre,
            );
            let width = 36.0 + 0.3 * plane;
            (-0.5 * (x * x + y * y) / width).exp() * 16.0 / (std::f64::consts::TAU * width)
        })
        .collect()
}

/// The PSF of 16 planes of `size` samples along one side.
///
/// # Errors
/// If there are not as many samples.
pub fn prepare(planes: &[f64], size: usize) -> Result<GriddedPsf, Error> {
    let nodes = [0.0, 682.0, 1365.0, 2047.0];
    let positions: Vec<_> = nodes.iter().flat_map(|&y| nodes.map(|x| (x, y))).collect();
    let sampling = Sampling::new((4.0, 4.0));
    GriddedPsf::new(planes, (size, size), &positions, sampling, Run::new())
}

/// Uniform numbers between 0 and 1, the same in every run (xorshift).
#[derive(Debug)]
pub struct Uniform(u64);

impl Default for Uniform {
    fn default() -> Self {
        Self(88_172_645_463_325_252)
    }
}

impl Uniform {
    /// The next number.
    pub fn draw(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// `n` stars at random on an image of `SIDE` × `SIDE` pixels.
#[must_use]
pub fn field(n: usize) -> Vec<RenderSource<'static>> {
    let mut uniform = Uniform::default();
    let side = SIDE as f64;
    (0..n)
        .map(|_| {
            let (x, y) = (uniform.draw() * side, uniform.draw() * side);
            RenderSource::new(500.0 * 40_f64.powf(uniform.draw()), x, y)
        })
        .collect()
}

/// Stars on a jittered lattice, with an image of them, its errors and
/// starting values nearby.
#[derive(Debug)]
pub struct Scene {
    /// The image, row by row.
    pub data: Vec<f64>,
    /// Its 1-sigma errors.
    pub error: Vec<f64>,
    /// Starting columns.
    pub x: Vec<f64>,
    /// Starting rows.
    pub y: Vec<f64>,
    /// Starting fluxes.
    pub flux: Vec<f64>,
}

impl Scene {
    /// `n` stars on sky 100.
    #[must_use]
    pub fn new(psf: &dyn Psf, n: usize) -> Self {
        let mut numbers = Uniform::default();
        let mut uniform = || numbers.draw();
        let per_row = (n as f64).sqrt().ceil() as usize;
        let gap = SIDE as f64 / per_row as f64;
        let mut scene = Self {
            data: vec![0.0; SIDE * SIDE],
            error: Vec::new(),
            x: Vec::new(),
            y: Vec::new(),
            flux: Vec::new(),
        };
        let mut values = vec![0.0; 61 * 61];
        for k in 0..n {
            let x = ((k % per_row) as f64 + 0.3 + 0.4 * uniform()) * gap;
            let y = ((k / per_row) as f64 + 0.3 + 0.4 * uniform()) * gap;
            let flux = 500.0 * 40_f64.powf(uniform());
            let at = Placement { x, y, shape: &[] };
            let bounds = PixelBox::new(0, SIDE as i64, 0, SIDE as i64);
            let window = PixelBox::around(x, y, (51, 51)).intersection(&bounds);
            psf.fill(at, window, &mut values);
            for (row, y) in values.chunks(window.width()).zip(window.y0..window.y1) {
                let first = y as usize * SIDE + window.x0 as usize;
                for (pixel, value) in scene.data[first..].iter_mut().zip(row) {
                    *pixel += flux * value;
                }
            }
            scene.x.push(x + 0.2 * (uniform() - 0.5));
            scene.y.push(y + 0.2 * (uniform() - 0.5));
            scene.flux.push(flux * (0.8 + 0.4 * uniform()));
        }
        scene.error = scene.data.iter().map(|d| (d + 100.0).sqrt()).collect();
        for (pixel, error) in scene.data.iter_mut().zip(&scene.error) {
            let noise: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            *pixel += error * noise;
        }
        scene
    }
}
