"""Centres of Gaussians, fitted to the image or to its sums along the axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.modeling.fitting import TRFLSQFitter
from astropy.modeling.models import Gaussian1D, Gaussian2D

from psfphot._deprecated import by_keyword
from psfphot.centroids._pixels import split_with_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Parameters of the Gaussian with two axes.
_N_PARAMETERS = 6


@by_keyword
def centroid_1dg(data: Any, error: Any = None, mask: Any = None) -> NDArray[np.float64]:
    """Fit one-dimensional Gaussians to the image's sums along its two axes.

    Parameters
    ----------
    data : (ny, nx) array_like
        The image, without background.
    error : (ny, nx) array_like, optional
        1-sigma errors, in the unit of the data.
    mask : (ny, nx) bool array, optional
        `True` where a pixel is to be ignored. Data and errors that are not finite
        always are.

    Returns
    -------
    (2,) float64 array
        The centre (x, y), pixels.

    Raises
    ------
    TypeError, ValueError
        If an array cannot be used, or a sum along an axis is 0 or constant.

    Notes
    -----
    A masked pixel adds nothing to its row's and its column's sums, which bends
    both: `centroid_2dg` leaves it out instead.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.centroids import centroid_1dg
    >>> y, x = np.mgrid[:21, :21]
    >>> data = np.exp(-((x - 9.3) ** 2 + (y - 10.6) ** 2) / 8)
    >>> x, y = centroid_1dg(data)
    >>> print(f"{x:.4f} {y:.4f}")
    9.3000 10.6000
    """
    image, bad, noise = split_with_error(data, error, mask)
    centre = []
    for axis in (0, 1):
        variance = None if noise is None else (noise**2).sum(axis=axis)
        is_used = np.asarray((~bad).any(axis=axis))
        weights = _weigh(None if variance is None else np.sqrt(variance), is_used)
        centre.append(_fit_profile(image.sum(axis=axis), weights))
    return np.array(centre)


def _weigh(
    noise: NDArray[np.float64] | None, is_used: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Tell 1/error, or 1 without errors; 0 for what is not used."""
    # What has no noise weighs much, not infinitely.
    weights = 1.0 if noise is None else 1.0 / noise.clip(min=1.0e-30)
    return np.where(is_used, weights, 0.0)


def _fit_profile(profile: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    total = profile.sum()
    amplitude = np.ptp(profile)
    if total == 0 or amplitude == 0:
        msg = (
            "Input data must have a nonzero sum and nonconstant values to fit 1D "
            "Gaussians."
        )
        raise ValueError(msg)
    at = np.arange(profile.size)
    mean = (at * profile).sum() / total
    width = np.sqrt(abs(((at - mean) ** 2 * profile).sum() / total))
    start = Gaussian1D(amplitude, mean, width)
    return float(_fit(start, at, profile, weights=weights).mean.value)


def _fit(start: Any, *values: Any, weights: NDArray[np.float64]) -> Any:
    # Far from its centre a Gaussian is 0, and no error.
    with np.errstate(under="ignore"):
        return TRFLSQFitter()(start, *values, weights=weights)


@by_keyword
def centroid_2dg(data: Any, error: Any = None, mask: Any = None) -> NDArray[np.float64]:
    """Fit a two-dimensional Gaussian, elliptical and at any angle.

    Parameters
    ----------
    data : (ny, nx) array_like
        The image, without background.
    error : (ny, nx) array_like, optional
        1-sigma errors, in the unit of the data.
    mask : (ny, nx) bool array, optional
        `True` where a pixel is to be ignored. Data and errors that are not finite
        always are.

    Returns
    -------
    (2,) float64 array
        The centre (x, y), pixels.

    Raises
    ------
    TypeError, ValueError
        If an array cannot be used, fewer than 6 pixels are left or all have the
        same value.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.centroids import centroid_2dg
    >>> y, x = np.mgrid[:21, :21]
    >>> data = np.exp(-((x - 9.3) ** 2 + 2 * (y - 10.6) ** 2) / 8)
    >>> x, y = centroid_2dg(data)
    >>> print(f"{x:.4f} {y:.4f}")
    9.3000 10.6000
    """
    image, bad, noise = split_with_error(data, error, mask)
    used = image[~bad]
    if used.size < _N_PARAMETERS:
        msg = "Input data must have at least 6 unmasked values to fit a 2D Gaussian."
        raise ValueError(msg)
    if np.ptp(used) == 0:
        msg = "Input data must have nonconstant values to fit a 2D Gaussian."
        raise ValueError(msg)
    # Moments of negative values can be those of no Gaussian.
    start = _start_gaussian(np.where(bad, 0.0, image - used.min()))
    y, x = np.indices(image.shape)
    fitted = _fit(start, x, y, image, weights=_weigh(noise, ~bad))
    return np.array([fitted.x_mean.value, fitted.y_mean.value])


def _start_gaussian(light: NDArray[np.float64]) -> Gaussian2D:
    """Make the Gaussian of an image's moments."""
    y, x = np.indices(light.shape)
    share = light / light.sum()
    x_mean, y_mean = (x * share).sum(), (y * share).sum()
    dx, dy = x - x_mean, y - y_mean
    xx, yy, xy = ((a * b * share).sum() for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    spread = np.hypot(xx - yy, 2.0 * xy)
    major, minor = np.sqrt(np.clip([xx + yy + spread, xx + yy - spread], 0, None) / 2)
    # Of a round one the angle is noise.
    is_round = spread < 1.0e-6 * (xx + yy)
    theta = 0.0 if is_round else 0.5 * np.arctan2(2.0 * xy, xx - yy)
    return Gaussian2D(light.max(), x_mean, y_mean, major, minor, theta)
