"""Where artificial stars are put, and how many into one image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._core import thin_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: How far a star may be from its node of the lattice, and how near two stars of one
#: image may be, in spacings: by the first the second is what lattices keep to.
_JITTER = 1 / 8
_NEAREST = 1 - 2 * _JITTER

#: So many draws in a row off the usable pixels, of each star, are all of them.
_MOST_DRAWS = 1000


@dataclass(frozen=True)
class Field:
    """The image that stars are put into.

    Attributes
    ----------
    usable : 2D bool array
        The pixels on which stars count.
    spacing : float
        How far stars of one image stay from each other, pixels, see `spread`.
    at_once : int or `None`
        Most stars of one image.
    density : (n, 2) array
        Positions (x, y) of the stars found, for those that follow the density.
    """

    usable: NDArray[np.bool_]
    spacing: float
    at_once: int | None = None
    density: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))

    def holds(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which positions (x, y) are on usable pixels."""
        ny, nx = self.usable.shape
        x, y = np.floor(points + 0.5).T.astype(np.int64)
        inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
        held = np.zeros(len(points), dtype=bool)
        held[inside] = self.usable[y[inside], x[inside]]
        return held


def lattices(
    place: Field, n_stars: int, seed: np.random.SeedSequence
) -> Iterator[NDArray[np.float64]]:
    """Yield the positions of each image: jittered lattices, each anywhere.

    An image is filled before the next; of the last one nodes are chosen at random.

    Parameters
    ----------
    place : `Field`
        The image; it has usable pixels.
    n_stars : int
        How many stars in all.
    seed : `~numpy.random.SeedSequence`
        Each lattice has a child of it.
    """
    left, misses = n_stars, 0
    while left > 0:
        rng = np.random.default_rng(seed.spawn(1)[0])
        points = _lattice(place, rng)
        if not len(points):
            misses += 1
            if misses > _MOST_DRAWS:
                msg = f"no lattice of {place.spacing:g} pixels meets a usable pixel"
                raise ValueError(msg)
            continue
        points = points[: min(left, place.at_once or left)]
        left -= len(points)
        yield points


def _lattice(place: Field, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make the usable nodes of a jittered lattice of triangles, in random order.

    It has 15 % more nodes than one of squares of the same spacing.
    """
    ny, nx = place.usable.shape
    steps = np.array([1, math.sqrt(3) / 2]) * place.spacing
    columns, rows = (
        np.arange(-2, n / step + 2) for n, step in zip((nx, ny), steps, strict=True)
    )
    row, column = np.meshgrid(rows, columns, indexing="ij")
    nodes = np.column_stack([(column + row % 2 / 2).ravel(), row.ravel()])
    # The same again after two rows.
    origin = rng.uniform(0, 1, 2) * [1, 2] - 0.5
    points = (nodes + origin) * steps
    radius = _JITTER * place.spacing * np.sqrt(rng.random(len(points)))
    angle = rng.uniform(0, 2 * np.pi, len(points))
    points += np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    points = points[place.holds(points)]
    return points[rng.permutation(len(points))]


def draw_uniform(
    place: Field, n_stars: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw positions anywhere on the usable pixels."""
    ny, nx = place.usable.shape

    def draw(n: int) -> NDArray[np.float64]:
        return rng.uniform(-0.5, [nx - 0.5, ny - 0.5], (n, 2))

    return _drawn(place, n_stars, draw)


def draw_by_density(
    place: Field, n_stars: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw positions as the stars lie: around one of them, by half a spacing.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not len(place.density):
        msg = "positions='density' needs stars, and the image has none"
        raise ValueError(msg)

    def draw(n: int) -> NDArray[np.float64]:
        around = place.density[rng.integers(len(place.density), size=n)]
        return np.asarray(around + rng.normal(0, place.spacing / 2, (n, 2)))

    return _drawn(place, n_stars, draw)


def _drawn(place: Field, n_stars: int, draw: Any) -> NDArray[np.float64]:
    """Draw until so many are on usable pixels."""
    points = draw(n_stars)
    for _ in range(_MOST_DRAWS):
        bad = np.flatnonzero(~place.holds(points))
        if not len(bad):
            return np.asarray(points)
        points[bad] = draw(len(bad))
    msg = "the usable pixels are too few for positions to fall on them"
    raise ValueError(msg)


def spread(place: Field, points: NDArray[np.float64]) -> Iterator[NDArray[np.int64]]:
    """Share positions out to images, in each none near another.

    Yields
    ------
    chosen : 1D int array
        The positions of an image: as many as go, first come, first served; none is
        nearer to another than 3/4 of the spacing.
    """
    left = np.arange(len(points))
    while len(left):
        x, y = np.ascontiguousarray(points[left].T)
        taken = np.flatnonzero(thin_sources(x, y, _NEAREST * place.spacing))
        taken = taken[: place.at_once or len(taken)]
        yield left[taken]
        left = np.delete(left, taken)
