"""Checks of the arguments that the star finders share, in photutils' words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import (
    as_finite,
    as_float_array,
    as_pixels,
    as_positive,
    as_scalar,
    as_whole,
    split_mask,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What photutils 3.0 renamed in all finders.
RENAMED = {"brightest": "n_brightest", "peakmax": "peak_max"}
RANGES = {
    ("sharplo", "sharphi"): "sharpness_range",
    ("roundlo", "roundhi"): "roundness_range",
}


def scalar(value: Any, name: str) -> float:
    """Make a float of a scalar without a unit.

    Raises
    ------
    TypeError
        If it is not one number without a unit.
    ValueError
        If it is too large for a float.
    """
    return as_scalar(value, name, not_scalar=f"{name} must be a scalar value")


def positive(value: Any, name: str) -> float:
    """Make a positive, finite float.

    Raises
    ------
    TypeError
        If it is not one number without a unit.
    ValueError
        If it is not positive and finite.
    """
    return as_positive(
        scalar(value, name),
        name,
        f"{name} must be positive",
        infinite=f"{name} must be finite",
    )


def finite(value: Any, name: str) -> float:
    """Make a finite float.

    Raises
    ------
    TypeError
        If it is not one number without a unit.
    ValueError
        If it is not finite.
    """
    return as_finite(scalar(value, name), name, f"{name} must be finite")


def not_negative(value: Any, name: str) -> float:
    """Make a float that is at least 0.

    Raises
    ------
    TypeError
        If it is not one number without a unit.
    ValueError
        If it is negative or NaN.
    """
    number = scalar(value, name)
    if not number >= 0:
        msg = f"{name} must be >= 0"
        raise ValueError(msg)
    return number


def whole(value: Any, name: str, *, least: int, or_else: str) -> int:
    """Make an integer that is at least ``least``; ``or_else`` is the message.

    Raises
    ------
    TypeError
        If it is not one number without a unit, or boolean.
    ValueError
        If it is too small, above ``MAX_INT`` or not an integer.
    """
    not_scalar = f"{name} must be a scalar value"
    return as_whole(value, name, least=least, too_few=or_else, not_scalar=not_scalar)


def count_or_none(value: Any, name: str) -> int | None:
    """Make an integer above 0; `None` stays `None`.

    Raises
    ------
    TypeError, ValueError
        If it is something else; see `whole`.
    """
    if value is None:
        return None
    return whole(value, name, least=1, or_else=f"{name} must be > 0")


def bounds(value: Any, name: str) -> tuple[float, float] | None:
    """Make a (lower, upper) pair; `None` stays `None`.

    Raises
    ------
    TypeError
        If the two are not numbers without a unit.
    ValueError
        If there are not two.
    """
    if value is None:
        return None
    if np.shape(value) != (2,):
        msg = f"{name} must be a 2-element (lower, upper) tuple or None"
        raise ValueError(msg)
    lower, upper = value
    return scalar(lower, name), scalar(upper, name)


def positions(value: Any, name: str) -> NDArray[Any] | None:
    """Make an Nx2 array; `None` stays `None`.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shape is another, the unit is not pixels, or one is masked.
    """
    if value is None:
        return None
    array: NDArray[Any] = as_pixels(value, name)
    if array.dtype.kind not in "fiub":
        msg = f"{name} must be an array of real numbers, got dtype {array.dtype}"
        raise TypeError(msg)
    if array.ndim != 2 or array.shape[1] != 2:  # noqa: PLR2004
        msg = f"{name} must be shaped as an Nx2 array"
        raise ValueError(msg)
    if np.any(getattr(value, "mask", False)):
        msg = f"{name} must not have masked values"
        raise ValueError(msg)
    return array


def as_pairs(xycoords: NDArray[Any] | None) -> list[tuple[float, float]] | None:
    """Make what the core takes of an Nx2 array."""
    return None if xycoords is None else list(map(tuple, xycoords.tolist()))


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

    A map is copied only where it is not float64, C-contiguous already, or has
    masked values, which become NaN: nothing is found there.

    Raises
    ------
    TypeError
        If it is not real, or a masked scalar.
    ValueError
        If a map's shape is another.
    """
    if np.any(np.ma.getmask(threshold)) and np.ndim(threshold) == 0:
        raise TypeError("threshold must be a number, got a masked value")
    threshold, unknown = split_mask(threshold)
    value = getattr(threshold, "value", threshold)
    if np.ndim(value) == 0:
        return scalar(value, "threshold")
    if np.shape(value) != shape:
        msg = "threshold array must have the same shape as the input data"
        raise ValueError(msg)
    levels = as_float_array(value, "threshold").astype(np.float64, copy=False)
    if unknown is not None and unknown.any():
        levels = np.where(unknown, np.nan, levels)
    return levels
