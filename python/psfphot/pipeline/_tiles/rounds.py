"""Rounds after the first over the tiles of an image on disk."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from astropy.table import QTable

from psfphot.pipeline._detection import make_finder
from psfphot.pipeline._fit import local_background
from psfphot.pipeline._rounds import History, StarTests, rules_of, told_by
from psfphot.pipeline._tiles.residual import TiledResidual
from psfphot.psf._iterative.managed import Manager
from psfphot.psf._iterative.rounds import Observation, Rounds
from psfphot.psf._iterative.search import Finding, find_new
from psfphot.psf._photometry.residuals import quiet_frame
from psfphot.psf._photometry.starts import add_background

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._tiles.fits import TiledFit
    from psfphot.pipeline._tiles.fitting import TiledFitter
    from psfphot.pipeline._tiles.residual import Left, ScoreBlocks
    from psfphot.pipeline._tiles.tiling import Tile
    from psfphot.psf import PSFPhotometry, StarListManagement
    from psfphot.psf._iterative.star_list import StarList


def iterate_tiles(
    fitter: TiledFitter, first_mismatch: float
) -> tuple[QTable, History] | None:
    """Find more stars in what a fit has left, as `iterate` does, tile by tile.

    There is one list of stars. Each round takes them off all tiles, measures the sky
    anew, searches all tiles, and fits all: what one tile finds all others know of.

    Parameters
    ----------
    fitter : `TiledFitter`
        What has fitted the first round; it holds the last fit afterwards.
    first_mismatch : float
        By what part of its value the PSF is off, where too few stars tell.

    Returns
    -------
    table : `~astropy.table.QTable`
        The last fit's table, with the columns of `HISTORY`. `None` without stars.
    history : `History`
    """
    whole = fitter.mosaic.whole
    residual = TiledResidual(fitter, first_mismatch)
    most = whole.settings.rounds(are_given=False)
    rules = rules_of(whole)
    manager = TiledManager(
        cast("PSFPhotometry", TiledPhotometry(fitter, residual)),
        Observation(whole.image.data, None, None),
        rules,
        maxiters=most,
        sub_shape=None,
        search=TiledSearch(residual, rules),
    )
    fit: Any = residual.fit
    first = Rounds(fit, np.ones(len(fit.rows), dtype=np.int64))
    with warnings.catch_warnings():
        # The run counts every flag by its name.
        warnings.filterwarnings("ignore", message=".*may not have converged.*")
        rounds = manager.fit_all(first, is_given=False)
    if rounds is None:
        return None
    table = rounds.fit.table()
    return table, told_by(rounds, table, most)


class TiledPhotometry:
    """Fits stars to an image on disk, for a `Manager`, as `PSFPhotometry` does.

    Parameters
    ----------
    fitter : `TiledFitter`
        What fits them, and keeps the last fit.
    residual : `TiledResidual`
        What takes them off the image.
    """

    results = None

    def __init__(self, fitter: TiledFitter, residual: TiledResidual) -> None:
        self._fitter, self._residual = fitter, residual
        self.psf_model = fitter.mosaic.whole.psf.model

    def __call__(
        self, data: Any, *, mask: Any, error: Any, init_params: QTable
    ) -> None:
        """Fit all stars of a list to the image, whose arrays are on disk."""
        del data, mask, error
        self._fitter.fit_tiles(init_params.copy())

    def last_fit(self) -> TiledFit:
        """Give the last fit of all stars."""
        return self._residual.fit

    def make_residual_image(self, data: Any, *, psf_shape: Any) -> Any:
        """Take the stars off the image, on disk."""
        del psf_shape
        self._residual.subtract()
        return data


class Found(NamedTuple):
    """New stars on the image, and the local backgrounds under them."""

    finding: Finding
    local_bkg: NDArray[np.float64]


@dataclass
class TiledManager(Manager):
    """Manages the list of stars of an image on disk.

    Parameters
    ----------
    search : callable
        Finds new stars in what the last fit has left.
    """

    search: Callable[[StarList], Found | None] = field(kw_only=True)

    def _find(self, stars: StarList, left: Any) -> QTable | None:
        del left
        found = self.search(stars)
        if found is None:
            return None
        new = self._starts_of(found.finding, stars)
        new["local_bkg"] = found.local_bkg
        return stars.number(new)


@dataclass(frozen=True)
class TiledSearch:
    """Searches what the last fit has left of an image on disk for new stars.

    Parameters
    ----------
    left : `TiledResidual`
        What is left.
    rules : `StarListManagement`
        Which new stars are accepted.
    """

    left: TiledResidual
    rules: StarListManagement

    def __call__(self, stars: StarList) -> Found | None:
        """Find new stars; `None` if there are none."""
        left = self.left
        left.remake_sky()
        mismatch, width = left.mismatch(), None
        if left.mosaic.whole.settings.finder == "matched":
            # Other finders know of no correlated noise.
            width = left.score_width(stars.position(), mismatch)
        search = partial(self._search, stars, mismatch, width)
        found = [of_tile for _, of_tile in left.mosaic.over_tiles(search)]
        return _joined([of_tile for of_tile in found if of_tile is not None])

    def _search(
        self,
        stars: StarList,
        mismatch: float,
        width: ScoreBlocks | None,
        tile: Tile,
        part: Exposure,
    ) -> Found | None:
        """Find the new stars that belong to a tile."""
        # Its noise is that of the first sky.
        finder = make_finder(part, part.settings.threshold)
        seen = self.left.left(tile, part, stars.position(), mismatch)
        data = part.subtract_sky() - seen.known
        finding = find_new(
            finder,
            Observation(seen.residual.data, part.mask, None),
            _Barring(stars, tile.origin),
            self.rules,
            seen.residual,
            accepts=StarTests(part, seen.closed, lambda: data, lambda: mismatch),
            is_scaled=width is not None,
            width=None if width is None else width.seen_from(*tile.origin),
        )
        if finding is None:
            return None
        return _owned(finding, seen, tile, local_background(part.settings))


@dataclass(frozen=True)
class _Barring:
    """Tells in a window which places of the image take no star again."""

    stars: StarList
    origin: tuple[int, int]

    def is_barred(self, x: Any, y: Any, distance: float) -> NDArray[np.bool_]:
        x0, y0 = self.origin
        return self.stars.is_barred(x + x0, y + y0, distance)


def _owned(finding: Finding, seen: Left, tile: Tile, estimator: Any) -> Found | None:
    """Tell which new stars of a window belong to its tile, where on the image.

    The local backgrounds under them are measured by an estimator, if there is one.
    """
    x0, y0 = tile.origin
    own = tile.owns(finding.x + x0, finding.y + y0)
    if not own.any():
        return None
    finding = _rows(finding, own)
    at = QTable({"x_init": finding.x, "y_init": finding.y})
    frame = quiet_frame(seen.residual.data, seen.residual.mask, None)
    add_background(at, frame, estimator)
    nearest = finding.nearest.copy()
    is_beside = nearest >= 0
    nearest[is_beside] = seen.which[nearest[is_beside]]
    moved = finding._replace(x=finding.x + x0, y=finding.y + y0, nearest=nearest)
    return Found(moved, np.asarray(at["local_bkg"]))


def _joined(found: list[Found]) -> Found | None:
    """Join what the tiles have found, the most significant first."""
    if not found:
        return None
    columns: list[Any] = [
        np.concatenate(parts)
        for parts in zip(*(one.finding for one in found), strict=True)
    ]
    finding = Finding(*columns)
    order = np.argsort(-finding.score, kind="stable")
    local_bkg = np.concatenate([one.local_bkg for one in found])
    return Found(_rows(finding, order), local_bkg[order])


def _rows(finding: Finding, which: NDArray[Any]) -> Finding:
    """Choose some of new stars, or their order."""
    columns: list[Any] = [column[which] for column in finding]
    return Finding(*columns)
