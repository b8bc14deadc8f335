"""The area of pixels, where distortion makes it differ over an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.wcs import WCS

from psfphot._validate import check_instance, check_table, finite_or_none
from psfphot.io._fits import read_plane
from psfphot.io._planes import refuse_plane, shape_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from astropy.table import Table
    from numpy.typing import NDArray

    from psfphot.io._detector import Detector
    from psfphot.io._planes import Owner

#: What a detector counts.
COUNTS = (u.electron, u.count, u.DN, u.adu)

#: Columns of a catalogue that are fluxes of stars.
_FLUXES = ("flux_init", "flux_fit", "flux_err")


@dataclass(frozen=True)
class PixelArea:
    """The area of each pixel, relative to the one that the header's fluxes mean.

    Attributes
    ----------
    at : callable
        Gives the areas at positions x, y in pixels: 1D arrays.
    source : str
        What says so, for people.
    """

    at: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    source: str


def correct_pixel_area(catalog: Table, area: PixelArea) -> None:
    """Multiply fluxes and their errors by the area of each star's pixel.

    Flat-fielded images hold surface brightness: a star on a pixel that sees less
    sky looks brighter. The flux of a star is what was fitted times the pixel's
    relative area.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        With ``x_fit``, ``y_fit``, ``flux_fit`` and ``flux_err``; changed in
        place. A column ``pixel_area`` after ``flux_err`` holds the factors, NaN
        where a star has no position. ``local_bkg`` stays: it is of the pixels.
    area : `PixelArea`
        The areas.

    Raises
    ------
    TypeError, ValueError
        If the catalogue is no table, or lacks those columns.
    """
    check_table(catalog, "catalog", "x_fit", "y_fit", "flux_fit", "flux_err")
    check_instance(area, PixelArea, "area")
    x, y = (np.asarray(catalog[name], dtype=float) for name in ("x_fit", "y_fit"))
    known = np.isfinite(x) & np.isfinite(y)
    factor = np.full(len(catalog), np.nan)
    factor[known] = area.at(x[known], y[known])
    for name in _FLUXES:
        if name in catalog.colnames:
            catalog[name] = catalog[name] * factor
    where = catalog.colnames.index("flux_err") + 1
    catalog.add_column(factor, index=where, name="pixel_area")
    said = "the pixel's area, by which the fluxes were multiplied"
    catalog["pixel_area"].info.description = said
    catalog.meta["pixel_area"] = area.source


def find_pixel_area(
    owner: Owner, detector: Detector, wcs: Any, idcscale: Any
) -> PixelArea | None:
    """Find the pixels' relative areas, if fluxes must be multiplied by them.

    Parameters
    ----------
    owner : `~psfphot.io._planes.Owner`
        The image. The AREA extension (JWST) counts where its unit is a surface
        brightness or not known.
    detector : `~psfphot.io.Detector`
        For HST's distorted images in counts, the areas are the determinant of
        the SIP distortion times that of the CD matrix over IDCSCALE squared,
        which is what HST's pixel area maps hold.
    wcs : `~astropy.wcs.WCS` or `~psfphot.io.GeneralizedWCS` or `None`
        Its coordinates.
    idcscale : float or `None`
        The keyword IDCSCALE in arcsec, the side of the pixel that PHOTFLAM means.

    Returns
    -------
    area : `PixelArea` or `None`
    """
    found = owner.sibling("AREA")
    if found is not None and _is_brightness(owner.unit):
        plane = read_plane(found, f"{owner.name}'s AREA", owner.plane_of(found))
        problem = shape_problem(plane.shape, owner)
        if problem is None and not np.any(plane > 0):
            problem = "no value in it is above 0"
        if problem is None:
            return PixelArea(_PlaneArea(plane), "the AREA extension")
        refuse_plane(f"{owner.name}: the AREA extension", problem, asked=False)
        return None
    side = finite_or_none(idcscale)
    distorted = isinstance(wcs, WCS) and wcs.sip is not None
    hst = detector.telescope == "HST" and not detector.resampled
    if side is not None and side > 0 and distorted and hst and _is_counts(owner.unit):
        said = f"the distortion of the WCS, relative to IDCSCALE {side:g} arcsec"
        return PixelArea(_DistortionArea(wcs, side), said)
    return None


class _PlaneArea:
    """Areas in an image: that of the pixel that the star is on, or the nearest."""

    def __init__(self, plane: NDArray[Any]) -> None:
        self._plane = plane

    def __call__(self, x: Any, y: Any) -> NDArray[np.float64]:
        ny, nx = self._plane.shape
        column, row = (
            np.clip(np.rint(v), 0, n - 1).astype(int) for v, n in ((x, nx), (y, ny))
        )
        area = np.asarray(self._plane[row, column], dtype=float)
        return np.where(np.isfinite(area) & (area > 0), area, np.nan)


class _DistortionArea:
    """Areas by the derivatives of a SIP distortion."""

    def __init__(self, wcs: WCS, side: float) -> None:
        self._wcs = wcs
        linear = abs(np.linalg.det(wcs.pixel_scale_matrix))  # deg² a pixel
        self._linear = linear / (side / 3600) ** 2

    def __call__(self, x: Any, y: Any) -> NDArray[np.float64]:
        def derivative(dx: float, dy: float) -> list[Any]:
            last = self._wcs.sip_pix2foc(x + dx, y + dy, 0)
            first = self._wcs.sip_pix2foc(x - dx, y - dy, 0)
            return [b - a for a, b in zip(first, last, strict=True)]

        (xx, yx), (xy, yy) = derivative(0.5, 0.0), derivative(0.0, 0.5)
        return np.asarray(np.abs(xx * yy - xy * yx) * self._linear)


def _is_brightness(unit: u.UnitBase | None) -> bool:
    return unit is None or unit.is_equivalent(u.Jy / u.sr)


def _is_counts(unit: u.UnitBase | None) -> bool:
    return unit is None or any(
        unit.is_equivalent(count) or unit.is_equivalent(count / u.s) for count in COUNTS
    )
