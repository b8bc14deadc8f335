//! One star with free flux, x and y: 3 × 3 normal equations, no allocation.

use crate::noise::{Loss, Row, highest_neighbours, typical_mismatch, unit_variance};
use crate::simd::{dispatch, mul_add};
use crate::{Error, flags};

use super::covariance::Covariance;
use super::exposure::Exposure;
use super::leverage::{LARGEST_LEVERAGE, meat_weight, residual_unit};
use super::minimise::Problem;
use super::normal::{SINGULAR, damped};
use super::pixels::{LANES, Pixels};
use super::settle::{Found, Weighed, settle, typical_flux};
use super::source::{Solution, Source};
use super::{FLUX, Fitter, MAX_PARAMETERS, Parameters, is_rounding};

/// Reusable buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    profile: Vec<f64>,
    gradient: Vec<f64>,
}

struct Star<'a> {
    fitter: &'a Fitter<'a>,
    exposure: &'a Exposure,
    source: &'a Source,
    pixels: &'a mut Pixels,
    profile: &'a mut [f64],
    gradient: &'a mut [f64],
    current: Parameters,
    trial: Parameters,
    step: [f64; 3],
    normal: Normal,
    /// The normal equations without the parameters that a bound holds.
    reduced: Normal,
    trial_normal: Normal,
}

/// `A` (upper triangle by rows: ff, fx, fy, xx, xy, yy), `g` and χ².
#[derive(Debug, Clone, Copy, Default)]
struct Normal {
    matrix: [f64; 6],
    gradient: [f64; 3],
    chi2: f64,
}

impl Normal {
    /// Takes a parameter out of the equations: its step is 0.
    fn hold(&mut self, parameter: usize) {
        // The elements of each parameter's row and column, the diagonal first.
        const OWN: [[usize; 3]; 3] = [[0, 1, 2], [3, 1, 4], [5, 2, 4]];
        for element in OWN[parameter] {
            self.matrix[element] = 0.0;
        }
        self.matrix[OWN[parameter][0]] = 1.0;
        self.gradient[parameter] = 0.0;
    }
}

/// The upper triangle of a symmetric matrix, by rows: ff, fx, fy, xx, xy, yy.
type Triangle = [f64; 6];

/// Fits one star to the `pixels` of its window, which `exposure` has; returns where it
/// ended and its covariance. Its profile at the solution is left in the buffers, and its
/// weights in the pixels.
pub(crate) fn fit(
    fitter: &Fitter<'_>,
    exposure: &Exposure,
    source: &Source,
    pixels: &mut Pixels,
    buffers: &mut Buffers,
) -> Result<(Solution, Option<Triangle>), Error> {
    // The padding of the last lanes has weight 0 and must hold numbers.
    let n = pixels.data.len();
    let planes = 2 + fitter.psf.shape_names().len();
    buffers.profile.clear();
    buffers.profile.resize(n, 0.0);
    buffers.gradient.clear();
    buffers.gradient.resize(planes * n, 0.0);
    let mut star = Star {
        fitter,
        exposure,
        source,
        pixels,
        profile: &mut buffers.profile,
        gradient: &mut buffers.gradient,
        current: source.parameters,
        trial: source.parameters,
        step: [0.0; 3],
        normal: Normal::default(),
        reduced: Normal::default(),
        trial_normal: Normal::default(),
    };
    let report = settle(&mut star, fitter)?;
    if !report.is_evaluated {
        star.trial = star.current;
        star.evaluate_trial();
    }
    let (covariance, flags) = star.covariance(report.chi2);
    let variances = covariance.map(|c| {
        let mut variances = [f64::NAN; MAX_PARAMETERS];
        variances[..3].copy_from_slice(&[c[0], c[3], c[5]]);
        variances
    });
    let solution = Solution {
        parameters: star.current,
        variances,
        level: None,
        termination: report.termination,
        iterations: report.iterations,
        n_rejected: star.n_below(Loss::REJECTED),
        flags,
    };
    Ok((solution, covariance))
}

impl Buffers {
    /// The star's profile (of unit flux) at the solution, pixel by pixel.
    pub(crate) fn profile(&self) -> &[f64] {
        &self.profile
    }
}

impl Star<'_> {
    /// The covariance at the parameters that were last evaluated, and the flags that
    /// go with it.
    fn covariance(&self, chi2: f64) -> (Option<Triangle>, u32) {
        // As with any straight line through two points: no freedom, no errors.
        if self.pixels.n_good <= 3 {
            return (None, 0);
        }
        let Some(factor) = Factor::new(&self.normal.matrix, 0.0) else {
            return (None, 0);
        };
        let inverse = factor.inverse();
        let scale = self.unit_variance(chi2);
        let unit = inverse.map(|element| element * scale);
        if self.fitter.covariance != Covariance::Sandwich {
            return (Some(unit), 0);
        }
        let by_y = &self.gradient[self.source.window.len()..];
        let (meat, leverage) = meat(
            &self.pixels.data,
            &self.pixels.weights,
            [self.profile, self.gradient, by_y],
            self.current[FLUX],
            (&inverse, 1.0 / residual_unit(scale)),
        );
        if leverage > LARGEST_LEVERAGE {
            return (Some(unit), flags::NO_COVARIANCE);
        }
        let found = sandwich(&inverse, &meat);
        (Some(found.map(|element| element * scale)), 0)
    }

    /// The star's light, pixel by pixel of its window.
    fn light(&self) -> Vec<f64> {
        let profile = &self.profile[..self.source.window.len()];
        profile.iter().map(|p| self.current[FLUX] * p).collect()
    }

    /// The rows of its window: the first pixel's element of the image, that of the
    /// window, and the weights by errors alone.
    fn rows<'e>(
        exposure: &'e Exposure,
        source: &Source,
    ) -> impl Iterator<Item = (usize, usize, &'e [f64])> + use<'e> {
        let (window, width) = (source.window, exposure.image().width());
        let rows = (window.y0 as usize..)
            .zip(exposure.rows(window))
            .enumerate();
        rows.map(move |(k, (y, (_, given)))| {
            (y * width + window.x0 as usize, k * window.width(), given)
        })
    }

    /// How many pixels have less than a part of their weight.
    fn n_below(&self, part: f64) -> usize {
        let rule = &self.fitter.weighting;
        if rule.robust.is_none() {
            return 0;
        }
        let light = self.light();
        let rows = Self::rows(self.exposure, self.source);
        rows.map(|(first, k, given)| {
            let weights = &self.pixels.weights[k..];
            rule.n_below(part, first, given, &light[k..], weights)
        })
        .sum()
    }
}

impl Weighed for Star<'_> {
    fn evaluate_current(&mut self, is_evaluated: bool) {
        self.trial = self.current;
        if !is_evaluated {
            self.evaluate_trial();
        }
    }

    fn reweigh(&mut self, loss: Option<&Loss>) -> f64 {
        let seen = Seen::new(self, loss.is_some());
        let mut change: f64 = 0.0;
        for (first, k, given) in Self::rows(self.exposure, self.source) {
            let weights = &mut self.pixels.weights[k..k + given.len()];
            let row = seen.row(first, k, given);
            change = change.max(self.fitter.weighting.weigh(&row, loss, weights));
        }
        change
    }

    fn restart(&mut self, sigmas: f64) -> Found {
        let (weights, loss) = (self.pixels.weights.clone(), self.settled_loss(sigmas));
        self.reweigh(Some(&loss));
        if self.n_below(Loss::REJECTED) == 0 {
            self.pixels.weights = weights;
            return Found::Nothing;
        }
        if self.n_below(Loss::ATTRACTIVE) == 0 {
            return Found::Outliers;
        }
        self.current = self.source.parameters;
        self.evaluate_current(false);
        self.reweigh(None);
        let pixels = self.pixels.data.iter().zip(&*self.profile);
        let pixels = pixels.zip(&self.pixels.weights);
        let flux = typical_flux(pixels.map(|((&d, &p), &w)| (d, p, w)));
        if let Some(flux) = flux.filter(|_| self.fitter.has_free_flux()) {
            self.current[FLUX] = self.source.bounds.clamp(FLUX, flux);
        }
        self.evaluate_current(false);
        Found::Astray
    }

    fn settled_loss(&self, sigmas: f64) -> Loss {
        let seen = Seen::new(self, true);
        let rule = &self.fitter.weighting;
        let unit = if self.fitter.has_error {
            1.0
        } else {
            let pixels = seen.residual.iter().zip(&self.pixels.weights);
            unit_variance(pixels.map(|(&r, &w)| (r, w)))
        };
        let mut pixels = Vec::with_capacity(seen.light.len());
        for (first, k, given) in Self::rows(self.exposure, self.source) {
            rule.push_known(&seen.row(first, k, given), unit, &mut pixels);
        }
        Loss::new(sigmas, unit).with_profile(typical_mismatch(pixels.into_iter()))
    }
}

/// What a star's light and what is left look like, pixel by pixel of its window.
struct Seen {
    light: Vec<f64>,
    residual: Vec<f64>,
    near: Option<Vec<f64>>,
}

impl Seen {
    /// At the current parameters, with the highest of neighbours if need be.
    fn new(star: &Star<'_>, has_near: bool) -> Self {
        let light = star.light();
        let pixels = star.pixels.data.iter().zip(&light);
        let width = star.source.window.width();
        Self {
            residual: pixels.map(|(data, light)| data - light).collect(),
            near: has_near.then(|| highest_neighbours(&light, width)),
            light,
        }
    }

    /// The pixels of a row, from the k-th of the window on.
    fn row<'s>(&'s self, first: usize, k: usize, given: &'s [f64]) -> Row<'s> {
        let pixels = k..k + given.len();
        Row {
            first,
            given,
            model: &self.light[pixels.clone()],
            residual: &self.residual[pixels.clone()],
            near: &self.near.as_ref().unwrap_or(&self.light)[pixels],
        }
    }
}

/// A B A, of symmetric matrices.
fn sandwich(a: &Triangle, b: &Triangle) -> Triangle {
    const AT: [[usize; 3]; 3] = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
    let mut product = [0.0; 6];
    for i in 0..3 {
        for j in i..3 {
            let terms = (0..9).map(|k| (k / 3, k % 3));
            let sum = terms.map(|(k, l)| a[AT[i][k]] * b[AT[k][l]] * a[AT[l][j]]);
            product[AT[i][j]] = sum.sum();
        }
    }
    product
}

impl Problem for Star<'_> {
    fn evaluate_trial(&mut self) -> f64 {
        let at = self.fitter.placement(&self.trial);
        self.fitter
            .psf
            .fill_with_gradient(at, self.source.window, self.profile, self.gradient);
        // Planes as the PSF lays them out: one window after another, so that
        // the padding of one is the beginning of the next.
        let by_y = &self.gradient[self.source.window.len()..];
        self.trial_normal = accumulate(
            &self.pixels.data,
            &self.pixels.weights,
            [self.profile, self.gradient, by_y],
            self.trial[FLUX],
        );
        self.trial_normal.chi2
    }

    fn accept(&mut self) {
        self.current = self.trial;
        self.normal = self.trial_normal;
        self.reduced = self.normal;
        for k in 0..3 {
            if self
                .source
                .bounds
                .holds(k, self.current[k], self.normal.gradient[k])
            {
                self.reduced.hold(k);
            }
        }
    }

    fn solve(&mut self, lambda: f64) -> Option<f64> {
        let g = &self.reduced.gradient;
        self.step = Factor::new(&self.reduced.matrix, lambda)?.solve(*g);
        Some(self.step.iter().zip(g).map(|(a, b)| a * b).sum())
    }

    fn propose(&mut self) {
        for k in 0..3 {
            let step = self.fitter.limited(k, self.current[k], self.step[k]);
            self.trial[k] = self.source.bounds.clamp(k, self.current[k] + step);
        }
    }

    fn step_is_rounding(&self) -> bool {
        (0..3).all(|k| is_rounding(k, self.current[k], self.step[k]))
    }

    fn unit_variance(&self, chi2: f64) -> f64 {
        self.pixels.unit_variance(self.fitter.has_error, chi2, 3)
    }
}

/// Cholesky factors of a 3 × 3 matrix with its diagonal times 1 + λ.
struct Factor {
    l: [f64; 6],
}

impl Factor {
    fn new(a: &[f64; 6], lambda: f64) -> Option<Self> {
        let [a00, a11, a22] = [a[0], a[3], a[5]].map(|diagonal| damped(diagonal, lambda));
        let pivot = |rest: f64, whole: f64| {
            (rest > SINGULAR * whole && rest.is_finite()).then(|| rest.sqrt())
        };
        let l00 = pivot(a00, a00)?;
        let (l10, l20) = (a[1] / l00, a[2] / l00);
        let l11 = pivot(a11 - l10 * l10, a11)?;
        let l21 = (a[4] - l20 * l10) / l11;
        let l22 = pivot(a22 - l20 * l20 - l21 * l21, a22)?;
        Some(Self {
            l: [l00, l10, l11, l20, l21, l22],
        })
    }

    fn solve(&self, b: [f64; 3]) -> [f64; 3] {
        let [l00, l10, l11, l20, l21, l22] = self.l;
        let y0 = b[0] / l00;
        let y1 = (b[1] - l10 * y0) / l11;
        let y2 = (b[2] - l20 * y0 - l21 * y1) / l22;
        let x2 = y2 / l22;
        let x1 = (y1 - l21 * x2) / l11;
        [(y0 - l10 * x1 - l20 * x2) / l00, x1, x2]
    }
}

impl Factor {
    /// The inverse of the matrix.
    fn inverse(&self) -> Triangle {
        let [a, b, c] = [0, 1, 2].map(|k| {
            let mut unit = [0.0; 3];
            unit[k] = 1.0;
            self.solve(unit)
        });
        [a[0], a[1], a[2], b[1], b[2], c[2]]
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernel
fn product(a: &[f64; LANES], b: &[f64; LANES]) -> [f64; LANES] {
    let mut product = *a;
    for l in 0..LANES {
        product[l] *= b[l];
    }
    product
}

/// Sums over whole lanes. What the slices hold of other planes stands where the
/// padding has weight 0.
#[inline(always)]
#[allow(clippy::inline_always)] // part of the kernel
fn accumulate_kernel<const FMA: bool>(
    data: &[f64],
    weights: &[f64],
    [profile, by_x, by_y]: [&[f64]; 3],
    flux: f64,
) -> Normal {
    let mut sums = [[0.0; LANES]; 10];
    let lanes = data.as_chunks::<LANES>().0.iter();
    let lanes = lanes.zip(weights.as_chunks::<LANES>().0);
    let [profile, by_x, by_y] = [profile, by_x, by_y].map(|plane| plane.as_chunks::<LANES>().0);
    for ((((d, w), p), x), y) in lanes.zip(profile).zip(by_x).zip(by_y) {
        let mut r = *d;
        for l in 0..LANES {
            r[l] = mul_add::<FMA>(-flux, p[l], d[l]);
        }
        // Lane by lane within each sum, not the other way round: so it becomes
        // vectors, whatever is compiled beside it.
        let [wp, wx, wy, wr] = [p, x, y, &r].map(|plane| product(w, plane));
        let terms = [
            (&wp, p),
            (&wp, x),
            (&wp, y),
            (&wx, x),
            (&wx, y),
            (&wy, y),
            (&wr, p),
            (&wr, x),
            (&wr, y),
            (&wr, &r),
        ];
        for (sum, (a, b)) in sums.iter_mut().zip(terms) {
            for l in 0..LANES {
                sum[l] = mul_add::<FMA>(a[l], b[l], sum[l]);
            }
        }
    }
    let [pp, px, py, xx, xy, yy, rp, rx, ry, rr] = sums.map(|s| (s[0] + s[1]) + (s[2] + s[3]));
    // The model is flux times the profile, and so are its derivatives.
    let square = flux * flux;
    Normal {
        matrix: [
            pp,
            flux * px,
            flux * py,
            square * xx,
            square * xy,
            square * yy,
        ],
        gradient: [rp, flux * rx, flux * ry],
        chi2: rr,
    }
}

dispatch! {
    /// The normal equations of one star.
    fn accumulate(
        data: &[f64], weights: &[f64], planes: [&[f64]; 3], flux: f64,
    ) -> Normal = accumulate_kernel
}

/// The middle of a star's sandwich, and the largest leverage of a pixel.
#[inline(always)]
#[allow(clippy::inline_always)]
fn meat_kernel<const FMA: bool>(
    data: &[f64],
    weights: &[f64],
    [profile, by_x, by_y]: [&[f64]; 3],
    flux: f64,
    (inverse, per_unit): (&Triangle, f64),
) -> (Triangle, f64) {
    let [ff, fx, fy, xx, xy, yy] = *inverse;
    let mut sums = [[0.0; LANES]; 6];
    let mut largest = [0.0; LANES];
    let lanes = data.as_chunks::<LANES>().0.iter();
    let lanes = lanes.zip(weights.as_chunks::<LANES>().0);
    let [profile, by_x, by_y] = [profile, by_x, by_y].map(|plane| plane.as_chunks::<LANES>().0);
    for ((((d, w), p), x), y) in lanes.zip(profile).zip(by_x).zip(by_y) {
        for l in 0..LANES {
            let (a, b, c) = (p[l], flux * x[l], flux * y[l]);
            let across = mul_add::<FMA>(fx, b, fy * c);
            let own = mul_add::<FMA>(xx * b, b, yy * c * c);
            let twice = mul_add::<FMA>(xy * b, c, a * across);
            let leverage = w[l] * mul_add::<FMA>(ff * a, a, mul_add::<FMA>(2.0, twice, own));
            largest[l] = f64::max(largest[l], leverage);
            let weight = meat_weight(w[l], (d[l] - flux * a) * per_unit, leverage);
            let terms = [a * a, a * b, a * c, b * b, b * c, c * c];
            for (sum, term) in sums.iter_mut().zip(terms) {
                sum[l] = mul_add::<FMA>(weight, term, sum[l]);
            }
        }
    }
    let largest = largest.into_iter().fold(0.0, f64::max);
    (sums.map(|s| (s[0] + s[1]) + (s[2] + s[3])), largest)
}

dispatch! {
    fn meat(
        data: &[f64], weights: &[f64], planes: [&[f64]; 3], flux: f64,
        inverse: (&Triangle, f64),
    ) -> (Triangle, f64) = meat_kernel
}
