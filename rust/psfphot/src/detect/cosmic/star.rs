//! The sharpest that stars of a PSF can be.

use crate::detect::matched::{Kernels, Sums};
use crate::image::PixelBox;
use crate::psf::{Placement, Psf};

/// Along each axis, the positions of a star within a pixel that are tried; the
/// first and the last lie on the pixel's edges.
const PHASES: usize = 9;

/// How bright a star's brightest pixel can be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Star {
    /// The brightest pixel, from the middle of the window.
    pub(super) brightest: (i64, i64),
    /// Over the amplitude fitted to the others; over that fitted without its
    /// eight neighbours. Infinite where that amplitude is not positive.
    pub(super) ratio: [f64; 2],
    /// The least that the mean of the pixels next to the brightest has of it;
    /// likewise of those one farther.
    pub(super) ring: [f64; 2],
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
        let phase = |i: usize| i as f64 / (PHASES - 1) as f64 - 0.5;
        for k in 0..PHASES * PHASES {
            let at = Placement {
                x: x + phase(k % PHASES),
                y: y + phase(k / PHASES),
                shape: &[],
            };
            psf.fill(at, window, &mut values);
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
        }
    }
}
