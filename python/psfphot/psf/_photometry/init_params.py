"""Starting values: from a finder's table or a user's, by any accepted name."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._columns import COLUMN_NAMES, find_column
from psfphot._validate import as_pixels, check_table, is_increasing, split_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def from_finder(sources: Table) -> QTable:
    """Take a finder's positions; its fluxes are no PSF fluxes and are ignored.

    Raises
    ------
    TypeError
        If it is not a table.
    ValueError
        If the table has no columns for x and y, or they cannot be used.
    """
    if not hasattr(sources, "colnames"):
        msg = f"finder must return an astropy Table, got {type(sources).__name__}"
        raise TypeError(msg)
    columns = {p: find_column(sources.colnames, p) for p in ("x", "y")}
    if None in columns.values():
        msg = (
            "The table returned by the 'finder' must contain columns for x and y "
            f"coordinates. Valid column names are: x: {list(COLUMN_NAMES['x'])}, "
            f"y: {list(COLUMN_NAMES['y'])}"
        )
        raise ValueError(msg)
    init = QTable()
    init["id"] = np.arange(len(sources)) + 1
    for parameter, name in columns.items():
        init[f"{parameter}_init"] = _pixels(sources[name], f"finder {name}")
    return init


def from_user(
    init_params: Any, unit: u.UnitBase | None, shape_of_model: dict[str, bool]
) -> QTable:
    """Take a user's starting values, under their standard names.

    Parameters
    ----------
    init_params : `~astropy.table.Table`
        The user's table.
    unit : unit or None
        That of the data.
    shape_of_model : dict
        The parameters of the model's shape, and whether each is fitted.

    Raises
    ------
    TypeError
        If ``init_params`` is not a table.
    ValueError
        If it has no row or no position, an id twice, masked labels, or units
        that do not go with the data's.
    """
    check_table(init_params, "init_params")
    if len(init_params) == 0:
        raise ValueError("init_params must contain at least one row")
    init = QTable()
    names = init_params.colnames
    for label in {"id", "group_id"} & set(names):
        _check_labels(init_params[label], f"init_params {label} column")
    init["id"] = init_params["id"] if "id" in names else np.arange(len(init_params)) + 1
    ids = np.asarray(init["id"])
    if ids.dtype.kind == "f" and not np.all(np.isfinite(ids)):
        raise ValueError("init_params id column must be finite")
    is_sorted = is_increasing(ids)
    if not is_sorted and len(np.unique(ids)) != len(init):
        raise ValueError("init_params id column must contain unique values")
    if "group_id" in names:
        init["group_id"] = np.asarray(init_params["group_id"])
    if "local_bkg" in names:
        init["local_bkg"] = _in_unit(init_params["local_bkg"], unit, "local_bkg")
    _add_positions(init, init_params)
    if find_column(names, "flux") is not None:
        init["flux_init"] = _starts(
            init_params, "flux", lambda column, _: _in_unit(column, unit, "flux_init")
        )
    _add_shape(init, init_params, shape_of_model)
    if not is_sorted:
        init.sort("id")
    return init


def _starts(init_params: Table, parameter: str, take: Callable[[Any, str], Any]) -> Any:
    """Take the column that starts a parameter; ``take`` makes numbers of it.

    A table with starts and fits is one of results: where it was fitted, a source
    is where the fit found it.
    """
    names = init_params.colnames
    name = find_column(names, parameter)
    values = take(init_params[name], f"init_params {name}")
    fit = f"{parameter}_fit"
    if name == f"{parameter}_init" and fit in names:
        fitted = take(init_params[fit], f"init_params {fit}")
        values = np.where(np.isfinite(fitted), fitted, values)
    return values


def _add_shape(
    init: QTable, init_params: Table, shape_of_model: dict[str, bool]
) -> None:
    names = init_params.colnames
    for parameter, is_fitted in shape_of_model.items():
        name = find_column(names, parameter)
        if name is None:
            continue
        # A finder's table may have a column of that name which is a measurement.
        if name == parameter and not is_fitted:
            msg = (
                f"the column {name!r} of init_params is not used, as psf_model.{name} "
                f"is fixed; to give every source its own, name it '{name}_init'"
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=5)
            continue
        init[f"{parameter}_init"] = _starts(init_params, parameter, _numbers)


def _add_positions(init: QTable, init_params: Table) -> None:
    names = init_params.colnames
    for parameter in ("x", "y"):
        name = find_column(names, parameter)
        if name is None:
            msg = (
                "init_params must contain valid column names for the x and y source "
                f"positions, got {names}; valid are {list(COLUMN_NAMES[parameter])}"
            )
            raise ValueError(msg)
        init[f"{parameter}_init"] = _starts(init_params, parameter, _pixels)


def _check_labels(labels: Any, what: str) -> None:
    """Refuse labels that are masked or not one for each source."""
    values, mask = split_mask(labels)
    if mask is not None and mask.any():
        msg = f"{what} must not have masked values"
        raise ValueError(msg)
    if np.ndim(values) != 1:
        msg = f"{what} must be 1D, got {np.ndim(values)} dimensions"
        raise ValueError(msg)


def _pixels(column: Any, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Take positions, which are pixels whether or not they say so."""
    return _numbers(as_pixels(column, f"{what} column"), what)


def _numbers(column: Any, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Strip the unit; masked values become NaN."""
    values = np.ma.asarray(getattr(column, "value", column))
    if values.dtype.kind not in "fiu":
        msg = f"{what} column must hold numbers, got dtype {values.dtype}"
        raise TypeError(msg)
    if values.ndim != 1:
        msg = f"{what} column must be 1D, got {values.ndim} dimensions"
        raise ValueError(msg)
    return np.asarray(np.ma.filled(values.astype(float), np.nan))


def _in_unit(column: Any, unit: u.UnitBase | None, name: str) -> Any:
    """Bring a column of fluxes to the data's unit."""
    own = getattr(column, "unit", None)
    if unit is None and own is None:
        return _numbers(column, f"init_params {name}")
    if unit is None:
        msg = (
            f"init_params {name} column has units, but the input data does not have "
            "units."
        )
        raise ValueError(msg)
    if own is None:
        msg = (
            f"The input data has units, but the init_params {name} column does not. "
            "It must be a Quantity column (e.g., use a QTable)."
        )
        raise ValueError(msg)
    try:
        return u.Quantity(_numbers(column, f"init_params {name}"), own).to(unit)
    except u.UnitConversionError as exc:
        msg = (
            f"init_params {name} column has units ({own}) that are incompatible "
            f"with the input data units ({unit})."
        )
        raise ValueError(msg) from exc


def check_group_ids(group_id: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Check group labels: finite positive integers.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If they are masked, not 1D, not finite, not positive or too large.
    """
    _check_labels(group_id, "group_id")
    array = np.asarray(group_id)
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        raise ValueError("group_id must be finite")
    if array.dtype.kind not in "iu":
        msg = f"group_id must be an integer array, got dtype {array.dtype}"
        raise TypeError(msg)
    if np.any(array <= 0):
        raise ValueError("group_id must contain only positive (> 0) integers")
    if np.any(array > np.iinfo(np.int64).max):
        raise ValueError("group_id must fit into a signed 64-bit integer")
    return array.astype(np.int64)


def extra_columns(
    init_params: Table, keep: bool | Sequence[str], results: Sequence[str]
) -> QTable:
    """Take the columns of a user's table that are to be kept, sorted by id.

    Parameters
    ----------
    init_params : `~astropy.table.Table`
        The user's table.
    keep : bool or sequence of str
        `True` for all columns that are no starting values and whose name the
        table of results does not have; or names.
    results : sequence of str
        The columns of the table of results.

    Raises
    ------
    ValueError
        If a named column is missing, or the results have one of its name.
    """
    names = init_params.colnames
    if keep is True:
        own: set[str | None] = {"id", "group_id", "local_bkg", *results}
        own |= {find_column(names, parameter) for parameter in COLUMN_NAMES}
        kept = [name for name in names if name not in own]
    else:
        kept = list(keep or [])
        for name in kept:
            if name not in names:
                msg = f"keep_columns must name columns of init_params, got {name!r}"
                raise ValueError(msg)
            if name in results:
                msg = f"keep_columns must not name a column of the results: {name!r}"
                raise ValueError(msg)
    table = QTable(init_params[kept]) if kept else QTable()
    if kept and "id" in names:
        table = table[np.argsort(np.asarray(init_params["id"]))]
    return table
