"""Many tasks, wherever they are done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psfphot._defaults import RETRIES, TIMEOUT
from psfphot._workers.outcome import attempt
from psfphot._workers.processes import run_in_processes

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
    if client is not None:
        from psfphot._workers.cluster import run_on_cluster  # noqa: PLC0415  (extra)

        yield from run_on_cluster(work, tasks, client, retries, timeout)
    elif n_workers is not None:
        yield from run_in_processes(work, tasks, n_workers, retries, timeout)
    else:
        yield from _run_here(work, tasks, retries)


def _run_here(
    work: Callable[[Any], Any], tasks: Sequence[Any], retries: int
) -> Iterator[Outcome]:
    for index, task in enumerate(tasks):
        reply, tries = attempt(work, task), 1
        while reply.is_passing and tries <= retries:
            reply, tries = attempt(work, task), tries + 1
        yield reply.outcome(index, tries)
