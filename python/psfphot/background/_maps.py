"""What the backgrounds of whole images have in common."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot._deprecated import SINCE
from psfphot._validate import Frame, as_frame, as_mask, as_scalar, split_mask
from psfphot._warnings import PhotutilsDeprecationWarning

if TYPE_CHECKING:
    from astropy.units import Quantity, UnitBase
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


class Arrays(NamedTuple):
    """An image as it comes, made ready."""

    frame: Frame
    coverage_mask: NDArray[np.bool_] | None
    dtype: np.dtype[Any]
    """Of the maps: float32 for integers, else that of the image."""


def as_arrays(data: Any, mask: Any, coverage_mask: Any) -> Arrays:
    """Join all masks of an image, and find the dtype of its background.

    Raises
    ------
    TypeError
        If an array has a dtype that cannot be used.
    ValueError
        If shapes do not go together, or no pixel can be used.
    """
    frame = as_frame(data, mask=mask, needs_error=False)
    shape = frame.data.shape
    uncovered = as_mask(coverage_mask, shape, "coverage_mask")
    given = [each for each in (frame.mask, uncovered) if each is not None]
    joined = np.logical_or.reduce(given) if given else None
    frame = frame._replace(mask=joined)
    if frame.data.size == 0 or (joined is not None and joined.all()):
        msg = "All input pixels are masked. Cannot compute a background."
        raise ValueError(msg)
    values, _ = split_mask(data)
    is_integer = np.asarray(getattr(values, "value", values)).dtype.kind in "iub"
    dtype = np.dtype(np.float32) if is_integer else frame.data.dtype
    return Arrays(frame, uncovered, dtype)


def as_fill_value(fill_value: Any, unit: UnitBase | None) -> float:
    """Make the number for pixels without data; a unit is converted.

    Raises
    ------
    TypeError
        If it is no number.
    """
    if unit is not None and hasattr(fill_value, "unit"):
        fill_value = fill_value.to_value(unit)
    return as_scalar(fill_value, "fill_value")


class BackgroundMaps:
    """A background and its noise in boxes and at each pixel.

    What derives from it sets the attributes below, and gives the maps.
    """

    _unit: UnitBase | None
    _arrays: Arrays
    # In each box: level and scatter, pixels used, and whether there were too few.
    _meshes: tuple[NDArray[np.float64], NDArray[np.float64]]
    _numbers: NDArray[np.int64]
    _excluded: NDArray[np.bool_]
    # Where the boxes begin along y and x, and where the last one ends.
    _edges: tuple[NDArray[np.int64], NDArray[np.int64]]
    fill_value: float

    def _with_unit(self, values: Any) -> Any:
        unit = self._arrays.frame.unit
        return values if unit is None else values << unit

    def _finish(self, image: NDArray[Any]) -> Any:
        """Fill a map where there is no data, and give it its unit."""
        uncovered = self._arrays.coverage_mask
        if uncovered is not None:
            image[uncovered] = as_fill_value(self.fill_value, self._arrays.frame.unit)
        return self._with_unit(image)

    @property
    def background_mesh(self) -> NDArray[Any] | Quantity:
        """The background in each box, 2D, in the unit of the image."""
        return self._with_unit(self._meshes[0].astype(self._arrays.dtype))

    @property
    def background_rms_mesh(self) -> NDArray[Any] | Quantity:
        """The noise (1 sigma of a pixel) in each box, 2D, in the image's unit."""
        return self._with_unit(self._meshes[1].astype(self._arrays.dtype))

    @property
    def background_median(self) -> float | Quantity:
        """The median of the background in the boxes."""
        return np.median(self.background_mesh)

    @property
    def background_rms_median(self) -> float | Quantity:
        """The median of the noise in the boxes."""
        return np.median(self.background_rms_mesh)

    @property
    def n_pixels_mesh(self) -> NDArray[np.int64]:
        """How many pixels gave the statistics of each box, 2D."""
        return self._numbers

    @property
    def n_pixels_map(self) -> NDArray[np.int64]:
        """How many pixels gave the statistics of the box of each pixel, 2D."""
        heights, widths = (np.diff(edges) for edges in self._edges)
        return np.repeat(np.repeat(self._numbers, heights, axis=0), widths, axis=1)

    @property
    def npixels_mesh(self) -> NDArray[np.int64]:
        """The old name of ``n_pixels_mesh``."""
        _warn_of_old_name("npixels_mesh", "n_pixels_mesh")
        return self.n_pixels_mesh

    @property
    def npixels_map(self) -> NDArray[np.int64]:
        """The old name of ``n_pixels_map``."""
        _warn_of_old_name("npixels_map", "n_pixels_map")
        return self.n_pixels_map

    def plot_meshes(
        self,
        *,
        ax: Axes | None = None,
        marker: str = "+",
        markersize: float | None = None,
        color: str = "blue",
        alpha: float | None = None,
        outlines: bool = False,
        **kwargs: Any,
    ) -> None:
        """Mark the boxes that gave a value.

        Parameters
        ----------
        ax : `~matplotlib.axes.Axes`, optional
            Where to draw; `None` for the current axes.
        marker : str, optional
            The marker of the boxes' centres.
        markersize : float, optional
            Its size in square points; 0 for none, `None` for matplotlib's.
        color : str, optional
            The colour of markers and outlines.
        alpha : float, optional
            Their opacity, from 0 to 1.
        outlines : bool, optional
            Whether to draw the outlines of the boxes.
        **kwargs
            Properties of the outlines, `~matplotlib.patches.Patch`.
        """
        from matplotlib import rcParams  # noqa: PLC0415  (slow, optional)
        from matplotlib.patches import Rectangle  # noqa: PLC0415

        if ax is None:
            import matplotlib.pyplot as plt  # noqa: PLC0415

            ax = plt.gca()
        if markersize is None:
            markersize = rcParams["lines.markersize"] ** 2
        starts, sizes = self._boxes()
        x, y = (starts + (sizes - 1) / 2).T
        ax.scatter(x, y, s=markersize, marker=marker, color=color, alpha=alpha)
        if outlines:
            settings: dict[str, Any] = {
                "fill": False,
                "edgecolor": color,
                "alpha": alpha,
            } | kwargs
            for start, size in zip(starts - 0.5, sizes, strict=True):
                ax.add_patch(Rectangle(tuple(start), *size, **settings))

    def _boxes(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """First pixel (x, y) and size of the boxes that gave a value."""
        row, column = np.nonzero(~self._excluded)
        ys, xs = self._edges
        starts = np.column_stack([xs[column], ys[row]])
        ends = np.column_stack([xs[column + 1], ys[row + 1]])
        return starts, ends - starts


def _warn_of_old_name(old: str, new: str) -> None:
    msg = (
        f"The attribute {old!r} was deprecated in photutils {SINCE}. "
        f"Use {new!r} instead."
    )
    warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=3)
