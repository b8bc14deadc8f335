"""How well a PSF fits stars that had no part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.psf._epsf.star_fit import fit_cutout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from psfphot.psf._epsf.solver import Cutout

    Vector = NDArray[np.float64]

# A pixel counts no more than this many standard deviations squared: a cosmic ray
# says nothing of the PSF.
_CAP = 25.0


def measure_held_out(
    model: Any,
    cutouts: Sequence[Cutout],
    *,
    model_error: float,
    noise: tuple[float, float] | None,
) -> Vector:
    """Tell the mean capped chi-squared of the pixels of each star's core.

    Parameters
    ----------
    model : PSF model
        The PSF.
    cutouts : sequence of Cutout
        The stars.
    model_error : float
        The error of the PSF's peak, relative to that, that counts in the weights; the
        same for all PSFs that are compared.
    noise : (float, float) or None
        Constant and slope of the variance against the flux, for cutouts without
        errors.

    Returns
    -------
    (N,) float64 array
        NaN for stars that cannot be fitted.
    """
    found = np.full(len(cutouts), np.nan)
    for k, cutout in enumerate(cutouts):
        data = np.asarray(cutout.data, dtype=np.float64)
        start = cutout.flux or float(np.nansum(data))
        good = np.isfinite(data)
        if cutout.mask is not None:
            good &= ~np.asarray(cutout.mask, dtype=bool)
        light = np.where(good, np.clip(data, 0.0, None), 0.0)
        row, column = round(cutout.y), round(cutout.x)
        core = light[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        wrong = model_error**2 * core.max(initial=0.0) * light
        variance = _variance(cutout, data, noise) + wrong
        weights = np.zeros(data.shape)
        good &= np.isfinite(variance) & (variance > 0)
        weights[good] = 1.0 / np.sqrt(variance[good])
        fit = fit_cutout(
            model,
            np.where(good, data, 0.0),
            weights,
            (cutout.x, cutout.y, start),
            origin=cutout.origin,
        )
        if fit is not None and fit.n_pixels > 3:  # noqa: PLR2004
            capped = np.minimum(fit.residual**2, _CAP)
            found[k] = float(capped.sum()) / (fit.n_pixels - 3)
    return found


def is_better(trial: Vector, best: Vector) -> bool:
    """Tell whether stars fit better, by more than their scatter may make."""
    gain = (best - trial)[np.isfinite(best) & np.isfinite(trial)]
    if gain.size < 3:  # noqa: PLR2004
        return False
    return bool(gain.mean() > gain.std(ddof=1) / np.sqrt(gain.size))


def _variance(
    cutout: Cutout, data: Vector, noise: tuple[float, float] | None
) -> Vector:
    if cutout.error is not None:
        return np.asarray(cutout.error, dtype=np.float64) ** 2
    constant, slope = noise or (1.0, 0.0)
    return constant + slope * np.clip(np.nan_to_num(data), 0.0, None)
