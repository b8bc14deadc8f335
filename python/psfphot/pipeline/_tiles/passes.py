"""Finding and fitting the stars of an image on disk, each pass over all tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, vstack

from psfphot.pipeline._cuts import sharper_than_stars
from psfphot.pipeline._detection import MIDDLE, NoStarsError, excess_noise, find_stars
from psfphot.pipeline._fit import fit_stars
from psfphot.pipeline._groups import group_stars
from psfphot.pipeline._mismatch import LEAST_MISMATCH, measure_mismatch, sum_of_errors
from psfphot.pipeline._noise import (
    noise_model,
    pixel_errors,
    renew_errors,
    search_noise,
)
from psfphot.pipeline._passes import (
    BRIGHT,
    Passes,
    close_to,
    without_no_stars,
)
from psfphot.pipeline._pixels import nearest_pixels
from psfphot.pipeline._rounds import rules_of
from psfphot.pipeline._saturated_stars import MISMATCH
from psfphot.pipeline._starts import start_from_detections
from psfphot.pipeline._tiles.fits import TiledFit
from psfphot.pipeline._tiles.residual import TiledResidual
from psfphot.pipeline._tiles.rounds import iterate_tiles
from psfphot.pipeline._tiles.rows import moved, stacked
from psfphot.pipeline._tiles.saturated import (
    measure_saturated_tiles,
    saturated_light,
)
from psfphot.psf import PSF_FLAGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.pipeline._clock import Clock
    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._tiles.mosaic import Mosaic, Window
    from psfphot.psf import PSFPhotometry

#: Around the middle of the image, so that the light of neighbours is known there.
_EDGE = 2


class TiledPasses:
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
    saturated : `~astropy.table.QTable` or `None`
        The rows of the saturated stars.
    fit : `TiledFit` or `None`
        The last fit of all stars.
    n_unfitted : int
        How many saturated stars were dropped, because they could not be fitted.
    """

    def __init__(self, mosaic: Mosaic, level: float | None, clock: Clock) -> None:
        self.mosaic, self.clock = mosaic, clock
        self.photometry: PSFPhotometry | None = None
        self.fit: TiledFit | None = None
        with clock.step("saturated"):
            self.saturated, self.n_unfitted = measure_saturated_tiles(mosaic, level)
        self._bright: QTable | None = None
        # Those whose light tells the errors in rounds.
        self._fitted: QTable | None = None

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
        self._bright, found = bright, []
        if bright is not None:
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
        passes = without_no_stars(whole, passes, self._fit, self._noise_at)
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

    @property
    def local_bkg_estimator(self) -> Any:
        """What measures the sky around each star in the fits, if anything does."""
        return None if self.photometry is None else self.photometry.local_bkg_estimator

    def _iterated(self, passes: Passes) -> Passes:
        """Look for more stars in what is left, and drop what is none."""
        whole, self._fitted = self.mosaic.whole, passes.table
        with self.clock.step("rounds"):
            again = iterate_tiles(self, passes.mismatch)
        if again is None:
            raise NoStarsError.above(whole.settings.threshold, whole)
        passes.table, passes.history = again
        return without_no_stars(whole, passes, self._fit, self._noise_at)

    def light_in(
        self, part: Exposure, window: Window, stars: QTable | None
    ) -> NDArray[Any] | float:
        """Render the saturated stars of a window, and others."""
        light = saturated_light(self.mosaic, part.psf, window, self.saturated)
        if stars is not None:
            light = light + self.mosaic.light(part.psf, window, stars)
        return light

    def _data(self, part: Exposure, window: Window) -> NDArray[Any]:
        data = part.subtract_sky()
        if self.saturated is not None:
            data -= self.light_in(part, window, None)
        return data

    def set_error(self, part: Exposure, window: Window) -> NDArray[Any]:
        """Set the errors by the light of the bright stars, which is returned.

        In rounds they are set by that of all stars.

        The window's sky is the one that was last measured, afterwards.
        """
        light = self.light_in(part, window, self._bright)
        light = np.broadcast_to(np.asarray(light, part.data.dtype), part.shape)
        part.error = pixel_errors(part, light)
        if self._fitted is not None and noise_model(part) is not None:
            saturated = self.light_in(part, window, None)
            fitted = self.mosaic.fitted_light(window, self._fitted)
            renew_errors(part, fitted + saturated)
        if self.mosaic.remade_sky is not None:
            part.sky = self.mosaic.remade_sky.window(window)
        return light

    def is_near_saturated(
        self, part: Exposure, light: NDArray[Any] | float
    ) -> NDArray[np.bool_]:
        """Tell where the light of saturated stars is not known to the sky's noise."""
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * MISMATCH * light > part.sky.rms)

    def _find_bright(self) -> QTable | None:
        """Find and fit the bright stars; `None` where there are none."""
        threshold = max(BRIGHT, self.mosaic.whole.settings.threshold)
        tables = []
        for tile, part in self.mosaic.parts():
            data = self._data(part, tile.window)
            part.error = pixel_errors(part)
            try:
                stars = find_stars(
                    part, data=data, error=part.error, threshold=threshold
                )
            except NoStarsError:
                continue
            start = start_from_detections(stars)
            start["id"] = np.arange(1, len(start) + 1)
            group_stars(start, part)
            table, self.photometry = fit_stars(part, start, data=data)
            x0, y0 = tile.origin
            owned = tile.owns(start["x_init"] + x0, start["y_init"] + y0)
            tables.append(moved(table[owned], tile))
        if not sum(map(len, tables)):
            return None
        return stacked(tables)

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
        for tile, part in self.mosaic.parts():
            rest, noise = self._rest(part, tile.window, mismatch)
            try:
                stars = find_stars(part, data=rest, error=noise, threshold=threshold)
            except NoStarsError:
                continue
            is_sharp = sharper_than_stars(stars, part.psf)
            start = start_from_detections(stars)
            x0, y0 = tile.origin
            start["x_init"] += x0
            start["y_init"] += y0
            owned = tile.owns(start["x_init"], start["y_init"])
            n_sharp += int(np.count_nonzero(is_sharp & owned))
            more = start[owned & ~is_sharp]
            is_close = close_to(more, known, separation)
            n_close += int(np.count_nonzero(is_close))
            found.append(more[~is_close])
        return vstack(found, metadata_conflicts="silent"), n_sharp, n_close

    def _fit(self, start: QTable) -> Passes:
        """Group and fit stars that are known."""
        with self.clock.step("fit"):
            return self.fit_tiles(start)

    def fit_tiles(self, start: QTable) -> Passes:
        """Fit stars that are known, each with all that its tile sees.

        Raises
        ------
        NoStarsError
            If none is on a tile.
        """
        group_stars(start, self.mosaic.whole)
        x, y = (np.asarray(start[f"{axis}_init"], dtype=float) for axis in "xy")
        tables, significance, errors = [], [], []
        limit = rules_of(self.mosaic.whole).least_significance() or 0.0
        for tile, part in self.mosaic.parts():
            seen = tile.sees(x, y)
            owned = tile.owns(x, y)
            if not (seen & owned).any():
                continue
            self.set_error(part, tile.window)
            x0, y0 = tile.origin
            init = start[seen]
            init["x_init"] -= x0
            init["y_init"] -= y0
            data = self._data(part, tile.window)
            table, self.photometry = fit_stars(part, init, data=data)
            own = owned[seen]
            significance.append(self.photometry.last_fit().significance(limit)[own])
            errors.append(sum_of_errors(table[own], part))
            tables.append(moved(table[own], tile))
        if self.photometry is None or not tables:
            whole = self.mosaic.whole
            raise NoStarsError.above(whole.settings.threshold, whole)
        table = stacked(tables)
        order = np.argsort(np.asarray(table["id"]), kind="stable")
        table = table[order]
        _set_groups(table, start)
        self.fit = TiledFit(
            table, np.concatenate(significance)[order], np.concatenate(errors)[order]
        )
        return Passes(table, self.photometry, start)

    def _noise_at(self, table: QTable) -> NDArray[Any]:
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

    def _flag_near_saturated(self, table: QTable) -> None:
        if self.saturated is None:
            return
        x, y = (np.asarray(table[f"{axis}_fit"], dtype=float) for axis in "xy")
        for tile, part in self.mosaic.parts():
            owned = np.flatnonzero(tile.owns(x, y))
            light = self.light_in(part, tile.window, None)
            is_near = self.is_near_saturated(part, light)
            x0, y0 = tile.origin
            row, column, _ = nearest_pixels(x[owned] - x0, y[owned] - y0, part.shape)
            table["flags"][owned[is_near[row, column]]] |= PSF_FLAGS.NEAR_SATURATED


def _set_groups(table: QTable, start: QTable) -> None:
    """Give the rows their groups in the whole image, of which tiles see parts."""
    if "group_id" not in start.colnames:
        return
    group = np.asarray(start["group_id"])
    at = np.searchsorted(np.asarray(start["id"]), np.asarray(table["id"]))
    table["group_id"] = group[at]
    _, label, number = np.unique(group, return_inverse=True, return_counts=True)
    table["group_size"] = number[label][at]
