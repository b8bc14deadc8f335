"""Catalogues and region files."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning

from psfphot._files import known_suffix, replacing
from psfphot._validate import as_positive, check_table
from psfphot.io._coordinates import sky_errors, to_sky
from psfphot.io._errors import MissingPackageError
from psfphot.io._fits import as_path
from psfphot.io._rounding import rounded

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from psfphot.io._coordinates import SkyMap

CATALOG_SUFFIXES = (".ecsv", ".fits", ".fits.gz", ".parquet", ".csv", ".vot", ".xml")


def add_sky_coordinates(catalog: Table, wcs: SkyMap) -> None:
    """Add columns ``ra`` and ``dec``: ICRS, degrees, whatever the WCS's frame.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        With ``x_fit`` and ``y_fit``, which count from 0; changed in place.
        The new columns follow ``y_fit``. Where it has ``x_err`` and ``y_err``,
        in pixels, ``ra_err`` and ``dec_err`` follow ``y_err``: milliarcseconds,
        the first along a great circle.
    wcs : `~astropy.wcs.WCS` or `GeneralizedWCS`
        Celestial coordinates.

    Raises
    ------
    TypeError, ValueError
        If the catalogue is no table, or lacks those columns; if the WCS is none.
    """
    check_table(catalog, "catalog", "x_fit", "y_fit")
    if not hasattr(wcs, "pixel_to_world"):
        msg = f"wcs must be a WCS, got {type(wcs).__name__}"
        raise TypeError(msg)
    x, y = (np.asarray(catalog[name], dtype=float) for name in ("x_fit", "y_fit"))
    known = np.isfinite(x) & np.isfinite(y)
    ra, dec = np.full(len(x), np.nan), np.full(len(x), np.nan)
    if known.any():
        sky = to_sky(wcs, x[known], y[known])
        ra[known], dec[known] = sky.ra.deg, sky.dec.deg
    where = catalog.colnames.index("y_fit") + 1
    values = [u.Quantity(ra, u.deg), u.Quantity(dec, u.deg)]
    catalog.add_columns(values, indexes=[where, where], names=["ra", "dec"])
    for name in ("ra", "dec"):
        catalog[name].info.description = "ICRS"
    if {"x_err", "y_err"} <= set(catalog.colnames):
        _add_sky_errors(catalog, wcs, known)


def add_snr(catalog: Table) -> None:
    """Add a column ``snr`` after ``flux_err``: the flux in units of its error.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        With ``flux_fit`` and ``flux_err``; changed in place.

    Raises
    ------
    TypeError, ValueError
        If the catalogue is no table, or lacks those columns.
    """
    check_table(catalog, "catalog", "flux_fit", "flux_err")
    flux, error = (
        np.array(getattr(catalog[name], "value", catalog[name]), dtype=float)
        for name in ("flux_fit", "flux_err")
    )
    error[~(error > 0)] = np.nan
    where = catalog.colnames.index("flux_err") + 1
    catalog.add_column(flux / error, index=where, name="snr")
    catalog["snr"].info.description = "flux_fit / flux_err"


def _add_sky_errors(catalog: Table, wcs: SkyMap, known: NDArray[np.bool_]) -> None:
    names = ("x_fit", "y_fit", "x_err", "y_err")
    columns = [np.asarray(catalog[name], dtype=float)[known] for name in names]
    where = catalog.colnames.index("y_err") + 1
    values = [u.Quantity(np.full(len(known), np.nan), u.mas) for _ in range(2)]
    if known.any():
        for value, found in zip(values, sky_errors(wcs, *columns), strict=True):
            value[known] = found
    catalog.add_columns(values, indexes=[where, where], names=["ra_err", "dec_err"])
    for name, said in (("ra_err", "along a great circle"), ("dec_err", "")):
        catalog[name].info.description = ", ".join(
            filter(None, ["1-sigma error", said])
        )


def write_catalog(path: str | os.PathLike[str], catalog: Table) -> None:
    """Write a catalogue in the format that the file's extension names.

    Parameters
    ----------
    path : str or path-like
        The file; replaced if it is there. ``.ecsv``, ``.fits``, ``.parquet``,
        ``.csv``, or ``.vot`` and ``.xml`` for a VOTable.
    catalog : `~astropy.table.Table`
        The catalogue. ECSV and Parquet keep its ``meta`` as it is; FITS as
        COMMENT cards ``key = value``, since most keys are no FITS keywords;
        VOTable as one description of such lines; CSV has none, and no units.
        In text (ECSV and CSV) numbers have the digits that their errors
        deserve, see `rounded`.

    Raises
    ------
    ValueError
        If the extension is unknown.
    OSError
        If the file cannot be written.
    MissingPackageError
        If it is to be Parquet and pyarrow is not installed.
    """
    path = as_path(path)
    suffix = known_suffix(path, CATALOG_SUFFIXES)
    check_table(catalog, "catalog")
    # Columns with a unit, not quantities: any reader of ECSV knows those.
    table = Table(catalog, copy=False)
    table.meta = {key: _plain(value) for key, value in catalog.meta.items()}
    if suffix == ".parquet":
        require_parquet(path)
    with replacing(path) as part:
        _WRITERS.get(suffix, _write_fits)(part, table)


def _write_fits(path: Path, table: Table) -> None:
    lines = _meta_lines(table)
    table.meta.clear()
    table.meta["comments"] = lines
    _to_hdu(table).writeto(path, overwrite=True)


def _write_parquet(path: Path, table: Table) -> None:
    table.write(path, format="parquet", overwrite=True)


def _write_ecsv(path: Path, table: Table) -> None:
    rounded(table).write(path, format="ascii.ecsv", overwrite=True)


def _write_csv(path: Path, table: Table) -> None:
    rounded(table).write(path, format="ascii.csv", overwrite=True)


def _write_votable(path: Path, table: Table) -> None:
    # (takes a while to be imported, and few need it)
    from astropy.io.votable import from_table  # noqa: PLC0415

    lines = _meta_lines(table)
    table.meta.clear()
    with warnings.catch_warnings():
        # Units outside the VO's standard stay as they are.
        warnings.simplefilter("ignore", AstropyWarning)
        votable = from_table(table)
        votable.description = "\n".join(lines)
        votable.to_xml(str(path))


_WRITERS: dict[str, Callable[[Path, Table], None]] = {
    ".parquet": _write_parquet,
    ".ecsv": _write_ecsv,
    ".csv": _write_csv,
    ".vot": _write_votable,
    ".xml": _write_votable,
}


def _meta_lines(table: Table) -> list[str]:
    return [f"{key} = {_one_line(value)}" for key, value in table.meta.items()]


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


def write_regions(
    path: str | os.PathLike[str], catalog: Table, *, radius: float
) -> None:
    """Write the fitted positions as circles in a DS9 region file.

    Parameters
    ----------
    path : str or path-like
        The file; replaced if it is there.
    catalog : `~astropy.table.Table`
        With ``id``, ``x_fit``, ``y_fit`` and ``flags``. Sources with a flag
        are red, others green; those without a position are left out.
    radius : float
        The circles' radius in pixels.
    """
    check_table(catalog, "catalog", "x_fit", "y_fit", "flags")
    radius = as_positive(radius, "radius")
    path = as_path(path)
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
