"""Checks of the arguments that the star finders share, in photutils' words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def scalar(value: Any, name: str) -> float:
    """Make a float of a scalar without a unit."""
    if np.ndim(value) != 0:
        msg = f"{name} must be a scalar value"
        raise TypeError(msg)
    try:
        return float(value)
    except (TypeError, ValueError) as exc:
        msg = f"{name} must be a number without a unit, got {value!r}"
        raise TypeError(msg) from exc


def positive(value: Any, name: str) -> float:
    """Make a positive, finite float."""
    number = scalar(value, name)
    if not number > 0:
        msg = f"{name} must be positive"
        raise ValueError(msg)
    if math.isinf(number):
        msg = f"{name} must be finite"
        raise ValueError(msg)
    return number


def not_negative(value: Any, name: str) -> float:
    """Make a float that is at least 0."""
    number = scalar(value, name)
    if not number >= 0:
        msg = f"{name} must be >= 0"
        raise ValueError(msg)
    return number


def whole(value: Any, name: str, *, least: int, or_else: str) -> int:
    """Make an integer that is at least ``least``; ``or_else`` is the message."""
    if isinstance(value, bool | np.bool_):
        msg = f"{name} must be an integer"
        raise TypeError(msg)
    number = scalar(value, name)
    if not number >= least:
        raise ValueError(or_else)
    if not number.is_integer():
        msg = f"{name} must be an integer"
        raise ValueError(msg)
    return int(number)


def count_or_none(value: Any, name: str) -> int | None:
    """Make an integer above 0; `None` stays `None`."""
    if value is None:
        return None
    return whole(value, name, least=1, or_else=f"{name} must be > 0")


def bounds(value: Any, name: str) -> tuple[float, float] | None:
    """Make a (lower, upper) pair; `None` stays `None`."""
    if value is None:
        return None
    if np.shape(value) != (2,):
        msg = f"{name} must be a 2-element (lower, upper) tuple or None"
        raise ValueError(msg)
    lower, upper = value
    return scalar(lower, name), scalar(upper, name)


def positions(value: Any, name: str) -> NDArray[Any] | None:
    """Make an Nx2 array; `None` stays `None`."""
    if value is None:
        return None
    array = np.asarray(value)
    if array.ndim != 2 or array.shape[1] != 2:  # noqa: PLR2004
        msg = f"{name} must be shaped as an Nx2 array"
        raise ValueError(msg)
    return array


def check_units(**values: Any) -> None:
    """Raise a `ValueError` unless all have the same unit, or none has one.

    Arguments that are `None` do not count.
    """
    units = {
        name: getattr(value, "unit", None)
        for name, value in values.items()
        if value is not None
    }
    first = next(iter(units.values()), None)
    # A unit compared with None is a question that units do not answer alike.
    if all(
        (unit is None) == (first is None) and unit == first for unit in units.values()
    ):
        return
    lines = [f"The inputs {list(units)} must all have the same units:"]
    for name, unit in units.items():
        has = "does not have units" if unit is None else f"has units of {unit}"
        lines.append(f"    {name} {has}")
    raise ValueError("\n".join(lines))


def threshold_for(
    threshold: Any, shape: tuple[int, ...]
) -> float | NDArray[np.float64]:
    """Make what the core takes of a threshold for an image of this shape.

    A map is copied only where it is not float64, C-contiguous already.
    """
    value = getattr(threshold, "value", threshold)
    if np.ndim(value) == 0:
        return scalar(value, "threshold")
    if np.shape(value) != shape:
        msg = "threshold array must have the same shape as the input data"
        raise ValueError(msg)
    return np.ascontiguousarray(value, dtype=np.float64)
