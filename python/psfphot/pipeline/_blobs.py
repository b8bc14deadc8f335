"""Connected pixels of a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Blobs:
    """The pixels of blobs, blob by blob.

    Attributes
    ----------
    y, x : 1D ndarray of int
        The pixels of all blobs, sorted by blob.
    label : 1D ndarray of int
        The blob of each pixel, from 0.
    sizes : 1D ndarray of int
        The pixels in each blob.
    """

    y: NDArray[np.int64]
    x: NDArray[np.int64]
    label: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of blobs."""
        return len(self.sizes)

    def pixels(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the pixels (y, x) of each blob."""
        if not len(self):
            return []
        ends = np.cumsum(self.sizes)[:-1]
        return list(zip(np.split(self.y, ends), np.split(self.x, ends), strict=True))

    def select(self, chosen: NDArray[np.bool_]) -> Blobs:
        """Keep some of the blobs."""
        number = np.cumsum(chosen) - 1
        kept = chosen[self.label]
        return Blobs(
            self.y[kept], self.x[kept], number[self.label[kept]], self.sizes[chosen]
        )


def find_blobs(mask: NDArray[np.bool_]) -> Blobs:
    """Find the connected pixels of a mask; those at a corner are neighbours too.

    Parameters
    ----------
    mask : 2D ndarray of bool
        The mask.

    Returns
    -------
    Blobs
        In the order of each one's first pixel.
    """
    padded = np.pad(mask, ((0, 0), (0, 1))).ravel()
    width = mask.shape[1] + 1
    edges = np.flatnonzero(np.diff(padded, prepend=False))
    # A run of pixels of a row, and the first behind it, as flat indices.
    start, stop = edges[::2], edges[1::2]
    # The runs of the next row that touch it: corner to corner counts.
    low = np.searchsorted(stop, start + width, "left")
    high = np.searchsorted(start, stop + width, "right")
    n_touched = np.maximum(high - low, 0)
    above = np.repeat(np.arange(start.size), n_touched)
    first = np.cumsum(n_touched) - n_touched
    below = np.arange(above.size) - np.repeat(first - low, n_touched)
    roots = lowest_of_component(start.size, above, below)
    _, label = np.unique(roots, return_inverse=True)
    lengths = stop - start
    offset = np.cumsum(lengths) - lengths
    flat = np.arange(lengths.sum()) + np.repeat(start - offset, lengths)
    of_pixel = np.repeat(label, lengths)
    order = np.argsort(of_pixel, kind="stable")
    y, x = np.divmod(flat[order], width)
    return Blobs(y, x, of_pixel[order], np.bincount(of_pixel))


def lowest_of_component(
    n: int, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Tell the lowest member of each one's connected component."""
    root = np.arange(n)
    while first.size:
        a, b = root[first], root[second]
        lower = np.minimum(a, b)
        np.minimum.at(root, a, lower)
        np.minimum.at(root, b, lower)
        while not np.array_equal(jumped := root[root], root):
            root = jumped
        apart = root[first] != root[second]
        first, second = first[apart], second[apart]
    return root


def grow(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the eight neighbours of each pixel of a mask."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    grown = wide.copy()
    grown[1:] |= wide[:-1]
    grown[:-1] |= wide[1:]
    return grown


def rim_quantile(
    blobs: Blobs,
    values: NDArray[np.floating],
    excluded: NDArray[np.bool_],
    part: float,
) -> NDArray[np.float64]:
    """Take a quantile of the values around each blob.

    Parameters
    ----------
    blobs : Blobs
        The blobs.
    values : 2D ndarray
        The image.
    excluded : 2D ndarray of bool
        Pixels that are no rim; those of the blobs must be among them.
    part : float
        Which quantile, 0 to 1: the value that so much of the rim is below.

    Returns
    -------
    1D ndarray
        One value for each blob; NaN for one without a rim.
    """
    ny, nx = values.shape
    steps = [(j, i) for j in (-1, 0, 1) for i in (-1, 0, 1)]
    y = np.concatenate([blobs.y + j for j, _ in steps])
    x = np.concatenate([blobs.x + i for _, i in steps])
    label = np.tile(blobs.label, len(steps))
    inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
    y, x, label = y[inside], x[inside], label[inside]
    rim = ~excluded[y, x]
    key = np.unique(label[rim] * (ny * nx) + y[rim] * nx + x[rim])
    label, flat = np.divmod(key, ny * nx)
    value = values.ravel()[flat].astype(float)
    order = np.lexsort((value, label))
    counts = np.bincount(label, minlength=len(blobs))
    first = np.cumsum(counts) - counts
    found = np.full(len(blobs), np.nan)
    some = counts > 0
    at = first + np.minimum((counts * part).astype(int), counts - 1)
    found[some] = value[order][at[some]]
    return found
