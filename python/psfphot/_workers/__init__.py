"""Doing one thing to many tasks: here, in processes, or on a cluster of Dask."""

from psfphot._workers.outcome import Outcome, WorkersError, is_passing
from psfphot._workers.running import run_tasks

__all__ = ["Outcome", "WorkersError", "is_passing", "run_tasks"]
