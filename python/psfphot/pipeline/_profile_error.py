"""By what part of it each flux may be off because the PSF is not the star's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot import _core
from psfphot.pipeline._mismatch import BRIGHT_SNR, brightest

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot._residual import Residual

#: What a median, and a star's own residuals, are to be above, in standard errors.
_CERTAIN, _ITS_OWN = 2.0, 5.0

#: The standard error of a median, in that of a mean.
_OF_MEDIAN = 1.25


class Misfits(NamedTuple):
    """How far the PSF is off fitted stars, and how their fluxes follow.

    Attributes
    ----------
    widening, widening_err : (n,) array
        By what part of its width each star is wider than the PSF, and its error by the
        noise of the pixels.
    elongation : (n,) array
        The squared relative error of the profile that an elongation explains, and twice
        that by noise.
    left : (n,) array
        What is left of a star that is wider: the relative error of the profile over
        that of the width.
    flux_by_widening : (n,) array
        By what part of it the flux changes, over the part by which the star is wider.
    flux_by_chance : (n,) array
        The same over that of the PSF's values, where each is off by chance.
    """

    widening: NDArray[np.float64]
    widening_err: NDArray[np.float64]
    elongation: NDArray[np.float64]
    left: NDArray[np.float64]
    flux_by_widening: NDArray[np.float64]
    flux_by_chance: NDArray[np.float64]


class ProfileError(NamedTuple):
    """How far a PSF is off its stars.

    Attributes
    ----------
    widening : float
        By what part of its width.
    chance : float
        By what part of its values besides, in each pixel by chance.
    in_flux : float
        By what part of it that puts off the flux of the median star.
    """

    widening: float
    chance: float
    in_flux: float

    def in_fluxes(self, by_widening: Any, by_chance: Any) -> NDArray[np.float64]:
        """Tell the part of fluxes by `flux_by_widening` and `flux_by_chance`."""
        part = _in_fluxes((by_widening, by_chance), self.widening**2, self.chance**2)
        return _if_known(part)


class _Excess(NamedTuple):
    """A square that is 0 without errors of the PSF, star by star.

    Attributes
    ----------
    value, sigma : (n,) array
        What is more than noise, and by how much noise makes it vary; NaN where it is
        not known.
    doubt : (n,) array
        What it is to be above to be the star's own.
    root, root_err : (n,) array, optional
        What was squared, with its sign, and its error.
    """

    value: NDArray[np.float64]
    sigma: NDArray[np.float64]
    doubt: NDArray[np.float64]
    root: NDArray[np.float64] | None = None
    root_err: NDArray[np.float64] | None = None

    def typical(self, snr: NDArray[np.float64]) -> float | None:
        """Tell that of the brightest stars, 0 where noise explains it."""
        bright = brightest(snr, np.isfinite(self.value) & (snr > BRIGHT_SNR))
        if bright is None:
            return None
        typical = _certain_median(self.value[bright], self.sigma[bright])
        if self.root is None or self.root_err is None:
            return max(typical, 0.0)
        # What all stars share, their squares tell less well, and too little of it.
        common = _certain_median(self.root[bright], self.root_err[bright])
        return max(typical, common**2)

    def drawn_to(self, typical: float) -> NDArray[np.float64]:
        """Tell each star's, drawn towards the typical one where noise leaves doubt."""
        with np.errstate(invalid="ignore", divide="ignore"):
            own = typical**2 / (typical**2 + self.sigma**2)
            own = np.where(self.value > self.doubt, 1.0, own)
            squared = own * self.value + (1 - own) * typical
        return np.where(np.isfinite(squared), np.maximum(squared, 0), typical)


def _certain_median(values: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    """Tell a median, 0 where noise explains it."""
    median = float(np.median(values))
    noise = _OF_MEDIAN * float(np.median(errors) / np.sqrt(len(values)))
    return median if abs(median) > _CERTAIN * noise else 0.0


def measure_misfits(
    left: Residual, flux: NDArray[np.float64], fit_shape: tuple[int, int]
) -> Misfits:
    """Compare fitted stars with the PSF.

    Parameters
    ----------
    left : `~psfphot._residual.Residual`
        What is left of the image, with the errors that weighted the fit, and the stars.
    flux : (n,) array
        Their fluxes.
    fit_shape : (ny, nx)
        The boxes of the fits.
    """
    return Misfits(*_core.measure_misfits(left, np.ascontiguousarray(flux), fit_shape))


def add_profile_errors(table: QTable, misfits: Misfits) -> ProfileError | None:
    """Make the errors of fluxes hold that the PSF is not each star's.

    How far it is off, a star's own residuals tell where the star is so bright that
    noise leaves no doubt, and those of the brightest stars for all others. What is not
    another width or an elongation, which changes no flux, is taken for errors by
    chance.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The fits' table; ``flux_err`` is changed. A ``confusion_factor`` is in it.
    misfits : `Misfits`
        Those of its rows.

    Returns
    -------
    error : `ProfileError` or `None`
        That of the brightest stars; `None`, and it is taken for 0, if there are too few
        of them.
    """
    flux = np.asarray(table["flux_fit"], dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        snr = flux / np.asarray(table["flux_err"], dtype=float)
        snr = np.where(flux > 0, snr, np.nan)
    excesses = _excesses(table, misfits, snr)
    told = [excess.typical(snr) for excess in excesses]
    common = [typical or 0.0 for typical in told]
    own = [e.drawn_to(typical) for e, typical in zip(excesses, common, strict=True)]
    by = misfits.flux_by_widening, misfits.flux_by_chance
    off = _if_known(_in_fluxes(by, *own))
    table["flux_err"] = np.hypot(table["flux_err"], off * flux)
    if None in told:
        return None
    widening, chance = np.sqrt(common[:2])
    in_flux = float(np.nanmedian(_in_fluxes(by, *common)))
    return ProfileError(float(widening), float(chance), in_flux)


def _excesses(
    table: QTable, misfits: Misfits, snr: NDArray[np.float64]
) -> tuple[_Excess, _Excess, _Excess]:
    """Tell the squared errors of width, profile and by elongation, as parts of each.

    Chi-squared is above its degrees of freedom by the squares of what the profile is
    off by in units of the noise, and those of the profile itself add up to the squared
    S/N of a star alone.
    """
    chi2 = np.asarray(table["reduced_chi2"], dtype=float)
    n_free = np.maximum(np.asarray(table["n_pixels_fit"], dtype=float) - 3, 1)
    noise = misfits.widening_err**2
    with np.errstate(invalid="ignore", divide="ignore"):
        if "confusion_factor" in table.colnames:
            factor = np.asarray(table["confusion_factor"], dtype=float) ** 2
            chi2, noise = chi2 / factor, noise * factor
        widening = misfits.widening**2 - noise
        profile = (chi2 - 1) * n_free / snr**2
        elongation = misfits.elongation - 2 / snr**2
        profile -= widening * misfits.left**2 + elongation
        sigma = np.sqrt(2 * n_free) / snr**2
        return (
            _Excess(
                widening,
                np.sqrt(2) * noise,
                (_ITS_OWN**2 - 1) * noise,
                misfits.widening,
                np.sqrt(noise),
            ),
            _Excess(profile, sigma, _ITS_OWN * sigma),
            _Excess(elongation, 2 / snr**2, 2 * _ITS_OWN**2 / snr**2),
        )


def _in_fluxes(
    by: tuple[Any, Any], widening: Any, chance: Any, elongation: Any = 0.0
) -> NDArray[np.float64]:
    """Tell by what part fluxes are off: by their responses, and the squared errors."""
    first_order = np.sqrt(by[0] ** 2 * widening + by[1] ** 2 * chance)
    # An elongation changes no flux to first order; to second, by about its square.
    part: NDArray[np.float64] = np.hypot(first_order, elongation)
    return part


def _if_known(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take what is not known for 0."""
    return np.where(np.isfinite(part), part, 0.0)
