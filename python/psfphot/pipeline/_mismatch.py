"""By what part of its value the PSF is off, as the bright stars' residuals tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot.pipeline._pixels import nearest_pixels
from psfphot.psf import PSF_FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure

#: The least mismatch of the PSF, as a part of its value: no PSF is better known.
#: What is measured is this part of the bright stars' median qfit. With a fixed 2 %
#: on a frame of elongated stars their residuals become partners of the stars.
LEAST_MISMATCH = 0.02
_PART_OF_QFIT, _BRIGHTER = 0.7, 60

#: The error of the PSF is that of so many of the brightest stars, if there are as many
#: as this of an S/N at which noise is less.
_BRIGHTEST, _FEWEST, BRIGHT_SNR = 100, 10, 50.0

#: The least of it in a search. With 2 % the companions of bright stars are lost in a
#: crowd whose PSF is right: 0.9 % of 9,000 stars.
_LEAST_ERROR = 0.005

#: The mean of absolute values of normal noise, in standard deviations.
_MEAN_ABSOLUTE = 0.8

_HARMLESS = (
    PSF_FLAGS.N_PIXELS_FIT_PARTIAL
    | PSF_FLAGS.NEIGHBOUR_IN_BOX
    | PSF_FLAGS.UNMODELLED_COMPANION
)


class Surroundings(NamedTuple):
    """What is known of an image when it is searched again.

    Attributes
    ----------
    light : 2D array
        The light that was subtracted of what is not fitted: saturated stars, trails.
    closed : 2D bool array
        Pixels in which there is no new star.
    mismatch : float
        By what part of its value the PSF may be off.
    """

    light: NDArray[Any]
    closed: NDArray[np.bool_]
    mismatch: float


def known_mismatch(table: QTable, exposure: Exposure, around: Surroundings) -> float:
    """Tell by what part of a star's light what is left of it may be the PSF's fault.

    That of the brightest stars of the last fit; of the first where there are too few.
    """
    return mismatch_of(measure_profile_error(table, exposure), around.mismatch)


def mismatch_of(part: float | None, first: float) -> float:
    """Tell the mismatch of a `measure_profile_error`, or the first one without any."""
    return first if part is None else max(part, _LEAST_ERROR)


def measure_mismatch(table: QTable) -> float:
    """Measure how far the PSF is off, on the brighter of the stars, noise included."""
    flux, qfit, good = _columns(table)
    if not good.any():
        return LEAST_MISMATCH
    limit = np.percentile(flux[good], _BRIGHTER)
    typical = float(np.median(qfit[good & (flux >= limit)]))
    return max(LEAST_MISMATCH, _PART_OF_QFIT * typical)


def measure_profile_error(table: QTable, exposure: Exposure) -> float | None:
    """Measure how far the PSF is off the brightest stars, beyond the noise.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The fits' table.
    exposure : `Exposure`
        The image with its errors.

    Returns
    -------
    part : float or `None`
        The mean absolute residual that noise does not make, as a part of the flux; 0
        where noise makes all of it. `None` if there are too few bright stars.
    """
    if exposure.error is None:
        return None
    return profile_error_of(
        table, lambda chosen: sum_of_errors(table[chosen], exposure)
    )


def profile_error_of(
    table: QTable, sums: Callable[[NDArray[np.intp]], NDArray[np.float64]]
) -> float | None:
    """Measure the same where the sums of errors in the fit boxes of rows are known."""
    flux, qfit, good = _columns(table)
    error = np.asarray(table["flux_err"], dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        good &= flux > BRIGHT_SNR * error
    chosen = brightest(flux, good)
    if chosen is None:
        return None
    noise = sums(chosen) * _MEAN_ABSOLUTE / flux[chosen]
    excess = float(np.median(qfit[chosen] ** 2 - noise**2))
    return float(np.sqrt(max(excess, 0.0)))


def brightest(
    values: NDArray[np.float64], is_bright: NDArray[np.bool_]
) -> NDArray[np.intp] | None:
    """Choose the rows that tell the error of the PSF; `None` if there are too few.

    Parameters
    ----------
    values : (n,) array
        Fluxes, or what orders stars as fluxes do.
    is_bright : (n,) bool array
        The rows to choose from.
    """
    chosen = np.flatnonzero(is_bright)
    if len(chosen) < _FEWEST:
        return None
    return chosen[np.argsort(-values[chosen], kind="stable")[:_BRIGHTEST]]


def _columns(table: QTable) -> Any:
    """Tell fluxes and qfit, and which rows are good."""
    flux, qfit, flags = (np.asarray(table[n]) for n in ("flux_fit", "qfit", "flags"))
    good = np.isfinite(flux) & (flux > 0) & np.isfinite(qfit)
    return flux, qfit, good & (flags & ~_HARMLESS == 0)


def sum_of_errors(stars: QTable, exposure: Exposure) -> NDArray[np.float64]:
    """Add up the errors in each star's fit box."""
    row, column, _ = nearest_pixels(stars["x_fit"], stars["y_fit"], exposure.shape)
    half_y, half_x = (side // 2 for side in exposure.settings.fit_shape)
    ny, nx = exposure.shape
    total = np.zeros(len(stars))
    for dy in range(-half_y, half_y + 1):
        for dx in range(-half_x, half_x + 1):
            i, j = row + dy, column + dx
            inside = (i >= 0) & (i < ny) & (j >= 0) & (j < nx)
            i, j = np.clip(i, 0, ny - 1), np.clip(j, 0, nx - 1)
            error = np.asarray(exposure.error)[i, j]
            total += np.where(inside & ~exposure.mask[i, j], error, 0.0)
    return total
