"""Fitting known stars of an image on disk, tile by tile."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.pipeline._detection import NoStarsError
from psfphot.pipeline._fit import fit_stars, make_photometry
from psfphot.pipeline._groups import group_stars
from psfphot.pipeline._mismatch import sum_of_errors
from psfphot.pipeline._noise import pixel_errors, renew_errors
from psfphot.pipeline._passes import Passes
from psfphot.pipeline._pixels import nearest_pixels
from psfphot.pipeline._rounds import rules_of
from psfphot.pipeline._saturated_stars import MISMATCH
from psfphot.pipeline._tiles.fits import TiledFit
from psfphot.pipeline._tiles.rows import moved, stacked
from psfphot.pipeline._tiles.saturated import saturated_light
from psfphot.pipeline._tiles.tiling import with_whole_groups
from psfphot.psf._photometry.results import metadata

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._tiles.mosaic import Mosaic, Window
    from psfphot.pipeline._tiles.tiling import Tile

#: What tells the light of fitted stars.
LIGHT = ["x_fit", "y_fit", "flux_fit"]


class TiledFitter:
    """Fits stars that are known, each with all that its tile sees.

    Parameters
    ----------
    mosaic : `Mosaic`
        The image with its sky and masks.
    saturated : `~astropy.table.QTable` or `None`
        The rows of the saturated stars, which are taken off the image.

    Attributes
    ----------
    bright : `~astropy.table.QTable` or `None`
        Fitted stars whose light tells the errors.
    fitted : `~astropy.table.QTable` or `None`
        Those whose light tells the errors in rounds.
    fit : `TiledFit` or `None`
        The last fit of all stars.
    """

    def __init__(self, mosaic: Mosaic, saturated: QTable | None) -> None:
        self.mosaic, self.saturated = mosaic, saturated
        self.bright: QTable | None = None
        self.fitted: QTable | None = None
        self.fit: TiledFit | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Tiles need the light of fitted stars alone.
        return self.__dict__ | {"fit": None}

    def light_in(
        self, part: Exposure, window: Window, stars: QTable | None
    ) -> NDArray[Any] | float:
        """Render the saturated stars of a window, and others."""
        light: NDArray[Any] | float = 0.0
        if self.saturated is not None:
            light = saturated_light(self.mosaic, part.psf, window, self.saturated)
        if stars is not None:
            light = light + self.mosaic.light(part.psf, window, stars)
        return light

    def data_in(self, part: Exposure, window: Window) -> NDArray[Any]:
        """Tell what is to be fitted in a window: no sky, no saturated stars."""
        data = part.subtract_sky()
        if self.saturated is not None:
            data -= self.light_in(part, window, None)
        return data

    def set_error(self, part: Exposure, window: Window) -> NDArray[Any]:
        """Set the errors by the light of the bright stars, which is returned.

        In rounds they are set by that of all stars.

        The window's sky is the one that was last measured, afterwards.
        """
        light = self.light_in(part, window, self.bright)
        light = np.broadcast_to(np.asarray(light, part.data.dtype), part.shape)
        part.error = pixel_errors(part, light)
        fitted = self.fitted
        if fitted is not None:
            renew_errors(
                part,
                lambda: self.mosaic.all_light(window, fitted, self.saturated),
            )
        if self.mosaic.remade_sky is not None:
            part.sky = self.mosaic.remade_sky.window(window)
        return light

    def is_near_saturated(
        self, part: Exposure, light: NDArray[Any] | float
    ) -> NDArray[np.bool_]:
        """Tell where the light of saturated stars is not known to the sky's noise."""
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * MISMATCH * light > part.sky.rms)

    def fit_tiles(self, start: QTable) -> Passes:
        """Fit stars that are known, each with all that its tile sees.

        Raises
        ------
        NoStarsError
            If none is on a tile.
        """
        group_stars(start, self.mosaic.whole)
        x, y = (np.asarray(start[f"{axis}_init"], dtype=float) for axis in "xy")
        whole = self.mosaic.whole
        fit_tile = partial(self._fit_tile, start, rules_of(whole).least_significance())
        tiles = [t for t in self.mosaic.tiles if (t.sees(x, y) & t.owns(x, y)).any()]
        tiles = with_whole_groups(tiles, start, whole.settings)
        fits = [fit for _, fit in self.mosaic.over_tiles(fit_tile, tiles)]
        if not fits:
            raise NoStarsError.above(whole.settings.threshold, whole)
        table = stacked([fit.rows for fit in fits])
        order = np.argsort(np.asarray(table["id"]), kind="stable")
        table = table[order]
        _set_groups(table, start)
        self.fit = TiledFit(
            table,
            np.concatenate([fit.significances for fit in fits])[order],
            np.concatenate([fit.errors for fit in fits])[order],
        )
        photometry = make_photometry(whole)
        # As was asked for, whatever threads workers have.
        table.meta |= metadata(photometry.settings())
        return Passes(table, photometry, start)

    def _fit_tile(
        self, start: QTable, limit: float | None, tile: Tile, part: Exposure
    ) -> TiledFit:
        """Fit the stars that a tile sees; those that belong to it are told."""
        x, y = (np.asarray(start[f"{axis}_init"], dtype=float) for axis in "xy")
        seen = tile.sees(x, y)
        self.set_error(part, tile.window)
        x0, y0 = tile.origin
        init = start[seen]
        init["x_init"] -= x0
        init["y_init"] -= y0
        data = self.data_in(part, tile.window)
        table, photometry = fit_stars(part, init, data=data)
        own = tile.owns(x, y)[seen]
        return TiledFit(
            moved(table[own], tile),
            photometry.last_fit().significance(limit)[own],
            sum_of_errors(table[own], part),
        )

    def noise_at(self, table: QTable) -> NDArray[Any]:
        """Tell the sky's noise at each row."""
        x, y = (np.asarray(table[f"{axis}_fit"], dtype=float) for axis in "xy")
        row, column, _ = nearest_pixels(x, y, self.mosaic.shape)
        noise = np.zeros(len(table))
        for window in self.mosaic.bands():
            rows = window[0]
            here = (row >= rows.start) & (row < rows.stop)
            rms = self.mosaic.sky_now.sheets.background_rms(window)
            noise[here] = rms[row[here] - rows.start, column[here]]
        return noise


def _set_groups(table: QTable, start: QTable) -> None:
    """Give the rows their groups in the whole image, of which tiles see parts."""
    if "group_id" not in start.colnames:
        return
    group = np.asarray(start["group_id"])
    at = np.searchsorted(np.asarray(start["id"]), np.asarray(table["id"]))
    table["group_id"] = group[at]
    _, label, number = np.unique(group, return_inverse=True, return_counts=True)
    table["group_size"] = number[label][at]
