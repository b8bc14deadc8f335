"""Whether tables of results do without the old column names.

The package itself imports this module, which therefore must not import astropy.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_future_column_names: ContextVar[bool | None] = ContextVar(
    "psfphot_future_column_names", default=None
)


@contextmanager
def use_future_column_names(enabled: bool = True) -> Iterator[None]:
    """Make plain tables, without the old column names, in a ``with`` block.

    It takes precedence over ``psfphot.future_column_names``, and holds for the
    current thread or asynchronous task alone.

    Parameters
    ----------
    enabled : bool, optional
        Whether tables are plain `~astropy.table.QTable`.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot import use_future_column_names
    >>> from psfphot.detection import StarFinder
    >>> star = np.outer([1, 2, 1], [1, 2, 1])
    >>> data = np.zeros((20, 30))
    >>> data[8:11, 12:15] = star
    >>> with use_future_column_names():
    ...     table = StarFinder(0.5, star)(data)
    >>> type(table).__name__
    'QTable'
    """
    token = _future_column_names.set(enabled)
    try:
        yield
    finally:
        _future_column_names.reset(token)


def has_future_column_names() -> bool:
    """Tell what holds here: the ``with`` block's choice or the package's."""
    chosen = _future_column_names.get()
    if chosen is not None:
        return chosen
    # The package's choice is an attribute of the package, which imports this module.
    return bool(sys.modules["psfphot"].future_column_names)
