"""The step that tells whether the PSF is that of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from psfphot.io import measure_fwhm
from psfphot.psf import measure_psf

if TYPE_CHECKING:
    from psfphot.pipeline._exposure import Exposure

#: By what part of its value a PSF may be off the bright stars unremarked.
_MISMATCH = 0.1

#: Nor is the width of stars measured that a formula fits as well as this: a width
#: that is off by a tenth leaves more.
_GOOD = 0.04

#: As many stars tell the width to well below a tenth.
_N_STARS = 20

#: By what part a formula's width may be off that of the stars unremarked.
_WIDTH = 0.1


@dataclass(frozen=True)
class PsfCheck:
    """How the PSF compares with the image's stars.

    Attributes
    ----------
    mismatch : float or `None`
        By what part of its value the PSF is off the bright stars; `None` where
        it was not measured, as with the positions of a catalogue.
    measured_fwhm : float or `None`
        Full width at half maximum of the stars with their pixels, pixels;
        `None` where it was not measured: for lack of a reason, or of stars.
    option : str or `None`
        What ``--psf`` would take for the measured width.
    is_off : bool
        Whether the mismatch or the width is worth a warning.
    """

    mismatch: float | None
    measured_fwhm: float | None = None
    option: str | None = None
    is_off: bool = False


def check_psf(exposure: Exposure, mismatch: float | None) -> PsfCheck:
    """Hold the PSF against the bright stars of the image.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky and masks.
    mismatch : float or `None`
        What the bright stars' residuals tell.

    Returns
    -------
    check : `PsfCheck`
        The stars' width is measured where the mismatch is large, or not small
        and the PSF a formula of a given width.
    """
    psf = exposure.psf
    is_poor = mismatch is not None and mismatch > _MISMATCH
    is_doubtful = mismatch is not None and psf.is_formula and mismatch > _GOOD
    if exposure.has_measured_psf or not (is_doubtful or is_poor):
        return PsfCheck(mismatch, is_off=is_poor)
    try:
        measured = measure_psf(
            exposure.subtract_sky(),
            error=exposure.error,
            mask=exposure.mask,
            fwhm=psf.fwhm,
            n_stars=_N_STARS,
            n_threads=exposure.settings.n_threads,
        )
    except ValueError:
        # Too few stars to tell: that is no fault of the image.
        return PsfCheck(mismatch, is_off=is_poor)
    width = measure_fwhm(measured.model)
    is_other = psf.is_formula and abs(width / psf.fwhm - 1) > _WIDTH
    shape = f"moffat:{measured.fwhm:.2f},{measured.beta:.1f}"
    option = f"gaussian:{measured.fwhm:.2f}" if np.isnan(measured.beta) else shape
    return PsfCheck(mismatch, width, option, is_off=is_poor or is_other)
