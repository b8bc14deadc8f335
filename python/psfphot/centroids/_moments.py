"""The centre of mass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._deprecated import by_keyword
from psfphot.centroids._pixels import split_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A sum below this is that of no light.
_NO_LIGHT = 1.0e-30


@by_keyword
def centroid_com(data: Any, mask: Any = None) -> NDArray[np.float64]:
    """Find the centre of mass, from the image's first moments.

    Parameters
    ----------
    data : array_like
        The image, of any number of axes, without background.
    mask : bool array, optional
        `True` where a pixel is to be ignored. What is not finite always is, with
        a warning.

    Returns
    -------
    (n_axes,) float64 array
        The centre, pixels, in the order (x, y, ...); NaN if the sum of the pixels
        is 0.

    Raises
    ------
    TypeError, ValueError
        If data or mask cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.centroids import centroid_com
    >>> data = np.zeros((5, 6))
    >>> data[2, 3:5] = 1.0, 3.0
    >>> x, y = centroid_com(data)
    >>> print(f"{x:.2f} {y:.2f}")
    3.75 2.00
    """
    array, _ = split_pixels(data, mask)
    total = array.sum()
    if abs(total) < _NO_LIGHT:
        return np.full(array.ndim, np.nan)
    axes = range(array.ndim)
    sums = [array.sum(axis=tuple({*axes} - {axis})) for axis in reversed(axes)]
    return np.array([np.arange(one.size) @ one / total for one in sums])
