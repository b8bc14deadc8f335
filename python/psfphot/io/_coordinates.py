"""From pixels to the sky and back, for WCSs of FITS headers and of gwcs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from astropy import units as u
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area, proj_plane_pixel_scales

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from numpy.typing import NDArray

    from psfphot.io._gwcs import GeneralizedWCS

    Values = NDArray[np.float64]
    SkyMap: TypeAlias = WCS | GeneralizedWCS

#: Farther than this many pixels from where it should be, a source's position
#: on the image is none: distortions are polynomials and true nowhere else.
_LARGEST_MISS = 0.5


class SkyErrors(NamedTuple):
    """1-sigma errors along right ascension (a great circle's) and declination."""

    ra: u.Quantity
    dec: u.Quantity


def to_sky(wcs: SkyMap, x: Any, y: Any) -> SkyCoord:
    """Turn pixels, counted from 0, into ICRS coordinates."""
    return wcs.pixel_to_world(x, y).icrs


def to_pixels(wcs: SkyMap, sky: SkyCoord) -> tuple[Values, Values]:
    """Turn sky coordinates into pixels; NaN where the WCS does not reach."""
    x, y = np.full(len(sky), np.nan), np.full(len(sky), np.nan)
    known = np.isfinite(sky.icrs.ra.deg) & np.isfinite(sky.icrs.dec.deg)
    if not known.any():
        return x, y
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if isinstance(wcs, WCS):
            frame = wcs.pixel_to_world(0.0, 0.0).frame
            native = sky[known].transform_to(frame).spherical
            degrees = [native.lon.deg, native.lat.deg]
            # Of distorted images the inverse is found by iteration, which need
            # not end where it should, far from the image.
            inside = wcs.all_world2pix(*degrees, 0, quiet=True)
        else:
            inside = wcs.world_to_pixel(sky[known])
        back = wcs.pixel_to_world(*inside)
        miss = back.separation(sky[known].transform_to(back.frame)).deg
        reached = miss <= _LARGEST_MISS * pixel_scale(wcs)
    x[known], y[known] = (np.where(reached, values, np.nan) for values in inside)
    return x, y


def pixel_scale(wcs: SkyMap) -> float:
    """Return the side of a pixel in degrees, about."""
    if isinstance(wcs, WCS):
        return float(np.mean(proj_plane_pixel_scales(wcs)))
    return float(np.sqrt(wcs.pixel_area.to_value(u.deg**2)))


def pixel_area(wcs: SkyMap) -> float:
    """Return the area of a pixel in steradians, in the image's middle."""
    if isinstance(wcs, WCS):
        return float((proj_plane_pixel_area(wcs) * u.deg**2).to_value(u.sr))
    return float(wcs.pixel_area.to_value(u.sr))


def sky_errors(wcs: SkyMap, x: Values, y: Values, x_err: Any, y_err: Any) -> SkyErrors:
    """Turn the errors of positions into those of coordinates.

    Parameters
    ----------
    wcs : `~astropy.wcs.WCS` or `~psfphot.io.GeneralizedWCS`
        The image's.
    x, y : 1D array
        Finite positions in pixels.
    x_err, y_err : 1D array
        Their 1-sigma errors in pixels, taken to be independent.

    Returns
    -------
    errors : `SkyErrors`
        In milliarcseconds, by the WCS's derivatives at each position.
    """
    along_x, along_y = (
        _difference(wcs, x, y, step) for step in ((0.5, 0.0), (0.0, 0.5))
    )
    variances = (
        (dx * x_err) ** 2 + (dy * y_err) ** 2
        for dx, dy in zip(along_x, along_y, strict=True)
    )
    return SkyErrors(*(u.Quantity(np.sqrt(v), u.mas) for v in variances))


def _difference(
    wcs: SkyMap, x: Values, y: Values, step: tuple[float, float]
) -> tuple[Values, Values]:
    """Return the difference over one pixel, (RA cos Dec, Dec) in mas."""
    first, last = (to_sky(wcs, x + s * step[0], y + s * step[1]) for s in (-1, 1))
    lon, lat = first.spherical_offsets_to(last)
    return lon.to_value(u.mas), lat.to_value(u.mas)
