"""Doing one thing to many tasks: here, in processes, or on a cluster of Dask."""

from psfphot._workers.outcome import (
    Outcome,
    WorkersError,
    raise_if_passing,
)
from psfphot._workers.running import check_workers, hire, run_tasks, threads_of_worker

__all__ = [
    "Outcome",
    "WorkersError",
    "check_workers",
    "hire",
    "raise_if_passing",
    "run_tasks",
    "threads_of_worker",
]
