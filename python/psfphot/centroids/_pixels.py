"""The pixels that a centroid is made of."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import as_float_array, as_frame, as_mask, split_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOT_FINITE = (
    "Input data contains nonfinite values (e.g., NaN or inf) that were automatically "
    "masked."
)


def split_pixels(data: Any, mask: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Make an array of any number of axes and the mask of what must not be used.

    The array is a copy, 0 where it is masked. What is not finite is masked, with a
    warning if it was not yet.

    Raises
    ------
    TypeError, ValueError
        If data or mask are none, or of two shapes.
    """
    values, own_mask = split_mask(data)
    array = np.array(as_float_array(values, "data"), dtype=np.float64)
    bad = as_mask(mask, array.shape)
    return _leave_out(array, [one for one in (bad, own_mask) if one is not None])


def split_with_error(
    data: Any, error: Any, mask: Any
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64] | None]:
    """Make an image, the mask of what must not be used, and the errors if given.

    Pixels whose error is not finite are masked, in silence. Image and errors are 0
    where masked.

    Raises
    ------
    TypeError, ValueError
        If an array is none, or shapes or units do not go together.
    """
    frame = as_frame(data, error, mask)
    given = [] if frame.mask is None else [frame.mask]
    image, bad = _leave_out(np.array(frame.data, dtype=np.float64), given)
    if frame.error is None:
        return image, bad, None
    bad |= ~np.isfinite(frame.error)
    image[bad] = 0.0
    return image, bad, np.where(bad, 0.0, frame.error).astype(np.float64)


def _leave_out(
    array: NDArray[np.float64], masks: list[NDArray[np.bool_]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    known = np.logical_or.reduce([np.zeros(array.shape, dtype=bool), *masks])
    bad = known | ~np.isfinite(array)
    if (bad & ~known).any():
        warnings.warn(_NOT_FINITE, AstropyUserWarning, stacklevel=4)
    array[bad] = 0.0
    return array, bad
