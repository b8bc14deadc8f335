"""Where in a PSF's image the star is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.psf._models.gaussian import FWHM_PER_SIGMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: The narrowest window, sigma in samples: in a narrower one a centroid of samples
#: depends on where between two of them the centre is.
_NARROWEST = 1.0

#: How much longer than the centroid's own offset a step is. The window halves that
#: of a Gaussian core of its width, and leaves all of a much narrower one: with this
#: the steps shrink at least by 2 in both.
_STRETCH = 1.3

#: Enough for all that converge.
_ITERATIONS = 100

#: A step this small, in samples, is the last.
_SMALL_STEP = 1e-8


def find_core(image: NDArray[Any]) -> tuple[float, float] | None:
    """Find the centroid of the core of a PSF's image.

    It is the centroid under a Gaussian of the core's own FWHM that is moved to
    it until it stays (the windowed position of SExtractor; Bertin & Arnouts
    1996, A&AS, 117, 393): wings, neighbours and noise far from the core have no
    part in it, and on a symmetric core it is the point of symmetry.

    Parameters
    ----------
    image : 2D ndarray
        The image, of a sum above 0.

    Returns
    -------
    center : (x, y) or `None`
        Sample coordinates, counted from 0; `None` where there is no such point
        on the image.
    """
    image = np.asarray(image, dtype=np.float64)
    y, x = (float(i) for i in np.unravel_index(image.argmax(), image.shape))
    area = np.count_nonzero(image > image.max() / 2)
    fwhm = 2 * float(np.sqrt(area / np.pi))
    sigma = max(float(fwhm / FWHM_PER_SIGMA), _NARROWEST)
    # Far from the core the window is 0 to a float.
    with np.errstate(under="ignore"):
        return _windowed_core(image, (x, y), sigma)


def _windowed_core(
    image: NDArray[np.float64], start: tuple[float, float], sigma: float
) -> tuple[float, float] | None:
    """Move a Gaussian window of width ``sigma`` to the centroid under it."""
    ny, nx = image.shape
    x, y = start
    rows, columns = np.arange(ny), np.arange(nx)
    for _ in range(_ITERATIONS):
        along_y = np.exp(-0.5 * ((rows - y) / sigma) ** 2)
        along_x = np.exp(-0.5 * ((columns - x) / sigma) ** 2)
        total = along_y @ image @ along_x
        if not total > 0:
            return None
        step_x = _STRETCH * (along_y @ image @ (along_x * (columns - x))) / total
        step_y = _STRETCH * ((along_y * (rows - y)) @ image @ along_x) / total
        x, y = x + float(step_x), y + float(step_y)
        if not (0 <= x <= nx - 1 and 0 <= y <= ny - 1):
            return None
        if max(abs(step_x), abs(step_y)) < _SMALL_STEP:
            break
    return x, y


def core_offset(
    image: NDArray[Any], oversampling: Sequence[float] | NDArray[Any]
) -> tuple[float, float] | None:
    """Tell how far the core is from the image's centre.

    Parameters
    ----------
    image : 2D ndarray
        The image.
    oversampling : (y, x)
        Samples per image pixel.

    Returns
    -------
    offset : (x, y) or `None`
        In image pixels; `None` as for `find_core`.
    """
    center = find_core(image)
    if center is None:
        return None
    ny, nx = image.shape
    by_y, by_x = oversampling
    return (center[0] - (nx - 1) / 2) / by_x, (center[1] - (ny - 1) / 2) / by_y
