//! One-dimensional fits of a Gaussian to the marginal sums of a star.

use super::kernel::{Kernel, QuadraticForm};

/// The two axes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    X,
    Y,
}

/// The fit along one axis, as DAOPHOT's `FIND` makes it (Stetson 1987, PASP 99,
/// 191, section III).
///
/// The marginal sum of the data is d(i), that of the Gaussian g(i); in both
/// sums, a pixel counts by its distance to the kernel's edge across the axis,
/// and the sums over i count it by that along the axis, w(i). Then, with the
/// distance u(i) from the central pixel,
///
/// h = (Σwdg − Σwd·Σwg/Σw) / (Σwg² − (Σwg)²/Σw)
///
/// is the height of the Gaussian in the fit of a Gaussian plus a constant, and
///
/// δ = σ² · Σw·u·g·d / (h·Σw·(u·g)²)
///
/// the offset of the star, from the derivative u·g/σ² of the Gaussian. (Two
/// terms of DAOPHOT's are absent: u·g is odd and w and g are even, so that they
/// are 0 but for rounding.)
#[derive(Debug, Clone)]
pub(super) struct Marginal {
    axis: Axis,
    sigma: f64,
    width: usize,
    /// w(i), from 1 at the edges.
    weights: Vec<f64>,
    /// The weights across the axis.
    across: Vec<f64>,
    /// u(i).
    offsets: Vec<f64>,
    /// w(i) g(i) and w(i) u(i) g(i).
    weighted: Vec<(f64, f64)>,
    /// Σw, Σwg, Σwg², Σw·(u·g)².
    sums: [f64; 4],
}

/// What [`Marginal::fit`] gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MarginalFit {
    /// From the central pixel, pixels.
    pub(super) offset: f64,
    /// Height of the Gaussian of marginal sums.
    pub(super) height: f64,
}

impl Marginal {
    /// `sigma` is the width that the offset is computed with.
    pub(super) fn new(kernel: &Kernel, form: QuadraticForm, sigma: f64, axis: Axis) -> Self {
        let (ny, nx) = kernel.shape();
        let (cy, cx) = kernel.center();
        let triangle = |n: usize, c: usize| -> Vec<f64> {
            (0..n).map(|i| (c + 1 - i.abs_diff(c)) as f64).collect()
        };
        let (weights, across) = match axis {
            Axis::X => (triangle(nx, cx), triangle(ny, cy)),
            Axis::Y => (triangle(ny, cy), triangle(nx, cx)),
        };
        // The Gaussian is not cut off at the footprint.
        let gaussian: Vec<f64> = (0..ny * nx)
            .map(|k| {
                let (dx, dy) = ((k % nx) as f64 - cx as f64, (k / nx) as f64 - cy as f64);
                (-form.at(dx, dy)).exp()
            })
            .collect();
        let center = (weights.len() / 2) as f64;
        let mut marginal = Self {
            axis,
            sigma,
            width: nx,
            offsets: (0..weights.len()).map(|i| i as f64 - center).collect(),
            weights,
            across,
            weighted: Vec::new(),
            sums: [0.0; 4],
        };
        let mut g = Vec::new();
        marginal.collapse(&gaussian, &mut g);
        for ((&g, &w), &u) in g.iter().zip(&marginal.weights).zip(&marginal.offsets) {
            marginal.weighted.push((w * g, w * u * g));
            let terms = [w, w * g, w * g * g, w * (u * g) * (u * g)];
            for (sum, term) in marginal.sums.iter_mut().zip(terms) {
                *sum += term;
            }
        }
        marginal
    }

    /// The marginal sums of a cutout with the kernel's shape.
    fn collapse(&self, cutout: &[f64], marginal: &mut Vec<f64>) {
        marginal.clear();
        marginal.resize(self.weights.len(), 0.0);
        for (row, j) in cutout.chunks_exact(self.width).zip(0..) {
            match self.axis {
                Axis::X => {
                    for (sum, value) in marginal.iter_mut().zip(row) {
                        *sum += value * self.across[j];
                    }
                }
                Axis::Y => {
                    marginal[j] = row.iter().zip(&self.across).map(|(d, w)| d * w).sum();
                }
            }
        }
    }

    /// Fits a cutout; `None` unless the height is positive. `work` is for its
    /// marginal sums.
    pub(super) fn fit(&self, cutout: &[f64], work: &mut Vec<f64>) -> Option<MarginalFit> {
        self.collapse(cutout, work);
        let (mut wd, mut wdg, mut wdug, mut wdu) = (0.0, 0.0, 0.0, 0.0);
        let pixels = work.iter().zip(&self.weights).zip(&self.offsets);
        for (((&d, &w), &u), &(wg, wug)) in pixels.zip(&self.weighted) {
            wd += d * w;
            wdg += d * wg;
            wdug += d * wug;
            wdu += d * u * w;
        }
        let [w, wg, wgg, wugug] = self.sums;
        let (numerator, denominator) = (wdg - wd * wg / w, wgg - wg * wg / w);
        // Also where it is NaN.
        if !(numerator > 0.0 && denominator > 0.0) {
            return None;
        }
        let height = numerator / denominator;
        let half = self.weights.len() as f64 / 2.0;
        let mut offset = wdug / (height * wugug / (self.sigma * self.sigma));
        if offset.abs() > half {
            // With photutils' sign along x, which points away from the star.
            let centroid = match self.axis {
                Axis::X => -wdu / wd,
                Axis::Y => wdu / wd,
            };
            offset = if wd == 0.0 || centroid.abs() > half {
                0.0
            } else {
                centroid
            };
        }
        Some(MarginalFit { offset, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use proptest::prelude::*;

    fn fits(
        fwhm: f64,
        cutout: impl Fn(f64, f64) -> f64,
    ) -> Result<[Option<MarginalFit>; 2], Error> {
        let kernel = Kernel::circular(fwhm, 1.5)?;
        let form = QuadraticForm::new(fwhm, 1.0, 0.0);
        let sigma = fwhm * crate::psf::SIGMA_PER_FWHM;
        let (ny, nx) = kernel.shape();
        let (cy, cx) = (kernel.center().0 as f64, kernel.center().1 as f64);
        let values: Vec<f64> = (0..ny * nx)
            .map(|k| cutout((k % nx) as f64 - cx, (k / nx) as f64 - cy))
            .collect();
        let fit = |axis| Marginal::new(&kernel, form, sigma, axis).fit(&values, &mut Vec::new());
        Ok([fit(Axis::X), fit(Axis::Y)])
    }

    proptest! {
        #[test]
        fn a_gaussian_is_found_near_its_place(
            fwhm in 2.0..8.0_f64,
            dx in -0.3..0.3_f64,
            dy in -0.3..0.3_f64,
            height in 0.1..1e4_f64,
            sky in -100.0..100.0_f64,
        ) {
            let form = QuadraticForm::new(fwhm, 1.0, 0.0);
            let star = |x: f64, y: f64| height * (-form.at(x - dx, y - dy)).exp() + sky;
            let [x, y] = fits(fwhm, star)?;
            let (Some(x), Some(y)) = (x, y) else {
                return Err(TestCaseError::fail("no fit"));
            };
            // Linear in the offset, and undersampled: within a third of it.
            prop_assert!((x.offset - dx).abs() < 0.02 + 0.35 * dx.abs(), "{x:?}");
            prop_assert!((y.offset - dy).abs() < 0.02 + 0.35 * dy.abs(), "{y:?}");
            prop_assert!((x.height / height - 1.0).abs() < 0.3, "{x:?}");
            prop_assert!((y.height / height - 1.0).abs() < 0.3, "{y:?}");
        }
    }

    #[test]
    fn what_is_no_star_has_no_fit() -> Result<(), Error> {
        for flat in [0.0, 5.0, f64::NAN, f64::INFINITY] {
            assert_eq!(fits(3.0, |_, _| flat)?, [None, None]);
        }
        assert_eq!(fits(3.0, |x, y| x * x + y * y)?, [None, None]);
        Ok(())
    }

    #[test]
    fn an_offset_beyond_the_cutout_is_the_centroid_or_nothing() -> Result<(), Error> {
        // A faint bump on a steep slope, whose sum is far from 0.
        let slope = |x: f64, _: f64| 10.0 + x + 0.01 * (-x * x).exp();
        let [x, _] = fits(3.0, slope)?;
        assert!(
            x.is_some_and(|fit| fit.offset < 0.0 && fit.offset > -2.5),
            "{x:?}"
        );
        Ok(())
    }
}
