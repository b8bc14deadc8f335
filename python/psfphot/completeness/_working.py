"""The images of a test, measured here or by workers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psfphot._workers import WorkersError, threads_of_worker
from psfphot._workers import run_tasks as run_by_workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from astropy.table import Table

    from psfphot.completeness._plan import Task
    from psfphot.completeness._tasks import Scene


def run_tasks(
    scene: Scene, tasks: Sequence[Task], n_workers: int, client: Any = None
) -> Iterator[tuple[Task, Table]]:
    """Measure images, in this process or in others.

    Parameters
    ----------
    scene : `Scene`
        What they share; sent to each worker once.
    tasks : sequence of `Task`
        The images.
    n_workers : int
        How many processes; with 1 it is this one.
    client : `distributed.Client`, optional
        A cluster of Dask, instead of processes.

    Yields
    ------
    task, rows
        As they are done, in any order.

    Raises
    ------
    WorkersError
        If an image cannot be measured by any worker.
    """
    if client is None and (n_workers == 1 or len(tasks) < 2):  # noqa: PLR2004
        for task in tasks:
            yield task, scene.run(task)
        return
    processes = min(n_workers, len(tasks)) if client is None else None
    work = _Work(scene, threads_of_worker(None, processes, client) or 1)
    for outcome in run_by_workers(
        work, tasks, n_workers=processes, client=client, timeout=None
    ):
        task = tasks[outcome.index]
        if outcome.error:
            msg = f"the image {task.name} could not be measured: {outcome.error}"
            raise WorkersError(f"{msg}\n{outcome.traceback}".rstrip())
        yield task, outcome.value


@dataclass(frozen=True)
class _Work:
    """What workers do: an image, in so many threads."""

    scene: Scene
    n_threads: int

    def __call__(self, task: Task) -> Table:
        # What a photometry object does not say itself.
        os.environ["RAYON_NUM_THREADS"] = str(self.n_threads)
        return self.scene.run(task)
