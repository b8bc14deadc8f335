"""Stars that shine into the boxes of saturated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.pipeline._core_stars import StarList
from psfphot.pipeline._noise import highest_neighbour

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.pipeline._wings import Window, Wings

# A companion stands so many standard deviations above what is left.
CLEAR = 8.0

# They are looked for so many FWHM beyond a core: as far as their light is in its box.
SEARCH = 4.0

# A companion that comes so near to a brighter star, in FWHM, is none.
MERGED = 0.5


def find_companions(
    stars: StarList, model: NDArray[np.float64], wings: Wings
) -> StarList:
    """Find stars near saturated ones in what is left of an image.

    Parameters
    ----------
    stars : StarList
        The stars.
    model : 2D ndarray
        Their image.
    wings : Wings
        The image.

    Returns
    -------
    StarList
        The companions, none within 1 FWHM of another star.
    """
    found: list[tuple[float, float, float]] = []
    for k in np.flatnonzero(stars.is_saturated & np.isfinite(stars.flux)):
        reach = stars.radius[k] + SEARCH * wings.fwhm
        inner = wings.window(stars.x[k], stars.y[k], reach)
        # One pixel more shows which are peaks and which the slope of one farther out.
        rows, columns = window = wings.window(stars.x[k], stars.y[k], reach + 1)
        rest = wings.data[window] - model[window]
        off = wings.mismatch * highest_neighbour(model[window])
        errors = np.hypot(wings.errors_in(window), off)
        above = np.where(wings.excluded[window], 0.0, rest / errors)
        peaks = _peaks(above)
        if not peaks[0].size:
            continue
        at = round(stars.x[k]), round(stars.y[k])
        pixel = slice(at[1], at[1] + 1), slice(at[0], at[0] + 1)
        peak = wings.stamp(*at, pixel)[0, 0]
        for j, i in zip(*peaks, strict=True):
            x, y = float(columns.start + i), float(rows.start + j)
            if not _is_in(x, y, inner):
                continue
            others = np.array(
                [*zip(stars.x, stars.y, strict=True), *(f[:2] for f in found)]
            )
            if np.hypot(*(others - (x, y)).T).min() > wings.fwhm:
                found.append((x, y, float(rest[j, i] / peak)))
    n = len(found)
    values = np.array(found, float).reshape(n, 3)
    return StarList(
        values[:, 0], values[:, 1], values[:, 2], np.zeros(n), np.full(n, -1)
    )


def without_merged(stars: StarList, fwhm: float) -> StarList:
    """Drop companions that fits have taken to a brighter star, or left no flux."""
    keep = stars.is_saturated | (stars.flux > 0)
    flux = np.nan_to_num(stars.flux)
    for k in np.flatnonzero(keep & ~stars.is_saturated):
        near = np.hypot(stars.x - stars.x[k], stars.y - stars.y[k]) < MERGED * fwhm
        keep[k] = not (near & keep & (flux > flux[k])).any()
    return stars.select(keep)


def _is_in(x: float, y: float, window: Window) -> bool:
    rows, columns = window
    return bool(rows.start <= y < rows.stop and columns.start <= x < columns.stop)


def _peaks(above: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the highest of each 3 x 3 pixels that is clear, the highest first."""
    padded = np.pad(above, 1)
    ny, nx = above.shape
    highest = np.max(
        [padded[j : j + ny, i : i + nx] for j in range(3) for i in range(3)], axis=0
    )
    y, x = np.nonzero((above >= highest) & (above > CLEAR))
    order = np.argsort(-above[y, x])
    return y[order], x[order]
