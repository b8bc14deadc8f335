"""Tasks on the workers of Dask's scheduler."""

from __future__ import annotations

import pickle
import threading
import uuid
from typing import TYPE_CHECKING, Any

from distributed import KilledWorker, as_completed, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from psfphot._workers.outcome import Reply, WorkersError, attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psfphot._workers.outcome import Outcome

#: Tasks that are with the scheduler for each thread of the workers. All at once a
#: hundred thousand would sit there.
_AHEAD = 4


def run_on_cluster(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    client: Any,
    retries: int,
    timeout: float | None,
) -> Iterator[Outcome]:
    """Do all tasks on a cluster; see `psfphot._workers.run_tasks`.

    A lost worker's tasks go to others by the scheduler's own rule, as often as its
    setting ``allowed-failures`` says.
    """
    name = f"psfphot-{uuid.uuid4().hex}"
    # A plugin reaches the workers that come later too.
    carrier = _Carrier(pickle.dumps(work), name)
    try:
        client.register_plugin(carrier)
    except Exception as exc:
        msg = f"the workers cannot load the work: {type(exc).__name__}: {exc}"
        raise WorkersError(msg) from exc
    running: dict[Any, tuple[int, int]] = {}
    results = as_completed(raise_errors=False, loop=client.loop)
    waiting = iter(enumerate(tasks))

    def submit(index: int, tries: int) -> None:
        future = client.submit(
            _attempt_there, name, tasks[index], timeout, pure=False, retries=0
        )
        running[future] = index, tries
        results.add(future)

    def submit_more() -> None:
        n_threads = max(1, sum(client.nthreads().values()))
        while len(running) < _AHEAD * n_threads:
            index = next(waiting, None)
            if index is None:
                return
            submit(index[0], 1)

    try:
        submit_more()
        while running:
            future = next(results)
            index, tries = running.pop(future)
            reply, overdue = _reply_of(future)
            future.release()
            if overdue:
                # The thread cannot be stopped but with its process.
                client.restart_workers([overdue], raise_for_error=False)
            if reply.is_passing and tries <= retries:
                submit(index, tries + 1)
            else:
                yield reply.outcome(index, tries)
            submit_more()
    finally:
        for future in running:
            future.cancel()
        client.unregister_worker_plugin(name)


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

    def do(self, task: Any) -> Any:
        """Do a task; the work is one object for all tasks of the worker."""
        with self._lock:
            if self.work is None:
                self.work = pickle.loads(self._packed)  # noqa: S301  (the client's)
        return self.work(task)


def _attempt_there(
    name: str, task: Any, timeout: float | None
) -> tuple[Reply, str | None]:
    """Do a task on a worker; of one that is overdue tell the worker's address."""
    worker = get_worker()
    replies: list[Reply] = []

    def do() -> None:
        replies.append(attempt(worker.plugins[name].do, task))

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(timeout)
    if replies:
        return replies[0], None
    return Reply(None, f"took longer than {timeout:g} s"), worker.address


def _reply_of(future: Any) -> tuple[Reply, str | None]:
    if future.status == "finished":
        reply: tuple[Reply, str | None] = future.result()
        return reply
    if future.status == "cancelled":
        return Reply(None, "was cancelled by the scheduler", is_passing=True), None
    exc = future.exception()
    if isinstance(exc, KilledWorker):
        return Reply(None, "its workers ended, one after another"), None
    return Reply(None, f"{type(exc).__name__}: {exc}"), None
