"""What the fitted stars have left of an image on disk."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot import _core
from psfphot.io._on_disk import release
from psfphot.pipeline._confusion import tell_confusion
from psfphot.pipeline._mismatch import mismatch_of, profile_error_of
from psfphot.pipeline._noise import search_noise
from psfphot.pipeline._profile_error import Misfits, measure_misfits
from psfphot.pipeline._tiles.sheets import measure_sky_sheets
from psfphot.pipeline._tiles.tiling import cut_along
from psfphot.psf import PSF_FLAGS
from psfphot.psf._models.convert import to_core
from psfphot.psf._photometry.confusion import COMPANION
from psfphot.psf._photometry.residuals import (
    compiled,
    quiet_frame,
    residual_for_core,
    with_errors,
)

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot._residual import Residual
    from psfphot.pipeline._confusion import Confusion
    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._tiles.fits import TiledFit
    from psfphot.pipeline._tiles.fitting import TiledFitter
    from psfphot.pipeline._tiles.tiling import Tile

#: A score depends on stars and pixels that are so many FWHM away.
_REACH = 4.0


class Left(NamedTuple):
    """What is left of a window.

    Attributes
    ----------
    residual : `~psfphot._residual.Residual`
        The pixels, with their errors in a search, and the stars.
    which : (n,) int array
        The rows that these stars are.
    known : 2D array or float
        The light of saturated stars.
    closed : 2D bool array
        Pixels in which there is no new star.
    """

    residual: Residual
    which: NDArray[np.intp]
    known: NDArray[Any] | float
    closed: NDArray[np.bool_]


class ScoreBlocks(NamedTuple):
    """The width of the score in blocks of an image, as workers are sent it.

    Attributes
    ----------
    widths, weights, n_blocks, shape
        The arguments of `_core.ScoreWidth`.
    """

    widths: NDArray[np.float64]
    weights: NDArray[np.float64]
    n_blocks: tuple[int, int]
    shape: tuple[int, int]

    def seen_from(self, x: int, y: int) -> _core.ScoreWidth:
        """Tell it for positions in a window whose first pixel is at (x, y)."""
        return _core.ScoreWidth(*self).seen_from(x, y)


class TiledResidual:
    """What the last fit has left of an image on disk.

    Parameters
    ----------
    fitter : `TiledFitter`
        What fits the stars.
    first_mismatch : float
        By what part of its value the PSF is off, where too few stars tell.
    """

    def __init__(self, fitter: TiledFitter, first_mismatch: float) -> None:
        self.fitter, self.mosaic = fitter, fitter.mosaic
        self._first_mismatch = first_mismatch
        mosaic = self.mosaic
        self.fwhm = compiled(mosaic.whole.psf.model, mosaic.shape)[1]
        self._starless: NDArray[Any] = mosaic.image.data

    @property
    def fit(self) -> TiledFit:
        """The last fit; there must have been one."""
        if self.fitter.fit is None:
            msg = "no star has been fitted"
            raise ValueError(msg)
        return self.fitter.fit

    def subtract(self) -> None:
        """Take the stars of the last fit, and the saturated ones, off the image."""
        mosaic, rows, saturated = self.mosaic, self.fit.rows, self.fitter.saturated
        self._starless = mosaic.subtract(
            lambda window: mosaic.all_light(window, rows, saturated), "starless"
        )

    def remake_sky(self) -> None:
        """Measure the sky without the stars, as `RemadeSky` does."""
        mosaic = self.mosaic
        mosaic.remade_sky = measure_sky_sheets(
            mosaic.whole, mosaic.masks.pixels, self._starless, stars="subtracted"
        )
        mosaic.release()

    def profile_error(self) -> float | None:
        """Tell how far the PSF is off the brightest stars, see `profile_error_of`."""
        fit = self.fit
        return profile_error_of(fit.rows, lambda chosen: fit.errors[chosen])

    def mismatch(self) -> float:
        """Tell what part of a star's light may be left by the PSF's fault."""
        return mismatch_of(self.profile_error(), self._first_mismatch)

    def left(self, tile: Tile, part: Exposure, stars: Stars, mismatch: float) -> Left:
        """Tell what is left of a tile's window, beside the stars at (x, y)."""
        x, y = stars
        window = tile.window
        known = self.fitter.light_in(part, window, None)
        closed = part.mask
        if self.fitter.saturated is not None:
            closed = closed | self.fitter.is_near_saturated(part, known)
        self.fitter.set_error(part, window)
        starless = np.array(self._starless[window])
        release(self._starless)
        light = part.data - starless
        which = np.flatnonzero(tile.sees(x, y, _REACH * self.fwhm))
        x0, y0 = tile.origin
        residual = residual_for_core(
            quiet_frame(starless - part.sky.background, part.mask, part.error),
            (x[which] - x0, y[which] - y0),
            psf=to_core(part.psf.model),
            fwhm=self.fwhm,
            n_threads=part.settings.n_threads,
        )
        errors = search_noise(part, light, mismatch)
        return Left(with_errors(residual, errors), which, known, closed)

    def score_width(self, stars: Stars, mismatch: float) -> ScoreBlocks:
        """Measure the width of the score in blocks of the whole image."""
        mosaic = self.mosaic
        edges = [_core.score_block_edges(side, self.fwhm) for side in mosaic.shape]
        n_blocks = len(edges[0]) - 1, len(edges[1]) - 1
        widths, weights = np.full((2, *n_blocks), np.nan)
        tiles = cut_along(
            (edges[0], edges[1]), mosaic.side, math.ceil(_REACH * self.fwhm)
        )
        measure = partial(self._blocks_in, stars, mismatch, edges)
        for tile, told in mosaic.over_tiles(measure, tiles):
            at = tuple(_blocks_of(tile, edges))
            for values, some in zip((widths, weights), told, strict=True):
                part_of = values[at]
                part_of[...] = some.reshape(part_of.shape)
        return ScoreBlocks(widths.ravel(), weights.ravel(), n_blocks, mosaic.shape)

    def _blocks_in(
        self,
        stars: Stars,
        mismatch: float,
        edges: list[list[int]],
        tile: Tile,
        part: Exposure,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Measure widths and weights in a tile's own blocks."""
        residual = self.left(tile, part, stars, mismatch).residual
        rows, columns = (
            [edge - origin for edge in of_side[blocks.start : blocks.stop + 1]]
            for of_side, blocks, origin in zip(
                edges, _blocks_of(tile, edges), tile.origin[::-1], strict=True
            )
        )
        return _core.measure_score_blocks(residual, rows, columns)

    def add_confusion(self, table: QTable) -> Confusion:
        """Make the errors of the last fit larger in its table, as `add_confusion`."""
        self.subtract()
        x, y = (np.asarray(table[f"{axis}_fit"], dtype=float) for axis in "xy")
        mismatch = self.mismatch()
        width = self.score_width((x, y), mismatch)
        columns = np.full((2 + len(Misfits._fields), len(table)), np.nan)
        stars = table["x_fit", "y_fit", "flux_fit"]
        measure = partial(self._confusion_in, stars, mismatch, width)
        for _, (own, told) in self.mosaic.over_tiles(measure):
            columns[:, own] = told
        factor, companion, *misfits = columns
        factor = np.where(np.isfinite(factor), factor, 1.0)
        for axis in ("x", "y", "flux"):
            table[f"{axis}_err"] *= factor
        table["flags"][companion > COMPANION] |= PSF_FLAGS.UNMODELLED_COMPANION
        typical = width.seen_from(0, 0).typical
        return tell_confusion(table, factor, companion, typical, Misfits(*misfits))

    def _confusion_in(
        self,
        stars: QTable,
        mismatch: float,
        width: ScoreBlocks,
        tile: Tile,
        part: Exposure,
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Tell a tile's own rows: factors, what stands beside them, and misfits."""
        x, y = (np.asarray(stars[f"{axis}_fit"], dtype=float) for axis in "xy")
        left = self.left(tile, part, (x, y), mismatch)
        residual = left.residual
        factor, companion, _ = _core.measure_confusion(
            residual, width.seen_from(*tile.origin)
        )
        flux = np.asarray(stars["flux_fit"], dtype=float)[left.which]
        # In a search the errors hold what the PSF may be off by.
        misfits = measure_misfits(
            with_errors(residual, np.asarray(part.error)), flux, part.settings.fit_shape
        )
        own = tile.owns(x, y)[left.which]
        return left.which[own], np.array([factor, companion, *misfits])[:, own]


def _blocks_of(tile: Tile, edges: list[list[int]]) -> list[slice]:
    """Tell which blocks along y and x are a tile's own."""
    return [
        slice(of_side.index(side.start), of_side.index(side.stop))
        for of_side, side in zip(edges, (tile.rows, tile.columns), strict=True)
    ]


#: The positions of stars, x and y in pixels.
Stars = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
