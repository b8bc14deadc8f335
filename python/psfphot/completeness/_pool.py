"""The processes that measure the images of a test."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from astropy.table import Table

    from psfphot.completeness._plan import Task
    from psfphot.completeness._tasks import Scene

#: Tasks that wait for each worker: none is idle, and not all are sent at once.
_AHEAD = 2


def run_tasks(
    scene: Scene, tasks: Sequence[Task], n_workers: int
) -> Iterator[tuple[Task, Table]]:
    """Measure images, in this process or in others.

    Parameters
    ----------
    scene : `Scene`
        What they share; sent to each process once.
    tasks : sequence of `Task`
        The images.
    n_workers : int
        How many processes; with 1 it is this one.

    Yields
    ------
    task, rows
        As they are done, in any order.

    Raises
    ------
    RuntimeError
        If a process dies.
    """
    if n_workers == 1 or len(tasks) < 2:  # noqa: PLR2004
        for task in tasks:
            yield task, scene.run(task)
        return
    n_workers = min(n_workers, len(tasks))
    threads = max(1, (os.cpu_count() or 1) // n_workers)
    pool = ProcessPoolExecutor(
        n_workers,
        # A process with threads must not fork.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(scene, threads),
    )
    try:
        yield from _as_completed(pool, iter(tasks), _AHEAD * n_workers)
    except BrokenProcessPool as exc:
        msg = (
            "a process of the artificial-star test died; what it had finished is "
            "kept where resume was given (a script needs a guard, "
            "if __name__ == '__main__', around what starts processes)"
        )
        raise RuntimeError(msg) from exc
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _as_completed(
    pool: ProcessPoolExecutor, tasks: Iterable[Task], n_ahead: int
) -> Iterator[tuple[Task, Table]]:
    """Keep so many tasks in the pool."""
    running = {}
    for task in tasks:
        running[pool.submit(_run, task)] = task
        if len(running) >= n_ahead:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    while running:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future.result()


_scene: Scene | None = None


def _begin(scene: Scene, threads: int) -> None:
    """Set a new process up: its scene, and its share of the processors."""
    global _scene  # noqa: PLW0603
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    _scene = scene


def _run(task: Task) -> Table:
    if _scene is None:
        raise RuntimeError("the process was not set up")
    return _scene.run(task)
