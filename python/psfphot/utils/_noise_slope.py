"""The gain that errors made from the data tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Errors follow the data where this part of their own scatter, from a pixel to the
# next, is that of the data.
_LEAST_CORRELATION = 0.3
# The side of the blocks in which a gain is looked for where a pixel does not tell.
BLOCK = 32
# A pixel tells its gain where its light is above this part of the image's typical
# (the median of what is positive).
_BRIGHT = 0.2


def gain_of_errors(
    data: NDArray[np.float64], variance: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Tell the gain, and the variance of each pixel without any star.

    Parameters
    ----------
    data, variance : (ny, nx) array
        The image and its variances, which are a straight line over it.

    Raises
    ------
    ValueError
        If the shapes differ, or the variances do not follow the data.
    """
    _check_shapes(data, variance, "error")
    usable = np.isfinite(data) & np.isfinite(variance) & (variance > 0)
    steps, rises = _steps(data, variance, usable)
    # Where the data say the same twice a step tells nothing.
    tells = steps != 0
    steps, rises = steps[tells], rises[tells]
    scatter = np.sqrt(np.median(steps**2) * np.median(rises**2)) if len(steps) else 0
    slopes = rises / steps
    slope = float(np.median(slopes)) if len(steps) else 0.0
    is_followed = scatter > 0 and slope > 0
    if is_followed:
        near = np.abs(rises - slope * steps)
        is_followed = np.median(near) < (1 - _LEAST_CORRELATION) * np.median(
            np.abs(rises)
        )
    if not is_followed:
        msg = (
            "error must follow data from pixel to pixel, as errors do that were made "
            "from the noisy data; these do not, and can be given as they are"
        )
        raise ValueError(msg)
    empty = variance - slope * np.maximum(data, 0)
    typical = float(np.median(empty[usable]))
    floor = max(1e-3 * typical, 1e-6 * float(np.median(variance[usable])))
    empty = np.where(usable, np.maximum(empty, floor), max(typical, floor))
    return 1 / slope, empty


def _steps(data: Any, variance: Any, usable: Any) -> tuple[Any, Any]:
    """Tell the differences of neighbours in a row: of the data and the variances."""
    both = usable[:, 1:] & usable[:, :-1]
    return np.diff(data, axis=1)[both], np.diff(variance, axis=1)[both]


class VarianceLevels(NamedTuple):
    """What the variances of an image tell where those of a pixel do not.

    Attributes
    ----------
    bright : float
        Pixels above that tell their gain.
    inverse_gain : float
        The typical inverse of the gain.
    read : float
        The typical variance by the reading.
    """

    bright: float
    inverse_gain: float
    read: float


def variance_levels(
    data: NDArray[np.float64], poisson: NDArray[np.float64], read: NDArray[np.float64]
) -> VarianceLevels:
    """Tell what is typical of the variances of an image, or of some of its pixels.

    Raises
    ------
    ValueError
        If the shapes differ, or no pixel tells.
    """
    _check_shapes(data, poisson, "var_poisson")
    _check_shapes(data, read, "var_rnoise")
    tells = np.isfinite(data) & np.isfinite(poisson) & (data > 0) & (poisson > 0)
    bright = 0.0
    if tells.any():
        bright = float(_BRIGHT * np.median(data[tells]))
        tells &= data > bright
    if not tells.any():
        raise ValueError(
            "var_poisson must be positive where data is, got no such pixel"
        )
    inverse_gain = float(np.median(poisson[tells] / data[tells]))
    is_known = np.isfinite(read) & (read > 0)
    typical = float(np.median(read[is_known])) if is_known.any() else 0.0
    return VarianceLevels(bright, inverse_gain, typical)


def filled_variances(
    data: NDArray[np.float64],
    poisson: NDArray[np.float64],
    read: NDArray[np.float64],
    levels: VarianceLevels,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tell the inverse gain and the variance by the reading of each pixel.

    A part of an image that begins at whole blocks, see `BLOCK`, has what the image has.
    """
    tells = np.isfinite(data) & np.isfinite(poisson) & (poisson > 0)
    tells &= data > max(levels.bright, 0.0)
    ratio = np.full(data.shape, np.nan)
    np.divide(poisson, data, out=ratio, where=tells)
    inverse = np.where(tells, ratio, levels.inverse_gain)
    ny, nx = data.shape
    for y in range(0, ny, BLOCK):
        for x in range(0, nx, BLOCK):
            block = np.s_[y : y + BLOCK, x : x + BLOCK]
            own = tells[block]
            if own.any() and not own.all():
                inverse[block][~own] = np.median(ratio[block][own])
    is_known = np.isfinite(read) & (read > 0)
    return inverse, np.where(is_known, read, levels.read)


def _check_shapes(data: Any, other: Any, name: str) -> None:
    if data.ndim != 2 or data.shape != other.shape:  # noqa: PLR2004
        msg = (
            f"data and {name} must be 2D arrays of the same shape, "
            f"got {data.shape} and {other.shape}"
        )
        raise ValueError(msg)
