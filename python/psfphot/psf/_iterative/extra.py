"""Columns of iterative photometry beyond photutils'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._validate import values_of
from psfphot.psf._photometry.residuals import (
    compiled,
    quiet_frame,
    residual_for_core,
    with_profile_error,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.psf._iterative.management import StarListManagement
    from psfphot.psf._iterative.rounds import Observation, Rounds
    from psfphot.psf._photometry.photometry import PSFPhotometry


def extra_columns(
    rounds: Rounds,
    seen: Observation,
    photometry: PSFPhotometry,
    rules: StarListManagement,
) -> dict[str, NDArray[Any]]:
    """Tell how crowded, how wide and how well fitted each source is.

    Parameters
    ----------
    rounds : Rounds
        The sources.
    seen : Observation
        The image.
    photometry : PSFPhotometry
        What fitted them.
    rules : StarListManagement
        ``profile_error`` holds for companions.

    Returns
    -------
    dict of (n,) array
        ``snr``, ``crowding``, ``sharpness``, ``chi``, ``n_merged`` and
        ``blend_significance``; see `IterativePSFPhotometry`.
    """
    fit = rounds.fit
    images = fit.images()
    left = images.residual_image(seen.data, psf_shape=None, include_local_bkg=False)
    frame = quiet_frame(left, seen.mask, seen.search_errors(left))
    psf, fwhm = compiled(photometry.psf_model, seen.shape)
    residual = residual_for_core(
        frame,
        images.positions(),
        psf=psf,
        fwhm=fwhm,
        n_threads=photometry.n_threads,
    )
    model = images.model_image(
        frame.data.shape, psf_shape=None, include_local_bkg=False
    )
    crowding, sharpness, chi = images.profiles(
        frame._replace(error=residual.error), model, fit.fit_shape
    )
    searched = with_profile_error(residual, values_of(model), rules.profile_error)
    return {
        "snr": fit.snr(),
        "crowding": crowding,
        "sharpness": sharpness,
        "chi": chi,
        "n_merged": np.zeros_like(rounds.iter_detected)
        if rounds.n_merged is None
        else rounds.n_merged,
        "blend_significance": _core.companion_scores(searched),
    }
