"""A catalogue against the truth of a simulated field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from psfphot._validate import check_table
from psfphot.matching import match_positions
from psfphot.pipeline._simulation import to_magnitude
from psfphot.psf import SourceGrouper

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

#: What was fitted, and what it is called in the truth.
_TRUE = {"x_fit": "x_0", "y_fit": "y_0", "flux_fit": "flux"}
_COLUMNS = (*_TRUE, "x_err", "y_err", "flux_err")

#: A star is isolated if no other true one is nearer than so many radii of the match.
_ISOLATED = 6.0


@dataclass(frozen=True)
class Recovery:
    """What was found again, and how well.

    Attributes
    ----------
    true_magnitude : 1D array
        Of all true stars.
    found : 1D bool array
        Which of them were found.
    n_spurious : int
        Catalogue entries that are no true star.
    magnitude, flux_offset, flux_pull, x_offset, x_pull, y_offset, y_pull
        1D arrays, one value for each star found: true magnitude,
        fitted / true flux - 1, fitted - true position in pixels, and each
        difference divided by its quoted error.
    alone : 1D bool array
        Which of those found are in no group and have no flag.
    isolated : 1D bool array
        Which of those found have no flag, and no other true star, found or not,
        within 6 radii of the match.
    snr : 1D array
        Of those found, fitted flux / its quoted error.
    """

    true_magnitude: Values
    found: NDArray[np.bool_]
    n_spurious: int
    magnitude: Values
    flux_offset: Values
    flux_pull: Values
    x_offset: Values
    x_pull: Values
    y_offset: Values
    y_pull: Values
    alone: NDArray[np.bool_]
    isolated: NDArray[np.bool_]
    snr: Values


def compare_with_truth(catalog: QTable, truth: QTable, radius: float) -> Recovery:
    """Match a catalogue with the truth and take the differences.

    Parameters
    ----------
    catalog : `~astropy.table.QTable`
        As PSFPhotometry makes it.
    truth : `~astropy.table.QTable`
        ``x_0``, ``y_0``, ``flux``.
    radius : float
        Largest distance in pixels of a star from its place.

    Returns
    -------
    recovery : `Recovery`
    """
    check_table(catalog, "catalog", *_COLUMNS)
    check_table(truth, "truth", *_TRUE.values())
    fit = {name: np.asarray(catalog[name], dtype=float) for name in _COLUMNS}
    true = {name: np.asarray(truth[name], dtype=float) for name in _TRUE.values()}
    good = np.flatnonzero(
        np.logical_and.reduce([np.isfinite(fit[name]) for name in _TRUE])
    )
    in_truth, in_good = match_positions(
        (true["x_0"], true["y_0"]),
        (fit["x_fit"][good], fit["y_fit"][good]),
        radius,
    )
    at = good[in_good]
    difference = {name: fit[name][at] - true[_TRUE[name]][in_truth] for name in _TRUE}
    error = {name: fit[name.replace("fit", "err")][at] for name in _TRUE}
    pull = {name: difference[name] / error[name] for name in _TRUE}
    magnitude = to_magnitude(true["flux"])
    found = np.zeros(len(truth), dtype=bool)
    found[in_truth] = True
    groups = np.asarray(SourceGrouper(_ISOLATED * radius)(true["x_0"], true["y_0"]))
    is_isolated = (np.bincount(groups)[groups] == 1)[in_truth]
    size, flags = (np.asarray(catalog[name])[at] for name in ("group_size", "flags"))
    return Recovery(
        true_magnitude=magnitude,
        found=found,
        n_spurious=len(catalog) - len(at),
        magnitude=magnitude[in_truth],
        flux_offset=difference["flux_fit"] / true["flux"][in_truth],
        flux_pull=pull["flux_fit"],
        x_offset=difference["x_fit"],
        x_pull=pull["x_fit"],
        y_offset=difference["y_fit"],
        y_pull=pull["y_fit"],
        alone=(size == 1) & (flags == 0),
        isolated=is_isolated & (flags == 0),
        snr=fit["flux_fit"][at] / error["flux_fit"],
    )
