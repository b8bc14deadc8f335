"""Tables of sources in the formats that other programs write."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io.registry import IORegistryError
from astropy.table import Column, QTable

from psfphot._files import check_memory, check_readable
from psfphot.io._catalogs import require_parquet
from psfphot.io._errors import FileFormatError
from psfphot.io._fits import as_path, open_fits
from psfphot.psf._files.grid_file import hdu_bytes

if TYPE_CHECKING:
    import os
    from pathlib import Path

#: What astropy cannot tell from the name.
_TEXT = {
    ".ecsv": "ascii.ecsv",
    ".csv": "ascii.csv",
    ".txt": "ascii",
    ".dat": "ascii",
    ".tsv": "ascii.tab",
    ".vot": "votable",
}

#: Endings of text whose first line says who wrote it.
_SNIFFED = ("", ".cat", ".txt", ".dat", ".coo", ".als", ".nst", ".pk", ".ap", ".mag")

#: SExtractor's table in a file that has its image's header in another before it.
_LDAC = "LDAC_OBJECTS"


def read_sources(path: str | os.PathLike[str]) -> QTable:
    """Read a catalogue in any format that its name or its first line tells.

    Parameters
    ----------
    path : str or path-like
        What astropy reads (ECSV, FITS, CSV, VOTable, Parquet, ...); SExtractor's
        text (ASCII_HEAD) and FITS_LDAC; text of IRAF's DAOPHOT, and of Stetson's
        DAOPHOT and ALLSTAR (.coo, .ap, .als), which has columns ``id``,
        ``XCENTER``, ``YCENTER`` and ``MAG``.

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
    path = as_path(path)
    check_readable(path, "a catalogue")
    if path.suffix.lower() == ".parquet":
        require_parquet(path, reading=True)
    try:
        with warnings.catch_warnings():
            # Units and meta that bend a standard do not concern positions.
            warnings.simplefilter("ignore")
            table = _read(path)
    except (OSError, ValueError, TypeError, KeyError, IORegistryError) as exc:
        reason = str(exc).strip().partition("\n")[0]
        msg = f"{path}: is no table that astropy can read: {reason}"
        raise FileFormatError(msg) from exc
    if len(table) == 0:
        msg = f"{path}: the catalogue has no rows"
        raise FileFormatError(msg)
    for name in table.colnames:
        column = table[name]
        # VizieR gives sexagesimal text the unit "h:m:s", which is none.
        if isinstance(column, Column) and column.dtype.kind in "SUO":
            column.unit = None
    return table


def _read(path: Path) -> QTable:
    suffix = path.suffix.lower()
    if suffix in _SNIFFED:
        first = _first_line(path)
        if first.startswith("SIMPLE  ="):
            return QTable.read(path, format="fits", **_hdu_of(path))
        if first.split()[:3] == ["NL", "NX", "NY"]:
            return _read_stetson(path)
        if first.startswith("#K"):
            return QTable.read(path, format="ascii.daophot")
        if first.split()[:2] == ["#", "1"]:
            return QTable.read(path, format="ascii.sextractor")
    if suffix in {".fits", ".fit", ".fts", ".ldac"}:
        return QTable.read(path, format="fits", **_hdu_of(path))
    known = _TEXT.get(suffix)
    return QTable.read(path, **({} if known is None else {"format": known}))


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        return file.readline(400).decode("utf-8", errors="replace")


def _hdu_of(path: Path) -> dict[str, Any]:
    with open_fits(path) as hdus:
        for hdu in hdus:
            check_memory(hdu_bytes(hdu), str(path))
        return {"hdu": _LDAC} if _LDAC in hdus else {}


def _read_stetson(path: Path) -> QTable:
    """Read a file of DAOPHOT: three lines of header, then NL lines a star."""
    lines = path.read_text(encoding="utf-8").splitlines()
    n_lines = int(lines[1].split()[0])
    # Of aperture photometry, NL 2, the second line has the sky; NL 3 was for Y, X.
    if n_lines not in {1, 2}:
        msg = f"NL is {n_lines}, only 1 and 2 are known"
        raise ValueError(msg)
    rows = [line.split()[:4] for line in lines[3:] if line.strip()][::n_lines]
    values = np.array(rows, dtype=float).reshape(len(rows), 4)
    names = ("id", "XCENTER", "YCENTER", "MAG")
    table = QTable(list(values.T), names=names)
    table["id"] = table["id"].astype(np.int64)
    return table
