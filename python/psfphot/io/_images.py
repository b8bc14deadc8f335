"""Images from FITS files and into them."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from psfphot._validate import as_float_array
from psfphot.io._atomic import replacing
from psfphot.io._errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

IMAGE_SUFFIXES = (".fits", ".fits.gz", ".fit", ".fts")

#: Names under which a science image is found; only these look for an ERR.
_SCIENCE_NAMES = ("SCI", "PRIMARY", "")

_TRUNCATED = "File may have been truncated"

#: How an image was stored and what it held, which is not true of another.
_STORAGE_KEYS = (
    "EXTNAME",
    "EXTVER",
    "BLANK",
    "BSCALE",
    "BZERO",
    "CHECKSUM",
    "DATASUM",
    "DATAMIN",
    "DATAMAX",
)


@dataclass(frozen=True)
class FitsImage:
    """An image with all that its file says about it.

    Attributes
    ----------
    data : 2D float array
        The pixels, in native byte order; float32 or float64.
    error : 2D float array or `None`
        1-sigma errors of the pixels, from the ERR extension.
    mask : 2D bool array
        `True` where the data are not finite or the error is unusable.
    unit : `~astropy.units.UnitBase` or `None`
        The unit of ``data`` and ``error``, from BUNIT.
    wcs : `~astropy.wcs.WCS` or `None`
        The celestial coordinates, in whatever frame the file has them.
    header : `~astropy.io.fits.Header`
        The header of the extension that was read, for images made from it.
    name : str
        The file and its extension, for messages: ``m31.fits[SCI,1]``.
    """

    data: NDArray[Any]
    error: NDArray[Any] | None
    mask: NDArray[np.bool_]
    unit: u.UnitBase | None
    wcs: WCS | None
    header: fits.Header
    name: str

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (ny, nx)."""
        ny, nx = self.data.shape
        return ny, nx


def read_image(path: Path, ext: str | None = None) -> FitsImage:
    """Read an image, its errors, mask, unit and coordinates from FITS.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; ``.gz`` is unpacked on the way.
    ext : str, optional
        The extension as a number (``"2"``), a name (``"SCI"``), or a name and
        its version (``"SCI,2"``). By default SCI if there is one, otherwise
        the first two-dimensional image. Errors are taken from the ERR
        extension of the same version.

    Returns
    -------
    image : `FitsImage`

    Raises
    ------
    OSError
        If the file cannot be read.
    FileFormatError
        If it is not FITS, or has no such image.
    """
    with open_fits(path) as hdus:
        hdu = _choose(hdus, ext, path)
        name = f"{path.name}[{_label(hdus, hdu)}]"
        data = _plane(hdu, name)
        error = _error_plane(hdus, hdu, data.shape, name)
        header = hdu.header.copy()
        wcs = _celestial_wcs(header, hdus, name)
    mask = ~np.isfinite(data)
    if mask.all():
        msg = f"{name}: has no pixel with a finite value"
        raise FileFormatError(msg)
    if error is not None:
        mask |= ~(np.isfinite(error) & (error > 0))
    unit = _unit(header.get("BUNIT"), name)
    return FitsImage(data, error, mask, unit, wcs, header, name)


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
                len(hdus)  # reads every header
        except (OSError, ValueError, EOFError) as exc:
            msg = f"{path}: is not a FITS file that can be read"
            raise FileFormatError(msg) from exc
        yield hdus


def write_image(
    path: Path,
    data: NDArray[Any],
    like: FitsImage,
    *,
    history: str,
    error: NDArray[Any] | None = None,
) -> None:
    """Write an image with the header, so with the coordinates, of another.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file to write; replaced if it is there.
    data : 2D array
        The pixels, of the same shape as ``like``.
    like : `FitsImage`
        The image whose unit and coordinates these are.
    history : str
        How the image was made, for its HISTORY.
    error : 2D array, optional
        Errors for an ERR extension; then the image goes into SCI.
    """
    header = like.header.copy()
    for key in _STORAGE_KEYS:
        header.remove(key, ignore_missing=True)
    header.add_history(history)
    with warnings.catch_warnings(), replacing(path) as part:
        # Keywords that bend the standard were in the input already.
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        pixels = np.asarray(data, dtype=np.float32)
        hdus = fits.HDUList([fits.PrimaryHDU(pixels, header)])
        if error is not None:
            hdus = fits.HDUList(
                [
                    fits.PrimaryHDU(),
                    fits.ImageHDU(pixels, header, name="SCI"),
                    fits.ImageHDU(np.asarray(error, dtype=np.float32), name="ERR"),
                ]
            )
        hdus.writeto(part, output_verify="silentfix+ignore", overwrite=True)


def _is_image(hdu: Any) -> bool:
    return bool(hdu.is_image) and len(hdu.shape) > 0


def _label(hdus: fits.HDUList, hdu: Any) -> str:
    if not hdu.name or hdu.name == "PRIMARY":
        return str(hdus.index(hdu))
    return hdu.name if hdu.ver == 1 else f"{hdu.name},{hdu.ver}"


def _choose(hdus: fits.HDUList, ext: str | None, path: Path) -> Any:
    if ext is None:
        images = [hdu for hdu in hdus if _is_image(hdu)]
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
    if not _is_image(hdu):
        msg = f"{path}: extension {ext!r} is no image; it has {_listing(hdus)}"
        raise FileFormatError(msg)
    return hdu


def _listing(hdus: fits.HDUList) -> str:
    def kind(hdu: Any) -> str:
        if _is_image(hdu):
            return " x ".join(str(n) for n in reversed(hdu.shape))
        return "no data" if hdu.is_image else "table"

    entries = [f"{i} {hdu.name or '-'} ({kind(hdu)})" for i, hdu in enumerate(hdus)]
    return ", ".join(entries)


def _plane(hdu: Any, name: str) -> NDArray[Any]:
    """Return the data as a two-dimensional float array in native byte order."""
    try:
        data = hdu.data
    except (OSError, ValueError, TypeError) as exc:
        msg = f"{name}: the data are cut off or broken"
        raise FileFormatError(msg) from exc
    if data.ndim > 2:  # noqa: PLR2004
        data = data.squeeze(axis=tuple(np.flatnonzero(np.array(data.shape[:-2]) == 1)))
    if data.ndim != 2:  # noqa: PLR2004
        shape = " x ".join(str(n) for n in reversed(data.shape))
        msg = f"{name}: a 2D image is needed, this one is {shape}; cut out one plane"
        raise FileFormatError(msg)
    return as_float_array(data, name)


def _error_plane(
    hdus: fits.HDUList, hdu: Any, shape: tuple[int, ...], name: str
) -> NDArray[Any] | None:
    if hdu.name not in _SCIENCE_NAMES or ("ERR", hdu.ver) not in hdus:
        return None
    found = hdus["ERR", hdu.ver]
    if not _is_image(found):  # an empty ERR, as some pipelines write
        return None
    error = _plane(found, f"{name}'s ERR")
    if error.shape != shape:
        reason = f"its shape is {error.shape}, the image's {shape}"
    elif not np.any(error > 0):
        reason = "no value in it is above 0"
    else:
        return error
    warnings.warn(
        f"{name}: the ERR extension is left out: {reason}",
        AstropyUserWarning,
        stacklevel=3,
    )
    return None


def _unit(text: Any, name: str) -> u.UnitBase | None:
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
    warnings.warn(
        f"{name}: BUNIT {text!r} is not a unit astropy knows; going on without a unit",
        AstropyUserWarning,
        stacklevel=3,
    )
    return None


def _celestial_wcs(header: fits.Header, hdus: fits.HDUList, name: str) -> WCS | None:
    """Return the celestial part of the WCS, or `None` where there is none."""
    try:
        with warnings.catch_warnings():
            # Repairs of dates and units by astropy do not concern positions.
            warnings.simplefilter("ignore")
            full = WCS(header, fobj=hdus)
            if not full.has_celestial:
                return None
            wcs = full if full.naxis == 2 else full.celestial  # noqa: PLR2004
            centre = wcs.pixel_to_world(header["NAXIS1"] / 2, header["NAXIS2"] / 2)
            finite = bool(np.isfinite(centre.icrs.ra.deg))
    except Exception as exc:  # noqa: BLE001  (wcslib's faults have many types)
        reason = str(exc).strip().splitlines()[:1] or [type(exc).__name__]
        finite, reasons = False, reason[0]
    else:
        reasons = "the image's centre has no position on the sky"
    if finite:
        return wcs
    warnings.warn(
        f"{name}: the WCS cannot be used, so no RA and Dec: {reasons}",
        AstropyUserWarning,
        stacklevel=3,
    )
    return None
