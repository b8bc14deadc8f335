"""Finding and fitting the stars of an image on disk, each pass over all tiles."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, vstack

from psfphot.pipeline._cuts import sharper_than_stars
from psfphot.pipeline._detection import MIDDLE, NoStarsError, excess_noise, find_stars
from psfphot.pipeline._fit import fit_stars
from psfphot.pipeline._groups import group_stars
from psfphot.pipeline._mismatch import LEAST_MISMATCH, measure_mismatch
from psfphot.pipeline._noise import pixel_errors, search_noise
from psfphot.pipeline._passes import BRIGHT, Passes, close_to, without_no_stars
from psfphot.pipeline._pixels import nearest_pixels
from psfphot.pipeline._starts import start_from_detections
from psfphot.pipeline._tiles.fitting import LIGHT, TiledFitter
from psfphot.pipeline._tiles.residual import TiledResidual
from psfphot.pipeline._tiles.rounds import iterate_tiles
from psfphot.pipeline._tiles.rows import moved, stacked
from psfphot.pipeline._tiles.saturated import measure_saturated_tiles
from psfphot.pipeline._tiles.variances import measure_noise_planes
from psfphot.psf import PSF_FLAGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.pipeline._clock import Clock
    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._tiles.mosaic import Mosaic, Window
    from psfphot.pipeline._tiles.tiling import Tile

#: Around the middle of the image, so that the light of neighbours is known there.
_EDGE = 2


class TiledPasses(TiledFitter):
    """Finds and fits stars as `find_and_fit` does, tile by tile.

    Parameters
    ----------
    mosaic : `Mosaic`
        The image with its sky and masks.
    level : float or `None`
        From which value on pixels are saturated.
    clock : `Clock`
        Keeps the time of the steps.

    Attributes
    ----------
    n_unfitted : int
        How many saturated stars were dropped, because they could not be fitted.
    """

    def __init__(self, mosaic: Mosaic, level: float | None, clock: Clock) -> None:
        self.clock = clock
        with clock.step("saturated"):
            saturated, self.n_unfitted = measure_saturated_tiles(mosaic, level)
        super().__init__(mosaic, saturated)

    def __call__(self) -> Passes:
        """Find and fit all stars.

        Raises
        ------
        NoStarsError
            If there are none.
        """
        whole = self.mosaic.whole
        with self.clock.step("bright"):
            bright = self._find_bright()
        mismatch = LEAST_MISMATCH if bright is None else measure_mismatch(bright)
        found = []
        if bright is not None:
            self.bright = bright[LIGHT]
            fitted = QTable({"x_init": bright["x_fit"], "y_init": bright["y_fit"]})
            known = np.isfinite(fitted["x_init"]) & np.isfinite(fitted["y_init"])
            found.append(fitted[known])
        with self.clock.step("find"):
            threshold, excess = whole.settings.threshold, 1.0
            if threshold < BRIGHT:
                excess = self._excess_noise(mismatch)
                threshold *= excess
            more, n_sharp, n_close = self._find_rest(mismatch, threshold, found)
            found.append(more)
        if not sum(map(len, found)):
            raise NoStarsError.above(threshold, whole)
        start = vstack(found, metadata_conflicts="silent")
        start["id"] = np.arange(1, len(start) + 1)
        passes = self._fit(start)
        passes.n_bright = 0 if bright is None else len(found[0])
        passes.mismatch, passes.excess_noise = mismatch, excess
        passes.dropped["sharper than the PSF"] = n_sharp
        passes.dropped["too close to a bright star"] = n_close
        passes = without_no_stars(whole, passes, self._fit, self.noise_at)
        if whole.settings.rounds(are_given=False) > 1:
            passes = self._iterated(passes)
        if whole.settings.has_confusion(are_given=False):
            with self.clock.step("confusion"):
                passes.confusion = TiledResidual(self, passes.mismatch).add_confusion(
                    passes.table
                )
        with self.clock.step("fit"):
            self._flag_near_saturated(passes.table)
        return passes

    def _iterated(self, passes: Passes) -> Passes:
        """Look for more stars in what is left, and drop what is none."""
        measure_noise_planes(self.mosaic)
        whole, self.fitted = self.mosaic.whole, passes.table[LIGHT]
        whole.has_renewed_errors = self.mosaic.noise_planes is not None
        with self.clock.step("rounds"):
            again = iterate_tiles(self, passes.mismatch)
        if again is None:
            raise NoStarsError.above(whole.settings.threshold, whole)
        passes.table, passes.history = again
        return without_no_stars(whole, passes, self._fit, self.noise_at)

    def _find_bright(self) -> QTable | None:
        """Find and fit the bright stars; `None` where there are none."""
        threshold = max(BRIGHT, self.mosaic.whole.settings.threshold)
        found = self.mosaic.over_tiles(partial(self._bright_in, threshold))
        tables = [table for _, table in found if table is not None]
        return stacked(tables) if sum(map(len, tables)) else None

    def _bright_in(self, threshold: float, tile: Tile, part: Exposure) -> QTable | None:
        """Find and fit the bright stars of a tile."""
        data = self.data_in(part, tile.window)
        part.error = pixel_errors(part)
        try:
            stars = find_stars(part, data=data, error=part.error, threshold=threshold)
        except NoStarsError:
            return None
        start = start_from_detections(stars)
        start["id"] = np.arange(1, len(start) + 1)
        group_stars(start, part)
        table, _ = fit_stars(part, start, data=data)
        x0, y0 = tile.origin
        owned = tile.owns(start["x_init"] + x0, start["y_init"] + y0)
        return moved(table[owned], tile)

    def _rest(self, part: Exposure, window: Window, mismatch: float) -> tuple[Any, Any]:
        """Tell what the bright stars leave of a window, and its noise."""
        light = self.set_error(part, window)
        rest = part.subtract_sky() - light
        return rest, search_noise(part, light, mismatch)

    def _excess_noise(self, mismatch: float) -> float:
        window = self.mosaic.middle(MIDDLE + 2 * _EDGE)
        part = self.mosaic.exposure(window)
        return excess_noise(part, *self._rest(part, window, mismatch))

    def _find_rest(
        self, mismatch: float, threshold: float, known: list[QTable]
    ) -> tuple[QTable, int, int]:
        """Find the stars that the bright ones leave.

        Returns them, and how many were too sharp, or too close to a bright one.
        """
        separation = self.mosaic.whole.settings.min_separation
        found = [QTable({"x_init": np.zeros(0), "y_init": np.zeros(0)})]
        n_sharp = n_close = 0
        find = partial(self._rest_in, mismatch, threshold)
        for _, (more, n) in self.mosaic.over_tiles(find):
            n_sharp += n
            is_close = close_to(more, known, separation)
            n_close += int(np.count_nonzero(is_close))
            found.append(more[~is_close])
        return vstack(found, metadata_conflicts="silent"), n_sharp, n_close

    def _rest_in(
        self, mismatch: float, threshold: float, tile: Tile, part: Exposure
    ) -> tuple[QTable, int]:
        """Find the stars of a tile that the bright ones leave, without the sharp."""
        rest, noise = self._rest(part, tile.window, mismatch)
        try:
            stars = find_stars(part, data=rest, error=noise, threshold=threshold)
        except NoStarsError:
            return QTable({"x_init": np.zeros(0), "y_init": np.zeros(0)}), 0
        is_sharp = sharper_than_stars(stars, part.psf)
        start = start_from_detections(stars)
        x0, y0 = tile.origin
        start["x_init"] += x0
        start["y_init"] += y0
        owned = tile.owns(start["x_init"], start["y_init"])
        return start[owned & ~is_sharp], int(np.count_nonzero(is_sharp & owned))

    def _fit(self, start: QTable) -> Passes:
        """Group and fit stars that are known."""
        with self.clock.step("fit"):
            return self.fit_tiles(start)

    def _flag_near_saturated(self, table: QTable) -> None:
        if self.saturated is None:
            return
        x, y = (np.asarray(table[f"{axis}_fit"], dtype=float) for axis in "xy")
        for _, is_near in self.mosaic.over_tiles(partial(self._near_in, x, y)):
            table["flags"][is_near] |= PSF_FLAGS.NEAR_SATURATED

    def _near_in(
        self, x: NDArray[Any], y: NDArray[Any], tile: Tile, part: Exposure
    ) -> NDArray[np.intp]:
        """Tell which of a tile's stars are near saturated ones."""
        owned = np.flatnonzero(tile.owns(x, y))
        light = self.light_in(part, tile.window, None)
        is_near = self.is_near_saturated(part, light)
        x0, y0 = tile.origin
        row, column, _ = nearest_pixels(x[owned] - x0, y[owned] - y0, part.shape)
        return owned[is_near[row, column]]
