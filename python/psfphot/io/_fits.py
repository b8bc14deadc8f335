"""FITS files and their extensions: opening, naming, choosing, reading a plane."""

from __future__ import annotations

import os
import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from psfphot._files import check_memory, check_readable
from psfphot._validate import as_float_array
from psfphot.io._errors import FileFormatError
from psfphot.psf._files.grid_file import each_hdu, hdu_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

_TRUNCATED = "File may have been truncated"

#: A file and, in brackets, one of its extensions, and perhaps a plane of it.
_WITH_EXTENSION = re.compile(
    r"(?P<path>.*?)\[(?P<ext>[^\[\]]*)\](?P<plane>\[[^\[\]]*\])?"
)

#: An extension, and perhaps one plane of a cube: ``SCI,2[0]``.
_WITH_PLANE = re.compile(r"(?P<ext>[^\[\]]*)(\[(?P<plane>[^\[\]]*)\])?")


def as_path(path: str | os.PathLike[str]) -> Path:
    """Make a path of what names a file.

    Raises
    ------
    TypeError
        If it is neither text nor a path.
    """
    if isinstance(path, str | os.PathLike):
        return Path(path)
    msg = f"path must be the name of a file, got {type(path).__name__}"
    raise TypeError(msg)


@contextmanager
def open_fits(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file, compressed or not, to be read, with one-line errors."""
    check_readable(path, "a FITS file")
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


def keyword_value(headers: Iterable[fits.Header], key: str, name: str) -> Any:
    """Look a keyword up in one header after another; `None` without.

    Parameters
    ----------
    headers : iterable of `~astropy.io.fits.Header`
        Where to look.
    key : str
        The keyword.
    name : str
        The file, for messages.

    Raises
    ------
    FileFormatError
        If it is there, and its value cannot be read.
    """
    for header in headers:
        if key in header:
            try:
                return header[key]
            except VerifyError as exc:  # astropy parses a card when it is asked for
                msg = f"{name}: the value of the keyword {key} cannot be read"
                raise FileFormatError(msg) from exc
    return None


def split_extension(text: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """Split ``file.fits[SCI,2]`` into the file and the extension.

    Parameters
    ----------
    text : str or path-like
        A file, or a file and an extension; a file of the very name counts
        first. A plane of a cube may follow: ``file.fits[SCI][2]``.

    Returns
    -------
    path : `~pathlib.Path`
    ext : str or `None`
        As `psfphot.io.read_image` takes it: ``SCI,2``, ``SCI[2]``; `None`
        where no extension is named.
    """
    path = as_path(text)
    found = _WITH_EXTENSION.fullmatch(os.fspath(path))
    if found is None or path.exists():
        return path, None
    return Path(found["path"]), found["ext"] + (found["plane"] or "")


def split_plane(ext: str, path: Path) -> tuple[str, tuple[int, ...]]:
    """Split ``SCI[2]`` into the extension and the indices of a plane.

    Returns
    -------
    ext : str
    plane : tuple of int
        Indices along the leading axes of the array, from 0; empty for all.

    Raises
    ------
    FileFormatError
        If the brackets hold no integers.
    """
    found = _WITH_PLANE.fullmatch(ext)
    if found is not None and found["plane"] is None:
        return ext, ()
    try:
        if found is None:
            raise ValueError  # noqa: TRY301
        return found["ext"], tuple(int(word) for word in found["plane"].split(","))
    except ValueError as exc:
        msg = f"{path}: a plane is named as in [SCI][2], counted from 0, got [{ext}]"
        raise FileFormatError(msg) from exc


def science_extensions(path: str | os.PathLike[str]) -> list[str]:
    """List the SCI extensions of a file; where it has none, all its images.

    Parameters
    ----------
    path : str or path-like
        The file.

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
    path = as_path(path)
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


def choose_image(
    hdus: fits.HDUList, ext: str | None, path: Path
) -> tuple[Any, tuple[int, ...]]:
    """Find the extension that was asked for, or else the science image.

    Returns
    -------
    hdu : `~astropy.io.fits.ImageHDU`
    plane : tuple of int
        The plane that was asked for; see `split_plane`.
    """
    ext, plane = ("", ()) if ext is None else split_plane(ext, path)
    return _choose_image(hdus, ext.strip() or None, path), plane


def name_of_image(
    hdus: fits.HDUList, hdu: Any, plane: tuple[int, ...], path: Path
) -> str:
    """Call an image by its file, its extension and the plane that was chosen of it."""
    name = f"{path.name}[{extension_label(hdus, hdu)}]"
    return f"{name}[{','.join(map(str, plane))}]" if plane else name


def _choose_image(hdus: fits.HDUList, ext: str | None, path: Path) -> Any:
    if ext is None:
        images = [hdu for hdu in hdus if is_image(hdu)]
        flat = [h for h in images if sum(n > 1 for n in h.shape) <= 2]  # noqa: PLR2004
        science = [hdu for hdu in images if hdu.name == "SCI"]
        if images:
            flat_science = [hdu for hdu in flat if hdu.name == "SCI"]
            return (flat_science or science or flat or images)[0]
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


class Band(NamedTuple):
    """Some rows of the images of one shape.

    Attributes
    ----------
    rows : slice
        Which.
    shape : (ny, nx)
        The shape of the whole image.
    """

    rows: slice
    shape: tuple[int, ...]


def read_plane(
    hdu: Any, name: str, plane: tuple[int, ...] = (), band: Band | None = None
) -> NDArray[Any]:
    """Return the data as a two-dimensional float array in native byte order."""
    return as_float_array(read_pixels(hdu, name, plane, band), name)


def read_pixels(
    hdu: Any, name: str, plane: tuple[int, ...] = (), band: Band | None = None
) -> NDArray[Any]:
    """Return the data as they are stored, two-dimensional.

    Parameters
    ----------
    hdu : `~astropy.io.fits.ImageHDU`
        The extension.
    name : str
        What it is called in messages.
    plane : tuple of int, optional
        Which plane of a cube, see `split_plane`.
    band : `Band`, optional
        The rows to read; by default all.

    Raises
    ------
    FileFormatError
        If the data are broken, or not one plane.
    """
    data = read_array(hdu, name, band)
    if plane:
        data = _plane_of(data, plane, name)
    if data.ndim > 2:  # noqa: PLR2004
        data = data.squeeze(axis=tuple(np.flatnonzero(np.array(data.shape[:-2]) == 1)))
    if data.ndim != 2:  # noqa: PLR2004
        raise FileFormatError(_no_image(data.shape, name))
    return np.asarray(data)


def read_array(hdu: Any, name: str, band: Band | None = None) -> NDArray[Any]:
    """Return the data of an extension, whatever their dimensions: all, or a band."""
    if band is not None:
        shape = tuple(hdu.shape[-2:])
        if shape != band.shape:
            msg = f"{name}: its shape is {shape}, the image's {band.shape}"
            raise FileFormatError(msg)
    else:
        try:
            check_memory(hdu_bytes(hdu), name)
        except ValueError as exc:
            raise FileFormatError(str(exc)) from exc
    try:
        if band is None:
            return np.asarray(hdu.data)
        leading = (slice(None),) * (len(hdu.shape) - 2)
        return np.asarray(hdu.section[(*leading, band.rows, slice(None))])
    except Exception as exc:  # (those of decompression have many types)
        msg = f"{name}: the data are cut off or broken"
        raise FileFormatError(msg) from exc


def refuse_time_series(
    hdus: fits.HDUList, hdu: Any, plane: tuple[int, ...], name: str
) -> None:
    """Refuse integrations, or the groups of a ramp, of which none was chosen.

    Raises
    ------
    FileFormatError
        If it is a cube along time by its header: the message says what to do.
    """
    cube = [n for n in hdu.shape[:-2] if n > 1]
    if plane or not cube:
        return
    header = hdus[0].header
    n_integrations = header.get("NINTS", 1)
    shape = " x ".join(str(n) for n in reversed(hdu.shape))
    if len(hdu.shape) == 4 and "NGROUPS" in header:  # noqa: PLR2004
        msg = (
            f"{name}: holds the ramps of a detector ({shape}), no fluxes; "
            "measure the _rate or _cal file made of it"
        )
        raise FileFormatError(msg)
    is_series = bool(header.get("TSOVISIT")) or n_integrations == cube[0]
    if is_series and n_integrations != 1:
        msg = (
            f"{name}: is a time series of {cube[0]} integrations ({shape}); measure "
            "the _rate or _cal file of their mean, or one, counted from 0: [EXT][0]"
        )
        raise FileFormatError(msg)


def _plane_of(data: NDArray[Any], plane: tuple[int, ...], name: str) -> NDArray[Any]:
    axes = data.shape[: max(data.ndim - 2, 0)]
    inside = all(-n <= i < n for i, n in zip(plane, axes, strict=False))
    if len(plane) <= len(axes) and inside:
        return np.asarray(data[plane])
    shape = " x ".join(str(n) for n in reversed(data.shape))
    asked = ",".join(str(i) for i in plane)
    msg = f"{name}: has no plane [{asked}] (counted from 0), it is {shape}"
    raise FileFormatError(msg)


def _no_image(shape: tuple[int, ...], name: str) -> str:
    text = " x ".join(str(n) for n in reversed(shape))
    msg = f"{name}: a 2D image is needed, this one is {text}"
    if len(shape) < 2:  # noqa: PLR2004
        return msg
    first = ",".join("0" for _ in shape[:-2])
    return f"{msg}; choose one plane, counted from 0: [EXT][{first}]"


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
