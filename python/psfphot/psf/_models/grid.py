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
    if len(set(map(tuple, positions.tolist()))) != len(positions):
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


def meta_names(meta: dict[str, Any]) -> dict[str, str]:
    """Tell what meta data say of the file and of what the PSFs are.

    Headers of STPSF say ``instrume``, readers of STDPSF ``instrument``; STPSF's
    models have pairs of a value and its comment.
    """
    keys = {"STDPSF": "STDPSF", "instrume": "Instrument", "instrument": "Instrument"}
    keys |= {"detector": "Detector", "filter": "Filter"}
    names = {}
    for key, name in keys.items():
        value = meta.get(key)
        if isinstance(value, tuple | list | np.ndarray) and len(value):
            value = value[0]
        if value is not None and str(value):
            names[name] = str(value)
    return names
