"""What becomes of a task, wherever it is done."""

from __future__ import annotations

import errno
import pickle
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a file system says that may be well a moment later.
_PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)


class WorkersError(RuntimeError):
    """The workers are of no use: they do not start, cannot load the work, or end."""


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    index : int
        Which task, from 0.
    value : object
        What the work returned; `None` where it failed.
    error : str
        Why it failed; empty where it did not.
    traceback : str
        Where in the program it failed; empty where that is not its fault: a worker was
        lost, the memory full.
    seconds : float
        The time that the last try took, in seconds.
    tries : int
        How often it was tried.
    """

    index: int
    value: Any
    error: str = ""
    traceback: str = ""
    seconds: float = 0.0
    tries: int = 1


class Reply(NamedTuple):
    """What one try came to, on its way from where it was done.

    Attributes
    ----------
    value, error, traceback, seconds
        As those of an `Outcome`.
    is_passing : bool
        Whether what failed may be well a moment later.
    """

    value: Any
    error: str = ""
    traceback: str = ""
    seconds: float = 0.0
    is_passing: bool = False

    def outcome(self, index: int, tries: int) -> Outcome:
        """Make it the outcome of a task."""
        return Outcome(
            index, self.value, self.error, self.traceback, self.seconds, tries
        )


def attempt(work: Callable[[Any], Any], task: Any) -> Reply:
    """Do a task; whatever it raises is said in the reply."""
    begin = time.perf_counter()
    try:
        value = work(task)
    except Exception as exc:  # noqa: BLE001  (one task's fault is not the others')
        said = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
        seconds = time.perf_counter() - begin
        if is_passing(exc):
            return Reply(None, said, seconds=seconds, is_passing=True)
        return Reply(None, said, traceback.format_exc(), seconds)
    return Reply(value, seconds=time.perf_counter() - begin)


def packed(reply: Reply) -> bytes:
    """Pickle a reply; if what came of the task cannot be sent, that is the reply."""
    packing = attempt(pickle.dumps, reply)
    if packing.error:
        unfit = f"what came of it cannot be sent: {packing.error}"
        return pickle.dumps(Reply(None, unfit, packing.traceback, reply.seconds))
    made: bytes = packing.value
    return made


def is_passing(exc: BaseException | None) -> bool:
    """Tell whether a fault may be gone at the next try.

    A file that is broken is not mended by reading it again; a full memory and a
    file system's hiccup may pass.
    """
    if isinstance(exc, OSError):
        return exc.errno in _PASSING
    return isinstance(exc, MemoryError)


def raise_if_passing(exc: BaseException | None) -> None:
    """Raise what may be well at the next try, for the workers to try again."""
    if exc is not None and is_passing(exc):
        raise exc
