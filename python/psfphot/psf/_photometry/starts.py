"""Starting values that the user does not give: background, flux, group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._validate import as_vector, values_of
from psfphot.background import as_local_background
from psfphot.psf._photometry.grouping import OverlapGrouper
from psfphot.psf._photometry.init_params import check_group_ids

if TYPE_CHECKING:
    from astropy.table import QTable

    from psfphot._validate import Frame


def add_background(init: QTable, frame: Frame, estimator: Any) -> None:
    """Add ``local_bkg``, unless it is there: measured, or 0.

    Raises
    ------
    TypeError, ValueError
        If the estimator does not return one number for each position.
    """
    if "local_bkg" in init.colnames:
        return
    background = np.zeros(len(init))
    x, y, is_known = _positions(init)
    if estimator is not None and is_known.any():
        estimator = as_local_background(estimator)
        levels = estimator(frame.data, x[is_known], y[is_known], mask=frame.mask)
        background[is_known] = _levels(levels, int(is_known.sum()))
    init["local_bkg"] = background if frame.unit is None else background << frame.unit


def _levels(levels: Any, n: int) -> Any:
    what = "the result of local_bkg_estimator"
    unit = getattr(levels, "unit", None)
    # It was given the image without a unit.
    if unit is not None and unit != "":
        msg = f"{what} must not have a unit, got {unit}"
        raise ValueError(msg)
    values = as_vector(levels, what)
    if len(values) != n:
        msg = f"{what} must have one value for each of {n} positions, got {len(values)}"
        raise ValueError(msg)
    return values


def add_flux(
    init: QTable, frame: Frame, radius: float | None, n_threads: int | None
) -> None:
    """Add ``flux_init``, unless it is there: aperture sums.

    The local background times the area of the aperture that can be used is
    subtracted, where it is known.

    Raises
    ------
    ValueError
        If there is no radius.
    """
    if "flux_init" in init.colnames:
        return
    if radius is None:
        msg = "aperture_radius must be defined if a flux column is not in init_params"
        raise ValueError(msg)
    x, y, _ = _positions(init)
    sums, areas = _core.aperture_sums(
        frame.data, frame.mask, x, y, radius, n_threads=n_threads
    )
    background = values_of(init["local_bkg"])
    flux = sums - np.where(np.isfinite(background), background, 0.0) * areas
    init["flux_init"] = flux if frame.unit is None else flux << frame.unit


def add_groups(init: QTable, grouper: Any, fit_shape: tuple[int, int]) -> None:
    """Add ``group_id``, unless it is there; check it.

    Raises
    ------
    TypeError, ValueError
        If the labels are not positive integers, one for each source.
    """
    if isinstance(grouper, OverlapGrouper):
        grouper = grouper.for_host(fit_shape)
    if "group_id" not in init.colnames:
        init["group_id"] = init["id"] if grouper is None else _labels(init, grouper)
    init["group_id"] = check_group_ids(init["group_id"])


def _labels(init: QTable, grouper: Any) -> Any:
    x, y, is_known = _positions(init)
    labels = np.zeros(len(init), dtype=np.int64)
    if is_known.any():
        found = grouper(x[is_known], y[is_known])
        expected = (np.count_nonzero(is_known),)
        if np.shape(found) != expected:
            msg = (
                "grouper must return one label for each position: an array of "
                f"shape {expected}, got shape {np.shape(found)}"
            )
            raise ValueError(msg)
        labels[is_known] = check_group_ids(found)
    # Sources without a position belong to nobody.
    labels[~is_known] = labels.max() + 1 + np.arange(np.count_nonzero(~is_known))
    return labels


def _positions(init: QTable) -> tuple[Any, Any, Any]:
    """Take x and y, and tell where they are known."""
    x = np.ascontiguousarray(init["x_init"], dtype=float)
    y = np.ascontiguousarray(init["y_init"], dtype=float)
    return x, y, np.isfinite(x) & np.isfinite(y)
