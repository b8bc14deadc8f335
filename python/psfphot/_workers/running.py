"""Many tasks, wherever they are done."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psfphot._defaults import RETRIES, TIMEOUT
from psfphot._workers.outcome import attempt
from psfphot._workers.processes import hire_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psfphot._workers.outcome import Outcome


def run_tasks(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    *,
    n_workers: int | None = None,
    client: Any = None,
    retries: int = RETRIES,
    timeout: float | None = TIMEOUT,
) -> Iterator[Outcome]:
    """Do all tasks and tell of each as it is done.

    Parameters
    ----------
    work : callable
        Takes a task and returns what it comes to. It goes to each worker once, as
        a pickle, and is the same object there for all of its tasks.
    tasks : sequence
        Small things that can be pickled: names of files, never pixels.
    n_workers : int, optional
        Processes; by default the tasks are done here, one after another.
    client : `distributed.Client`, optional
        A cluster of Dask, instead of processes.
    retries : int, optional
        How often a task is tried again whose worker was lost, or whose memory or
        file system failed. Any other fault is its outcome at once.
    timeout : float, optional
        Seconds after which a task is given up and its worker ended; `None` for
        none. Tasks that are done here have all the time.

    Yields
    ------
    outcome : `Outcome`
        In the order in which they are done.

    Raises
    ------
    WorkersError
        If the workers cannot start, or cannot load what they need.
    """
    how: dict[str, Any] = {"retries": retries, "timeout": timeout}
    with hire(work, n_workers=n_workers, client=client, **how) as do:
        yield from do(tasks)


@contextmanager
def hire(
    work: Callable[[Any], Any],
    *,
    n_workers: int | None = None,
    client: Any = None,
    retries: int = RETRIES,
    timeout: float | None = TIMEOUT,
) -> Iterator[Callable[[Sequence[Any]], Iterator[Outcome]]]:
    """Have workers that do one lot of tasks after another.

    Parameters
    ----------
    work, n_workers, client, retries, timeout
        As for `run_tasks`.

    Yields
    ------
    do : callable
        Takes tasks and yields what each comes to, as `run_tasks` does. The tasks
        before must all be done.

    Raises
    ------
    WorkersError
        As `run_tasks`.
    """
    if client is not None:
        from psfphot._workers.cluster import hire_cluster  # noqa: PLC0415  (extra)

        with hire_cluster(work, client, retries, timeout) as do:
            yield do
    elif n_workers is not None:
        with hire_processes(work, n_workers, retries, timeout) as do:
            yield do
    else:
        yield lambda tasks: _run_here(work, tasks, retries)


def _run_here(
    work: Callable[[Any], Any], tasks: Sequence[Any], retries: int
) -> Iterator[Outcome]:
    for index, task in enumerate(tasks):
        reply, tries = attempt(work, task), 1
        while reply.is_passing and tries <= retries:
            reply, tries = attempt(work, task), tries + 1
        yield reply.outcome(index, tries)


def check_workers(
    n_workers: int | None, client: Any, retries: int, timeout: float | None
) -> None:
    """Check the arguments that say which workers there are.

    Raises
    ------
    TypeError, ValueError
        If one is wrong, or both a client and workers are given.
    """
    # Not above: a worker is there in a twentieth of the time without astropy.
    from psfphot._validate import as_count, as_positive  # noqa: PLC0415

    if client is not None and n_workers is not None:
        raise ValueError("client and n_workers exclude each other; give one")
    if n_workers is not None:
        as_count(n_workers, "n_workers", least=1)
    as_count(retries, "retries", least=0)
    if timeout is not None:
        as_positive(timeout, "timeout")


def threads_of_worker(
    n_threads: int | None, n_workers: int | None, client: Any
) -> int | None:
    """Tell how many threads a worker has where nobody says it.

    Dask counts one CPU for a task; processes of one machine share its CPUs.
    """
    if n_threads is not None or (n_workers is None and client is None):
        return n_threads
    return 1 if n_workers is None else max(1, available_cpus() // n_workers)


def available_cpus() -> int:
    """Count the CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
