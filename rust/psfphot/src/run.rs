//! How a stage runs: on one thread or on rayon's current pool, watched or not.
//!
//! Results never depend on the number of threads: a task is one source, one
//! group or one band of rows, results are collected in order, and no sum is
//! split between threads.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::Error;

/// Receives progress and may ask to stop; called from worker threads.
pub trait Monitor: Sync {
    /// Whether the work should stop as soon as it can.
    fn is_cancelled(&self) -> bool;
    /// `n` more units of work (sources, as a rule) are done.
    fn advance(&self, n: usize);
}

/// A monitor that neither listens nor stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn is_cancelled(&self) -> bool {
        false
    }
    fn advance(&self, _n: usize) {}
}

/// An atomic counter with a cancel flag, to be read from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicUsize,
    cancelled: AtomicBool,
}

impl Progress {
    /// Units of work done so far.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Asks the workers to stop.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Monitor for Progress {
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
    fn advance(&self, n: usize) {
        self.done.fetch_add(n, Ordering::Relaxed);
    }
}

/// How to run a stage.
///
/// ```
/// use psfphot::Run;
/// use psfphot::run::Progress;
///
/// let progress = Progress::default();
/// let run = Run::new().with_monitor(&progress).serial();
/// assert!(!run.is_parallel());
/// ```
#[derive(Clone, Copy)]
pub struct Run<'a> {
    monitor: &'a dyn Monitor,
    parallel: bool,
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("parallel", &self.parallel)
            .finish_non_exhaustive()
    }
}

impl Default for Run<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Run<'a> {
    /// Unwatched; parallel on rayon's current pool where the feature is on.
    #[must_use]
    pub fn new() -> Self {
        Self {
            monitor: &Silent,
            parallel: cfg!(feature = "parallel"),
        }
    }

    /// Reports to `monitor` and stops when it asks to.
    #[must_use]
    pub fn with_monitor(mut self, monitor: &'a dyn Monitor) -> Self {
        self.monitor = monitor;
        self
    }

    /// On the calling thread alone; rayon is not touched.
    #[must_use]
    pub fn serial(mut self) -> Self {
        self.parallel = false;
        self
    }

    /// Whether more than the calling thread may work.
    #[must_use]
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }

    /// `n` more units of work are done.
    pub fn advance(&self, n: usize) {
        self.monitor.advance(n);
    }

    /// [`Error::Cancelled`] once the monitor asked to stop.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn check(&self) -> Result<(), Error> {
        if self.monitor.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    /// Maps the tasks in order; `scratch` makes one reusable workspace per
    /// thread (or per few tasks), which carries nothing from task to task.
    pub(crate) fn map<T, S, R>(
        &self,
        tasks: Vec<T>,
        scratch: impl Fn() -> S + Sync + Send,
        work: impl Fn(&mut S, T) -> Result<R, Error> + Sync + Send,
    ) -> Result<Vec<R>, Error>
    where
        T: Send,
        R: Send,
    {
        #[cfg(feature = "parallel")]
        if self.parallel {
            use rayon::iter::{IntoParallelIterator, ParallelIterator};
            return tasks
                .into_par_iter()
                .map_init(&scratch, |s, task| {
                    self.check()?;
                    work(s, task)
                })
                .collect();
        }
        let mut s = scratch();
        tasks
            .into_iter()
            .map(|task| {
                self.check()?;
                work(&mut s, task)
            })
            .collect()
    }
}

/// Cuts `0..n` into ranges of at most `size`.
pub(crate) fn chunks(n: usize, size: usize) -> Vec<std::ops::Range<usize>> {
    (0..n)
        .step_by(size)
        .map(|start| start..(start + size).min(n))
        .collect()
}

/// Asks to stop once it was asked `n` times whether to.
#[cfg(test)]
pub(crate) struct CancelAfter {
    left: AtomicUsize,
}

#[cfg(test)]
impl CancelAfter {
    pub(crate) fn new(n: usize) -> Self {
        Self {
            left: AtomicUsize::new(n),
        }
    }
}

#[cfg(test)]
impl Monitor for CancelAfter {
    fn is_cancelled(&self) -> bool {
        let fewer = |n: usize| n.checked_sub(1);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_err()
    }
    fn advance(&self, _n: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_keeps_order_serial_and_parallel() -> Result<(), Error> {
        let square = |(): &mut (), i: usize| Ok(i * i);
        let tasks = || (0..1000).collect::<Vec<_>>();
        let parallel = Run::new().map(tasks(), || (), square)?;
        let serial = Run::new().serial().map(tasks(), || (), square)?;
        assert_eq!(parallel, serial);
        assert_eq!(serial[31], 961);
        Ok(())
    }

    #[test]
    fn a_cancelled_run_stops() {
        let progress = Progress::default();
        let run = Run::new().with_monitor(&progress);
        let result = run.map(
            (0..1000).collect(),
            || (),
            |(), i: usize| {
                if i == 3 {
                    progress.cancel();
                }
                run.advance(1);
                Ok(i)
            },
        );
        assert_eq!(result, Err(Error::Cancelled));
        assert!(progress.done() < 1000);
    }

    #[test]
    fn chunks_cover_everything_once() {
        assert_eq!(chunks(7, 3), vec![0..3, 3..6, 6..7]);
        assert!(chunks(0, 3).is_empty());
    }
}
