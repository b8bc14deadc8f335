"""The sky of a whole image, told in windows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.background._sheets import BackgroundSheets, measure_sheets
from psfphot.io import Sky
from psfphot.io._on_disk import bands_of, release, releasing
from psfphot.pipeline._light import SPARSE
from psfphot.pipeline._sky import MANY, ROUNDING, method_of
from psfphot.pipeline._sky_maps import SkyMaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure

Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class SkySheets(Sky):
    """The background and its noise, told in windows, and what is typical of them.

    Attributes
    ----------
    sheets : `~psfphot.background._sheets.BackgroundSheets`
        The maps.
    light_noise : float
        The noise that the boxes of stars' images are chosen by.
    lowest, highest : float
        The levels where pixels are used.
    """

    sheets: BackgroundSheets
    light_noise: float
    lowest: float
    highest: float

    def window(self, window: Window) -> SkyMaps:
        """Tell the maps of a window."""
        background = self.sheets.background(window)
        rms = self.sheets.background_rms(window)
        return SkyMaps(self.level, self.noise, self.method, background, rms)


def measure_sky_sheets(
    exposure: Exposure,
    mask: NDArray[np.bool_],
    data: NDArray[Any] | None = None,
    *,
    stars: str = "masked",
) -> SkySheets:
    """Measure the background of an image on disk, as `measure_sky` does in memory.

    Parameters
    ----------
    exposure : `Exposure`
        The image and the settings.
    mask : 2D bool array
        The pixels that take no part.
    data : 2D array, optional
        The image without the light of some stars, on disk; as it is if not given.
    stars : str, optional
        What is said to be done about the others.

    Raises
    ------
    ValueError
        If the pixels have no scatter.
    """
    settings, image = exposure.settings, exposure.image
    data = image.data if data is None else data
    with releasing(data, mask):
        sheets = measure_sheets(data, mask, settings.fwhm, settings.n_threads)
    background, rms = sheets.background, sheets.background_rms
    lowest, highest = np.inf, -np.inf
    for rows in bands_of(image.shape):
        window = rows, slice(0, image.shape[1])
        levels = background(window)[~mask[rows]]
        lowest = min(lowest, float(levels.min(initial=np.inf)))
        highest = max(highest, float(levels.max(initial=-np.inf)))
    if sheets.limits[0] <= ROUNDING * max(abs(lowest), abs(highest)):
        msg = (
            f"{image.name}: the noise of some pixels is not known (the least is "
            f"{sheets.limits[0]:g}, the sky {lowest:g} to {highest:g}); an image like "
            "that is measured whole only, without tiles"
        )
        raise ValueError(msg)
    step = max(1, math.isqrt(image.data.size // MANY))
    good = ~mask[::step, ::step]
    level, noise = (_every(of, image.shape, step)[good] for of in (background, rms))
    release(mask)
    return SkySheets(
        float(np.median(level)),
        float(np.median(noise)),
        method_of(sheets.box_size, stars),
        sheets,
        float(np.nanmedian(_every(rms, image.shape, SPARSE))),
        lowest,
        highest,
    )


def _every(
    of: Callable[[Window], NDArray[Any]], shape: tuple[int, int], step: int
) -> NDArray[Any]:
    """Give every so manieth row and column of a map."""
    ny, nx = shape
    lines = [
        of((slice(row, row + 1), slice(0, nx)))[:, ::step] for row in range(0, ny, step)
    ]
    return np.concatenate(lines)
