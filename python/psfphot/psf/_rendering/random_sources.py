"""Random source lists, on the random stream of photutils."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from psfphot import _core
from psfphot._deprecated import by_keyword
from psfphot._meta import table_meta
from psfphot._validate import as_count, as_pair, as_scalar

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "make_model_params",
    "make_random_models_table",
]

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
        The least distance between two sources, pixels; 0 for any. A negative
        one stands for its absolute value, and draws other sources, of which
        fewer may be left.
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
        if not np.iterable(limits) or len(limits) != 2:  # noqa: PLR2004
            msg = f"{name} must be a 2-tuple (lower, upper), got {limits!r}"
            raise ValueError(msg)
        lower, upper = (as_scalar(limit, f"each end of {name}") for limit in limits)
        if not (math.isfinite(lower) and math.isfinite(upper) and lower <= upper):
            msg = f"{name} must be finite and lower <= upper, got {limits!r}"
            raise ValueError(msg)
        if not math.isfinite(upper - lower):
            msg = f"{name} must span no more than the range of a float, got {limits!r}"
            raise ValueError(msg)


def _draw_positions(
    rng: np.random.Generator,
    n_sources: int,
    x_range: tuple[int, int],
    y_range: tuple[int, int],
    min_separation: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Also part of the random stream: spare candidates only for a positive one.
    n_drawn = CANDIDATES * n_sources if min_separation > 0 else n_sources
    x, y = rng.uniform(*x_range, n_drawn), rng.uniform(*y_range, n_drawn)
    if min_separation == 0:
        return x, y
    stays = np.flatnonzero(_core.thin_sources(x, y, abs(min_separation)))[:n_sources]
    if len(stays) < n_sources:
        msg = (
            f"Unable to produce {n_sources} coordinates within the given shape and "
            f"minimum separation. Only {len(stays)} coordinates were generated."
        )
        # At the caller of make_model_params.
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
    return x[stays], y[stays]


@by_keyword
def make_random_models_table(
    n_sources: int, param_ranges: dict[str, tuple[float, float]], seed: Any = None
) -> QTable:
    """Draw random parameters for simulated sources, positions among them.

    The same seed gives the same sources as photutils 3.x does.

    Parameters
    ----------
    n_sources : int
        How many sources to draw.
    param_ranges : dict
        For each parameter the range, (lower, upper), in which it is uniformly
        distributed. Their order is part of the random stream.
    seed : int or None or any seed of `numpy.random.default_rng`, optional
        The seed of the random numbers; `None` draws one.

    Returns
    -------
    `~astropy.table.QTable`
        The columns ``id`` (from 1) and one for each parameter, in their order.

    Raises
    ------
    TypeError
        If an argument is not of its type.
    ValueError
        If ``n_sources`` is negative, or a range is wrong or named ``id``.

    Examples
    --------
    >>> from psfphot.datasets import make_random_models_table
    >>> ranges = {"flux": (500, 1000), "x_0": (0, 500), "y_0": (0, 300)}
    >>> make_random_models_table(5, ranges, seed=0).colnames
    ['id', 'flux', 'x_0', 'y_0']
    """
    n_sources = as_count(n_sources, "n_sources")
    if not isinstance(param_ranges, dict):
        msg = f"param_ranges must be a dict, got {type(param_ranges).__name__}"
        raise TypeError(msg)
    if "id" in param_ranges:
        msg = (
            "param_ranges cannot contain an 'id' key because it is the name of the "
            "source ID column"
        )
        raise ValueError(msg)
    _check_ranges(param_ranges, taken=())
    rng = np.random.default_rng(seed)
    table = QTable(meta=table_meta())
    table["id"] = np.arange(n_sources) + 1
    for name, (lower, upper) in param_ranges.items():
        table[name] = rng.uniform(lower, upper, n_sources)
    return table
