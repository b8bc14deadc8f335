"""Catalogues of sources as starting values: read, and placed on an image."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.registry import IORegistryError
from astropy.table import QTable
from astropy.wcs.utils import proj_plane_pixel_scales

from psfphot._columns import find_column
from psfphot._validate import split_mask
from psfphot.io._catalogs import require_parquet
from psfphot.io._errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from psfphot.io._images import FitsImage

    Values = NDArray[np.float64]

#: Names of right ascension and declination, in lower case; the first pair that
#: is there counts.
_SKY_NAMES = (
    ("ra", "dec"),
    ("skycoord.ra", "skycoord.dec"),
    ("sky_centroid.ra", "sky_centroid.dec"),
    ("ra_icrs", "de_icrs"),
    ("raj2000", "dej2000"),
    ("_raj2000", "_dej2000"),
    ("ra_deg", "dec_deg"),
    ("alpha_j2000", "delta_j2000"),
)

#: Farther than this many pixels from where it should be, a source's position
#: on the image is none: distortions are polynomials and true nowhere else.
_LARGEST_MISS = 0.5


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


def read_sources(path: Path) -> QTable:
    """Read a catalogue in any format that astropy recognises by its name.

    Parameters
    ----------
    path : `~pathlib.Path`
        ECSV, FITS, CSV, VOTable, Parquet, ...

    Returns
    -------
    sources : `~astropy.table.QTable`

    Raises
    ------
    OSError
        If the file cannot be read.
    FileFormatError
        If it is no table, or has no row.
    MissingPackageError
        If it is Parquet and pyarrow or pandas is not installed.
    """
    if path.is_dir():
        msg = f"{path}: is a directory; give a catalogue"
        raise IsADirectoryError(msg)
    if not path.exists():
        msg = f"{path}: there is no such file"
        raise FileNotFoundError(msg)
    if path.suffix.lower() == ".parquet":
        require_parquet(path, reading=True)
    try:
        with warnings.catch_warnings():
            # Units and meta that bend a standard do not concern positions.
            warnings.simplefilter("ignore")
            table = QTable.read(path, **_reader(path))
    except (OSError, ValueError, TypeError, KeyError, IORegistryError) as exc:
        reason = str(exc).strip().partition("\n")[0]
        msg = f"{path}: is no table that astropy can read: {reason}"
        raise FileFormatError(msg) from exc
    if len(table) == 0:
        msg = f"{path}: the catalogue has no rows"
        raise FileFormatError(msg)
    return table


def start_column(sources: QTable, parameter: str) -> str | None:
    """Find the column that starts x, y or flux; what was fitted counts first.

    A table with starting values and results is one of results.
    """
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
        takes (``x``, ``x_fit``, ``x_centroid``, ...), counted from 0, or sky
        coordinates: a `~astropy.coordinates.SkyCoord` column, or columns of
        right ascension and declination (``ra``, ``RA_ICRS``, ``skycoord.ra``,
        ...), ICRS, in degrees unless they say otherwise.
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
    sky = _sky_columns(sources) if coordinates != "pixel" else ()
    pixel = [start_column(sources, axis) for axis in ("x", "y")]
    if sky and image.wcs is not None:
        columns = " and ".join(sky)
        x, y = _to_pixels(_sky_of(sources, sky, f"{name}: {columns}"), image.wcs)
        return PlacedSources(x, y, columns)
    if None not in pixel and coordinates != "sky":
        x, y = (_numbers(sources[column], f"{name}: {column}") for column in pixel)
        return PlacedSources(x, y, f"{pixel[0]} and {pixel[1]} (pixels)")
    wanted = {"sky": "no ra and dec", "pixel": "no x and y"}
    if sky:
        msg = f"{image.name}: has no WCS to place {name}'s {' and '.join(sky)}"
    else:
        lacks = wanted.get(coordinates, "neither x and y nor ra and dec")
        msg = f"{name}: has {lacks}; it has {_names(sources)}"
    raise FileFormatError(msg)


def _reader(path: Path) -> dict[str, Any]:
    # What astropy cannot tell from the name.
    text = {
        ".ecsv": "ascii.ecsv",
        ".csv": "ascii.csv",
        ".txt": "ascii",
        ".dat": "ascii",
    }
    format_name = text.get(path.suffix.lower())
    return {} if format_name is None else {"format": format_name}


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
    for column in columns:
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


def _to_pixels(sky: SkyCoord, wcs: WCS) -> tuple[Values, Values]:
    """Turn sky coordinates into pixels; NaN where the WCS does not reach."""
    x, y = np.full(len(sky), np.nan), np.full(len(sky), np.nan)
    known = np.isfinite(sky.icrs.ra.deg) & np.isfinite(sky.icrs.dec.deg)
    if not known.any():
        return x, y
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        frame = wcs.pixel_to_world(0.0, 0.0).frame
        native = sky[known].transform_to(frame).spherical
        degrees = [native.lon.deg, native.lat.deg]
        # Of distorted images the inverse is found by iteration, which need not
        # end where it should, far from the image.
        inside = wcs.all_world2pix(*degrees, 0, quiet=True)
        back = wcs.pixel_to_world(*inside)
        miss = back.separation(sky[known].transform_to(frame)).deg
        scale = np.mean(proj_plane_pixel_scales(wcs))
        reached = miss <= _LARGEST_MISS * scale
    x[known], y[known] = (np.where(reached, values, np.nan) for values in inside)
    return x, y
