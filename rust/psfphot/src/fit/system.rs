//! Many sources fitted jointly, however many: one sparse system.
//!
//! The normal equations of all sources are summed up over the exposures
//! ([`sweep`]) into blocks, of which only those of pairs that share pixels are
//! there, and are solved by a sparse Cholesky factor ([`crate::solve`]). The residual
//! is kept on the grid of pixels ([`plane`]) and only changed where a star has
//! moved: a step costs as much as there are stars that still move.
//!
//! A star's *model* is subtracted over its whole support. Its *derivatives*, and so
//! what couples it to others, extend over a core ([`extent`]).

mod errors;
mod extent;
pub(crate) mod kept;
mod neighbours;
mod plane;
mod pruning;
mod sandwich;
mod star;
mod steps;
mod sweep;
mod weights;

use crate::Error;
use crate::image::PixelBox;
use crate::solve::llt::Llt;
use crate::solve::{Factor, Outcome};

use super::covariance::Joint;
use super::exposure::Exposure;
use super::model::Model;
use super::source::{Solution, Source};
use super::weighting::Loss;
use super::{Fitter, Parameters, SETTLED};

use extent::Extent;
use plane::{Image, Plane};
use star::Star;
use sweep::{Sums, Sweep};

/// Steps before stars that stand still are left out: the first ones are damped.
const FULL_STEPS: usize = 4;

/// The step from which on wings follow. What the first steps leave of them, some 10 % of
/// what they are far from the star, changes no step to speak of, and moving them takes
/// several times as long as moving the cores.
const WINGS_FROM: usize = 3;

/// Damping is raised so often in a step, by 10 each time. Only a matrix that holds what
/// is no number has no factor then: there is no step.
const MOST_RAISES: usize = 20;

/// Where less than this part of the stars still moves, the system is made smaller:
/// finding its pattern and order takes as long as some steps.
const WORTHWHILE: f64 = 0.8;

/// How much is left out to be fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Care {
    /// The parts of a star's information outside its core.
    losses: [f64; 2],
    /// Pairs without larger correlations are left out of the steps.
    weak: f64,
    /// Whether stars that stand still are left out.
    freezes: bool,
}

impl Default for Care {
    fn default() -> Self {
        Self {
            losses: extent::LOSSES,
            weak: pruning::WEAK,
            freezes: true,
        }
    }
}

#[cfg(test)]
impl Care {
    /// Nothing.
    pub(crate) const UTMOST: Self = Self {
        losses: [0.0; 2],
        weak: 0.0,
        freezes: false,
    };
}

/// A system of all stars of a fit. With several exposures there is a plane for each.
struct System<'a, const P: usize> {
    fitter: &'a Fitter<'a>,
    sources: &'a [Source],
    care: Care,
    planes: Vec<Plane>,
    extent: Extent,
    stars: Vec<Star>,
    /// The pixels of each star's derivatives.
    cores: Vec<PixelBox>,
    current: Vec<Parameters>,
}

/// The equations of some stars.
struct Equations<const P: usize> {
    sweep: Sweep,
    sums: Sums<P>,
    factor: Llt<P>,
    /// What stands for the pairs that are left out; empty where none are.
    slack: Vec<[f64; P]>,
}

/// Fits the sources jointly; returns where each ended, the model of all, and what their
/// covariance follows from where there is one.
pub(crate) fn fit(
    fitter: &Fitter<'_>,
    exposure: &Exposure,
    sources: &[Source],
    care: Care,
) -> Result<(Vec<Solution>, Model, Option<Joint>), Error> {
    match fitter.free.len() {
        1 => fit_with::<1>(fitter, exposure, sources, care),
        2 => fit_with::<2>(fitter, exposure, sources, care),
        3 => fit_with::<3>(fitter, exposure, sources, care),
        4 => fit_with::<4>(fitter, exposure, sources, care),
        5 => fit_with::<5>(fitter, exposure, sources, care),
        _ => fit_with::<6>(fitter, exposure, sources, care),
    }
}

fn fit_with<const P: usize>(
    fitter: &Fitter<'_>,
    exposure: &Exposure,
    sources: &[Source],
    care: Care,
) -> Result<(Vec<Solution>, Model, Option<Joint>), Error> {
    let mut system = System::<P>::new(fitter, exposure, sources, care)?;
    system.settle(exposure)?;
    let n_rejected = system.n_below(Loss::REJECTED, exposure)?;
    let (solutions, joint) = system.solutions(&n_rejected)?;
    let plane = system.planes.swap_remove(0);
    let model = plane.into_model(exposure, sources, fitter.run)?;
    Ok((solutions, model, joint))
}

impl<'a, const P: usize> System<'a, P> {
    fn new(
        fitter: &'a Fitter<'a>,
        exposure: &Exposure,
        sources: &'a [Source],
        mut care: Care,
    ) -> Result<Self, Error> {
        if fitter.is_linear() {
            // Steps are the solution; it must not be that of another matrix.
            care.weak = 0.0;
        }
        let planes = vec![Plane::new(exposure, sources, fitter.run)?];
        let current: Vec<_> = sources.iter().map(|source| source.parameters).collect();
        let extent = Extent::new(fitter, &examples(&current), care.losses);
        let mut system = Self {
            fitter,
            sources,
            care,
            planes,
            extent,
            stars: Vec::with_capacity(sources.len()),
            cores: Vec::with_capacity(sources.len()),
            current,
        };
        for star in 0..sources.len() {
            let (core, placed) = system.placed(star);
            system.cores.push(core);
            system.stars.push(placed);
        }
        let images: Vec<_> = (0..sources.len())
            .map(|star| system.whole(star, 1.0))
            .collect();
        system.add(&images)?;
        Ok(system)
    }

    /// Adds images of stars to the model.
    fn add(&mut self, images: &[Image]) -> Result<(), Error> {
        for plane in &mut self.planes {
            plane.add(self.fitter, images)?;
        }
        Ok(())
    }

    /// The equations of some stars where they are, without pairs whose correlations are
    /// not larger than `weak`.
    fn equations(&self, stars: &[u32], weak: f64) -> Result<Equations<P>, Error> {
        let run = self.fitter.run;
        let (mut sweep, mut sums) = Sweep::new(&self.planes, &self.cores, stars, run)?;
        self.sum(&sweep, &mut sums)?;
        let slack = if weak > 0.0 {
            pruning::prune(&mut sweep, &mut sums, weak)
        } else {
            Vec::new()
        };
        let factor = Llt::new(&sums.matrix, run)?;
        Ok(Equations {
            sweep,
            sums,
            factor,
            slack,
        })
    }

    /// Sums up the equations where the stars are now.
    fn sum(&self, sweep: &Sweep, sums: &mut Sums<P>) -> Result<(), Error> {
        sweep.sum(self.fitter, &self.planes, &self.cores, &self.current, sums)
    }

    /// The variance of a pixel of weight 1: 1 where errors are given, else chi^2 per
    /// degree of freedom.
    fn unit_variance(&self) -> Result<f64, Error> {
        if self.fitter.has_error {
            return Ok(1.0);
        }
        let (mut chi2, mut n_good) = (0.0, 0);
        for plane in &self.planes {
            chi2 += plane.total_chi2(self.fitter.run)?;
            n_good += plane.n_good();
        }
        let freedom = n_good.saturating_sub(self.sources.len() * P).max(1);
        Ok(chi2 / freedom as f64)
    }

    /// Steps until the stars stand still, or it is time to end; stars that stand still
    /// are left out after `full_steps`.
    fn minimise(&mut self, full_steps: usize) -> Result<(), Error> {
        let all = 0..self.sources.len() as u32;
        let all: Vec<u32> = all.filter(|&i| !self.stars[i as usize].has_ended).collect();
        let mut moving = self.equations(&all, self.care.weak)?;
        let settings = self.fitter.settings;
        // Whether the step was one from where all wings had followed: if stars stand still
        // again, they do.
        let mut have_followed = false;
        for step in 1..settings.max_iterations().min(steps::MOST) {
            self.fitter.run.check()?;
            self.step(&mut moving, step)?;
            if step >= full_steps {
                self.end_uncertain(&mut moving, step)?;
                let left = self.left(&moving);
                if left.is_empty() && (have_followed || !self.move_all_wings(&moving)?) {
                    break;
                }
                have_followed = left.is_empty();
                if self.care.freezes && !left.is_empty() && is_due(&moving, &left, step) {
                    moving = self.smaller(moving, &left)?;
                    continue;
                }
            }
            self.sum(&moving.sweep, &mut moving.sums)?;
        }
        self.move_all_wings(&moving)?;
        Ok(())
    }

    /// Of the stars of some equations those that still move, and their neighbours, without
    /// those that have ended.
    fn left(&self, moving: &Equations<P>) -> Vec<u32> {
        let limit = SETTLED * self.fitter.settings.step_tolerance();
        let members = &moving.sweep.members;
        let has_ended = |&star: &u32| self.stars[star as usize].has_ended;
        let is_moving: Vec<bool> = members
            .iter()
            .map(|star| self.stars[*star as usize].length > limit && !has_ended(star))
            .collect();
        let mut stays = is_moving.clone();
        for &(a, b) in moving.sums.matrix.pairs() {
            let (a, b) = (a as usize, b as usize);
            stays[a] |= is_moving[b];
            stays[b] |= is_moving[a];
        }
        let left = members.iter().zip(stays);
        left.filter(|(star, stays)| *stays && !has_ended(star))
            .map(|(&star, _)| star)
            .collect()
    }

    /// The equations of some of the stars of larger ones; all wings follow first.
    fn smaller(&mut self, moving: Equations<P>, left: &[u32]) -> Result<Equations<P>, Error> {
        self.move_all_wings(&moving)?;
        self.follow(left)?;
        drop(moving);
        self.equations(left, self.care.weak)
    }

    /// Lets all rings follow, those that are behind too: before their stars are left out,
    /// and at the end.
    fn move_all_wings(&mut self, moving: &Equations<P>) -> Result<bool, Error> {
        let unit_variance = self.unit_variance()?;
        self.move_wings(&moving.sweep.members, unit_variance, |_| true)
    }

    /// The step of a number, counted from 1, of the stars that still move.
    fn step(&mut self, moving: &mut Equations<P>, number: usize) -> Result<(), Error> {
        let unit_variance = self.unit_variance()?;
        let members = moving.sweep.members.clone();
        let undamped = moving.sums.matrix.diagonal.clone();
        let held = self.held(&members, &moving.sums.gradient);
        let mut is_factored = false;
        for _ in 0..MOST_RAISES {
            self.damp(&members, &undamped, unit_variance, moving);
            let run = self.fitter.run;
            let outcome = moving.factor.factor(&moving.sums.matrix, &held, run)?;
            let Outcome::Indefinite(nulls) = outcome else {
                is_factored = true;
                break;
            };
            for null in nulls {
                for member in null.members.into_iter().chain([null.member]) {
                    self.stars[members[member] as usize].damping.raise();
                }
            }
        }
        if !is_factored {
            return Ok(());
        }
        let mut step = free(&moving.sums.gradient, &held);
        moving.factor.solve(&mut step);
        self.take(&members, &step, &undamped, unit_variance)?;
        if number >= WINGS_FROM {
            // Outer rings, which have most of the pixels and the least light, follow every
            // second step, every fourth and so on.
            self.move_wings(&members, unit_variance, |ring| {
                number.is_multiple_of(1 << ring)
            })?;
        }
        Ok(())
    }

    /// The parameters that a bound holds, one after another; empty where there are
    /// none.
    fn held(&self, members: &[u32], gradient: &[[f64; P]]) -> Vec<bool> {
        let mut held = Vec::with_capacity(members.len() * P);
        for (&star, gradient) in members.iter().zip(gradient) {
            let (source, current) = (&self.sources[star as usize], &self.current[star as usize]);
            for (&k, &g) in self.fitter.free.iter().zip(gradient) {
                held.push(source.bounds.holds(k, current[k], g));
            }
        }
        if !held.contains(&true) {
            held.clear();
        }
        held
    }
}

/// Whether equations of those that are left are worth being made. Once they are in any
/// case: the cores of stars that have moved follow then.
fn is_due<const P: usize>(moving: &Equations<P>, left: &[u32], step: usize) -> bool {
    let part = left.len() as f64 / moving.sweep.members.len() as f64;
    part < WORTHWHILE || step == steps::UNCERTAIN_FROM
}

/// The gradient without what is held.
fn free<const P: usize>(gradient: &[[f64; P]], held: &[bool]) -> Vec<[f64; P]> {
    let mut step = gradient.to_vec();
    for (value, &held) in step.as_flattened_mut().iter_mut().zip(held) {
        if held {
            *value = 0.0;
        }
    }
    step
}

/// A few sources of a list, spread over it.
fn examples(all: &[Parameters]) -> Vec<Parameters> {
    const MOST: usize = 8;
    let step = all.len().div_ceil(MOST).max(1);
    all.iter().step_by(step).copied().collect()
}
