//! What the pixels around one say of a star there.

use crate::detect::matched::Sums;
use crate::image::{Frame, Pixel, PixelBox};

/// The pixels around one.
pub(super) struct Around {
    /// With weights 1.
    pub(super) sums: Sums,
    /// With their variances in the place of weights, of no data.
    variances: Sums,
    /// How much of the squared kernel they and the pixels found hold.
    pub(super) coverage: f64,
    /// How much they alone hold.
    pub(super) left: f64,
    /// Mean of the nearest of them.
    pub(super) ring: f64,
    /// The lower quartile of their values.
    pub(super) low: f64,
}

impl Around {
    /// The window of `side` pixels of a kernel whose `brightest` pixel, from its
    /// middle, is at `at`.
    pub(super) fn window(at: (usize, usize), brightest: (i64, i64), side: usize) -> PixelBox {
        let middle = |at: usize, shift: i64| (at as i64 - shift) as f64;
        let (x, y) = (middle(at.0, brightest.0), middle(at.1, brightest.1));
        PixelBox::around(x, y, (side, side))
    }

    /// The usable pixels of a window, without those within `reach` of `at` and
    /// those found.
    pub(super) fn new<T: Pixel>(
        frame: &Frame<'_, T>,
        found: &[bool],
        at: (usize, usize),
        (window, kernel): (PixelBox, &[f64]),
        reach: i64,
    ) -> Self {
        let (px, py) = (at.0 as i64, at.1 as i64);
        let side = window.width();
        let usable = window.intersection(&frame.data().bounds());
        let (mut sums, mut variances) = (Sums::default(), Sums::default());
        let (mut usable_part, mut used, mut whole) = (0.0, 0.0, 0.0);
        let (mut ring, mut n_ring, mut values) = (0.0, 0.0, Vec::with_capacity(kernel.len()));
        for (k, p) in kernel.iter().enumerate() {
            let (x, y) = (window.x0 + (k % side) as i64, window.y0 + (k / side) as i64);
            whole += if (x - px).abs().max((y - py).abs()) > reach {
                p * p
            } else {
                0.0
            };
        }
        let nx = frame.data().shape().1;
        for y in usable.y0..usable.y1 {
            let start = window.index_of(usable.x0, y);
            let columns = usable.columns();
            let found = &found[y as usize * nx + columns.start..];
            let row = frame.row_pixels(y as usize, columns).zip(found);
            for ((x, p), (pixel, found)) in (usable.x0..).zip(&kernel[start..]).zip(row) {
                let distance = (x - px).abs().max((y - py).abs());
                let Some((value, weight)) = pixel.filter(|_| distance > reach) else {
                    continue;
                };
                usable_part += p * p;
                if !found {
                    if distance == reach + 1 {
                        ring += value;
                        n_ring += 1.0;
                    }
                    values.push(value);
                    sums.add(1.0, *p, value);
                    variances.add(1.0 / weight, *p, 0.0);
                    used += p * p;
                }
            }
        }
        Self {
            sums,
            variances,
            coverage: usable_part / whole,
            left: used / whole,
            ring: ring / n_ring,
            low: lower_quartile(&mut values),
        }
    }

    /// The error of the amplitude, which is the sum of (P − mean P)·D over the
    /// `precision`.
    pub(super) fn error(&self, precision: f64) -> f64 {
        let mean = self.sums.wp / self.sums.w;
        let Sums { w, wp, wpp, .. } = self.variances;
        (wpp - 2.0 * mean * wp + mean * mean * w).sqrt() / precision
    }
}

/// NaN of nothing.
fn lower_quartile(values: &mut [f64]) -> f64 {
    let quarter = values.len() / 4;
    if values.is_empty() {
        return f64::NAN;
    }
    *values.select_nth_unstable_by(quarter, f64::total_cmp).1
}
