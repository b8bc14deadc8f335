"""The saturated stars of an image on disk, and its sky without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.io._on_disk import new_plane, release
from psfphot.pipeline._bright import (
    fit_on_their_sky,
    is_same_sky,
    measure_saturated,
)
from psfphot.pipeline._tiles.rows import moved, stacked
from psfphot.pipeline._tiles.sheets import measure_sky_sheets
from psfphot.pipeline._tiles.unusable import saturation_in

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.io import Psf
    from psfphot.pipeline._tiles.mosaic import Mosaic, Window
    from psfphot.pipeline._tiles.sheets import SkySheets


def measure_saturated_tiles(
    mosaic: Mosaic, level: float | None
) -> tuple[QTable | None, int]:
    """Measure the saturated stars, and the sky anew, as `measure_saturated` does.

    Parameters
    ----------
    mosaic : `Mosaic`
        The image with its masks; its sky is set.
    level : float or `None`
        From which value on pixels are saturated.

    Returns
    -------
    table : `~astropy.table.QTable` or `None`
        Their rows; `None` if there are none.
    n_unfitted : int
        How many were dropped, because they could not be fitted.
    """
    first = mosaic.sky

    def renew_sky(fitted: tuple[QTable | None, int]) -> bool:
        table, before = fitted[0], mosaic.sky
        if table is None:
            return False
        mosaic.sky = _sky_without(mosaic, table)
        return not _is_same(mosaic, before)

    return fit_on_their_sky(lambda: _fit_tiles(mosaic, level, first), renew_sky)


def saturated_light(
    mosaic: Mosaic, psf: Psf, window: Window, table: QTable | None
) -> NDArray[Any] | float:
    """Render the saturated stars in a window, whose PSF is given."""
    if table is None:
        return 0.0
    return mosaic.light(psf, window, table, is_wide=True)


def _fit_tiles(
    mosaic: Mosaic, level: float | None, first: SkySheets
) -> tuple[QTable | None, int]:
    """Fit those of each tile; what is saturated is known by the first sky."""
    found, n_unfitted = [], 0
    for tile, part in mosaic.parts():
        sky, part.sky = part.sky, first.window(tile.window)
        saturation = saturation_in(mosaic, part, tile, level)
        part.sky = sky
        no_data = np.array(mosaic.no_data[tile.window])
        stars = measure_saturated(part, saturation, no_data, keep_sky=True)
        if stars is None:
            continue
        # Those that were dropped have no place: their tile is not known.
        n_unfitted += stars.n_dropped
        if len(stars.table):
            table = moved(stars.table, tile)
            x, y = (np.asarray(table[f"{axis}_fit"], float) for axis in "xy")
            x = np.where(np.isfinite(x), x, table["x_init"])
            y = np.where(np.isfinite(y), y, table["y_init"])
            found.append(table[tile.owns(x, y)])
    return (stacked(found) if sum(map(len, found)) else None), n_unfitted


def _sky_without(mosaic: Mosaic, table: QTable) -> SkySheets:
    data = new_plane(mosaic.directory, "without", mosaic.shape, mosaic.image.data.dtype)
    for window in mosaic.bands():
        light = saturated_light(mosaic, mosaic.psf_in(window), window, table)
        data[window] = mosaic.image.data[window] - light
        release(data)
    return measure_sky_sheets(mosaic.whole, mosaic.masks.pixels, data)


def _is_same(mosaic: Mosaic, before: SkySheets) -> bool:
    return all(
        is_same_sky(mosaic.sky.window(window), before.window(window))
        for window in mosaic.bands()
    )
