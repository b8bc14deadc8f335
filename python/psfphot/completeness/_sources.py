"""Positions and fluxes, all that matching knows of stars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import values_of

if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import NDArray

_NEEDED = ("x_fit", "y_fit", "flux_fit")


@dataclass(frozen=True)
class Sources:
    """Sources in the order of a table.

    Attributes
    ----------
    points : (n, 2) array
        (x, y), pixels.
    flux : (n,) array
        Fluxes.
    ids : (n,) int array
        Their ids, from 1.
    """

    points: NDArray[np.float64]
    flux: NDArray[np.float64]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.flux)

    @property
    def is_placed(self) -> NDArray[np.bool_]:
        """Which have a finite position and flux."""
        finite = np.isfinite(np.column_stack([self.points, self.flux]))
        return np.asarray(finite.all(axis=1))

    def take(self, chosen: Any) -> Sources:
        """Choose some."""
        return Sources(self.points[chosen], self.flux[chosen], self.ids[chosen])


def make_sources(x: Any, y: Any, flux: Any, ids: Any = None) -> Sources:
    """Make sources of columns."""
    xs, ys = (np.array(values, dtype=np.float64) for values in (x, y))
    count = np.arange(1, len(xs) + 1) if ids is None else np.asarray(ids)
    return Sources(np.column_stack([xs, ys]), np.array(flux, dtype=np.float64), count)


def sources_of(table: Table) -> Sources:
    """Take the sources of a table of photometry.

    Raises
    ------
    ValueError
        If it lacks ``x_fit``, ``y_fit`` or ``flux_fit``.
    """
    if len(table) == 0:
        return make_sources([], [], [])
    missing = [name for name in _NEEDED if name not in table.colnames]
    if missing:
        msg = (
            "photometry must return a table with the columns x_fit, y_fit and "
            f"flux_fit, got none called {missing}"
        )
        raise ValueError(msg)
    x, y, flux = (_filled(table[name]) for name in _NEEDED)
    ids = np.asarray(table["id"]) if "id" in table.colnames else None
    return make_sources(x, y, flux, ids)


def _filled(column: Any) -> NDArray[np.float64]:
    """Make masked values NaN."""
    values = np.array(values_of(column), dtype=np.float64)
    mask = getattr(column, "mask", None)
    if mask is not None:
        values[np.asarray(mask)] = np.nan
    return values
