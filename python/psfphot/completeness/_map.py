"""The completeness over the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import as_pair, values_of
from psfphot.completeness._statistics import share

if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import NDArray


@dataclass(frozen=True)
class CompletenessMap:
    """The completeness in cells of the frame.

    Attributes
    ----------
    completeness, lower, upper : (ny, nx) array
        The share recovered in each cell and its 68.3 % Wilson interval; NaN, 0 and
        1 where there were no stars.
    n_stars : (ny, nx) int array
        How many artificial stars each had.
    x_edges, y_edges : 1D array
        The edges of the cells, pixels.
    """

    completeness: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    n_stars: NDArray[np.int64]
    x_edges: NDArray[np.float64]
    y_edges: NDArray[np.float64]

    def __call__(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Look positions up; NaN off the frame."""
        at = []
        held = np.ones(np.shape(x), dtype=bool)
        for values, edges in ((x, self.x_edges), (y, self.y_edges)):
            position = np.asarray(values, dtype=float)
            index = np.searchsorted(edges, position, side="right") - 1
            held &= (position >= edges[0]) & (position < edges[-1])
            at.append(np.clip(index, 0, len(edges) - 2))
        return np.where(held, self.completeness[at[1], at[0]], np.nan)


def map_completeness(
    table: Table,
    shape: tuple[int, int],
    cells: Any,
    mag_range: tuple[float, float] | None,
) -> CompletenessMap:
    """Map the completeness, see `ArtificialStarResults.map`."""
    ny, nx = as_pair(cells, "cells", lower=1)
    edges = [
        np.linspace(-0.5, size - 0.5, n + 1)
        for size, n in zip(shape, (ny, nx), strict=True)
    ]
    chosen = np.ones(len(table), dtype=bool)
    if mag_range is not None:
        bright, faint = mag_range
        magnitude = values_of(table["mag_in"])
        chosen = (magnitude >= bright) & (magnitude <= faint)
    rows, columns = (
        np.searchsorted(edge, values_of(table[name]), side="right") - 1
        for edge, name in zip(edges, ("y_in", "x_in"), strict=True)
    )
    recovered, weights = np.asarray(table["recovered"]), values_of(table["weight"])
    values = np.empty((3, ny, nx))
    counts = np.zeros((ny, nx), dtype=np.int64)
    for i in range(ny):
        for j in range(nx):
            members = np.flatnonzero(chosen & (rows == i) & (columns == j))
            counts[i, j] = len(members)
            values[:, i, j] = share(recovered, weights, members)
    completeness, lower, upper = values
    return CompletenessMap(completeness, lower, upper, counts, edges[1], edges[0])
