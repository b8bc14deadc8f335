"""Neighbourhoods of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._deprecated import by_keyword

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


@by_keyword
def circular_footprint(radius: float, dtype: DTypeLike = int) -> NDArray[Any]:
    """Make a disk of pixels.

    Parameters
    ----------
    radius : int or float
        The radius, a whole number of pixels.
    dtype : dtype, optional
        Of what kind the pixels are.

    Returns
    -------
    (2 radius + 1, 2 radius + 1) ndarray
        1 where a pixel's centre is within the radius, else 0.

    Raises
    ------
    ValueError
        If ``radius`` is not a whole number above 0.

    Examples
    --------
    >>> from psfphot.utils import circular_footprint
    >>> circular_footprint(1)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]])
    """
    if not (np.isfinite(radius) and radius > 0 and radius == int(radius)):
        msg = f"radius must be a whole number above 0, got {radius!r}"
        raise ValueError(msg)
    offsets = np.arange(-int(radius), int(radius) + 1)
    return (offsets**2 + offsets[:, np.newaxis] ** 2 <= radius**2).astype(dtype)


def dilate(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Tell which pixels are within a radius of one that is `True`."""
    ny, nx = mask.shape
    padded = np.zeros((ny + 2 * radius, nx + 2 * radius + 1), dtype=np.int64)
    padded[radius : radius + ny, radius + 1 : radius + 1 + nx] = mask
    # Of each row the number of `True` pixels to the left: a difference of two of
    # them tells of all pixels in between.
    counts = padded.cumsum(axis=1)
    near = np.zeros(mask.shape, dtype=bool)
    for dy in range(-radius, radius + 1):
        reach = int(np.sqrt(radius**2 - dy**2))
        rows = counts[radius + dy : radius + dy + ny]
        after = rows[:, radius + reach + 1 : radius + reach + 1 + nx]
        near |= after > rows[:, radius - reach : radius - reach + nx]
    return near
