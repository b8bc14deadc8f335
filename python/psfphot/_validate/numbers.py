"""Numbers that are arguments: each check once, its wording an argument.

Where photutils has words for an error, callers hand them over.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from psfphot._validate.arrays import as_vector

# The largest integer that is taken: what is counted or measured in pixels has
# no need of more, and it fits every integer of the core's.
MAX_INT = 2**31 - 1

# More threads than this gain nothing, and so many may not be had at all.
MAX_THREADS = 1024


def as_scalar(value: Any, name: str, *, not_scalar: str | None = None) -> float:
    """Make a float of one real number; a unit is refused.

    What has dimensions has the message ``not_scalar``, if there is one.

    Raises
    ------
    TypeError
        If the value is not one real number without a unit.
    ValueError
        If it is too large for a float.
    """
    if not_scalar is not None and np.ndim(value) != 0:
        raise TypeError(not_scalar)
    msg = f"{name} must be a number without a unit, got {value!r}"
    mask = np.ma.getmask(value)
    is_masked = mask is not None and np.any(mask)
    if is_masked or isinstance(value, str | bytes | list | tuple):
        raise TypeError(msg)
    if np.ndim(value) != 0 or getattr(value, "dtype", np.dtype(float)).kind not in (
        "fiub"
    ):
        raise TypeError(msg)
    try:
        return float(value)
    except (TypeError, ValueError) as exc:
        raise TypeError(msg) from exc
    except OverflowError as exc:
        msg = f"{name} is too large for a float"
        raise ValueError(msg) from exc


def as_finite(value: Any, name: str, or_else: str | None = None) -> float:
    """Make a finite float; ``or_else`` is the message.

    Raises
    ------
    TypeError
        If the value is not one real number without a unit.
    ValueError
        If it is not finite.
    """
    number = as_scalar(value, name)
    if not math.isfinite(number):
        raise ValueError(or_else or f"{name} must be finite, got {value!r}")
    return number


def finite_or_none(value: Any) -> float | None:
    """Tell the number that a file's header gives; `None` if it is no finite one.

    An integer of a header can be larger than numpy's.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_positive(
    value: Any,
    name: str,
    or_else: str | None = None,
    *,
    infinite: str | None = None,
    always: str | None = None,
) -> float:
    """Make a positive, finite float.

    Parameters
    ----------
    value : float
        The number.
    name : str
        The argument, for messages.
    or_else, infinite : str, optional
        The message if the number is not positive and finite; another one if it
        is positive and infinite.
    always : str, optional
        The message of the one error, a ValueError, whatever is wrong.

    Raises
    ------
    TypeError
        If the value is not one real number without a unit.
    ValueError
        If it is not positive and finite.
    """
    try:
        number = as_scalar(value, name)
    except TypeError as exc:
        if always is None:
            raise
        raise ValueError(always) from exc
    if number == math.inf and infinite is not None:
        raise ValueError(infinite)
    if not (math.isfinite(number) and number > 0):
        usual = f"{name} must be positive and finite, got {value!r}"
        raise ValueError(always or or_else or usual)
    return number


def as_count(
    value: Any,
    name: str,
    *,
    least: int = 0,
    too_few: str | None = None,
    too_many: str | None = None,
    always: str | None = None,
) -> int:
    """Make an integer that is not below ``least``.

    Parameters
    ----------
    value : int
        The number.
    name : str
        The argument, for messages.
    least : int, optional
        The least number that will do.
    too_few, too_many : str, optional
        The message if it is less, or above ``MAX_INT``.
    always : str, optional
        The message of the one error, a ValueError, whatever is wrong that has
        no message of its own.

    Raises
    ------
    TypeError
        If the value is not an integer.
    ValueError
        If it is below ``least`` or above ``MAX_INT``.
    """
    try:
        count = _as_index(value, name)
    except TypeError as exc:
        if always is None:
            raise
        raise ValueError(always) from exc
    too_few = too_few or always or f"{name} must be >= {least}, got {count}"
    too_many = too_many or always or f"{name} must be <= {MAX_INT}, got {count}"
    _check_range(count, least, too_few, too_many)
    return count


def as_positive_int(value: Any, name: str) -> int:
    """Make an integer above 0, in photutils' words.

    Raises
    ------
    ValueError
        If it is not a positive integer up to ``MAX_INT``.
    """
    msg = f"{name} must be a strictly-positive integer, got {value!r}"
    too_many = f"{name} must be <= {MAX_INT}, got {value!r}"
    return as_count(value, name, least=1, too_many=too_many, always=msg)


def as_whole(
    value: Any, name: str, *, least: int, too_few: str, not_scalar: str | None = None
) -> int:
    """Make an integer that is not below ``least`` of any number that is whole.

    ``too_few`` and ``not_scalar`` are the messages if it is less, or an array.

    Raises
    ------
    TypeError
        If the value is not one number without a unit, or boolean.
    ValueError
        If it is too small, above ``MAX_INT`` or not an integer.
    """
    if isinstance(value, bool | np.bool_):
        msg = f"{name} must be an integer"
        raise TypeError(msg)
    number = as_scalar(value, name, not_scalar=not_scalar)
    too_many = f"{name} must be <= {MAX_INT}, got {value!r}"
    _check_range(number, least, too_few, too_many)
    if not number.is_integer():
        msg = f"{name} must be an integer"
        raise ValueError(msg)
    return int(number)


def _check_range(number: float, least: int, too_few: str, too_many: str) -> None:
    # A NaN is too few of anything.
    if not number >= least:
        raise ValueError(too_few)
    if number > MAX_INT:
        raise ValueError(too_many)


def _as_index(value: Any, name: str) -> int:
    msg = f"{name} must be an integer, got {value!r}"
    # True would count as 1.
    if isinstance(value, bool):
        raise TypeError(msg)
    try:
        return operator.index(value)
    except TypeError as exc:
        raise TypeError(msg) from exc


def as_n_threads(n_threads: Any) -> int | None:
    """Make the number of threads; `None`, for all processors, stays `None`.

    More than ``MAX_THREADS`` become that many: no result depends on it.

    Raises
    ------
    TypeError
        If it is neither `None` nor an integer.
    ValueError
        If it is below 1.
    """
    if n_threads is None:
        return None
    count = _as_index(n_threads, "n_threads")
    if count < 1:
        msg = f"n_threads must be None or at least 1, got {n_threads}"
        raise ValueError(msg)
    return min(count, MAX_THREADS)


def as_pair(value: Any, name: str, *, lower: int) -> tuple[int, int]:
    """Make two integers (ny, nx), not below ``lower``; one stands for both.

    Raises
    ------
    TypeError
        If the values are not numbers.
    ValueError
        If there are not 1 or 2 of them, or one is not an integer or too low.
    """
    # Integers beyond 64 bits make no array of numbers.
    items = value if isinstance(value, list | tuple) else (value,)
    if any(isinstance(item, int) and item > MAX_INT for item in items):
        msg = f"{name} must be <= {MAX_INT}, got {value}"
        raise ValueError(msg)
    array = as_vector(value, name)
    if array.size not in {1, 2}:
        msg = f"{name} must have 1 or 2 elements, got {value}"
        raise ValueError(msg)
    if not np.array_equal(array, np.trunc(array)) or not np.isfinite(array).all():
        msg = f"{name} must have integer values, got {value}"
        raise ValueError(msg)
    if (array < lower).any():
        msg = f"{name} must be >= {lower}, got {value}"
        raise ValueError(msg)
    if (array > MAX_INT).any():
        msg = f"{name} must be <= {MAX_INT}, got {value}"
        raise ValueError(msg)
    return int(array[0]), int(array[-1])


def as_odd_pair(value: Any, name: str) -> tuple[int, int]:
    """Make an int or (ny, nx) into a pair of odd positive integers.

    Raises
    ------
    ValueError
        If it is not one.
    """
    values = np.atleast_1d(np.asarray(value))
    if values.ndim != 1 or values.size not in (1, 2):
        raise ValueError(f"{name} must have 1 or 2 elements, got {value!r}")
    if values.dtype.kind == "O" and all(isinstance(v, int) for v in values):
        raise ValueError(f"{name} must be <= {MAX_INT}, got {value!r}")
    if values.dtype.kind not in "iu":
        raise ValueError(f"{name} must have integer values, got {value!r}")
    if np.any(values < 1):
        raise ValueError(f"{name} must be >= 1, got {value!r}")
    if np.any(values % 2 == 0):
        msg = f"{name} must have an odd value for both axes, got {value!r}"
        raise ValueError(msg)
    if np.any(values > MAX_INT):
        raise ValueError(f"{name} must be <= {MAX_INT}, got {value!r}")
    ny, nx = np.broadcast_to(values, 2)
    return int(ny), int(nx)
