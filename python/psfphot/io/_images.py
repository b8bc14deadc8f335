"""Images from FITS files and into them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from psfphot._files import replacing
from psfphot.io._errors import FileFormatError
from psfphot.io._fits import (
    choose_image,
    extension_label,
    open_fits,
    parse_unit,
    read_plane,
)
from psfphot.io._planes import Owner, find_bad_quality, find_error, find_mask

if TYPE_CHECKING:
    from pathlib import Path

    from astropy import units as u
    from numpy.typing import NDArray

IMAGE_SUFFIXES = (".fits", ".fits.gz", ".fit", ".fts")

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
        1-sigma errors of the pixels.
    mask : 2D bool array
        `True` where the data are not finite, the error is unusable, or a mask
        or the data quality says so.
    unit : `~astropy.units.UnitBase` or `None`
        The unit of ``data`` and ``error``, from BUNIT.
    wcs : `~astropy.wcs.WCS` or `None`
        The celestial coordinates, in whatever frame the file has them.
    header : `~astropy.io.fits.Header`
        The header of the extension that was read, for images made from it.
    name : str
        The file and its extension, for messages: ``m31.fits[SCI,1]``.
    error_source : str
        Where ``error`` is from; empty without it.
    n_masked : dict
        How many pixels are masked by what, by its name; a pixel may count
        more than once.
    primary : `~astropy.io.fits.Header`
        The file's first header, which holds what is true of all extensions.
    """

    data: NDArray[Any]
    error: NDArray[Any] | None
    mask: NDArray[np.bool_]
    unit: u.UnitBase | None
    wcs: WCS | None
    header: fits.Header
    name: str
    error_source: str = ""
    n_masked: dict[str, int] = field(default_factory=dict)
    primary: fits.Header = field(default_factory=fits.Header)

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (ny, nx)."""
        ny, nx = self.data.shape
        return ny, nx

    def keyword(self, name: str) -> Any:
        """Look a keyword up, first in the extension's header; `None` without."""
        return self.header.get(name, self.primary.get(name))


def read_image(
    path: Path,
    ext: str | None = None,
    *,
    error: str | None = None,
    mask: str | None = None,
    dq: str | None = None,
    dq_bits: str | None = None,
) -> FitsImage:
    """Read an image, its errors, mask, unit and coordinates from FITS.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; ``.gz`` is unpacked on the way.
    ext : str, optional
        The extension as a number (``"2"``), a name (``"SCI"``), or a name and
        its version (``"SCI,2"``). By default SCI if there is one, otherwise
        the first two-dimensional image.
    error : str, optional
        The 1-sigma errors: a number for all pixels, ``FILE``, ``FILE[EXT]``,
        ``[EXT]`` in the same file, or ``none``. By default the ERR extension
        of the same version, if there is one.
    mask : str, optional
        ``FILE``, ``FILE[EXT]`` or ``[EXT]``: not zero is bad.
    dq : str, optional
        The extension with the data quality, or ``none``. By default the DQ
        extension of the same version, if there is one.
    dq_bits : str, optional
        Which of its bits are bad: ``all``, values joined by commas (``4,16``),
        or ``~`` and those that are not. By default 1 (DO_NOT_USE) for JWST
        and all for others.

    Returns
    -------
    image : `FitsImage`

    Raises
    ------
    OSError
        If the file cannot be read.
    FileFormatError
        If it is not FITS, has no such image, or something else that was asked
        for is not there or does not go with the image.
    ValueError
        If an argument cannot be understood.
    """
    with open_fits(path) as hdus:
        hdu = choose_image(hdus, ext, path)
        name = f"{path.name}[{extension_label(hdus, hdu)}]"
        data = read_plane(hdu, name)
        header, primary = hdu.header.copy(), hdus[0].header.copy()
        unit = _unit(header.get("BUNIT"), name)
        owner = Owner(hdus, hdu, path, name, data.shape, unit)
        errors = find_error(owner, error)
        quality = find_bad_quality(owner, dq, dq_bits)
        given = None if mask is None else find_mask(owner, mask)
        wcs = _celestial_wcs(header, hdus, name)
    bad = {"not finite": ~np.isfinite(data)}
    if bad["not finite"].all():
        msg = f"{name}: has no pixel with a finite value"
        raise FileFormatError(msg)
    if errors is not None:
        usable = np.isfinite(errors.pixels) & (errors.pixels > 0)
        bad["no usable error"] = ~usable
    for plane in (quality, given):
        if plane is not None:
            bad[plane.source] = plane.pixels
    return FitsImage(
        data,
        None if errors is None else errors.pixels,
        _joined(bad, name),
        unit,
        wcs,
        header,
        name,
        error_source="" if errors is None else errors.source,
        n_masked={what: int(np.count_nonzero(pixels)) for what, pixels in bad.items()},
        primary=primary,
    )


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


def _joined(bad: dict[str, NDArray[np.bool_]], name: str) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.logical_or.reduce(list(bad.values()))
    if mask.all():
        counts = ", ".join(f"{what}: {np.sum(bad[what])}" for what in bad)
        msg = f"{name}: every pixel is masked ({counts})"
        raise FileFormatError(msg)
    return mask


def _unit(text: Any, name: str) -> u.UnitBase | None:
    unit = parse_unit(text)
    if unit is None and isinstance(text, str) and text.strip():
        warnings.warn(
            f"{name}: BUNIT {text!r} is not a unit astropy knows; "
            "going on without a unit",
            AstropyUserWarning,
            stacklevel=3,
        )
    return unit


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
