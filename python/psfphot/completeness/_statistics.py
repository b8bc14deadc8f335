"""Statistics of artificial stars in bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, Table

from psfphot._validate import as_count, values_of
from psfphot.completeness._intervals import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    Values = NDArray[np.float64]

#: Percentiles of a normal distribution at -1 and 1 sigma, and of 95 %.
_ONE_SIGMA = (15.865525, 84.134475)
_95_PERCENT = (2.5, 97.5)
_SIGMA_OF_95 = 1.959964

#: Pulls beyond this are outliers.
_OUTLIER = 5.0

#: Of fewer stars no width is computed.
_LEAST = 3


def bin_edges(values: ArrayLike, bins: Any) -> Values:
    """Make the edges of bins.

    Parameters
    ----------
    values : 1D array_like
        What is binned.
    bins : int or 1D array_like
        How many over the range of the values, or their edges.

    Raises
    ------
    TypeError, ValueError
        If they are neither, or do not increase.
    """
    if np.ndim(bins) == 0:
        n = as_count(bins, "bins", least=1)
        finite = np.asarray(values, dtype=float)
        finite = finite[np.isfinite(finite)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
        return np.linspace(low, high if high > low else low + 1, n + 1)
    edges = np.asarray(bins, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():  # noqa: PLR2004
        msg = f"bins must be a number or increasing edges, got {bins!r}"
        raise ValueError(msg)
    return edges


@dataclass(frozen=True)
class Bins:
    """Values in bins: each is in the one whose edges are around it, the last closed.

    Attributes
    ----------
    edges : 1D array
        Their edges.
    index : 1D int array
        The bin of each value; -1 outside.
    """

    edges: Values
    index: NDArray[np.int64]

    @classmethod
    def of(cls, values: ArrayLike, bins: Any) -> Bins:
        """Sort values into bins, see `bin_edges`."""
        x = np.asarray(values, dtype=float)
        edges = bin_edges(x, bins)
        index = np.searchsorted(edges, x, side="right") - 1
        index[x == edges[-1]] = len(edges) - 2
        index[~((x >= edges[0]) & (x <= edges[-1]))] = -1
        return cls(edges, index)

    def table(self) -> QTable:
        """Begin a table with a row for each bin."""
        return QTable({"low": self.edges[:-1], "high": self.edges[1:]})

    def members(self, chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
        """Yield, bin by bin, which of the chosen values are in it."""
        for i in range(len(self.edges) - 1):
            yield np.flatnonzero(chosen & (self.index == i))


def share(
    recovered: NDArray[np.bool_], weights: Values, members: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Compute a weighted share and its Wilson interval.

    The interval is that of as many stars as the weights are worth,
    (sum w)^2 / sum w^2.

    Returns
    -------
    share, lower, upper : float
        NaN, 0 and 1 without a member.
    """
    w = weights[members]
    total = w.sum()
    if not total > 0:
        return np.nan, 0.0, 1.0
    part = float(w[recovered[members]].sum() / total)
    worth = total**2 / np.sum(w**2)
    lower, upper = wilson_interval(part * worth, worth)
    return part, float(lower), float(upper)


def binned_completeness(table: Table, bins: Any, by: str) -> QTable:
    """Compute the completeness in bins, see `ArtificialStarResults.completeness`."""
    values = _column(table, by)
    sorted_in = Bins.of(values, bins)
    recovered, weights = np.asarray(table["recovered"]), values_of(table["weight"])
    made = sorted_in.table()
    every = list(sorted_in.members(np.ones(len(table), dtype=bool)))
    made["n"] = [len(members) for members in every]
    made["n_recovered"] = [np.count_nonzero(recovered[members]) for members in every]
    shares = np.array([share(recovered, weights, members) for members in every])
    for name, column in zip(("completeness", "lower", "upper"), shares.T, strict=True):
        made[name] = column
    return made


def binned_residuals(table: Table, bins: Any, by: str) -> QTable:
    """Compute bias and scatter in bins, see `ArtificialStarResults.residuals`."""
    sorted_in = Bins.of(_column(table, by), bins)
    recovered = np.asarray(table["recovered"])
    true = values_of(table["flux_in"])
    off = values_of(table["flux_fit"]) - true
    places = [values_of(table[f"{n}_fit"]) - values_of(table[f"{n}_in"]) for n in "xy"]
    rows = []
    for members in sorted_in.members(recovered & np.isfinite(off)):
        flux = float(np.median(true[members])) if len(members) else np.nan
        bias, half = middle(off[members])
        x, y = (middle(place[members]) for place in places)
        error = 1.2533 * half / np.sqrt(max(len(members), 1))
        rows.append((len(members), flux, bias, error, half, *x, *y))
    names = ["n_recovered", "flux", "bias", "bias_err", "scatter"]
    names += ["x_bias", "x_scatter", "y_bias", "y_scatter"]
    made = sorted_in.table()
    for name, column in zip(names, np.array(rows, dtype=float).T, strict=True):
        made[name] = column
    made["n_recovered"] = made["n_recovered"].astype(np.int64)
    made["completeness"] = binned_completeness(table, sorted_in.edges, by)[
        "completeness"
    ]
    unit = getattr(table["flux_in"], "unit", None)
    if unit is not None:
        for name in ("flux", "bias", "bias_err", "scatter"):
            made[name] = made[name] << unit
    return made


def binned_pulls(table: Table, bins: Any, by: str) -> QTable:
    """Calibrate errors in bins, see `ArtificialStarResults.error_calibration`."""
    sorted_in = Bins.of(_column(table, by), bins)
    recovered = np.asarray(table["recovered"])
    pulls = {name: pull_of(table, name) for name in ("flux", "x", "y")}
    made = sorted_in.table()
    every = list(sorted_in.members(recovered & np.isfinite(pulls["flux"])))
    made["n"] = [len(members) for members in every]
    flux = [pulls["flux"][members] for members in every]
    made["median"], made["width"] = np.array([middle(each) for each in flux]).T
    made["width_95"] = [half_width(each, _95_PERCENT) / _SIGMA_OF_95 for each in flux]
    made["beyond_5"] = [
        float(np.mean(np.abs(each) > _OUTLIER)) if len(each) else np.nan
        for each in flux
    ]
    for name in ("x", "y"):
        made[f"{name}_width"] = [middle(pulls[name][members])[1] for members in every]
    return made


def pull_of(table: Table, name: str) -> Values:
    """Compute (measured - input) / quoted error; NaN where there is no error.

    Raises
    ------
    ValueError
        If the photometry quotes no errors.
    """
    error = f"{name}_err"
    if error not in table.colnames:
        msg = f"the photometry has no column {error}: its errors are not known"
        raise ValueError(msg)
    sigma = values_of(table[error]).copy()
    sigma[~(sigma > 0)] = np.nan
    return (values_of(table[f"{name}_fit"]) - values_of(table[f"{name}_in"])) / sigma


def middle(values: Values) -> tuple[float, float]:
    """Compute the median, and half of what holds the middle 68.3 %."""
    finite = values[np.isfinite(values)]
    if len(finite) < _LEAST:
        return np.nan, np.nan
    return float(np.median(finite)), half_width(finite, _ONE_SIGMA)


def half_width(values: Values, percentiles: Sequence[float]) -> float:
    """Compute half of the distance between two percentiles."""
    if len(values) < _LEAST:
        return np.nan
    low, high = np.percentile(values, percentiles)
    return float(high - low) / 2


def _column(table: Table, name: str) -> Values:
    if name not in table.colnames:
        msg = f"by must be a column of the table, got {name!r}"
        raise ValueError(msg)
    return values_of(table[name])
