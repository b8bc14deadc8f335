"""Catalogues of sources as starting values, placed on an image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord

from psfphot._columns import find_column
from psfphot._validate import check_instance, check_table, split_mask
from psfphot.io._coordinates import to_pixels
from psfphot.io._errors import FileFormatError
from psfphot.io._fits_image import FitsImage

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

#: Names of right ascension and declination, in lower case; the first pair that
#: is there counts.
_SKY_NAMES = (
    ("ra", "dec"),
    ("skycoord.ra", "skycoord.dec"),
    ("sky_centroid.ra", "sky_centroid.dec"),
    ("ra_icrs", "de_icrs"),
    ("alphapsf_j2000", "deltapsf_j2000"),
    ("alphawin_j2000", "deltawin_j2000"),
    ("raj2000", "dej2000"),
    ("_raj2000", "_dej2000"),
    ("ra_deg", "dec_deg"),
    ("alpha_j2000", "delta_j2000"),
)

#: Columns of SExtractor and of DAOPHOT, which count pixels from 1; the first pair
#: that is there counts.
_FROM_ONE = (
    ("XPSF_IMAGE", "YPSF_IMAGE"),
    ("XWIN_IMAGE", "YWIN_IMAGE"),
    ("X_IMAGE", "Y_IMAGE"),
    ("XPEAK_IMAGE", "YPEAK_IMAGE"),
    ("XCENTER", "YCENTER"),
    ("XINIT", "YINIT"),
)

#: Text that is an angle in more than one number: 05:35:17.3, 5h35m17.3s.
_SEXAGESIMAL = re.compile(r"[+-]?\d+\s*[:hd° ]\s*\d.*")


@dataclass(frozen=True)
class PlacedSources:
    """The sources of a catalogue in the pixels of an image.

    Attributes
    ----------
    x, y : 1D float array
        Positions in pixels, from 0; NaN where there is none on the image's
        side of the sky.
    source : str
        Which columns they are from, for people.
    """

    x: Values
    y: Values
    source: str


def start_column(sources: QTable, parameter: str) -> str | None:
    """Find the column that starts x, y or flux; what was fitted counts first.

    A table with starting values and results is one of results.
    """
    check_table(sources, "sources")
    fitted = f"{parameter}_fit"
    names = sources.colnames
    return fitted if fitted in names else find_column(names, parameter)


def place_sources(
    sources: QTable, image: FitsImage, *, coordinates: str = "auto", name: str
) -> PlacedSources:
    """Find where on an image the sources of a catalogue are.

    Parameters
    ----------
    sources : `~astropy.table.QTable`
        With pixel columns, under any name that `psfphot.psf.PSFPhotometry`
        takes (``x``, ``x_fit``, ``x_centroid``, ...), counted from 0, or those of
        SExtractor (``X_IMAGE``, ...) and DAOPHOT (``XCENTER``), counted from 1;
        or sky coordinates: a `~astropy.coordinates.SkyCoord` column, or columns of
        right ascension and declination (``ra``, ``RA_ICRS``, ``skycoord.ra``,
        ``ALPHA_J2000``, ...), ICRS, in degrees unless they say otherwise; text
        with sexagesimal right ascensions is in hours.
    image : `~psfphot.io.FitsImage`
        The image.
    coordinates : {"auto", "sky", "pixel"}, optional
        Which to take. "auto" takes sky coordinates where the catalogue has
        them and the image a WCS: they are true of any image, pixels of one.
    name : str
        The catalogue, for messages.

    Returns
    -------
    placed : `PlacedSources`

    Raises
    ------
    FileFormatError
        If the columns, or the image's WCS, are missing.
    """
    check_table(sources, "sources")
    check_instance(image, FitsImage, "image")
    sky = _sky_columns(sources) if coordinates != "pixel" else ()
    pixel = [start_column(sources, axis) for axis in ("x", "y")]
    if sky and image.wcs is not None:
        columns = " and ".join(sky)
        x, y = to_pixels(image.wcs, _sky_of(sources, sky, f"{name}: {columns}"))
        return PlacedSources(x, y, columns)
    if None not in pixel and coordinates != "sky":
        x, y = (_numbers(sources[column], f"{name}: {column}") for column in pixel)
        return PlacedSources(x, y, f"{pixel[0]} and {pixel[1]} (pixels)")
    from_one = next((p for p in _FROM_ONE if {*p} <= {*sources.colnames}), None)
    if from_one is not None and coordinates != "sky":
        x, y = (_numbers(sources[c], f"{name}: {c}") - 1 for c in from_one)
        return PlacedSources(x, y, f"{from_one[0]} and {from_one[1]} (pixels from 1)")
    wanted = {"sky": "no ra and dec", "pixel": "no x and y"}
    if sky:
        msg = f"{image.name}: has no WCS to place {name}'s {' and '.join(sky)}"
    else:
        lacks = wanted.get(coordinates, "neither x and y nor ra and dec")
        msg = (
            f"{name}: has {lacks}; it has {_names(sources)} (rename the columns of "
            "pixels to x and y if they count from 0, X_IMAGE and Y_IMAGE if from 1)"
        )
    raise FileFormatError(msg)


def _names(sources: QTable) -> str:
    names = sources.colnames
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")  # noqa: PLR2004


def _sky_columns(sources: QTable) -> tuple[str, ...]:
    """Name the column, or the two, of sky coordinates; none if there are none."""
    for column in sources.colnames:
        if isinstance(sources[column], SkyCoord):
            return (column,)
    lower = {column.lower(): column for column in reversed(sources.colnames)}
    for pair in _SKY_NAMES:
        if all(column in lower for column in pair):
            return tuple(lower[column] for column in pair)
    return ()


def _sky_of(sources: QTable, columns: tuple[str, ...], what: str) -> SkyCoord:
    if len(columns) == 1:
        return sources[columns[0]]
    angles = []
    for axis, column in enumerate(columns):
        if np.asarray(sources[column]).dtype.kind in "SU":
            angles.append(_parsed(sources[column], what, hours=axis == 0))
            continue
        unit = getattr(sources[column], "unit", None) or u.deg
        if not unit.is_equivalent(u.deg):
            msg = f"{what} must be angles, got the unit {unit}"
            raise FileFormatError(msg)
        values = _numbers(sources[column], what)
        angles.append(u.Quantity(values, unit).to_value(u.deg))
    if np.any(np.abs(angles[1]) > 90):  # noqa: PLR2004
        msg = f"{what}: a declination is beyond 90 degrees"
        raise FileFormatError(msg)
    return SkyCoord(*angles, unit=u.deg)


def _parsed(column: Any, what: str, *, hours: bool) -> Values:
    """Read text as angles in degrees; masked and empty text is NaN."""
    mask = np.asarray(getattr(column, "mask", np.zeros(len(column), dtype=bool)))
    words = ["" if off else str(v).strip() for v, off in zip(column, mask, strict=True)]
    known = np.array([word.lower() not in {"", "nan", "--"} for word in words])
    used = [word for word, here in zip(words, known, strict=True) if here]
    # Degrees in one number, as text, are degrees in both columns.
    sexagesimal = any(_SEXAGESIMAL.fullmatch(word) for word in used)
    unit = u.hourangle if hours and sexagesimal else u.deg
    degrees = np.full(len(words), np.nan)
    try:
        degrees[known] = Angle(used, unit=unit).deg
    except (ValueError, u.UnitsError) as exc:
        msg = f"{what} must be angles: {str(exc).partition(chr(10))[0]}"
        raise FileFormatError(msg) from exc
    return degrees


def _numbers(column: Any, what: str) -> Values:
    """Strip the unit and the mask; masked values become NaN."""
    values, mask = split_mask(column)
    array = np.asarray(getattr(values, "value", values))
    if array.dtype.kind not in "fiu" or array.ndim != 1:
        msg = f"{what} must be columns of numbers, got {array.dtype}, {array.ndim}D"
        raise FileFormatError(msg)
    numbers = array.astype(float)
    if mask is not None:
        numbers[mask] = np.nan
    return numbers
