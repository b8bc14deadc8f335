"""The top of a paraboloid that is fitted around the brightest pixel."""

from __future__ import annotations

import functools
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._deprecated import by_keyword
from psfphot._repr import make_repr, make_str
from psfphot._validate import as_image, as_odd_pair, split_mask
from psfphot._warnings import PhotutilsDeprecationWarning
from psfphot.centroids._pixels import split_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Coefficients of a paraboloid.
_N_COEFFICIENTS = 6

_OLD = ("xpeak", "ypeak", "search_boxsize")


def _warn_of_old(
    function: Callable[..., NDArray[np.float64]],
) -> Callable[..., NDArray[np.float64]]:
    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> NDArray[np.float64]:
        for name in _OLD:
            if name in options:
                msg = (
                    f"{name!r} was deprecated in version 3.0 and will be removed in "
                    "version 4.0."
                )
                warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=2)
        return function(*args, **options)

    return wrapper


@_warn_of_old
@by_keyword
def centroid_quadratic(  # noqa: PLR0917  (photutils' order)
    data: Any,
    mask: Any = None,
    fit_boxsize: Any = 5,
    xpeak: float | None = None,
    ypeak: float | None = None,
    search_boxsize: Any = None,
) -> NDArray[np.float64]:
    """Fit a paraboloid around the brightest pixel, and find its top.

    Parameters
    ----------
    data : (ny, nx) array_like
        The image, without background.
    mask : (ny, nx) bool array, optional
        `True` where a pixel is to be ignored. What is not finite always is, with
        a warning.
    fit_boxsize : int or (ny, nx), optional
        The box that is fitted, pixels: odd, of at least 6 pixels. What is larger
        than the data is cut, with a warning; near an edge the box is moved.
    xpeak, ypeak : float, optional
        The box's centre, instead of the brightest pixel; deprecated.
    search_boxsize : int or (ny, nx), optional
        A box around ``xpeak`` and ``ypeak`` of which the brightest pixel is taken
        then; deprecated.

    Returns
    -------
    (2,) float64 array
        The centre (x, y), pixels. It is NaN, with a warning, if the box has fewer
        than 6 pixels that can be used, or the paraboloid has no maximum or has it
        off the image. It is the brightest pixel, with a warning, if that is at
        the image's edge.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used, or no pixel can.

    References
    ----------
    Vakili & Hogg 2016, arXiv:1610.05873, with a box of 3 x 3.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.centroids import centroid_quadratic
    >>> y, x = np.mgrid[:9, :9]
    >>> data = 50 - (x - 4.2) ** 2 - 2 * (y - 3.7) ** 2
    >>> x, y = centroid_quadratic(data)
    >>> print(f"{x:.4f} {y:.4f}")
    4.2000 3.7000
    """
    if (xpeak is None) != (ypeak is None):
        raise ValueError('xpeak and ypeak must both be input or "None"')
    as_image(split_mask(data)[0])
    image, bad = split_pixels(data, mask)
    if bad.all():
        raise ValueError("All data values are masked or nonfinite")
    size = _as_box(fit_boxsize, "fit_boxsize", image.shape)
    if math.prod(size) < _N_COEFFICIENTS:
        msg = (
            "fit_boxsize is too small. 6 values are required to fit a 2D quadratic "
            f"polynomial, got {fit_boxsize!r}"
        )
        raise ValueError(msg)
    light = np.where(bad, -np.inf, image)
    if xpeak is None or ypeak is None:
        peak = np.array(np.unravel_index(np.argmax(light), light.shape))
    else:
        peak = _find_peak(light, xpeak, ypeak, search_boxsize)
    last = np.array(image.shape) - 1
    if ((peak == 0) | (peak == last)).any():
        msg = (
            "maximum value is at the edge of the data and its position was returned. "
            "No quadratic fit was performed"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
        return peak[::-1].astype(np.float64)
    top, problem = _fit_top(image, ~bad, peak, np.array(size))
    if problem is None and not ((top > 0) & (top < last)).all():
        problem = "quadratic polynomial maximum value falls outside of the image"
    if problem is not None:
        warnings.warn(problem, AstropyUserWarning, stacklevel=3)
        return np.full(2, np.nan)
    return top[::-1].copy()


def _as_box(value: Any, name: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Make an odd box that fits into an image."""
    size = as_odd_pair(value, name)
    # The largest odd side of each axis.
    most = tuple(side - 1 + side % 2 for side in shape)
    fitting = (min(size[0], most[0]), min(size[1], most[1]))
    if fitting != size:
        msg = f"{name!r} was clamped to the upper bound {shape}"
        warnings.warn(msg, AstropyUserWarning, stacklevel=4)
    return fitting


def _find_peak(
    light: NDArray[np.float64], x: float, y: float, box: Any
) -> NDArray[np.intp]:
    """Tell the (y, x) of a pixel, or of the brightest one in a box around it."""
    for value, name, side in ((x, "xpeak", 1), (y, "ypeak", 0)):
        if not 0 <= value <= light.shape[side] - 1:
            raise ValueError(f"{name} is outside the input data, got {value}")
    centre = np.array([math.floor(y + 0.5), math.floor(x + 0.5)])
    if box is None:
        return centre
    half = np.array(_as_box(box, "search_boxsize", light.shape)) // 2
    low = np.maximum(centre - half, 0)
    part = light[tuple(map(slice, low, centre + half + 1))]
    brightest: NDArray[np.intp] = low + np.unravel_index(np.argmax(part), part.shape)
    return brightest


def _fit_top(
    image: NDArray[np.float64],
    good: NDArray[np.bool_],
    peak: NDArray[np.intp],
    size: NDArray[np.intp],
) -> tuple[NDArray[np.float64], str | None]:
    """Tell the (y, x) of a paraboloid's top, and why there is none."""
    nowhere = np.full(2, np.nan)
    low = np.clip(peak - size // 2, 0, np.array(image.shape) - size)
    box = tuple(map(slice, low, low + size))
    used = good[box]
    if np.count_nonzero(used) < _N_COEFFICIENTS:
        msg = (
            "at least 6 unmasked data points are required to perform a 2D quadratic fit"
        )
        return nowhere, msg
    # Seen from the peak: powers of far coordinates are not well conditioned.
    y, x = (axis[used] for axis in np.mgrid[box] - peak[:, None, None])
    terms = np.column_stack([np.ones(x.size), x, y, x * x, x * y, y * y])
    try:
        found = np.linalg.lstsq(terms, image[box][used], rcond=None)[0]
    except np.linalg.LinAlgError:
        return nowhere, "quadratic fit failed"
    _, slope_x, slope_y, xx, xy, yy = found
    curvature = np.array([[2 * yy, xy], [xy, 2 * xx]])
    determinant = 4 * xx * yy - xy**2
    if determinant <= 0 or xx > 0:
        return nowhere, "quadratic fit does not have a maximum"
    offset: NDArray[np.float64] = -np.linalg.solve(curvature, [slope_y, slope_x])
    return peak + offset, None


class CentroidQuadratic:
    """`centroid_quadratic` with a box, as `centroid_sources` takes functions.

    Parameters
    ----------
    fit_boxsize : int or (ny, nx), optional
        The box that is fitted; see `centroid_quadratic`.

    Examples
    --------
    >>> from psfphot.centroids import CentroidQuadratic
    >>> CentroidQuadratic(fit_boxsize=3)
    CentroidQuadratic(fit_boxsize=3)
    """

    def __init__(self, *, fit_boxsize: Any = 5) -> None:
        self.fit_boxsize = fit_boxsize

    def __repr__(self) -> str:
        return make_repr(self, ("fit_boxsize",))

    def __str__(self) -> str:
        return make_str(self, ("fit_boxsize",))

    def __call__(self, data: Any, *, mask: Any = None) -> NDArray[np.float64]:
        """Find the centre.

        Parameters
        ----------
        data, mask
            See `centroid_quadratic`, as for what is returned and raised.

        Returns
        -------
        (2,) float64 array
            The centre (x, y), pixels.
        """
        return centroid_quadratic(data, mask=mask, fit_boxsize=self.fit_boxsize)
