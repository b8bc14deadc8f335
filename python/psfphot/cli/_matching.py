"""Which found star is which true one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]


def match(
    first: Points, second: Points, radius: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the pairs of points that are each other's nearest.

    Parameters
    ----------
    first, second : (N, 2) array
        Positions (x, y), finite.
    radius : float
        Largest distance of a pair.

    Returns
    -------
    in_first, in_second : 1D int array
        Indices of the pairs, in ``first``'s order; no index is in two pairs.
    """
    forth = _nearest(first, second, radius)
    back = _nearest(second, first, radius)
    in_first = np.flatnonzero(forth >= 0)
    in_first = in_first[back[forth[in_first]] == in_first]
    return in_first, forth[in_first]


def _nearest(points: Points, others: Points, radius: float) -> NDArray[np.int64]:
    """Return the index of the nearest of the others within radius, or -1."""
    nearest = np.full(len(points), -1)
    if len(points) == 0 or len(others) == 0:
        return nearest
    origin = np.minimum(points.min(axis=0), others.min(axis=0)) - radius
    cell, other_cell = (
        np.floor((xy - origin) / radius).astype(np.int64) for xy in (points, others)
    )
    # Rows of cells one after another; the margin keeps neighbours apart.
    stride = max(cell[:, 0].max(), other_cell[:, 0].max()) + 2
    keys = other_cell[:, 1] * stride + other_cell[:, 0]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    closest = np.full(len(points), radius**2)
    for row in (-1, 0, 1):
        # The three cells side by side are one run of keys.
        middle = (cell[:, 1] + row) * stride + cell[:, 0]
        low = np.searchsorted(keys, middle - 1, side="left")
        high = np.searchsorted(keys, middle + 1, side="right")
        for step in range(int((high - low).max())):
            at = np.flatnonzero(low + step < high)
            candidate = order[low[at] + step]
            distance = ((points[at] - others[candidate]) ** 2).sum(axis=1)
            better = distance <= closest[at]
            closest[at[better]] = distance[better]
            nearest[at[better]] = candidate[better]
    return nearest
