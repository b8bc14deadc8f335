"""Which source of one catalogue is which of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, UnitSphericalRepresentation

from psfphot import _core
from psfphot._validate import (
    as_n_threads,
    as_pixels,
    as_points,
    as_positive,
    split_mask,
)

if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import ArrayLike, NDArray

    Indices = NDArray[np.int64]

# Columns of x that are looked for, first match first; those of y have a y where
# these have an x.
_COLUMNS = (
    "x_fit",
    "x_0",
    "x",
    "x_centroid",
    "xcentroid",
    "x_init",
    "x_peak",
    "TPx",
)


def match_positions(
    first: tuple[ArrayLike, ArrayLike] | Table | SkyCoord,
    second: tuple[ArrayLike, ArrayLike] | Table | SkyCoord,
    radius: float | u.Quantity,
    *,
    n_threads: int | None = None,
) -> tuple[Indices, Indices]:
    """Find the pairs of sources that are each other's nearest.

    Two sources are a pair if each is the nearest to the other in its catalogue,
    and they are at most ``radius`` apart. Of several at the same distance the
    first is taken. Sources without a finite position match nothing.

    Parameters
    ----------
    first, second : (x, y), Table or `~astropy.coordinates.SkyCoord`
        The catalogues: two arrays of pixel positions; a table with such columns
        (the first of ``x_fit``, ``x_0``, ``x``, ``x_centroid``, ``xcentroid``,
        ``x_init``, ``x_peak``, ``TPx`` that it has, and the same with y); or sky
        coordinates. Either both or none are sky coordinates; their frames may
        differ.
    radius : float or Quantity
        The largest distance of a pair: pixels, or an angle for sky coordinates.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it.

    Returns
    -------
    in_first, in_second : 1D int array
        Indices into the catalogues: ``first[in_first[k]]`` is
        ``second[in_second[k]]``. In the order of the first catalogue; no index
        is in two pairs.

    Raises
    ------
    TypeError
        If an argument is of a wrong kind.
    ValueError
        If a table has no columns of positions, shapes do not go together, or
        the radius is not positive and finite.

    Examples
    --------
    >>> from psfphot.matching import match_positions
    >>> truth = [1.0, 5.0, 9.0], [1.0, 5.0, 9.0]
    >>> found = [9.2, 1.1], [9.0, 0.8]
    >>> in_truth, in_found = match_positions(truth, found, radius=0.5)
    >>> print(in_truth, in_found)
    [0 2] [1 0]
    """
    if isinstance(first, SkyCoord) != isinstance(second, SkyCoord):
        msg = "first and second must both be sky coordinates, or none of them"
        raise TypeError(msg)
    if isinstance(first, SkyCoord) and isinstance(second, SkyCoord):
        points = _directions(first), _directions(second.transform_to(first.frame))
        distance = _chord(radius)
    else:
        points = _pixels(first, "first"), _pixels(second, "second")
        distance = as_positive(radius, "radius")
    return _core.match_points(*points, distance, n_threads=as_n_threads(n_threads))


def nearest_within(
    points: NDArray[np.float64], others: NDArray[np.float64], reach: float
) -> Indices:
    """Find the nearest of other points of each, whether or not that is mutual.

    Parameters
    ----------
    points, others : (n, 2) and (m, 2) array
        The positions.
    reach : float
        The largest distance.

    Returns
    -------
    (n,) int array
        Indices into ``others``; -1 where none is within reach. Of several at the
        same distance it is the last.
    """
    first, second = _core.near_pairs(points, others, reach)
    distance = np.hypot(*(points[first] - others[second]).T)
    # The nearest comes last, and stays.
    order = np.argsort(-distance, kind="stable")
    nearest = np.full(len(points), -1, dtype=np.int64)
    nearest[first[order]] = second[order]
    return nearest


def _pixels(catalog: Any, name: str) -> NDArray[np.float64]:
    """Make an (N, 2) array of a table's or a pair's positions."""
    if hasattr(catalog, "colnames"):
        x = next((x for x in _COLUMNS if x in catalog.colnames), None)
        y = x and x.replace("x", "y", 1)
        if x is None or y not in catalog.colnames:
            msg = (
                f"{name} must have columns for x and y, as one of {_COLUMNS}, "
                f"got {catalog.colnames}"
            )
            raise ValueError(msg)
        catalog = tuple(as_pixels(catalog[each], f"{name} {each}") for each in (x, y))
    if not isinstance(catalog, tuple | list) or len(catalog) != 2:  # noqa: PLR2004
        msg = (
            f"{name} must be a pair (x, y) of arrays, a Table or a SkyCoord, "
            f"got {type(catalog).__name__}"
        )
        raise TypeError(msg)
    return np.column_stack(as_points(*catalog))


def _directions(coordinates: SkyCoord) -> NDArray[np.float64]:
    """Make an (N, 3) array of unit vectors."""
    if coordinates.ndim > 1:
        msg = f"sky coordinates must be scalar or 1D, got {coordinates.ndim} dimensions"
        raise ValueError(msg)
    sphere = coordinates.represent_as(UnitSphericalRepresentation)
    xyz, mask = split_mask(sphere.to_cartesian().xyz.value)
    if mask is not None:
        xyz = np.where(mask, np.nan, xyz)
    return np.ascontiguousarray(np.reshape(xyz, (3, -1)).T, dtype=np.float64)


def _chord(radius: Any) -> float:
    """Make the distance of unit vectors that are an angle apart."""
    if not isinstance(radius, u.Quantity) or not radius.unit.is_equivalent(u.rad):
        msg = f"radius must be an angle for sky coordinates, got {radius!r}"
        raise TypeError(msg)
    angle = as_positive(radius.to_value(u.rad), "radius")
    return float(2 * np.sin(min(angle, np.pi) / 2))
