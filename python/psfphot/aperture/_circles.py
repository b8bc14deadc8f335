"""Circles and annuli around positions."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from astropy.units import Quantity

from psfphot import _core
from psfphot._validate import (
    as_count,
    as_float_array,
    as_frame,
    as_positive,
    split_mask,
)
from psfphot.aperture._bounding_box import BoundingBox

if TYPE_CHECKING:
    from typing import Self

    from astropy.nddata import NDData
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch
    from numpy.typing import ArrayLike, NDArray

    Method = Literal["exact", "center", "subpixel"]

METHODS = ("exact", "center", "subpixel")


class PixelAperture(ABC):
    """What circles and annuli have in common: the positions, and the work."""

    #: The names of the radii, from the innermost.
    _radius_names: ClassVar[tuple[str, ...]]

    def __init__(self, positions: ArrayLike | Iterator[Any]) -> None:
        self.positions = _as_positions(positions)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "positions":
            value = _as_positions(value)
        elif name in self._radius_names:
            msg = f"{name!r} must be a positive scalar, got {value!r}"
            value = as_positive(value, name, msg)
        super().__setattr__(name, value)
        self._check_order()

    def _check_order(self) -> None:  # noqa: B027  (circles have nothing to check)
        """Refuse a hole as large as its annulus."""

    @property
    @abstractmethod
    def area(self) -> float:
        """The area of one aperture, square pixels."""

    @property
    @abstractmethod
    def _radii(self) -> tuple[float, float]:
        """The radius of the hole (0 for none), and the outer one."""

    @abstractmethod
    def _patch(self, position: Any, **kwargs: Any) -> Patch:
        """Make the patch of one aperture."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(number of positions,), or () for one position that is no list."""
        return self.positions.shape[:-1]

    @property
    def isscalar(self) -> bool:
        """Whether there is one position that is no list."""
        return self.shape == ()

    def __len__(self) -> int:
        if self.isscalar:
            raise TypeError(f"A scalar {type(self).__name__!r} object has no len()")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Self:
        if self.isscalar:
            msg = f"A scalar {type(self).__name__!r} object cannot be indexed"
            raise TypeError(msg)
        chosen = copy.copy(self)
        chosen.positions = self.positions[index]
        return chosen

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PixelAperture) or type(self) is not type(other):
            return NotImplemented
        return self._radii == other._radii and np.array_equal(
            self.positions, other.positions
        )

    # An aperture can be changed.
    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> Self:
        """Make a copy that shares nothing."""
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        name = type(self).__name__
        positions = np.array2string(self.positions, separator=", ", prefix=name)
        radii = "".join(f", {r}={getattr(self, r)}" for r in self._radius_names)
        return f"<{name}({positions}{radii})>"

    def __str__(self) -> str:
        prefix = "positions: "
        positions = np.array2string(self.positions, separator=", ", prefix=prefix)
        radii = [f"{name}: {getattr(self, name)}" for name in self._radius_names]
        return "\n".join(
            [f"Aperture: {type(self).__name__}", prefix + positions, *radii]
        )

    @property
    def bbox(self) -> BoundingBox | list[BoundingBox]:
        """The smallest rectangle of pixels that holds the aperture.

        A list of them, unless the aperture is scalar.
        """
        outer = self._radii[1]
        boxes = [
            BoundingBox(
                math.floor(x - outer + 0.5),
                math.ceil(x + outer + 0.5),
                math.floor(y - outer + 0.5),
                math.ceil(y + outer + 0.5),
            )
            for x, y in np.atleast_2d(self.positions)
        ]
        return boxes[0] if self.isscalar else boxes

    def do_photometry(
        self,
        data: ArrayLike | Quantity | NDData,
        error: ArrayLike | Quantity | None = None,
        mask: ArrayLike | None = None,
        method: Method = "exact",
        subpixels: int = 5,
        *,
        n_threads: int | None = None,
    ) -> tuple[Any, Any]:
        """Sum an image over the apertures.

        Parameters
        ----------
        data : 2D array_like, masked array, Quantity or NDData
            The image. NDData brings its mask, unit and uncertainty. A value in
            an aperture that is not finite makes its sum so: mask it to leave it
            out.
        error : 2D array_like or Quantity, optional
            The 1-sigma errors of ``data``.
        mask : 2D array_like of bool, optional
            `True` for pixels that do not take part.
        method : {'exact', 'center', 'subpixel'}, optional
            What part of a pixel counts where the edge cuts it: the exact area;
            all if its centre is inside, else nothing; or the part of
            ``subpixels`` by ``subpixels`` points that are inside.
        subpixels : int, optional
            The points per pixel and axis of the method 'subpixel'.
        n_threads : int or None, optional
            How many threads to use; `None` for all processors. The result does
            not depend on it.

        Returns
        -------
        sums : 1D ndarray or Quantity
            The sums, in the unit of ``data``. NaN where an aperture does not
            overlap the image; 0 where all of its pixels are masked.
        errors : 1D ndarray or Quantity
            Their errors, √(Σ error² · weight²) with the weight the part of a
            pixel; NaN without ``error``.

        Raises
        ------
        TypeError
            If an array is not numeric or is complex.
        ValueError
            If shapes or units do not go together, or the method is none.
        """
        sums, errors, _, unit = self._measure(
            (data, error, mask), method, subpixels, n_threads
        )
        return (sums, errors) if unit is None else (sums << unit, errors << unit)

    def area_overlap(
        self,
        data: ArrayLike | Quantity | NDData,
        *,
        mask: ArrayLike | None = None,
        method: Method = "exact",
        subpixels: int = 5,
    ) -> float | NDArray[np.float64]:
        """Measure the area of the apertures on the image, without masked pixels.

        The parameters are those of `do_photometry`; the values of ``data`` do
        not matter.

        Returns
        -------
        float or 1D ndarray
            The areas, square pixels. NaN where an aperture does not overlap the
            image; 0 where all of its pixels are masked.
        """
        areas = self._measure((data, None, mask), method, subpixels, None)[2]
        return float(areas[0]) if self.isscalar else areas

    def _measure(
        self, image: Any, method: Any, subpixels: Any, n_threads: int | None
    ) -> Any:
        """Measure sums, errors and areas, and return them with the unit."""
        if method not in METHODS:
            raise ValueError(f"method must be one of {METHODS}, got {method!r}")
        frame = as_frame(*image)
        x, y = np.ascontiguousarray(np.atleast_2d(self.positions).T)
        sums = _core.aperture_photometry(
            *frame.arrays,
            x,
            y,
            self._radii,
            method,
            _as_subpixels(subpixels),
            n_threads=n_threads,
        )
        return *sums, frame.unit

    def plot(
        self,
        ax: Axes | None = None,
        origin: tuple[float, float] = (0, 0),
        **kwargs: Any,
    ) -> list[Patch]:
        """Draw the outlines of the apertures.

        Parameters
        ----------
        ax : `~matplotlib.axes.Axes`, optional
            Where to draw; `None` for the current axes.
        origin : (float, float), optional
            The position (x, y) of the first pixel of the image that is shown.
        **kwargs
            Properties of `~matplotlib.patches.Patch`. Apertures are not filled
            unless ``fill=True``.

        Returns
        -------
        list of `~matplotlib.patches.Patch`
            One patch for each aperture.
        """
        if ax is None:
            import matplotlib.pyplot as plt  # noqa: PLC0415  (slow, optional)

            ax = plt.gca()
        settings = {"fill": False} | kwargs
        places = np.atleast_2d(self.positions) - np.asarray(origin)
        return [ax.add_patch(self._patch(place, **settings)) for place in places]


class CircularAperture(PixelAperture):
    """Circles around positions.

    Parameters
    ----------
    positions : (x, y), or array_like or iterator of them
        The centres, pixels: one pair, or a list, an (N, 2) array or a
        ``zip(x, y)``.
    r : float
        The radius, pixels.

    Raises
    ------
    TypeError
        If a position or the radius is no number, or has a unit.
    ValueError
        If a position is not finite, or the radius is not positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.aperture import CircularAperture
    >>> apertures = CircularAperture([(10, 10), (12.5, 20.3)], r=3)
    >>> sums, errors = apertures.do_photometry(np.ones((40, 40)))
    >>> print(sums)
    [28.27433388 28.27433388]
    """

    _radius_names = ("r",)
    r: float

    def __init__(self, positions: ArrayLike | Iterator[Any], r: float) -> None:
        super().__init__(positions)
        self.r = r

    @property
    def area(self) -> float:
        """The area of one circle, square pixels."""
        return math.pi * self.r**2

    @property
    def _radii(self) -> tuple[float, float]:
        return 0.0, self.r

    def _patch(self, position: Any, **kwargs: Any) -> Patch:
        from matplotlib.patches import Circle  # noqa: PLC0415  (optional)

        return Circle(position, self.r, **kwargs)


class CircularAnnulus(PixelAperture):
    """Rings around positions.

    Parameters
    ----------
    positions : (x, y), or array_like or iterator of them
        The centres, pixels: one pair, or a list, an (N, 2) array or a
        ``zip(x, y)``.
    r_in, r_out : float
        The inner and the outer radius, pixels.

    Raises
    ------
    TypeError
        If a position or a radius is no number, or has a unit.
    ValueError
        If a position is not finite, or not 0 < ``r_in`` < ``r_out`` < infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.aperture import CircularAnnulus
    >>> annulus = CircularAnnulus((10, 10), r_in=3, r_out=5)
    >>> sums, errors = annulus.do_photometry(np.ones((40, 40)))
    >>> print(sums)
    [50.26548246]
    """

    _radius_names = ("r_in", "r_out")
    r_in: float
    r_out: float

    def __init__(
        self, positions: ArrayLike | Iterator[Any], r_in: float, r_out: float
    ) -> None:
        super().__init__(positions)
        self.r_in = r_in
        self.r_out = r_out

    def _check_order(self) -> None:
        radii = self.__dict__.get("r_in", 0.0), self.__dict__.get("r_out", math.inf)
        if radii[0] >= radii[1]:
            msg = f"'r_out' must be greater than 'r_in', got {radii[1]} and {radii[0]}"
            raise ValueError(msg)

    @property
    def area(self) -> float:
        """The area of one ring, square pixels."""
        return math.pi * (self.r_out**2 - self.r_in**2)

    @property
    def _radii(self) -> tuple[float, float]:
        return self.r_in, self.r_out

    def _patch(self, position: Any, **kwargs: Any) -> Patch:
        from matplotlib.patches import Annulus  # noqa: PLC0415  (optional)

        return Annulus(position, self.r_out, self.r_out - self.r_in, **kwargs)


def _as_positions(positions: Any) -> NDArray[np.float64]:
    """Make an array of one position (x, y) or of N of them.

    Raises
    ------
    TypeError
        If they are no real numbers without a unit.
    ValueError
        If they are not positions, or not finite.
    """
    if isinstance(positions, Iterator):
        positions = tuple(positions)
    if _has_unit(positions):
        raise TypeError("'positions' must not be a Quantity")
    positions, unknown = split_mask(positions)
    array = as_float_array(positions, "positions").astype(np.float64)
    if np.shape(positions) != array.shape or array.ndim > 2 or array.shape[-1] != 2:  # noqa: PLR2004
        msg = (
            "'positions' must be a pixel position (x, y) or a list or array of them, "
            f"e.g. [(x1, y1), (x2, y2)], got the shape {np.shape(positions)}"
        )
        raise ValueError(msg)
    if not np.isfinite(array).all() or (unknown is not None and unknown.any()):
        raise ValueError("'positions' must not contain any nonfinite positions")
    return array


def _has_unit(positions: Any) -> bool:
    if isinstance(positions, list | tuple):
        return any(_has_unit(each) for each in positions)
    return isinstance(positions, Quantity)


def _as_subpixels(subpixels: Any) -> int:
    msg = f"subpixels must be a strictly positive integer, got {subpixels!r}"
    return as_count(subpixels, "subpixels", least=1, always=msg)
