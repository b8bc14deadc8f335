"""Errors of fitted sources that hold what the fit did not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psfphot import _core
from psfphot._validate import values_of
from psfphot.psf._photometry.flags import PSF_FLAGS
from psfphot.psf._photometry.residuals import (
    compiled,
    residual_for_core,
    with_profile_error,
    without_sky,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._residual import Residual
    from psfphot._validate import Frame
    from psfphot.psf._photometry.fit_results import FitResult

#: What the PSF may be off by in the search for companions, as in a managed list.
PROFILE_ERROR = 0.03

#: The score of another star beside one from which on there seems to be one.
COMPANION = 3.0


def with_confusion(
    fit: FitResult, frame: Frame, *, has_sky: bool = False
) -> tuple[FitResult, float]:
    """Make the errors of a fit those of an image with stars that were not found.

    The errors of the pixels are those of the image, or of its noise, with
    `PROFILE_ERROR`.

    Parameters
    ----------
    fit : FitResult
        All sources of the image.
    frame : Frame
        The image as it was fitted.
    has_sky : bool, optional
        Whether the image has a sky that each source has a local background of.

    Returns
    -------
    fit, typical
        As `with_confusion_of`.
    """
    left, model = residual_of(fit, frame, has_sky=has_sky)
    return with_confusion_of(fit, with_profile_error(left, model, PROFILE_ERROR))


def with_confusion_of(fit: FitResult, left: Residual) -> tuple[FitResult, float]:
    """Make the errors of a fit those that its residual asks for.

    They are multiplied by the factor by which the score of new stars in the residual
    is wider than it would be with nothing left to find.

    Parameters
    ----------
    fit : FitResult
        All sources of the image.
    left : Residual
        Its residual, with the errors of the pixels in a search.

    Returns
    -------
    fit : FitResult
        With the columns ``confusion_factor`` and ``blend_significance``, and the flag
        ``unmodelled_companion``.
    typical : float
        The factor in the median block of the image.
    """
    factor, companion, typical = _core.measure_confusion(left)
    factor = np.where(np.isfinite(factor), factor, 1.0)
    return fit.with_larger_errors(
        factor,
        more={"confusion_factor": factor, "blend_significance": companion},
        flagged={PSF_FLAGS.UNMODELLED_COMPANION: companion > COMPANION},
    ), typical


def residual_of(
    fit: FitResult, frame: Frame, *, has_sky: bool = False
) -> tuple[Residual, NDArray[np.float64]]:
    """Make the residual of a fit, and the light of its sources."""
    images = fit.images()
    model = values_of(
        images.model_image(frame.data.shape, psf_shape=None, include_local_bkg=False)
    )
    rest = frame._replace(data=frame.data - model.astype(frame.data.dtype, copy=False))
    if has_sky:
        rest = without_sky(rest)
    psf, fwhm = compiled(fit.psf_model, frame.data.shape)
    residual = residual_for_core(
        rest,
        images.positions(),
        psf=psf,
        fwhm=fwhm,
        n_threads=fit.n_threads,
    )
    return residual, model
