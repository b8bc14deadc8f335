"""Catalogues and region files."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._files import file_suffix, replacing
from psfphot.io._errors import MissingPackageError

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.wcs import WCS

CATALOG_SUFFIXES = (".ecsv", ".fits", ".fits.gz", ".parquet")


def add_sky_coordinates(catalog: Table, wcs: WCS) -> None:
    """Add columns ``ra`` and ``dec``: ICRS, degrees, whatever the WCS's frame.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        With ``x_fit`` and ``y_fit``, which count from 0; changed in place.
        The new columns follow ``y_fit``.
    wcs : `~astropy.wcs.WCS`
        Celestial coordinates.
    """
    x, y = (np.asarray(catalog[name], dtype=float) for name in ("x_fit", "y_fit"))
    known = np.isfinite(x) & np.isfinite(y)
    ra, dec = np.full(len(x), np.nan), np.full(len(x), np.nan)
    if known.any():
        sky = wcs.pixel_to_world(x[known], y[known]).icrs
        ra[known], dec[known] = sky.ra.deg, sky.dec.deg
    where = catalog.colnames.index("y_fit") + 1
    values = [u.Quantity(ra, u.deg), u.Quantity(dec, u.deg)]
    catalog.add_columns(values, indexes=[where, where], names=["ra", "dec"])
    for name in ("ra", "dec"):
        catalog[name].info.description = "ICRS"


def write_catalog(path: Path, catalog: Table) -> None:
    """Write a catalogue, as ECSV, FITS or Parquet by the file's extension.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; replaced if it is there.
    catalog : `~astropy.table.Table`
        The catalogue. ECSV and Parquet keep its ``meta`` as it is; FITS as
        COMMENT cards ``key = value``, since most keys are no FITS keywords.

    Raises
    ------
    OSError
        If the file cannot be written.
    MissingPackageError
        If it is to be Parquet and pyarrow is not installed.
    """
    suffix = file_suffix(path)
    # Columns with a unit, not quantities: any reader of ECSV knows those.
    table = Table(catalog, copy=False)
    table.meta = {key: _plain(value) for key, value in catalog.meta.items()}
    with replacing(path) as part:
        if suffix == ".parquet":
            require_parquet(path)
            table.write(part, format="parquet", overwrite=True)
        elif suffix != ".ecsv":
            lines = [f"{key} = {_one_line(value)}" for key, value in table.meta.items()]
            table.meta.clear()
            table.meta["comments"] = lines
            _to_hdu(table).writeto(part, overwrite=True)
        else:
            table.write(part, format="ascii.ecsv", overwrite=True)


def require_parquet(path: Path, *, reading: bool = False) -> None:
    """Fail if a Parquet file is wanted that astropy cannot write or read.

    Raises
    ------
    MissingPackageError
        If a package is not installed; the message says what to install.
    """
    for package in ("pyarrow", "pandas") if reading else ("pyarrow",):
        if find_spec(package) is None:
            msg = f"{path}: Parquet needs {package}: pip install 'psfphot[parquet]'"
            raise MissingPackageError(msg)


def write_regions(path: Path, catalog: Table, *, radius: float) -> None:
    """Write the fitted positions as circles in a DS9 region file.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; replaced if it is there.
    catalog : `~astropy.table.Table`
        With ``id``, ``x_fit``, ``y_fit`` and ``flags``. Sources with a flag
        are red, others green; those without a position are left out.
    radius : float
        The circles' radius in pixels.
    """
    lines = [
        "# Region file format: DS9 version 4.1",
        "global color=green width=1 select=1 fixed=0",
        "image",
    ]
    columns = (catalog[name] for name in ("x_fit", "y_fit", "flags"))
    for x, y, flags in zip(*(np.asarray(column) for column in columns), strict=True):
        if np.isfinite(x) and np.isfinite(y):
            look = f" # color=red tag={{flags {flags}}}" if flags else ""
            # The centre of the first pixel is (1, 1) to DS9, (0, 0) to us.
            lines.append(f"circle({x + 1:.3f},{y + 1:.3f},{radius:.2f}){look}")
    with replacing(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _to_hdu(table: Table) -> fits.BinTableHDU:
    """Make a FITS table that keeps units outside the FITS standard, as DN."""
    with warnings.catch_warnings():
        # astropy warns of such units and leaves them out.
        warnings.simplefilter("ignore", AstropyUserWarning)
        hdu = fits.table_to_hdu(table)
        for column, name in zip(hdu.columns, table.colnames, strict=True):
            if table[name].unit is not None:
                column.unit = column.unit or table[name].unit.to_string()
    return hdu


def _plain(value: Any) -> Any:
    """Return what YAML can hold and any reader can read back."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())
