//! One star with free flux, x and y: 3 × 3 normal equations, no allocation.

mod equations;
mod secant;

use crate::psf::Frozen;
use crate::{Error, flags};

use super::covariance::Covariance;
use super::exposure::Exposure;
use super::leverage::{LARGEST_LEVERAGE, residual_unit};
use super::minimise::{Problem, Report, minimise};
use super::pixels::Pixels;
use super::settle::{Found, Weighed, settle, typical_flux};
use super::source::{Solution, Source};
use super::weighting::{Loss, Row, highest_neighbours, typical_mismatch, unit_variance};
use super::{
    FLUX, FitSettings, Fitter, MAX_PARAMETERS, Parameters, Termination, X, Y, is_rounding,
};
use equations::{Factor, Normal, Triangle, accumulate, meat, sandwich};
use secant::Secant;

/// Reusable buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    profile: Vec<f64>,
    gradient: Vec<f64>,
    frozen: Frozen,
}

struct Star<'a> {
    fitter: &'a Fitter<'a>,
    exposure: &'a Exposure,
    source: &'a Source,
    pixels: &'a mut Pixels,
    profile: &'a mut [f64],
    gradient: &'a mut [f64],
    /// What stands for the PSF while the star approaches its place.
    frozen: Option<&'a mut Frozen>,
    current: Parameters,
    trial: Parameters,
    step: [f64; 3],
    /// The squared lengths of the last two undamped steps.
    gains: [f64; 2],
    normal: Normal,
    /// What the normal matrix leaves out, as an approach has learnt it; for its steps, and
    /// for the one that arrives.
    secant: Secant,
    /// The equations of the next step: with that, and without the parameters that a bound
    /// holds.
    reduced: Normal,
    trial_normal: Normal,
}

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
        frozen: None,
        current: source.parameters,
        trial: source.parameters,
        step: [0.0; 3],
        gains: [0.0; 2],
        normal: Normal::default(),
        secant: Secant::default(),
        reduced: Normal::default(),
        trial_normal: Normal::default(),
    };
    let report = match approach(&mut star, fitter, &mut buffers.frozen)? {
        Some(report) => report,
        None => settle(&mut star, fitter)?,
    };
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

/// An approach ends when its steps are shorter than so many tolerances. (With 10 it takes
/// a sixth more evaluations, with 300 a tenth more of the PSF itself, which cost three
/// times as much.)
const APPROACHED: f64 = 100.0;

/// No step longer than so many tolerances is taken to where nothing is evaluated. (After
/// 10 some stars are 6 tolerances off.)
const ARRIVED: f64 = 3.0;

/// Minimises with an image that stands for the PSF, and from where that ends with the
/// PSF itself. `None` where there is no such image, or the fit does not converge: the
/// parameters are then those at the start, for the PSF alone.
fn approach<'a>(
    star: &mut Star<'a>,
    fitter: &Fitter<'_>,
    frozen: &'a mut Frozen,
) -> Result<Option<Report>, Error> {
    let at = fitter.placement(&star.current);
    // One evaluation of the PSF here, and one for what may come after.
    let most = fitter.settings.max_iterations.saturating_sub(2);
    let is_fixed = fitter.weighting.is_fixed();
    if most == 0 || !is_fixed || !fitter.psf.freeze(at, star.source.window, frozen) {
        return Ok(None);
    }
    star.frozen = Some(frozen);
    let tolerance = APPROACHED * fitter.settings.step_tolerance;
    let mut report = minimise(star, &fitter.with_limits(most, tolerance))?;
    star.frozen = None;
    if report.termination == Termination::Converged {
        star.propose();
        report = star.arrive(fitter, report.iterations)?;
    }
    if report.termination == Termination::Converged {
        return Ok(Some(report));
    }
    star.secant.give_up();
    star.current = star.source.parameters;
    star.trial = star.current;
    Ok(None)
}

impl Buffers {
    /// The star's profile (of unit flux) at the solution, pixel by pixel.
    pub(crate) fn profile(&self) -> &[f64] {
        &self.profile
    }
}

impl Star<'_> {
    /// Takes a step of the PSF itself from the trial parameters, after so many evaluations
    /// of what stands for it. The fit has converged there if the step is short, and all
    /// that follow, by the rate at which steps have shrunk, are shorter than the
    /// tolerance; else it is minimised from there.
    fn arrive(&mut self, fitter: &Fitter<'_>, spent: usize) -> Result<Report, Error> {
        let [before, last] = self.gains;
        let rate = (last / before).sqrt();
        let chi2 = self.evaluate_trial();
        self.accept();
        let mut report = Report {
            termination: Termination::Singular,
            iterations: spent + 1,
            chi2,
            is_evaluated: true,
        };
        let Some(gain) = self.solve(0.0) else {
            return Ok(report);
        };
        self.propose();
        let FitSettings {
            max_iterations,
            step_tolerance,
        } = fitter.settings;
        let tolerance = step_tolerance * self.unit_variance(chi2).sqrt();
        let length = gain.sqrt();
        if length <= ARRIVED * tolerance && rate * length <= (1.0 - rate) * tolerance {
            // The profile goes along: to first order, of so short a step.
            let [dx, dy] = [X, Y].map(|p| self.trial[p] - self.current[p]);
            let by_y = &self.gradient[self.source.window.len()..];
            let slopes = self.gradient.iter().zip(by_y);
            let pixels = self.profile[..self.source.window.len()].iter_mut();
            for (profile, (by_x, by_y)) in pixels.zip(slopes) {
                *profile += dx * by_x + dy * by_y;
            }
            report.chi2 = f64::max(chi2 - gain, 0.0);
            self.current = self.trial;
            report.termination = Termination::Converged;
            return Ok(report);
        }
        let most = max_iterations - report.iterations;
        self.secant.give_up();
        let rest = minimise(self, &fitter.with_limits(most, step_tolerance))?;
        let iterations = report.iterations + rest.iterations;
        Ok(Report { iterations, ..rest })
    }

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
        // Where the matrix has hardly an inverse rounding makes what it will of a variance.
        if [found[0], found[3], found[5]].iter().any(|v| *v < 0.0) {
            return (Some(unit), flags::NO_COVARIANCE);
        }
        (Some(found.map(|element| element * scale)), 0)
    }

    /// The equations of the next step.
    fn reduce(&mut self) {
        self.reduced = self.normal;
        self.reduced.matrix = self.secant.added_to(self.normal.matrix);
        for k in 0..3 {
            let bounds = &self.source.bounds;
            if bounds.holds(k, self.current[k], self.normal.gradient[k]) {
                self.reduced.hold(k);
            }
        }
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

impl Problem for Star<'_> {
    fn evaluate_trial(&mut self) -> f64 {
        let at = self.fitter.placement(&self.trial);
        let (psf, window) = (self.fitter.psf, self.source.window);
        let near = self.frozen.as_deref_mut().and_then(|frozen| {
            let is_near = frozen.holds(at) || psf.freeze(at, window, frozen);
            is_near.then_some(&*frozen)
        });
        match near {
            Some(frozen) => {
                frozen.fill_with_gradient(at, window, self.profile, self.gradient);
            }
            None => psf.fill_with_gradient(at, window, self.profile, self.gradient),
        }
        // Planes as the PSF lays them out: one window after another, so that
        // the padding of one is the beginning of the next.
        let by_y = &self.gradient[self.source.window.len()..];
        let mut sums = accumulate(
            &self.pixels.data,
            &self.pixels.weights,
            [self.profile, self.gradient, by_y],
            self.trial[FLUX],
        );
        // While it approaches, with the best flux of each position (variable projection).
        if self.frozen.is_some() {
            let flux = self.trial[FLUX];
            let best = self.source.bounds.clamp(FLUX, sums.best_flux(flux));
            if best.is_finite() {
                sums = sums.with_change(best - flux);
                self.trial[FLUX] = best;
            }
        }
        self.trial_normal = sums.normal(self.trial[FLUX]);
        self.trial_normal.chi2
    }

    fn accept(&mut self) {
        // Of blends alone: the PSF's gradient is that of another function.
        if self.frozen.is_some() {
            let step = [X, Y].map(|k| self.trial[k] - self.current[k]);
            self.secant.learn(&self.normal, &self.trial_normal, step);
        }
        self.current = self.trial;
        self.normal = self.trial_normal;
        self.reduce();
    }

    fn solve(&mut self, lambda: f64) -> Option<f64> {
        let mut factor = Factor::new(&self.reduced.matrix, lambda);
        // With what was learnt the matrix may not be positive definite.
        if factor.is_none() && self.secant.is_known() {
            self.secant.give_up();
            self.reduce();
            factor = Factor::new(&self.reduced.matrix, lambda);
        }
        let g = &self.reduced.gradient;
        self.step = factor?.solve(*g);
        let gain = self.step.iter().zip(g).map(|(a, b)| a * b).sum();
        if lambda == 0.0 {
            self.gains = [self.gains[1], gain];
        }
        Some(gain)
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
