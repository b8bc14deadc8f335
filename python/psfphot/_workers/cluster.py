"""Tasks on the workers of Dask's scheduler."""

from __future__ import annotations

import pickle
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed import KilledWorker, as_completed, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from psfphot._workers.outcome import Reply, WorkersError, attempt, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psfphot._workers.outcome import Outcome

#: Tasks that are with the scheduler for each thread of the workers. All at once a
#: hundred thousand would sit there.
_AHEAD = 4

#: Seconds after which the workers are counted again: some come later.
_RECOUNT = 2.0


@contextmanager
def hire_cluster(
    work: Callable[[Any], Any], client: Any, retries: int, timeout: float | None
) -> Iterator[Callable[[Sequence[Any]], Iterator[Outcome]]]:
    """Have the workers of a cluster do tasks; see `psfphot._workers.hire`.

    A lost worker's tasks go to others by the scheduler's own rule, as often as its
    setting ``allowed-failures`` says.
    """
    carrier = _Carrier(pickle.dumps(work), f"psfphot-{uuid.uuid4().hex}")
    try:
        # A plugin reaches the workers that come later too.
        client.register_plugin(carrier)
    except Exception as exc:
        msg = f"the workers cannot load the work: {type(exc).__name__}: {exc}"
        raise WorkersError(msg) from exc

    def outcomes(tasks: Sequence[Any]) -> Iterator[Outcome]:
        window = _Window(client, carrier.name, tasks, timeout)
        try:
            while (done := window.next()) is not None:
                index, tries, reply = done
                if reply.is_passing and tries <= retries:
                    window.submit(index, tries + 1)
                else:
                    yield reply.outcome(index, tries)
        finally:
            window.cancel()

    try:
        yield outcomes
    finally:
        client.unregister_worker_plugin(carrier.name)


class _Window:
    """The tasks that are with the scheduler: a few for each thread of the workers."""

    def __init__(
        self, client: Any, name: str, tasks: Sequence[Any], timeout: float | None
    ) -> None:
        self._client = client
        self._name = name
        self._tasks = tasks
        self._timeout = timeout
        self._waiting = iter(range(len(tasks)))
        self._running: dict[Any, tuple[int, int]] = {}
        self._results = as_completed(raise_errors=False, loop=client.loop)
        self._most = 0
        self._counted = -float("inf")

    def submit(self, index: int, tries: int) -> None:
        """Give a task to the scheduler."""
        task = self._tasks[index]
        future = self._client.submit(
            _attempt_there, self._name, task, self._timeout, pure=False, retries=0
        )
        self._running[future] = index, tries
        self._results.add(future)

    def next(self) -> tuple[int, int, Reply] | None:
        """Wait for a task: its number, its tries and the reply; `None` without any."""
        self._fill()
        if not self._running:
            return None
        future = next(self._results)
        index, tries = self._running.pop(future)
        reply, overdue = _reply_of(future)
        future.release()
        if overdue is not None:
            # The thread cannot be stopped but with its process.
            self._client.restart_workers([overdue], raise_for_error=False)
        return index, tries, reply

    def cancel(self) -> None:
        """Take all tasks back."""
        for future in self._running:
            future.cancel()

    def _fill(self) -> None:
        if time.monotonic() - self._counted > _RECOUNT:
            n_threads = sum(self._client.nthreads().values())
            self._most, self._counted = _AHEAD * max(1, n_threads), time.monotonic()
        while len(self._running) < self._most:
            index = next(self._waiting, None)
            if index is None:
                return
            self.submit(index, 1)


class _Carrier(WorkerPlugin):  # type: ignore[misc]
    """Brings the work to a worker and holds it there."""

    def __init__(self, packed: bytes, name: str) -> None:
        self._packed = packed
        self.name = name
        self.work: Any = None
        self._lock = threading.Lock()

    def __getstate__(self) -> tuple[bytes, str]:
        return self._packed, self.name

    def __setstate__(self, state: tuple[bytes, str]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def load(self, _: None) -> Any:
        """Give the work, one object for all tasks of the worker."""
        with self._lock:
            if self.work is None:
                self.work = pickle.loads(self._packed)  # noqa: S301  (the client's)
        return self.work


def _attempt_there(
    name: str, task: Any, timeout: float | None
) -> tuple[bytes, str | None]:
    """Do a task on a worker; if it is overdue tell which worker is to be restarted."""
    worker = get_worker()
    replies: list[Reply] = []
    # A new worker's imports are not the task's time.
    loaded = attempt(worker.plugins[name].load, None)
    if loaded.error:
        return packed(loaded), None

    def do() -> None:
        replies.append(attempt(loaded.value, task))

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(timeout)
    if replies:
        # One string of bytes is nothing to look into on its way.
        return packed(replies[0]), None
    # One without a nanny would be gone for good.
    address = worker.address if worker.nanny else None
    return packed(Reply(None, f"took longer than {timeout:g} s")), address


def _reply_of(future: Any) -> tuple[Reply, str | None]:
    if future.status == "cancelled":
        return Reply(None, "was cancelled by the scheduler", is_passing=True), None
    # What was done may be lost with its worker, and is waited for once more.
    exc = future.exception()
    if exc is None:
        message, overdue = future.result()
        return pickle.loads(message), overdue  # noqa: S301  (the worker's)
    if isinstance(exc, KilledWorker):
        return Reply(None, "its workers ended, one after another"), None
    return Reply(None, f"{type(exc).__name__}: {exc}"), None
