"""Tasks on the workers of Dask's scheduler."""

from __future__ import annotations

import pickle
import threading
import time
import uuid
from collections import deque
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

#: Tasks go out singly, or, to share the scheduler's time (3 to 10 ms a turn on busy
#: processors), as many as are done in these seconds and no more than so many.
_PORTION = 0.25
_MOST_AT_ONCE = 16

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
                for (index, tries), reply in done:
                    if reply.is_passing and tries <= retries:
                        window.put_back(index, tries + 1)
                    else:
                        yield reply.outcome(index, tries)
        finally:
            window.cancel()

    try:
        yield outcomes
    finally:
        client.unregister_worker_plugin(carrier.name)


#: A task by its index, and which try of it this is.
_Try = tuple[int, int]


class _Window:
    """The tasks that are with the scheduler: a few for each thread of the workers."""

    def __init__(
        self, client: Any, name: str, tasks: Sequence[Any], timeout: float | None
    ) -> None:
        self._client = client
        self._name = name
        self._tasks = tasks
        self._timeout = timeout
        self._waiting: deque[_Try] = deque((i, 1) for i in range(len(tasks)))
        self._running: dict[Any, list[_Try]] = {}
        self._results = as_completed(raise_errors=False, loop=client.loop)
        self._most = 0
        self._counted = -float("inf")
        # How long a task takes: none is known to be short before one was done.
        self._seconds = _PORTION

    def put_back(self, index: int, tries: int) -> None:
        """Have a task done after those that wait."""
        self._waiting.append((index, tries))

    def next(self) -> list[tuple[_Try, Reply]] | None:
        """Wait for some tasks to be done; `None` if there are no more."""
        self._fill()
        if not self._running:
            return None
        future = next(self._results)
        portion = self._running.pop(future)
        replies, overdue = _replies_of(future, len(portion))
        future.release()
        if overdue is not None:
            # The thread cannot be stopped but with its process.
            self._client.restart_workers([overdue], raise_for_error=False)
        if replies is None and len(portion) > 1:
            # One of them ends its workers, the others are to be done.
            for one in portion:
                self._submit([one])
            return []
        if replies is None:
            replies = [Reply(None, "its workers ended, one after another")]
        self._seconds = max(reply.seconds for reply in replies) or self._seconds
        self._waiting.extendleft(reversed(portion[len(replies) :]))
        return list(zip(portion, replies, strict=False))

    def cancel(self) -> None:
        """Take all tasks back."""
        for future in self._running:
            future.cancel()

    def _fill(self) -> None:
        if time.monotonic() - self._counted > _RECOUNT:
            n_threads = sum(self._client.nthreads().values())
            self._most, self._counted = _AHEAD * max(1, n_threads), time.monotonic()
        while self._waiting and len(self._running) < self._most:
            # Toward the end fewer, so that no worker waits for another's.
            most = min(_MOST_AT_ONCE, len(self._waiting) // self._most)
            n = max(1, min(most, int(_PORTION / max(self._seconds, 1e-3))))
            self._submit([self._waiting.popleft() for _ in range(n)])

    def _submit(self, portion: list[_Try]) -> None:
        """Give tasks to the scheduler."""
        # Strings of bytes are nothing to look into on their way.
        tasks = pickle.dumps([self._tasks[index] for index, _ in portion])
        future = self._client.submit(
            _attempt_there, self._name, tasks, self._timeout, pure=False, retries=0
        )
        self._running[future] = portion
        self._results.add(future)


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
    name: str, packed_tasks: bytes, timeout: float | None
) -> tuple[bytes, str | None]:
    """Do tasks on a worker, the first and others while there is time.

    Returns
    -------
    replies : bytes
        The pickled list of `packed` replies, of all tasks or the first ones.
    overdue : str or `None`
        The worker that is to be restarted, as the last of them is overdue.
    """
    begin = time.monotonic()
    worker = get_worker()
    tasks = pickle.loads(packed_tasks)  # noqa: S301  (the client's)
    # A new worker's imports are not the task's time.
    loaded = attempt(worker.plugins[name].load, None)
    if loaded.error:
        return pickle.dumps([packed(loaded)] * len(tasks)), None
    replies = []
    for task in tasks:
        reply = _attempt_within(timeout, loaded.value, task)
        if reply is None:
            said = f"took longer than {timeout:g} s"
            replies.append(packed(Reply(None, said, seconds=timeout or 0.0)))
            # One without a nanny would be gone for good.
            return pickle.dumps(replies), worker.address if worker.nanny else None
        replies.append(packed(reply))
        if time.monotonic() - begin > _PORTION:
            break
    return pickle.dumps(replies), None


def _attempt_within(
    timeout: float | None, work: Callable[[Any], Any], task: Any
) -> Reply | None:
    """Do a task in a thread, which is left alone when the time is up."""
    replies: list[Reply] = []
    thread = threading.Thread(
        target=lambda: replies.append(attempt(work, task)), daemon=True
    )
    thread.start()
    thread.join(timeout)
    return replies[0] if replies else None


def _replies_of(future: Any, n_tasks: int) -> tuple[list[Reply] | None, str | None]:
    """Take the replies of the first tasks, at least one, and who is overdue.

    No replies (`None`): all workers that were given the tasks have ended.
    """
    if future.status == "cancelled":
        lost = Reply(None, "was cancelled by the scheduler", is_passing=True)
        return [lost] * n_tasks, None
    try:
        # What was done may be lost with its worker, and is waited for once more.
        message, overdue = future.result()
    except KilledWorker:
        return None, None
    except Exception as exc:  # noqa: BLE001  (one task's fault is not the others')
        return [Reply(None, f"{type(exc).__name__}: {exc}")] * n_tasks, None
    replies = pickle.loads(message)  # noqa: S301  (the worker's)
    return [pickle.loads(one) for one in replies], overdue  # noqa: S301
