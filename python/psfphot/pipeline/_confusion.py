"""The step that makes errors hold what the fit did not know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.pipeline._mismatch import known_mismatch, measure_profile_error
from psfphot.pipeline._noise import search_noise
from psfphot.psf import PSF_FLAGS
from psfphot.psf._photometry.confusion import with_confusion
from psfphot.psf._photometry.residuals import quiet_frame

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._mismatch import Surroundings
    from psfphot.psf import PSFPhotometry

#: A Gaussian whose width is off by a part e has fluxes that are off by e where all
#: pixels weigh the same, and leaves 1.43 e of the light as absolute residuals.
_FLUX_OF_RESIDUAL = 0.7

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
    profile_error : float
        By what part of it each flux may be off besides, for the PSF's sake.
    n_companions : int
        The stars beside which there seems to be another.
    """

    factor: float
    largest: float
    profile_error: float
    n_companions: int

    def summary(self) -> dict[str, Any]:
        """Sum it up in numbers that files can hold."""
        return {
            "confusion_factor": self.factor,
            "largest_confusion_factor": self.largest,
            "profile_error": self.profile_error,
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
    light = np.asarray(photometry.make_model_image(exposure.shape))
    part = profile_part(measure_profile_error(table, exposure))
    mismatch = known_mismatch(table, exposure, around)
    fit, factor = with_confusion(
        fit,
        frame,
        errors=search_noise(exposure, light + around.light, mismatch),
        profile_error=part,
    )
    fitted = fit.table()
    for axis in ("x", "y", "flux"):
        table[f"{axis}_err"] = fitted[f"{axis}_err"]
    table["flags"] |= fitted["flags"]
    factors, companions = (np.asarray(fitted[name]) for name in COLUMNS)
    return tell_confusion(table, factors, companions, factor, part)


def profile_part(profile_error: float | None) -> float:
    """Tell what part of its flux a star is off by where the profile has an error."""
    return _FLUX_OF_RESIDUAL * (profile_error or 0.0)


def tell_confusion(
    table: QTable,
    factor: NDArray[np.float64],
    companion: NDArray[np.float64],
    typical: float,
    part: float,
) -> Confusion:
    """Add the columns of confusion to a table with larger errors, and sum them up."""
    for name, column in zip(COLUMNS, (factor, companion), strict=True):
        table.add_column(column, name=name, index=table.colnames.index("flags"))
    companions = np.asarray(table["flags"]) & PSF_FLAGS.UNMODELLED_COMPANION
    largest = float(np.max(factor, initial=1.0))
    return Confusion(typical, largest, part, int(np.count_nonzero(companions)))
