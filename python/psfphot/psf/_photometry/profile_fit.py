"""The fit of one star whose profile is known but for its shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot.psf._models.gaussian import CircularGaussianPRF
from psfphot.psf._models.moffat import MoffatPRF

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

#: The largest exponent of a fit.
_MOST_BETA = 20.0

#: Pixels are integrated by 4 x 4 nodes: 1e-4 of the peak at a FWHM of 2.
_NODES = 4

#: Residuals beyond so many sigma lose weight.
_HUBER = 2.0


class Profile(NamedTuple):
    """A family of profiles."""

    make: Callable[[NDArray[np.float64]], Any]
    #: Its derivatives by flux, x, y and the shape.
    derivatives: Callable[..., list[Any]]
    #: Shape parameters of a FWHM, and the FWHM of shape parameters.
    start: Callable[[float], list[float]]
    fwhm: Callable[[NDArray[np.float64]], float]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]


def _moffat_fwhm(shape: NDArray[np.float64]) -> float:
    alpha, beta = shape
    return float(2 * alpha * math.sqrt(2 ** (1 / beta) - 1))


def _moffat_start(fwhm: float) -> list[float]:
    beta = 3.0
    return [fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1)), beta]


PROFILES = {
    "moffat": Profile(
        lambda s: MoffatPRF(alpha=s[0], beta=s[1]),
        MoffatPRF(n_nodes=_NODES).fit_deriv,
        _moffat_start,
        _moffat_fwhm,
        (0.1, 1.1),
        (200.0, _MOST_BETA),
    ),
    "gaussian": Profile(
        lambda s: CircularGaussianPRF(fwhm=s[0]),
        CircularGaussianPRF().fit_deriv,
        lambda fwhm: [fwhm],
        lambda s: float(s[0]),
        (0.1,),
        (200.0,),
    ),
}


class Pixels(NamedTuple):
    """The pixels that one star is fitted to."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    values: NDArray[np.float64]
    error: NDArray[np.float64]


@np.errstate(under="ignore")  # far wings are 0 to a float
def fit_star(
    pixels: Pixels,
    profile: Profile,
    start: NDArray[np.float64],
    neighbours: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    """Fit flux, x, y, shape and sky by Levenberg-Marquardt, outliers weighted down.

    Flux, x and y of neighbours (n, 3) of the same shape are fitted along. Returns
    `None` where that does not converge.
    """
    n_own = len(start)
    low = np.array([0.0, -np.inf, -np.inf, *profile.lowest, -np.inf])
    high = np.array([np.inf, np.inf, np.inf, *profile.highest, np.inf])
    # A pixel from where it was found, at most.
    move = np.array([np.inf, 1.0, 1.0])
    least = np.maximum(neighbours - move, [0.0, -np.inf, -np.inf])
    low = np.concatenate([low, least.ravel()])
    high = np.concatenate([high, (neighbours + move).ravel()])
    current, damping = np.concatenate([start, neighbours.ravel()]), 1e-3
    jacobian, residual = _linearised(pixels, profile, current)
    cost = _huber(residual)
    for _ in range(40):
        weight = np.minimum(1, _HUBER / np.maximum(np.abs(residual), 1e-300))
        normal = jacobian.T @ (weight[:, None] * jacobian)
        gradient = jacobian.T @ (weight * residual)
        size = np.diag(normal)
        # A neighbour without flux has no position, which then stays.
        damped = normal + np.diag(np.where(size > 0, damping * size, 1.0))
        try:
            step = np.linalg.solve(damped, gradient)
        except np.linalg.LinAlgError:
            return None
        trial = np.clip(current + step, low, high)
        new_jacobian, new_residual = _linearised(pixels, profile, trial)
        new_cost = _huber(new_residual)
        if not new_cost <= cost:
            damping *= 10
            if damping > 1e6:  # noqa: PLR2004
                return None
            continue
        has_converged = cost - new_cost < 1e-4 * cost + 1e-9
        current, jacobian, residual, cost = trial, new_jacobian, new_residual, new_cost
        damping /= 10
        if has_converged:
            return current[:n_own] if np.isfinite(current).all() else None
    return None


def _linearised(
    pixels: Pixels, profile: Profile, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the derivatives of the model and the residuals, both over the errors."""
    n_own = 4 + len(profile.lowest)
    flux, x, y, *shape, sky = values[:n_own]
    planes = profile.derivatives(pixels.x, pixels.y, flux, x, y, *shape)
    rows = [*planes, np.ones_like(pixels.x)]
    # The flux is linear: its derivative is the profile.
    residual = pixels.values - flux * rows[0] - sky
    for other in values[n_own:].reshape(-1, 3):
        planes = profile.derivatives(pixels.x, pixels.y, *other, *shape)
        residual = residual - other[0] * planes[0]
        rows[3 : n_own - 1] = [
            a + b for a, b in zip(rows[3 : n_own - 1], planes[3:], strict=True)
        ]
        rows += planes[:3]
    return (np.array(rows) / pixels.error).T, residual / pixels.error


def _huber(residual: NDArray[np.float64]) -> float:
    size = np.abs(residual)
    return float(np.sum(np.where(size < _HUBER, size**2, _HUBER * (2 * size - _HUBER))))
