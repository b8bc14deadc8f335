//! The state of a solution between rounds, and what the stars say in it.

use crate::psf::fwhm;
use crate::{Error, Run};

use super::basis::{Basis, symmetry_centre};
use super::cutout::Cutout;
use super::estimate;
use super::field::{Field, Orthonormal};
use super::model::{Model, Scratch};
use super::noise::{Noise, Variance};
use super::precondition::Preconditioner;
use super::prior::{Prior, Smoothness};
use super::profile::Profile;
use super::refit::Refit;
use super::settings::EpsfSettings;
use super::solution::RoundReport;
use super::star::Star;
use super::stars::{Room, for_each, some_of, stars_of};
use super::system::System;

/// Least model error with which residuals are judged, round by round: the core
/// of a PSF that is still wrong must not be taken for a cosmic ray.
const FLOORS: [f64; 4] = [0.2, 0.05, 0.02, 0.01];

/// The model's error before the first round, as a part of the peak.
const UNKNOWN: f64 = 1.0;

/// The state between rounds.
#[derive(Debug)]
pub(crate) struct Solver<'s, 'a> {
    pub(crate) settings: &'s EpsfSettings<'s>,
    pub(crate) run: Run<'s>,
    pub(crate) stars: Vec<Star<'a>>,
    pub(crate) model: Model<'s>,
    pub(crate) terms: Orthonormal,
    /// Whether the PSF varies as it is meant to; before, it is constant.
    pub(crate) is_varied: bool,
    pub(crate) noise: Noise,
    pub(crate) smoothness: Smoothness,
    pub(crate) prior: Prior,
    /// Whether kappa is what it will be.
    pub(crate) is_chosen: bool,
    pub(crate) inverse: Option<Vec<Preconditioner>>,
    /// The noise that the inverse was made with.
    pub(crate) inverse_noise: Noise,
    pub(crate) held_out: Vec<(f64, f64)>,
    pub(crate) n_rounds: usize,
    pub(crate) history: Vec<RoundReport>,
    pub(crate) n_steps: usize,
    pub(crate) last_change: f64,
    pub(crate) has_converged: bool,
}

impl<'s, 'a> Solver<'s, 'a> {
    pub(crate) fn new(
        cutouts: &'a [Cutout<'a>],
        room: &'a mut Room,
        settings: &'s EpsfSettings<'s>,
        run: Run<'s>,
    ) -> Result<Self, Error> {
        let stars = stars_of(cutouts, room)?;
        let half = settings.half();
        let profile = Profile::of_stars(&stars, half.0.max(half.1));
        let fwhm = profile.fwhm();
        let is_linked = stars.iter().any(|star| star.exposures.len() > 1);
        let knots = settings.knots.unwrap_or_else(|| knots_for(fwhm, is_linked));
        let basis = Basis::new(half, knots);
        let smoothness = Smoothness {
            fwhm,
            kappa: settings.kappa.unwrap_or(1.0),
            is_deviation: settings.library.is_some(),
        };
        let psf = |x, y| profile.value_and_slopes(x, y);
        let prior = Prior::new(&basis, settings.alias_deviations(UNKNOWN), smoothness, psf);
        let variance = if cutouts.iter().all(|cutout| cutout.error.is_some()) {
            Variance::Given
        } else {
            Variance::Estimated {
                constant: 1.0,
                slope: 0.0,
            }
        };
        let noise = Noise {
            variance,
            model_error: settings.model_error.unwrap_or(0.0),
            is_of_stars: variance == Variance::Given
                && settings.field == Field::Constant
                && settings.library.is_none(),
        };
        let model = Model {
            basis,
            planes: vec![vec![0.0; basis.len()]],
            base: settings.library,
        };
        let mut solver = Self {
            settings,
            run,
            stars,
            model,
            terms: Orthonormal::identity(),
            is_varied: settings.field == Field::Constant,
            noise,
            smoothness,
            prior,
            is_chosen: settings.kappa.is_some(),
            inverse: None,
            inverse_noise: noise,
            held_out: Vec::new(),
            n_rounds: 0,
            history: Vec::new(),
            n_steps: 0,
            last_change: f64::INFINITY,
            has_converged: false,
        };
        solver.set_profile(&profile);
        Ok(solver)
    }

    /// Puts a radial profile in the place of the PSF, and weighs by it.
    fn set_profile(&mut self, profile: &Profile) {
        for star in &mut self.stars {
            for exposure in &mut star.exposures {
                let (x0, y0) = (exposure.x, exposure.y);
                let pixels = exposure.window().pixels();
                for (psi, (x, y)) in exposure.psi.iter_mut().zip(pixels) {
                    *psi = profile.at((x as f64 - x0).hypot(y as f64 - y0)) as f32;
                }
            }
        }
        self.weigh();
        if let Variance::Estimated { .. } = self.noise.variance {
            // The profile is too rough to tell its error from a slope.
            let (constant, _) = estimate::variance(&self.stars, true);
            let slope = 0.0;
            self.noise.variance = Variance::Estimated { constant, slope };
            self.weigh();
        }
    }

    /// Weighs the stars' pixels by a profile in the place of the PSF.
    fn weigh(&mut self) {
        /// Least model error that a profile is judged with.
        const FLOOR: f64 = 0.3;
        let half = self.settings.half();
        for star in &mut self.stars {
            star.weigh(half, &self.noise, FLOOR);
        }
    }

    pub(crate) fn system(&self) -> System<'_, 'a> {
        System {
            stars: &self.stars,
            basis: &self.model.basis,
            n_terms: self.model.planes.len(),
            shares_stars: self.is_varied && matches!(self.settings.field, Field::Nodes { .. }),
            smooth: &self.prior.smooth,
            alias: &self.prior.alias,
            gauge: &self.prior.gauge,
            run: self.run,
        }
    }

    /// How stars are fitted, where residuals are judged with a model error of at least
    /// `floor`.
    pub(crate) fn refit(&self, floor: f64) -> Refit {
        Refit {
            reach: (self.smoothness.fwhm.ceil() as i64).max(3),
            floor,
            with_background: self.settings.with_background,
        }
    }

    /// Fits, evaluates and weighs every star.
    pub(crate) fn fit_stars(&mut self) -> Result<(), Error> {
        let floor = FLOORS[self.n_rounds.min(FLOORS.len() - 1)];
        let with_background = self.settings.with_background;
        let refit = self.refit(floor);
        let (model, noise, half) = (&self.model, &self.noise, self.settings.half());
        for_each(&mut self.stars, self.run, |star, scratch| {
            refit.fit(star, model, noise, scratch);
            star.evaluate(model, scratch);
            star.weigh(half, noise, floor);
            star.eliminate(with_background);
        })?;
        if !self.stars.iter().any(|star| star.is_active) {
            return Err(undetermined());
        }
        if self.n_rounds > 0 {
            self.update_noise();
            let noise = &self.noise;
            for_each(&mut self.stars, self.run, |star, _| {
                star.weigh(half, noise, floor);
                star.eliminate(with_background);
            })?;
        }
        Ok(())
    }

    /// Evaluates the model anew for some stars, by their numbers in order.
    pub(crate) fn evaluate_again(&mut self, which: &[usize]) -> Result<(), Error> {
        let model = &self.model;
        let with_background = self.settings.with_background;
        let chosen = some_of(&mut self.stars, which);
        let evaluate = |scratch: &mut Scratch, star: &mut Star<'_>| {
            star.evaluate(model, scratch);
            star.eliminate(with_background);
            Ok(())
        };
        self.run
            .map(chosen, Scratch::default, evaluate)
            .map(|_: Vec<()>| ())
    }

    /// What the residuals say of the noise and of the model's error.
    fn update_noise(&mut self) {
        let fixed = self.settings.model_error;
        match self.noise.variance {
            Variance::Estimated { .. } => {
                let (constant, slope) = estimate::variance(&self.stars, fixed.is_none());
                self.noise.variance = Variance::Estimated { constant, slope };
            }
            Variance::Given if self.n_rounds == 1 => {
                if let Some(slope) = estimate::data_slope(&self.stars) {
                    self.noise.variance = Variance::FollowsData { slope };
                }
            }
            _ => {}
        }
        if fixed.is_none() {
            self.noise.model_error = estimate::model_error(&self.stars, &self.noise);
        }
    }

    /// The coefficients of the PSF that the stars, on the whole, see, and where
    /// they are.
    pub(crate) fn reference(&self) -> (Vec<f64>, (f64, f64)) {
        let mut weights = vec![0.0; self.model.planes.len()];
        let (mut x, mut y, mut total) = (0.0, 0.0, 0.0);
        for (star, exposure) in self.stars.iter().flat_map(Star::active_exposures) {
            for (term, weight) in &exposure.terms {
                weights[*term] += star.flux * weight;
            }
            let place = exposure.place();
            x += star.flux * place.0;
            y += star.flux * place.1;
            total += star.flux;
        }
        for w in &mut weights {
            *w /= total;
        }
        let mut coefficients = vec![0.0; self.model.basis.len()];
        for (plane, weight) in self.model.planes.iter().zip(&weights) {
            let sum = coefficients.iter_mut().zip(plane);
            sum.for_each(|(c, p)| *c += weight * p);
        }
        (coefficients, (x / total, y / total))
    }

    /// Makes the prior anew for the PSF as it is.
    pub(crate) fn update_prior(&mut self) {
        let (coefficients, place) = self.reference();
        let psf = |x: f64, y: f64| self.model.value(&coefficients, place, (x, y));
        let half = self.settings.half();
        self.smoothness.fwhm = fwhm::of_image(|x, y| psf(x, y).0, half.0.min(half.1));
        let model_error = if self.n_rounds == 0 {
            UNKNOWN
        } else {
            self.noise.model_error
        };
        let deviations = self.settings.alias_deviations(model_error);
        self.prior = Prior::new(&self.model.basis, deviations, self.smoothness, psf);
    }

    /// Scales the PSF so that its samples have the sum that they should.
    pub(crate) fn normalise(&mut self) {
        let (coefficients, _) = self.reference();
        let (shape, oversampling) = (self.settings.shape, self.settings.oversampling);
        let samples = self
            .model
            .basis
            .sample(&coefficients, shape, oversampling, (0.0, 0.0));
        let norm = samples.iter().sum::<f64>() / (oversampling.0 * oversampling.1) as f64;
        if !(norm > 0.0 && norm.is_finite()) {
            return;
        }
        for c in self.model.planes.iter_mut().flatten() {
            *c /= norm;
        }
        for star in &mut self.stars {
            star.flux *= norm;
        }
    }

    /// Moves the PSF's centre of symmetry to the origin, and the stars with it.
    pub(crate) fn centre(&mut self) {
        let (coefficients, _) = self.reference();
        let basis = &self.model.basis;
        let Some(shift) = symmetry_centre(|x, y| basis.value(&coefficients, (x, y))) else {
            return;
        };
        // Not worth what the shift costs in accuracy.
        if shift.0.hypot(shift.1) < 1e-5 {
            return;
        }
        for plane in &mut self.model.planes {
            *plane = basis.shifted(plane, shift);
        }
        for exposure in self.stars.iter_mut().flat_map(|star| &mut star.exposures) {
            exposure.x += shift.0;
            exposure.y += shift.1;
        }
    }

    /// An inverse for the system as it is: the last one, where that is near enough.
    pub(crate) fn take_inverse(&mut self) -> Result<Vec<Preconditioner>, Error> {
        let is_near = |a: f64, b: f64| (a - b).abs() <= 0.3 * a.max(b) || a.max(b) < 1e-3;
        let last = self.inverse.take();
        if let Some(inverse) = last
            && is_near(self.noise.model_error, self.inverse_noise.model_error)
        {
            return Ok(inverse);
        }
        self.inverse_noise = self.noise;
        self.system()
            .precondition(Preconditioner::rounded)?
            .ok_or_else(undetermined)
    }
}

/// Knots per pixel for a PSF of a width. Projected without noise, a spline of 2
/// knots per pixel is wrong by 0.04 mpx at an FWHM of 2.2 px, and by 5 at 1.1;
/// one of 3 by 0.4, and one of 4 by 0.1; but finer knots leave more to the prior,
/// and only dithered stars make that good (200 stars: 0.9 and 1.2 mpx).
fn knots_for(fwhm: f64, is_linked: bool) -> usize {
    if fwhm >= 1.8 {
        2
    } else if fwhm < 1.3 && is_linked {
        4
    } else {
        3
    }
}

pub(crate) fn undetermined() -> Error {
    Error::invalid(
        "cutouts",
        "hold stars whose pixels determine flux and position",
        "none such",
    )
}
