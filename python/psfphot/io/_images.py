"""Images from FITS files and into them."""

from __future__ import annotations

import contextlib
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from psfphot._files import FITS_SUFFIXES, replacing
from psfphot._validate import check_instance
from psfphot.io._detector import Detector, find_detector
from psfphot.io._errors import FileFormatError
from psfphot.io._fits import (
    as_path,
    choose_image,
    keyword_value,
    name_of_image,
    open_fits,
    read_plane,
    refuse_time_series,
    split_extension,
)
from psfphot.io._fits_image import FitsImage, joined_masks
from psfphot.io._found import PlaneWords, find_facts, find_planes, find_unit, is_none
from psfphot.io._levels import find_saturation
from psfphot.io._planes import Owner, Plane, find_variances
from psfphot.io._roman import read_roman
from psfphot.io._weights import error_of_weight

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: The extensions of images that are written.
IMAGE_SUFFIXES = FITS_SUFFIXES

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


def read_image(
    path: str | os.PathLike[str],
    ext: str | None = None,
    *,
    error: str | None = None,
    mask: str | None = None,
    dq: str | None = None,
    dq_bits: str | None = None,
    weight: str | None = None,
    weight_type: str | None = None,
) -> FitsImage:
    """Read an image, its errors, mask, unit and coordinates from FITS.

    Parameters
    ----------
    path : str or path-like
        The file, tile-compressed, gzipped or neither; or a level 2 image of
        Roman in ASDF, which needs ``psfphot[jwst]``. Text may have the extension
        in brackets: ``image.fits[SCI,2]``.
    ext : str, optional
        The extension as a number (``"2"``), a name (``"SCI"``), or a name and
        its version (``"SCI,2"``), and the plane of a cube, counted from 0, in
        brackets (``"SCI[2]"``). By default SCI if there is one, otherwise the
        first two-dimensional image.
    error : str, optional
        The 1-sigma errors: a number for all pixels, ``FILE``, ``FILE[EXT]``,
        ``[EXT]`` in the same file, or ``none``. By default the extension ERR,
        VAR, VARIANCE or UNCERT of the same version, if there is one. Variances
        are told by the extension's name, which begins with VAR, or by UTYPE.
    mask : str, optional
        ``FILE``, ``FILE[EXT]`` or ``[EXT]``: not zero is bad; or
        ``EXT OP NUMBER``, as ``WHT==0``: what that is true of is bad.
    dq : str, optional
        The extension with the data quality, or ``none``. By default the DQ
        extension of the same version, if there is one.
    dq_bits : str, optional
        Which of its bits are bad: ``all``, values joined by commas (``4,16``),
        or ``~`` and those that are not. By default 1 (DO_NOT_USE) for JWST
        and Roman and all for others.
    weight : str, optional
        The weights of the pixels: ``FILE``, ``FILE[EXT]``, ``EXT`` or ``[EXT]``
        in the same file, or ``none``. Pixels whose weight is not finite, 0 or
        negative have no data; the errors are made of the others. By default the
        WHT extension, if there is one, tells the pixels without data alone.
    weight_type : {"exposure", "ivar"}, optional
        What ``weight`` is: relative, the default, which is scaled to the
        measured noise; or the inverse variance.

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
    MissingPackageError
        If it is Roman's and the packages for it are not installed.
    ValueError
        If an argument cannot be understood, or both ``error`` and ``weight``
        are to give the errors.
    """
    words = PlaneWords(error, mask, dq, dq_bits, weight, weight_type)
    return read_image_up_to(math.inf, path, ext, words)


class LargeImageError(ValueError):
    """An image has more pixels than are to be read.

    Attributes
    ----------
    shape : (ny, nx)
        Of the image.
    """

    def __init__(self, name: str, shape: tuple[int, int]) -> None:
        self.shape = shape
        super().__init__(f"{name}: is larger than what is to be read: {shape}")


def read_image_up_to(
    most: float, path: str | os.PathLike[str], ext: str | None, words: PlaneWords
) -> FitsImage:
    """Read an image as `read_image`, if it has no more than so many pixels.

    Raises
    ------
    LargeImageError
        If it has more.
    """
    words.check()
    path = as_path(path)
    if ext is None:
        path, ext = split_extension(path)
    if path.suffix.lower() == ".asdf":
        given = (words.error, words.mask, words.dq, words.weight)
        names = ("error", "mask", "dq", "weight")
        _refuse_for_asdf(ext=ext, **dict(zip(names, given, strict=True)))
        return read_roman(path, words.dq_bits)
    with open_fits(path) as hdus:
        hdu, plane = choose_image(hdus, ext, path)
        if math.prod(hdu.shape[-2:]) > most:
            raise LargeImageError(str(path), hdu.shape[-2:])
        name = name_of_image(hdus, hdu, plane, path)
        refuse_time_series(hdus, hdu, plane, name)
        data = read_plane(hdu, name, plane)
        header, primary = hdu.header.copy(), hdus[0].header.copy()
        unit = find_unit(header, name)
        owner = Owner(hdus, hdu, path, name, data.shape, unit, plane)
        planes = find_planes(owner, words)
        facts = find_facts(owner, header, primary)
        parts = find_variances(owner) if words.error is None else {}
    weights, errors, quality = planes.weight, planes.error, planes.quality
    bad = {"not finite": ~np.isfinite(data)}
    if bad["not finite"].all():
        msg = f"{name}: has no pixel with a finite value"
        raise FileFormatError(msg)
    bad |= {plane.source: plane.pixels for plane in planes.bad}
    mask_of_all = joined_masks(bad, name)
    if weights is not None and not is_none(words.weight):
        errors = error_of_weight(data, weights, words.weight_type, mask_of_all)
    if errors is not None:
        usable = np.isfinite(errors.pixels) & (errors.pixels > 0)
        bad["no usable error"] = ~usable
        mask_of_all = joined_masks(bad, name)
    return FitsImage(
        data,
        None if errors is None else errors.pixels,
        mask_of_all,
        unit,
        facts.coordinates.wcs,
        header,
        name,
        error_source="" if errors is None else errors.source,
        n_masked={what: int(np.count_nonzero(pixels)) for what, pixels in bad.items()},
        primary=primary,
        masks=bad,
        weight=None if weights is None else weights.pixels,
        saturated=_pixels(quality and quality.saturated),
        saturation=find_saturation(facts.keyword, data),
        **facts.fields(),
        var_poisson=None if planes.error is None else parts.get("var_poisson"),
        var_rnoise=None if planes.error is None else parts.get("var_rnoise"),
    )


def read_detector(path: str | os.PathLike[str], ext: str | None = None) -> Detector:
    """Read from the headers alone which detector an image is of.

    Parameters
    ----------
    path, ext
        As for `read_image`.

    Returns
    -------
    detector : `Detector`
        One that says nothing where the file cannot be read.
    """
    with contextlib.suppress(OSError, FileFormatError), _chosen(path, ext) as hdus:
        headers = tuple(hdu.header for hdu in hdus)
        return find_detector(lambda key: keyword_value(headers, key, str(path)))
    return Detector()


def read_shape(
    path: str | os.PathLike[str], ext: str | None = None
) -> tuple[int, int] | None:
    """Read from the headers alone how large an image is.

    Parameters
    ----------
    path, ext
        As for `read_image`.

    Returns
    -------
    shape : (ny, nx) or `None`
        `None` where the file cannot be read, or is no FITS file, or where it has no
        rows and columns.
    """
    with contextlib.suppress(OSError, FileFormatError), _chosen(path, ext) as hdus:
        shape = hdus[0].shape
        return shape[-2:] if len(shape) > 1 else None
    return None


@contextlib.contextmanager
def _chosen(path: str | os.PathLike[str], ext: str | None) -> Iterator[tuple[Any, Any]]:
    """Open a file for the headers of its image, and the primary one."""
    with open_fits(as_path(path)) as hdus:
        hdu, _ = choose_image(hdus, ext, as_path(path))
        yield hdu, hdus[0]


def write_image(
    path: str | os.PathLike[str],
    data: NDArray[Any],
    like: FitsImage,
    *,
    history: str,
    error: NDArray[Any] | None = None,
) -> None:
    """Write an image with the header, so with the coordinates, of another.

    Parameters
    ----------
    path : str or path-like
        The file to write; replaced if it is there.
    data : 2D array
        The pixels, of the same shape as ``like``.
    like : `FitsImage`
        The image whose unit and coordinates these are; the lookup tables of its
        distortion come along.
    history : str
        How the image was made, for its HISTORY.
    error : 2D array, optional
        Errors for an ERR extension; then the image goes into SCI.
    """
    check_instance(like, FitsImage, "like")
    path = as_path(path)
    header = image_header(like, history)
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
        hdus.extend(table.copy() for table in like.tables)
        hdus.writeto(part, output_verify="silentfix+ignore", overwrite=True)


def image_header(like: FitsImage, history: str) -> fits.Header:
    """Make the header of an image that is made from another."""
    header = like.header.copy()
    for key in _STORAGE_KEYS:
        header.remove(key, ignore_missing=True)
    header.add_history(history)
    return header


def _pixels(plane: Plane | None) -> NDArray[Any] | None:
    return None if plane is None else plane.pixels


def _refuse_for_asdf(**given: str | None) -> None:
    for option, text in given.items():
        if text is not None:
            msg = (
                f"{option} is for FITS files, an ASDF file has all in it; got {text!r}"
            )
            raise ValueError(msg)
