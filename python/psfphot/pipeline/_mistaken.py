"""Stars that were taken for cosmic rays."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from psfphot.pipeline._blobs import find_blobs
from psfphot.pipeline._noise import pixel_errors
from psfphot.psf import PSFPhotometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure

#: A single pixel has no shape to be told by.
_SMALLEST = 2

#: Side of the box around a blob's brightest pixel that a star fills.
_BOX = 5

#: What a star's residuals are at most, as a part of its flux, and how far from
#: the brightest pixel it is. A ray has no light around its pixels, which half of
#: a star's is: its residuals are half of the flux and more.
_STAR_QFIT, _STAR_SHIFT = 0.3, 1.0


def without_stars(found: NDArray[np.bool_], exposure: Exposure) -> NDArray[np.bool_]:
    """Leave out those blobs of cosmic rays that are as wide as the PSF.

    In a crowd the light around a star tells little of how high it should be,
    and all nine pixels of its core can be taken for a ray.

    Parameters
    ----------
    found : 2D bool array
        Cosmic rays.
    exposure : `Exposure`
        The image with its sky and mask.

    Returns
    -------
    rays : 2D bool array
        Those that the PSF does not fit.
    """
    blobs = find_blobs(found)
    large = np.flatnonzero(blobs.sizes >= _SMALLEST)
    if not large.size:
        return found
    data = exposure.subtract_sky()
    values = data[blobs.y, blobs.x]
    # The brightest of each blob is the last of its own.
    order = np.lexsort((values, blobs.label))
    last = np.cumsum(blobs.sizes) - 1
    top = order[last[large]]
    start = QTable({"x_init": blobs.x[top] + 0.0, "y_init": blobs.y[top] + 0.0})
    fit = PSFPhotometry(
        exposure.psf.model.copy(),
        (_BOX, _BOX),
        aperture_radius=_BOX / 2,
        xy_bounds=_STAR_SHIFT,
        n_threads=exposure.settings.n_threads,
    )
    error = np.asarray(pixel_errors(exposure), dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = fit(data, mask=exposure.mask, error=error, init_params=start)
    fits: Any = table
    flux, qfit = (np.asarray(fits[n], dtype=float) for n in ("flux_fit", "qfit"))
    with np.errstate(invalid="ignore"):
        is_star = (flux > 0) & (qfit < _STAR_QFIT)
    stars = np.isin(blobs.label, large[is_star])
    rays = found.copy()
    rays[blobs.y[stars], blobs.x[stars]] = False
    return rays
