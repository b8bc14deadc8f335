"""The saturated stars of an image on disk, and its sky without them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

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
    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._tiles.mosaic import Mosaic, Window
    from psfphot.pipeline._tiles.sheets import SkySheets
    from psfphot.pipeline._tiles.tiling import Tile


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
    mosaic: Mosaic, psf: Psf, window: Window, table: QTable
) -> NDArray[Any]:
    """Render the saturated stars in a window, whose PSF is given."""
    return mosaic.light(psf, window, table, is_wide=True)


def _fit_tiles(
    mosaic: Mosaic, level: float | None, first: SkySheets
) -> tuple[QTable | None, int]:
    """Fit those of each tile; what is saturated is known by the first sky."""
    done = list(mosaic.over_tiles(partial(_fit_tile, mosaic, level, first)))
    found = [table for _, (table, _) in done if table is not None]
    # Those that were dropped have no place: their tile is not known.
    n_unfitted = sum(n for _, (_, n) in done)
    return (stacked(found) if sum(map(len, found)) else None), n_unfitted


def _fit_tile(
    mosaic: Mosaic, level: float | None, first: SkySheets, tile: Tile, part: Exposure
) -> tuple[QTable | None, int]:
    """Fit those of a tile; also tell how many of its window were dropped."""
    sky, part.sky = part.sky, first.window(tile.window)
    saturation = saturation_in(mosaic, part, tile, level)
    part.sky = sky
    no_data = np.array(mosaic.no_data[tile.window])
    stars = measure_saturated(part, saturation, no_data, keep_sky=True)
    if stars is None or not len(stars.table):
        return None, 0 if stars is None else stars.n_dropped
    table = moved(stars.table, tile)
    x, y = (np.asarray(table[f"{axis}_fit"], float) for axis in "xy")
    x = np.where(np.isfinite(x), x, table["x_init"])
    y = np.where(np.isfinite(y), y, table["y_init"])
    return table[tile.owns(x, y)], stars.n_dropped


def _sky_without(mosaic: Mosaic, table: QTable) -> SkySheets:
    def light(window: Window) -> NDArray[Any]:
        return saturated_light(mosaic, mosaic.psf_in(window), window, table)

    data = mosaic.subtract(light, "without")
    return measure_sky_sheets(mosaic.whole, mosaic.masks.pixels, data)


def _is_same(mosaic: Mosaic, before: SkySheets) -> bool:
    return all(
        is_same_sky(mosaic.sky.window(window), before.window(window))
        for window in mosaic.bands()
    )
