"""The table of artificial stars: what went in, and what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Column, QTable, Table

from psfphot._core import near_pairs
from psfphot.completeness._columns import DESCRIPTIONS, Reason
from psfphot.completeness._rows import stack
from psfphot.completeness._sources import sources_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from psfphot.completeness._photometers import Baseline
    from psfphot.completeness._plan import Batch

#: Neighbours are nearer than so many FWHM.
_NEAR = 2.0


def make_table(
    batches: Sequence[Batch],
    rows: Sequence[Table],
    baseline: Baseline,
    zero_point: float,
) -> QTable:
    """Put what went in beside what came out, star by star.

    Parameters
    ----------
    batches : sequence of `Batch`
        The stars.
    rows : sequence of `~astropy.table.Table`
        What became of those of each batch.
    baseline : `Baseline`
        What the image holds without them.
    zero_point : float
        The magnitude of a flux of 1.
    """
    x, y, flux = (
        np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("x", "y", "flux")
    )
    measured = stack(rows)
    points = np.column_stack([x, y])
    real = sources_of(baseline.table)
    places = real.points[real.is_placed]
    near, _ = near_pairs(points, places, _NEAR * baseline.fwhm)
    table = QTable()
    table["star"], table["batch"] = measured["star"], measured["batch"]
    table["x_in"], table["y_in"] = x, y
    table["flux_in"] = flux if baseline.unit is None else flux << baseline.unit
    table["mag_in"] = zero_point - 2.5 * np.log10(flux)
    table["weight"] = np.ones(len(x))
    light = _light_at(baseline.stars, points)
    table["model_in"] = light if baseline.unit is None else light << baseline.unit
    table["n_near"] = np.bincount(near, minlength=len(x))
    table["recovered"] = np.asarray(measured["reason"]) == Reason.RECOVERED
    for name in ("reason", "claimed_by", "chance"):
        table[name] = measured[name]
    add_measured(table, measured, baseline.table)
    for name, text in DESCRIPTIONS.items():
        table[name].info.description = text
    return table


def add_measured(table: QTable, measured: Table, like: Table) -> None:
    """Add the measured columns, with the units that they have in a catalogue."""
    for name in measured.colnames:
        if name in table.colnames:
            continue
        values: Any = np.asarray(measured[name])
        own = like[name] if name in like.colnames else None
        unit = getattr(own, "unit", None)
        if unit is not None and isinstance(own, u.Quantity):
            values = values << unit
        elif unit is not None:
            values = Column(values, unit=unit)
        table[name] = values


def _light_at(
    stars: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Look the image of the real stars up; NaN off it."""
    ny, nx = stars.shape
    x, y = np.floor(points + 0.5).astype(np.int64).T
    inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    light = np.full(len(points), np.nan)
    light[inside] = stars[y[inside], x[inside]]
    return light
