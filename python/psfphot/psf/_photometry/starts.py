"""Starting values that the user does not give: background, flux, group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._validate import as_vector, values_of
from psfphot.background import as_local_background, levels_and_variances
from psfphot.psf._models.convert import parameter_value
from psfphot.psf._photometry.grouping import OverlapGrouper
from psfphot.psf._photometry.init_params import check_group_ids

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot._validate import Frame
    from psfphot.psf._photometry.fitting import FitSetup


def add_background(
    init: QTable, frame: Frame, estimator: Any
) -> NDArray[np.float64] | None:
    """Add ``local_bkg``, unless it is there: measured, or 0.

    Returns
    -------
    (n,) array or None
        The variances of measured levels; `None` where none was measured, or the
        estimator does not tell.

    Raises
    ------
    TypeError, ValueError
        If the estimator does not return one number for each position.
    """
    if "local_bkg" in init.colnames:
        return None
    background, variance = np.zeros(len(init)), None
    x, y, is_known = _positions(init)
    if estimator is not None and is_known.any():
        levels, own = levels_and_variances(
            as_local_background(estimator),
            frame.data,
            x[is_known],
            y[is_known],
            mask=frame.mask,
        )
        background[is_known] = _levels(levels, int(is_known.sum()))
        if own is not None:
            variance = np.zeros(len(init))
            variance[is_known] = own
    init["local_bkg"] = background if frame.unit is None else background << frame.unit
    return variance


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
    init: QTable,
    frame: Frame,
    radius: float | None,
    fit_shape: tuple[int, int],
    n_threads: int | None,
) -> None:
    """Add ``flux_init`` where it is not there, or not finite: aperture sums.

    The local background times the area of the aperture that can be used is
    subtracted, where it is known. Without a radius single fluxes are measured
    within the fit box.

    Raises
    ------
    ValueError
        If there is no radius.
    """
    known = np.zeros(len(init))
    is_known = np.zeros(len(init), dtype=bool)
    if "flux_init" in init.colnames:
        known = values_of(init["flux_init"])
        is_known = np.isfinite(known)
        if is_known.all():
            return
        radius = radius or min(fit_shape) / 2
    if radius is None:
        msg = "aperture_radius must be defined if a flux column is not in init_params"
        raise ValueError(msg)
    x, y, _ = _positions(init)
    sums, areas = _core.aperture_sums(
        frame.data, frame.mask, x, y, radius, n_threads=n_threads
    )
    background = values_of(init["local_bkg"])
    flux = sums - np.where(np.isfinite(background), background, 0.0) * areas
    flux = np.where(is_known, known, flux)
    init["flux_init"] = flux if frame.unit is None else flux << frame.unit


def add_shape(init: QTable, setup: FitSetup) -> None:
    """Add the starts of free parameters of the shape: those of the model.

    Those of a table that are not finite become the model's, too.
    """
    given = [name for name in setup.names.shape if f"{name}_init" in init.colnames]
    for name in {*given, *setup.free_shape()}:
        values = np.full(len(init), parameter_value(setup.psf_model, name))
        if name in given:
            own = np.asarray(init[f"{name}_init"])
            values = np.where(np.isfinite(own), own, values)
        init[f"{name}_init"] = values


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
        labels = _own_labels(init["id"]) if grouper is None else _labels(init, grouper)
    else:
        labels = init["group_id"]
    init["group_id"] = check_group_ids(labels)


def _own_labels(ids: Any) -> Any:
    """Make each source a group: by its id, if all of them can be labels."""
    array = np.asarray(ids)
    can_be = array.dtype.kind in "iu" and np.all(array > 0)
    if can_be and np.all(array <= np.iinfo(np.int64).max):
        return array
    return np.arange(len(array)) + 1


def _labels(init: QTable, grouper: Any) -> Any:
    x, y, is_known = _positions(init)
    labels = np.zeros(len(init), dtype=np.int64)
    if is_known.any():
        found = grouper(x[is_known], y[is_known])
        expected = (int(np.count_nonzero(is_known)),)
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
