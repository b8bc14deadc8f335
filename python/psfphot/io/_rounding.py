"""Numbers of a catalogue with the digits that their errors deserve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Significant digits that are kept of an error: rounding to them moves a value
#: by at most 1/200 of its error.
_OF_ERROR = 3

#: Significant digits of numbers that have no error.
_OF_OTHERS = 6

#: Columns with an error, which column that is, and how many of its units are one
#: of the value's.
_ERRORS = {
    "x_fit": ("x_err", 1.0),
    "y_fit": ("y_err", 1.0),
    "flux_fit": ("flux_err", 1.0),
    "mag": ("mag_err", 1.0),
    # In degrees, with errors in mas.
    "ra": ("ra_err", 1 / 3.6e6),
    "dec": ("dec_err", 1 / 3.6e6),
}

#: Digits after the point of positions without an error, which are somebody's: of
#: degrees a microarcsecond.
_OF_POSITIONS = {"ra": 10, "dec": 10, "x_fit": 9, "y_fit": 9}

#: The own columns of a catalogue that are rounded; a user's are left alone.
_OTHERS = (
    *("local_bkg", "snr", "pixel_area"),
    *("qfit", "cfit", "reduced_chi2"),
    *(error for error, _ in _ERRORS.values()),
)


#: Where fits started, and what a catalogue's meta says where a finder chose it.
_STARTS = ("x_init", "y_init", "flux_init")
_FROM_FINDER = "from the finder"


def rounded(table: Table) -> Table:
    """Round a catalogue's own columns, for text.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalogue; not changed. Values with an error (``x_fit``,
        ``flux_fit``, ``mag``, ``ra``, ...) are rounded to the third significant
        digit of the error, each row by its own; others of its own to 6
        significant digits, where fits started only if a finder chose it; a
        user's columns stay.

    Returns
    -------
    table : `~astropy.table.Table`
        A new table with the rounded columns.
    """
    table = Table(table, copy=False)
    for name in table.colnames:
        decimals = _decimals(table, name)
        if decimals is None:
            continue
        column = table[name].copy()
        column[:] = _round(np.asarray(column, dtype=np.float64), decimals)
        table[name] = column
    return table


def _decimals(table: Table, name: str) -> NDArray[np.int64] | None:
    """Tell how many digits after the point each row keeps; `None`: all."""
    started = name in _STARTS and table.meta.get("positions") == _FROM_FINDER
    if name not in _ERRORS and name not in _OTHERS and not started:
        return None
    if table[name].dtype.kind != "f" or table[name].ndim != 1:
        return None
    values = np.asarray(table[name], dtype=np.float64)
    others = _after_point(np.abs(values), _OF_OTHERS)
    error, unit = _ERRORS.get(name, ("", 1.0))
    if not error:
        return others
    if name in _OF_POSITIONS:
        others = np.full(len(values), _OF_POSITIONS[name])
    if error not in table.colnames:
        return others
    sizes = np.asarray(table[error], dtype=np.float64) * unit
    known = np.isfinite(sizes) & (sizes > 0)
    return np.where(known, _after_point(np.where(known, sizes, 1.0), _OF_ERROR), others)


def _after_point(sizes: NDArray[np.float64], digits: int) -> NDArray[np.int64]:
    """Tell the digits after the point that give so many significant ones."""
    usable = np.isfinite(sizes) & (sizes > 0)
    exponent = np.floor(np.log10(np.where(usable, sizes, 1.0)))
    return np.asarray(digits - 1 - exponent, dtype=np.int64)


def _round(values: NDArray[Any], decimals: NDArray[np.int64]) -> NDArray[np.float64]:
    # One call for each number of digits: numpy rounds decimally, so that the
    # shortest text of the result has no more.
    result = values.copy()
    for n in np.unique(decimals):
        rows = decimals == n
        result[rows] = np.round(values[rows], int(n))
    return result
