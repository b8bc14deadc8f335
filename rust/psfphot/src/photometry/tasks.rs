//! A plan cut into tasks, chunks of isolated sources and groups, and each fitted.

use crate::fit::model::Model;
use crate::fit::pixels::Pixels;
use crate::fit::source::{Solution, Source};
use crate::fit::{FLUX, X, Y, group, isolated, system};
use crate::{Error, bands};

use super::contamination::add_contamination;
use super::covariance::{Covariances, Part};
use super::duplicates::flag_duplicates;
use super::plan::{Plan, members_of_groups};
use super::quality::Quality;
use super::row::FittedSource;
use super::starts::Starts;

/// Isolated sources per task: some 0.1 ms of work, so that handing out tasks
/// costs nothing and the last one is not waited for.
const CHUNK: usize = 64;

/// Groups of up to so many sources are fitted with a dense matrix.
const SMALL: usize = 48;

/// Groups of up to so many sources can have a constant of their own: there is one for
/// each group, and across more of an image the sky is none.
const LEVEL: usize = 200;

/// One task: rows of sources that are fitted alone, or one group.
enum Task {
    Alone(Vec<usize>),
    Jointly(Vec<usize>),
}

/// Reusable memory of one thread.
#[derive(Default)]
struct Scratch {
    pixels: Pixels,
    buffers: isolated::Buffers,
}

/// What came of a task.
#[derive(Default)]
struct Done {
    rows: Vec<(usize, FittedSource)>,
    /// The covariances of sources that were fitted alone: lower triangles.
    alone: Vec<(usize, [f64; 6])>,
    /// What is kept of those that were fitted together.
    parts: Vec<Part>,
}

/// Fits all sources of a plan; the rows come in their order.
pub(super) fn fit_all(plan: &Plan<'_>) -> Result<(Vec<FittedSource>, Covariances), Error> {
    let (starts, run) = (plan.starts, plan.fitter.run);
    let tasks = tasks(starts);
    let done = run.map(tasks, Scratch::default, |scratch, task| {
        let done = match task {
            Task::Alone(indices) => plan.fit_each(&indices, scratch),
            Task::Jointly(indices) => plan.fit_jointly(&indices, scratch),
        }?;
        run.advance(done.rows.len());
        Ok(done)
    })?;
    let mut sources = vec![FittedSource::not_fitted(0); starts.len()];
    let mut covariances = Covariances::new(starts.len(), plan.fitter.free.len());
    for Done { rows, alone, parts } in done {
        for (index, row) in rows {
            sources[index] = row;
        }
        for (index, lower) in alone {
            covariances.push_alone(index, &lower);
        }
        for part in parts {
            covariances.push(part);
        }
    }
    flag_duplicates(&mut sources, starts, run)?;
    add_contamination(plan, &mut sources)?;
    Ok((sources, covariances))
}

/// The sources by label; the largest groups first, as they take longest. Members of a
/// group, and those alone, go through the image band by band: neighbours find their pixels,
/// and what is kept of each other, in the cache.
fn tasks(starts: &Starts<'_>) -> Vec<Task> {
    let (x, y) = starts.positions();
    let mut alone = bands::order(x, y);
    let mut joint = Vec::new();
    if starts.groups().is_some() {
        let mut is_alone = vec![false; starts.len()];
        for members in members_of_groups(starts, alone.clone()) {
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

impl Plan<'_> {
    /// Whether flux, x and y are what is fitted: such a star alone has a faster
    /// way than a group of one.
    fn is_plain(&self) -> bool {
        self.fitter.free == [FLUX, X, Y] && !self.fitter.fits_background
    }

    /// The sources that can be fitted, and the rows of the others.
    pub(super) fn sort_out(&self, indices: &[usize]) -> (Vec<Source>, Vec<(usize, FittedSource)>) {
        let (mut sources, mut rows) = (Vec::with_capacity(indices.len()), Vec::new());
        for &index in indices {
            match self.source(index) {
                Ok(source) => sources.push(source),
                Err(reason) => rows.push((index, self.not_fitted(&reason))),
            }
        }
        (sources, rows)
    }

    fn fit_each(&self, indices: &[usize], scratch: &mut Scratch) -> Result<Done, Error> {
        let mut done = Done {
            rows: Vec::with_capacity(indices.len()),
            ..Done::default()
        };
        for (k, &index) in indices.iter().enumerate() {
            if let Some(&next) = indices.get(k + 1) {
                self.exposure.prefetch(self.window(next));
            }
            match self.source(index) {
                Ok(source) if self.is_plain() => self.fit_alone(&source, scratch, &mut done)?,
                Ok(source) => self.fit_group(&[source], &mut done)?,
                Err(reason) => done.rows.push((index, self.not_fitted(&reason))),
            }
        }
        Ok(done)
    }

    fn fit_alone(
        &self,
        source: &Source,
        scratch: &mut Scratch,
        done: &mut Done,
    ) -> Result<(), Error> {
        let pixels = &mut scratch.pixels;
        pixels.clear();
        pixels.gather(
            &self.exposure,
            source.window,
            std::iter::repeat(source.background),
        );
        let (solution, covariance) = isolated::fit(
            &self.fitter,
            &self.exposure,
            source,
            pixels,
            &mut scratch.buffers,
        )?;
        let flux = solution.parameters[FLUX];
        let residuals = pixels.data.iter().zip(scratch.buffers.profile());
        let residuals = residuals.map(|(data, profile)| data - flux * profile);
        let quality = Quality::of_pixels(source, residuals.zip(pixels.weights.iter().copied()));
        let row = self.row(source, &solution, &quality);
        done.rows.push((source.index, row));
        if let Some([ff, fx, fy, xx, xy, yy]) = covariance {
            let lower = [ff, fx, xx, fy, xy, yy];
            done.alone.push((source.index, lower));
        }
        Ok(())
    }

    fn fit_jointly(&self, indices: &[usize], scratch: &mut Scratch) -> Result<Done, Error> {
        let (sources, rows) = self.sort_out(indices);
        let mut done = Done {
            rows,
            ..Done::default()
        };
        match &sources[..] {
            [] => {}
            [only] if self.is_plain() => self.fit_alone(only, scratch, &mut done)?,
            _ => self.fit_group(&sources, &mut done)?,
        }
        Ok(done)
    }

    fn fit_group(&self, sources: &[Source], done: &mut Done) -> Result<(), Error> {
        let (fitter, exposure) = (&self.fitter, &self.exposure);
        if fitter.fits_background && sources.len() > LEVEL {
            let expected = format!("be fitted in groups of up to {LEVEL} sources");
            return Err(Error::invalid("fit_background", expected, sources.len()));
        }
        let (solutions, model, joint) = if sources.len() > SMALL && !fitter.fits_background {
            system::fit(fitter, exposure, sources, system::Care::default())
        } else {
            group::fit(fitter, exposure, sources)
        }?;
        done.rows.extend(self.rows(sources, &solutions, &model));
        if let Some(joint) = joint {
            let indices = sources.iter().map(|source| source.index);
            done.parts.push(Part::new(indices, joint));
        }
        Ok(())
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

#[cfg(test)]
mod tests;
