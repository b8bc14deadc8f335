"""How an image is cut into tiles, and which tile a star belongs to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.pipeline._settings import ResolvedSettings

#: Stars that are fitted together need each other's neighbours: beyond so many pixels
#: none changes a fit by 1 % of its error.
_JOINT = 64

#: The kernel that finds stars, and the boxes that bright ones are seen in, reach so
#: many FWHM.
_KERNEL = 4.0

#: Positions that are equal but for rounding belong to the same tile.
_DECIMALS = 6


@dataclass(frozen=True)
class Tile:
    """A tile: the stars of some pixels, which see more of the image around.

    Attributes
    ----------
    rows, columns : slice
        The pixels whose stars belong to it.
    window : tuple of slice
        The (rows, columns) that are read for it.
    shape : (ny, nx)
        Of the image.
    """

    rows: slice
    columns: slice
    window: tuple[slice, slice]
    shape: tuple[int, int]

    def __str__(self) -> str:
        rows, columns = (f"{s.start}-{s.stop - 1}" for s in (self.rows, self.columns))
        return f"tile of rows {rows}, columns {columns}"

    @property
    def origin(self) -> tuple[int, int]:
        """The (x, y) of the window's first pixel."""
        return self.window[1].start, self.window[0].start

    @property
    def inner(self) -> tuple[slice, slice]:
        """The tile's own pixels in its window."""
        x0, y0 = self.origin
        return (
            slice(self.rows.start - y0, self.rows.stop - y0),
            slice(self.columns.start - x0, self.columns.stop - x0),
        )

    def owns(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which positions on the image belong to the tile.

        Tiles are half open, those at the image's edges go on beyond these.
        """
        owned = np.isfinite(x) & np.isfinite(y)
        places = ((x, self.columns, 1), (y, self.rows, 0))
        for position, pixels, axis in places:
            at = np.round(position, _DECIMALS)
            if pixels.start > 0:
                owned &= at >= pixels.start - 0.5
            if pixels.stop < self.shape[axis]:
                owned &= at < pixels.stop - 0.5
        return np.asarray(owned)

    def sees(
        self, x: NDArray[Any], y: NDArray[Any], beyond: float = 0.0
    ) -> NDArray[np.bool_]:
        """Tell which positions lie in the window, or so many pixels beyond it.

        A window at an edge of the image sees what lies off the image there, too.
        """
        seen = np.isfinite(x) & np.isfinite(y)
        places = ((x, self.window[1], 1), (y, self.window[0], 0))
        for position, pixels, axis in places:
            if pixels.start > 0:
                seen &= position >= pixels.start - 0.5 - beyond
            if pixels.stop < self.shape[axis]:
                seen &= position < pixels.stop - 0.5 + beyond
        return np.asarray(seen)


def cut_tiles(shape: tuple[int, int], side: int, halo: int) -> list[Tile]:
    """Cut an image into tiles of about equal size, with a halo around each.

    Parameters
    ----------
    shape : (ny, nx)
        Of the image.
    side : int
        The most pixels of a tile along each axis.
    halo : int
        The pixels around it that are read with it.
    """

    def edges(n: int) -> list[int]:
        number = math.ceil(n / side)
        return [n * k // number for k in range(number + 1)]

    return _between(edges(shape[0]), edges(shape[1]), shape, halo)


def cut_along(
    edges: tuple[Sequence[int], Sequence[int]], side: int, halo: int
) -> list[Tile]:
    """Cut an image into tiles of whole blocks.

    Parameters
    ----------
    edges : (list of int, list of int)
        Where blocks begin and end along y and along x.
    side : int
        About the most pixels of a tile along each axis; one block at least.
    halo : int
        As for `cut_tiles`.
    """

    def chosen(all_edges: Sequence[int]) -> list[int]:
        n_blocks, n = len(all_edges) - 1, all_edges[-1]
        step = max(1, side * n_blocks // n)
        return [*all_edges[:-1:step], n]

    shape = edges[0][-1], edges[1][-1]
    return _between(chosen(edges[0]), chosen(edges[1]), shape, halo)


def _between(
    rows: list[int], columns: list[int], shape: tuple[int, int], halo: int
) -> list[Tile]:
    """Make the tiles between edges along y and along x."""

    def cuts(edges: list[int], n: int) -> list[tuple[slice, slice]]:
        return [
            (slice(a, b), slice(max(0, a - halo), min(n, b + halo)))
            for a, b in pairwise(edges)
        ]

    return [
        Tile(inner_y, inner_x, (wide_y, wide_x), shape)
        for inner_y, wide_y in cuts(rows, shape[0])
        for inner_x, wide_x in cuts(columns, shape[1])
    ]


def halo_of(settings: ResolvedSettings) -> int:
    """Tell how many pixels around a tile its stars depend on.

    That is the distance of the nearest other peak, the kernel, half a fit box, and the
    length of a group; 64 pixels if stars are fitted together.
    """
    group = 0.0
    if settings.group_box is not None:
        group = max(settings.group_box)
    elif settings.group_separation is not None:
        group = settings.group_separation
    halo = settings.min_separation + _KERNEL * settings.fwhm + group
    halo += _reach_of_fit(settings)
    return math.ceil(max(halo, _JOINT if group else 0))


def _reach_of_fit(settings: ResolvedSettings) -> float:
    """Tell how many pixels around a star its fit sees."""
    annulus = settings.local_bkg
    return max(settings.fit_shape) / 2 + (0.0 if annulus is None else annulus[1])


def with_whole_groups(
    tiles: Sequence[Tile], start: QTable, settings: ResolvedSettings
) -> list[Tile]:
    """Widen the windows of tiles so that they hold the groups of their stars.

    By no more than the halo once more: in crowded fields a group may go through all of
    the image. One that is longer is fitted in parts.

    Parameters
    ----------
    tiles : list of `Tile`
        The tiles.
    start : `~astropy.table.QTable`
        The stars, with ``x_init`` and ``y_init``, and ``group_id`` if grouped.
    settings : `ResolvedSettings`
        How they are fitted.
    """
    if "group_id" not in start.colnames:
        return list(tiles)
    x, y = (np.asarray(start[f"{axis}_init"], dtype=float) for axis in "xy")
    labels, label = np.unique(np.asarray(start["group_id"]), return_inverse=True)
    halo, reach = halo_of(settings), _reach_of_fit(settings)
    ends = []
    for position in (y, x):
        first, last = np.full(len(labels), np.inf), np.full(len(labels), -np.inf)
        np.minimum.at(first, label, position)
        np.maximum.at(last, label, position)
        ends.append((np.floor(first - reach), np.ceil(last + reach) + 1))

    def widened(tile: Tile) -> Tile:
        own = np.unique(label[tile.owns(x, y)])
        for (first, last), side in zip(ends, tile.window, strict=True):
            is_near = first[own] >= side.start - halo
            own = own[is_near & (last[own] <= side.stop + halo)]
        rows, columns = (
            slice(
                max(0, int(np.min(first[own], initial=side.start))),
                min(n, int(np.max(last[own], initial=side.stop))),
            )
            for (first, last), side, n in zip(
                ends, tile.window, tile.shape, strict=True
            )
        )
        return replace(tile, window=(rows, columns))

    return [widened(tile) for tile in tiles]
