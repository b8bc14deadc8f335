"""Checks of the arguments of PSF photometry; each names what was wrong."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from psfphot._validate import as_finite, as_odd_pair, as_positive

# Of Gaussian noise 1 pixel in 370 is further off.
_ROBUST = 3.0
# How the covariance of a fit is made.
CovarianceKind = Literal["formal", "sandwich", "unit"]


def as_fit_shape(fit_shape: Any) -> tuple[int, int]:
    """Make an int or (ny, nx) into a pair of odd positive integers.

    Raises
    ------
    ValueError
        If it is not one.
    """
    return as_odd_pair(fit_shape, "fit_shape")


def as_covariance(value: Any) -> CovarianceKind | None:
    """Check the kind of covariance; `None` stays `None`.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if value is None or value in ("formal", "sandwich", "unit"):
        kind: CovarianceKind | None = value
        return kind
    msg = f"covariance must be 'formal', 'sandwich', 'unit' or None, got {value!r}"
    raise ValueError(msg)


def as_callable(value: Any, name: str) -> Any:
    """Refuse what is neither `None` nor callable.

    Raises
    ------
    TypeError
        If it is not callable.
    """
    if value is not None and not callable(value):
        msg = f"{name!r} must be a callable object, got {type(value).__name__}"
        raise TypeError(msg)
    return value


def as_radius(radius: Any) -> float | None:
    """Check an aperture radius, pixels; `None` stays `None`.

    Raises
    ------
    ValueError
        If it is not a positive finite number.
    """
    if radius is None:
        return None
    msg = f"aperture_radius must be a strictly-positive scalar, got {radius!r}"
    if isinstance(radius, bool):
        raise ValueError(msg)  # noqa: TRY004  (as all else that is wrong with it)
    return as_positive(radius, "aperture_radius", always=msg)


def as_xy_bounds(bounds: Any) -> tuple[float | None, float | None] | None:
    """Check the distances in x and y that positions may go.

    Returns
    -------
    (float or None, float or None) or None
        For x and y.

    Raises
    ------
    ValueError
        If they are not positive finite numbers, one or two.
    """
    if bounds is None:
        return None
    values = np.atleast_1d(np.asarray(bounds, dtype=object))
    if values.ndim != 1:
        raise ValueError(f"xy_bounds must be a 1D array, got {bounds!r}")
    if values.size not in (1, 2):
        raise ValueError(f"xy_bounds must have 1 or 2 elements, got {bounds!r}")
    x, y = (
        None if value is None else _distance(value, bounds)
        for value in np.broadcast_to(values, 2)
    )
    return x, y


def as_keep_columns(keep: Any) -> bool | list[str]:
    """Check which columns to keep: `True`, `False` or names.

    Raises
    ------
    TypeError
        If it is none of them.
    """
    if isinstance(keep, bool):
        return keep
    names = [keep] if isinstance(keep, str) else list(np.atleast_1d(keep).tolist())
    if not all(isinstance(name, str) for name in names):
        msg = f"keep_columns must be True, False or a list of names, got {keep!r}"
        raise TypeError(msg)
    return names


def as_robust(robust: Any) -> bool | float:
    """Check whether weights are robust: `True`, `False` or from how many sigma on.

    Raises
    ------
    ValueError
        If it is neither, nor a positive finite number.
    """
    if isinstance(robust, bool | np.bool_):
        return bool(robust)
    msg = f"robust must be True, False or a positive number, got {robust!r}"
    return as_positive(robust, "robust", always=msg)


def robust_sigmas(robust: bool | float) -> float | None:
    """Tell where a pixel has half of its weight, sigma; `None` for nowhere."""
    if robust is True:
        return _ROBUST
    return float(robust) if robust else None


def _distance(value: Any, bounds: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"xy_bounds must be numeric, got {bounds!r}") from exc
    finite = as_finite(number, "xy_bounds", f"xy_bounds must be finite, got {bounds!r}")
    msg = f"xy_bounds must be strictly positive, got {bounds!r}"
    return as_positive(finite, "xy_bounds", msg)
