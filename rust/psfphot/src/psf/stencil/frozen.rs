//! A blend of images as it is at one place, kept while a source moves a little.

use crate::image::PixelBox;
use crate::psf::Placement;
use crate::simd::{Four, dispatch};

use super::{Blend, Geometry, SampleAxis};

/// How far from where it was blended it holds, pixels along each axis.
const MARGIN: f64 = 0.5;

/// With more samples per pixel the blend of all of them takes longer than it saves.
const MOST_SAMPLES: f64 = 36.0;

/// One image near a place that stands for a PSF that is blended of several, and
/// takes a fraction of the time to evaluate.
///
/// Its values and slopes at the place where it was blended are those of the PSF but
/// for what the blend itself changes by with the place.
#[derive(Debug, Clone, Default)]
pub struct Frozen {
    /// Coefficients of the samples around the window.
    coefficients: Vec<f64>,
    stride: usize,
    /// Of these samples; `None` where there are none.
    geometry: Option<Geometry>,
    /// Where it was blended.
    x: f64,
    y: f64,
}

impl Frozen {
    /// Whether it may stand for the PSF at a place: not far from where it was blended.
    pub(crate) fn holds(&self, at: Placement<'_>) -> bool {
        let is_near = (at.x - self.x).abs() <= MARGIN && (at.y - self.y).abs() <= MARGIN;
        self.geometry.is_some() && is_near
    }

    /// As [`Psf::fill_with_gradient`](crate::psf::Psf::fill_with_gradient), of the image
    /// and for the window of which it was made.
    pub(crate) fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        let Some(geometry) = self.geometry else {
            return;
        };
        let image = Blend {
            planes: [&self.coefficients],
            stride: self.stride,
            weights: [1.0],
            by_x: [0.0],
            by_y: [0.0],
        };
        geometry.fill_with_gradient(&image, at, window, values, gradient);
    }
}

impl SampleAxis {
    /// The first of the samples that a source near `position` has in the pixels from
    /// `first` to `last`, and these samples as an axis of their own.
    fn part(&self, position: f64, (first, last): (i64, i64)) -> Option<(usize, Self)> {
        let end = (self.n - 1) as f64;
        let (first, last) = (first as f64, last as f64);
        // Those on either side of the outermost points, and one for rounding.
        let low = (self.sample(first, position + MARGIN).floor() - 1.0).max(0.0);
        let high = (self.sample(last, position - MARGIN).ceil() + 1.0).min(end);
        let part = Self {
            n: (high - low) as usize + 1,
            origin: self.origin - low,
            ..*self
        };
        (position.is_finite() && high > low).then_some((low as usize, part))
    }
}

impl Geometry {
    /// Makes the blend an image of its own for the pixels of `window`; returns whether
    /// that saves time.
    pub(crate) fn freeze<const K: usize>(
        &self,
        blend: &Blend<'_, K>,
        at: Placement<'_>,
        window: PixelBox,
        frozen: &mut Frozen,
    ) -> bool {
        frozen.geometry = None;
        let is_whole = self.x.step().is_some() && self.y.step().is_some();
        if !is_whole || self.x.oversampling * self.y.oversampling > MOST_SAMPLES {
            return false;
        }
        let part_x = self.x.part(at.x, (window.x0, window.x1 - 1));
        let part_y = self.y.part(at.y, (window.y0, window.y1 - 1));
        let (Some((x0, x)), Some((y0, y))) = (part_x, part_y) else {
            return false;
        };
        // A spline has a coefficient more than samples on each side. What stands in the
        // last vector of a row besides, and in a row more for the stencil of the very
        // last sample, has weight 0.
        let (stride, rows) = ((x.n + 2).next_multiple_of(4), y.n + 2);
        frozen.coefficients.resize((rows + 1) * stride + 1, 0.0);
        let start = y0 * blend.stride + x0;
        blend_part(blend, start, (stride, rows), &mut frozen.coefficients);
        frozen.stride = stride;
        frozen.geometry = Some(Self { x, y });
        (frozen.x, frozen.y) = (at.x, at.y);
        true
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernels
fn blend_part_kernel<const FMA: bool, const K: usize>(
    blend: &Blend<'_, K>,
    start: usize,
    (width, height): (usize, usize),
    out: &mut [f64],
) {
    let splats = blend.weights.map(Four::<FMA>::splat);
    for (y, out) in out.chunks_exact_mut(width).take(height).enumerate() {
        let first = start + y * blend.stride;
        let mut rows = [&[][..]; K];
        for (row, plane) in rows.iter_mut().zip(blend.planes) {
            *row = plane[first..][..width].as_chunks::<4>().0;
        }
        for (c, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let mut sum = Four::ZERO;
            for (row, weight) in rows.iter().zip(&splats) {
                sum = weight.mul_add(Four::new(&row[c]), sum);
            }
            sum.store(out);
        }
    }
}

dispatch! {
    /// The blend of a part of the images, row by row of whole vectors.
    fn blend_part[const K: usize](
        blend: &Blend<'_, K>, start: usize, size: (usize, usize), out: &mut [f64],
    ) = blend_part_kernel[K]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psf::{GriddedPsf, Psf, Sampling};
    use crate::{Error, Run};

    const NODES: [(f64, f64); 4] = [(0.0, 0.0), (100.0, 0.0), (0.0, 100.0), (100.0, 100.0)];

    /// Four Gaussians of different widths, of 13 x 13 pixels.
    fn grid(oversampling: usize) -> Result<GriddedPsf, Error> {
        let (n, step) = (13 * oversampling, oversampling as f64);
        let planes: Vec<f64> = (0..4 * n * n)
            .map(|k| {
                let offset = |i: usize| (i as f64 - (n - 1) as f64 / 2.0) / step;
                let (x, y) = (offset(k % n), offset(k / n % n));
                let width = 1.0 + 0.1 * (k / (n * n)) as f64;
                (-(x * x + 1.2 * y * y) / (2.0 * width * width)).exp()
            })
            .collect();
        let sampling = Sampling::new((step, step));
        GriddedPsf::new(&planes, (n, n), &NODES, sampling, Run::default())
    }

    fn place(x: f64, y: f64) -> Placement<'static> {
        Placement { x, y, shape: &[] }
    }

    /// The largest differences of values and of derivatives, where the image of one
    /// place stands for the PSF at another.
    fn differences(
        psf: &GriddedPsf,
        frozen: &mut Frozen,
        (from, to): (Placement<'_>, Placement<'_>),
        window: PixelBox,
    ) -> (f64, f64) {
        assert!(psf.freeze(from, window, frozen) && frozen.holds(to));
        let n = window.len();
        let (mut exact, mut image) = (vec![0.0; 3 * n], vec![f64::NAN; 3 * n]);
        let (values, gradient) = exact.split_at_mut(n);
        psf.fill_with_gradient(to, window, values, gradient);
        let (values, gradient) = image.split_at_mut(n);
        frozen.fill_with_gradient(to, window, values, gradient);
        let difference = |(a, b): (&f64, &f64)| (a - b).abs();
        let pixels: Vec<f64> = exact.iter().zip(&image).map(difference).collect();
        let largest = |differences: &[f64]| {
            assert!(differences.iter().all(|d| d.is_finite()));
            differences.iter().copied().fold(0.0, f64::max)
        };
        (largest(&pixels[..n]), largest(&pixels[n..]))
    }

    #[test]
    fn the_image_is_the_psf_but_for_the_change_of_the_blend() -> Result<(), Error> {
        let mut frozen = Frozen::default();
        for oversampling in [1, 2, 4, 5] {
            let psf = grid(oversampling)?;
            // In the middle, over the PSF's edges, and at an end of the margin.
            for window in [
                PixelBox::new(37, 44, 55, 66),
                PixelBox::new(30, 50, 52, 56),
                PixelBox::new(40, 41, 60, 80),
            ] {
                let at = place(40.3, 60.8);
                let (value, slope) = differences(&psf, &mut frozen, (at, at), window);
                assert!(value < 1e-14 && slope < 2e-3, "{value} {slope}");
                for to in [place(40.8, 60.3), place(39.8, 61.3), place(40.0, 61.0)] {
                    let (value, slope) = differences(&psf, &mut frozen, (at, to), window);
                    assert!(value < 2e-3 && slope < 4e-3, "{value} {slope}");
                }
                // Beyond the nodes the blend does not change.
                let shift = |at: i64| at + 100;
                let window = PixelBox::new(
                    shift(window.x0),
                    shift(window.x1),
                    shift(window.y0),
                    shift(window.y1),
                );
                let pair = (place(140.3, 160.8), place(140.7, 160.4));
                let (value, slope) = differences(&psf, &mut frozen, pair, window);
                assert!(value < 1e-14 && slope < 1e-13, "{value} {slope}");
            }
        }
        Ok(())
    }

    #[test]
    fn it_holds_near_where_it_was_made_alone() -> Result<(), Error> {
        let (psf, window) = (grid(4)?, PixelBox::new(37, 44, 55, 66));
        let mut frozen = Frozen::default();
        assert!(!frozen.holds(place(0.0, 0.0)));
        assert!(psf.freeze(place(40.3, 60.8), window, &mut frozen));
        assert!(frozen.holds(place(40.7, 60.4)));
        for at in [place(40.9, 60.8), place(40.3, 60.2), place(f64::NAN, 60.8)] {
            assert!(!frozen.holds(at), "{at:?}");
        }
        // Nothing of the PSF is in the window, or there is no whole number of samples, or
        // there are too many.
        assert!(!psf.freeze(place(90.0, 60.0), window, &mut frozen));
        assert!(!frozen.holds(place(40.3, 60.8)));
        assert!(!psf.freeze(place(f64::NAN, 60.0), window, &mut frozen));
        assert!(!psf.freeze(place(f64::INFINITY, 60.0), window, &mut frozen));
        assert!(!grid(7)?.freeze(place(40.3, 60.8), window, &mut frozen));
        let planes = [1.0; 4 * 16];
        let sampling = Sampling::new((1.5, 2.0));
        let odd = GriddedPsf::new(&planes, (4, 4), &NODES, sampling, Run::default())?;
        assert!(!odd.freeze(place(40.3, 60.8), window, &mut frozen));
        Ok(())
    }
}
