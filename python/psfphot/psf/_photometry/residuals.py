"""What a fit has left of an image, as the core scores it for more stars."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._residual import Residual
from psfphot._validate import as_image
from psfphot.background import Background2D, MADStdBackgroundRMS
from psfphot.psf._models.convert import to_core
from psfphot.psf._photometry.fitting import frame_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate import Frame, Image

# The box in which sky and noise of a residual are measured, pixels.
_BOX = 50


def quiet_frame(data: Any, mask: Any, error: Any) -> Frame:
    """Make a `Frame` of an image whose fit has told of its bad pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return frame_of(data, mask, error)


def compiled(psf_model: Any, shape: tuple[int, int]) -> tuple[_core.Psf, float]:
    """Compile a PSF; tell its full width at half maximum amid an image, pixels."""
    psf = to_core(psf_model)
    ny, nx = shape
    return psf, _core.psf_fwhm(psf, nx / 2, ny / 2)


def residual_for_core(
    frame: Frame,
    positions: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    psf: _core.Psf,
    fwhm: float,
    n_threads: int | None,
) -> Residual:
    """Make a residual image into what the core searches.

    Without errors the noise is measured.
    """
    x, y = positions
    return Residual(
        data=frame.data,
        error=frame.error if frame.error is not None else local_noise(frame),
        mask=frame.mask,
        psf=psf,
        x=x,
        y=y,
        fwhm=fwhm,
        n_threads=n_threads,
    )


def with_errors(residual: Residual, error: NDArray[Any]) -> Residual:
    """Give the pixels of a residual other errors."""
    return residual._replace(error=as_image(error.astype(residual.data.dtype)))


def with_profile_error(residual: Residual, light: Any, part: float) -> Residual:
    """Add to the errors what the PSF may be off by, as a part of the light."""
    if part <= 0:
        return residual
    return with_errors(residual, np.hypot(residual.error, part * light))


def without_sky(frame: Frame) -> Frame:
    """Take off a residual the sky that fits took off star by star."""
    sky = Background2D(frame.data, _BOX, mask=frame.mask, exclude_percentile=90.0)
    above = frame.data - np.asarray(sky.background)
    return frame._replace(data=as_image(above.astype(frame.data.dtype, copy=False)))


def local_noise(frame: Frame) -> Image:
    """Measure the noise of a residual, box by box."""
    background = Background2D(
        frame.data,
        _BOX,
        mask=frame.mask,
        exclude_percentile=90.0,
        bkg_rms_estimator=MADStdBackgroundRMS(),
    )
    return as_image(np.asarray(background.background_rms, dtype=frame.data.dtype))
