"""Progress bars over work that the compiled core does."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress_callback(
    total: int, description: str, *, enabled: bool
) -> Iterator[Callable[[int], None] | None]:
    """Show a tqdm bar; yield what the core calls with the units done so far.

    Yields `None` when not ``enabled``: then the core reports to nobody.
    """
    if not enabled:
        yield None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415  (slow to import, seldom needed)

    with tqdm(total=total, desc=description) as bar:
        yield lambda done: bar.update(done - bar.n) and None


def write_above_bars(text: str) -> None:
    """Write a line on stderr, above the bars that are shown there."""
    from tqdm.auto import tqdm  # noqa: PLC0415  (slow to import, seldom needed)

    tqdm.write(text, file=sys.stderr)
