"""The pixels that stars lie on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def nearest_pixels(
    x: NDArray[Any], y: NDArray[Any], shape: tuple[int, int]
) -> tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.bool_]]:
    """Tell the pixel of an image that is nearest to each position.

    Parameters
    ----------
    x, y : 1D array
        Positions, pixels.
    shape : (ny, nx)
        The image's shape.

    Returns
    -------
    row, column : 1D int array
        The pixels, which are on the image; 0 for positions that are not finite.
    is_known : 1D bool array
        Whether a position is finite.
    """
    ny, nx = shape
    known = np.isfinite(x) & np.isfinite(y)
    column = np.clip(np.where(known, np.round(x), 0), 0, nx - 1).astype(int)
    row = np.clip(np.where(known, np.round(y), 0), 0, ny - 1).astype(int)
    return row, column, known
