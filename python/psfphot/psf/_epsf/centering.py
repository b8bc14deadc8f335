"""Where the centre of an ePSF is, by any function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import overlap_slices

from psfphot.centroids import centroid_com, centroid_symmetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot.psf._models.image import ImagePSF

# The box, pixels, in which the asymmetry of an ePSF is measured, and the steps.
_BOX, _STEPS = (5, 5), 20

# A centre is found when it moves by less, in samples.
_STILL = 1e-4


def find_center(
    epsf: ImagePSF, function: Callable[..., Any], box: Any, most: int
) -> NDArray[np.float64]:
    """Tell how far an ePSF's centre is from its origin.

    The ePSF is moved until a centroid in a box around the origin is there.

    Parameters
    ----------
    epsf : ImagePSF
        The ePSF.
    function : callable
        The centroid, see `psfphot.centroids`.
    box : (ny, nx)
        The box, pixels.
    most : int
        Most steps.

    Returns
    -------
    (2,) float64 array
        The offset (x, y), pixels; 0 where the function finds none.
    """
    oversampling = epsf.oversampling
    samples = np.array(box) * oversampling
    samples += 1 - samples % 2
    shape = np.array(epsf.data.shape)
    samples = np.minimum(samples, shape - 1 + shape % 2)
    offset, last = np.zeros(2), np.inf
    origin = np.asarray(epsf.origin, dtype=np.float64)
    for _ in range(most):
        data = shift_epsf(epsf, offset)
        part, _ = overlap_slices(data.shape, tuple(samples), origin[::-1])
        corner = np.array([part[1].start, part[0].start])
        step = np.asarray(function(data[part], mask=None)) + corner - origin
        length = float(np.hypot(*step))
        if not np.isfinite(length) or length >= last:
            break
        offset = offset + step / oversampling[::-1]
        last = length
        if length < _STILL:
            break
    return offset


def shift_epsf(epsf: ImagePSF, offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample an ePSF so that what is at an offset (x, y), pixels, is its origin."""
    y, x = np.indices(epsf.data.shape, dtype=np.float64)
    over_y, over_x = epsf.oversampling
    x_0, y_0 = epsf.origin
    values = epsf.evaluate(
        (x - x_0) / over_x, (y - y_0) / over_y, 1.0, -offset[0], -offset[1]
    )
    return np.asarray(values, dtype=np.float64)


def measure_asymmetry(epsf: ImagePSF) -> NDArray[np.float64] | None:
    """Tell the centre of mass less that of symmetry, (x, y), pixels.

    `None` if the ePSF is not larger than the box of 5 pixels that they are measured
    in.
    """
    box = np.array(_BOX) * epsf.oversampling
    if (np.array(epsf.data.shape) <= box + 1 - box % 2).any():
        return None
    mass, symmetry = (
        find_center(epsf, function, _BOX, _STEPS)
        for function in (centroid_com, centroid_symmetry)
    )
    return mass - symmetry
