"""By what part of it each flux may be off because the PSF is not the star's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psfphot._core import PROFILE_IN_FLUX
from psfphot.pipeline._mismatch import BRIGHT_SNR, brightest

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

#: What a median, and a star's own residuals, are to be above, in standard errors.
_CERTAIN, _ITS_OWN = 2.0, 5.0

#: The standard error of a median, in that of a mean.
_OF_MEDIAN = 1.25


class _Excess(NamedTuple):
    """The squared relative error of each star's profile: that of its residuals.

    Attributes
    ----------
    value, sigma : (n,) array
        What is more than noise, and by how much noise makes it vary; NaN where it is
        not known.
    snr : (n,) array
        Flux over error.
    """

    value: NDArray[np.float64]
    sigma: NDArray[np.float64]
    snr: NDArray[np.float64]

    def typical(self) -> float | None:
        """Tell that of the brightest stars, 0 where noise explains it."""
        is_bright = np.isfinite(self.value) & (self.snr > BRIGHT_SNR)
        bright = brightest(self.snr, is_bright)
        if bright is None:
            return None
        typical = float(np.median(self.value[bright]))
        noise = _OF_MEDIAN * float(np.median(self.sigma[bright]) / np.sqrt(len(bright)))
        return typical if typical > _CERTAIN * noise else 0.0


def measure_profile_part(table: QTable) -> float | None:
    """Measure by what part of it a flux may be off, on the brightest stars.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The fits' table. A ``confusion_factor`` is in its errors.

    Returns
    -------
    part : float or `None`
        `None` if there are too few bright stars.
    """
    return _part_of_flux(_excess(table).typical())


def add_profile_errors(table: QTable) -> float | None:
    """Make the errors of fluxes hold that the PSF is not each star's.

    How far it is off, a star's own residuals tell where the star is so bright that
    noise leaves no doubt, and those of the brightest stars for all others.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The fits' table; ``flux_err`` is changed. A ``confusion_factor`` is in it.

    Returns
    -------
    part : float or `None`
        The part of the flux that is added to the errors of faint stars; `None`, and
        none is, if there are too few bright stars.
    """
    excess = _excess(table)
    typical = excess.typical()
    common = typical or 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        own = common**2 / (common**2 + excess.sigma**2)
        own = np.where(excess.value > _ITS_OWN * excess.sigma, 1.0, own)
        squared = own * excess.value + (1 - own) * common
    squared = np.where(np.isfinite(squared), np.maximum(squared, 0), common)
    flux = np.asarray(table["flux_fit"], dtype=float)
    off = PROFILE_IN_FLUX * np.sqrt(squared) * flux
    table["flux_err"] = np.hypot(table["flux_err"], off)
    return _part_of_flux(typical)


def _part_of_flux(typical: float | None) -> float | None:
    """Tell by what part fluxes are off where profiles are by this, squared."""
    return None if typical is None else PROFILE_IN_FLUX * float(np.sqrt(typical))


def _excess(table: QTable) -> _Excess:
    """Tell by how much residuals are more than noise, as a part of the light.

    Chi-squared is above its degrees of freedom by the squares of what the profile is
    off by in units of the noise, and those of the profile itself add up to the squared
    S/N.
    """
    flux, error, chi2 = (
        np.asarray(table[name], dtype=float)
        for name in ("flux_fit", "flux_err", "reduced_chi2")
    )
    n_free = np.maximum(np.asarray(table["n_pixels_fit"], dtype=float) - 3, 1)
    if "confusion_factor" in table.colnames:
        chi2 = chi2 / np.asarray(table["confusion_factor"], dtype=float) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (error / flux) ** 2
        variance[~(flux > 0)] = np.nan
        return _Excess(
            (chi2 - 1) * n_free * variance,
            np.sqrt(2 * n_free) * variance,
            1 / np.sqrt(variance),
        )
