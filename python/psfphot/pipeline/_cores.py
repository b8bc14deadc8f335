"""Where the stars of saturated blobs are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from psfphot.pipeline._blobs import Blobs, find_blobs, rim_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The pixels (y, x) of a blob.
Pixels: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int64]]"

# Rows of a blob narrower than this part of its width are bleeding.
BLEEDING = 0.5

# Between two stars of a blob its width falls by so many pixels, or to this part.
VALLEY = (2, 0.7)

# So many standard deviations above the sky is the rim of a star's core.
CORE_RIM = 5.0


@dataclass(frozen=True)
class Cores:
    """The saturated cores of stars, one for each star that their shapes suggest.

    Attributes
    ----------
    x, y : 1D ndarray
        The centroids, pixels.
    radius : 1D ndarray
        Half of the widths, pixels.
    blob : 1D ndarray of int
        The blob that each is in.
    blobs : list of (ndarray, ndarray)
        The pixels (y, x) of all blobs.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    radius: NDArray[np.float64]
    blob: NDArray[np.int64]
    blobs: list[Pixels]


def find_cores(
    pixels: NDArray[np.bool_], bad: NDArray[np.bool_], above: NDArray[Any]
) -> Cores:
    """Find the cores of stars among saturated pixels.

    Rows in which a blob is narrower than half of its width are bleeding; what
    they held together falls apart, and what is left is cut where its width has a
    valley. Parts whose rim is not clearly above the sky are no stars.

    Parameters
    ----------
    pixels : 2D ndarray of bool
        The saturated pixels.
    bad : 2D ndarray of bool
        All pixels without data, with the saturated ones.
    above : 2D ndarray
        The image in standard deviations above the sky.

    Returns
    -------
    Cores
        The cores.
    """
    blobs = find_blobs(pixels).pixels()
    parts = [(k, part) for k, blob in enumerate(blobs) for part in split_blob(*blob)]
    if not parts:
        empty = np.zeros(0)
        return Cores(empty, empty, empty, np.zeros(0, int), blobs)
    sizes = np.array([part[0].size for _, part in parts])
    as_blobs = Blobs(
        np.concatenate([part[0] for _, part in parts]),
        np.concatenate([part[1] for _, part in parts]),
        np.repeat(np.arange(sizes.size), sizes),
        sizes,
    )
    # A core whose rim is not known may be that of a star.
    is_star = ~(rim_quantile(as_blobs, above, bad, 0.5) <= CORE_RIM)
    x, y = (
        np.bincount(as_blobs.label, values) / sizes
        for values in (as_blobs.x, as_blobs.y)
    )
    radius = np.array([_radius(*part) for _, part in parts])
    blob = np.array([k for k, _ in parts])
    return Cores(x[is_star], y[is_star], radius[is_star], blob[is_star], blobs)


def split_blob(y: NDArray[np.int64], x: NDArray[np.int64]) -> list[Pixels]:
    """Take the bleeding off a blob, and cut it into the cores of its stars.

    Parameters
    ----------
    y, x : 1D ndarray of int
        The blob's pixels.

    Returns
    -------
    list of (ndarray, ndarray)
        The pixels of each core.
    """
    if np.ptp(x) > np.ptp(y):
        return [(b, a) for a, b in split_blob(x, y)]
    width = _profile(y)
    wide = width >= BLEEDING * width.max()
    kept = wide[y - y.min()]
    return [
        piece
        for part in _connected(y[kept], x[kept])
        for piece in _cut_at_valleys(*part)
    ]


def _profile(y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the pixels in each row of a blob."""
    return np.bincount(y - y.min())


def _radius(y: NDArray[np.int64], x: NDArray[np.int64]) -> float:
    """Return half of the width across the longer side."""
    return float(min(_profile(y).max(), _profile(x).max())) / 2


def _connected(y: NDArray[np.int64], x: NDArray[np.int64]) -> list[Pixels]:
    y0, x0 = y.min(), x.min()
    mask = np.zeros((np.ptp(y) + 1, np.ptp(x) + 1), bool)
    mask[y - y0, x - x0] = True
    return [(b + y0, a + x0) for b, a in find_blobs(mask).pixels()]


def _cut_at_valleys(y: NDArray[np.int64], x: NDArray[np.int64]) -> list[Pixels]:
    """Cut a part at the deepest valley of its width, and its pieces again."""
    width = _profile(y)
    left = np.maximum.accumulate(width)
    right = np.maximum.accumulate(width[::-1])[::-1]
    lower = np.minimum(left, right)
    drop, part = VALLEY
    is_valley = (lower - width >= drop) | (width <= part * lower)
    if not is_valley.any():
        return [(y, x)]
    at = y.min() + int(np.argmax(np.where(is_valley, lower - width, -1)))
    return [
        piece
        for side in (y < at, y > at)
        if side.any()
        for piece in _cut_at_valleys(y[side], x[side])
    ]
