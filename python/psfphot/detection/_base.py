"""What a star finder is, and what ours do alike."""

from __future__ import annotations

import abc
import sys
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from astropy import units as u

from psfphot._deprecated import old_arguments, results_table
from psfphot._meta import table_meta
from psfphot._repr import make_repr, make_str
from psfphot._validate import as_frame, as_n_threads
from psfphot.detection import _arguments as check
from psfphot.utils import NoDetectionsWarning

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import ArrayLike, NDArray

    from psfphot._validate import Image


class StarFinderBase(abc.ABC):
    """A star finder: a subclass has to have `find_stars`.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from psfphot.detection import StarFinderBase
    >>> class Brightest(StarFinderBase):
    ...     def find_stars(self, data, *, mask=None):
    ...         y, x = np.unravel_index(np.argmax(data), data.shape)
    ...         return QTable({"x_centroid": [x], "y_centroid": [y]})
    >>> import numpy as np
    >>> Brightest()(np.eye(3))["x_centroid"].tolist()
    [0]
    """

    @old_arguments("mask")
    def __call__(
        self, data: ArrayLike | u.Quantity, *, mask: ArrayLike | None = None
    ) -> QTable | None:
        """Find stars; see `find_stars`."""
        return self.find_stars(data, mask=mask)

    @abc.abstractmethod
    def find_stars(
        self, data: ArrayLike | u.Quantity, *, mask: ArrayLike | None = None
    ) -> QTable | None:
        """Find stars in an image.

        Parameters
        ----------
        data : 2D array_like or `~astropy.units.Quantity`
            The image.
        mask : 2D array_like of bool, optional
            `True` where there are no stars to be found.

        Returns
        -------
        table : `~astropy.table.QTable` or `None`
            One row for each star, with its position in the columns
            ``x_centroid`` and ``y_centroid``; `None` if there are none.
        """


class Scene(NamedTuple):
    """An image, and what of it is searched, as the core takes it."""

    data: Image
    mask: NDArray[np.bool_] | None
    threshold: float | NDArray[np.float64]
    min_separation: float
    exclude_border: bool
    peak_max: float | None
    n_brightest: int | None
    n_threads: int | None


class KernelFinder(StarFinderBase):
    """A finder of peaks of the image convolved with a kernel.

    A subclass has its own arguments, and `_search`.
    """

    # Names of the arguments in the order in which they are shown, and of the
    # columns that have the unit of the image.
    _shown: ClassVar[tuple[str, ...]]
    _flux_columns: ClassVar[tuple[str, ...]] = ("peak", "flux")

    def __init__(
        self,
        threshold: ArrayLike | u.Quantity,
        *,
        min_separation: float,
        exclude_border: bool,
        n_brightest: int | None,
        peak_max: float | u.Quantity | None,
        n_threads: int | None,
    ) -> None:
        check.check_units(threshold=threshold, peak_max=peak_max)
        self.threshold = threshold
        self.exclude_border = bool(exclude_border)
        self.n_brightest = check.count_or_none(n_brightest, "n_brightest")
        self.peak_max = peak_max
        self.min_separation = check.not_negative(min_separation, "min_separation")
        self.n_threads = as_n_threads(n_threads)

    def __repr__(self) -> str:
        return make_repr(self, (*self._shown, "n_threads"))

    def __str__(self) -> str:
        return make_str(self, self._shown)

    @abc.abstractmethod
    def _search(self, scene: Scene) -> tuple[dict[str, NDArray[Any]], int]:
        """Give the columns, and the number of positions that were measured."""

    def _find(self, data: Any, mask: Any) -> QTable | None:
        check.check_units(data=data, threshold=self.threshold, peak_max=self.peak_max)
        frame = as_frame(data, mask=mask, needs_error=False)
        if frame.data.size == 0:
            msg = "data must not be empty"
            raise ValueError(msg)
        peak_max = getattr(self.peak_max, "value", self.peak_max)
        scene = Scene(
            frame.data,
            frame.mask,
            check.threshold_for(self.threshold, frame.data.shape),
            self.min_separation,
            self.exclude_border,
            None if peak_max is None else check.scalar(peak_max, "peak_max"),
            self.n_brightest,
            self.n_threads,
        )
        columns, n_measured = self._search(scene)
        return sources_table(columns, n_measured, frame.unit, self._flux_columns)


def sources_table(
    columns: dict[str, NDArray[Any]],
    n_measured: int,
    unit: u.UnitBase | None,
    flux_columns: tuple[str, ...],
) -> QTable | None:
    """Make the table of what a finder found; `None`, with a warning, of nothing.

    ``n_measured`` is the number of positions that could be measured, and
    ``flux_columns`` are the columns that have the unit of the image.
    """
    n_sources = len(columns["flux"])
    if n_sources == 0:
        warn_of_none(
            "No sources were found."
            if n_measured == 0
            else "Sources were found, but none pass the filtering criteria"
        )
        return None
    table = results_table(table_meta())
    table["id"] = np.arange(1, n_sources + 1)
    for name, values in columns.items():
        column = values
        if name == "orientation":
            column = values << u.deg
        elif unit is not None and name in flux_columns:
            column = values << unit
        table[name] = column
    return table


def warn_of_none(msg: str) -> None:
    """Give a `NoDetectionsWarning` that points to the caller of the package."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals["__name__"].startswith("psfphot."):
        level, frame = level + 1, frame.f_back
    warnings.warn(msg, NoDetectionsWarning, stacklevel=level)
