"""Which of the fitted detections are no stars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._core import near_pairs
from psfphot.pipeline._pixels import nearest_pixels
from psfphot.psf import PSF_FLAGS

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.io import Psf
    from psfphot.pipeline._exposure import Exposure

#: A star's flux is above this part of the threshold in units of the sky's noise:
#: what was found at the threshold is as often a little below as above it.
_PART_OF_THRESHOLD = 0.8

#: And above so many of its own errors, which know its neighbours.
_LEAST_SNR = 3.0

#: Of rows nearer to each other than this, in FWHM, only the brightest is kept.
_ONE_STAR = 0.5

#: Both where rounds have shown that there is a star beside the others: how the two of
#: a close pair share their light is uncertain, that they are two is not. With the
#: numbers above 0.6 % of 5,000 stars on 1024 x 1024 pixels were lost again.
_LEAST_SNR_TESTED, _ONE_STAR_TESTED = 2.0, 0.17

#: A star's residuals, as a part of its flux, beyond those that noise alone makes
#: (0.8 sigma a pixel on average): fixed limits would take all faint stars.
_QFIT, _QFIT_OF_NOISE = 0.6, 1.5 * 0.8

#: A detection's largest pixel may exceed what the others make of it by this factor
#: and so many sigma. Of 4,200 hot pixels from 5 sigma up on a drizzled frame a dozen
#: of the weakest became stars without it, a few with it; 2 % of the stars, all near
#: the threshold, are its price.
_SHARPEST, _SHARP_SIGMA = 1.2, 3.7

#: Below this FWHM, pixels, stars look like hot pixels and cosmic rays unless the PSF is
#: a real one, which knows how sharp they are: of 9,000 stars of FWHM 1.75 in a crowd
#: 300 seemed sharper than the formula they were made by.
_SAMPLED = 2.0


def is_sharpness_known(psf: Psf) -> bool:
    """Tell whether a PSF tells stars from single bright pixels."""
    return psf.fwhm >= _SAMPLED or not psf.is_formula


def find_no_stars(
    table: QTable,
    exposure: Exposure,
    noise_area: float,
    *,
    are_tested: bool = False,
    noise: NDArray[Any] | None = None,
) -> dict[str, NDArray[np.bool_]]:
    """Tell which rows are no stars, by what shows it.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        What `fit_stars` returns.
    exposure : `Exposure`
        The image with its sky and settings.
    noise_area : float
        The PSF's noise-equivalent area, pixels.
    are_tested : bool, optional
        Whether the list is one of rounds, in which close pairs were tested.
    noise : 1D array, optional
        The sky's noise at each row; by default that of the exposure's map.

    Returns
    -------
    rows : dict of bool array
        The rows that each rule speaks against; a row may be in several.
    """
    settings = exposure.settings
    x, y, flux, error, qfit = (
        np.asarray(table[name], dtype=float)
        for name in ("x_fit", "y_fit", "flux_fit", "flux_err", "qfit")
    )
    ny, nx = exposure.shape
    row, column, inside = nearest_pixels(x, y, exposure.shape)
    noise = exposure.sky.rms[row, column] if noise is None else noise
    n_pixels = np.asarray(table["n_pixels_fit"])
    positive = np.isfinite(flux) & (flux > 0) & np.isfinite(x) & np.isfinite(y)
    off = ~inside | (x < -0.5) | (y < -0.5) | (x > nx - 0.5) | (y > ny - 0.5)  # noqa: PLR2004
    least_snr = _LEAST_SNR_TESTED if are_tested else _LEAST_SNR
    apart = (_ONE_STAR_TESTED if are_tested else _ONE_STAR) * settings.fwhm
    with np.errstate(invalid="ignore", divide="ignore"):
        least = _PART_OF_THRESHOLD * settings.threshold * noise * np.sqrt(noise_area)
        of_noise = _QFIT_OF_NOISE * noise * n_pixels / flux
        return {
            "flux not positive": ~positive,
            "off the image": off & positive,
            "below the threshold": positive & ~(flux > least),
            "below its errors": positive & ~(flux > least_snr * error),
            "no PSF": positive & (qfit > _QFIT + of_noise),
            "second row of a star": positive & _seconds(x, y, flux, apart),
        }


def _seconds(x: Any, y: Any, flux: Any, distance: float) -> NDArray[np.bool_]:
    """Tell the rows that have a brighter one within so many pixels."""
    second = np.zeros(len(x), dtype=bool)
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    at = np.column_stack([x[known], y[known]])
    one, other = (known[k] for k in near_pairs(at, at, distance))
    # Of equal ones the last.
    is_second = (flux[one] < flux[other]) | ((flux[one] == flux[other]) & (one > other))
    second[one[is_second]] = True
    return second


def flag_low(table: QTable, rows: NDArray[np.bool_]) -> None:
    """Flag rows as no significant stars, in place."""
    table["flags"][rows] |= PSF_FLAGS.LOW_SNR


def sharper_than_stars(stars: QTable, psf: Psf) -> NDArray[np.bool_]:
    """Tell the detections whose largest pixel is too large for a star.

    They are hot pixels that are too weak to be told so one by one.

    Parameters
    ----------
    stars : `~astropy.table.QTable`
        What `find_stars` returns; only the matched filter's ``sharpness`` is of
        this use.
    psf : `~psfphot.io.Psf`
        The PSF; of one that does not know it no star is too sharp.

    Returns
    -------
    is_sharp : 1D bool array
    """
    if "snr" not in stars.colnames or not is_sharpness_known(psf):
        return np.zeros(len(stars), dtype=bool)
    mean, sharpest = central_pixels(psf, 0.25), central_pixels(psf, 0.0)
    # In sigma: a star's brightest pixel as the amplitude has it and as it is, and
    # as the amplitude of the other pixels has it.
    part = mean.max() / np.sqrt(np.sum(mean**2))
    fitted = np.asarray(stars["snr"]) * part
    pixel = np.asarray(stars["sharpness"]) * fitted
    others = (fitted - part**2 * pixel) / (1 - part**2)
    margin = _SHARPEST * sharpest.max() / mean.max()
    excess = pixel - margin * np.maximum(others, 0)
    return np.asarray(excess > _SHARP_SIGMA * np.sqrt(1 + part**2 / 4 / (1 - part**2)))


def noise_area(psf: Psf) -> float:
    """Compute the noise-equivalent area of a PSF: one over the sum of its squares.

    Parameters
    ----------
    psf : `~psfphot.io.Psf`
        The PSF; one that varies is taken in its middle.

    Returns
    -------
    area : float
        Pixels; King 1983, PASP, 95, 163.
    """
    # As far from the centre of its pixel as the mean of all stars.
    return float(1 / np.sum(central_pixels(psf, 0.25) ** 2))


def central_pixels(psf: Psf, phase: float) -> NDArray[np.float64]:
    """Evaluate a PSF so far off the centre of a pixel, along x and y.

    Returns
    -------
    values : 2D array
        A flux of 1, as far as four times its width; of a PSF that varies that of the
        middle.
    """
    model = psf.model.copy()
    x, y = 0.0, 0.0
    if hasattr(model, "grid_xypos"):
        positions = np.asarray(model.grid_xypos, dtype=float)
        x, y = (float(np.round(mean)) for mean in positions.mean(axis=0))
    reach = int(np.ceil(4 * psf.fwhm)) + 1
    at = np.arange(-reach, reach + 1)
    model.flux, model.x_0, model.y_0 = 1.0, x + phase, y + phase
    return np.asarray(model(x + at[None, :], y + at[:, None]), dtype=float)
