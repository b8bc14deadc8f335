"""The arguments of `EPSFBuilder` and its stars: what is wrong with them, in words."""

from __future__ import annotations

import inspect
import numbers
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.stats import SigmaClip
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import as_count, as_odd_pair, as_pair, is_auto
from psfphot.psf._epsf.coordinates import shape_of_epsf
from psfphot.psf._epsf.star_list import EPSFStars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from psfphot.psf._epsf.star import EPSFStar

# The least side of a star and of boxes around it.
_SMALLEST = 3

# Invalid stars that a message lists.
_MOST_LISTED = 5

# More iterations than this are thought a slip.
_MANY_ITERATIONS = 100


def as_builder_oversampling(oversampling: Any) -> NDArray[np.int_]:
    """Make the samples per pixel, (y, x).

    Raises
    ------
    ValueError
        If it is not one or two positive integers.
    """
    if oversampling is None:
        raise ValueError("'oversampling' must be specified")
    try:
        return np.array(as_pair(oversampling, "oversampling", lower=1))
    except (TypeError, ValueError) as exc:
        msg = f"EPSFBuilder initialization: Invalid oversampling parameter - {exc}"
        raise ValueError(msg) from None


def as_builder_shape(shape: Any) -> tuple[int, int] | None:
    """Make an odd shape; of an even one the next larger, with a warning.

    Raises
    ------
    TypeError, ValueError
        If it is not one or two positive integers.
    """
    if shape is None:
        return None
    ny, nx = as_pair(shape, "shape", lower=1)
    odd = ny + 1 - ny % 2, nx + 1 - nx % 2
    if odd != (ny, nx):
        msg = (
            f"The input shape {(ny, nx)} has even values. Using {odd} instead for "
            "proper ePSF centering."
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
    return odd


def as_box(value: Any, name: str) -> tuple[int, int]:
    """Make an odd box of at least 3 pixels.

    Raises
    ------
    ValueError
        If it is none.
    """
    box = as_odd_pair(value, name)
    if min(box) < _SMALLEST:
        raise ValueError(f"{name} must be >= {_SMALLEST}, got {value!r}")
    return box


def as_fit_box(fit_shape: Any) -> Any:
    """Check a box to fit: `None`, "auto" or odd sizes.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if isinstance(fit_shape, str) and fit_shape != "auto":
        msg = (
            "fit_shape must be 'auto', an integer, a tuple of integers, or None, "
            f"got {fit_shape!r}"
        )
        raise ValueError(msg)
    if fit_shape is None or isinstance(fit_shape, str):
        return fit_shape
    return as_box(fit_shape, "fit_shape")


def as_iterations(value: Any, name: str, *, least: int = 1) -> int:
    """Make a number of iterations; of many there is a warning.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is below ``least``.
    """
    count = as_count(value, name, least=least)
    if name == "maxiters" and count > _MANY_ITERATIONS:
        msg = (
            f"maxiters {count} seems unusually large. Values > {_MANY_ITERATIONS} may "
            "indicate convergence issues. Consider checking your data and parameters."
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
    return count


def as_real(value: Any, name: str) -> float:
    """Make a float of one real number.

    Raises
    ------
    TypeError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value)}")
    return float(value)


def as_center_accuracy(value: Any) -> float:
    """Check the accuracy of centres, pixels; above 1 there is a warning.

    Raises
    ------
    TypeError, ValueError
        If it is not a positive number.
    """
    accuracy = as_real(value, "center_accuracy")
    if not accuracy > 0:
        msg = (
            f"center_accuracy must be positive, got {value}. Typical values are 1e-3 "
            "to 1e-4."
        )
        raise ValueError(msg)
    if accuracy > 1:
        msg = (
            f"center_accuracy {value} seems unusually large. Values > 1.0 may prevent "
            "convergence. Typical values are 1e-3 to 1e-4."
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
    return accuracy


def as_fraction(value: Any) -> float:
    """Check the fraction of stars that are to converge.

    Raises
    ------
    TypeError, ValueError
        If it is not a number of (0, 1].
    """
    fraction = as_real(value, "converged_fraction")
    if not 0 < fraction <= 1:
        msg = f"converged_fraction must be in the range (0, 1], got {value}"
        raise ValueError(msg)
    return fraction


def as_function(value: Any) -> Any:
    """Check a function that tells a centre.

    Raises
    ------
    TypeError
        If it is not callable.
    """
    if not callable(value):
        msg = f"recentering_func must be a callable object, got {type(value).__name__}"
        raise TypeError(msg)
    return value


def as_flag(value: Any, name: str) -> bool:
    """Check a boolean.

    Raises
    ------
    TypeError
        If it is none.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be a bool, got {value!r}")
    return bool(value)


def check_smoothing(kernel: Any) -> None:
    """Check a smoothing kernel: a word, a 2D array or `None`.

    Raises
    ------
    TypeError, ValueError
        If it is none of them.
    """
    words = ("auto", "quartic", "quadratic")
    if kernel is None or (isinstance(kernel, str) and kernel in words):
        return
    msg = (
        "smoothing_kernel must be 'auto', 'quartic', 'quadratic', a 2D array, or "
        f"None, got {kernel!r}"
    )
    if isinstance(kernel, str):
        raise ValueError(msg)  # noqa: TRY004  (photutils' kind)
    if not isinstance(kernel, np.ndarray):
        raise TypeError(msg)
    if kernel.ndim != 2:  # noqa: PLR2004
        raise ValueError(msg)


def check_passband(passband: Any) -> None:
    """Check a passband: "auto", a number between 0 and 1 or `None`.

    Raises
    ------
    TypeError, ValueError
        If it is none of them.
    """
    if passband is None or is_auto(passband):
        return
    msg = (
        "alias_passband must be 'auto', a number between 0 and 1 (exclusive), or "
        f"None, got {passband!r}"
    )
    if isinstance(passband, str):
        raise ValueError(msg)  # noqa: TRY004  (photutils' kind)
    if isinstance(passband, bool) or not isinstance(passband, numbers.Real):
        raise TypeError(msg)
    if not 0 < float(passband) < 1:
        raise ValueError(msg)


def check_sigma_clip(sigma_clip: Any) -> None:
    """Check a clip: astropy's or `None`.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if sigma_clip is not None and not isinstance(sigma_clip, SigmaClip):
        msg = "sigma_clip must be an astropy.stats.SigmaClip instance or None"
        raise TypeError(msg)


def check_fitter(fitter: Any, maxiters: Any) -> None:
    """Check a fitter and the number of its iterations.

    Raises
    ------
    TypeError
        If it is not callable, or the number is no integer.
    ValueError
        If the number is not positive.
    """
    if not callable(fitter):
        raise TypeError("fitter must be a callable astropy Fitter instance")
    as_count(maxiters, "fitter_maxiters", least=1)
    known = inspect.signature(fitter.__call__).parameters
    takes_any = any(one.kind is one.VAR_KEYWORD for one in known.values())
    if "maxiter" not in known and not takes_any:
        msg = (
            "'fitter_maxiters' will be ignored because it is not accepted by the input "
            "fitter"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)


def check_stars(stars: EPSFStars) -> None:
    """Check that there are stars, and that each can be used.

    Raises
    ------
    AttributeError
        If they are no `EPSFStars`.
    ValueError
        If there is none, or some have no pixels to speak of.
    """
    if len(stars) == 0:
        msg = "ePSF building: EPSFStars object must contain at least one star"
        raise ValueError(msg)
    if not isinstance(stars, EPSFStars):
        msg = f"{type(stars).__name__!r} object has no attribute 'all_stars'"
        raise AttributeError(msg)  # noqa: TRY004  (photutils' kind)
    problems = []
    for k, star in enumerate(stars.all_stars):
        if not np.isfinite(star.data).any():
            problems.append(f"Star {k}: no finite data values")
        elif min(star.shape) < _SMALLEST:
            problems.append(f"Star {k}: too small ({star.shape})")
    if problems:
        shown = problems[:_MOST_LISTED]
        if len(problems) > _MOST_LISTED:
            shown.append(f"... and {len(problems) - _MOST_LISTED} more")
        msg = (
            f"ePSF building: Found {len(problems)} invalid stars out of "
            f"{stars.n_all_stars} total:\n" + "\n".join(shown)
        )
        raise ValueError(msg)


def find_shape(
    stars: Sequence[EPSFStar], oversampling: Any, shape: Any
) -> tuple[int, int]:
    """Tell the shape of an ePSF: what was asked for, or the largest cutout's.

    Raises
    ------
    ValueError
        If what was asked for has no room for the largest cutout.
    """
    shapes = [star.shape for star in stars]
    least = shape_of_epsf(shapes, oversampling)
    if shape is None:
        return least
    if (np.array(shape) < least).any():
        largest = tuple(np.max(shapes, axis=0).tolist())
        msg = (
            f"Requested ePSF shape {tuple(shape)} is incompatible with star dimensions "
            f"and oversampling: the largest cutout is {largest}, the oversampling "
            f"{tuple(oversampling)}; Minimum required ePSF shape: {least}"
        )
        raise ValueError(msg)
    return int(shape[0]), int(shape[1])
