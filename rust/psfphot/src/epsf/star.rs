//! A star: its cutouts with the PSF in them, its weights, and the elimination of
//! its flux and position.

use crate::image::PixelBox;
use crate::simd::{dispatch, mul_add};

use super::banded::{Banded, dot_kernel};
use super::cutout::Cutout;
use super::field::TermWeight;
use super::model::{Model, Scratch};
use super::noise::{Noise, robust};

/// A star in one cutout.
#[derive(Debug)]
pub(crate) struct Exposure<'a> {
    /// The cutout's number in the call.
    pub(crate) index: usize,
    /// The exposure's number in its star.
    pub(crate) number: usize,
    pub(crate) cutout: &'a Cutout<'a>,
    pub(crate) valid: Vec<bool>,
    pub(crate) terms: Vec<TermWeight>,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) background: f64,
    /// The PSF on the pixels. It and its derivatives are most of the memory of thousands
    /// of stars; their rounding is far below any noise.
    pub(crate) psi: &'a mut [f32],
    /// Its derivatives by x, and then by y, of the position.
    pub(crate) slopes: &'a mut [f32],
    /// Of each pixel; 0: not used.
    pub(crate) weight: &'a mut [f64],
}

impl<'a> Exposure<'a> {
    pub(crate) fn data(&self) -> &'a [f64] {
        self.cutout.data.as_slice()
    }

    pub(crate) fn error(&self) -> Option<&'a [f64]> {
        self.cutout.error.map(|error| error.as_slice())
    }

    /// The cutout's pixels.
    pub(crate) fn window(&self) -> PixelBox {
        self.cutout.data.bounds()
    }

    /// Where the star is in the frame.
    pub(crate) fn place(&self) -> (f64, f64) {
        let origin = self.cutout.origin;
        (origin.0 + self.x, origin.1 + self.y)
    }

    /// The PSF with a flux on a pixel.
    #[inline]
    pub(crate) fn light(&self, k: usize, flux: f64) -> f64 {
        flux * f64::from(self.psi[k])
    }

    /// Data less model, for the star's flux in this cutout.
    #[inline]
    pub(crate) fn residual(&self, k: usize, flux: f64) -> f64 {
        self.data()[k] - self.light(k, flux) - self.background
    }

    /// A pixel's variance without the model's error.
    #[inline]
    pub(crate) fn variance(&self, k: usize, noise: &Noise, flux: f64) -> f64 {
        let error = self.error().map_or(0.0, |error| error[k]);
        let model = self.light(k, flux) + self.background;
        noise.variance(error, self.data()[k], model)
    }

    /// The highest of the pixels that the PSF would have with a flux.
    pub(crate) fn peak(&self, flux: f64) -> f64 {
        flux * f64::from(self.psi.iter().copied().fold(0.0, f32::max))
    }

    /// Whether a pixel is valid, on the PSF and not rejected.
    pub(crate) fn is_used(&self, k: usize) -> bool {
        self.weight[k] > 0.0
    }

    /// The pixels that are on a PSF that reaches `half = (y, x)`.
    fn on_psf(&self, half: (f64, f64)) -> PixelBox {
        let across = |p: f64, half: f64| ((p - half).ceil() as i64, (p + half).floor() as i64 + 1);
        let (x, y) = (across(self.x, half.1), across(self.y, half.0));
        PixelBox::new(x.0, x.1, y.0, y.1).intersection(&self.window())
    }

    /// Sets the weights for the PSF in place; residuals are judged with a model
    /// error of at least `floor`.
    fn weigh(&mut self, flux: f64, half: (f64, f64), noise: &Noise, floor: f64) {
        let on = self.on_psf(half);
        let window = self.window();
        self.weight.fill(0.0);
        let judged = noise.model_error.max(floor);
        let peak = self.peak(flux);
        for y in on.y0..on.y1 {
            for x in on.x0..on.x1 {
                let k = y as usize * window.width() + x as usize;
                if self.valid[k] {
                    let variance = self.variance(k, noise, flux);
                    let model = self.light(k, flux);
                    let judged = variance + noise.judged_mismatch(judged, model, peak);
                    let z2 = self.residual(k, flux).powi(2) / judged;
                    let total = variance + noise.mismatch(noise.model_error, model, peak);
                    self.weight[k] = robust(z2) / total;
                }
            }
        }
    }

    /// Pixels that are valid and on the PSF, and those among them without weight.
    pub(crate) fn counts(&self, half: (f64, f64)) -> (usize, usize) {
        let on = self.on_psf(half);
        let width = self.window().width();
        let (mut used, mut rejected) = (0, 0);
        for (x, y) in on.pixels() {
            let k = y as usize * width + x as usize;
            used += usize::from(self.valid[k]);
            rejected += usize::from(self.valid[k] && self.weight[k] == 0.0);
        }
        (used, rejected)
    }
}

/// What a parameter changes in a pixel, in units of ψ, ∂ψ/∂x, ∂ψ/∂y and 1.
pub(crate) type Direction = [f64; 4];

/// The parameters of a star, solved for whatever the PSF's change is.
#[derive(Debug)]
struct Elimination {
    /// Factor of `JᵀWJ`.
    factor: Banded,
    /// For each exposure, for each parameter.
    directions: Vec<Vec<Direction>>,
}

/// A star in all its cutouts.
#[derive(Debug)]
pub(crate) struct Star<'a> {
    pub(crate) exposures: Vec<Exposure<'a>>,
    pub(crate) flux: f64,
    /// Whether it takes part.
    pub(crate) is_active: bool,
    elimination: Option<Elimination>,
}

/// Sums over pixels of the weight times products of ψ, ∂ψ/∂x, ∂ψ/∂y and 1.
type Moments = [[f64; 4]; 4];

impl<'a> Star<'a> {
    pub(crate) fn new(exposures: Vec<Exposure<'a>>, flux: f64) -> Self {
        Self {
            exposures,
            flux,
            is_active: true,
            elimination: None,
        }
    }

    /// The exposures of a star that takes part, with the star.
    pub(crate) fn active_exposures(&self) -> impl Iterator<Item = (&Self, &Exposure<'a>)> {
        let exposures = self.is_active.then_some(&self.exposures);
        exposures.into_iter().flatten().map(move |e| (self, e))
    }

    /// The flux in one cutout.
    pub(crate) fn flux_in(&self, exposure: &Exposure<'_>) -> f64 {
        self.flux * exposure.cutout.scale
    }

    /// What each parameter (flux, x, y, then the background of each cutout if it
    /// is fitted) changes in one exposure.
    pub(crate) fn directions(&self, number: usize, with_background: bool) -> Vec<Direction> {
        let cutout = self.exposures[number].cutout;
        let flux = self.flux * cutout.scale;
        let [[xx, xy], [yx, yy]] = cutout.jacobian;
        let mut directions = vec![
            [cutout.scale, 0.0, 0.0, 0.0],
            [0.0, flux * xx, flux * yx, 0.0],
            [0.0, flux * xy, flux * yy, 0.0],
        ];
        if with_background {
            for other in 0..self.exposures.len() {
                directions.push([0.0, 0.0, 0.0, f64::from(u8::from(other == number))]);
            }
        }
        directions
    }

    /// Evaluates the PSF on all pixels of all cutouts.
    pub(crate) fn evaluate(&mut self, model: &Model<'_>, scratch: &mut Scratch) {
        for exposure in &mut self.exposures {
            let window = exposure.window();
            let (at, origin) = ((exposure.x, exposure.y), exposure.cutout.origin);
            let (psi, slopes) = model.fill(&exposure.terms, at, origin, window, scratch);
            for (kept, filled) in [(&mut *exposure.psi, psi), (&mut *exposure.slopes, slopes)] {
                for (kept, value) in kept.iter_mut().zip(filled) {
                    *kept = *value as f32;
                }
            }
        }
    }

    /// Sets the weights; see [`Exposure::weigh`].
    pub(crate) fn weigh(&mut self, half: (f64, f64), noise: &Noise, floor: f64) {
        for exposure in &mut self.exposures {
            let flux = self.flux * exposure.cutout.scale;
            exposure.weigh(flux, half, noise, floor);
        }
    }

    /// Prepares the elimination of the parameters; a star whose pixels do not
    /// determine them takes no part any more.
    pub(crate) fn eliminate(&mut self, with_background: bool) {
        let all = 0..self.exposures.len();
        let directions: Vec<_> = all.map(|e| self.directions(e, with_background)).collect();
        let n = directions[0].len();
        let mut factor = Banded::new(n, n - 1);
        for (exposure, directions) in self.exposures.iter().zip(&directions) {
            let moments = moments(exposure.psi, exposure.slopes, exposure.weight);
            add_moments(&mut factor, &moments, directions);
        }
        let is_determined = factor.factor();
        self.is_active &= is_determined && self.flux > 0.0;
        self.elimination = self.is_active.then_some(Elimination { factor, directions });
    }

    /// Takes out of weighted values (one buffer for each exposure) what a change
    /// of the star's parameters could make: `y − WJ (JᵀWJ)⁻¹ Jᵀ y`.
    pub(crate) fn project(&self, values: &mut [Vec<f64>]) {
        let Some(Elimination { factor, directions }) = &self.elimination else {
            return;
        };
        let mut t = vec![0.0; directions[0].len()];
        for ((exposure, values), directions) in self.exposures.iter().zip(&*values).zip(directions)
        {
            let sums = sums(exposure.psi, exposure.slopes, values);
            for (t, direction) in t.iter_mut().zip(directions) {
                *t += (0..4).map(|k| direction[k] * sums[k]).sum::<f64>();
            }
        }
        factor.solve_lower(&mut t);
        factor.solve_upper(&mut t);
        for ((exposure, values), directions) in self.exposures.iter().zip(values).zip(directions) {
            let mut change = [0.0; 4];
            for (t, direction) in t.iter().zip(directions) {
                (0..4).for_each(|k| change[k] += t * direction[k]);
            }
            subtract(
                exposure.psi,
                exposure.slopes,
                exposure.weight,
                change,
                values,
            );
        }
    }

    /// The part of each pixel's variance in an exposure that the fit of the star
    /// takes up.
    pub(crate) fn leverage<'s>(&'s self, exposure: &'s Exposure<'_>) -> impl Fn(usize) -> f64 + 's {
        // Dᵀ (JᵀWJ)⁻¹ D, 4 × 4.
        let mut inner = [[0.0; 4]; 4];
        if let Some(Elimination { factor, directions }) = &self.elimination {
            let directions = &directions[exposure.number];
            for a in 0..4 {
                let mut t: Vec<f64> = directions.iter().map(|d| d[a]).collect();
                factor.solve_lower(&mut t);
                factor.solve_upper(&mut t);
                for (b, inner) in inner[a].iter_mut().enumerate() {
                    *inner = t.iter().zip(directions).map(|(t, d)| t * d[b]).sum();
                }
            }
        }
        let n = exposure.psi.len();
        move |k| {
            let row = [
                f64::from(exposure.psi[k]),
                f64::from(exposure.slopes[k]),
                f64::from(exposure.slopes[n + k]),
                1.0,
            ];
            let mut sum = 0.0;
            for (a, inner) in row.iter().zip(&inner) {
                for (b, inner) in row.iter().zip(inner) {
                    sum += a * b * inner;
                }
            }
            sum * exposure.weight[k]
        }
    }
}

/// Adds D M Dᵀ to a matrix.
pub(crate) fn add_moments(matrix: &mut Banded, moments: &Moments, directions: &[Direction]) {
    for (i, a) in directions.iter().enumerate() {
        for (j, b) in directions[..=i].iter().enumerate() {
            let mut sum = 0.0;
            for (a, row) in a.iter().zip(moments) {
                for (b, m) in b.iter().zip(row) {
                    sum += a * b * m;
                }
            }
            *matrix.at(i, j) += sum;
        }
    }
}

/// The weighted sums; see [`Moments`].
pub(crate) fn moments<T: Copy + Into<f64>>(psi: &[T], slopes: &[T], weight: &[f64]) -> Moments {
    let (by_x, by_y) = slopes.split_at(psi.len());
    let mut m = [0.0; 10];
    for k in 0..psi.len() {
        let w = weight[k];
        let (p, x, y) = (psi[k].into(), by_x[k].into(), by_y[k].into());
        let (wp, wx, wy) = (w * p, w * x, w * y);
        let products = [
            wp * p,
            wp * x,
            wp * y,
            wp,
            wx * x,
            wx * y,
            wx,
            wy * y,
            wy,
            w,
        ];
        m.iter_mut().zip(products).for_each(|(m, p)| *m += p);
    }
    [
        [m[0], m[1], m[2], m[3]],
        [m[1], m[4], m[5], m[6]],
        [m[2], m[5], m[7], m[8]],
        [m[3], m[6], m[8], m[9]],
    ]
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn sums_kernel<const FMA: bool>(psi: &[f32], slopes: &[f32], values: &[f64]) -> [f64; 4] {
    let (by_x, by_y) = slopes.split_at(psi.len());
    [
        dot_kernel::<FMA, f32>(psi, values),
        dot_kernel::<FMA, f32>(by_x, values),
        dot_kernel::<FMA, f32>(by_y, values),
        values.iter().sum(),
    ]
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn subtract_kernel<const FMA: bool>(
    psi: &[f32],
    slopes: &[f32],
    weight: &[f64],
    [p, x, y, one]: [f64; 4],
    values: &mut [f64],
) {
    let (by_x, by_y) = slopes.split_at(psi.len());
    let terms = psi.iter().zip(by_x).zip(by_y).zip(weight);
    for (value, (((psi, by_x), by_y), w)) in values.iter_mut().zip(terms) {
        let of_slopes = mul_add::<FMA>(y, f64::from(*by_y), one);
        let of_slopes = mul_add::<FMA>(x, f64::from(*by_x), of_slopes);
        let change = mul_add::<FMA>(p, f64::from(*psi), of_slopes);
        *value = mul_add::<FMA>(-w, change, *value);
    }
}

dispatch! {
    /// Sums of the values times ψ, ∂ψ/∂x, ∂ψ/∂y and 1.
    fn sums(psi: &[f32], slopes: &[f32], values: &[f64]) -> [f64; 4] = sums_kernel
}
dispatch! {
    /// Subtracts the weight times a change of ψ, ∂ψ/∂x, ∂ψ/∂y and 1.
    fn subtract(
        psi: &[f32], slopes: &[f32], weight: &[f64], change: [f64; 4], values: &mut [f64],
    ) = subtract_kernel
}
