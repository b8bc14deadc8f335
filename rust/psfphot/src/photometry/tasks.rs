//! The sources of a run cut into tasks: chunks of isolated sources, and groups.

use crate::fit::model::Model;
use crate::fit::pixels::Pixels;
use crate::fit::{
    FLUX, Fitter, MAX_GROUP_PARAMETERS, Parameters, Termination, X, Y, group, isolated,
};
use crate::image::{Frame, Pixel, PixelBox, PixelState};
use crate::psf::Psf;
use crate::run::chunks;
use crate::{Error, Run, flags};

use super::Photometry;
use super::duplicates::flag_duplicates;
use super::outcome::{Context, Fitted, Ready, Residuals};
use super::source::{FittedSource, Starts};

/// Isolated sources per task: some 0.1 ms of work, so that handing out tasks
/// costs nothing and the last one is not waited for.
const CHUNK: usize = 64;

/// One task: rows of sources that are fitted alone, or one group.
enum Task {
    Alone(Vec<usize>),
    Jointly(Vec<usize>),
}

/// Everything that the tasks share.
pub(super) struct Job<'a, T> {
    pub(super) fitter: Fitter<'a>,
    pub(super) frame: &'a Frame<'a, T>,
    starts: &'a Starts<'a>,
    pub(super) context: Context<'a>,
    photometry: &'a Photometry,
}

/// Reusable memory of one thread.
#[derive(Default)]
struct Scratch {
    pixels: Pixels,
    buffers: isolated::Buffers,
}

/// Why a source cannot be fitted.
pub(super) struct Reason {
    flags: u32,
    n_pixels: usize,
    n_bad_errors: usize,
}

impl Reason {
    fn new(flags: u32) -> Self {
        Self {
            flags,
            n_pixels: 0,
            n_bad_errors: 0,
        }
    }

    fn row(&self, context: &Context<'_>) -> FittedSource {
        FittedSource {
            n_bad_errors: self.n_bad_errors,
            ..context.not_fitted(self.flags, self.n_pixels)
        }
    }
}

pub(super) fn fit_all<T: Pixel>(
    photometry: &Photometry,
    free: &[usize],
    psf: &dyn Psf,
    frame: &Frame<'_, T>,
    starts: &Starts<'_>,
    run: Run<'_>,
) -> Result<Vec<FittedSource>, Error> {
    let job = Job::new(photometry, free, psf, frame, starts, run);
    let tasks = tasks(starts);
    check_groups(&tasks, free.len())?;
    let rows = run.map(tasks, Scratch::default, |scratch, task| {
        let rows = match task {
            Task::Alone(indices) if job.is_plain() => job.fit_each(&indices, scratch),
            Task::Alone(indices) => {
                let single = |index| job.fit_jointly(&[index], scratch);
                let rows: Result<Vec<_>, _> = indices.into_iter().map(single).collect();
                rows.map(|rows| rows.into_iter().flatten().collect())
            }
            Task::Jointly(indices) => job.fit_jointly(&indices, scratch),
        }?;
        run.advance(rows.len());
        Ok(rows)
    })?;
    let mut sources = vec![FittedSource::not_fitted(0); starts.len()];
    for (index, row) in rows.into_iter().flatten() {
        sources[index] = row;
    }
    flag_duplicates(&mut sources, starts, run)?;
    Ok(sources)
}

/// The sources by label; the largest groups first, as they take longest.
fn tasks(starts: &Starts<'_>) -> Vec<Task> {
    if starts.groups().is_none() {
        let ranges = chunks(starts.len(), CHUNK).into_iter();
        return ranges.map(|range| Task::Alone(range.collect())).collect();
    }
    let (mut alone, mut joint) = (Vec::new(), Vec::new());
    for members in members_of_groups(starts) {
        match members[..] {
            [one] => alone.push(one),
            _ => joint.push(members),
        }
    }
    joint.sort_by_key(|members| std::cmp::Reverse(members.len()));
    let alone = alone.chunks(CHUNK).map(|c| Task::Alone(c.to_vec()));
    joint.into_iter().map(Task::Jointly).chain(alone).collect()
}

/// The sources of each label, in the order of the labels.
pub(super) fn members_of_groups(starts: &Starts<'_>) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..starts.len()).collect();
    let Some(groups) = starts.groups() else {
        return order.into_iter().map(|i| vec![i]).collect();
    };
    order.sort_by_key(|&i| groups[i]);
    let same = |&a: &usize, &b: &usize| groups[a] == groups[b];
    order.chunk_by(same).map(<[usize]>::to_vec).collect()
}

/// Refuses groups whose matrix would not fit into memory.
fn check_groups(tasks: &[Task], n_free: usize) -> Result<(), Error> {
    let most = MAX_GROUP_PARAMETERS / n_free;
    for task in tasks {
        match task {
            Task::Jointly(members) if members.len() > most => {
                let expected = format!("make groups of at most {most} sources");
                let got = format!("a group of {}", members.len());
                return Err(Error::invalid("groups", expected, got));
            }
            _ => {}
        }
    }
    Ok(())
}

impl<'a, T: Pixel> Job<'a, T> {
    pub(super) fn new(
        photometry: &'a Photometry,
        free: &'a [usize],
        psf: &'a dyn Psf,
        frame: &'a Frame<'a, T>,
        starts: &'a Starts<'a>,
        run: Run<'a>,
    ) -> Self {
        let has_error = frame.has_error();
        Self {
            fitter: Fitter {
                psf,
                settings: photometry.settings,
                has_error,
                run,
            },
            photometry,
            frame,
            starts,
            context: Context {
                free,
                fit_shape: photometry.fit_shape,
                image: frame.data().bounds(),
                has_error,
            },
        }
    }

    /// Whether flux, x and y are what is free: such a star alone has a faster
    /// way than a group of one.
    fn is_plain(&self) -> bool {
        self.context.free == [FLUX, X, Y]
    }

    /// What can be said of a source before its pixels are looked at.
    fn ready(&self, index: usize) -> Result<Ready, Reason> {
        let start = self.starts.parameters(index, self.fitter.psf);
        let background = self.starts.background(index);
        let (is_known, flags) = if background.is_finite() {
            (true, 0)
        } else {
            (false, flags::NON_FINITE_LOCAL_BKG)
        };
        if !(start[X].is_finite() && start[Y].is_finite()) {
            return Err(Reason::new(flags | flags::NON_FINITE_POSITION));
        }
        let fit_box = PixelBox::around(start[X], start[Y], self.context.fit_shape);
        let window = fit_box.intersection(&self.context.image);
        if window.is_empty() {
            return Err(Reason::new(flags | flags::NO_OVERLAP));
        }
        if !start[FLUX].is_finite() {
            return Err(Reason::new(flags | flags::NON_FINITE_FLUX));
        }
        let bounds = self.photometry.bounds(&start);
        Ok(Ready {
            index,
            start,
            bounds,
            window,
            background: if is_known { background } else { 0.0 },
            flags,
        })
    }

    /// As `ready`, for a source whose pixels are enough.
    pub(super) fn ready_with_pixels(&self, index: usize) -> Result<Ready, Reason> {
        let source = self.ready(index)?;
        let n_good = self.count_good(source.window);
        self.check_pixels(&source, n_good)?;
        Ok(source)
    }

    /// A source as a member of its group.
    pub(super) fn member(&self, source: &Ready) -> group::Member {
        group::Member {
            window: source.window,
            start: self.within_bounds(source),
            bounds: source.bounds,
            background: source.background,
        }
    }

    /// Where the fit of a source begins.
    fn within_bounds(&self, source: &Ready) -> Parameters {
        let mut start = source.start;
        for &k in self.context.free {
            start[k] = source.bounds.clamp(k, start[k]);
        }
        start
    }

    /// Whether a source's good pixels are enough.
    fn check_pixels(&self, source: &Ready, n_good: usize) -> Result<(), Reason> {
        let flag = match n_good {
            0 => flags::FULLY_MASKED,
            n if n < self.context.free.len() => flags::TOO_FEW_PIXELS,
            _ => return Ok(()),
        };
        Err(Reason {
            flags: source.flags | flag,
            n_pixels: n_good,
            n_bad_errors: self.count_bad_errors(source.window),
        })
    }

    fn fit_each(
        &self,
        indices: &[usize],
        scratch: &mut Scratch,
    ) -> Result<Vec<(usize, FittedSource)>, Error> {
        let row = |&index: &usize| {
            let row = match self.ready(index) {
                Ok(source) => self.fit_alone(&source, scratch)?,
                Err(reason) => reason.row(&self.context),
            };
            Ok((index, row))
        };
        indices.iter().map(row).collect()
    }

    fn fit_alone(&self, source: &Ready, scratch: &mut Scratch) -> Result<FittedSource, Error> {
        let pixels = &mut scratch.pixels;
        pixels.clear();
        pixels.gather(self.frame, source.window, |_, _| source.background);
        if let Err(reason) = self.check_pixels(source, pixels.n_good) {
            return Ok(reason.row(&self.context));
        }
        let target = isolated::Target {
            window: source.window,
            pixels,
            start: self.within_bounds(source),
            bounds: source.bounds,
        };
        let solution = isolated::fit(&self.fitter, target, &mut scratch.buffers)?;
        let mut residuals = Residuals::new(source);
        let positions = source.window.pixels();
        let values = pixels
            .data
            .iter()
            .zip(&pixels.weights)
            .zip(scratch.buffers.profile());
        for (position, ((data, &weight), profile)) in positions.zip(values) {
            if weight > 0.0 {
                residuals.add(position, data - solution.parameters[FLUX] * profile, weight);
            }
        }
        let fitted = Fitted {
            parameters: solution.parameters,
            variances: solution.variances.as_ref().map(<[f64; 3]>::as_slice),
            termination: solution.report.termination,
            iterations: solution.report.iterations,
            residuals,
            n_bad_errors: pixels.n_bad_errors,
        };
        Ok(self.context.row(source, &fitted))
    }

    /// The sources that can be fitted, and the rows of the others.
    pub(super) fn sort_out(&self, indices: &[usize]) -> (Vec<Ready>, Vec<(usize, FittedSource)>) {
        let (mut sources, mut rows) = (Vec::new(), Vec::new());
        for &index in indices {
            match self.ready_with_pixels(index) {
                Ok(source) => sources.push(source),
                Err(reason) => rows.push((index, reason.row(&self.context))),
            }
        }
        (sources, rows)
    }

    fn fit_jointly(
        &self,
        indices: &[usize],
        scratch: &mut Scratch,
    ) -> Result<Vec<(usize, FittedSource)>, Error> {
        let (members, mut rows) = self.sort_out(indices);
        if let [only] = members[..]
            && self.is_plain()
        {
            rows.push((only.index, self.fit_alone(&only, scratch)?));
        } else if !members.is_empty() {
            let fitted = self.fit_group(&members)?;
            rows.extend(members.iter().map(|m| m.index).zip(fitted));
        }
        Ok(rows)
    }

    fn fit_group(&self, sources: &[Ready]) -> Result<Vec<FittedSource>, Error> {
        let members: Vec<_> = sources.iter().map(|source| self.member(source)).collect();
        let free = self.context.free;
        let solution = group::fit(&self.fitter, self.frame, &members, free)?;
        let width = free.len();
        let row = |(k, source): (usize, &Ready)| {
            let variances = &solution.variances[k * width..(k + 1) * width];
            let is_settled = solution.is_settled[k];
            let fitted = Fitted {
                parameters: solution.parameters[k],
                variances: variances.iter().all(|v| !v.is_nan()).then_some(variances),
                termination: match solution.report.termination {
                    // The group as a whole still moves, this member does not.
                    Termination::MaxIterations | Termination::Stalled | Termination::Singular
                        if is_settled =>
                    {
                        Termination::Converged
                    }
                    other => other,
                },
                iterations: solution.report.iterations,
                residuals: self.residuals(source, &solution.model),
                n_bad_errors: self.count_bad_errors(source.window),
            };
            self.context.row(source, &fitted)
        };
        Ok(sources.iter().enumerate().map(row).collect())
    }

    /// A member's own pixels, minus its own background and the whole group.
    pub(super) fn residuals(&self, source: &Ready, model: &Model) -> Residuals {
        let mut residuals = Residuals::new(source);
        model.visit(source.window, |(x, y), model| {
            if let PixelState::Good { value, weight } = self.frame.pixel(x, y) {
                residuals.add((x, y), value - source.background - model, weight);
            }
        });
        residuals
    }

    fn count_good(&self, window: PixelBox) -> usize {
        self.count(window, |state| matches!(state, PixelState::Good { .. }))
    }

    pub(super) fn count_bad_errors(&self, window: PixelBox) -> usize {
        self.count(window, |state| state == PixelState::BadError)
    }

    fn count(&self, window: PixelBox, condition: impl Fn(PixelState) -> bool) -> usize {
        window
            .pixels()
            .filter(|&(x, y)| condition(self.frame.pixel(x, y)))
            .count()
    }
}
