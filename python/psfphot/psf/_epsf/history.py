"""What the rounds of a build have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.psf._epsf.solver import Solution

# Fewer stars have no common move.
_LEAST_COMMON = 3


def make_history(
    solution: Solution,
    starts: NDArray[np.float64],
    accuracy: float,
    initial: NDArray[np.float64] | None,
) -> tuple[list[NDArray[np.float64]], Table]:
    """Make the ePSFs of the rounds, and the table of what each has changed.

    Parameters
    ----------
    solution : Solution
        The solution, with its rounds.
    starts : (N, 2) array
        Where the stars were in their cutouts before the first, pixels.
    accuracy : float
        The move, pixels, and the change, in units of the peak, that count as none.
    initial : (ny, nx) array or None
        The ePSF before the first.

    Returns
    -------
    list of array, `~astropy.table.Table`
        See `EPSFBuildResults`.
    """
    epsfs = [one.samples for one in solution.rounds]
    peak = float(np.max(epsfs[-1]))
    used = solution.is_used
    rows = []
    last, centers = (0.0 if initial is None else initial), starts
    for k, one in enumerate(solution.rounds, start=1):
        now = np.column_stack([one.x, one.y])
        change = float(np.max(np.abs(one.samples - last)) / peak)
        own, common = _measure_moves((now - centers)[used])
        fraction = float(np.mean(own < accuracy)) if own.size else 0.0
        rows.append(
            {
                "iteration": k,
                "stage": "build",
                "converged": change < accuracy,
                "converged_fraction": fraction,
                "max_center_shift": float(own.max()) if own.size else np.nan,
                "common_center_shift": common,
                "n_fit_failed": int(np.count_nonzero(~used)),
                "max_epsf_change": change,
            }
        )
        last, centers = one.samples, now
    table = Table(rows)
    table["converged_fraction"].info.format = ".3f"
    for name in ("max_center_shift", "common_center_shift", "max_epsf_change"):
        table[name].info.format = ".3g"
    return epsfs, table


def _measure_moves(moves: Any) -> tuple[NDArray[np.float64], float]:
    """Tell how far stars have moved, and how far all of them together."""
    common = np.zeros(2)
    if len(moves) >= _LEAST_COMMON:
        common = np.median(moves, axis=0)
    return np.hypot(*(moves - common).T), float(np.hypot(*common))
