"""What the sums of PSF images mean, and images brought to the whole flux."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.io._errors import FileFormatError
from psfphot.psf import GriddedPSFModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A sum within this fraction of 1, or of oversampling², is taken to mean it:
#: a finite stamp holds less than the whole flux.
_SUM_TOLERANCE = 0.2


def find_normalisation(total: float, target: int) -> tuple[float, str]:
    """Find by how much to multiply a PSF image.

    Parameters
    ----------
    total : float
        The image's sum, above 0.
    target : int
        The product of the two oversamplings: the sum that is the whole flux.

    Returns
    -------
    factor : float
    said : str
        What was done, for people.
    """
    if _is_near(total, target):
        return 1.0, f"its sum of {total:.4g} left as it is ({target} is the whole flux)"
    if _is_near(total, 1):
        return float(target), f"its sum of {total:.4g} multiplied by {target}"
    return target / total, f"its sum of {total:.4g} scaled to {target}"


def normalise_grid(model: GriddedPSFModel, name: str) -> tuple[GriddedPSFModel, str]:
    """Bring the planes of a grid to the whole flux.

    All are multiplied by one factor, which `find_normalisation` finds for their
    median sum; a plane that is still more than 20 % off is scaled by itself. A
    warning tells of all but planes that sum to oversampling² or to 1. All-zero
    planes stay.

    Parameters
    ----------
    model : `~psfphot.psf.GriddedPSFModel`
        The grid; it is not changed.
    name : str
        What the file is called in messages.

    Returns
    -------
    model : `~psfphot.psf.GriddedPSFModel`
        The same object where nothing is to be done.
    said : str
        What was done, for people.

    Raises
    ------
    FileFormatError
        If all planes are zero, or one has a sum of 0 or less and is not.
    """
    data = np.asarray(model.data, dtype=np.float64)
    target = int(np.prod(model.oversampling))
    used = data.any(axis=(1, 2))
    sums = data.sum(axis=(1, 2))
    if not used.any():
        msg = f"{name}: all planes of the grid are zero"
        raise FileFormatError(msg)
    wrong = np.flatnonzero(used & (sums <= 0))
    if wrong.size:
        x, y = model.grid_xypos[wrong[0]]
        msg = (
            f"{name}: the planes of a grid must have sums above 0, {wrong.size} of "
            f"{len(data)} have not; that at ({x:g}, {y:g}) has {sums[wrong[0]]:g}"
        )
        raise FileFormatError(msg)
    median = float(np.median(sums[used]))
    factor, said = find_normalisation(median, target)
    said = said.replace("its sum", "their median sum", 1)
    factors = np.full(len(data), factor)
    off = used & ~_is_near(sums * factor, target)
    factors[off] = target / sums[off]
    if off.any():
        said += f", {np.count_nonzero(off)} whose own sum is another scaled to {target}"
    if off.any() or not (_is_near(median, target) or _is_near(median, 1)):
        lowest, highest = sums[used].min(), sums[used].max()
        msg = (
            f"{name}: the planes of the grid have sums of {lowest:.4g} to "
            f"{highest:.4g}, where {target} is the whole flux (the oversampling "
            f"squared); {said}"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=4)
    if (factors == 1).all():
        return model, said
    return _multiplied(model, factors), said


def _is_near(total: NDArray[np.float64] | float, target: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(np.asarray(total) / target - 1) <= _SUM_TOLERANCE)


def _multiplied(
    model: GriddedPSFModel, factors: NDArray[np.float64]
) -> GriddedPSFModel:
    data = model.data * factors[:, np.newaxis, np.newaxis]
    return GriddedPSFModel(
        NDData(data, meta=dict(model.meta)), fill_value=model.fill_value
    )
