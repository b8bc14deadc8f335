//! What is fitted to which pixels, cut into tasks: chunks of isolated sources, and groups.

use crate::fit::exposure::{Count, Exposure};
use crate::fit::model::Model;
use crate::fit::pixels::Pixels;
use crate::fit::source::{Solution, Source};
use crate::fit::{FLUX, Fitter, MAX_GROUP_PARAMETERS, X, Y, group, isolated};
use crate::image::{Frame, Pixel, PixelBox};
use crate::psf::Psf;
use crate::{Error, Run, bands, flags};

use super::Photometry;
use super::duplicates::flag_duplicates;
use super::quality::Quality;
use super::row::FittedSource;
use super::starts::Starts;

/// Isolated sources per task: some 0.1 ms of work, so that handing out tasks
/// costs nothing and the last one is not waited for.
const CHUNK: usize = 64;

/// One task: rows of sources that are fitted alone, or one group.
enum Task {
    Alone(Vec<usize>),
    Jointly(Vec<usize>),
}

/// Everything that the tasks share.
pub(super) struct Plan<'a> {
    pub(super) fitter: Fitter<'a>,
    pub(super) exposure: Exposure,
    pub(super) fit_shape: (usize, usize),
    starts: &'a Starts<'a>,
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
    pub(super) flags: u32,
    /// The pixels of its window.
    pub(super) pixels: Count,
}

impl Reason {
    /// One that is there before pixels are looked at.
    fn new(flags: u32) -> Self {
        Self {
            flags,
            pixels: Count::default(),
        }
    }
}

/// Fits all sources of a plan; the rows come in their order.
pub(super) fn fit_all(plan: &Plan<'_>) -> Result<Vec<FittedSource>, Error> {
    let (starts, run) = (plan.starts, plan.fitter.run);
    let tasks = tasks(starts);
    check_groups(&tasks, plan.fitter.free.len())?;
    let rows = run.map(tasks, Scratch::default, |scratch, task| {
        let rows = match task {
            Task::Alone(indices) => plan.fit_each(&indices, scratch),
            Task::Jointly(indices) => plan.fit_jointly(&indices, scratch),
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

/// The sources by label; the largest groups first, as they take longest, and
/// those alone as neighbours share the cache.
fn tasks(starts: &Starts<'_>) -> Vec<Task> {
    let (x, y) = starts.positions();
    let mut alone = bands::order(x, y);
    let mut joint = Vec::new();
    if starts.groups().is_some() {
        let mut is_alone = vec![false; starts.len()];
        for members in members_of_groups(starts) {
            match members[..] {
                [one] => is_alone[one] = true,
                _ => joint.push(members),
            }
        }
        alone.retain(|&i| is_alone[i]);
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

impl<'a> Plan<'a> {
    /// For those of the sources that `indices` name.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(super) fn new<T: Pixel>(
        photometry: &'a Photometry,
        free: &'a [usize],
        psf: &'a dyn Psf,
        frame: &Frame<'_, T>,
        starts: &'a Starts<'a>,
        indices: impl Iterator<Item = usize>,
        run: Run<'a>,
    ) -> Result<Self, Error> {
        let (x, y) = starts.positions();
        let (fit_shape, image) = (photometry.fit_shape, frame.data().bounds());
        let windows: Vec<_> = indices
            .map(|i| PixelBox::around(x[i], y[i], fit_shape).intersection(&image))
            .collect();
        Ok(Self {
            fitter: Fitter {
                psf,
                settings: photometry.settings,
                free,
                has_error: frame.has_error(),
                run,
            },
            exposure: Exposure::new(frame, &windows, run)?,
            fit_shape,
            starts,
            photometry,
        })
    }

    /// Whether flux, x and y are what is free: such a star alone has a faster
    /// way than a group of one.
    fn is_plain(&self) -> bool {
        self.fitter.free == [FLUX, X, Y]
    }

    /// A source as it goes into a fit, or why it does not.
    pub(super) fn source(&self, index: usize) -> Result<Source, Reason> {
        let start = self.starts.parameters(index, self.fitter.psf);
        let background = self.starts.background(index);
        let (background, flags) = if background.is_finite() {
            (background, 0)
        } else {
            (0.0, flags::NON_FINITE_LOCAL_BKG)
        };
        if !(start[X].is_finite() && start[Y].is_finite()) {
            return Err(Reason::new(flags | flags::NON_FINITE_POSITION));
        }
        let fit_box = PixelBox::around(start[X], start[Y], self.fit_shape);
        let window = fit_box.intersection(&self.exposure.image());
        if window.is_empty() {
            return Err(Reason::new(flags | flags::NO_OVERLAP));
        }
        if !start[FLUX].is_finite() {
            return Err(Reason::new(flags | flags::NON_FINITE_FLUX));
        }
        let pixels = self.exposure.count(window);
        let too_few = match pixels.good {
            0 => flags::FULLY_MASKED,
            n if n < self.fitter.free.len() => flags::TOO_FEW_PIXELS,
            _ => 0,
        };
        if too_few != 0 {
            let flags = flags | too_few;
            return Err(Reason { flags, pixels });
        }
        let bounds = self.photometry.bounds(&start);
        let mut parameters = start;
        for &k in self.fitter.free {
            parameters[k] = bounds.clamp(k, start[k]);
        }
        // That of the starting position, the lower one where it lies on an edge.
        let centre = [X, Y].map(|k| (start[k] - 0.5).ceil() as i64);
        Ok(Source {
            index,
            parameters,
            bounds,
            background,
            window,
            centre: centre.into(),
            n_bad_errors: pixels.bad_errors,
            flags,
        })
    }

    /// The sources that can be fitted, and the rows of the others.
    pub(super) fn sort_out(&self, indices: &[usize]) -> (Vec<Source>, Vec<(usize, FittedSource)>) {
        let (mut sources, mut rows) = (Vec::new(), Vec::new());
        for &index in indices {
            match self.source(index) {
                Ok(source) => sources.push(source),
                Err(reason) => rows.push((index, self.not_fitted(&reason))),
            }
        }
        (sources, rows)
    }

    fn fit_each(
        &self,
        indices: &[usize],
        scratch: &mut Scratch,
    ) -> Result<Vec<(usize, FittedSource)>, Error> {
        let mut rows = Vec::with_capacity(indices.len());
        for &index in indices {
            match self.source(index) {
                Ok(source) if self.is_plain() => {
                    rows.push((index, self.fit_alone(&source, scratch)?));
                }
                Ok(source) => rows.extend(self.fit_group(&[source])?),
                Err(reason) => rows.push((index, self.not_fitted(&reason))),
            }
        }
        Ok(rows)
    }
    fn fit_alone(&self, source: &Source, scratch: &mut Scratch) -> Result<FittedSource, Error> {
        let pixels = &mut scratch.pixels;
        pixels.clear();
        pixels.gather(
            &self.exposure,
            source.window,
            std::iter::repeat(source.background),
        );
        let solution = isolated::fit(&self.fitter, source, pixels, &mut scratch.buffers)?;
        let flux = solution.parameters[FLUX];
        let residuals = pixels.data.iter().zip(scratch.buffers.profile());
        let residuals = residuals.map(|(data, profile)| data - flux * profile);
        let quality = Quality::of_pixels(source, residuals.zip(pixels.weights.iter().copied()));
        Ok(self.row(source, &solution, &quality))
    }

    fn fit_jointly(
        &self,
        indices: &[usize],
        scratch: &mut Scratch,
    ) -> Result<Vec<(usize, FittedSource)>, Error> {
        let (sources, mut rows) = self.sort_out(indices);
        match &sources[..] {
            [] => {}
            [only] if self.is_plain() => rows.push((only.index, self.fit_alone(only, scratch)?)),
            _ => rows.extend(self.fit_group(&sources)?),
        }
        Ok(rows)
    }

    fn fit_group(&self, sources: &[Source]) -> Result<Vec<(usize, FittedSource)>, Error> {
        let (solutions, model) = group::fit(&self.fitter, &self.exposure, sources)?;
        Ok(self.rows(sources, &solutions, &model).collect())
    }

    /// The rows of sources that were fitted jointly.
    pub(super) fn rows(
        &self,
        sources: &[Source],
        solutions: &[Solution],
        model: &Model,
    ) -> impl Iterator<Item = (usize, FittedSource)> {
        sources.iter().zip(solutions).map(|(source, solution)| {
            let quality = Quality::of_member(source, &self.exposure, model);
            (source.index, self.row(source, solution, &quality))
        })
    }
}
