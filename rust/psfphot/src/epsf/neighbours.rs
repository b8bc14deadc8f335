//! Symmetric matrices between neighbouring coefficients, and what makes them:
//! the pixels' weights, and the smoothness of the spline.

use super::banded::Banded;
use super::basis::Basis;

/// Columns that a coefficient is coupled to in one row: 3 to each side.
const ACROSS: usize = 7;
/// In its own row and the three before.
const COUPLED: usize = 4 * ACROSS;

/// The lower triangle of a matrix that couples coefficients no more than three
/// rows and three columns apart: for each coefficient those 0 to 3 rows before
/// it, and in each row from 3 columns before it to 3 after it.
#[derive(Debug, Clone)]
pub(crate) struct Neighbours {
    shape: (usize, usize),
    values: Vec<f64>,
}

impl Neighbours {
    /// Zeros.
    pub(crate) fn new(basis: &Basis) -> Self {
        Self {
            shape: basis.shape,
            // One row and one coefficient more, as coefficients are padded.
            values: vec![0.0; basis.len() * COUPLED],
        }
    }

    /// Adds what one pixel gives: `weight` times the products of the weights of
    /// its stencil, which starts at the coefficient `first`.
    pub(crate) fn add_stencil(
        &mut self,
        first: usize,
        weight: f64,
        wx: &[f64; 4],
        wy: &[f64; 4],
    ) {
        for (j, wy_j) in wy.iter().enumerate() {
            for (i, wx_i) in wx.iter().enumerate() {
                let row = first + j * self.shape.1 + i;
                let row = &mut self.values[row * COUPLED..(row + 1) * COUPLED];
                let here = weight * wy_j * wx_i;
                for (above, wy_l) in wy[..=j].iter().rev().enumerate() {
                    let couple = here * wy_l;
                    let start = above * ACROSS + 3 - i;
                    let n = if above == 0 { i + 1 } else { 4 };
                    for (value, wx_k) in row[start..start + n].iter_mut().zip(wx) {
                        *value += couple * wx_k;
                    }
                }
            }
        }
    }

    /// Adds `weight d dᵀ` for `d` with four values at `first` and every `step`
    /// coefficients: 1 along a row, the stride down a column.
    fn add_line(&mut self, first: usize, step: usize, weight: f64, d: &[f64; 4]) {
        for (a, d_a) in d.iter().enumerate() {
            for (b, d_b) in d[..=a].iter().enumerate() {
                let row = (first + a * step) * COUPLED;
                let at = if step == 1 {
                    3 - (a - b)
                } else {
                    (a - b) * ACROSS + 3
                };
                self.values[row + at] += weight * d_a * d_b;
            }
        }
    }

    /// Adds to the diagonal.
    pub(crate) fn add_diagonal(&mut self, coefficient: usize, value: f64) {
        self.values[coefficient * COUPLED + 3] += value;
    }

    /// The matrix times a number.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        Self {
            shape: self.shape,
            values: self.values.iter().map(|v| factor * v).collect(),
        }
    }

    /// Adds another matrix.
    pub(crate) fn add(&mut self, other: &Self) {
        for (a, b) in self.values.iter_mut().zip(&other.values) {
            *a += b;
        }
    }

    /// Adds the product with a vector to `out`.
    pub(crate) fn multiply_into(&self, v: &[f64], out: &mut [f64]) {
        self.each(|row, column, value| {
            out[row] += value * v[column];
            if row != column {
                out[column] += value * v[row];
            }
        });
    }

    /// Coefficients.
    pub(crate) fn n(&self) -> usize {
        self.shape.0 * self.shape.1
    }

    /// As a banded matrix.
    pub(crate) fn to_banded(&self) -> Banded {
        let n = self.n();
        let mut banded = Banded::new(n, (3 * self.shape.1 + 3).min(n - 1));
        self.each(|row, column, value| *banded.at(row, column) = value);
        banded
    }

    /// Calls `visit(row, column, value)` for the elements of the lower triangle.
    fn each(&self, mut visit: impl FnMut(usize, usize, f64)) {
        let (ny, nx) = self.shape;
        for row in 0..ny * nx {
            let (j, i) = (row / nx, row % nx);
            for above in 0..=3.min(j) {
                let last = if above == 0 { i } else { (i + 3).min(nx - 1) };
                for k in i.saturating_sub(3)..=last {
                    let value = self.values[row * COUPLED + above * ACROSS + 3 + k - i];
                    visit(row, (j - above) * nx + k, value);
                }
            }
        }
    }
}

/// The penalty on roughness: third differences of the coefficients along both
/// axes, in units of the standard deviation that `deviation` allows at each
/// knot, and the coefficients themselves in units of `ridge`.
pub(crate) fn smoothness(basis: &Basis, deviation: &[f64], ridge: Option<&[f64]>) -> Neighbours {
    const THIRD: [f64; 4] = [-1.0, 3.0, -3.0, 1.0];
    let mut matrix = Neighbours::new(basis);
    let (ny, nx) = basis.shape;
    for j in 0..ny {
        for i in 0..nx {
            let first = j * nx + i;
            for (room, step) in [(nx - i, 1), (ny - j, nx)] {
                if room > 3 {
                    // The difference is centred between the middle two.
                    let middle = [first + step, first + 2 * step].map(|k| deviation[k]);
                    let allowed = f64::midpoint(middle[0], middle[1]);
                    matrix.add_line(first, step, allowed.powi(-2), &THIRD);
                }
            }
            if let Some(ridge) = ridge {
                matrix.add_diagonal(first, ridge[first].powi(-2));
            }
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::PixelBox;
    use crate::psf::Placement;

    #[test]
    fn pixels_give_the_product_of_scatter_and_fill() {
        let basis = Basis::new((3.0, 4.0), 2);
        let window = PixelBox::new(0, 9, 0, 7);
        let at = Placement { x: 4.2, y: 2.7, shape: &[] };
        let weights: Vec<f64> = (0..window.len()).map(|k| 1.0 + (k % 5) as f64).collect();
        let mut matrix = Neighbours::new(&basis);
        basis.geometry.stencils(basis.stride(), at, window, |pixel, first, wx, wy| {
            matrix.add_stencil(first, weights[pixel], wx, wy);
        });
        let mut v = vec![0.0; basis.len()];
        for (k, v) in v[..basis.n_coefficients()].iter_mut().enumerate() {
            *v = ((k * 37) % 17) as f64 - 8.0;
        }
        let mut filled = vec![0.0; window.len()];
        basis.geometry.fill(&basis.blend(&v), at, window, &mut filled);
        filled.iter_mut().zip(&weights).for_each(|(f, w)| *f *= w);
        let mut expected = vec![0.0; basis.len()];
        basis.geometry.scatter(basis.stride(), at, window, &filled, &mut expected);
        let mut product = vec![0.0; basis.len()];
        matrix.multiply_into(&v, &mut product);
        for (a, b) in product.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-10, "{a} {b}");
        }
    }

    #[test]
    fn parabolas_are_smooth_and_the_band_holds_all() {
        let basis = Basis::new((3.0, 4.0), 1);
        let ones = vec![1.0; basis.n_coefficients()];
        let rough = smoothness(&basis, &ones, None);
        let parabola = basis.at_knots(|x, y| 1.0 + x * x - 2.0 * x * y + y * y);
        let mut product = vec![0.0; basis.n_coefficients()];
        rough.multiply_into(&parabola, &mut product);
        assert!(product.iter().all(|p| p.abs() < 1e-11));
        let matrix = smoothness(&basis, &ones, Some(&ones));
        let x = basis.at_knots(|x, y| (x * 1.3 + y).sin());
        let mut b = vec![0.0; x.len()];
        matrix.multiply_into(&x, &mut b);
        let mut factor = matrix.to_banded();
        assert!(factor.factor());
        factor.solve_lower(&mut b);
        factor.solve_upper(&mut b);
        assert!(b.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-10));
    }
}
