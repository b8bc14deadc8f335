"""The step that makes errors hold what the fit did not know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.pipeline._mismatch import known_mismatch
from psfphot.pipeline._noise import search_noise
from psfphot.pipeline._profile_error import (
    Misfits,
    ProfileError,
    add_profile_errors,
    measure_misfits,
)
from psfphot.psf import PSF_FLAGS
from psfphot.psf._photometry.confusion import residual_of, with_confusion_of
from psfphot.psf._photometry.residuals import quiet_frame, with_errors

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._mismatch import Surroundings
    from psfphot.psf import PSFPhotometry

#: What a table tells of it.
COLUMNS = ("confusion_factor", "blend_significance")


@dataclass(frozen=True)
class Confusion:
    """By how much the errors of a catalogue were made larger.

    Attributes
    ----------
    factor : float
        The factor in the median block of the image.
    largest : float
        The largest of any star.
    profile : `ProfileError` or `None`
        How far the PSF is off; `None` if there are too few bright stars to tell.
    n_companions : int
        The stars beside which there seems to be another.
    """

    factor: float
    largest: float
    profile: ProfileError | None
    n_companions: int

    @property
    def profile_error(self) -> float | None:
        """By what part of it the PSF puts off the flux of the median star, if known."""
        return None if self.profile is None else self.profile.in_flux

    def summary(self) -> dict[str, Any]:
        """Sum it up in numbers that files can hold."""
        return {
            "confusion_factor": self.factor,
            "largest_confusion_factor": self.largest,
            "profile_error": self.profile_error or 0.0,
        }


def add_confusion(
    table: QTable,
    exposure: Exposure,
    data: NDArray[Any],
    photometry: PSFPhotometry,
    around: Surroundings,
) -> Confusion:
    """Make the errors of a fit those of an image with stars that were not found.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The last table of ``photometry``; errors and flags are changed.
    exposure : `Exposure`
        The image with its errors.
    data : 2D array
        The image as it was fitted.
    photometry : `~psfphot.psf.PSFPhotometry`
        What fitted it.
    around : `Surroundings`
        What else there is in the image.

    Returns
    -------
    confusion : `Confusion`
        The columns ``confusion_factor`` and ``blend_significance`` are in the table.
    """
    fit = photometry.last_fit()
    frame = quiet_frame(data, exposure.mask, exposure.error)
    left, light = residual_of(fit, frame)
    flux = np.asarray(table["flux_fit"], dtype=float)
    misfits = measure_misfits(left, flux, exposure.settings.fit_shape)
    mismatch = known_mismatch(table, exposure, around)
    errors = search_noise(exposure, light + around.light, mismatch)
    fit, factor = with_confusion_of(fit, with_errors(left, errors))
    fitted = fit.table()
    for axis in ("x", "y", "flux"):
        table[f"{axis}_err"] = fitted[f"{axis}_err"]
    table["flags"] |= fitted["flags"]
    factors, companions = (np.asarray(fitted[name]) for name in COLUMNS)
    return tell_confusion(table, factors, companions, factor, misfits)


def tell_confusion(
    table: QTable,
    factor: NDArray[np.float64],
    companion: NDArray[np.float64],
    typical: float,
    misfits: Misfits,
) -> Confusion:
    """Add the columns of confusion to a table with larger errors, and sum them up.

    Its fluxes' errors are made to hold that of the PSF, too.
    """
    for name, column in zip(COLUMNS, (factor, companion), strict=True):
        table.add_column(column, name=name, index=table.colnames.index("flags"))
    profile = add_profile_errors(table, misfits)
    companions = np.asarray(table["flags"]) & PSF_FLAGS.UNMODELLED_COMPANION
    largest = float(np.max(factor, initial=1.0))
    return Confusion(typical, largest, profile, int(np.count_nonzero(companions)))
