//! The spline in which an ePSF is solved for: coefficients, values, centre.

use crate::image::{Image, PixelBox};
use crate::psf::{Blend, Geometry, Placement, SampleAxis, SplineImage};

/// A bicubic spline on knots that divide the pixels, around the star.
///
/// Coefficients are stored as the stencils of [`Geometry`] read them: `shape`
/// rows and columns, one knot more on every side than the PSF has, and then
/// zeros, which a stencil at the edge reads with weight 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Basis {
    pub(crate) geometry: Geometry,
    /// Knots per pixel.
    pub(crate) knots: usize,
    /// Rows and columns of coefficients.
    pub(crate) shape: (usize, usize),
}

/// A star at the origin.
const CENTRE: Placement<'_> = Placement {
    x: 0.0,
    y: 0.0,
    shape: &[],
};

impl Basis {
    /// For a PSF that reaches `half = (y, x)` pixels to each side.
    pub(crate) fn new(half: (f64, f64), knots: usize) -> Self {
        // The margin takes up rounding of what is meant to end on a knot.
        let reach = |half: f64| ((half * knots as f64 - 1e-9).ceil() as usize).max(2);
        let axis = |reach: usize| SampleAxis {
            n: 2 * reach + 1,
            oversampling: knots as f64,
            origin: reach as f64,
        };
        let (y, x) = (axis(reach(half.0)), axis(reach(half.1)));
        Self {
            geometry: Geometry { x, y },
            knots,
            shape: (y.n + 2, x.n + 2),
        }
    }

    /// Numbers that hold the coefficients, those that are always zero included.
    pub(crate) fn len(&self) -> usize {
        (self.shape.0 + 1) * self.shape.1 + 1
    }

    /// The coefficients proper.
    pub(crate) fn n_coefficients(&self) -> usize {
        self.shape.0 * self.shape.1
    }

    /// Distance between rows of coefficients.
    pub(crate) fn stride(&self) -> usize {
        self.shape.1
    }

    /// Offset (x, y) of a coefficient's knot from the star, pixels.
    pub(crate) fn offset(&self, coefficient: usize) -> (f64, f64) {
        let at = |i: usize, n: usize| (i as f64 - (n - 1) as f64 / 2.0) / self.knots as f64;
        let (row, column) = (coefficient / self.shape.1, coefficient % self.shape.1);
        (at(column, self.shape.1), at(row, self.shape.0))
    }

    /// What the stencils read.
    pub(crate) fn blend<'a>(&self, coefficients: &'a [f64]) -> Blend<'a, 1> {
        Blend {
            planes: [coefficients],
            stride: self.stride(),
            weights: [1.0],
            by_x: [0.0],
            by_y: [0.0],
        }
    }

    /// The value at an offset from the star and its derivatives by the offset;
    /// beyond the spline that of its edge.
    pub(crate) fn value(&self, coefficients: &[f64], (x, y): (f64, f64)) -> (f64, f64, f64) {
        let blend = self.blend(coefficients);
        let (value, by_x, by_y) = self.geometry.continued(&blend, CENTRE, (x, y));
        (value, -by_x, -by_y)
    }

    /// The coefficients that the value at a point is made of, and their weights.
    pub(crate) fn taps(&self, (x, y): (f64, f64)) -> Vec<(usize, f64)> {
        let clamp = |p: f64, axis: &SampleAxis| {
            let (first, last) = axis.reach(0.0);
            p.clamp(first, last)
        };
        let (x, y) = (clamp(x, &self.geometry.x), clamp(y, &self.geometry.y));
        let at = Placement {
            x: -x,
            y: -y,
            shape: &[],
        };
        let mut taps = Vec::with_capacity(16);
        let window = PixelBox::new(0, 1, 0, 1);
        let n = self.n_coefficients();
        self.geometry
            .stencil_rows(self.stride(), at, window, |row| {
                for (r, wy) in row.wy.iter().enumerate() {
                    for (c, wx) in row.wx.iter().enumerate() {
                        let k = row.first + r * self.stride() + c;
                        if k < n && wx * wy != 0.0 {
                            taps.push((k, wx * wy));
                        }
                    }
                }
            });
        taps
    }

    /// Values at a grid of `shape = (ny, nx)` points around `centre = (x, y)`,
    /// `oversampling = (y, x)` of them per pixel.
    pub(crate) fn sample(
        &self,
        coefficients: &[f64],
        shape: (usize, usize),
        oversampling: (usize, usize),
        centre: (f64, f64),
    ) -> Vec<f64> {
        grid(shape, oversampling)
            .map(|(x, y)| self.value(coefficients, (x + centre.0, y + centre.1)).0)
            .collect()
    }

    /// The coefficients of the spline through `values` at the knots, all but the
    /// outermost; row by row.
    pub(crate) fn through(&self, values: &[f64]) -> Vec<f64> {
        let shape = (self.shape.0 - 2, self.shape.1 - 2);
        // The length is right by construction; zeros would be seen at once.
        Image::new(values, shape).map_or_else(
            |_| vec![0.0; self.len()],
            |image| SplineImage::new(image).coefficients().to_vec(),
        )
    }

    /// The spline of which the value at u is this one's at u + `shift`.
    pub(crate) fn shifted(&self, coefficients: &[f64], shift: (f64, f64)) -> Vec<f64> {
        let shape = (self.shape.0 - 2, self.shape.1 - 2);
        let values = self.sample(coefficients, shape, (self.knots, self.knots), shift);
        self.through(&values)
    }

    /// For each coefficient what `value(x, y)` gives at its knot.
    pub(crate) fn at_knots(&self, value: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        (0..self.n_coefficients())
            .map(|k| {
                let (x, y) = self.offset(k);
                value(x, y)
            })
            .collect()
    }
}

/// Offsets (x, y) of a grid of `shape = (ny, nx)` points around the star.
pub(crate) fn grid(
    shape: (usize, usize),
    oversampling: (usize, usize),
) -> impl Iterator<Item = (f64, f64)> {
    let at = |i: usize, n: usize, s: usize| (i as f64 - (n as f64 - 1.0) / 2.0) / s as f64;
    (0..shape.0).flat_map(move |j| {
        (0..shape.1).map(move |i| {
            (
                at(i, shape.1, oversampling.1),
                at(j, shape.0, oversampling.0),
            )
        })
    })
}

/// Within this distance of the centre, in pixels, a PSF's centre is that of its
/// symmetry.
const CORE: f64 = 1.5;

/// The offset around which the PSF is most like its mirror image, found from the
/// values and slopes that `psf(x, y)` gives: the centre of Anderson & King
/// (2000, PASP 112, 1360), by least squares. `None` without slopes.
pub(crate) fn symmetry_centre(psf: impl Fn(f64, f64) -> (f64, f64, f64)) -> Option<(f64, f64)> {
    const STEP: f64 = 0.125;
    let n = (CORE / STEP) as i32;
    let points: Vec<_> = (0..=n)
        .flat_map(|j| (-n..=n).map(move |i| (f64::from(i) * STEP, f64::from(j) * STEP)))
        .filter(|(x, y)| x.hypot(*y) <= CORE)
        .collect();
    let mut centre = (0.0, 0.0);
    for _ in 0..20 {
        let (mut xx, mut xy, mut yy, mut x, mut y) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (u, v) in &points {
            let (a, ax, ay) = psf(centre.0 + u, centre.1 + v);
            let (b, bx, by) = psf(centre.0 - u, centre.1 - v);
            let (r, dx, dy) = (b - a, ax - bx, ay - by);
            xx += dx * dx;
            xy += dx * dy;
            yy += dy * dy;
            x += dx * r;
            y += dy * r;
        }
        let determinant = xx * yy - xy * xy;
        let has_slopes = determinant > 1e-12 * xx * yy;
        if !has_slopes {
            return None;
        }
        let step = (
            (yy * x - xy * y) / determinant,
            (xx * y - xy * x) / determinant,
        );
        let limit = |s: f64| s.clamp(-0.25, 0.25);
        centre.0 = (centre.0 + limit(step.0)).clamp(-CORE, CORE);
        centre.1 = (centre.1 + limit(step.1)).clamp(-CORE, CORE);
        if step.0.hypot(step.1) < 1e-7 {
            break;
        }
    }
    Some(centre)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaussian(x: f64, y: f64) -> f64 {
        (-(x * x + y * y) / 2.5).exp()
    }

    #[test]
    fn a_spline_through_values_has_them_and_moves() {
        let basis = Basis::new((4.0, 5.5), 2);
        assert_eq!(basis.shape, (19, 25));
        let values: Vec<f64> = grid((17, 23), (2, 2))
            .map(|(x, y)| gaussian(x, y))
            .collect();
        let c = basis.through(&values);
        assert_eq!(c.len(), basis.len());
        assert!((basis.value(&c, (0.5, -1.0)).0 - gaussian(0.5, -1.0)).abs() < 1e-14);
        let moved = basis.shifted(&c, (0.1, -0.2));
        let expected = gaussian(0.4 + 0.1, -0.3 - 0.2);
        assert!((basis.value(&moved, (0.4, -0.3)).0 - expected).abs() < 3e-3);
        let centre = symmetry_centre(|x, y| basis.value(&moved, (x, y)));
        let (x, y) = centre.unwrap_or((f64::NAN, f64::NAN));
        assert!((x + 0.1).abs() < 1e-3 && (y - 0.2).abs() < 1e-3, "{x} {y}");
    }

    #[test]
    fn what_has_no_slope_has_no_centre() {
        assert_eq!(symmetry_centre(|_, _| (1.0, 0.0, 0.0)), None);
    }
}
