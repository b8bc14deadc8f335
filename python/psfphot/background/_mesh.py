"""The background of an image from statistics in boxes."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy.stats import SigmaClip
from astropy.utils.exceptions import AstropyUserWarning

from psfphot import _core
from psfphot._repr import make_repr
from psfphot._validate import as_n_threads, as_pair, as_scalar
from psfphot.background._estimators import (
    DEFAULT_CLIP,
    SExtractorBackground,
    as_own_estimator,
    core_clip,
    core_level,
)
from psfphot.background._interpolators import BkgIDWInterpolator, BkgZoomInterpolator
from psfphot.background._maps import Arrays, BackgroundMaps, as_arrays, as_fill_value
from psfphot.background._scatter import StdBackgroundRMS, as_own_scatter, core_scatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from astropy.nddata import NDData
    from astropy.units import Quantity
    from numpy.typing import ArrayLike, NDArray


class Background2D(BackgroundMaps):
    """The background of an image and its noise, from statistics in boxes.

    The image is cut into boxes. In each, outliers are clipped, and a level and a
    scatter are estimated; boxes with too few pixels get those of their ten
    nearest neighbours, weighted by 1/distance. The meshes of these numbers are
    median filtered and interpolated to all pixels. The interface and the numbers
    are those of photutils; `ResidualBackground2D` is better where the sky is
    steep.

    Parameters
    ----------
    data : 2D array_like, masked array, Quantity or NDData
        The image. Pixels that are not finite or masked (also by the mask of
        NDData) take no part.
    box_size : int or (ny, nx)
        The size of a box, pixels; the last ones may hang over the upper edges of
        the image, and what hangs over counts as masked.
    mask : 2D array_like of bool, optional
        `True` for pixels that take no part: sources, bad pixels.
    coverage_mask : 2D array_like of bool, optional
        `True` for pixels without data: they take no part, and the maps have
        ``fill_value`` there.
    fill_value : float, optional
        See ``coverage_mask``.
    exclude_percentile : float, optional
        A box with more than so many per cent of its pixels masked or clipped
        takes no part; boxes without any pixel never do.
    filter_size : int or (ny, nx), optional
        The window of the median filter of the meshes, boxes; odd.
    filter_threshold : float or Quantity, optional
        Filter only boxes whose background is above this; `None` for all.
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are clipped in each box; `None` for not at all.
    bkg_estimator, bkg_rms_estimator : callable, optional
        From an array in which masked and clipped pixels are NaN to its level and
        its scatter along the axis ``axis``. A clip of their own is not used. By
        default a `SExtractorBackground` and a `StdBackgroundRMS`. The estimators
        of this package (and photutils' of the same names) are computed in the
        compiled core; others are called once with the boxes as a 3D array.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it.
    interpolator : callable, optional
        From a mesh to a map; `None` for a `BkgZoomInterpolator`. It is called
        with the mesh and the keywords ``shape``, ``dtype``, ``box_size`` and
        ``n_threads``.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        If shapes do not go together, a number is out of its range, or no box has
        enough pixels.

    Notes
    -----
    Maps and meshes have the dtype of ``data``; float32 for integers. The maps are
    computed anew each time that they are asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.background import Background2D
    >>> data = np.random.default_rng(1).normal(100, 2, (200, 300))
    >>> background = Background2D(data, 50)
    >>> round(float(background.background_median))
    100
    >>> background.background_rms.shape
    (200, 300)
    """

    _parameters: ClassVar = (
        "box_size",
        "exclude_percentile",
        "fill_value",
        "filter_size",
        "filter_threshold",
        "sigma_clip",
        "bkg_estimator",
        "bkg_rms_estimator",
        "n_threads",
        "interpolator",
    )

    def __init__(
        self,
        data: ArrayLike | Quantity | NDData,
        box_size: int | ArrayLike,
        *,
        mask: ArrayLike | None = None,
        coverage_mask: ArrayLike | None = None,
        fill_value: float = 0.0,
        exclude_percentile: float = 10.0,
        filter_size: int | ArrayLike = (3, 3),
        filter_threshold: float | Quantity | None = None,
        sigma_clip: SigmaClip | None = DEFAULT_CLIP,
        bkg_estimator: Callable[..., Any] | None = None,
        bkg_rms_estimator: Callable[..., Any] | None = None,
        n_threads: int | None = None,
        interpolator: Callable[..., NDArray[Any]] | None = None,
    ) -> None:
        self._arrays = as_arrays(data, mask, coverage_mask)
        _warn_of_bad_pixels(self._arrays)
        frame = self._arrays.frame
        ny, nx = frame.data.shape
        height, width = as_pair(box_size, "box_size", lower=1)
        self.box_size = np.array([min(height, ny), min(width, nx)])
        self.fill_value = fill_value
        as_fill_value(fill_value, frame.unit)
        self.exclude_percentile = as_scalar(exclude_percentile, "exclude_percentile")
        if not 0 <= self.exclude_percentile <= 100:  # noqa: PLR2004
            msg = (
                "exclude_percentile must be between 0 and 100 (inclusive), "
                f"got {exclude_percentile}"
            )
            raise ValueError(msg)
        self.filter_size = np.array(as_pair(filter_size, "filter_size", lower=1))
        if (self.filter_size % 2 == 0).any():
            msg = (
                f"filter_size must have an odd value for both axes, got {filter_size!r}"
            )
            raise ValueError(msg)
        self.filter_threshold = filter_threshold
        self.sigma_clip = _as_clip(sigma_clip)
        self.bkg_estimator = _as_estimator(
            bkg_estimator, SExtractorBackground, "bkg_estimator"
        )
        self.bkg_rms_estimator = _as_estimator(
            bkg_rms_estimator, StdBackgroundRMS, "bkg_rms_estimator"
        )
        self.n_threads = as_n_threads(n_threads)
        self.interpolator = _as_callable(interpolator, "interpolator")
        if interpolator is None:
            self.interpolator = BkgZoomInterpolator()
        self._measure()

    def __repr__(self) -> str:
        return make_repr(self, self._parameters)

    @property
    def background(self) -> NDArray[Any] | Quantity:
        """The background at each pixel, 2D, in the unit of the image."""
        return self._map(self._meshes[0])

    @property
    def background_rms(self) -> NDArray[Any] | Quantity:
        """The noise (1 sigma) of each pixel, 2D, in the unit of the image."""
        return self._map(self._meshes[1])

    def _map(self, mesh: NDArray[np.float64]) -> Any:
        settings: dict[str, Any] = {
            "shape": self._arrays.frame.data.shape,
            "dtype": self._arrays.dtype,
            "box_size": self.box_size,
            "n_threads": self.n_threads,
        }
        # Of ours and of photutils'.
        if type(self.interpolator).__name__ == BkgIDWInterpolator.__name__:
            settings["mesh_nan_mask"] = self._excluded
            starts, _ = self._boxes()
            centers = starts[:, ::-1] + (self.box_size - 1) / 2
            settings["mesh_yxcen"] = centers.T
        return self._finish(np.asarray(self.interpolator(mesh, **settings)))

    def _measure(self) -> None:
        """Make the meshes."""
        height, width = box = tuple(self.box_size.tolist())
        ny, nx = self._arrays.frame.data.shape
        self._edges = (
            np.append(np.arange(0, ny, height), ny),
            np.append(np.arange(0, nx, width), nx),
        )
        level, scatter, self._numbers = self._statistics(box)
        least = (1 - self.exclude_percentile / 100) * (height * width)
        too_few = (self._numbers < least) | (self._numbers == 0)
        if too_few.all():
            msg = (
                f"All boxes contain fewer than {least:g} unmasked or finite pixels or "
                f"are completely masked (box_size={box}, "
                f"exclude_percentile={self.exclude_percentile:g}). Please check your "
                'data or increase "exclude_percentile" to allow more boxes to be '
                "included."
            )
            raise ValueError(msg)
        # What an estimator of the user's may give spoils no other box.
        self._excluded = too_few | ~np.isfinite(level) | ~np.isfinite(scatter)
        threads = self.n_threads
        meshes = [
            _core.fill_nodes(mesh, self._excluded, n_threads=threads)
            for mesh in (level, scatter)
        ]
        if tuple(self.filter_size) != (1, 1):
            chosen = self._filtered_boxes(meshes[0])
            window = tuple(self.filter_size.tolist())
            for k, mesh in enumerate(meshes):
                filtered = _core.median_filter(mesh, window, n_threads=threads)
                meshes[k] = np.where(chosen, filtered, mesh)
        self._meshes = meshes[0], meshes[1]

    def _filtered_boxes(self, level: NDArray[np.float64]) -> Any:
        threshold = self.filter_threshold
        if threshold is None:
            return True
        unit = self._arrays.frame.unit
        if (unit is None) == hasattr(threshold, "unit"):
            msg = f"filter_threshold must have the unit of data, got {threshold!r}"
            raise ValueError(msg)
        if unit is not None:
            threshold = threshold.to_value(unit)  # type: ignore[union-attr]
        return level > as_scalar(threshold, "filter_threshold")

    def _statistics(self, box: Any) -> tuple[Any, Any, Any]:
        """Level, scatter and number of pixels in each box."""
        frame = self._arrays.frame
        level = core_level(as_own_estimator(self.bkg_estimator))
        scatter = core_scatter(as_own_scatter(self.bkg_rms_estimator))
        known_clip = isinstance(self.sigma_clip, SigmaClip)
        clip = core_clip(self.sigma_clip) if known_clip else None
        is_known = self.sigma_clip is None or clip is not None
        if level is None or scatter is None or not is_known:
            return self._called_statistics(box)
        return _core.box_statistics(
            frame.data,
            frame.mask,
            box,
            level,
            scatter,
            clip,
            n_threads=self.n_threads,
        )

    def _called_statistics(self, box: Any) -> tuple[Any, Any, Any]:
        """Call the estimators with all boxes at once."""
        frame = self._arrays.frame
        values = frame.data.astype(np.float64)
        values[~np.isfinite(values)] = np.nan
        if frame.mask is not None:
            values[frame.mask] = np.nan
        n_rows, n_columns = (len(edges) - 1 for edges in self._edges)
        padded = np.full((n_rows * box[0], n_columns * box[1]), np.nan)
        padded[: values.shape[0], : values.shape[1]] = values
        blocks = padded.reshape(n_rows, box[0], n_columns, box[1]).swapaxes(1, 2)
        boxes = blocks.reshape(n_rows, n_columns, -1)
        with warnings.catch_warnings():
            # Of boxes without any value, and of NaN that the clip drops.
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", AstropyUserWarning)
            if self.sigma_clip is not None:
                boxes = self.sigma_clip(boxes, axis=-1, masked=False)
            numbers = np.isfinite(boxes).sum(axis=-1)
            meshes = [
                _called(getattr(self, name), boxes, name)
                for name in ("bkg_estimator", "bkg_rms_estimator")
            ]
        return *meshes, numbers


def _called(estimator: Any, boxes: NDArray[np.float64], name: str) -> Any:
    mesh = np.asarray(estimator(boxes, axis=-1), dtype=np.float64)
    if mesh.shape != boxes.shape[:2]:
        msg = (
            f"{name} must return an array of shape {boxes.shape[:2]} of one of "
            f"{boxes.shape} along axis=-1, got {mesh.shape}"
        )
        raise ValueError(msg)
    return np.ascontiguousarray(mesh)


def _as_callable(value: Any, name: str) -> Any:
    if value is not None and not callable(value):
        msg = f"{name} must be callable or None, got {value!r}"
        raise TypeError(msg)
    return value


def _as_clip(sigma_clip: Any) -> Any:
    if sigma_clip is DEFAULT_CLIP:
        return SigmaClip(sigma=3.0, maxiters=10)
    return _as_callable(sigma_clip, "sigma_clip")


def _as_estimator(estimator: Any, default: Any, name: str) -> Any:
    """Take an estimator, or a copy without its clip."""
    if estimator is None:
        return default(sigma_clip=None)
    _as_callable(estimator, name)
    if getattr(estimator, "sigma_clip", None) is not None:
        estimator = copy.copy(estimator)
        estimator.sigma_clip = None
    return estimator


def _warn_of_bad_pixels(arrays: Arrays) -> None:
    data, mask = arrays.frame.data, arrays.frame.mask
    finite = np.isfinite(data)
    if finite.all():
        return
    if not finite.any():
        msg = (
            "Input data contains all nonfinite (NaN or infinity) values. Cannot "
            "compute a background."
        )
        raise ValueError(msg)
    n_bad = np.count_nonzero(~finite if mask is None else ~(finite | mask))
    if n_bad > 0:
        msg = (
            f"{n_bad} pixels of data are not finite (NaN or infinity): they take no "
            "part"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
