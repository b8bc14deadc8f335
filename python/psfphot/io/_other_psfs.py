"""PSF files of other programs: what they are, by their first bytes and headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psfphot.io._errors import FileFormatError
from psfphot.psf._files.grid_file import each_hdu
from psfphot.psf._files.psfex import psfex_tables

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io import fits

#: First line of DAOPHOT's text: function, samples, parameters, terms, ...
_DAOPHOT = re.compile(
    rb"\s?(GAUSSIAN|MOFFAT\d\d|LORENTZ|PENNY\d)\s+\d+\s+\d+\s+\d+\s+\d+\s"
)

#: Piff writes tables that are named after the object with a suffix.
_PIFF = re.compile(r"(psf|piff)(_\w+)*", re.IGNORECASE)


def refuse_daophot(path: Path) -> None:
    """Refuse a text file of DAOPHOT with what to do.

    Raises
    ------
    FileFormatError
        If it is one.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(80)
    if _DAOPHOT.match(start):
        msg = (
            f"{path}: is a PSF of DAOPHOT (a function and a table of residuals as "
            "text), which is not read; draw it as a star into an empty image with "
            "DAOPHOT's ADDSTAR, or with PSFEx make a PSF that is"
        )
        raise FileFormatError(msg)


def is_psfex(path: Path, hdus: fits.HDUList) -> bool:
    """Tell PSFEx's files; refuse those of other programs with what to do.

    Raises
    ------
    FileFormatError
        If it is a table of residuals of IRAF, or a file of Piff.
    """
    if psfex_tables(hdus):
        return True
    for hdu in each_hdu(hdus):
        package, task = (
            str(hdu.header.get(key, "")).strip().lower() for key in ("PACKAGE", "TASK")
        )
        if (package, task) == ("daophot", "psf"):
            msg = (
                f"{path}: is a PSF of IRAF's task psf, which holds the residuals from "
                "a function and not the PSF; IRAF's task seepsf makes an image of it"
            )
            raise FileFormatError(msg)
        if _is_piff(hdu):
            msg = (
                f"{path}: is a PSF of Piff, which is not read; draw it with "
                "piff.read(file).draw(x, y) and write the image as FITS"
            )
            raise FileFormatError(msg)
    return False


def _is_piff(hdu: fits.hdu.base.ExtensionHDU) -> bool:
    if "PIFF_VERSION" in hdu.header or "PIFFVERSION" in hdu.header:
        return True
    if not _PIFF.fullmatch(hdu.name):
        return False
    columns = getattr(getattr(hdu, "columns", None), "names", None) or ()
    return "type" in columns or "piff_version" in columns
