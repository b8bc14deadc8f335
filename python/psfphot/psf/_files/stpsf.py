"""Reader of the PSF grids that STPSF (formerly WebbPSF) writes."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.psf._files.grid_file import (
    callers_level,
    read_grid_file,
    whole_oversampling,
)
from psfphot.psf._models.grid import check_rectangular, sorted_order
from psfphot.psf._models.gridded import ReadImages
from psfphot.psf._models.sampled import MAX_OVERSAMPLING

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

# The day from which the development version of WebbPSF stored the images
# sorted (spacetelescope/webbpsf pull request 779), and the releases around it.
SORTED_SINCE = date(2023, 12, 11)
LAST_UNSORTED = (1, 2, 1)
FIRST_SORTED = (1, 3, 0)

# Keywords that describe the file and not the PSFs.
STRUCTURE = re.compile(
    r"SIMPLE|BITPIX|NAXIS\d*|EXTEND|XTENSION|PCOUNT|GCOUNT|BSCALE|BZERO"
    r"|CHECKSUM|DATASUM|COMMENT|HISTORY|"
)


def read_stpsf(source: Any, grid_order: str = "auto") -> ReadImages:
    """Read the images of an STPSF file with their positions, in the file's order.

    Parameters
    ----------
    source : path-like, file object or `~astropy.io.fits.HDUList`
        The file.
    grid_order : {'auto', 'header', 'sorted'}, optional
        Which position belongs to which image; see
        `psfphot.psf.GriddedPSFModel.read`.

    Returns
    -------
    ReadImages
        As `psfphot.psf.GriddedPSFModel` takes it; its meta data are the header
        in lower case and the ``grid_order`` that was used.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If the file is not such a grid; the message names the file and the
        keyword.
    """
    name, images, header = read_grid_file(source)
    oversampling = _oversampling(header, name)
    stated = header.get("NUM_PSFS", len(images))
    if stated != len(images):
        msg = f"{name}: NUM_PSFS is {stated!r}, but there are {len(images)} images"
        raise ValueError(msg)
    positions = _positions(header, len(images), name)
    if grid_order == "auto":
        grid_order = _decide_order(positions, header, name)
    if grid_order == "sorted":
        positions = positions[sorted_order(positions)]
    meta = {
        key.lower(): value
        for key, value in header.items()
        if not STRUCTURE.fullmatch(key)
    }
    meta |= {"grid_xypos": positions, "oversampling": oversampling}
    meta["grid_order"] = grid_order
    return ReadImages(images, meta=meta)


def _oversampling(header: fits.Header, name: str) -> int:
    missing = [key for key in ("OVERSAMP", "DET_YX0") if key not in header]
    if missing:
        msg = (
            f"{name}: not an STPSF grid, which has the keyword {missing[0]}, "
            "nor an STDPSF grid, which has NXPSFS and NYPSFS"
        )
        raise ValueError(msg)
    value = header["OVERSAMP"]
    oversampling = whole_oversampling(value)
    if oversampling is None:
        msg = (
            f"{name}: OVERSAMP must be a positive integer up to {MAX_OVERSAMPLING}, "
            f"got {value!r}"
        )
        raise ValueError(msg)
    return oversampling


# numpy 2 writes its numbers as "np.float64(100.0)".
_BARE = r"[-+]?[\d.]+(?:[eE][-+]?\d+)?"
_NUMBER = rf"\s*(?:np\.\w+\(\s*({_BARE})\s*\)|({_BARE}))\s*"
_PAIR = re.compile(rf"\s*\(?{_NUMBER},{_NUMBER}\)?\s*")


def _positions(header: fits.Header, n: int, name: str) -> NDArray[np.float64]:
    """Read (x, y) from the keywords DET_YX0, DET_YX1, ..., which hold "(y, x)"."""
    positions = np.empty((n, 2))
    for i in range(n):
        key = f"DET_YX{i}"
        if key not in header:
            msg = f"{name}: the keyword {key} is missing, for {n} images"
            raise ValueError(msg)
        match = _PAIR.fullmatch(str(header[key]))
        try:
            numbers = match.groups() if match else ()
            y, x = (float(number) for number in numbers if number is not None)
        except ValueError as exc:
            msg = f"{name}: {key} must be a pair '(y, x)', got {header[key]!r}"
            raise ValueError(msg) from exc
        positions[i] = x, y
    if f"DET_YX{n}" in header:
        msg = f"{name}: there is a keyword DET_YX{n}, but there are only {n} images"
        raise ValueError(msg)
    check_rectangular(positions, f"{name}: DET_YX")
    return positions


def _decide_order(
    positions: NDArray[np.float64], header: fits.Header, name: str
) -> str:
    """Tell 'header' or 'sorted' by who wrote the file, and when."""
    if np.array_equal(sorted_order(positions), np.arange(len(positions))):
        return "header"  # the same as 'sorted'
    order = _order_by_version(header) or _order_by_date(header)
    if order is not None:
        return order
    msg = (
        f"{name}: VERSION {header.get('VERSION')!r} and DATE {header.get('DATE')!r} "
        "do not tell whether the PSF images are in the order of the DET_YX keywords; "
        "assumed grid_order='sorted' (by y, then x), as all files since "
        f"{SORTED_SINCE} are. Give grid_order='sorted' or 'header' to choose."
    )
    warnings.warn(msg, AstropyUserWarning, stacklevel=callers_level())
    return "sorted"


def _order_by_version(header: fits.Header) -> str | None:
    if str(header.comments["VERSION"] if "VERSION" in header else "").startswith(
        "STPSF"
    ):
        return "sorted"
    release = _release(header)
    if release is None:
        return None
    version, is_final = release
    if version > FIRST_SORTED or (version == FIRST_SORTED and is_final):
        return "sorted"
    if version <= LAST_UNSORTED and is_final:
        return "header"
    return None


def _release(header: fits.Header) -> tuple[tuple[int, ...], bool] | None:
    """Read the release number of VERSION, and whether it is that release itself."""
    text = str(header.get("VERSION", "")).strip().removeprefix("v")
    match = re.fullmatch(r"(\d+)\.(\d+)(?:\.(\d+))?(.*)", text)
    if match is None:
        return None
    *numbers, rest = match.groups(default="0")
    is_final = rest in ("", "0")
    return tuple(map(int, numbers)), is_final


def _order_by_date(header: fits.Header) -> str | None:
    try:
        text = str(header["DATE"]).strip()
        written = datetime.fromisoformat(text).replace(tzinfo=UTC).date()
    except (KeyError, ValueError):
        return None
    if written < SORTED_SINCE:
        return "header"  # there was no other writer yet
    # After that day an old release may still have written it, unless the
    # version says that it was none.
    return "sorted" if _release(header) is not None else None
