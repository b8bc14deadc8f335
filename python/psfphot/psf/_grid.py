"""The detector positions of a grid of PSFs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sorted_order(positions: NDArray[Any]) -> NDArray[np.int_]:
    """Tell the order of (N, 2) positions (x, y) by y, then by x."""
    return np.lexsort((positions[:, 0], positions[:, 1]))


def check_rectangular(positions: NDArray[Any], name: str = "grid_xypos") -> None:
    """Refuse positions that are not every combination of some x and some y.

    Raises
    ------
    ValueError
        If the (N, 2) positions do not form such a grid, each of them once.
    """
    if not np.isfinite(positions).all():
        msg = f"{name} must form a rectangular grid, but not all of it is finite"
        raise ValueError(msg)
    if len(np.unique(positions, axis=0)) != len(positions):
        msg = f"{name} must not contain duplicate positions"
        raise ValueError(msg)
    nx, ny = (len(np.unique(column)) for column in positions.T)
    # All different and nx * ny of them: then every combination is there.
    complete = nx * ny == len(positions)
    if len(positions) > 1 and not (complete and min(nx, ny) > 1):
        msg = (
            f"{name} must form a rectangular grid, got {len(positions)} positions "
            f"with {nx} different x and {ny} different y"
        )
        raise ValueError(msg)


def grid_shape(positions: NDArray[Any]) -> tuple[int, int]:
    """Tell the number of different (y, x) of a rectangular grid."""
    nx, ny = (len(np.unique(column)) for column in positions.T)
    return ny, nx
