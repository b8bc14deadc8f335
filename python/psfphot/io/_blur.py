"""PSFs made wider, for images whose resampling widened the stars."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.nddata import NDData

from psfphot.psf import GriddedPSFModel, ImagePSF, PolynomialPSFModel


def blur(model: Any, sigma: float) -> ImagePSF | GriddedPSFModel | PolynomialPSFModel:
    """Convolve a sampled PSF with a circular Gaussian.

    Drizzling, mosaicking and reprojection spread every star a little, which
    the PSF of a single exposure does not know.

    Parameters
    ----------
    model : ImagePSF, GriddedPSFModel or PolynomialPSFModel
        The PSF; it is not changed.
    sigma : float
        The Gaussian's standard deviation in image pixels, positive.

    Returns
    -------
    ImagePSF, GriddedPSFModel or PolynomialPSFModel
        The wider PSF. What leaves the stamp is lost from it, as wings are.

    Raises
    ------
    ValueError
        If the PSF is not sampled, or ``sigma`` is not positive or too wide for it.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        msg = f"--psf-blur must be above 0, got {sigma:g}"
        raise ValueError(msg)
    # Not `A | B`: between astropy's models that makes a compound model.
    if not isinstance(model, (ImagePSF, GriddedPSFModel, PolynomialPSFModel)):
        msg = "--psf-blur needs a PSF from a file; give gaussian: another FWHM instead"
        raise ValueError(msg)  # noqa: TRY004  (a matter of the option's value)
    ny, nx = model.data.shape[-2:]
    if sigma * max(model.oversampling) > max(ny, nx):
        msg = (
            f"--psf-blur must be less than the width of the PSF's image, got {sigma:g}"
        )
        raise ValueError(msg)
    along_y, along_x = (
        _gaussian_matrix(n, sigma * samples)
        for n, samples in zip((ny, nx), model.oversampling, strict=True)
    )
    with np.errstate(under="ignore"):
        data = along_y @ np.asarray(model.data, dtype=float) @ along_x
    if isinstance(model, GriddedPSFModel):
        return GriddedPSFModel(NDData(data, meta=dict(model.meta)))
    if isinstance(model, PolynomialPSFModel):
        return PolynomialPSFModel(
            data,
            model.center,
            model.scale,
            origin=model.origin,
            oversampling=model.oversampling,
        )
    return ImagePSF(data, origin=model.origin, oversampling=model.oversampling)


def _gaussian_matrix(n: int, sigma: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Make the symmetric matrix that convolves n samples."""
    reach = np.arange(-int(8 * sigma) - 1, int(8 * sigma) + 2)
    offsets = np.subtract.outer(np.arange(n), np.arange(n))
    # Far samples have no weight to a float.
    with np.errstate(under="ignore"):
        total = np.exp(-0.5 * (reach / sigma) ** 2).sum()
        return np.asarray(np.exp(-0.5 * (offsets / sigma) ** 2) / total)
