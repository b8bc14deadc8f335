"""Intervals of a share that was counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psfphot._validate import as_positive

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def wilson_interval(
    n_successes: ArrayLike, n_trials: ArrayLike, *, n_sigma: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Compute the Wilson score interval of a binomial probability.

    Unlike :math:`\pm \sqrt{n}` it stays within 0 and 1, and is no point where none
    or all succeeded.

    Parameters
    ----------
    n_successes, n_trials : array_like of int
        How many of how many.
    n_sigma : float, optional
        1 for an interval of 68.3 %.

    Returns
    -------
    lower, upper : ndarray of float
        0 and 1 where nothing was tried.

    Raises
    ------
    ValueError
        If ``n_sigma`` is not positive, or its square not finite.

    References
    ----------
    Wilson, E. B. 1927, J. Am. Stat. Assoc., 22, 209; Brown, L. D., Cai, T. T. &
    DasGupta, A. 2001, Stat. Sci., 16, 101.

    Examples
    --------
    >>> from psfphot.completeness import wilson_interval
    >>> lower, upper = wilson_interval(0, 10)
    >>> float(lower), round(float(upper), 3)
    (0.0, 0.091)
    """
    k = np.asarray(n_successes, dtype=float)
    n = np.asarray(n_trials, dtype=float)
    n_sigma = as_positive(n_sigma, "n_sigma")
    z2 = n_sigma * n_sigma
    if not np.isfinite(z2):
        msg = f"n_sigma must be a number whose square is finite, got {n_sigma}"
        raise ValueError(msg)
    centre = (k + z2 / 2) / (n + z2)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.where(n > 0, k * (n - k) / n, 0.0) + z2 / 4
    half = n_sigma * np.sqrt(spread) / (n + z2)
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)
