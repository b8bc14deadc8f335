"""How well a field was recovered, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.stats import mad_std

from psfphot.pipeline._simulation import BRIGHTEST, FAINTEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.pipeline import Recovery

#: The S/N above which the errors of isolated stars are their photons' alone.
_BRIGHT = 50


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
    return [*lines, "", *_describe_pulls(recovery)]


def _describe_pulls(recovery: Recovery) -> list[str]:
    """Tabulate the pulls of all, and say why they are not 1."""
    lines = ["width of the pulls (1 if the errors are right)   stars   flux  position"]
    bright = recovery.isolated & (recovery.snr > _BRIGHT)
    for title, chosen in (
        ("all", np.ones(len(recovery.magnitude), dtype=bool)),
        ("in no group, no flag", recovery.alone),
        (f"isolated in truth, above {_BRIGHT} sigma", bright),
    ):
        flux, position = _pulls(recovery, chosen)
        n = np.count_nonzero(chosen)
        lines.append(f"  {title:<44}{n:8d} {flux:6.2f} {position:9.2f}")
    n_missed = np.count_nonzero(~recovery.found)
    why = (
        f"Where it is above 1: errors know the pixels' noise, not the {n_missed} stars "
        "without a row (too faint, or too near another) that lie under the others; "
        "the last line is of stars that no other is near."
    )
    return [*lines, why]


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
