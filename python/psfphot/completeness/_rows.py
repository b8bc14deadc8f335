"""Rows of measured columns: taken, stacked, and kept in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from psfphot.completeness._columns import DESCRIPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Kinds of columns that are kept: bool, integers, floats and words.
_PLAIN = "biufU"


def measured_columns(table: Table, row: NDArray[np.int64]) -> dict[str, Any]:
    """Take rows of a catalogue; -1 makes NaN, 0, False or an empty word.

    Masked values are as if the row were not there. Columns of other things than
    numbers and words are left out; one that has the name of a column of ours gets
    ``_fit`` behind it.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalogue.
    row : 1D int array
        Which rows.

    Returns
    -------
    columns : dict of array
        By name.
    """
    taken: dict[str, Any] = {}
    is_there = row >= 0
    for name in table.colnames:
        column = table[name]
        values = np.asarray(getattr(column, "value", column))
        if values.dtype.kind not in _PLAIN:
            continue
        made = np.full(
            (len(row), *values.shape[1:]), empty_value(values.dtype), values.dtype
        )
        made[is_there] = values[row[is_there]]
        mask = getattr(column, "mask", None)
        if mask is not None:
            hidden = np.asarray(mask)[row[is_there]]
            made[np.flatnonzero(is_there)[hidden]] = empty_value(values.dtype)
        taken[f"{name}_fit" if name in DESCRIPTIONS else name] = made
    return taken


def stack(tables: Sequence[Table]) -> Table:
    """Put tables below each other; what one lacks is NaN, 0, False or empty."""
    names = list(dict.fromkeys(name for table in tables for name in table.colnames))
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for name in names:
        kinds = [table[name] for table in tables if name in table.colnames]
        dtype = np.result_type(*(column.dtype for column in kinds))
        inner = kinds[0].shape[1:]
        for table in tables:
            if name in table.colnames:
                columns[name].append(np.asarray(table[name]))
            else:
                shape = (len(table), *inner)
                columns[name].append(np.full(shape, empty_value(dtype), dtype))
    return Table({name: np.concatenate(parts) for name, parts in columns.items()})


def empty_value(dtype: np.dtype[Any]) -> Any:
    """Tell what stands for nothing in a column."""
    return {"f": np.nan, "U": "", "b": False}.get(dtype.kind, 0)


def write_rows(path: Path, rows: Table) -> None:
    """Write rows as an array of numpy's, which keeps every bit."""
    with path.open("wb") as file:
        np.save(file, rows.as_array(), allow_pickle=False)


def read_rows(path: Path) -> Table:
    """Read what `write_rows` wrote.

    Raises
    ------
    OSError, ValueError
        If it cannot be read.
    """
    return Table(np.load(path, allow_pickle=False))
