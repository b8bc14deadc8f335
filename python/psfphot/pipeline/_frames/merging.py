"""One catalogue of the catalogues of many frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, vstack
from astropy.units import UnitConversionError

from psfphot._files import file_suffix
from psfphot.io import FileFormatError, read_sources, write_catalog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class MergedCatalogs:
    """What `merge_catalogs` wrote.

    Attributes
    ----------
    path : `~pathlib.Path` or `None`
        The rows with a position on the sky; `None` if there are none.
    n_rows : int
        Their number.
    path_without_sky : `~pathlib.Path` or `None`
        The other rows; `None` if there are none.
    n_without_sky : int
        Their number.
    """

    path: Path | None
    n_rows: int
    path_without_sky: Path | None
    n_without_sky: int


def without_sky(path: Path) -> Path:
    """Name the file of the rows that have no position on the sky."""
    suffix = file_suffix(path)
    stem = path.name[: len(path.name) - len(suffix)]
    return path.with_name(f"{stem}_without_sky{path.name[len(stem) :]}")


def merge_catalogs(catalogs: Sequence[Path], path: Path) -> MergedCatalogs:
    """Write the rows of many catalogues into one.

    Parameters
    ----------
    catalogs : sequence of `~pathlib.Path`
        Files that `psfphot.io.write_catalog` has written, one or more. Columns that
        only some have are masked in the rows of the others; of the meta stays
        what all have in common.
    path : `~pathlib.Path`
        The file to write. Rows whose RA and Dec are not finite, or that have none, go
        into another beside it, see `without_sky`: programs that divide the sky take
        them without a word.

    Returns
    -------
    merged : `MergedCatalogs`

    Raises
    ------
    FileFormatError
        If a catalogue cannot be read, or its units do not go with the first one's.
    OSError
        If the file cannot be written.
    """
    tables = [read_sources(one) for one in catalogs]
    meta = _common([table.meta for table in tables])
    merged = _stacked(tables, catalogs)
    merged.meta = meta
    has_sky = _has_sky(merged)
    parts = {path: merged[has_sky], without_sky(path): merged[~has_sky]}
    for name, rows in parts.items():
        if len(rows):
            write_catalog(name, rows)
    (_, on_sky), (beside, others) = parts.items()
    return MergedCatalogs(
        path if len(on_sky) else None,
        len(on_sky),
        beside if len(others) else None,
        len(others),
    )


def _stacked(tables: Sequence[QTable], names: Sequence[Path]) -> QTable:
    try:
        return vstack(tables, metadata_conflicts="silent")
    except (UnitConversionError, TypeError, ValueError) as exc:
        for table, name in zip(tables, names, strict=True):
            for column in set(table.colnames) & set(tables[0].colnames):
                units = tables[0][column].info.unit, table[column].info.unit
                if units[0] != units[1]:
                    msg = (
                        f"{name}: the unit of {column} is {units[1]}, that of "
                        f"{names[0]} {units[0]}; they cannot be merged"
                    )
                    raise FileFormatError(msg) from exc
        raise FileFormatError(f"the catalogues cannot be merged: {exc}") from exc


def _has_sky(table: QTable) -> NDArray[np.bool_]:
    """Tell the rows with RA and Dec."""
    if not {"ra", "dec"} <= set(table.colnames):
        return np.zeros(len(table), dtype=bool)
    columns = [table["ra"], table["dec"]]
    known = np.ones(len(table), dtype=bool)
    for column in columns:
        degrees = np.ma.asanyarray(getattr(column, "unmasked", column))
        known &= np.isfinite(np.ma.filled(degrees, np.nan).astype(float))
        known &= ~np.asarray(getattr(column, "mask", False), dtype=bool)
    return known


def _common(metas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Keep what all say alike."""
    first, *others = metas
    return {
        key: value
        for key, value in first.items()
        if all(key in meta and meta[key] == value for meta in others)
    }
