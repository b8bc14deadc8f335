"""The rows of tiles, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from astropy.table import vstack

if TYPE_CHECKING:
    from astropy.table import QTable

    from psfphot.pipeline._tiles.tiling import Tile


def stacked(tables: list[QTable]) -> QTable:
    """Join the rows of tiles, whose meta is the same."""
    table = vstack(tables, metadata_conflicts="silent")
    # Lists in them would be joined, too.
    table.meta = dict(tables[0].meta)
    return table


def moved(table: QTable, tile: Tile) -> QTable:
    """Move the positions of a window's rows into the image."""
    for axis, origin in zip("xy", tile.origin, strict=True):
        for name in (f"{axis}_init", f"{axis}_fit"):
            table[name] = table[name] + origin
    return table
