//! What holds of every call.

use std::fmt::Debug;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use psfphot::run::Monitor;
use psfphot::{Error, Run};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::bytes::Bytes;

static TWO_THREADS: LazyLock<ThreadPool> = LazyLock::new(|| {
    let pool = ThreadPoolBuilder::new().num_threads(2).build();
    pool.expect("two threads can be made")
});

/// Asks to stop once it was asked so often; counts what was done.
struct Watch {
    patience: AtomicUsize,
    done: AtomicUsize,
}

impl Watch {
    fn new(patience: usize) -> Self {
        Self {
            patience: AtomicUsize::new(patience),
            done: AtomicUsize::new(0),
        }
    }
}

impl Monitor for Watch {
    fn is_cancelled(&self) -> bool {
        let less = |n: usize| n.checked_sub(1);
        let order = Ordering::Relaxed;
        self.patience.fetch_update(order, order, less).is_err()
    }

    fn advance(&self, n: usize) {
        self.done.fetch_add(n, Ordering::Relaxed);
    }
}

/// Calls a stage on one thread, on two, and on one that is asked to stop.
///
/// `units` says how much work it must have reported where it succeeds.
pub(crate) fn call<R: Debug + Send>(
    bytes: &mut Bytes<'_>,
    units: Option<usize>,
    stage: impl Fn(Run<'_>) -> Result<R, Error> + Sync,
) -> Result<R, Error> {
    let watch = Watch::new(usize::MAX);
    let result = stage(Run::new().with_monitor(&watch).serial());
    if let Err(error) = &result {
        check_error(error);
    } else if let Some(units) = units {
        let done = watch.done.load(Ordering::Relaxed);
        assert_eq!(done, units, "units of work reported");
    }
    let threaded = TWO_THREADS.install(|| stage(Run::new()));
    assert_same(&result, &threaded, "on one thread and on two");
    let watch = Watch::new(bytes.byte().into());
    let stopped = stage(Run::new().with_monitor(&watch).serial());
    if !matches!(stopped, Err(Error::Cancelled)) {
        assert_same(&result, &stopped, "watched and not");
    }
    result
}

/// Panics unless two results have the same bits. (Numbers are printed with as
/// many digits as tell them from all others.)
pub(crate) fn assert_same<R: Debug>(a: &R, b: &R, when: &str) {
    assert_eq!(format!("{a:?}"), format!("{b:?}"), "{when}");
}

/// Panics unless an error is one that arguments can cause, and says so.
pub(crate) fn check_error(error: &Error) {
    let argument = match error {
        Error::InvalidArgument { argument, .. } | Error::ShapeMismatch { argument, .. } => argument,
        other => panic!("nobody asked for {other:?}"),
    };
    assert!(error.to_string().starts_with(argument), "{error}");
}

/// What a constructor made; where it refused, its error is checked.
pub(crate) fn accepted<T>(made: Result<T, Error>) -> Option<T> {
    made.inspect_err(check_error).ok()
}
