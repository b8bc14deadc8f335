//! Symmetric matrices between neighbouring coefficients, and what makes them:
//! the pixels' weights, and the smoothness of the spline.

use crate::psf::StencilRow;

use super::banded::{Banded, add_scaled};
use super::basis::Basis;

/// Columns that a coefficient is coupled to in one row: 3 to each side.
const ACROSS: usize = 7;
/// Rows: its own and the three before.
const ROWS: usize = 4;

/// The lower triangle of a matrix that couples coefficients no more than three
/// rows and three columns apart.
///
/// For those in the same row, in the row before, and so on: for each coefficient
/// its seven from 3 columns before it to 3 after it, of which in the same row only
/// the first four are used.
#[derive(Debug, Clone)]
pub(crate) struct Neighbours {
    shape: (usize, usize),
    /// Numbers of one row apart, padded as coefficients are.
    plane: usize,
    values: Vec<f64>,
    line: Vec<f64>,
}

impl Neighbours {
    /// Zeros.
    pub(crate) fn new(basis: &Basis) -> Self {
        let plane = basis.len() * ACROSS;
        Self {
            shape: basis.shape,
            plane,
            values: vec![0.0; ROWS * plane],
            line: Vec::new(),
        }
    }

    /// Where the coupling to the coefficient `rows` before and `columns` after is.
    fn index(&self, coefficient: usize, rows: usize, columns: i64) -> usize {
        rows * self.plane + coefficient * ACROSS + (columns + 3) as usize
    }

    /// Adds what a row of pixels gives: `factor` times each one's weight times the
    /// products of the weights of its stencil.
    pub(crate) fn add_row(&mut self, row: &StencilRow, factor: f64, weights: &[f64]) {
        // Summed over the pixels, for all rows of their stencils alike.
        let n = row.step * weights.len().saturating_sub(1) + 4;
        self.line.clear();
        self.line.resize(n * ACROSS, 0.0);
        let products = row.wx.map(|a| row.wx.map(|b| a * b));
        for (k, weight) in weights.iter().enumerate() {
            let weight = factor * weight;
            for (i, products) in products.iter().enumerate() {
                let start = (k * row.step + i) * ACROSS + 3 - i;
                let couplings = &mut self.line[start..start + 4];
                for (coupling, product) in couplings.iter_mut().zip(products) {
                    *coupling += weight * product;
                }
            }
        }
        for (j, wy) in row.wy.iter().enumerate() {
            for (rows, wy_before) in row.wy[..=j].iter().rev().enumerate() {
                let start = rows * self.plane + (row.first + j * self.shape.1) * ACROSS;
                let values = &mut self.values[start..start + self.line.len()];
                add_scaled(wy * wy_before, &self.line, values);
            }
        }
    }

    /// Adds `weight d dᵀ` for `d` with four values at `first` and every `step`
    /// coefficients: 1 along a row, the stride down a column.
    fn add_line(&mut self, first: usize, step: usize, weight: f64, d: &[f64; 4]) {
        for (a, d_a) in d.iter().enumerate() {
            for (b, d_b) in d[..=a].iter().enumerate() {
                let at = if step == 1 {
                    self.index(first + a, 0, b as i64 - a as i64)
                } else {
                    self.index(first + a * step, a - b, 0)
                };
                self.values[at] += weight * d_a * d_b;
            }
        }
    }

    /// Adds to the diagonal.
    pub(crate) fn add_diagonal(&mut self, coefficient: usize, value: f64) {
        let at = self.index(coefficient, 0, 0);
        self.values[at] += value;
    }

    /// The matrix times a number.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        Self {
            values: self.values.iter().map(|v| factor * v).collect(),
            ..self.clone()
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
                    let value = self.values[self.index(row, above, k as i64 - i as i64)];
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
        let at = Placement {
            x: 4.2,
            y: 2.7,
            shape: &[],
        };
        let weights: Vec<f64> = (0..window.len()).map(|k| 1.0 + (k % 5) as f64).collect();
        let mut matrix = Neighbours::new(&basis);
        basis
            .geometry
            .stencil_rows(basis.stride(), at, window, |row| {
                matrix.add_row(
                    row,
                    1.0,
                    &weights[row.pixels.0..row.pixels.0 + row.pixels.1],
                );
            });
        let mut v = vec![0.0; basis.len()];
        for (k, v) in v[..basis.n_coefficients()].iter_mut().enumerate() {
            *v = ((k * 37) % 17) as f64 - 8.0;
        }
        let mut filled = vec![0.0; window.len()];
        basis
            .geometry
            .fill(&basis.blend(&v), at, window, &mut filled);
        filled.iter_mut().zip(&weights).for_each(|(f, w)| *f *= w);
        let mut expected = vec![0.0; basis.len()];
        basis
            .geometry
            .scatter(basis.stride(), at, window, &filled, &mut expected);
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
