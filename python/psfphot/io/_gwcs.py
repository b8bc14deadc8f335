"""Coordinates as JWST's and Roman's pipelines keep them: gwcs in ASDF."""

from __future__ import annotations

import io
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.utils.exceptions import AstropyUserWarning

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

#: What reads it, and how to install that.
GWCS_PACKAGES = ("asdf", "asdf_astropy", "gwcs")
INSTALL = "pip install 'psfphot[jwst]'"

#: Newton's iterations. On a JWST-like distortion of degree 5 four leave 9e-9 px.
_ITERATIONS = 8

#: The last step in pixels: what is left after it is far smaller.
_SMALL_STEP = 1e-6

#: Half of the step of the derivatives, in pixels.
_STEP = 0.5

#: How far, in pixels, the header's approximation may be off; 0.14 in a real file
#: (SIPMXERR). Farther off, the image is a cutout, by whole pixels.
_SIP_ERROR = 0.5


class GeneralizedWCS:
    """A gwcs with the part of astropy's high-level interface that images need.

    Unlike gwcs itself it knows positions off the image, where gwcs gives NaN,
    and its inverse is Newton's on the forward transform: the polynomials that
    files have for it are off by up to 0.1 pixels.

    Parameters
    ----------
    gwcs : `~gwcs.wcs.WCS`
        From detector pixels, counted from 0, to a celestial frame.
    shape : tuple of int
        The image's (ny, nx).
    offset : tuple of float, optional
        (x, y) of the image's first pixel on what ``gwcs`` is of.

    Attributes
    ----------
    shape, offset
        As given.
    """

    def __init__(
        self, gwcs: Any, shape: tuple[int, int], offset: tuple[float, float] = (0, 0)
    ) -> None:
        self._gwcs = gwcs
        self._frame = gwcs.output_frame.reference_frame
        self.shape, self.offset = shape, offset

    def pixel_to_world(self, x: Any, y: Any) -> SkyCoord:
        """Turn pixels, counted from 0, into coordinates in the WCS's frame."""
        at = (
            np.asarray(v, dtype=float) + o
            for v, o in zip((x, y), self.offset, strict=True)
        )
        lon, lat = self._gwcs(*at, with_bounding_box=False)
        degrees = (u.Quantity(value, u.deg) for value in (lon, lat))
        return SkyCoord(*degrees, frame=self._frame)

    def world_to_pixel(self, sky: SkyCoord) -> tuple[Values, Values]:
        """Turn coordinates, in any frame, into pixels.

        It may end anywhere where the distortion cannot be inverted: transform
        back and compare.
        """
        sky = sky.transform_to(self._frame)
        origin = self.pixel_to_world(*self._middle)
        target = np.array(_plane(origin, sky))
        xy = np.zeros_like(target) + self._middle.reshape(2, *[1] * (target.ndim - 1))
        for _ in range(_ITERATIONS):
            miss = target - self._at(origin, xy)
            if not np.nanmax(np.abs(miss), initial=0) > 0:
                break
            dx, dy = (self._derivative(origin, xy, axis) for axis in (0, 1))
            det = dx[0] * dy[1] - dx[1] * dy[0]
            move = (
                miss[0] * dy[1] - miss[1] * dy[0],
                dx[0] * miss[1] - dx[1] * miss[0],
            )
            step = np.array(move) / det
            xy = xy + step
            if np.nanmax(np.abs(step), initial=0) < _SMALL_STEP:
                break
        return xy[0], xy[1]

    @property
    def pixel_area(self) -> u.Quantity:
        """The area of the pixel in the image's middle."""
        origin = self.pixel_to_world(*self._middle)
        dx, dy = (self._derivative(origin, self._middle, axis) for axis in (0, 1))
        return abs(dx[0] * dy[1] - dx[1] * dy[0]) * u.arcsec**2

    @property
    def _middle(self) -> Values:
        ny, nx = self.shape
        return np.array([(nx - 1) / 2, (ny - 1) / 2])

    def _at(self, origin: SkyCoord, xy: Values) -> Values:
        return np.array(_plane(origin, self.pixel_to_world(*xy)))

    def _derivative(self, origin: SkyCoord, xy: Values, axis: int) -> Values:
        step = np.zeros_like(xy)
        step[axis] = _STEP
        return self._at(origin, xy + step) - self._at(origin, xy - step)

    def __repr__(self) -> str:
        name = self._gwcs.name or "gwcs"
        return f"<GeneralizedWCS({name}, {self._frame.name}, offset={self.offset})>"


def has_gwcs() -> bool:
    """Tell whether the packages that read gwcs are installed."""
    return all(find_spec(package) is not None for package in GWCS_PACKAGES)


def open_asdf(source: Any) -> Any:
    """Open an ASDF file without the data models that its tags name."""
    import asdf  # noqa: PLC0415  (seconds, and optional)

    with warnings.catch_warnings():
        # Nodes that the data models' packages would make stay plain dictionaries;
        # what is used of them is looked at.
        warnings.simplefilter("ignore")
        return asdf.open(source, lazy_load=False, memmap=False)


def wcs_of_extension(hdus: fits.HDUList) -> Any:
    """Read ``meta.wcs`` of a file's ASDF extension.

    Returns
    -------
    gwcs : `~gwcs.wcs.WCS` or `None`
        `None` where there is none.
    """
    if "ASDF" not in hdus or hdus["ASDF"].is_image:
        return None
    names = hdus["ASDF"].columns.names
    if "ASDF_METADATA" not in names:
        return None
    content = hdus["ASDF"].data["ASDF_METADATA"][0].tobytes()
    with open_asdf(io.BytesIO(content)) as file:
        return file.tree.get("meta", {}).get("wcs")


def place_gwcs(
    gwcs: Any, shape: tuple[int, int], approximate: WCS | None
) -> GeneralizedWCS | None:
    """Find which part of a gwcs an image is, by its header's approximation.

    Cutouts keep the gwcs of the whole detector; their header's CRPIX moves.

    Parameters
    ----------
    gwcs : `~gwcs.wcs.WCS`
        The file's.
    shape : tuple of int
        The image's (ny, nx).
    approximate : `~astropy.wcs.WCS` or `None`
        Of the image's header.

    Returns
    -------
    wcs : `GeneralizedWCS` or `None`
        `None` where the two do not agree, whatever the shift.
    """
    whole = GeneralizedWCS(gwcs, shape)
    if approximate is None:
        return whole
    ny, nx = shape
    x, y = np.array([(0, 0), (nx - 1, 0), (0, ny - 1), (nx - 1, ny - 1)], dtype=float).T
    there = whole.world_to_pixel(approximate.pixel_to_world(x, y))
    shifts = np.array([there[0] - x, there[1] - y])
    median = np.median(shifts, axis=1)
    offset = np.rint(median) if np.isfinite(median).all() else median
    # (NaN is not close)
    if not np.all(np.abs(shifts - offset[:, None]) < _SIP_ERROR):
        return None
    return GeneralizedWCS(gwcs, shape, (float(offset[0]), float(offset[1])))


def warn_of_approximation(name: str, why: str) -> None:
    """Say that RA and Dec are those of the header's approximation."""
    warnings.warn(
        f"{name}: RA and Dec are from the header's SIP approximation, {why}",
        AstropyUserWarning,
        stacklevel=4,
    )


def _plane(origin: SkyCoord, sky: SkyCoord) -> tuple[Values, Values]:
    """Project onto the plane that touches the sky at the origin, in arcseconds."""
    # Gnomonic: also for positions 90 degrees away, where it is infinite.
    lon, lat = sky.spherical.lon.rad, sky.spherical.lat.rad
    lon_0, lat_0 = origin.spherical.lon.rad, origin.spherical.lat.rad
    cos = np.sin(lat_0) * np.sin(lat) + np.cos(lat_0) * np.cos(lat) * np.cos(
        lon - lon_0
    )
    cos = np.where(cos > 0, cos, np.nan)
    xi = np.cos(lat) * np.sin(lon - lon_0) / cos
    eta = (
        np.cos(lat_0) * np.sin(lat) - np.sin(lat_0) * np.cos(lat) * np.cos(lon - lon_0)
    ) / cos
    scale = np.degrees(1) * 3600
    return xi * scale, eta * scale
