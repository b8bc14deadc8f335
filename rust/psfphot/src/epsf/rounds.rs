//! The rounds: fit the stars, weigh their pixels, step the PSF, centre it.

use crate::{Error, Run};

use super::choose;
use super::cutout::Cutout;
use super::field::{Field, Orthonormal, TermWeight};
use super::precondition::Preconditioner;
use super::report;
use super::settings::EpsfSettings;
use super::solution::{EpsfSolution, RoundReport};
use super::solver::{Solver, undetermined};
use super::star::Star;
use super::stars::Room;
use super::system::System;

/// With this much of the peak left to change the shape is known well enough to
/// choose the prior by, and to let it vary over the frame.
const SETTLED: f64 = 0.03;
/// A change of the PSF by less than this part of the stars' error ends the rounds too:
/// stars that differ from the PSF by so much do not tell it better.
const NEGLIGIBLE: f64 = 0.2;
/// Part of a right side that conjugate gradients leave in a round.
const TOLERANCE: f64 = 1e-2;
const MOST_STEPS: usize = 60;

/// Solves for a PSF from cutouts of stars.
///
/// # Errors
/// [`Error::InvalidArgument`] or [`Error::ShapeMismatch`] naming the setting or
/// what of the cutouts cannot be used; [`Error::Cancelled`].
pub fn solve_epsf(
    cutouts: &[Cutout<'_>],
    settings: &EpsfSettings<'_>,
    run: Run<'_>,
) -> Result<EpsfSolution, Error> {
    settings.check()?;
    let mut room = Room::default();
    let mut solver = Solver::new(cutouts, &mut room, settings, run)?;
    solver.begin()?;
    while solver.round()? {}
    solver.finish()?;
    report::solution(&solver, cutouts.len())
}

impl Solver<'_, '_> {
    /// The first PSF: linear least squares for the stars as they are said to be.
    fn begin(&mut self) -> Result<(), Error> {
        if self.settings.library.is_some() {
            return self.vary();
        }
        for exposure in self.stars.iter_mut().flat_map(|star| &mut star.exposures) {
            exposure.psi.fill(0.0);
        }
        let system = System {
            gauge: &[],
            ..self.system()
        };
        let inverse = system
            .precondition(Preconditioner::rounded)?
            .ok_or_else(undetermined)?;
        let right = system.right_side(&self.model.planes)?;
        self.model.planes = system
            .solve(&right, &inverse, TOLERANCE, MOST_STEPS)?
            .planes;
        self.normalise();
        self.centre();
        self.run.advance(1);
        Ok(())
    }

    /// Lets the PSF vary over the frame.
    fn vary(&mut self) -> Result<(), Error> {
        self.is_varied = true;
        self.inverse = None;
        let field = &self.settings.field;
        let places = |star: &Star<'_>| -> Vec<Vec<TermWeight>> {
            star.exposures
                .iter()
                .map(|e| field.weights(e.place()))
                .collect()
        };
        let n = field.n_terms();
        if let Field::Polynomial { .. } = field {
            let counted: Vec<_> = self
                .stars
                .iter()
                .filter(|star| star.is_active)
                .flat_map(|star| places(star).into_iter().map(|terms| (terms, star.flux)))
                .collect();
            if counted.is_empty() {
                return Err(undetermined());
            }
            self.terms = Orthonormal::new(&counted, n);
        }
        for star in &mut self.stars {
            let places = places(star);
            for (exposure, terms) in star.exposures.iter_mut().zip(places) {
                exposure.terms = self.terms.weights(terms);
            }
        }
        let constant = self.model.planes.swap_remove(0);
        self.model.planes = match field {
            // The first of the orthonormal terms is 1.
            Field::Constant | Field::Polynomial { .. } => {
                let zero = vec![0.0; constant.len()];
                let others = std::iter::repeat_n(zero, n - 1);
                std::iter::once(constant).chain(others).collect()
            }
            Field::Nodes { .. } => vec![constant; n],
        };
        Ok(())
    }

    /// One round; `false` if it was the last.
    fn round(&mut self) -> Result<bool, Error> {
        self.fit_stars()?;
        if !self.is_varied && (self.last_change < SETTLED || self.n_rounds >= 3) {
            self.vary()?;
            self.fit_stars()?;
        }
        // Later it would only follow the noise; from the first to the second round
        // it changes little.
        if self.n_rounds == 0 || self.n_rounds == 2 {
            self.update_prior();
            self.inverse = None;
        }
        let is_settled = self.last_change < SETTLED || self.n_rounds >= 4;
        if self.is_varied && !self.is_chosen && is_settled && self.n_rounds >= 2 {
            choose::kappa(self)?;
            self.is_chosen = true;
        }
        self.step()?;
        self.n_rounds += 1;
        self.history.push(self.report_round());
        self.run.advance(1);
        let is_final = self.is_varied && self.is_chosen && self.n_rounds > 2;
        let mut accuracy = self.settings.accuracy;
        if self.noise.is_of_stars {
            accuracy = accuracy.max(NEGLIGIBLE * self.noise.model_error);
        }
        self.has_converged = is_final && self.last_change < accuracy;
        Ok(!self.has_converged && self.n_rounds < self.settings.max_rounds)
    }

    fn report_round(&self) -> RoundReport {
        let (coefficients, _) = self.reference();
        let (shape, oversampling) = (self.settings.shape, self.settings.oversampling);
        let exposures = self.stars.iter().flat_map(|star| &star.exposures);
        let mut places: Vec<_> = exposures.map(|e| (e.index, (e.x, e.y))).collect();
        places.sort_by_key(|(index, _)| *index);
        RoundReport {
            samples: self
                .model
                .basis
                .sample(&coefficients, shape, oversampling, (0.0, 0.0)),
            positions: places.into_iter().map(|(_, place)| place).collect(),
        }
    }

    /// The joint step of the PSF.
    fn step(&mut self) -> Result<(), Error> {
        let inverse = self.take_inverse()?;
        let system = self.system();
        let right = system.right_side(&self.model.planes)?;
        let solved = system.solve(&right, &inverse, TOLERANCE, MOST_STEPS)?;
        self.inverse = Some(inverse);
        self.n_steps += solved.steps;
        let changes = solved.planes.iter().flatten();
        let change = changes.fold(0.0_f64, |most, c| most.max(c.abs()));
        self.model.add(&solved.planes);
        let (coefficients, place) = self.reference();
        let peak = self.model.value(&coefficients, place, (0.0, 0.0)).0;
        self.last_change = change / peak.abs();
        if self.settings.library.is_none() {
            self.normalise();
            self.centre();
        }
        Ok(())
    }

    /// The stars for the final PSF.
    fn finish(&mut self) -> Result<(), Error> {
        // That of the errors is another; of a grid both are much memory.
        self.inverse = None;
        if !self.is_varied {
            self.vary()?;
        }
        self.fit_stars()
    }
}
