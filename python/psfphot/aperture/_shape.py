"""Moments of small images, and the Gaussian that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The variance of a uniform distribution over a pixel: nothing seems narrower.
PIXEL_VARIANCE = 1 / 12

_ORDER = 3


def moments(
    values: NDArray[np.float64], center: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.float64]:
    """Sum values times powers of their coordinates.

    Parameters
    ----------
    values : 2D ndarray
        The image.
    center : (x, y), optional
        The origin of the coordinates, pixels.

    Returns
    -------
    (4, 4) ndarray
        [i, j] is Σ value · (y - y₀)^i · (x - x₀)^j.
    """
    ny, nx = values.shape
    powers = np.arange(_ORDER + 1)
    y = (np.arange(ny) - center[1])[:, np.newaxis] ** powers
    x = (np.arange(nx) - center[0])[:, np.newaxis] ** powers
    return np.asarray(y.T @ values @ x)


def raw_covariance(central: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make covariance matrices (x, y) of central moments, (N, 4, 4)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        second = central / central[:, :1, :1]
    xx, yy, xy = second[:, 0, 2], second[:, 2, 0], second[:, 1, 1]
    return np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)


def axis_variances(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell the variances along the principal axes, the larger first; NaN of NaN."""
    xx, yy, xy = covariance[:, 0, 0], covariance[:, 1, 1], covariance[:, 0, 1]
    mean, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return np.stack([mean + half, mean - half], axis=-1)


def angles(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell the angles of the major axes from the first one, degrees."""
    xx, yy, xy = covariance[:, 0, 0], covariance[:, 1, 1], covariance[:, 0, 1]
    return np.rad2deg(np.arctan2(2 * xy, xx - yy)) / 2


def is_negative(covariance: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which matrices have, beyond rounding, a negative variance."""
    major, minor = axis_variances(covariance).T
    with np.errstate(invalid="ignore"):
        return np.asarray((major < 0) | (minor < -1e-12 * np.abs(major)))


def regular_covariance(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each axis at least the variance of a pixel; NaN if one is negative."""
    regular = np.full_like(covariance, np.nan)
    for i in np.flatnonzero(~is_negative(covariance)):
        if not np.isfinite(covariance[i]).all():
            continue
        variances, axes = np.linalg.eigh(covariance[i])
        if variances[0] >= PIXEL_VARIANCE:
            regular[i] = covariance[i]
            continue
        variances = np.maximum(variances, PIXEL_VARIANCE)
        regular[i] = (axes * variances) @ axes.T
        if variances[0] == variances[1]:  # round, whatever the rounding says
            regular[i] = np.diag(variances)
    return regular
