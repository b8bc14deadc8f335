"""The noise of an image on disk by the variances of its file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from psfphot.io._on_disk import bands_of, release
from psfphot.pipeline._noise import has_one_gain
from psfphot.utils._noise_slope import BLOCK, filled_variances, variance_levels

if TYPE_CHECKING:
    from psfphot.pipeline._tiles.mosaic import Mosaic

#: About so many pixels, evenly spread, tell what is typical of all.
_MANY = 2**21


def measure_noise_planes(mosaic: Mosaic) -> None:
    """Make gain and read noise of VAR_POISSON and VAR_RNOISE, as `noise_model` does.

    They take the places of these on disk. Nothing is made where the file has none, or
    where they tell no gain.

    Parameters
    ----------
    mosaic : `Mosaic`
        The image with its masks; its ``noise_planes`` are set.
    """
    image = mosaic.image
    poisson, read = image.var_poisson, image.var_rnoise
    if poisson is None or read is None:
        return
    step = max(1, math.isqrt(image.data.size // _MANY))
    data, photons, other, mask = (
        np.array(plane[::step, ::step])
        for plane in (image.data, poisson, read, image.mask)
    )
    if not has_one_gain(data, photons, mask):
        return
    photons[mask] = np.nan
    levels = variance_levels(data.astype(float), photons.astype(float), other)
    for rows in bands_of(mosaic.shape, BLOCK):
        photons = np.where(image.mask[rows], np.nan, poisson[rows])
        poisson[rows], read[rows] = filled_variances(
            image.data[rows].astype(float), photons.astype(float), read[rows], levels
        )
        release(poisson)
        release(read)
        mosaic.release()
    mosaic.noise_planes = poisson, read
