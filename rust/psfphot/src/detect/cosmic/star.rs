//! The sharpest that stars of a PSF can be.

use crate::detect::matched::{Kernels, Sums};
use crate::image::PixelBox;
use crate::psf::{Placement, Psf};

/// Along each axis, the positions of a star within a pixel that are tried; the
/// first and the last lie on the pixel's edges.
const PHASES: usize = 9;

/// Pixels along a side of a star's core.
pub(super) const CORE: usize = 5;
/// With fewer usable pixels a core has no form.
const LEAST_OF_CORE: usize = CORE * CORE / 2;

/// How bright a star's brightest pixel can be, and what is around it.
#[derive(Debug, Clone)]
pub(super) struct Star {
    /// The brightest pixel, from the middle of the window.
    pub(super) brightest: (i64, i64),
    /// Over the amplitude fitted to the others; over that fitted without its
    /// eight neighbours. Infinite where that amplitude is not positive.
    pub(super) ratio: [f64; 2],
    /// The least that the mean of the pixels next to the brightest has of it;
    /// likewise of those one farther.
    pub(super) ring: [f64; 2],
    /// The pixels around the brightest, at each position.
    cores: Vec<[f64; CORE * CORE]>,
}

impl Star {
    pub(super) fn new(
        psf: &dyn Psf,
        kernels: &Kernels,
        (x, y): (f64, f64),
        kernel: &[f64],
    ) -> Self {
        let (side, half) = (kernels.side(), kernels.half_width() as i64);
        let largest = (0..kernel.len()).max_by(|&a, &b| kernel[a].total_cmp(&kernel[b]));
        let place = |k: usize| ((k % side) as i64 - half, (k / side) as i64 - half);
        let brightest = largest.map_or((0, 0), place);
        let window = PixelBox::around(x, y, (side, side));
        let mut values = vec![0.0; window.len()];
        let (mut ratio, mut ring) = ([0.0_f64; 2], [1.0_f64; 2]);
        let middle = (x + brightest.0 as f64, y + brightest.1 as f64);
        let core = PixelBox::around(middle.0, middle.1, (CORE, CORE));
        let mut cores = vec![[0.0; CORE * CORE]; PHASES * PHASES];
        let phase = |i: usize| i as f64 / (PHASES - 1) as f64 - 0.5;
        for (k, in_core) in cores.iter_mut().enumerate() {
            let at = Placement {
                x: x + phase(k % PHASES),
                y: y + phase(k / PHASES),
                shape: &[],
            };
            psf.fill(at, window, &mut values);
            psf.fill(at, core, in_core);
            for (reach, (most, least)) in (0..).zip(ratio.iter_mut().zip(&mut ring)) {
                let mut sums = Sums::default();
                let (mut peak, mut around, mut n) = (0.0, 0.0, 0.0);
                for (i, (value, p)) in values.iter().zip(kernel).enumerate() {
                    let (dx, dy) = place(i);
                    let distance = (dx - brightest.0).abs().max((dy - brightest.1).abs());
                    if distance == reach + 1 {
                        around += value;
                        n += 1.0;
                    }
                    if distance > reach {
                        sums.add(1.0, *p, *value);
                    } else if distance == 0 {
                        peak = *value;
                    }
                }
                let amplitude = sums.amplitude(true).value();
                let share = (peak - sums.sky(amplitude)) / amplitude;
                *most = if amplitude > 0.0 {
                    most.max(share)
                } else {
                    f64::INFINITY
                };
                *least = least.min(around / n / peak);
            }
        }
        Self {
            brightest,
            ratio,
            ring,
            cores,
        }
    }

    /// The least sum of the absolute residuals of the PSF in a core, over its
    /// flux, of all positions; infinite where too few pixels are usable.
    ///
    /// The sky of the pixels, row by row, is 0.
    pub(super) fn misfit(&self, core: &[Option<f64>; CORE * CORE]) -> f64 {
        if core.iter().flatten().count() < LEAST_OF_CORE {
            return f64::INFINITY;
        }
        let misfits = self.cores.iter().map(|star| {
            let pixels = || {
                let pairs = core.iter().zip(star);
                pairs.filter_map(|(value, p)| value.map(|value| (value, p)))
            };
            let (dp, pp) = pixels().fold((0.0, 0.0), |(dp, pp), (d, p)| (dp + d * p, pp + p * p));
            let flux = dp / pp;
            let residuals: f64 = pixels().map(|(d, p)| (d - flux * p).abs()).sum();
            if flux > 0.0 {
                residuals / flux
            } else {
                f64::INFINITY
            }
        });
        misfits.fold(f64::INFINITY, f64::min)
    }
}
