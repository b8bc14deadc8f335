"""Tasks in processes of this machine, without more than the standard library.

They are started anew, not forked, and know nothing of the script that asks for
them: nothing of it is run again, as `multiprocessing` would.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psfphot._workers.messages import receive, send
from psfphot._workers.outcome import Outcome, WorkersError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psfphot._workers.outcome import Reply

#: So many workers in a row that end before they have begun are no accident.
_MOST_STILLBORN = 3


@contextmanager
def hire_processes(
    work: Callable[[Any], Any],
    n_workers: int,
    retries: int,
    timeout: float | None,
) -> Iterator[Callable[[Sequence[Any]], Iterator[Outcome]]]:
    """Have processes do tasks; see `psfphot._workers.hire`."""
    pool = _Pool(pickle.dumps(work), n_workers, retries, timeout)
    try:
        yield pool.outcomes
    finally:
        pool.end()


@dataclass(eq=False)
class _Task:
    index: int
    content: Any
    tries: int = 0


class _Worker:
    """A process, and the thread that talks with it and puts what it says into events.

    Parameters
    ----------
    work : bytes
        The pickled work.
    events : `queue.SimpleQueue`
        Takes (worker, reply), the first for the work; (worker, `None`) when the
        process has ended.
    """

    def __init__(self, work: bytes, events: queue.SimpleQueue[Any]) -> None:
        paths = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "psfphot._workers.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths},
        )
        self.is_ready = False
        self.is_overdue = False
        self.task: _Task | None = None
        self.deadline = float("inf")
        self._events = events
        self._orders: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._orders.put(work)
        threading.Thread(target=self._talk, daemon=True).start()

    def give(self, task: _Task, timeout: float | None) -> None:
        """Have a task done."""
        task.tries += 1
        self.task = task
        if timeout is not None:
            self.deadline = time.monotonic() + timeout
        self._orders.put(pickle.dumps(task.content))

    def take(self) -> _Task | None:
        """Take the task away again, which is done or lost."""
        task, self.task, self.deadline = self.task, None, float("inf")
        return task

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()

    def end(self) -> None:
        """End process and thread."""
        self._orders.put(None)
        self._process.kill()
        self._process.wait()

    def cause_of_death(self) -> str:
        """Tell how the process has ended."""
        status = self._process.wait()
        if status >= 0:
            return f"its worker ended with status {status}"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = str(-status)
        return f"its worker was ended by {name}"

    def _talk(self) -> None:
        orders, replies = self._process.stdin, self._process.stdout
        try:
            if orders is None or replies is None:
                return
            while (packed := self._orders.get()) is not None:
                send(orders, packed)
                reply = pickle.loads(receive(replies))  # noqa: S301  (own worker)
                self._events.put((self, reply))
        except (EOFError, OSError):
            self._events.put((self, None))
        finally:
            for stream in (orders, replies):
                _close(stream)


class _Pool:
    """Workers and the tasks that wait for them."""

    def __init__(
        self, work: bytes, n_workers: int, retries: int, timeout: float | None
    ) -> None:
        self._work = work
        self._waiting: deque[_Task] = deque()
        self._n_workers = n_workers
        self._retries = retries
        self._timeout = timeout
        self._workers: list[_Worker] = []
        self._events: queue.SimpleQueue[tuple[_Worker, Reply | None]] = (
            queue.SimpleQueue()
        )
        self._n_stillborn = 0

    def outcomes(self, tasks: Sequence[Any]) -> Iterator[Outcome]:
        """Do some tasks, all of those before being done."""
        self._waiting.extend(_Task(i, task) for i, task in enumerate(tasks))
        while self._waiting or any(worker.task for worker in self._workers):
            self._employ()
            worker, reply = self._next_event()
            if reply is None:
                outcome = self._lose(worker)
            elif not worker.is_ready:
                self._welcome(worker, reply)
                continue
            else:
                outcome = self._end_task(worker, reply)
            if outcome is not None:
                yield outcome

    def end(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.end()

    def _employ(self) -> None:
        """Give tasks to those that have none; start workers while there are more."""
        for worker in self._workers:
            if self._waiting and worker.is_ready and worker.task is None:
                worker.give(self._waiting.popleft(), self._timeout)
        n_free = sum(worker.task is None for worker in self._workers)
        n_new = min(self._n_workers - len(self._workers), len(self._waiting) - n_free)
        self._workers += [_Worker(self._work, self._events) for _ in range(n_new)]

    def _next_event(self) -> tuple[_Worker, Reply | None]:
        """Wait for a worker to say something; kill those that are overdue."""
        while True:
            deadline = min(worker.deadline for worker in self._workers)
            wait = deadline - time.monotonic()
            try:
                return self._events.get(timeout=None if wait > 1e9 else max(wait, 0))  # noqa: PLR2004
            except queue.Empty:
                for worker in self._workers:
                    if worker.deadline <= time.monotonic():
                        worker.is_overdue, worker.deadline = True, float("inf")
                        worker.kill()

    def _welcome(self, worker: _Worker, reply: Reply) -> None:
        if reply.error:
            msg = f"the workers cannot load the work: {reply.error}"
            raise WorkersError(msg)
        worker.is_ready, self._n_stillborn = True, 0

    def _end_task(self, worker: _Worker, reply: Reply) -> Outcome | None:
        task = worker.take()
        if task is None:
            return None
        if reply.is_passing and task.tries <= self._retries:
            self._waiting.append(task)
            return None
        return reply.outcome(task.index, task.tries)

    def _lose(self, worker: _Worker) -> Outcome | None:
        """Take a worker off that has ended, and put its task back to the others."""
        self._workers.remove(worker)
        cause, task = worker.cause_of_death(), worker.take()
        if task is None:
            self._n_stillborn += not worker.is_ready
            if self._n_stillborn >= _MOST_STILLBORN:
                msg = f"the workers cannot start: {cause}"
                raise WorkersError(msg)
            return None
        if worker.is_overdue:
            cause = f"took longer than {self._timeout:g} s"
        elif task.tries <= self._retries:
            self._waiting.append(task)
            return None
        else:
            cause = f"{cause}, {task.tries} times"
        return Outcome(task.index, None, cause, tries=task.tries)


def _close(stream: Any) -> None:
    try:
        stream.close()
    except OSError:
        # What was still to be written has nobody to read it.
        return
