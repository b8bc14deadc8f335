"""Magnitudes, where a file says what its fluxes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from psfphot._validate import check_instance, check_table, finite_or_none
from psfphot.io._area import COUNTS
from psfphot.io._coordinates import pixel_area

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.table import Table

    from psfphot.io._fits_image import FitsImage

#: Of magnitudes per relative flux.
_POGSON = 2.5 / np.log(10)


@dataclass(frozen=True)
class ZeroPoint:
    """What makes magnitudes of fluxes.

    Attributes
    ----------
    value : float or `None`
        The magnitude of a flux of 1 in the image's unit; `None` where it is
        not known.
    system : str
        ``"AB"``, or ``"given"`` for a zero point that was typed.
    source : str
        What it is from, or why there is none, for people.
    """

    value: float | None
    system: str
    source: str


def find_zero_point(image: FitsImage, given: float | None = None) -> ZeroPoint:
    """Tell the magnitude of a flux of 1 in the image's unit.

    Parameters
    ----------
    image : `~psfphot.io.FitsImage`
        The image. AB magnitudes (Oke & Gunn 1983, ApJ 266, 713; 3631 Jy is 0)
        are known for flux densities (Jy), for surface brightnesses (MJy/sr)
        times the area of a pixel (PIXAR_SR, PIXAR_A2, or from the WCS), for
        counts, or counts per second, with PHOTFLAM and PHOTPLAM, as HST's
        pipelines write them, and for counts per second with PHOTMJSR and
        PIXAR_SR (Roman). They are of images whose pixels' areas are equal, or
        whose fluxes are corrected for them (`correct_pixel_area`).
    given : float, optional
        The zero point; counts before the header.

    Returns
    -------
    zero_point : `ZeroPoint`
    """
    if given is not None:
        return ZeroPoint(float(given), "given", f"zero point {given:g} as given")
    if image.unit is None:
        return _unknown("the image has no unit")
    found = _of_flux_density(image.unit)
    for make in (_of_surface_brightness, _of_counts):
        found = found or make(image, image.unit)
    return found or _unknown(f"{image.unit} is no flux density by this header")


def add_magnitudes(catalog: Table, zero_point: ZeroPoint) -> None:
    """Add columns ``mag`` and ``mag_err`` after ``flux_err``.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        With ``flux_fit`` and ``flux_err`` in the image's unit; changed in
        place. Fluxes that are not positive have NaN.
    zero_point : `ZeroPoint`
        Its value must be known.

    Raises
    ------
    TypeError, ValueError
        If the catalogue is no table, or lacks those columns.
    """
    check_table(catalog, "catalog", "flux_fit", "flux_err")
    check_instance(zero_point, ZeroPoint, "zero_point")
    flux, error = (
        np.array(getattr(catalog[name], "value", catalog[name]), dtype=float)
        for name in ("flux_fit", "flux_err")
    )
    flux[~(flux > 0)] = np.nan
    values = {
        "mag": -2.5 * np.log10(flux) + float(zero_point.value or 0.0),
        "mag_err": _POGSON * error / flux,
    }
    where = catalog.colnames.index("flux_err") + 1
    catalog.add_columns(
        [u.Quantity(column, u.mag) for column in values.values()],
        indexes=[where, where],
        names=list(values),
    )
    said = f"{zero_point.system} magnitude, {zero_point.source}"
    catalog["mag"].info.description = said
    catalog["mag_err"].info.description = "1-sigma error, to first order"
    catalog.meta |= {
        "mag_system": zero_point.system,
        "mag_zero_point": zero_point.value,
        "mag_source": zero_point.source,
    }


def _unknown(why: str) -> ZeroPoint:
    return ZeroPoint(None, "", why)


def _ab(jansky: Any, source: str) -> ZeroPoint:
    # 3631 Jy, as astropy has it: -2.5 log10(f / (erg/s/cm2/Hz)) - 48.6.
    with np.errstate(all="ignore"):
        value = float(u.Quantity(jansky, u.Jy).to_value(u.ABmag))
    if not np.isfinite(value):
        return _unknown(f"{source} give no finite magnitude")
    return ZeroPoint(value, "AB", source)


def _of_flux_density(own: u.UnitBase) -> ZeroPoint | None:
    for unit in (u.Jy, u.Jy / u.pix):
        if own.is_equivalent(unit):
            return _ab(own.to(unit), f"{own} a pixel")
    return None


def _of_surface_brightness(image: FitsImage, own: u.UnitBase) -> ZeroPoint | None:
    if not own.is_equivalent(u.Jy / u.sr):
        return None
    area, source = _pixel_area(image)
    if area is None:
        return _unknown(f"the area of a pixel is not known ({own}, no WCS)")
    jansky = own.to(u.Jy / u.sr) * area
    return _ab(jansky, f"{own} and pixels of {area:.4g} sr ({source})")


def _pixel_area(image: FitsImage) -> tuple[float | None, str]:
    """Return the area of a pixel in steradians, and what says so."""
    for key, unit in (("PIXAR_SR", u.sr), ("PIXAR_A2", u.arcsec**2)):
        area = _positive(image.keyword(key))
        if area is not None:
            return float(unit.to(u.sr, area)), key
    if image.wcs is None:
        return None, ""
    return pixel_area(image.wcs), "WCS"


def _of_counts(image: FitsImage, own: u.UnitBase) -> ZeroPoint | None:
    brightness = _of_rates(image, own)
    if brightness is not None:
        return brightness
    flam, pivot = (_positive(image.keyword(key)) for key in ("PHOTFLAM", "PHOTPLAM"))
    if flam is None or pivot is None:
        return None
    rate = _scale(own, [count / u.s for count in COUNTS])
    total = _scale(own, COUNTS)
    seconds = 1.0 if rate else _positive(image.keyword("EXPTIME"))
    scale = rate or total
    if seconds is None or scale is None:
        return None
    source = "PHOTFLAM and PHOTPLAM" + ("" if rate else f", EXPTIME {seconds:g} s")
    # What a header gives may be beyond the range of floats.
    with np.errstate(all="ignore"):
        jansky = u.Quantity(flam, "erg s-1 cm-2 AA-1").to(
            u.Jy, u.spectral_density(pivot * u.AA)
        )
        return _ab(jansky * scale / seconds, source)


def _of_rates(image: FitsImage, own: u.UnitBase) -> ZeroPoint | None:
    """Tell what rates are where the header says what they are in MJy/sr (Roman)."""
    scale = _scale(own, [count / u.s for count in COUNTS])
    factor, area = (_positive(image.keyword(key)) for key in ("PHOTMJSR", "PIXAR_SR"))
    if scale is None or factor is None or area is None:
        return None
    source = f"{own}, PHOTMJSR {factor:.4g} and pixels of {area:.4g} sr"
    return _ab(u.Quantity(scale * factor * area, u.MJy), source)


def _scale(unit: u.UnitBase, wanted: Sequence[u.UnitBase]) -> float | None:
    """Return the factor to the first unit that it can be turned into."""
    for other in wanted:
        if unit.is_equivalent(other):
            return float(unit.to(other))
    return None


def _positive(value: Any) -> float | None:
    number = finite_or_none(value)
    return number if number is not None and number > 0 else None
