"""Local maxima of an image."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import overlap_slices
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from psfphot import _core
from psfphot._deprecated import old_arguments
from psfphot._meta import table_meta
from psfphot._validate import as_frame, as_n_threads, as_pair, split_mask
from psfphot.detection import _arguments as check
from psfphot.detection._base import warn_of_none

if TYPE_CHECKING:
    from collections.abc import Callable

    from astropy import units as u
    from numpy.typing import ArrayLike, NDArray

    from psfphot._validate import Frame


@old_arguments(renamed={"npeaks": "n_peaks"})
def find_peaks(
    data: ArrayLike | u.Quantity,
    threshold: ArrayLike | u.Quantity,
    *,
    box_size: int | tuple[int, int] = 3,
    footprint: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    border_width: int | tuple[int, int] | None = None,
    n_peaks: float = math.inf,
    min_separation: float | None = None,
    centroid_func: Callable[..., Any] | None = None,
    error: ArrayLike | u.Quantity | None = None,
    wcs: Any = None,
    n_threads: int | None = None,
) -> QTable | None:
    """Find the pixels that are larger than all around them.

    Parameters
    ----------
    data : 2D array_like or `~astropy.units.Quantity`
        The image. NaN pixels are no peaks and hide none; beyond the edges the
        image counts as 0, so that a negative pixel near an edge is no peak.
    threshold : float, 2D array_like or `~astropy.units.Quantity`
        What a peak must exceed, in the unit of the image. An array has the
        shape of the image; where it is NaN there are no peaks.
    box_size : int or 2-tuple of int, optional
        Size of the box (ny, nx) around a peak, odd with a ``centroid_func``.
    footprint : 2D array_like of bool, optional
        The pixels around a peak, in the place of a box.
    mask : 2D array_like of bool, optional
        `True` where a pixel is no peak and hides none. The mask of a masked
        array is joined to it.
    border_width : int, 2-tuple of int or `None`, optional
        Leave out peaks in so many rows and columns (ny, nx) at the edges.
    n_peaks : int or infinity, optional
        Keep only so many peaks, the largest first.
    min_separation : float or `None`, optional
        If positive, the neighbourhood of a peak is the disk of this radius,
        pixels, in the place of the box, and of equal pixels within that
        distance only one is a peak: of connected ones that nearest to their
        centroid, else the one with the larger flat top, else the first. With a
        box or a footprint all of several equal pixels are peaks.
    centroid_func : callable, optional
        Called as ``centroid_func(cutout, mask=cutout_mask)`` with the box (the
        footprint) around each peak; returns its centroid (x, y). It gets
        ``error``, too, if it takes it.
    error : 2D array_like or `~astropy.units.Quantity`, optional
        1-sigma errors for ``centroid_func``.
    wcs : WCS object, optional
        Makes the sky coordinates; anything with ``pixel_to_world``.
    n_threads : int or `None`, optional
        Number of threads; `None` means all CPUs that this process may use. The
        result does not depend on it.

    Returns
    -------
    table : `~astropy.table.QTable` or `None`
        `None`, with a `~psfphot.utils.NoDetectionsWarning`, if there are no
        peaks. Else one row for each, by row of the image: ``id``, ``x_peak``,
        ``y_peak``, with a WCS ``skycoord_peak``, ``peak_value``, with a
        ``centroid_func`` ``x_centroid``, ``y_centroid``, and with both
        ``skycoord_centroid``.

    Raises
    ------
    TypeError
        If an argument is not of its type; the message names it.
    ValueError
        If an argument is out of its range, or shapes or units do not go
        together.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        For each peak whose ``centroid_func`` raised a `ValueError` or a
        `TypeError`; its centroid is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.detection import find_peaks
    >>> data = np.zeros((9, 11))
    >>> data[4, 5] = 7.0
    >>> peaks = find_peaks(data, threshold=2.0)
    >>> peaks["x_peak", "y_peak", "peak_value"].as_array().tolist()
    [(5, 4, 7.0)]
    """
    check.check_units(data=data, threshold=threshold, error=error)
    if centroid_func is not None and not callable(centroid_func):
        msg = "centroid_func must be a callable object"
        raise TypeError(msg)
    frame = as_frame(
        data,
        error=error if centroid_func else None,
        mask=mask,
        needs_error=centroid_func is not None,
    )
    if frame.data.size == 0:
        msg = "data must not be empty"
        raise ValueError(msg)
    shape = frame.data.shape
    everything = np.ndim(n_peaks) == 0 and n_peaks == math.inf
    most = None if everything else check.count_or_none(n_peaks, "n_peaks")
    border = 0 if border_width is None else border_width
    near = _footprint(footprint, box_size, shape, centroid_func is not None)
    separation = 0 if min_separation is None else min_separation
    x, y = _core.find_peaks(
        frame.data,
        frame.mask,
        check.threshold_for(threshold, shape),
        footprint=near,
        min_separation=check.not_negative(separation, "min_separation") or None,
        border_width=as_pair(border, "border_width", lower=0),
        n_threads=as_n_threads(n_threads),
    )
    if len(x) == 0:
        _warn_of_no_peaks(frame.data)
        return None
    table = _table(_values(data, frame.unit), x, y, most)
    if centroid_func is not None:
        _add_centroids(table, frame, near, centroid_func)
    if wcs is not None:
        _add_sky(table, wcs)
    return table


def _footprint(
    footprint: Any, box_size: Any, shape: tuple[int, ...], must_be_odd: bool
) -> NDArray[np.bool_]:
    if footprint is not None:
        near = np.ascontiguousarray(footprint, dtype=bool)
        if near.ndim != 2:  # noqa: PLR2004
            msg = f"footprint must be a 2D array, got {near.ndim} dimension(s)"
            raise ValueError(msg)
        if not near.any():
            msg = "footprint must have a True value"
            raise ValueError(msg)
        return near
    size = as_pair(box_size, "box_size", lower=1)
    if must_be_odd and any(n % 2 == 0 for n in size):
        msg = f"box_size must have an odd value for both axes, got {box_size}"
        raise ValueError(msg)
    # What reaches across the image whole reaches no farther when it is larger.
    return np.ones(
        [min(n, 2 * length + 1) for n, length in zip(size, shape, strict=True)],
        dtype=bool,
    )


def _warn_of_no_peaks(data: NDArray[Any]) -> None:
    if np.all(data == data.flat[0]):
        warn_of_none("Input data is constant. No local peaks can be found.")
    else:
        warn_of_none("No local peaks were found.")


def _values(data: Any, unit: u.UnitBase | None) -> Any:
    """Give the image with the dtype that the user gave it."""
    values, _ = split_mask(data)
    array = np.asarray(getattr(values, "value", values))
    return array if unit is None else array << unit


def _table(values: Any, x: NDArray[Any], y: NDArray[Any], most: int | None) -> QTable:
    peaks = values[y, x]
    if most is not None and len(x) > most:
        # Of equal ones the first; reversed, for unsigned integers have no sign.
        order = (len(x) - 1 - np.argsort(peaks[::-1], kind="stable")[::-1])[:most]
        x, y, peaks = x[order], y[order], peaks[order]
    table = QTable(meta=table_meta())
    table["id"] = np.arange(1, len(x) + 1)
    table["x_peak"] = x
    table["y_peak"] = y
    table["peak_value"] = peaks
    return table


def _add_centroids(
    table: QTable,
    frame: Frame,
    footprint: NDArray[np.bool_],
    centroid_func: Callable[..., Any],
) -> None:
    bad = np.isnan(frame.data)
    if frame.mask is not None:
        bad |= frame.mask
    # What masked pixels are for a function that forgets the mask.
    least = np.nanmin(frame.data)
    error = frame.error if _takes_error(centroid_func) else None
    centroids = np.empty((len(table), 2))
    peaks = zip(table["x_peak"].tolist(), table["y_peak"].tolist(), strict=True)
    for i, (x, y) in enumerate(peaks):
        large, small = overlap_slices(frame.data.shape, footprint.shape, (y, x))
        options = {"mask": bad[large] | ~footprint[small]}
        if error is not None:
            options["error"] = error[large]
        cutout = np.where(bad[large], least, frame.data[large])
        corner = large[1].start, large[0].start
        centroids[i] = np.add(_centroid(centroid_func, cutout, options, (x, y)), corner)
    table["x_centroid"], table["y_centroid"] = centroids.T


def _add_sky(table: QTable, wcs: Any) -> None:
    """Add the sky coordinates of each kind of position, next to it."""
    for kind in ("peak", "centroid"):
        x, y = f"x_{kind}", f"y_{kind}"
        if x in table.colnames:
            table.add_column(
                wcs.pixel_to_world(table[x].data, table[y].data),
                name=f"skycoord_{kind}",
                index=table.colnames.index(y) + 1,
            )


def _takes_error(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters
    return "error" in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def _centroid(
    function: Callable[..., Any],
    cutout: NDArray[Any],
    options: dict[str, Any],
    peak: tuple[int, int],
) -> tuple[float, float]:
    try:
        x, y = function(cutout, **options)
    except (ValueError, TypeError) as error:
        msg = f"Centroid failed for source at {peak}: {error}"
        # The caller of find_peaks, which is decorated.
        warnings.warn(msg, AstropyUserWarning, stacklevel=5)
        return math.nan, math.nan
    return float(x), float(y)
