"""The completeness as a curve over magnitudes, by binomial likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: The fit ends when no parameter moves by this part of its error.
_CONVERGED, _MOST_STEPS = 1e-6, 200

#: The largest completeness is 1 where the likelihood is greatest beyond.
_LARGEST = 1 - 1e-9

#: A width whose error is so many times itself is none.
_FLAT = 100

#: Of the logarithm's argument: no probability is 0 or 1.
_TINY = 1e-12


@dataclass(frozen=True)
class CompletenessCurve:
    r"""The curve :math:`c(m) = c_\mathrm{max} / (1 + e^{(m - m_{50}) / w})`.

    `fit_completeness` makes it.

    Attributes
    ----------
    c_max : float
        The completeness of bright stars.
    m50 : float
        The magnitude at which half of that is left.
    width : float
        The width w, magnitudes.
    covariance : (3, 3) array
        Of (c_max, m50, width); that of c_max is 0 where it is 1.
    n_stars : int
        How many stars the curve was fitted to.
    """

    c_max: float
    m50: float
    width: float
    covariance: NDArray[np.float64]
    n_stars: int

    @property
    def m50_err(self) -> float:
        """1-sigma error of `m50`."""
        return float(math.sqrt(self.covariance[1, 1]))

    @property
    def width_err(self) -> float:
        """1-sigma error of `width`."""
        return float(math.sqrt(self.covariance[2, 2]))

    @property
    def c_max_err(self) -> float:
        """1-sigma error of `c_max`."""
        return float(math.sqrt(self.covariance[0, 0]))

    def __call__(self, magnitude: ArrayLike) -> NDArray[np.float64]:
        """Compute the completeness at magnitudes; NaN where one is NaN."""
        steps = (np.asarray(magnitude, dtype=float) - self.m50) / self.width
        return self.c_max * _logistic(steps)

    def magnitude_at(self, completeness: float) -> tuple[float, float]:
        """Tell where the completeness has a value, and the 1-sigma error of that.

        Parameters
        ----------
        completeness : float
            Above 0 and below `c_max`.

        Returns
        -------
        magnitude, error : float

        Raises
        ------
        ValueError
            If the curve has no such value.
        """
        if not 0 < completeness < self.c_max:
            msg = (
                f"completeness must be above 0 and below c_max = {self.c_max:.4g}, "
                f"got {completeness!r}"
            )
            raise ValueError(msg)
        odds = self.c_max / completeness - 1
        slope = np.array([self.width / (odds * completeness), 1.0, math.log(odds)])
        variance = float(slope @ self.covariance @ slope)
        return self.m50 + self.width * math.log(odds), math.sqrt(variance)


def fit_completeness(magnitude: ArrayLike, recovered: ArrayLike) -> CompletenessCurve:
    """Fit a logistic curve to which stars were recovered.

    The likelihood is the binomial one of each star; nothing is binned. It does not
    matter how the magnitudes are distributed.

    Parameters
    ----------
    magnitude : 1D array_like
        Input magnitudes.
    recovered : 1D array_like of bool
        Which stars were recovered.

    Returns
    -------
    curve : `CompletenessCurve`
        Its errors are from the expected information.

    Raises
    ------
    ValueError
        If the arrays do not go together, all or no stars were recovered, or the
        likelihood has no maximum, as where all recovered stars are brighter than
        all others, or fainter ones are recovered more often.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.completeness import fit_completeness
    >>> rng = np.random.default_rng(1)
    >>> magnitude = rng.uniform(20, 25, 3000)
    >>> recovered = rng.random(3000) < 1 / (1 + np.exp((magnitude - 23) / 0.25))
    >>> curve = fit_completeness(magnitude, recovered)
    >>> abs(curve.m50 - 23) < 3 * curve.m50_err < 0.1
    True
    """
    m = np.asarray(magnitude, dtype=float)
    k = np.asarray(recovered, dtype=bool)
    if m.ndim != 1 or m.shape != k.shape:
        msg = (
            "magnitude and recovered must be 1D and of one length, got shapes "
            f"{m.shape} and {k.shape}"
        )
        raise ValueError(msg)
    if not np.isfinite(m).all():
        msg = (
            f"magnitude must be finite, got {np.count_nonzero(~np.isfinite(m))} others"
        )
        raise ValueError(msg)
    if k.all() or not k.any():
        msg = (
            "a curve needs stars that were recovered and stars that were not, got "
            f"{np.count_nonzero(k)} of {k.size} recovered"
        )
        raise ValueError(msg)
    if m[k].max() < m[~k].min():
        raise ValueError(_NO_MAXIMUM)
    start = _start(m, k)
    best = _maximise(m, k, start, free=(0, 1, 2))
    if best[0] > _LARGEST or best[0] <= 0:
        best = _maximise(m, k, np.array([1.0, *start[1:]]), free=(1, 2))
    information = _information(m, best)
    free = [0, 1, 2] if best[0] < 1 else [1, 2]
    covariance = np.zeros((3, 3))
    covariance[np.ix_(free, free)] = np.linalg.inv(information[np.ix_(free, free)])
    c_max, m50, width = (float(value) for value in best)
    # Where rounding ends the climb the likelihood is flat, and no width known.
    if not covariance[2, 2] < (_FLAT * width) ** 2:
        raise ValueError(_NO_MAXIMUM)
    return CompletenessCurve(c_max, m50, width, covariance, k.size)


def _logistic(steps: Any) -> NDArray[np.float64]:
    """Compute 1/(1 + exp(steps))."""
    return np.asarray(0.5 * (1 - np.tanh(steps / 2)))


def _start(m: NDArray[np.float64], k: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Guess: the bright quarter's share, and a curve of the same area."""
    order = np.argsort(m)
    bright = order[: max(len(m) // 4, 1)]
    c_max = float(np.clip(k[bright].mean(), 0.1, 0.999))
    # As many are lost on its bright side as are found on the faint one.
    rank = int(np.clip(k.sum() / c_max, 1, len(m) - 1))
    spread = float(np.ptp(m)) or 1.0
    return np.array([c_max, m[order[rank]], spread / 20])


def _maximise(
    m: NDArray[np.float64],
    k: NDArray[np.bool_],
    start: NDArray[np.float64],
    free: tuple[int, ...],
) -> NDArray[np.float64]:
    """Climb by scoring steps, halved where the likelihood falls."""
    parts, at = list(free), start.copy()
    height = _log_likelihood(m, k, at)
    for _ in range(_MOST_STEPS):
        slope = _slopes(m, at)
        p = np.clip(_curve(m, at), _TINY, 1 - _TINY)
        score = slope @ ((k - p) / (p * (1 - p)))
        information = (slope / (p * (1 - p))) @ slope.T
        try:
            inverse = np.linalg.inv(information[np.ix_(parts, parts)])
        except np.linalg.LinAlgError as exc:
            raise ValueError(_NO_MAXIMUM) from exc
        step = np.zeros(3)
        step[parts] = inverse @ score[parts]
        error = np.sqrt(np.maximum(np.diag(inverse), 0))
        if (np.abs(step[parts]) <= _CONVERGED * error).all():
            return at
        at, height, moved = _climb(m, k, at, step, height)
        if not moved:
            return at
        if not at[2] > 1e-6 * max(np.ptp(m), _TINY) or at[2] > 1e3 * np.ptp(m):
            raise ValueError(_NO_MAXIMUM)
    return at


_NO_MAXIMUM = (
    "no logistic curve fits best: the stars that were recovered and those that "
    "were not do not overlap in magnitude, or do not change with it"
)


def _climb(
    m: NDArray[np.float64],
    k: NDArray[np.bool_],
    at: NDArray[np.float64],
    step: NDArray[np.float64],
    height: float,
) -> tuple[NDArray[np.float64], float, bool]:
    """Go a step, or the largest part of it that leads up."""
    for halvings in range(40):
        there = at + step / 2**halvings
        # Widths stay positive, and shares of stars are no more than all of them.
        there[2] = max(there[2], at[2] / 3)
        there[0] = min(max(there[0], at[0] / 3), 1.0)
        reached = _log_likelihood(m, k, there)
        if reached > height:
            return there, reached, True
    return at, height, False


def _curve(m: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(at[0] * _logistic((m - at[1]) / at[2]))


def _slopes(m: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differentiate the curve by its parameters: (3, n)."""
    steps = (m - at[1]) / at[2]
    share = _logistic(steps)
    fall = at[0] * share * (1 - share) / at[2]
    return np.stack([share, fall, fall * steps])


def _log_likelihood(
    m: NDArray[np.float64], k: NDArray[np.bool_], at: NDArray[np.float64]
) -> float:
    p = np.clip(_curve(m, at), _TINY, 1 - _TINY)
    return float(np.sum(np.log(np.where(k, p, 1 - p))))


def _information(
    m: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    slope = _slopes(m, at)
    p = np.clip(_curve(m, at), _TINY, 1 - _TINY)
    return np.asarray((slope / (p * (1 - p))) @ slope.T)
