"""What the apertures on an image have in common."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from astropy.units import Quantity

from psfphot import _core
from psfphot._deprecated import by_keyword
from psfphot._validate import (
    as_count,
    as_float_array,
    as_frame,
    as_positive,
    split_mask,
)
from psfphot.aperture._bounding_box import BoundingBox
from psfphot.aperture._mask import ApertureMask
from psfphot.aperture._positioned import Positioned
from psfphot.aperture._sky import pixel_scale

if TYPE_CHECKING:
    from typing import Self

    from astropy.nddata import NDData
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch
    from numpy.typing import ArrayLike, NDArray

    from psfphot._validate import Frame
    from psfphot.aperture._sky import SkyAperture

    Method = Literal["exact", "center", "subpixel"]

METHODS = ("exact", "center", "subpixel")


def check_method(method: Any, name: str = "method") -> None:
    """Refuse a method that is none.

    Raises
    ------
    ValueError
        If it is none.
    """
    if method not in METHODS:
        raise ValueError(f"{name} must be one of {METHODS}, got {method!r}")


class PixelAperture(Positioned):
    """What circles and annuli have in common: the positions, and the work."""

    #: The names of the radii, from the innermost.
    radius_names: ClassVar[tuple[str, ...]]

    def __init__(self, positions: ArrayLike | Iterator[Any]) -> None:
        self.positions = _as_positions(positions)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "positions":
            value = _as_positions(value)
        elif name in self.radius_names:
            msg = f"{name!r} must be a positive scalar, got {value!r}"
            value = as_positive(value, name, msg)
        super().__setattr__(name, value)
        self._check_order()

    def _check_order(self) -> None:
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

    def _at(self, index: Any) -> Self:
        chosen = copy.copy(self)
        chosen.positions = self.positions[index]
        return chosen

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
        radii = "".join(f", {r}={getattr(self, r)}" for r in self.radius_names)
        return f"<{name}({positions}{radii})>"

    def __str__(self) -> str:
        prefix = "positions: "
        positions = np.array2string(self.positions, separator=", ", prefix=prefix)
        radii = [f"{name}: {getattr(self, name)}" for name in self.radius_names]
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
            BoundingBox.from_float(x - outer, x + outer, y - outer, y + outer)
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

    @by_keyword
    def to_mask(
        self, method: Method = "exact", subpixels: int = 5
    ) -> ApertureMask | list[ApertureMask]:
        """Give the weights of the pixels.

        Parameters
        ----------
        method : {'exact', 'center', 'subpixel'}, optional
            See `do_photometry`.
        subpixels : int, optional
            See `do_photometry`.

        Returns
        -------
        ApertureMask or list of ApertureMask
            One for each position; one alone if the aperture is scalar.

        Raises
        ------
        ValueError
            If the method is none, or an aperture touches more than 2²⁸ pixels.
        """
        check_method(method)
        points = _as_subpixels(subpixels)
        masks = []
        for x, y in np.atleast_2d(self.positions).tolist():
            weights, x0, y0 = _core.aperture_weights(
                (x, y), self._radii, method, points
            )
            ny, nx = weights.shape
            masks.append(ApertureMask(weights, BoundingBox(x0, x0 + nx, y0, y0 + ny)))
        return masks[0] if self.isscalar else masks

    def measure(
        self, frame: Frame, method: Method, subpixels: int, n_threads: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Measure sums, errors and areas, without units; see `do_photometry`."""
        check_method(method)
        x, y = np.ascontiguousarray(np.atleast_2d(self.positions).T)
        return _core.aperture_photometry(
            *frame.arrays,
            x,
            y,
            self._radii,
            method,
            _as_subpixels(subpixels),
            n_threads=n_threads,
        )

    def _measure(
        self, image: Any, method: Any, subpixels: Any, n_threads: int | None
    ) -> Any:
        """Measure sums, errors and areas, and return them with the unit."""
        frame = as_frame(*image)
        return *self.measure(frame, method, subpixels, n_threads), frame.unit

    @abstractmethod
    def to_sky(self, wcs: Any) -> SkyAperture:
        """Make the aperture on the sky.

        Parameters
        ----------
        wcs : WCS object
            Anything with astropy's ``pixel_to_world``.

        Returns
        -------
        SkyAperture
            The radii are scaled by the pixel at the first position.
        """

    def _on_sky(self, wcs: Any) -> tuple[Any, ...]:
        """Give the positions and the radii on the sky."""
        first = np.atleast_2d(self.positions)[0]
        scale = pixel_scale(wcs, *first)
        radii = [getattr(self, name) * scale for name in self.radius_names]
        return wcs.pixel_to_world(*np.transpose(self.positions)), *radii

    @by_keyword
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
