"""A list of stars that are found, fitted, merged and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, vstack

from psfphot import _core
from psfphot._validate import values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from psfphot.psf._photometry.fit_results import FitResult


def in_unit_of(column: Any, values: Any) -> Any:
    """Give values the unit of a column, if it has one."""
    unit = getattr(column, "unit", None)
    return values if unit is None else values << unit


class StarList:
    """Stars of one image, from round to round.

    An id is for life: none is given twice, and none changes.

    Parameters
    ----------
    starts : `~astropy.table.QTable`
        The stars as starting values of a fit, with ids.
    number : int
        The round in which they were found.
    is_given : bool
        Whether the user gave them. Such stars are not dropped, nor merged into
        others.

    Attributes
    ----------
    starts : `~astropy.table.QTable`
        What the next fit starts from, by increasing id.
    iter_detected : (n,) int array
        The round in which each was found.
    n_merged : (n,) int array
        How many others were merged into each.
    merged_into : dict of int to int
        The id that took the place of an id.
    n_dropped : int
        How many stars were dropped.
    """

    def __init__(self, starts: QTable, number: int, is_given: bool) -> None:
        self.starts = starts
        n = len(starts)
        self.iter_detected = np.full(n, number, dtype=np.int64)
        self.n_merged = np.zeros(n, dtype=np.int64)
        self.merged_into: dict[int, int] = {}
        self.n_dropped = 0
        self._is_given = np.full(n, is_given)
        self._significance = np.full(n, np.inf)
        self._next_id = int(np.max(starts["id"])) + 1
        self._barred = np.empty((0, 2))

    def __len__(self) -> int:
        return len(self.starts)

    def position(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Tell x and y of each, pixels."""
        x, y = (
            np.ascontiguousarray(self.starts[f"{name}_init"], dtype=float)
            for name in ("x", "y")
        )
        return x, y

    def update(self, fit: FitResult, limit: float | None = None) -> None:
        """Start the next fit where this one has ended.

        What has no finite values starts where it did. A limit is that of `drop`.
        """
        fitted = fit.to_init_params(remove_invalid=False, reset_ids=False)
        names = fitted.colnames[1:]
        columns = [values_of(fitted[name]) for name in names]
        is_finite = np.all(np.isfinite(columns), axis=0)
        for name in names:
            self.starts[name][is_finite] = fitted[name][is_finite]
        self._significance = fit.significance(limit)

    def number(self, new: QTable) -> QTable:
        """Give ids to new stars, and their columns the order of the others."""
        new["id"] = self._next_id + np.arange(len(new))
        self._next_id += len(new)
        return new[self.starts.colnames]

    def append(self, other: StarList) -> None:
        """Add the stars of a list whose ids this one gave, and its history."""
        self.starts = vstack([self.starts, other.starts], metadata_conflicts="silent")
        for name in ("iter_detected", "n_merged", "_is_given", "_significance"):
            joined = np.append(getattr(self, name), getattr(other, name))
            setattr(self, name, joined)
        self.merged_into |= other.merged_into
        self.n_dropped += other.n_dropped
        self._barred = np.vstack([self._barred, other._barred])

    def take_light(self, stars: NDArray[np.int64], light: NDArray[np.float64]) -> None:
        """Take flux out of stars, not more than nineteen parts of twenty."""
        taken = np.bincount(stars, light, minlength=len(self))
        flux = values_of(self.starts["flux_init"])
        left = np.where(flux > 0, np.maximum(flux - taken, 0.05 * flux), flux)
        self._set_flux(left)

    def drop(
        self,
        shape: Sequence[int],
        limit: float | None,
        *,
        bar: bool,
        clump: float = 0.0,
    ) -> bool:
        """Drop found stars that the last fit showed to be insignificant.

        Of several that share their light, none may be significant while all
        together are: they are made one, the oldest.

        Parameters
        ----------
        shape : (ny, nx)
            The image's: stars that left it are dropped too.
        limit : float or None
            Less significant stars are dropped, and those without an error; with
            `None` none is.
        bar : bool
            Whether their places take no star again.
        clump : float, optional
            Insignificant stars that are closer than so many pixels share their light.

        Returns
        -------
        bool
            Whether a star was dropped.
        """
        if limit is None:
            return False
        x, y = self.position()
        ny, nx = shape
        is_on = (np.abs(x - (nx - 1) / 2) <= nx / 2) & (
            np.abs(y - (ny - 1) / 2) <= ny / 2
        )
        is_out = ~(is_on & (self._significance >= limit)) & ~self._is_given
        if not is_out.any():
            return False
        is_out &= ~self._gather(np.flatnonzero(is_out & is_on), clump)
        if bar:
            self._barred = np.vstack([self._barred, np.transpose([x, y])[is_out]])
        self.n_dropped += int(is_out.sum())
        self._keep(~is_out)
        return True

    def _gather(self, members: NDArray[np.int_], distance: float) -> NDArray[np.bool_]:
        """Give the light of stars that are close together to the oldest of them.

        Returns
        -------
        (n,) bool array
            Which stars were given some.
        """
        is_first = np.zeros(len(self), dtype=bool)
        if distance <= 0 or len(members) < 2:  # noqa: PLR2004
            return is_first
        points = np.ascontiguousarray(np.transpose(self.position()))
        flux = values_of(self.starts["flux_init"]).copy()
        order = np.lexsort((-flux[members], self.iter_detected[members]))
        ranked = members[order]
        at = np.ascontiguousarray(points[ranked])
        first, second = _core.near_pairs(at, at, distance)
        is_free = np.ones(len(ranked), dtype=bool)
        for k in np.unique(first[first < second]):
            others = second[(first == k) & (second > k)]
            others = ranked[others[is_free[others]]]
            if not is_free[k] or len(others) == 0:
                continue
            a = ranked[k]
            together = np.append(others, a)
            weight = np.maximum(flux[together], 0.0)
            if weight.sum() > 0:
                points[a] = np.average(points[together], axis=0, weights=weight)
            flux[a] = flux[together].sum()
            is_free[np.isin(ranked, others)] = False
            is_first[a] = True
            # What it is alone, the next fit will tell.
            self._significance[a] = np.inf
        self.starts["x_init"], self.starts["y_init"] = points.T.copy()
        self._set_flux(flux)
        return is_first

    def merge(self, distance: float) -> bool:
        """Make one of stars that are closer than so many pixels.

        The brighter, or the user's, keeps its id, at the mean of the positions
        weighted by flux.

        Returns
        -------
        bool
            Whether stars were merged.
        """
        if distance <= 0 or len(self) < 2:  # noqa: PLR2004
            return False
        points = np.ascontiguousarray(np.transpose(self.position()))
        flux = values_of(self.starts["flux_init"]).copy()
        first, second = _core.near_pairs(points, points, distance)
        is_kept = np.ones(len(self), dtype=bool)
        ids = np.asarray(self.starts["id"])
        # The user's stars before others, and the brightest first.
        rank = np.empty(len(self), dtype=np.int64)
        rank[np.lexsort((-flux, ~self._is_given))] = np.arange(len(self))
        is_pair = rank[first] < rank[second]
        first, second = first[is_pair], second[is_pair]
        order = np.lexsort((rank[second], rank[first]))
        for a, b in zip(first[order].tolist(), second[order].tolist(), strict=True):
            if not is_kept[a] or not is_kept[b]:
                continue
            if self._is_given[b]:
                continue
            self._join(a, b, points, flux)
            is_kept[b] = False
            # What it is together, the next fit will tell.
            self._significance[a] = np.inf
            self.merged_into[int(ids[b])] = int(ids[a])
        if is_kept.all():
            return False
        self.starts["x_init"], self.starts["y_init"] = points.T.copy()
        self._set_flux(flux)
        self._keep(is_kept)
        return True

    def _join(self, a: int, b: int, points: Any, flux: Any) -> None:
        weight = np.maximum(flux[[a, b]], 0.0)
        if weight.sum() > 0 and not self._is_given[a]:
            points[a] = np.average(points[[a, b]], axis=0, weights=weight)
        flux[a] += flux[b]
        self.n_merged[a] += 1 + self.n_merged[b]

    def is_barred(self, x: Any, y: Any, distance: float) -> NDArray[np.bool_]:
        """Tell which places take no star again."""
        barred = np.zeros(len(x), dtype=bool)
        if len(self._barred) and len(x) and distance > 0:
            places = np.ascontiguousarray(np.transpose([x, y]))
            near, _ = _core.near_pairs(places, self._barred, distance)
            barred[near] = True
        return barred

    def _set_flux(self, flux: Any) -> None:
        self.starts["flux_init"] = in_unit_of(self.starts["flux_init"], flux)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self.starts = self.starts[kept]
        self.iter_detected = self.iter_detected[kept]
        self.n_merged = self.n_merged[kept]
        self._is_given = self._is_given[kept]
        self._significance = self._significance[kept]
