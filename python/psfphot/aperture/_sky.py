"""Circles and annuli on the sky, and the scale of pixels."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from psfphot.aperture._positioned import Positioned

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray


def sky_jacobian(wcs: Any, x: float, y: float) -> NDArray[np.float64]:
    """Differentiate the tangent plane's coordinates by the pixel's.

    Parameters
    ----------
    wcs : WCS object
        Anything with astropy's ``pixel_to_world``.
    x, y : float
        Where, pixels.

    Returns
    -------
    (2, 2) ndarray
        [i, j] is the derivative of (east, north) by (x, y), arcsec per pixel, from
        differences across the pixel.
    """
    centre = wcs.pixel_to_world(x, y)
    ends = wcs.pixel_to_world([x - 0.5, x + 0.5, x, x], [y, y, y - 0.5, y + 0.5])
    offsets = np.array(
        [each.to_value(u.arcsec) for each in centre.spherical_offsets_to(ends)]
    )
    return np.asarray(offsets[:, 1::2] - offsets[:, ::2])


def pixel_scale(wcs: Any, x: float, y: float) -> u.Quantity:
    """Measure the side of the square of a pixel's area on the sky, an angle."""
    return np.sqrt(abs(np.linalg.det(sky_jacobian(wcs, x, y)))) * u.arcsec


class SkyAperture(Positioned):
    """What circles and annuli on the sky have in common."""

    #: The names of the radii, from the innermost.
    radius_names: ClassVar[tuple[str, ...]]
    positions: SkyCoord

    def __init__(self, positions: SkyCoord) -> None:
        self.positions = positions

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "positions" and not isinstance(value, SkyCoord):
            msg = f"'positions' must be a SkyCoord, got {type(value).__name__}"
            raise TypeError(msg)
        if name in self.radius_names:
            value = _as_angle(value, name)
        super().__setattr__(name, value)
        radii: list[Any] = [getattr(self, each, None) for each in self.radius_names]
        if None not in radii and radii != sorted(set(radii)):
            names = " < ".join(self.radius_names)
            raise ValueError(f"must be {names}, got {radii}")

    @property
    def shape(self) -> tuple[int, ...]:
        """(number of positions,), or () for one position that is no array."""
        return tuple(self.positions.shape)

    def _at(self, index: Any) -> Self:
        return type(self)(self.positions[index], *self._radii())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SkyAperture) or type(self) is not type(other):
            return NotImplemented
        return (
            self._radii() == other._radii()
            and self.shape == other.shape
            and self.positions.is_equivalent_frame(other.positions)
            and bool(np.all(self.positions == other.positions))
        )

    # An aperture can be changed.
    __hash__ = None  # type: ignore[assignment]

    def _radii(self) -> tuple[u.Quantity, ...]:
        return tuple([getattr(self, name) for name in self.radius_names])

    @abstractmethod
    def to_pixel(self, wcs: Any) -> Any:
        """Make the aperture on an image."""

    def _in_pixels(self, wcs: Any) -> tuple[Any, ...]:
        """Give the positions (x, y) and the radii in pixels."""
        positions = np.transpose(wcs.world_to_pixel(self.positions))
        first = np.atleast_2d(positions)[0]
        scale = pixel_scale(wcs, *first)
        radii = [
            float(radius.to_value(u.arcsec) / scale.value) for radius in self._radii()
        ]
        return positions, *radii

    def __repr__(self) -> str:
        radii = "".join(f", {r}={getattr(self, r)}" for r in self.radius_names)
        return f"<{type(self).__name__}({self.positions!r}{radii})>"

    def __str__(self) -> str:
        radii = [f"{name}: {getattr(self, name)}" for name in self.radius_names]
        lines = [f"Aperture: {type(self).__name__}", f"positions: {self.positions!r}"]
        return "\n".join([*lines, *radii])


def _as_angle(value: Any, name: str) -> u.Quantity:
    msg = f"{name!r} must be a positive angle (a scalar Quantity), got {value!r}"
    if not isinstance(value, u.Quantity) or not value.isscalar:
        raise TypeError(msg)
    if value.unit.physical_type != "angle":
        raise ValueError(msg)
    if not (np.isfinite(value.value) and value.value > 0):
        raise ValueError(msg)
    return value
