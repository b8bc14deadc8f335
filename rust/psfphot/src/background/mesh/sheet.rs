//! A bicubic spline on a regular mesh of nodes, and what it is at the pixels.
//!
//! ```text
//! s(u, v) = Σ_ij c_ij B(u − i) B(v − j)
//! ```
//!
//! with the centred cubic B-spline `B`; nodes lie at whole u and v. Coefficients
//! of two nodes beyond each edge are kept, so that the four around any pixel
//! within a node's distance of the mesh are there. Which spline it is, is said
//! by what lies beyond the edges: see the constructors.

use std::ops::Range;

use super::cuts::check_box_shape;
use super::rendered::{Rendered, Stencil};
use crate::image::{Image, Pixel};
use crate::psf::cubic_weights;
use crate::{Error, Run};

/// Coefficients beyond each edge of the mesh.
pub(super) const MARGIN: usize = 2;

/// A spline on a mesh of (rows, columns) nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// (rows, columns) of coefficients, margins included.
    shape: (usize, usize),
    coefficients: Vec<f64>,
}

impl Sheet {
    /// The spline through nodes that are mirrored about the outer edges of
    /// their cells, half a node beyond the last: that of
    /// `scipy.ndimage.zoom(mode='reflect')`.
    pub(super) fn mirrored(nodes: Image<'_, f64>) -> Self {
        Self::along_both(nodes, |f| {
            let n = f.len();
            let c = solve(f, 5.0, [0.0, 0.0]);
            // n nodes and their mirror images recur after 2n.
            let mirror = |k: usize| if k < n { c[k] } else { c[2 * n - 1 - k] };
            let beyond = |k: usize| mirror(k % (2 * n));
            (2 * n - MARGIN % (2 * n)..)
                .take(n + 2 * MARGIN)
                .map(beyond)
                .collect()
        })
    }

    /// The spline through nodes that go on beyond the edges as the parabola
    /// through the three outer ones; of two in a straight line.
    ///
    /// In the outer half of the outer boxes a straight line misses an eighth of
    /// the second difference of the nodes, which of a curved sky is more than the
    /// noise of three nodes.
    pub(super) fn continued(nodes: Image<'_, f64>) -> Self {
        Self::along_both(nodes, |f| {
            let n = f.len();
            let (low, high) = (beyond(|k| f[k], n), beyond(|k| f[n - 1 - k], n));
            let inner = solve(f, 4.0, [low, high]);
            let farther = |near: f64, at: &dyn Fn(usize) -> f64| match n {
                1 => near,
                _ => 3.0 * near - 3.0 * at(0) + at(1),
            };
            let lowest = farther(low, &|k| inner[k]);
            let highest = farther(high, &|k| inner[n - 1 - k]);
            let (before, behind) = ([lowest, low], [high, highest]);
            before.into_iter().chain(inner).chain(behind).collect()
        })
    }

    /// The spline of a polynomial of up to the fifth degree, on a mesh of
    /// `shape`: through all its nodes, up to infinity. `value` takes (v, u).
    pub(super) fn polynomial(shape: (usize, usize), value: impl Fn(f64, f64) -> f64) -> Self {
        // The inverse of 1 + δ²/6, exact because sixth differences are 0.
        const TAPS: [f64; 5] = [
            1.0 / 36.0,
            -1.0 / 6.0 - 4.0 / 36.0,
            1.0 + 2.0 / 6.0 + 6.0 / 36.0,
            -1.0 / 6.0 - 4.0 / 36.0,
            1.0 / 36.0,
        ];
        let (rows, columns) = (shape.0 + 2 * MARGIN, shape.1 + 2 * MARGIN);
        let at = |k: usize| k as f64 - (2 * MARGIN) as f64;
        let taps = |f: &[f64]| f.iter().zip(TAPS).map(|(f, t)| f * t).sum::<f64>();
        let mut sums = vec![vec![0.0; rows + 2 * MARGIN]; columns];
        for j in 0..rows + 2 * MARGIN {
            let line: Vec<f64> = (0..columns + 2 * MARGIN)
                .map(|i| value(at(j), at(i)))
                .collect();
            for (column, window) in sums.iter_mut().zip(line.windows(TAPS.len())) {
                column[j] = taps(window);
            }
        }
        let mut coefficients = Vec::with_capacity(rows * columns);
        for j in 0..rows {
            coefficients.extend(sums.iter().map(|column| taps(&column[j..j + TAPS.len()])));
        }
        Self {
            shape: (rows, columns),
            coefficients,
        }
    }

    /// Runs `extend`, from the values at nodes to coefficients with margins,
    /// along rows and then along columns.
    fn along_both(nodes: Image<'_, f64>, extend: impl Fn(&[f64]) -> Vec<f64>) -> Self {
        let (ny, nx) = nodes.shape();
        let lines: Vec<Vec<f64>> = (0..ny).map(|j| extend(nodes.row(j))).collect();
        let (rows, columns) = (ny + 2 * MARGIN, nx + 2 * MARGIN);
        let mut coefficients = vec![0.0; rows * columns];
        for i in 0..columns {
            let column: Vec<f64> = lines.iter().map(|line| line[i]).collect();
            for (j, c) in extend(&column).into_iter().enumerate() {
                coefficients[j * columns + i] = c;
            }
        }
        Self {
            shape: (rows, columns),
            coefficients,
        }
    }

    /// Adds another one on the same mesh.
    pub(super) fn add(&mut self, other: &Self) {
        for (c, other) in self.coefficients.iter_mut().zip(&other.coefficients) {
            *c += other;
        }
    }

    /// A sheet of its coefficients, margins of two nodes included.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are too few for one node.
    pub fn of_coefficients(coefficients: Image<'_, f64>) -> Result<Self, Error> {
        let shape = coefficients.shape();
        if shape.0 <= 2 * MARGIN || shape.1 <= 2 * MARGIN {
            let got = format!("{} x {}", shape.0, shape.1);
            return Err(Error::invalid("coefficients", "be at least 5 x 5", got));
        }
        Ok(Self {
            shape,
            coefficients: coefficients.as_slice().to_vec(),
        })
    }

    /// The coefficients and their shape, margins of two nodes included.
    #[must_use]
    pub fn into_coefficients(self) -> (Vec<f64>, (usize, usize)) {
        (self.coefficients, self.shape)
    }

    /// The spline in a window of an image of `shape`, which its boxes cover
    /// evenly; no value is below or above the limits.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the window is not in the image;
    /// [`Error::Cancelled`].
    pub fn window<T: Pixel>(
        &self,
        shape: (usize, usize),
        (rows, columns): (Range<usize>, Range<usize>),
        limits: (f64, f64),
        run: Run<'_>,
    ) -> Result<Vec<T>, Error> {
        let is_inside = |range: &Range<usize>, n| range.start <= range.end && range.end <= n;
        if !is_inside(&rows, shape.0) || !is_inside(&columns, shape.1) {
            let got = format!("{rows:?}, {columns:?}");
            return Err(Error::invalid("window", "lie in the image", got));
        }
        self.rendered(shape, self.step_over(shape), rows, columns)
            .image(limits, run)
    }

    /// How many pixels of an image its nodes are apart, if they cover it evenly.
    fn step_over(&self, shape: (usize, usize)) -> (f64, f64) {
        let nodes = (self.shape.0 - 2 * MARGIN, self.shape.1 - 2 * MARGIN);
        (
            shape.0 as f64 / nodes.0 as f64,
            shape.1 as f64 / nodes.1 as f64,
        )
    }

    /// The spline at the pixels of an image that its boxes cover evenly.
    pub(super) fn over(&self, shape: (usize, usize)) -> Rendered {
        self.render(shape, self.step_over(shape))
    }

    /// The spline at the pixels of an image of `shape`; nodes are `step` pixels
    /// apart, and the first lies `step / 2` from the image's lower edges.
    pub(super) fn render(&self, shape: (usize, usize), step: (f64, f64)) -> Rendered {
        self.rendered(shape, step, 0..shape.0, 0..shape.1)
    }

    fn rendered(
        &self,
        shape: (usize, usize),
        step: (f64, f64),
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Rendered {
        let columns = &stencils(shape.1, step.1, self.shape.1)[columns];
        let rows = &stencils(shape.0, step.0, self.shape.0)[rows];
        Rendered::new(self.coefficients.chunks_exact(self.shape.1), columns, rows)
    }
}

/// The coefficient one node beyond the edge of `n` nodes, of which `f` tells the
/// one so many from the edge: that of the parabola through the outer three.
fn beyond(f: impl Fn(usize) -> f64, n: usize) -> f64 {
    let curvature = if n > 2 { f(0) - 2.0 * f(1) + f(2) } else { 0.0 };
    let slope = if n > 1 { f(0) - f(1) } else { 0.0 };
    // The value there, less a sixth of the second difference.
    f(0) + slope + curvature * (5.0 / 6.0)
}

/// Solves `(c_{i−1} + 4 c_i + c_{i+1}) / 6 = f_i`, with `end` in place of the 4
/// in the first and last equation (its sum with 4, less 4, in the only one) and
/// known coefficients beyond.
fn solve(f: &[f64], end: f64, beyond: [f64; 2]) -> Vec<f64> {
    let n = f.len();
    let mut c: Vec<f64> = f.iter().map(|f| 6.0 * f).collect();
    c[0] -= beyond[0];
    c[n - 1] -= beyond[1];
    if n == 1 {
        c[0] /= 2.0 * end - 4.0;
        return c;
    }
    let diagonal = |i: usize| if i == 0 || i == n - 1 { end } else { 4.0 };
    let mut factors = vec![1.0 / end; n];
    c[0] *= factors[0];
    for i in 1..n {
        factors[i] = 1.0 / (diagonal(i) - factors[i - 1]);
        c[i] = (c[i] - c[i - 1]) * factors[i];
    }
    for i in (0..n - 1).rev() {
        c[i] -= factors[i] * c[i + 1];
    }
    c
}

/// Of each of `n` pixels: the first of the four coefficients around it, of
/// `count`, and their weights.
fn stencils(n: usize, step: f64, count: usize) -> Vec<Stencil> {
    (0..n)
        .map(|k| {
            let node = (k as f64 + 0.5) / step - 0.5 + MARGIN as f64;
            let below = (node.floor() as usize).clamp(1, count - 3);
            (below - 1, cubic_weights(node - below as f64))
        })
        .collect()
}

/// Nodes interpolated to the pixels of an image of `shape`, whose boxes of
/// `box_shape` pixels they are the centres of: by the bicubic spline of
/// `scipy.ndimage.zoom(order=3, mode='reflect', grid_mode=True)`, held within
/// the range of the nodes if `clip` says so.
///
/// # Errors
/// [`Error::ShapeMismatch`] unless as many boxes cover the image as there are
/// nodes; [`Error::Cancelled`].
pub fn zoom<T: Pixel>(
    nodes: Image<'_, f64>,
    box_shape: (usize, usize),
    shape: (usize, usize),
    clip: bool,
    run: Run<'_>,
) -> Result<Vec<T>, Error> {
    check_box_shape(box_shape)?;
    let (ny, nx) = (shape.0.div_ceil(box_shape.0), shape.1.div_ceil(box_shape.1));
    if nodes.shape() != (ny, nx) {
        return Err(Error::ShapeMismatch {
            argument: "nodes",
            expected: vec![ny, nx],
            got: vec![nodes.shape().0, nodes.shape().1],
        });
    }
    if nx == 0 || ny == 0 {
        return Ok(Vec::new());
    }
    let limits = if clip {
        range(nodes.as_slice())
    } else {
        (f64::NEG_INFINITY, f64::INFINITY)
    };
    let step = (box_shape.0 as f64, box_shape.1 as f64);
    let rendered = Sheet::mirrored(nodes).render(shape, step);
    rendered.image(limits, run)
}

/// The lowest and the highest of some values; NaN are passed over.
pub(super) fn range(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| {
            (low.min(v), high.max(v))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

    /// Some numbers that no low polynomial fits.
    fn nodes(n: usize) -> Vec<f64> {
        (0..n).map(|k| ((k * k * 7919) % 103) as f64).collect()
    }

    #[test]
    fn both_splines_go_through_their_nodes() -> Result<(), Error> {
        for shape in [(1, 1), (1, 4), (2, 3), (7, 5)] {
            let values = nodes(shape.0 * shape.1);
            let image = Image::new(&values, shape)?;
            for sheet in [Sheet::mirrored(image), Sheet::continued(image)] {
                // Three pixels a node: the middle ones are the nodes.
                let pixels = (3 * shape.0, 3 * shape.1);
                let rendered = sheet.render(pixels, (3.0, 3.0));
                let all: Vec<f64> = rendered.image(EVERYTHING, Run::new())?;
                for (k, value) in values.iter().enumerate() {
                    let (y, x) = (k / shape.1, k % shape.1);
                    let pixel = all[(3 * y + 1) * pixels.1 + 3 * x + 1];
                    assert!((pixel - value).abs() < 1e-11, "{shape:?} {k}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_window_is_a_part_of_the_whole() -> Result<(), Error> {
        let (shape, run) = ((37, 53), Run::new());
        let values = nodes(12);
        let sheet = Sheet::continued(Image::new(&values, (3, 4))?);
        let whole: Vec<f64> = sheet.over(shape).image((1.0, 90.0), run)?;
        let (coefficients, of) = sheet.into_coefficients();
        let again = Sheet::of_coefficients(Image::new(&coefficients, of)?)?;
        let part: Vec<f64> = again.window(shape, (5..30, 20..53), (1.0, 90.0), run)?;
        for (row, line) in part.chunks_exact(33).enumerate() {
            assert_eq!(line, &whole[(row + 5) * 53 + 20..(row + 6) * 53]);
        }
        let beyond = again.window::<f64>(shape, (0..38, 0..2), EVERYTHING, run);
        assert!(beyond.is_err());
        assert!(Sheet::of_coefficients(Image::new(&values, (3, 4))?).is_err());
        Ok(())
    }

    #[test]
    fn polynomials_and_parabolas_are_kept() -> Result<(), Error> {
        let quintic = |v: f64, u: f64| v - u.powi(5) / 40.0 + (u * v).powi(2) / 9.0;
        let parabolic = |v: f64, u: f64| 3.0 * v - 2.0 * u + 1.0 + v * v - 0.3 * (u * v).powi(2);
        let values: Vec<f64> = (0..20)
            .map(|k| parabolic(f64::from(k / 5), f64::from(k % 5)))
            .collect();
        let continued = Sheet::continued(Image::new(&values, (4, 5))?);
        let mut sum = Sheet::polynomial((4, 5), parabolic);
        sum.add(&continued);
        let shape = (40, 50);
        let all: Vec<f64> = sum
            .render(shape, (10.0, 10.0))
            .image(EVERYTHING, Run::new())?;
        for (k, value) in all.iter().enumerate() {
            let at = |p: usize| (p as f64 + 0.5) / 10.0 - 0.5;
            assert!((value - 2.0 * parabolic(at(k / 50), at(k % 50))).abs() < 1e-11);
        }
        // A cubic spline is a quintic at the nodes alone.
        let sheet = Sheet::polynomial((4, 5), quintic).render((4, 5), (1.0, 1.0));
        let mut row = [0.0; 5];
        for v in 0..4 {
            sheet.row(v, 0..5, &mut row);
            for (u, value) in row.iter().enumerate() {
                assert!((value - quintic(v as f64, u as f64)).abs() < 1e-11);
            }
        }
        Ok(())
    }

    #[test]
    fn the_zoom_of_a_step_is_scipys() -> Result<(), Error> {
        // scipy.ndimage.zoom([[0, 0, 1]], (1, 4), mode='reflect', grid_mode=True)
        let expected = [
            0.046_874_999_999_999_96,
            0.021_874_999_999_999_978,
            -0.027_343_75,
            -0.082_031_249_999_999_97,
            -0.105_468_750_000_000_07,
            -0.060_156_249_999_999_93,
            0.089_453_125_000_000_01,
            0.333_984_375_000_000_1,
            0.619_140_624_999_999_9,
            0.888_671_874_999_999_9,
            1.087_499_999_999_999_7,
        ];
        let nodes = Image::new(&[0.0, 0.0, 1.0], (1, 3))?;
        let zoomed: Vec<f64> = zoom(nodes, (1, 4), (1, 11), false, Run::new())?;
        for (value, expected) in zoomed.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-12, "{zoomed:?}");
        }
        let clipped: Vec<f64> = zoom(nodes, (1, 4), (1, 12), true, Run::new())?;
        assert_eq!(range(&clipped), (0.0, 1.0));
        assert!(zoom::<f64>(nodes, (1, 4), (1, 13), true, Run::new()).is_err());
        Ok(())
    }
}
