"""Arguments made into what the compiled core takes, once and in one place.

The core borrows C-contiguous arrays of native byte order and of dtype float32
or float64. Arrays that are so already are not copied.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.nddata import StdDevUncertainty
from astropy.utils.masked import Masked

if TYPE_CHECKING:
    from astropy.nddata import NDData
    from numpy.typing import NDArray

    Image = NDArray[np.float32] | NDArray[np.float64]


# The largest integer that is taken: what is counted or measured in pixels has
# no need of more, and it fits every integer of the core's.
MAX_INT = 2**31 - 1

# More threads than this gain nothing, and so many may not be had at all.
MAX_THREADS = 1024


class Frame(NamedTuple):
    """An image with its errors, mask and unit, ready for the core."""

    data: Image
    error: Image | None
    mask: NDArray[np.bool_] | None
    unit: u.UnitBase | None

    @property
    def arrays(self) -> tuple[Image, Image | None, NDArray[np.bool_] | None]:
        """(data, error, mask), as the functions of the core take them."""
        return self.data, self.error, self.mask


def values_of(column: Any) -> NDArray[np.float64]:
    """Strip the unit: a contiguous float64 array."""
    return np.ascontiguousarray(getattr(column, "value", column), dtype=np.float64)


def nddata_values(data: NDData) -> Any:
    """Take the values out of NDData, with its unit."""
    return data.data if data.unit is None else data.data << data.unit


def unpack_nddata(data: NDData) -> tuple[Any, Any, Any]:
    """Take values, mask and 1-sigma error out of NDData, with its unit."""
    values = nddata_values(data)
    if data.uncertainty is None:
        return values, data.mask, None
    sigma = data.uncertainty.represent_as(StdDevUncertainty)
    error = sigma.array
    if data.unit is not None:
        error = error << (sigma.unit or data.unit)
    return values, data.mask, error


def split_mask(values: Any) -> tuple[Any, NDArray[np.bool_] | None]:
    """Take the mask, `None` if there is none, off an array of either kind.

    The kinds are those of numpy and astropy (`astropy.utils.masked.Masked`),
    with or without a unit, which stays.
    """
    if isinstance(values, np.ma.MaskedArray):
        return values.data, np.ma.getmaskarray(values)
    if isinstance(values, Masked):
        return values.unmasked, np.asarray(values.mask)
    return values, None


def as_float_array(values: Any, name: str) -> Image:
    """Make an array of native float32 or float64, C-contiguous, without a unit.

    float32 stays float32, float16 becomes it; integers and all else that is
    real become float64.

    Raises
    ------
    TypeError
        If the values are complex or not numeric.
    """
    array = np.asarray(getattr(values, "value", values))
    if array.dtype.kind not in "fiub":
        msg = f"{name} must be an array of real numbers, got dtype {array.dtype}"
        raise TypeError(msg)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 4:  # noqa: PLR2004
        return np.ascontiguousarray(array, dtype=np.float32)
    return np.ascontiguousarray(array, dtype=np.float64)


def as_image(values: Any, name: str = "data") -> Image:
    """Make a two-dimensional float array; see `as_float_array`.

    Raises
    ------
    TypeError
        If the values are complex or not numeric.
    ValueError
        If the array is not two-dimensional.
    """
    array = as_float_array(values, name)
    if np.ndim(values) != 2:  # noqa: PLR2004
        msg = f"{name} must be a 2D array, got {np.ndim(values)} dimension(s)"
        raise ValueError(msg)
    return array


def as_mask(
    mask: Any, shape: tuple[int, ...], name: str = "mask"
) -> NDArray[np.bool_] | None:
    """Make a boolean mask of the given shape; `None` stays `None`.

    Raises
    ------
    TypeError
        If the mask is neither boolean nor integer.
    ValueError
        If its shape is another.
    """
    if mask is None or mask is np.ma.nomask:
        return None
    array = np.asarray(mask)
    if array.dtype.kind not in "biu":
        msg = f"{name} must be a boolean array, got dtype {array.dtype}"
        raise TypeError(msg)
    if array.shape != shape:
        msg = (
            f"data and {name} must have the same shape, "
            f"got data {shape} and {name} {array.shape}"
        )
        raise ValueError(msg)
    return np.ascontiguousarray(array, dtype=bool)


def as_frame(data: Any, error: Any = None, mask: Any = None) -> Frame:
    """Make data, error and mask into a `Frame`.

    A masked array's own mask is joined to ``mask``; where the error is masked
    it becomes NaN. ``data`` and ``error``
    must both have units, or neither; the error is converted to the data's.

    Raises
    ------
    TypeError
        If an array has a dtype that cannot be used.
    ValueError
        If shapes or units do not go together.
    """
    data, own_mask = split_mask(data)
    unit = getattr(data, "unit", None)
    image = as_image(data)
    bad = as_mask(mask, image.shape)
    if own_mask is not None:
        bad = own_mask if bad is None else bad | own_mask
    noise = None
    if error is not None:
        noise = _as_error(error, unit, image.shape)
        if noise.dtype != image.dtype:
            image, noise = image.astype(np.float64), noise.astype(np.float64)
    return Frame(image, noise, bad, unit)


def _as_error(error: Any, unit: u.UnitBase | None, shape: tuple[int, ...]) -> Image:
    error, unknown = split_mask(error)
    error_unit = getattr(error, "unit", None)
    if (unit is None) != (error_unit is None):
        msg = (
            "The inputs ['data', 'error'] must all have the same units: "
            f"data has {unit}, error has {error_unit}"
        )
        raise ValueError(msg)
    if unit is not None and error_unit != unit:
        try:
            error = u.Quantity(error).to(unit)
        except u.UnitConversionError as exc:
            msg = (
                "The inputs ['data', 'error'] must all have the same units: "
                f"data has {unit}, error has {error_unit}"
            )
            raise ValueError(msg) from exc
    noise = as_image(error, "error")
    if noise.shape != shape:
        msg = (
            "data and error must have the same shape, "
            f"got data {shape} and error {noise.shape}"
        )
        raise ValueError(msg)
    if unknown is not None and unknown.any():
        # A copy: the caller's array may be the very same.
        noise = noise.copy()
        noise[unknown] = np.nan
    return noise


def as_vector(values: Any, name: str) -> NDArray[np.float64]:
    """Make a one-dimensional float64 array; a scalar becomes one element.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If they have more than one dimension.
    """
    array = np.atleast_1d(as_float_array(values, name)).astype(np.float64, copy=False)
    if array.ndim != 1:
        msg = f"{name} must be a scalar or a 1D array, got {array.ndim} dimensions"
        raise ValueError(msg)
    return array


def as_points(x: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make two vectors of one length; scalars become one element.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shapes differ or have more than one dimension.
    """
    shapes = np.shape(x), np.shape(y)
    if shapes[0] != shapes[1]:
        msg = (
            "x and y must have the same shape, "
            f"got x.shape={shapes[0]} and y.shape={shapes[1]}"
        )
        raise ValueError(msg)
    return as_vector(x, "x"), as_vector(y, "y")


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


def as_scalar(value: Any, name: str) -> float:
    """Make a float of one real number; a unit is refused.

    Raises
    ------
    TypeError
        If the value is not one real number without a unit.
    ValueError
        If it is too large for a float.
    """
    msg = f"{name} must be a number without a unit, got {value!r}"
    if np.ma.is_masked(value) or isinstance(value, str | bytes | list | tuple):
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


def as_positive(value: Any, name: str, or_else: str | None = None) -> float:
    """Make a positive, finite float; ``or_else`` is the message.

    Raises
    ------
    TypeError
        If the value is not one real number without a unit.
    ValueError
        If it is not positive and finite.
    """
    number = as_scalar(value, name)
    if not (math.isfinite(number) and number > 0):
        msg = or_else or f"{name} must be positive and finite, got {value!r}"
        raise ValueError(msg)
    return number


def as_count(value: Any, name: str) -> int:
    """Make an integer that is not negative.

    Raises
    ------
    TypeError
        If the value is not an integer.
    ValueError
        If it is negative or above ``MAX_INT``.
    """
    count = _as_index(value, name)
    if count < 0:
        msg = f"{name} must be >= 0, got {count}"
        raise ValueError(msg)
    if count > MAX_INT:
        msg = f"{name} must be <= {MAX_INT}, got {count}"
        raise ValueError(msg)
    return count


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
