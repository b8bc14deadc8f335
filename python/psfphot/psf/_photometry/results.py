"""The results table of PSF photometry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from psfphot._deprecated import results_table as empty_results
from psfphot._meta import table_meta
from psfphot._validate import is_increasing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.table import QTable
    from numpy.typing import NDArray


def results_table(
    init: QTable,
    fit: dict[str, NDArray[Any]],
    shape_names: Sequence[str],
    own_shape: Sequence[str],
    unit: u.UnitBase | None,
) -> QTable:
    """Join starting values and fit into photutils' columns, in its order.

    Parameters
    ----------
    init : `~astropy.table.QTable`
        Starting values, with ``id``, ``group_id`` and ``local_bkg``.
    fit : dict of array
        Columns as the core returns them; parameters are flux, x, y, shape.
    shape_names, own_shape : sequence of str
        All shape parameters of the model, and those that each source has its own
        of, fitted or not.
    unit : unit or `None`
        Of fluxes and backgrounds.
    """
    index = {"flux": 0, "x": 1, "y": 2}
    index |= {name: 3 + k for k, name in enumerate(shape_names)}
    shown = ("x", "y", "flux", *own_shape)
    table = empty_results({})
    table["id"] = init["id"]
    group_id = np.asarray(init["group_id"])
    table["group_id"] = group_id
    table["group_size"] = _group_sizes(group_id)
    table["local_bkg"] = init["local_bkg"]
    for name in shown:
        table[f"{name}_init"] = init[f"{name}_init"]
    for suffix, values in (("fit", fit["parameters"]), ("err", fit["errors"])):
        for name in shown:
            column = np.ascontiguousarray(values[:, index[name]])
            has_unit = name == "flux" and unit is not None
            table[f"{name}_{suffix}"] = u.Quantity(column, unit) if has_unit else column
    if np.isfinite(fit["bkg"]).any():
        for name, values in (("bkg_fit", fit["bkg"]), ("bkg_err", fit["bkg_err"])):
            table[name] = values if unit is None else u.Quantity(values, unit)
    table["n_pixels_fit"] = fit["n_pixels"]
    for name in ("qfit", "cfit", "reduced_chi2"):
        table[name] = fit[name]
    table["flags"] = fit["flags"]
    return table


def _group_sizes(group_id: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the sources of each one's group."""
    if is_increasing(group_id):
        return np.ones(len(group_id), dtype=np.int64)
    _, inverse, counts = np.unique(group_id, return_inverse=True, return_counts=True)
    return counts[inverse].astype(np.int64)


def metadata(settings: dict[str, Any]) -> dict[str, Any]:
    """Describe a run: when, by which versions, with which settings."""
    meta = table_meta()
    for name, value in settings.items():
        plain = value is None or isinstance(value, str | int | float | tuple)
        meta[name] = value if plain else repr(value)
    return meta
