"""A worker: the process that `psfphot._workers.processes` starts."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from typing import TYPE_CHECKING

from psfphot._workers.messages import receive, send
from psfphot._workers.outcome import attempt, packed

if TYPE_CHECKING:
    from typing import IO


def main() -> None:
    """Do tasks until the driver is gone: the work comes first, then one by one."""
    # Ctrl-C is the driver's, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    # What the work prints must not come between the replies.
    os.dup2(2, 1)
    orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    listening = (sys.stdin.buffer, orders)
    threading.Thread(target=_listen, args=listening, daemon=True).start()
    loaded = attempt(pickle.loads, orders.get())
    send(replies, pickle.dumps(loaded._replace(value=None)))
    while True:
        task = pickle.loads(orders.get())  # noqa: S301  (from the driver)
        send(replies, packed(attempt(loaded.value, task)))


def _listen(stream: IO[bytes], orders: queue.SimpleQueue[bytes]) -> None:
    """Put what the driver sends into a queue; end with it, also amid a task."""
    try:
        while True:
            orders.put(receive(stream))
    except (EOFError, OSError):
        os._exit(0)


if __name__ == "__main__":
    main()
