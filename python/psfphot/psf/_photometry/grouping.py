"""Groups of sources that are fitted together."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from psfphot import _core
from psfphot._deprecated import by_keyword
from psfphot._repr import make_repr
from psfphot._validate import as_odd_pair, as_points, as_positive
from psfphot.aperture import CircularAperture
from psfphot.utils import make_random_cmap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.typing import ArrayLike, NDArray

__all__ = ["OverlapGrouper", "SourceGrouper", "SourceGroups"]


class SourceGroups:
    """Sources and the groups that they are in.

    Parameters
    ----------
    x, y : 1D array_like of float
        The positions, pixels.
    groups : 1D array_like of int
        The group of each source.

    Attributes
    ----------
    x, y, groups : 1D ndarray
        As given.
    n_sources, n_groups : int
        How many there are.

    Raises
    ------
    TypeError
        If the positions are not numbers or the groups not integers.
    ValueError
        If shapes differ, or a position is not finite.

    Examples
    --------
    >>> from psfphot.psf import SourceGroups
    >>> groups = SourceGroups([10, 15, 50], [20, 25, 60], [1, 1, 2])
    >>> groups
    <SourceGroups(n_sources=3, n_groups=2)>
    >>> groups.size_map
    {1: 2, 2: 1}
    >>> groups.group_centers
    {1: (12.5, 22.5), 2: (50.0, 60.0)}
    """

    def __init__(self, x: ArrayLike, y: ArrayLike, groups: ArrayLike) -> None:
        shapes = np.shape(x), np.shape(y), np.shape(groups)
        if len(set(shapes)) > 1 or len(shapes[0]) != 1:
            msg = f"x, y, and groups must be 1D and have the same shape, got {shapes}"
            raise ValueError(msg)
        self.x, self.y = as_points(x, y)
        _check_finite(self.x, "x")
        _check_finite(self.y, "y")
        self.groups = np.asarray(groups)
        if self.groups.dtype.kind not in "iu" and self.groups.size > 0:
            msg = f"groups must be an array of integers, got dtype {self.groups.dtype}"
            raise TypeError(msg)
        self.n_sources = len(self.groups)
        # Of each source the number of its group in their sorted list.
        self._ids, self._number, self._counts = np.unique(
            self.groups, return_inverse=True, return_counts=True
        )
        self.n_groups = len(self._ids)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{name}(n_sources={self.n_sources}, n_groups={self.n_groups})>"

    def __len__(self) -> int:
        """Return the number of sources."""
        return self.n_sources

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The size of each source's group."""
        return self._counts[self._number]

    @property
    def size_map(self) -> dict[int, int]:
        """The size of each group, by its id."""
        return dict(zip(self._ids.tolist(), self._counts.tolist(), strict=True))

    @cached_property
    def group_centers(self) -> dict[int, tuple[float, float]]:
        """The mean position (x, y) of each group, by its id."""
        x, y = (
            np.bincount(self._number, values, self.n_groups) / self._counts
            for values in (self.x, self.y)
        )
        centers = zip(x.tolist(), y.tolist(), strict=True)
        return dict(zip(self._ids.tolist(), centers, strict=True))

    def get_group_sources(
        self, group_id: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the positions of a group's sources.

        Parameters
        ----------
        group_id : int
            The group.

        Returns
        -------
        x, y : 1D ndarray
            The positions, pixels.

        Raises
        ------
        ValueError
            If there is no such group.
        """
        if group_id not in self._ids:
            raise ValueError(f"Group ID {group_id} not found in groups")
        members = self.groups == group_id
        return self.x[members], self.y[members]

    def plot(
        self,
        radius: float,
        *,
        ax: Axes | None = None,
        cmap: Colormap | str | None = None,
        seed: int | None = 0,
        label_groups: bool = False,
        label_kwargs: dict[str, Any] | None = None,
        label_offset: tuple[float, float] = (0, 0),
        **kwargs: Any,
    ) -> Axes:
        """Draw a circle around each source, in its group's colour.

        Parameters
        ----------
        radius : float
            The circles' radius, pixels.
        ax : `~matplotlib.axes.Axes`, optional
            Where to draw; `None` for the current axes.
        cmap : `~matplotlib.colors.Colormap` or str, optional
            The colours of the groups; `None` for colours at random.
        seed : int, optional
            Of the colours at random.
        label_groups : bool, optional
            Whether to write the groups' ids at their centres.
        label_kwargs : dict, optional
            Properties of the labels, as `~matplotlib.axes.Axes.text` has them.
        label_offset : (float, float), optional
            From a group's centre to its label, pixels (x, y).
        **kwargs
            Properties of the circles; ``color`` is one for all groups.

        Returns
        -------
        `~matplotlib.axes.Axes`
            Where it was drawn.
        """
        import matplotlib as mpl  # noqa: PLC0415  (optional)

        if ax is None:
            import matplotlib.pyplot as plt  # noqa: PLC0415  (slow, optional)

            ax = plt.gca()
        if cmap is None:
            cmap = make_random_cmap(n_colors=max(self.n_groups, 1), seed=seed)
        palette = mpl.colormaps[cmap] if isinstance(cmap, str) else cmap
        colors = palette(np.arange(self.n_groups) / max(self.n_groups - 1, 1))
        labels = {"ha": "center", "va": "center", "zorder": 10} | (label_kwargs or {})
        members = np.split(
            np.argsort(self._number, kind="stable"), np.cumsum(self._counts)[:-1]
        )
        for (group_id, (x, y)), color, rows in zip(
            self.group_centers.items(), colors, members, strict=False
        ):
            style = {"color": color} | kwargs
            positions = np.column_stack([self.x[rows], self.y[rows]])
            CircularAperture(positions, radius).plot(ax=ax, **style)
            if label_groups:
                ax.text(
                    x + label_offset[0],
                    y + label_offset[1],
                    str(group_id),
                    **{"color": style["color"]} | labels,
                )
        return ax


class SourceGrouper:
    """Group sources that are linked by steps of at most a given distance.

    Friends of friends: two sources whose distance is not above
    ``min_separation`` belong to one group, and so do the friends of each.

    Parameters
    ----------
    min_separation : float
        The distance, in pixels, up to and including which sources are fitted together.

    Raises
    ------
    TypeError
        If ``min_separation`` is not a number.
    ValueError
        If it is not positive and finite.

    Examples
    --------
    >>> from psfphot.psf import SourceGrouper
    >>> grouper = SourceGrouper(min_separation=10)
    >>> grouper([0, 50, 8, 16], [0, 0, 0, 0])
    array([1, 2, 1, 1])
    """

    def __init__(self, min_separation: float) -> None:
        msg = f"min_separation must be a positive finite value, got {min_separation!r}"
        as_positive(min_separation, "min_separation", msg)
        self.min_separation = min_separation

    def __repr__(self) -> str:
        return make_repr(self, ("min_separation",))

    @overload
    def __call__(
        self, x: ArrayLike, y: ArrayLike, return_groups_object: Literal[False] = ...
    ) -> NDArray[np.int64]: ...
    @overload
    def __call__(
        self, x: ArrayLike, y: ArrayLike, return_groups_object: bool
    ) -> NDArray[np.int64] | SourceGroups: ...
    @by_keyword
    def __call__(
        self, x: ArrayLike, y: ArrayLike, return_groups_object: bool = False
    ) -> NDArray[np.int64] | SourceGroups:
        """Group the sources.

        Parameters
        ----------
        x, y : 1D array_like of float
            The positions, pixels.
        return_groups_object : bool, optional
            Whether to return a `SourceGroups`.

        Returns
        -------
        1D ndarray of int or SourceGroups
            Each source's group, numbered from 1 in the order in which the
            sources first name them.

        Raises
        ------
        TypeError
            If the positions are not numbers.
        ValueError
            If there are no sources, or positions are not finite, not 1D or of
            different shapes.
        """
        xs, ys = _as_positions(x, y)
        groups = _core.group_sources(xs, ys, float(self.min_separation))
        return SourceGroups(xs, ys, groups) if return_groups_object else groups


class OverlapGrouper:
    """Group sources whose boxes of pixels overlap.

    Two sources whose boxes share a pixel belong to one group, and so do those whose
    boxes share one with either. Groups may have any size.

    Parameters
    ----------
    box_shape : int, tuple of int or `None`, optional
        Sides (ny, nx) of the boxes, odd. `None` takes the ``fit_shape`` of the
        `~psfphot.psf.PSFPhotometry` that calls the grouper.

    Raises
    ------
    ValueError
        If the sides are not odd positive integers.

    Examples
    --------
    >>> from psfphot.psf import OverlapGrouper
    >>> grouper = OverlapGrouper(box_shape=5)
    >>> grouper([0, 50, 4, 8], [0, 0, 0, 5])
    array([1, 2, 1, 3])
    """

    def __init__(self, box_shape: int | tuple[int, int] | None = None) -> None:
        self.box_shape = (
            None if box_shape is None else as_odd_pair(box_shape, "box_shape")
        )

    def __repr__(self) -> str:
        return make_repr(self, ("box_shape",))

    def for_host(self, fit_shape: tuple[int, int]) -> OverlapGrouper:
        """Return the grouper that a fit in boxes of ``fit_shape`` pixels calls.

        Parameters
        ----------
        fit_shape : tuple of int
            Sides (ny, nx), odd.

        Returns
        -------
        `OverlapGrouper`
            Itself, unless it has no sides of its own.
        """
        return OverlapGrouper(fit_shape) if self.box_shape is None else self

    @overload
    def __call__(
        self, x: ArrayLike, y: ArrayLike, return_groups_object: Literal[False] = ...
    ) -> NDArray[np.int64]: ...
    @overload
    def __call__(
        self, x: ArrayLike, y: ArrayLike, return_groups_object: bool
    ) -> NDArray[np.int64] | SourceGroups: ...
    def __call__(
        self, x: ArrayLike, y: ArrayLike, return_groups_object: bool = False
    ) -> NDArray[np.int64] | SourceGroups:
        """Group the sources.

        Parameters
        ----------
        x, y : 1D array_like of float
            The positions, pixels.
        return_groups_object : bool, optional
            Whether to return a `SourceGroups`.

        Returns
        -------
        1D ndarray of int or SourceGroups
            Each source's group, numbered from 1 in the order in which the
            sources first name them.

        Raises
        ------
        TypeError
            If the positions are not numbers.
        ValueError
            If ``box_shape`` is `None`, there are no sources, or positions are not
            finite, not 1D or of different shapes.
        """
        if self.box_shape is None:
            msg = "box_shape must be given where no PSFPhotometry calls the grouper"
            raise ValueError(msg)
        xs, ys = _as_positions(x, y)
        groups = _core.group_overlapping(xs, ys, self.box_shape)
        return SourceGroups(xs, ys, groups) if return_groups_object else groups


def _as_positions(
    x: ArrayLike, y: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check the positions of sources that are to be grouped."""
    xs, ys = as_points(x, y)
    if xs.size == 0:
        msg = "x and y must not be empty"
        raise ValueError(msg)
    _check_finite(xs, "x")
    _check_finite(ys, "y")
    return xs, ys


def _check_finite(values: Any, name: str) -> None:
    if not np.isfinite(values).all():
        msg = f"{name} coordinates must be finite (no NaN or inf values)"
        raise ValueError(msg)
