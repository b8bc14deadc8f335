"""The sky's level and the noise, where a file does not give the errors."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.stats import sigma_clipped_stats
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import as_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Side of the boxes in pixels: small against diffuse emission, large enough
#: that most of a box's pixels are sky. On a Spitzer mosaic of the Galactic
#: plane boxes of 16, 32 and 64 give a noise of 0.89, 0.96 and 1.01 MJy/sr; the
#: whole image at once gives 1.6.
_BOX = 32

_CLIP = 3.0  # sigma


@dataclass(frozen=True)
class Sky:
    """The sky of an image and how it was found.

    Attributes
    ----------
    level : float
        The median background, in the image's unit.
    noise : float
        1-sigma noise of one background pixel, unresolved stars included.
    method : str
        How both were found, for people.
    """

    level: float
    noise: float
    method: str


def estimate_sky(data: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> Sky:
    """Estimate the background and its noise from the image itself.

    The image is cut into boxes of 32 x 32 pixels. In each, values farther
    than 3 sigma from the median are clipped until none are left, with sigma
    from the median absolute deviation; the level is the median of the boxes'
    medians and the noise the median of their sigmas. Emission that varies
    slowly thus counts as level, not as noise; stars too faint to be clipped
    count as noise.

    Parameters
    ----------
    data : 2D array
        The image.
    mask : 2D bool array, optional
        `True` where pixels are left out; so are non-finite ones.

    Returns
    -------
    sky : `Sky`

    Raises
    ------
    ValueError
        If no pixel is left, or the mask has another shape.
    """
    values = np.array(data, dtype=np.float64)
    if mask is not None:
        values[as_mask(mask, values.shape)] = np.nan
    values[~np.isfinite(values)] = np.nan
    boxes = _boxes(values)
    enough = np.isfinite(boxes).sum(axis=1) >= boxes.shape[1] // 2
    if not enough.any():  # holes everywhere: take all pixels at once
        boxes, enough = values.reshape(1, -1), np.array([np.isfinite(values).any()])
    if not enough.any():
        msg = "data must have finite, unmasked pixels, got none"
        raise ValueError(msg)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)  # NaNs are expected
        _, medians, sigmas = sigma_clipped_stats(
            boxes[enough], sigma=_CLIP, maxiters=10, stdfunc="mad_std", axis=1
        )
    method = (
        f"{_CLIP:g}-sigma-clipped median and MAD in boxes of {_BOX} x {_BOX} px, "
        f"median of {len(boxes[enough])}"
    )
    return Sky(float(np.median(medians)), float(np.median(sigmas)), method)


def _boxes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut into boxes, one a row; what does not fill a box at the end is left."""
    ny, nx = (n // _BOX for n in values.shape)
    if ny == 0 or nx == 0:
        return values.reshape(1, -1)
    whole = values[: ny * _BOX, : nx * _BOX].reshape(ny, _BOX, nx, _BOX)
    return whole.swapaxes(1, 2).reshape(ny * nx, _BOX * _BOX)
