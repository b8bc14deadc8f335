"""Circles and annuli around positions, on an image and on the sky."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from psfphot.aperture._pixel import PixelAperture
from psfphot.aperture._sky import SkyAperture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from astropy.coordinates import SkyCoord
    from astropy.units import Quantity
    from matplotlib.patches import Patch
    from numpy.typing import ArrayLike


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

    radius_names = ("r",)
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

    def to_sky(self, wcs: Any) -> SkyCircularAperture:
        """Make the circle on the sky; see `PixelAperture.to_sky`."""
        return SkyCircularAperture(*self._on_sky(wcs))

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

    radius_names = ("r_in", "r_out")
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

    def to_sky(self, wcs: Any) -> SkyCircularAnnulus:
        """Make the ring on the sky; see `PixelAperture.to_sky`."""
        return SkyCircularAnnulus(*self._on_sky(wcs))

    def _patch(self, position: Any, **kwargs: Any) -> Patch:
        from matplotlib.patches import Annulus  # noqa: PLC0415  (optional)

        return Annulus(position, self.r_out, self.r_out - self.r_in, **kwargs)


class SkyCircularAperture(SkyAperture):
    """Circles around positions on the sky.

    Parameters
    ----------
    positions : `~astropy.coordinates.SkyCoord`
        The centres.
    r : Quantity
        The radius, an angle.

    Raises
    ------
    TypeError
        If ``positions`` or ``r`` is of another type.
    ValueError
        If ``r`` is not a positive, finite angle.

    Examples
    --------
    >>> from astropy import units as u
    >>> from psfphot.aperture import SkyCircularAperture
    >>> from psfphot.datasets import make_wcs
    >>> wcs = make_wcs((100, 100))
    >>> aperture = SkyCircularAperture(wcs.pixel_to_world(30, 40), 0.5 * u.arcsec)
    >>> print(f"{aperture.to_pixel(wcs).r:.4f}")
    5.0000
    """

    radius_names = ("r",)
    r: Quantity

    def __init__(self, positions: SkyCoord, r: Quantity) -> None:
        super().__init__(positions)
        self.r = r

    def to_pixel(self, wcs: Any) -> CircularAperture:
        """Make the circle on an image.

        Parameters
        ----------
        wcs : WCS object
            Anything with astropy's ``pixel_to_world``.

        Returns
        -------
        CircularAperture
            The radius is scaled by the pixel at the first position.
        """
        return CircularAperture(*self._in_pixels(wcs))


class SkyCircularAnnulus(SkyAperture):
    """Rings around positions on the sky.

    Parameters
    ----------
    positions : `~astropy.coordinates.SkyCoord`
        The centres.
    r_in, r_out : Quantity
        The inner and the outer radius, angles.

    Raises
    ------
    TypeError
        If ``positions`` or a radius is of another type.
    ValueError
        If not 0 < ``r_in`` < ``r_out`` < infinity, or a radius is no angle.
    """

    radius_names = ("r_in", "r_out")
    r_in: Quantity
    r_out: Quantity

    def __init__(self, positions: SkyCoord, r_in: Quantity, r_out: Quantity) -> None:
        super().__init__(positions)
        self.r_in = r_in
        self.r_out = r_out

    def to_pixel(self, wcs: Any) -> CircularAnnulus:
        """Make the ring on an image; see `SkyCircularAperture.to_pixel`."""
        return CircularAnnulus(*self._in_pixels(wcs))
