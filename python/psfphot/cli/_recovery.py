"""A catalogue against the truth of a simulated field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.stats import mad_std

from psfphot.cli._simulation import BRIGHTEST, FAINTEST, to_magnitude
from psfphot.matching import match_positions

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    Values = NDArray[np.float64]


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


def compare(catalog: QTable, truth: QTable, radius: float) -> Recovery:
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
    )


def describe_recovery(recovery: Recovery) -> list[str]:
    """Tabulate the recovery by magnitude.

    Widths are robust (from the median absolute deviation) and 1 where the
    quoted errors are right.
    """
    n_true, n_found = len(recovery.found), int(recovery.found.sum())
    lines = [
        (
            f"{n_found} of {n_true} true stars found again; "
            f"{recovery.n_spurious} catalogue entries are none"
        ),
        "",
        (
            "magnitude   stars  found     flux: offset  scatter   pull"
            "     position: scatter   pull"
        ),
    ]
    for bright in np.arange(BRIGHTEST, FAINTEST):
        stars = np.floor(recovery.true_magnitude) == bright
        if stars.any():
            lines.append(_row(recovery, bright, stars))
    every = np.ones(len(recovery.magnitude), dtype=bool)
    lines.append("")
    for title, chosen in (("all", every), ("alone, no flag", recovery.alone)):
        flux, position = _pulls(recovery, chosen)
        lines.append(
            f"width of the pulls, {title} ({np.count_nonzero(chosen)} stars): "
            f"flux {flux:.2f}, position {position:.2f} (1 if the errors are right)"
        )
    return lines


_TRUE = {"x_fit": "x_0", "y_fit": "y_0", "flux_fit": "flux"}
_COLUMNS = (*_TRUE, "x_err", "y_err", "flux_err")


def _row(recovery: Recovery, bright: float, stars: NDArray[np.bool_]) -> str:
    here = np.floor(recovery.magnitude) == bright
    start = (
        f"{bright:.0f} - {bright + 1:.0f}   {np.count_nonzero(stars):6d} "
        f"{100 * recovery.found[stars].mean():5.1f} %"
    )
    if np.count_nonzero(here) < 3:  # noqa: PLR2004
        return start
    offset = recovery.flux_offset[here]
    position = np.concatenate([recovery.x_offset[here], recovery.y_offset[here]])
    flux_pull, position_pull = _pulls(recovery, here)
    return (
        f"{start}      {100 * np.median(offset):+7.2f} % "
        f"{100 * mad_std(offset):6.2f} % {flux_pull:6.2f}          "
        f"{mad_std(position):9.4f} px {position_pull:6.2f}"
    )


def _pulls(recovery: Recovery, chosen: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the robust widths of the pulls of flux and position."""
    position = np.concatenate([recovery.x_pull[chosen], recovery.y_pull[chosen]])
    return _width(recovery.flux_pull[chosen]), _width(position)


def _width(values: Any) -> float:
    finite = values[np.isfinite(values)]
    return float(mad_std(finite)) if len(finite) else float("nan")
