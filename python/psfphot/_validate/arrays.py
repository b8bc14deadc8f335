"""Arrays made into what the compiled core takes.

The core borrows C-contiguous arrays of native byte order and of dtype float32
or float64. Arrays that are so already are not copied.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from astropy import units as u
from astropy.nddata import NDData
from astropy.utils.masked import Masked
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


def values_of(column: Any) -> NDArray[np.float64]:
    """Strip the unit: a contiguous float64 array."""
    return np.ascontiguousarray(getattr(column, "value", column), dtype=np.float64)


def nddata_values(data: NDData) -> Any:
    """Take the values out of NDData, with its unit."""
    return data.data if data.unit is None else data.data << data.unit


def is_increasing(labels: Any) -> bool:
    """Tell whether numbers grow from each to the next: sorted, and none twice."""
    values = np.asarray(labels)
    return values.dtype.kind in "iuf" and bool(np.all(values[1:] > values[:-1]))


def split_mask(values: Any) -> tuple[Any, NDArray[np.bool_] | None]:
    """Take the mask, `None` if there is none, off an array of either kind.

    The kinds are those of numpy and astropy (`astropy.utils.masked.Masked` and
    `~astropy.nddata.NDData`), with or without a unit, which stays.

    Raises
    ------
    TypeError, ValueError
        If the mask of NDData is none for its values; see `as_mask`.
    """
    if isinstance(values, NDData):
        array = nddata_values(values)
        return array, as_mask(values.mask, np.shape(array), "the mask of data")
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
        If the values are complex or not numeric, or NDData, of which the mask
        and the uncertainty would be lost.
    """
    if isinstance(values, NDData):
        msg = f"{name} must be an array, got {type(values).__name__}: give its data"
        raise TypeError(msg)
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

    Floats are taken where all are 0 or 1, as files have them. What is masked in
    the mask itself is masked.

    Raises
    ------
    TypeError
        If the mask is neither boolean nor integer, nor floats that are 0 or 1.
    ValueError
        If its shape is another.
    """
    if mask is None or mask is np.ma.nomask:
        return None
    mask, unknown = split_mask(mask)
    array = np.asarray(mask)
    is_float = array.dtype.kind == "f"
    if array.dtype.kind not in "biuf" or (
        is_float and not ((array == 0) | (array == 1)).all()
    ):
        others = " with values that are neither 0 nor 1" if is_float else ""
        msg = f"{name} must be a boolean array, got dtype {array.dtype}{others}"
        raise TypeError(msg)
    if unknown is not None:
        array = (array != 0) | unknown
    if array.shape != shape:
        msg = (
            f"data and {name} must have the same shape, "
            f"got data {shape} and {name} {array.shape}"
        )
        raise ValueError(msg)
    return np.ascontiguousarray(array, dtype=bool)


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


def refuse_other_unit(values: Any, name: str) -> None:
    """Refuse what has a unit that is not pixels.

    Raises
    ------
    ValueError
        If it has one.
    """
    unit = getattr(values, "unit", None)
    if unit not in (None, u.pixel, u.dimensionless_unscaled):
        msg = f"{name} must be in pixels, got the unit {unit}"
        raise ValueError(msg)


def as_pixels(values: Any, name: str) -> Any:
    """Take positions in pixels off what may say so; masked ones become NaN.

    Raises
    ------
    ValueError
        If they have a unit that is not pixels.
    """
    # Of a column with a mask it is lost with that.
    refuse_other_unit(values, name)
    values, mask = split_mask(values)
    array = np.asarray(getattr(values, "value", values))
    return array if mask is None else np.where(mask, np.nan, array)


def as_points(x: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make two vectors of one length of positions; scalars become one element.

    Masked ones become NaN.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shapes differ or have more than one dimension, or there is a unit
        that is not pixels.
    """
    shapes = np.shape(x), np.shape(y)
    if shapes[0] != shapes[1]:
        msg = (
            "x and y must have the same shape, "
            f"got x.shape={shapes[0]} and y.shape={shapes[1]}"
        )
        raise ValueError(msg)
    return as_vector(as_pixels(x, "x"), "x"), as_vector(as_pixels(y, "y"), "y")
