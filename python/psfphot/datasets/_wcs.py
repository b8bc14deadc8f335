"""World coordinate systems for simulated images."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import coordinates
from astropy import units as u
from astropy.modeling import models
from astropy.wcs import WCS

from psfphot._deprecated import by_keyword

# The sky at the image's centre, and how its pixels lie there, degrees.
_RA_DEC = (197.8925, -1.36555556)
_PIXEL = 0.1 / 3600
_ANGLE = 60.0


def _matrix() -> Any:
    """Make the derivatives of the sky's coordinates by the pixel's."""
    cos, sin = np.cos(np.deg2rad(_ANGLE)), np.sin(np.deg2rad(_ANGLE))
    return _PIXEL * np.array([[-cos, sin], [sin, cos]])


@by_keyword
def make_wcs(shape: tuple[int, int], galactic: bool = False) -> WCS:
    """Make a gnomonic WCS of pixels of 0.1 arcsec, turned by 60 degrees.

    Parameters
    ----------
    shape : (ny, nx)
        The shape of the image.
    galactic : bool, optional
        Whether it is in galactic coordinates, not ICRS.

    Returns
    -------
    `~astropy.wcs.WCS`
        The WCS, that of photutils.

    Examples
    --------
    >>> from psfphot.datasets import make_wcs
    >>> print(make_wcs((100, 100)).pixel_to_world(42, 57).to_string(precision=5))
    197.89279 -1.36561
    """
    ny, nx = shape
    wcs = WCS(naxis=2)
    wcs.pixel_shape = (nx, ny)
    wcs.wcs.crpix = [nx / 2, ny / 2]
    wcs.wcs.crval = _RA_DEC
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.cd = _matrix()
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"] if galactic else ["RA---TAN", "DEC--TAN"]
    if not galactic:
        wcs.wcs.radesys = "ICRS"
    return wcs


@by_keyword
def make_gwcs(shape: tuple[int, int], galactic: bool = False) -> Any:
    """Make the WCS of `make_wcs` as a ``gwcs.wcs.WCS``; needs gwcs.

    Parameters
    ----------
    shape : (ny, nx)
        The shape of the image.
    galactic : bool, optional
        Whether it is in galactic coordinates, not ICRS.

    Returns
    -------
    ``gwcs.wcs.WCS``
        The WCS.
    """
    from gwcs import coordinate_frames, wcs  # noqa: PLC0415  (optional)

    ny, nx = shape
    matrix = _matrix()
    linear = models.AffineTransformation2D(matrix, translation=[0, 0])
    linear.inverse = models.AffineTransformation2D(
        np.linalg.inv(matrix), translation=[0, 0]
    )
    # gwcs counts pixels from 0, FITS from 1.
    centred = models.Shift(1 - nx / 2) & models.Shift(1 - ny / 2)
    sky = models.RotateNative2Celestial(*_RA_DEC, 180.0)
    transform = centred | linear | models.Pix2Sky_TAN() | sky
    transform.name = "linear_transform"
    detector = coordinate_frames.Frame2D(
        name="detector", axes_names=("x", "y"), unit=(u.pix, u.pix)
    )
    frame = coordinates.Galactic() if galactic else coordinates.ICRS()
    celestial = coordinate_frames.CelestialFrame(
        reference_frame=frame, name=frame.name, unit=(u.deg, u.deg)
    )
    return wcs.WCS([(detector, transform), (celestial, None)])
