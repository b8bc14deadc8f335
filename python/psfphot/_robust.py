"""Statistics that a few outliers do not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Of a Gaussian, its standard deviation in median absolute deviations.
_SIGMA_PER_MAD = 1.4826


def robust_sigma(values: NDArray[Any], middle: Any = None) -> float:
    """Tell the standard deviation of a Gaussian with the values' middle.

    Parameters
    ----------
    values : ndarray
        The values, finite.
    middle : float, optional
        Where deviations are measured from; by default the median.

    Returns
    -------
    float
        1.4826 times the median absolute deviation.
    """
    if middle is None:
        middle = np.median(values)
    return _SIGMA_PER_MAD * float(np.median(np.abs(values - middle)))
