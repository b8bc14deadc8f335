"""The results of a test in files, and back."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Column, QTable
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._files import check_readable, check_writable, file_suffix, replacing
from psfphot.io import FileFormatError, require_parquet

if TYPE_CHECKING:
    import os

#: astropy's names of the formats that keep every bit.
FORMATS = {".ecsv": "ascii.ecsv", ".fits": "fits", ".parquet": "parquet"}

#: The one word of the metadata, which FITS can hold too.
_KEY = "ASTTEST"


def noise_path(path: Path) -> Path:
    """Tell where the rows of the images of noise go."""
    return path.with_name(f"{path.stem}_noise{path.suffix}")


def write_tables(
    path: str | os.PathLike[str],
    table: QTable,
    noise_table: QTable | None,
    settings: dict[str, Any],
    *,
    overwrite: bool,
) -> None:
    """Write results, see `ArtificialStarResults.write`."""
    path = Path(path)
    work = [(path, table)]
    if noise_table is not None:
        work.append((noise_path(path), noise_table))
    for each, _ in work:
        check_writable(each, tuple(FORMATS), overwrite=overwrite)
        if each.suffix == ".parquet":
            require_parquet(each)
    for each, rows in work:
        plain = rows.copy(copy_data=False)
        units = {
            name: rows[name].unit.to_string()
            for name in rows.colnames
            if isinstance(rows[name], u.Quantity)
        }
        plain.meta = {_KEY: json.dumps({"settings": settings, "units": units})}
        with replacing(each) as part, warnings.catch_warnings():
            # FITS does not know the electron; the units are in the text, too.
            warnings.simplefilter("ignore", AstropyUserWarning)
            plain.write(part, format=FORMATS[file_suffix(each)])


def read_tables(
    path: str | os.PathLike[str],
) -> tuple[QTable, QTable | None, dict[str, Any]]:
    """Read results, see `ArtificialStarResults.read`."""
    path = Path(path)
    table, settings = _read(path)
    noise = noise_path(path)
    has_noise = settings.get("noise_images", 0) > 0
    return table, _read(noise)[0] if has_noise else None, settings


def _read(path: Path) -> tuple[QTable, dict[str, Any]]:
    check_readable(path, "the results of an artificial-star test")
    suffix = file_suffix(path)
    if suffix == ".parquet":
        require_parquet(path, reading=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", u.UnitsWarning)
        table = QTable.read(path, format=FORMATS.get(suffix))
    text = table.meta.pop(_KEY, None)
    if text is None:
        msg = f"{path}: has no results of an artificial-star test ({_KEY})"
        raise FileFormatError(msg)
    table.meta.clear()
    table.convert_bytestring_to_unicode()
    stored = json.loads(text)
    for name in table.colnames:
        column = table[name]
        values = np.asarray(getattr(column, "value", column))
        # FITS has the other order of bytes, and not all units.
        native = values.astype(values.dtype.newbyteorder("="), copy=False)
        if name in stored["units"]:
            table[name] = native << u.Unit(stored["units"][name])
        elif native is not values:
            unit = getattr(column, "unit", None)
            table[name] = Column(native, unit=unit, description=column.description)
    return table, stored["settings"]
