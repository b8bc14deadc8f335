"""Checks of the arguments of iterative photometry; each names what was wrong."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from psfphot._validate import as_odd_pair

Mode = Literal["new", "all"]


def as_given(value: Any, name: str) -> Any:
    """Refuse `None`, which only a single fit can do with.

    Raises
    ------
    ValueError
        If it is `None`.
    """
    if value is None:
        raise ValueError(f"{name} cannot be None for IterativePSFPhotometry")
    return value


def as_maxiters(maxiters: Any) -> int:
    """Check the largest number of fits.

    Raises
    ------
    ValueError
        If it is not a positive whole number.
    """
    is_number = isinstance(maxiters, int | float | np.number)
    if isinstance(maxiters, bool) or not is_number or not 0 < maxiters < np.inf:
        msg = f"maxiters must be a strictly-positive scalar, got {maxiters!r}"
        raise ValueError(msg)
    if maxiters != int(maxiters):
        raise ValueError(f"maxiters must be an integer, got {maxiters!r}")
    return int(maxiters)


def as_mode(mode: Any) -> Mode:
    """Check the mode.

    Raises
    ------
    ValueError
        If there is no such mode.
    """
    if mode not in ("new", "all"):
        raise ValueError(f"mode must be 'new' or 'all', got {mode!r}")
    return "all" if mode == "all" else "new"


def as_sub_shape(shape: Any) -> tuple[int, int] | None:
    """Check the box in which models are subtracted; `None` stays `None`.

    Raises
    ------
    ValueError
        If it is not one or two odd positive integers.
    """
    return None if shape is None else as_odd_pair(shape, "sub_shape")
