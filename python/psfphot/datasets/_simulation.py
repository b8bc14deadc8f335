"""Random source lists and noise, on the random stream of photutils."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from psfphot import _core
from psfphot._meta import table_meta
from psfphot._validate import as_count, as_pair, as_scalar

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["make_model_params", "make_noise_image"]

# Candidates drawn for each source when some will be too near to others. Part
# of the random stream: another number gives other sources.
CANDIDATES = 10


def make_model_params(
    shape: int | tuple[int, int],
    n_sources: int,
    *,
    x_name: str = "x_0",
    y_name: str = "y_0",
    min_separation: float = 1,
    border_size: int | tuple[int, int] = (0, 0),
    seed: Any = 0,
    **kwargs: tuple[float, float],
) -> QTable:
    """Draw random positions and parameters for simulated sources.

    The same seed gives the same sources as photutils 3.x does.

    Parameters
    ----------
    shape : int or (int, int)
        The image's (ny, nx).
    n_sources : int
        How many sources to draw; there will be fewer, with a warning, if they
        do not fit with that separation.
    x_name, y_name : str, optional
        Names of the columns with the positions.
    min_separation : float, optional
        The least distance between two sources, pixels; 0 for any.
    border_size : int or (int, int), optional
        Rows and columns (ny, nx) at each edge of the image without sources.
    seed : int or None or any seed of `numpy.random.default_rng`, optional
        The seed of the random numbers.
    **kwargs : (float, float)
        For each further parameter the range, (lower, upper), in which it is
        uniformly distributed.

    Returns
    -------
    `~astropy.table.QTable`
        The columns ``id`` (from 1), x, y and one for each further parameter,
        in their order.

    Warns
    -----
    AstropyUserWarning
        If fewer than ``n_sources`` sources fit.

    Raises
    ------
    TypeError
        If an argument is not of its type.
    ValueError
        If an argument is out of its range, the border leaves no pixel, or a
        further parameter has a wrong range or the name of another column.

    Examples
    --------
    >>> from psfphot.datasets import make_model_params
    >>> params = make_model_params((100, 100), 5, flux=(100, 500))
    >>> params.colnames
    ['id', 'x_0', 'y_0', 'flux']
    """
    ny, nx = as_pair(shape, "shape", lower=1)
    border_y, border_x = as_pair(border_size, "border_size", lower=0)
    n_sources = as_count(n_sources, "n_sources")
    if 2 * border_x >= nx or 2 * border_y >= ny:
        msg = (
            "border_size is too large for the given shape: "
            f"{(border_y, border_x)} of {(ny, nx)}"
        )
        raise ValueError(msg)
    _check_ranges(kwargs, taken=("id", x_name, y_name))

    rng = np.random.default_rng(seed)
    x, y = _draw_positions(
        rng,
        n_sources,
        (border_x, nx - border_x),
        (border_y, ny - border_y),
        _check_separation(min_separation),
    )
    table = QTable(meta=table_meta())
    table["id"] = np.arange(len(x)) + 1
    table[x_name] = x
    table[y_name] = y
    for name, (lower, upper) in kwargs.items():
        table[name] = rng.uniform(lower, upper, len(x))
    return table


def _check_separation(min_separation: float) -> float:
    separation = as_scalar(min_separation, "min_separation")
    if np.isnan(separation):
        msg = "min_separation must be a number, got nan"
        raise ValueError(msg)
    return separation


def _check_ranges(
    ranges: dict[str, tuple[float, float]], *, taken: tuple[str, ...]
) -> None:
    for name, limits in ranges.items():
        if name in taken:
            msg = (
                f"{name} cannot be used as a keyword argument because it is the "
                "name of the ID or a position column"
            )
            raise ValueError(msg)
        if np.shape(limits) != (2,):
            msg = f"{name} must be a 2-tuple (lower, upper), got {limits!r}"
            raise ValueError(msg)
        if not (np.isfinite(limits).all() and limits[0] <= limits[1]):
            msg = f"{name} must be finite and lower <= upper, got {limits!r}"
            raise ValueError(msg)


def _draw_positions(
    rng: np.random.Generator,
    n_sources: int,
    x_range: tuple[int, int],
    y_range: tuple[int, int],
    min_separation: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if min_separation <= 0:
        return rng.uniform(*x_range, n_sources), rng.uniform(*y_range, n_sources)
    x = rng.uniform(*x_range, CANDIDATES * n_sources)
    y = rng.uniform(*y_range, CANDIDATES * n_sources)
    stays = np.flatnonzero(_core.thin_sources(x, y, min_separation))[:n_sources]
    if len(stays) < n_sources:
        msg = (
            f"Unable to produce {n_sources} coordinates within the given shape and "
            f"minimum separation. Only {len(stays)} coordinates were generated."
        )
        # At the caller of make_model_params.
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
    return x[stays], y[stays]


def make_noise_image(
    shape: int | tuple[int, ...],
    distribution: Literal["gaussian", "poisson"] = "gaussian",
    *,
    mean: float | None = None,
    stddev: float | None = None,
    seed: Any = None,
) -> NDArray[Any]:
    """Draw an image of noise.

    The same seed gives the same image as photutils does.

    Parameters
    ----------
    shape : (int, int)
        The image's (ny, nx).
    distribution : {'gaussian', 'poisson'}, optional
        How the noise is distributed.
    mean : float
        The mean of the distribution. It has to be given.
    stddev : float, optional
        The standard deviation of Gaussian noise, for which it has to be given.
    seed : int or None or any seed of `numpy.random.default_rng`, optional
        The seed of the random numbers; `None` draws one.

    Returns
    -------
    2D ndarray
        The noise: float64 if Gaussian, int64 if Poisson.

    Raises
    ------
    ValueError
        If ``mean`` or ``stddev`` is missing or out of its range, or the
        distribution is another.

    Examples
    --------
    >>> from psfphot.datasets import make_noise_image
    >>> noise = make_noise_image((100, 100), mean=0, stddev=0.5, seed=0)
    >>> noise.shape
    (100, 100)
    """
    if distribution not in {"gaussian", "poisson"}:
        msg = (
            f"Invalid distribution: {distribution}. "
            "distribution must be 'gaussian' or 'poisson'"
        )
        raise ValueError(msg)
    if mean is None:
        msg = "'mean' must be input"
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    if distribution == "poisson":
        if not mean >= 0:
            msg = f"mean must be >= 0 for Poisson noise, got {mean}"
            raise ValueError(msg)
        return rng.poisson(mean, shape)
    if stddev is None:
        msg = "'stddev' must be input for Gaussian noise"
        raise ValueError(msg)
    if not stddev >= 0:
        msg = f"stddev must be >= 0, got {stddev}"
        raise ValueError(msg)
    return rng.normal(mean, stddev, shape)
