"""Centroids of many sources of an image."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import overlap_slices
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._deprecated import by_keyword
from psfphot._validate import as_odd_pair
from psfphot.centroids._moments import centroid_com

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@by_keyword
def centroid_sources(  # noqa: PLR0917  (photutils' order)
    data: Any,
    xpos: Any,
    ypos: Any,
    box_size: Any = 11,
    footprint: Any = None,
    mask: Any = None,
    centroid_func: Callable[..., Any] = centroid_com,
    **kwargs: Any,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find centroids of sources in cutouts around where they are thought to be.

    Parameters
    ----------
    data : (ny, nx) array
        The image, without background.
    xpos, ypos : float or (n,) array_like
        The cutouts' centres, pixels: finite, and on the image.
    box_size : int or (ny, nx), optional
        The size of the cutouts, odd.
    footprint : 2D bool array, optional
        `True` for the pixels of a cutout that are used: instead of a box, which
        it overrides.
    mask : (ny, nx) bool array, optional
        `True` where a pixel is to be ignored.
    centroid_func : callable, optional
        What finds one centroid: it takes an image and the keyword ``mask``, and
        gives (x, y).
    **kwargs
        Further keywords for it. ``error`` is an image: cutouts of it are handed
        on; `None` is not.

    Returns
    -------
    x, y : (n,) float64 array
        The centroids, pixels. They are NaN, with a warning, where
        ``centroid_func`` raised a `TypeError` or `ValueError`.

    Raises
    ------
    TypeError
        If ``centroid_func`` does not take a keyword.
    ValueError
        If an argument cannot be used, or all of a cutout is masked.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.centroids import centroid_2dg, centroid_sources
    >>> y, x = np.mgrid[:40, :60]
    >>> data = np.exp(-((x - 12.3) ** 2 + (y - 10.6) ** 2) / 4)
    >>> data += np.exp(-((x - 41.9) ** 2 + (y - 25.2) ** 2) / 4)
    >>> x, y = centroid_sources(data, [12, 42], [11, 25], centroid_func=centroid_2dg)
    >>> print(np.round(x, 3), np.round(y, 3))
    [12.3 41.9] [10.6 25.2]
    """
    if np.ndim(data) != 2:  # noqa: PLR2004
        msg = f"data must be a 2D array, got {np.ndim(data)} dimension(s)"
        raise ValueError(msg)
    if isinstance(data, list | tuple):
        data = np.array(data)
    x, y = _as_positions(xpos, ypos, data.shape)
    shape, unused = _as_footprint(box_size, footprint)
    for name, array in (("mask", mask), ("error", kwargs.get("error"))):
        if array is not None and np.shape(array) != data.shape:
            msg = (
                f"{name} and data must have the same shape, "
                f"got {name} {np.shape(array)} and data {data.shape}"
            )
            raise ValueError(msg)
    if kwargs.get("error") is None:
        kwargs.pop("error", None)
    _check_keywords(centroid_func, kwargs)

    found = np.empty((2, x.size))
    for k, (x_start, y_start) in enumerate(zip(x, y, strict=True)):
        box, part = overlap_slices(data.shape, shape, (y_start, x_start))
        bad = unused[part] if mask is None else unused[part] | np.asarray(mask)[box]
        if bad.all():
            msg = (
                f"The cutout for the source at ({x_start}, {y_start}) is completely "
                "masked: mask and footprint must leave pixels of it, and the "
                "footprint must be a small one"
            )
            raise ValueError(msg)
        corner = np.array([box[1].start, box[0].start])
        options = _cut_options(kwargs, box, corner)
        try:
            found[:, k] = centroid_func(data[box], mask=bad, **options) + corner
        except (ValueError, TypeError) as exc:
            msg = f"Centroid failed for source at ({x_start}, {y_start}): {exc}"
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)
            found[:, k] = np.nan
    return found[0], found[1]


def _as_positions(
    xpos: Any, ypos: Any, shape: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[Any]]:
    x, y = np.atleast_1d(xpos), np.atleast_1d(ypos)
    for name, values in (("xpos", x), ("ypos", y)):
        if values.ndim != 1:
            msg = f"{name} must be a 1D array, got {values.ndim} dimensions"
            raise ValueError(msg)
    if x.size != y.size:
        msg = f"xpos and ypos must have the same length, got {x.size} and {y.size}"
        raise ValueError(msg)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("xpos and ypos must contain only finite values")
    off = (x < 0) | (y < 0) | (x > shape[1] - 1) | (y > shape[0] - 1)
    if off.any():
        msg = (
            "xpos, ypos values contain points outside the input data: "
            f"({x[off][0]}, {y[off][0]})"
        )
        raise ValueError(msg)
    return x, y


def _as_footprint(
    box_size: Any, footprint: Any
) -> tuple[tuple[int, ...], NDArray[np.bool_]]:
    """Tell the shape of a cutout, and which of its pixels are not used."""
    if footprint is None:
        if box_size is None:
            raise ValueError("box_size or footprint must be defined")
        shape = as_odd_pair(box_size, "box_size")
        return shape, np.zeros(shape, dtype=bool)
    used = np.asarray(footprint, dtype=bool)
    if used.ndim != 2:  # noqa: PLR2004
        msg = f"footprint must be a 2D array, got {used.ndim} dimension(s)"
        raise ValueError(msg)
    if not used.any():
        raise ValueError("footprint must contain at least one True value")
    return used.shape, ~used


def _check_keywords(function: Callable[..., Any], options: dict[str, Any]) -> None:
    known = inspect.signature(function).parameters
    if any(one.kind is one.VAR_KEYWORD for one in known.values()):
        return
    if "mask" not in known:
        raise ValueError("The input 'centroid_func' must have a 'mask' keyword.")
    unknown = sorted(options.keys() - known.keys())
    if unknown:
        msg = (
            f"Unrecognized keyword argument(s) for the input 'centroid_func': {unknown}"
        )
        raise TypeError(msg)


def _cut_options(
    options: dict[str, Any], box: tuple[slice, slice], corner: NDArray[Any]
) -> dict[str, Any]:
    """Make the keywords for a cutout: images are cut, positions are the cutout's."""
    own = dict(options)
    if "error" in own:
        own["error"] = np.asanyarray(own["error"])[box]
    for name, start in zip(("xpeak", "ypeak"), corner, strict=True):
        if own.get(name) is not None:
            own[name] -= start
    return own
