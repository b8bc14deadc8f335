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
    solution: Solution, accuracy: float, initial: NDArray[np.float64] | None
) -> tuple[list[NDArray[np.float64]], Table]:
    """Make the ePSFs of the rounds, and the table of what each has changed.

    Parameters
    ----------
    solution : Solution
        The solution, with its rounds.
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
    # The stars are fitted before each step of the ePSF, and after the last.
    centers = [np.column_stack([one.x, one.y]) for one in solution.rounds]
    centers.append(np.column_stack([solution.x, solution.y]))
    rows = []
    last: Any = 0.0 if initial is None else initial
    for k, samples in enumerate(epsfs):
        change = float(np.max(np.abs(samples - last)) / peak)
        own, common = _measure_moves((centers[k + 1] - centers[k])[used])
        rows.append(
            {
                "iteration": k + 1,
                "stage": "build",
                "converged": change < accuracy,
                "converged_fraction": float(np.mean(own < accuracy)),
                "max_center_shift": float(own.max()),
                "common_center_shift": common,
                "n_fit_failed": int(np.count_nonzero(~used)),
                "max_epsf_change": change,
            }
        )
        last = samples
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
