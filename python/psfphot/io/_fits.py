"""FITS files and their extensions: opening, naming, choosing, reading a plane."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from psfphot._validate import as_float_array
from psfphot.io._errors import FileFormatError
from psfphot.psf._files.grid_file import each_hdu

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_TRUNCATED = "File may have been truncated"

#: A file and, in brackets, one of its extensions.
_WITH_EXTENSION = re.compile(r"(?P<path>.*)\[(?P<ext>[^\[\]]*)\]")


@contextmanager
def open_fits(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file to be read, with one-line errors."""
    if path.is_dir():
        msg = f"{path}: is a directory; give a FITS file"
        raise IsADirectoryError(msg)
    if not path.exists():
        msg = f"{path}: there is no such file"
        raise FileNotFoundError(msg)
    with path.open("rb") as file:
        try:
            with warnings.catch_warnings():
                # Whether what is missing matters shows when the data are read.
                warnings.filterwarnings("ignore", message=_TRUNCATED)
                # Not memory-mapped: the arrays outlive the file.
                hdus = fits.open(file, memmap=False)
                for _ in each_hdu(hdus):  # reads every header
                    pass
        except Exception as exc:  # (astropy's faults have many types)
            msg = f"{path}: is not a FITS file that can be read"
            raise FileFormatError(msg) from exc
        try:
            yield hdus
        except VerifyError as exc:  # of a card that is parsed only when needed
            msg = f"{path}: a header is broken: {' '.join(str(exc).split())}"
            raise FileFormatError(msg) from exc


def split_extension(text: str) -> tuple[Path, str | None]:
    """Split ``file.fits[SCI,2]`` into the file and the extension.

    Parameters
    ----------
    text : str
        A file, or a file and an extension; a file of the very name counts
        first.

    Returns
    -------
    path : `~pathlib.Path`
    ext : str or `None`
        `None` where no extension is named.
    """
    found = _WITH_EXTENSION.fullmatch(text)
    if found is None or Path(text).exists():
        return Path(text), None
    return Path(found["path"]), found["ext"]


def science_extensions(path: Path) -> list[str]:
    """List the SCI extensions of a file; where it has none, all its images.

    Returns
    -------
    extensions : list of str
        As `psfphot.io.read_image` takes them.

    Raises
    ------
    OSError
        If the file cannot be read.
    FileFormatError
        If it is not FITS or has no image.
    """
    with open_fits(path) as hdus:
        images = [hdu for hdu in hdus if is_image(hdu)]
        science = [hdu for hdu in images if hdu.name == "SCI"]
        if not images:
            msg = f"{path}: has no image; it has {_listing(hdus)}"
            raise FileFormatError(msg)
        return [extension_label(hdus, hdu) for hdu in science or images]


def is_image(hdu: Any) -> bool:
    """Tell whether an extension holds an image, with pixels."""
    # One whose header is broken may have no shape.
    return bool(hdu.is_image) and len(getattr(hdu, "shape", ())) > 0


def extension_label(hdus: fits.HDUList, hdu: Any) -> str:
    """Name an extension so that it is found again: ``SCI``, ``SCI,2``, ``0``."""
    if not hdu.name or hdu.name == "PRIMARY":
        return str(hdus.index(hdu))
    return hdu.name if hdu.ver == 1 else f"{hdu.name},{hdu.ver}"


def choose_image(hdus: fits.HDUList, ext: str | None, path: Path) -> Any:
    """Find the extension that was asked for, or else the science image."""
    if ext is None:
        images = [hdu for hdu in hdus if is_image(hdu)]
        flat = [h for h in images if sum(n > 1 for n in h.shape) <= 2]  # noqa: PLR2004
        science = [hdu for hdu in flat if hdu.name == "SCI"]
        if science or flat or images:
            return (science or flat or images)[0]
        msg = f"{path}: has no image; it has {_listing(hdus)}"
        raise FileFormatError(msg)
    name, _, version = ext.partition(",")
    key: Any = name.strip()
    try:
        key = int(key) if key.isdigit() else key
        hdu = hdus[(key, int(version)) if version else key]
    except (KeyError, IndexError, ValueError, TypeError) as exc:
        msg = f"{path}: has no extension {ext!r}; it has {_listing(hdus)}"
        raise FileFormatError(msg) from exc
    if not is_image(hdu):
        msg = f"{path}: extension {ext!r} is no image; it has {_listing(hdus)}"
        raise FileFormatError(msg)
    return hdu


def _listing(hdus: fits.HDUList) -> str:
    def kind(hdu: Any) -> str:
        if is_image(hdu):
            return " x ".join(str(n) for n in reversed(hdu.shape))
        return "no data" if hdu.is_image else "table"

    entries = [f"{i} {hdu.name or '-'} ({kind(hdu)})" for i, hdu in enumerate(hdus)]
    return ", ".join(entries)


def read_plane(hdu: Any, name: str) -> NDArray[Any]:
    """Return the data as a two-dimensional float array in native byte order."""
    return as_float_array(read_pixels(hdu, name), name)


def read_pixels(hdu: Any, name: str) -> NDArray[Any]:
    """Return the data as they are stored, two-dimensional."""
    try:
        data = hdu.data
    except Exception as exc:  # (those of decompression have many types)
        msg = f"{name}: the data are cut off or broken"
        raise FileFormatError(msg) from exc
    if data.ndim > 2:  # noqa: PLR2004
        data = data.squeeze(axis=tuple(np.flatnonzero(np.array(data.shape[:-2]) == 1)))
    if data.ndim != 2:  # noqa: PLR2004
        shape = " x ".join(str(n) for n in reversed(data.shape))
        msg = f"{name}: a 2D image is needed, this one is {shape}; cut out one plane"
        raise FileFormatError(msg)
    return np.asarray(data)


def parse_unit(text: Any) -> u.UnitBase | None:
    """Return the unit that a header names, or `None` where there is none."""
    if not isinstance(text, str) or not text.strip():
        return None
    # Older pipelines write capitals and plurals: ELECTRONS/S, COUNTS.
    plain = text.strip().lower()
    for plural in ("electrons", "counts", "photons"):
        plain = plain.replace(plural, plural[:-1])
    for spelling in (text.strip(), plain):
        unit = u.Unit(spelling, parse_strict="silent")
        if not isinstance(unit, u.UnrecognizedUnit):
            return unit
    return None
