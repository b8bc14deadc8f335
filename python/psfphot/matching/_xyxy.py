"""The matcher of image registration, with tweakwcs' interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._repr import make_repr
from psfphot._validate import (
    as_finite,
    as_pixels,
    as_points,
    as_positive,
    check_table,
)

if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Indices = NDArray[np.int64]

# The number of a bin among all of its square must fit an integer of 64 bits.
MAX_BINS = 2**30


class XYXYMatch:
    """Match two catalogues that may be shifted against each other.

    The shift is found first: the peak of a two-dimensional histogram of the
    differences of all positions within a search radius. Then sources that are
    each other's nearest are matched. It can stand where tweakwcs' class of this
    name does.

    Parameters
    ----------
    searchrad : float, optional
        The largest shift along each axis that is looked for.
    separation : float, optional
        Of sources of one catalogue that are nearer than this to another, only
        the one with the lowest y (then x) takes part.
    use2dhist : bool, optional
        Whether to look for the shift.
    xoffset, yoffset : float, optional
        The shift, image - reference, if it is not looked for.
    tolerance : float, optional
        The largest distance of a match once the shift is taken off.

    Raises
    ------
    TypeError
        If an argument is not a number.
    ValueError
        If ``searchrad``, ``separation`` or ``tolerance`` is not positive and
        finite, or an offset not finite.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from psfphot.matching import XYXYMatch
    >>> truth = Table({"TPx": [10.0, 30.0, 50.0], "TPy": [20.0, 40.0, 15.0]})
    >>> found = Table({"TPx": [51.3, 11.3], "TPy": [15.0, 20.1]})
    >>> in_truth, in_found = XYXYMatch()(truth, found)
    >>> print(in_truth, in_found)
    [2 0] [0 1]
    """

    def __init__(  # noqa: PLR0917  (tweakwcs')
        self,
        searchrad: float = 3.0,
        separation: float = 0.5,
        use2dhist: bool = True,
        xoffset: float = 0.0,
        yoffset: float = 0.0,
        tolerance: float = 1.0,
    ) -> None:
        self.searchrad = _positive(searchrad, "searchrad")
        self.separation = _positive(separation, "separation")
        self.use2dhist = bool(use2dhist)
        self.xoffset = as_finite(xoffset, "xoffset")
        self.yoffset = as_finite(yoffset, "yoffset")
        self.tolerance = _positive(tolerance, "tolerance")

    def __repr__(self) -> str:
        names = "searchrad separation use2dhist xoffset yoffset tolerance"
        return make_repr(self, tuple(names.split()))

    def __call__(
        self,
        refcat: Table,
        imcat: Table,
        tp_pscale: float = 1.0,
        tp_units: str | None = None,  # noqa: ARG002  (tweakwcs' argument)
    ) -> tuple[Indices, Indices]:
        """Match an image's catalogue with a reference.

        Parameters
        ----------
        refcat, imcat : `~astropy.table.Table`
            The catalogues, with columns ``TPx`` and ``TPy``: positions in one
            plane. Rows whose position is not finite match nothing.
        tp_pscale : float, optional
            The size of the histogram's bins: a pixel, in the units of the plane.
        tp_units : str, optional
            Not used.

        Returns
        -------
        in_reference, in_image : 1D int array
            Indices of the matches, by increasing y (then x) in the reference.

        Raises
        ------
        KeyError
            If a column is missing.
        TypeError
            If a catalogue is not a table, or a column not numeric.
        ValueError
            If a catalogue is empty, or ``tp_pscale`` is not positive or less than
            a billionth of ``searchrad``.
        """
        reference, image = _points(refcat, "refcat"), _points(imcat, "imcat")
        shift = np.array([self.xoffset, self.yoffset])
        if self.use2dhist:
            pixel = _positive(tp_pscale, "tp_pscale")
            shift = find_shift(reference, image, self.searchrad, pixel)
        kept = [_distinct(points, self.separation) for points in (reference, image)]
        pairs = _core.match_points(
            reference[kept[0]], image[kept[1]] - shift, self.tolerance
        )
        return kept[0][pairs[0]], kept[1][pairs[1]]


def find_shift(
    reference: Points, image: Points, radius: float, pixel: float
) -> NDArray[np.float64]:
    """Find by how much an image's positions are shifted, up to a radius.

    Parameters
    ----------
    reference, image : (N, 2) array
        Positions (x, y).
    radius : float
        The largest shift along each axis.
    pixel : float
        The size of the histogram's bins.

    Returns
    -------
    shift : (2,) array
        The median of the differences image - reference around the peak of their
        histogram; 0 if there are none.

    Raises
    ------
    ValueError
        If the histogram would have more than ``MAX_BINS`` bins along an axis to
        each side.
    """
    n = np.ceil(radius / pixel)
    if n > MAX_BINS:
        msg = (
            f"tp_pscale must not be that much smaller than searchrad = {radius}, "
            f"got {pixel}"
        )
        raise ValueError(msg)
    reach = (n + 0.5) * pixel
    pairs = _core.near_pairs(reference, image, np.sqrt(2) * reach)
    differences = image[pairs[1]] - reference[pairs[0]]
    differences = differences[(np.abs(differences) <= reach).all(axis=1)]
    if len(differences) == 0:
        return np.zeros(2)
    # Only bins that are not empty: all of them can be more than the memory holds.
    bins = np.clip(np.floor((differences + reach) / pixel), 0, 2 * n).astype(np.int64)
    keys, counts = np.unique(bins @ [2 * int(n) + 1, 1], return_counts=True)
    peak = np.divmod(keys[counts.argmax()], 2 * int(n) + 1)
    shift = (np.array(peak) - n) * pixel
    # The peak may lie across bins: recentre on what is around it.
    for _ in range(3):
        is_near = (np.abs(differences - shift) <= pixel).all(axis=1)
        if not is_near.any():
            break
        shift = np.median(differences[is_near], axis=0)
    return np.asarray(shift, dtype=np.float64)


def _distinct(points: Points, separation: float) -> Indices:
    """Sort by y and x; leave out what is not finite or too near to another."""
    order = np.lexsort(points.T)
    order = order[np.isfinite(points[order]).all(axis=1)]
    x, y = np.ascontiguousarray(points[order].T)
    return order[_core.thin_sources(x, y, separation)]


def _points(catalog: Any, name: str) -> Points:
    check_table(catalog, name)
    missing = [each for each in ("TPx", "TPy") if each not in catalog.colnames]
    if missing:
        raise KeyError(f"{name} must have the columns TPx and TPy, got no {missing}")
    if len(catalog) == 0:
        raise ValueError(f"{name} must contain at least one source")
    x, y = (as_pixels(catalog[each], f"{name} {each}") for each in ("TPx", "TPy"))
    return np.column_stack(as_points(x, y))


def _positive(value: Any, name: str) -> float:
    msg = f"{name!r} must be a positive number, got {value!r}"
    return as_positive(value, name, msg)
