//! The PSF as it is known so far: splines, and what they deviate from.

use crate::image::PixelBox;
use crate::psf::{Placement, Psf};

use super::basis::Basis;
use super::field::TermWeight;

/// The PSF at a place is a sum of splines, and of a known PSF where there is one.
#[derive(Debug, Clone)]
pub(crate) struct Model<'a> {
    pub(crate) basis: Basis,
    /// Coefficients of each term.
    pub(crate) planes: Vec<Vec<f64>>,
    /// What the splines are the deviation from.
    pub(crate) base: Option<&'a dyn Psf>,
}

/// Buffers of a thread.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) coefficients: Vec<f64>,
    psi: Vec<f64>,
    slopes: Vec<f64>,
    values: Vec<f64>,
    gradient: Vec<f64>,
}

/// The sum of the terms' planes; without a copy where it is one of them.
pub(crate) fn blended<'a>(
    planes: &'a [Vec<f64>],
    terms: &[TermWeight],
    buffer: &'a mut Vec<f64>,
) -> &'a [f64] {
    if let [(term, weight)] = terms
        && weight.to_bits() == 1.0_f64.to_bits()
    {
        return &planes[*term];
    }
    buffer.clear();
    buffer.resize(planes[0].len(), 0.0);
    for (term, weight) in terms {
        let plane = &planes[*term];
        buffer
            .iter_mut()
            .zip(plane)
            .for_each(|(b, p)| *b += weight * p);
    }
    buffer
}

impl Model<'_> {
    /// Adds to the coefficients of each term.
    pub(crate) fn add(&mut self, step: &[Vec<f64>]) {
        for (plane, step) in self.planes.iter_mut().zip(step) {
            plane.iter_mut().zip(step).for_each(|(p, s)| *p += s);
        }
    }

    /// Values and derivatives by the position, those by x before those by y, on the
    /// pixels of `window`, for a star at (x, y) of a cutout that starts at `origin` of
    /// the frame.
    pub(crate) fn fill<'s>(
        &self,
        terms: &[TermWeight],
        (x, y): (f64, f64),
        origin: (f64, f64),
        window: PixelBox,
        scratch: &'s mut Scratch,
    ) -> (&'s [f64], &'s [f64]) {
        let n = window.len();
        scratch.psi.resize(n, 0.0);
        scratch.slopes.resize(2 * n, 0.0);
        let (psi, slopes) = (&mut scratch.psi[..], &mut scratch.slopes[..]);
        let at = Placement { x, y, shape: &[] };
        let coefficients = blended(&self.planes, terms, &mut scratch.coefficients);
        let blend = self.basis.blend(coefficients);
        let geometry = &self.basis.geometry;
        geometry.fill_with_gradient(&blend, at, window, psi, slopes);
        let Some(base) = self.base else {
            return (psi, slopes);
        };
        scratch.values.resize(n, 0.0);
        // A base may have shape parameters; only the position is fitted.
        scratch
            .gradient
            .resize(n * (2 + base.shape_names().len()), 0.0);
        let shift = (origin.0.round() as i64, origin.1.round() as i64);
        let window = PixelBox::new(
            window.x0 + shift.0,
            window.x1 + shift.0,
            window.y0 + shift.1,
            window.y1 + shift.1,
        );
        let at = Placement {
            x: x + shift.0 as f64,
            y: y + shift.1 as f64,
            shape: base.shape(),
        };
        let (values, gradient) = (&mut scratch.values[..n], &mut scratch.gradient[..]);
        base.fill_with_gradient(at, window, values, gradient);
        psi.iter_mut().zip(values).for_each(|(p, v)| *p += *v);
        let gradient = &gradient[..2 * n];
        slopes.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
        (psi, slopes)
    }

    /// Value and derivatives by the offset (x, y) from a star at `place` of the
    /// frame, with the terms there.
    pub(crate) fn value(
        &self,
        coefficients: &[f64],
        place: (f64, f64),
        offset: (f64, f64),
    ) -> (f64, f64, f64) {
        let (mut value, mut by_x, mut by_y) = self.basis.value(coefficients, offset);
        if let Some(base) = self.base {
            let at = Placement {
                x: place.0,
                y: place.1,
                shape: base.shape(),
            };
            let point = (place.0 + offset.0, place.1 + offset.1);
            let mut gradient = vec![0.0; 2 + base.shape_names().len()];
            value += base.value_and_gradient(at, point.0, point.1, &mut gradient);
            by_x -= gradient[0];
            by_y -= gradient[1];
        }
        (value, by_x, by_y)
    }
}
