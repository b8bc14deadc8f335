"""FITS files of PSF images: opening one, what to call it, what must hold for it."""

from __future__ import annotations

import errno
import gzip
import io
import math
import os
import re
import sys
import warnings
import zlib
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError, VerifyWarning
from astropy.table import Table

from psfphot._files import check_memory, check_readable
from psfphot.psf._models.sampled import MAX_OVERSAMPLING, MIN_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: How a FITS file begins that nobody packed.
FITS_START = b"SIMPLE"

#: How a file begins that gzip packed.
GZIP_START = b"\x1f\x8b"

#: Bytes that are unpacked at a time.
_PART = 2**26

# Keywords without which a grid cannot be read.
_NEEDED = re.compile(
    r"OVERSAMP|NUM_PSFS|DET_YX\d+|N[XY]PSFS|IPSFX\w\w|JPSFY\w\w|BSCALE|BZERO"
)


class GridFile(NamedTuple):
    """What was read of a file: what messages call it, images and header."""

    name: str
    images: NDArray[Any]
    header: fits.Header


def file_path(source: Any) -> str | None:
    """Tell the path of a file, where it has one.

    Parameters
    ----------
    source : path-like, file object or `~astropy.io.fits.HDUList`
        The file.

    Returns
    -------
    str or None
        The path as it was given to whoever opened the file.
    """
    if isinstance(source, fits.HDUList):
        source = source.filename()
    elif hasattr(source, "read"):
        source = getattr(source, "name", None)
    try:
        return os.fsdecode(source)
    except TypeError:  # no name, or the number of a descriptor
        return None


def file_name(source: Any) -> str:
    """Tell what messages call the file."""
    return file_path(source) or f"<{type(source).__name__}>"


def read_grid_file(source: Any) -> GridFile:
    """Read the first image of a FITS file, and its header.

    Parameters
    ----------
    source : path-like, file object or `~astropy.io.fits.HDUList`
        The file, which may be compressed. File objects are read from their
        start, where they can go there.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError
        If ``source`` is no such thing, or a file object that gives text.
    ValueError
        If it is not FITS, damaged, or without a finite stack (N, ny, nx) of
        images; the message names the file and the keyword.
    """
    with open_psf_file(source) as (name, hdus):
        hdu = next(
            (h for h in each_hdu(hdus) if h.is_image and h.header["NAXIS"]), None
        )
        if hdu is None:
            msg = f"{name}: no image in any extension (NAXIS is 0)"
            raise ValueError(msg)
        images, header = _load(hdu, name), _readable(hdu.header, name)
    is_own = images.flags.writeable and not isinstance(source, fits.HDUList)
    images = _native(_stack(images, name), name, is_own=is_own)
    return GridFile(name, images, header)


def _native(images: NDArray[Any], name: str, *, is_own: bool) -> NDArray[Any]:
    """Give finite images, big-endian in FITS, our byte order; in their place if own.

    The pages of a new array take as long as to read the file.
    """
    native = images.dtype.newbyteorder("=")
    if not is_own:
        images = images.astype(native)
    is_swapped = images.dtype != native
    for i, image in enumerate(images):  # one by one: each stays in the cache
        if is_swapped:
            image.byteswap(inplace=True)
        if not np.isfinite(image.view(native)).all():
            raise ValueError(f"{name}: image {i} has NaN or infinite values")
    return images.view(native)


@contextmanager
def open_psf_file(source: Any) -> Iterator[tuple[str, fits.HDUList]]:
    """Open a FITS file; give what messages call it, and its HDUs.

    Parameters
    ----------
    source : path-like, file object or `~astropy.io.fits.HDUList`
        The file, see `read_grid_file`.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError
        If ``source`` is no such thing, or a file object that gives text.
    ValueError
        If it is not FITS, or damaged; the message names the file.
    """
    name = file_name(source)
    refuse_pipe(source)
    try:
        with warnings.catch_warnings():
            # Said below, as an error, where it matters.
            warnings.filterwarnings("ignore", "File may have been truncated")
            # Old Fortran writers bend the standard: STDPSF files of NIRCam.
            warnings.simplefilter("ignore", VerifyWarning)
            with _opened(source, name) as hdus:
                yield name, hdus
    except (OSError, EOFError, zlib.error) as exc:
        # The operating system's; but of where a broken header sent it.
        if getattr(exc, "errno", None) not in (None, errno.EINVAL):
            raise
        raise _damaged(name, exc) from exc


def refuse_pipe(source: Any) -> None:
    """Raise an `OSError` for the path of what is there, but no regular file."""
    if isinstance(source, str | bytes | os.PathLike):
        path = Path(os.fsdecode(source)).expanduser()
        if path.exists():
            check_readable(path, "a FITS file")


def each_hdu(hdus: fits.HDUList) -> Iterator[Any]:
    """Go through the HDUs of a file, whose headers are read one after another.

    Raises
    ------
    `~astropy.io.fits.verify.VerifyError`
        If the data of one have a negative size. Astropy would go back in the
        file by it, and read the same headers for ever.
    """
    for number, hdu in enumerate(hdus):
        place = hdu.fileinfo()
        if place is not None and place["datSpan"] < 0:
            msg = f"HDU {number} has data of a negative size, by its NAXIS keywords"
            raise VerifyError(msg)
        yield hdu


def read_content(file: Any) -> bytes:
    """Read all bytes of a file object, from its start where it can go there.

    Raises
    ------
    TypeError
        If it gives text, or is no file.
    """
    if isinstance(file, Table):  # its `read` is another thing
        msg = f"filename must be the name of a file, got {type(file).__name__}"
        raise TypeError(msg)
    if getattr(file, "seekable", lambda: False)():
        file.seek(0)
    content = file.read()
    if not isinstance(content, bytes):
        msg = f"{file_name(file)}: the file must be opened in binary mode, 'rb'"
        raise TypeError(msg)
    return content


def hdu_bytes(hdu: Any) -> int:
    """Tell how many bytes the data of an HDU will take, by its header."""
    if hdu.is_image:
        shape = getattr(hdu, "shape", ())
        width = abs(int(hdu.header.get("BITPIX", 8))) // 8
        return width * math.prod(int(n) for n in shape) if shape else 0
    sizes = (hdu.header.get(key, 0) for key in ("NAXIS1", "NAXIS2"))
    return math.prod(n if isinstance(n, int) else 0 for n in sizes)


def unpacked(content: bytes, name: str) -> bytes:
    """Unpack what gzip packed, up to what the machine can hold.

    Raises
    ------
    OSError, EOFError
        If it is damaged.
    ValueError
        If it is too much.
    """
    parts, total = [], 0
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        while part := file.read(_PART):
            total += len(part)
            check_memory(2 * total, name)
            parts.append(part)
    return b"".join(parts)


def _damaged(name: str, exc: Exception) -> ValueError:
    return ValueError(f"{name}: not a FITS file, or a damaged one ({exc})")


@contextmanager
def _opened(source: Any, name: str) -> Iterator[fits.HDUList]:
    if isinstance(source, fits.HDUList):  # its owner's to close
        opened: Any = nullcontext(source)
    else:
        opened = _opened_fits(_openable(source, name))
    try:
        with opened as hdus:
            yield hdus
    except (KeyError, OverflowError, TypeError, VerifyError) as exc:
        # What astropy makes of a NAXIS1 that is missing, or a word.
        raise _damaged(name, exc) from exc


@contextmanager
def _opened_fits(source: Any) -> Iterator[fits.HDUList]:
    with ExitStack() as stack:
        # Where opening fails, astropy leaves a file open that it opened itself.
        if isinstance(source, str) and Path(source).is_file():
            source = stack.enter_context(Path(source).open("rb"))
        yield stack.enter_context(fits.open(source, memmap=False))


def _openable(source: Any, name: str) -> Any:
    """Make what astropy opens."""
    if hasattr(source, "read"):
        content = read_content(source)
        # By its content: a file called .gz may have been unpacked already.
        if content.startswith(GZIP_START):
            content = unpacked(content, name)
        return io.BytesIO(content)
    if not isinstance(source, str | bytes | os.PathLike):
        msg = f"path must be a path, a file object or an HDUList, got {source!r}"
        raise TypeError(msg)
    return os.path.expanduser(name)  # noqa: PTH111  (it may be a URL)


def _load(hdu: Any, name: str) -> Any:
    check_memory(hdu_bytes(hdu), name)
    try:
        images = hdu.data
    except (TypeError, ValueError) as exc:  # what astropy makes of missing bytes
        msg = f"{name}: the file ends before the image that NAXIS tells of ({exc})"
        raise ValueError(msg) from exc
    if images is None:
        raise ValueError(f"{name}: the image has no values, by its NAXIS1, NAXIS2...")
    return images


def _readable(header: fits.Header, name: str) -> fits.Header:
    """Copy a header without the cards whose values cannot be told."""
    readable = header.copy()
    # From the end, so that what is deleted moves none that are to come.
    for i, card in reversed([*enumerate(readable.cards)]):
        try:
            card.value  # noqa: B018  (parsed at first use)
        except VerifyError as exc:
            if _NEEDED.fullmatch(card.keyword):
                msg = f"{name}: the value of {card.keyword} cannot be read ({exc})"
                raise ValueError(msg) from exc
            del readable[i]
    return readable


def _stack(images: Any, name: str) -> Any:
    """Make the images a stack (N, ny, nx), and check its shape."""
    if images.ndim == 2:  # noqa: PLR2004  (one image, without an axis for it)
        images = images[np.newaxis]
    if images.ndim != 3:  # noqa: PLR2004
        msg = f"{name}: NAXIS must be 3 (or 2 for one PSF), got {images.ndim}"
        raise ValueError(msg)
    if min(images.shape) < 1 or min(images.shape[1:]) < MIN_SAMPLES:
        msg = (
            f"{name}: NAXIS1 and NAXIS2 must both be at least {MIN_SAMPLES}, "
            f"got images of {images.shape[2]} x {images.shape[1]}"
        )
        raise ValueError(msg)
    return images


def whole_oversampling(value: Any) -> int | None:
    """Tell the oversampling that a header's value means; `None` if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not (1 <= value <= MAX_OVERSAMPLING and value == int(value)):
        return None
    return int(value)


def callers_level() -> int:
    """Tell the stack level of who called psfphot, from whoever calls this.

    Between them are astropy's registry and whatever led to it.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in ("psfphot", "astropy")
