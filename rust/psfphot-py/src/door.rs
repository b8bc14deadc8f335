//! The one door from Python to long work.
//!
//! It releases the interpreter lock, runs the work on a pool of its own (or on
//! one plain thread), and meanwhile the calling thread looks every 100 ms for
//! Ctrl-C and reports progress. Errors and panics become exceptions.

use std::any::Any;
use std::collections::HashMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use psfphot::Run;
use psfphot::run::{Monitor, Progress};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::callback::CallbackPsf;
use crate::errors::{CallResult, InternalError};

/// Long enough to cost nothing, short enough to feel immediate.
const POLL: Duration = Duration::from_millis(100);

/// How a call wants to be run; the two arguments that every long call has.
pub(crate) struct Options<'py> {
    n_threads: usize,
    progress: Option<Bound<'py, PyAny>>,
}

impl<'py> Options<'py> {
    /// `n_threads=None` means `RAYON_NUM_THREADS`, else all processors that this
    /// process may use, but no more than `OMP_NUM_THREADS`, which Dask and joblib
    /// set for their workers; `progress` is called with the units done so far.
    pub(crate) fn new(
        n_threads: Option<usize>,
        progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        if n_threads == Some(0) {
            return Err(PyValueError::new_err(
                "n_threads must be None or at least 1, got 0",
            ));
        }
        Ok(Self {
            n_threads: n_threads
                .unwrap_or_else(default_threads)
                .min(most_threads()),
            progress,
        })
    }
}

/// More threads than this only cost memory and time to start; as the results
/// do not depend on their number, nobody will miss them.
fn most_threads() -> usize {
    available_threads().max(64)
}

fn available_threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

fn default_threads() -> usize {
    named_threads("RAYON_NUM_THREADS").unwrap_or_else(|| {
        let most = named_threads("OMP_NUM_THREADS").unwrap_or(usize::MAX);
        available_threads().min(most)
    })
}

/// The number that a variable of the environment has; of a list, as OpenMP's
/// for nested levels, the first.
fn named_threads(variable: &str) -> Option<usize> {
    let text = std::env::var(variable).ok()?;
    let first = text.split(',').next()?.trim();
    first.parse().ok().filter(|&n| n > 0)
}

/// What the worker thread hands back.
type Outcome<T> = Result<CallResult<T>, Box<dyn Any + Send>>;

/// Runs `work` without the interpreter lock.
pub(crate) fn enter<T, W>(py: Python<'_>, options: &Options<'_>, work: W) -> CallResult<T>
where
    T: Send,
    W: FnOnce(Run<'_>) -> Result<T, psfphot::Error> + Send,
{
    let progress = Progress::default();
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Outcome<T>>(1);
        let (watched, n_threads) = (&progress, options.n_threads);
        thread::Builder::new()
            .name("psfphot".into())
            .spawn_scoped(scope, move || {
                let outcome = catch_unwind(AssertUnwindSafe(|| run_on(n_threads, watched, work)));
                // The receiver outlives the scope's threads, so this cannot fail.
                let _ = sender.send(outcome);
            })
            .map_err(|error| PyRuntimeError::new_err(format!("cannot start a thread: {error}")))?;
        watch(py, options, &progress, receiver)
    })
}

/// Runs `work` that evaluates a PSF: as [`enter`], but where this is a Python
/// object (`callback`) on the calling thread, which keeps the interpreter lock.
pub(crate) fn enter_with_psf<T, W>(
    py: Python<'_>,
    options: &Options<'_>,
    callback: Option<&CallbackPsf>,
    work: W,
) -> CallResult<T>
where
    T: Send,
    W: FnOnce(Run<'_>) -> Result<T, psfphot::Error> + Send,
{
    let Some(callback) = callback else {
        return enter(py, options, work);
    };
    let watch = Attached::new(options, callback);
    let run = Run::new().with_monitor(&watch).serial();
    let result = catch_unwind(AssertUnwindSafe(|| work(run)));
    // What stopped the work goes before how it ended.
    if let Some(error) = callback.take_failure().or_else(|| watch.failure()) {
        return Err(error.into());
    }
    Ok(result.map_err(|panic| panic_error(&*panic))??)
}

/// Watches work on the calling thread.
struct Attached<'a> {
    done: Progress,
    progress: Option<Py<PyAny>>,
    callback: &'a CallbackPsf,
    state: Mutex<Watch>,
}

/// When signals and progress were last looked after, and what came of it.
struct Watch {
    last: Instant,
    failure: Option<PyErr>,
}

impl<'a> Attached<'a> {
    fn new(options: &Options<'_>, callback: &'a CallbackPsf) -> Self {
        // What an earlier call left behind is nobody's.
        drop(callback.take_failure());
        Self {
            done: Progress::default(),
            progress: options.progress.clone().map(Bound::unbind),
            callback,
            state: Mutex::new(Watch {
                last: Instant::now(),
                failure: None,
            }),
        }
    }

    /// Signals and progress, also at the very end.
    fn look(&self) -> PyResult<()> {
        Python::attach(|py| {
            py.check_signals()?;
            let callback = self.progress.as_ref().map(|callback| callback.bind(py));
            report(callback, &self.done)
        })
    }

    fn failure(&self) -> Option<PyErr> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = state.failure.take();
        failure.or_else(|| self.look().err())
    }
}

impl Monitor for Attached<'_> {
    fn is_cancelled(&self) -> bool {
        // A callback of Python's that came back here would wait for itself.
        let Ok(mut state) = self.state.try_lock() else {
            return false;
        };
        if state.failure.is_none() && state.last.elapsed() >= POLL {
            state.failure = self.look().err();
            state.last = Instant::now();
        }
        state.failure.is_some() || self.callback.has_failed()
    }

    fn advance(&self, n: usize) {
        self.done.advance(n);
    }
}

/// Runs `work` where `n_threads` says; on the worker thread.
fn run_on<T, W>(n_threads: usize, progress: &Progress, work: W) -> CallResult<T>
where
    T: Send,
    W: FnOnce(Run<'_>) -> Result<T, psfphot::Error> + Send,
{
    let run = Run::new().with_monitor(progress);
    let result = if n_threads == 1 {
        work(run.serial())
    } else {
        pool(n_threads)?.install(|| work(run))
    };
    Ok(result?)
}

/// Waits for the worker; signals and progress are the calling thread's.
fn watch<T: Send>(
    py: Python<'_>,
    options: &Options<'_>,
    progress: &Progress,
    mut receiver: Receiver<Outcome<T>>,
) -> CallResult<T> {
    let mut interruption = None;
    let outcome = loop {
        let message;
        (message, receiver) = py.detach(move || {
            let message = receiver.recv_timeout(POLL);
            (message, receiver)
        });
        match message {
            Ok(outcome) => break outcome,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(InternalError::new_err("the worker thread vanished").into());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if interruption.is_none() {
            interruption = py
                .check_signals()
                .and_then(|()| report(options.progress.as_ref(), progress))
                .err();
            if interruption.is_some() {
                progress.cancel();
            }
        }
    };
    if let Some(error) = interruption {
        return Err(error.into());
    }
    let value = outcome.unwrap_or_else(|panic| Err(panic_error(&*panic).into()))?;
    report(options.progress.as_ref(), progress)?;
    Ok(value)
}

fn report(callback: Option<&Bound<'_, PyAny>>, progress: &Progress) -> PyResult<()> {
    if let Some(callback) = callback {
        callback.call1((progress.done(),))?;
    }
    Ok(())
}

fn panic_error(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into());
    InternalError::new_err(format!(
        "the compiled core panicked ({text}): a bug, please report it"
    ))
}

/// A pool for this process and thread count, made at first use and kept.
///
/// The key holds the process, because after `fork` a child inherits its
/// parent's pools but none of their threads.
fn pool(n_threads: usize) -> PyResult<Arc<ThreadPool>> {
    type Pools = HashMap<(u32, usize), Arc<ThreadPool>>;
    static POOLS: Mutex<Option<Pools>> = Mutex::new(None);
    let build = || {
        ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .thread_name(|index| format!("psfphot-{index}"))
            .build()
            .map(Arc::new)
            .map_err(|error| {
                PyRuntimeError::new_err(format!(
                    "cannot start a pool of n_threads={n_threads} threads: {error}"
                ))
            })
    };
    // Never blocks: a lock that another thread held while this process was
    // forked stays locked for ever, and then a pool of one's own will do.
    let Ok(mut guard) = POOLS.try_lock() else {
        return build();
    };
    let pools = guard.get_or_insert_with(HashMap::new);
    let key = (std::process::id(), n_threads);
    if let Some(pool) = pools.get(&key) {
        return Ok(Arc::clone(pool));
    }
    let pool = build()?;
    pools.insert(key, Arc::clone(&pool));
    Ok(pool)
}

/// Panics inside the door, in a test build only.
#[cfg(feature = "panic-test")]
#[pyfunction]
#[pyo3(name = "_panic_for_tests", signature = (*, n_threads=None))]
pub(crate) fn panic_for_tests(py: Python<'_>, n_threads: Option<usize>) -> CallResult<()> {
    let options = Options::new(n_threads, None)?;
    enter(py, &options, |_run| -> Result<(), psfphot::Error> {
        panic!("injected")
    })
}
