"""Writer of grids of PSFs, in the layout of STPSF."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._core import __version__
from psfphot._files import FITS_SUFFIXES, check_writable, replacing
from psfphot.psf._files.grid_file import callers_level, file_name
from psfphot.psf._files.stpsf import STRUCTURE
from psfphot.psf._models.grid import sorted_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate import Image

# What is written from the model, or would make another format of the file.
_NOT_FROM_META = re.compile(
    r"DET_YX\d+|OVERSAMP(LING)?|GRID_XYPOS|GRID_ORDER|GRID_SHAPE|NUM_PSFS"
    r"|N[XY]PSFS|IPSFX\w\w|JPSFY\w\w|END"
)

# The names of STPSF's for those that STDPSF grids have.
_RENAMED = {"INSTRUMENT": "INSTRUME"}

_LONGEST_KEYWORD = 8


class Grid(Protocol):
    """What is written: images, their detector positions, and what goes with them."""

    meta: dict[str, Any]

    @property
    def data(self) -> Image:
        """The images, shape (N, ny, nx)."""

    @property
    def grid_xypos(self) -> NDArray[Any]:
        """Their detector positions (x, y), shape (N, 2)."""

    @property
    def oversampling(self) -> NDArray[np.int_]:
        """Samples per pixel, (y, x)."""

    @property
    def origin(self) -> NDArray[np.float64]:
        """Sample coordinates (x, y) of the source."""

    @property
    def fill_value(self) -> float | None:
        """The value off the images."""


def write_stpsf(model: Grid, path: Any, overwrite: bool = False) -> None:
    """Write a grid of PSFs into a FITS file in the layout of STPSF.

    Parameters
    ----------
    model : GriddedPSFModel
        The model; see ``GriddedPSFModel.write.help()`` for what the layout
        can hold.
    path : path-like or file object
        The file.
    overwrite : bool, optional
        Whether a file that is there may be replaced.
    """
    if hasattr(path, "write"):
        _save(_grid_hdu(model, file_name(path)), path)
        return
    path = Path(path).expanduser()
    check_writable(path, FITS_SUFFIXES, overwrite=overwrite)
    hdu = _grid_hdu(model, str(path))
    with replacing(path) as part:
        _save(hdu, part)


def _save(hdu: fits.PrimaryHDU, path: Any) -> None:
    with warnings.catch_warnings():
        # A comment that is cut to the card's length is no loss.
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        hdu.writeto(path, overwrite=True)


def _grid_hdu(model: Grid, name: str) -> fits.PrimaryHDU:
    _check_layout(model, name)
    hdu = fits.PrimaryHDU(np.asarray(model.data))
    header = hdu.header
    left_out = _add_meta(header, model.meta)
    header["OVERSAMP"] = int(model.oversampling[0]), "Samples per detector pixel"
    for i in _keyword_order(model.grid_xypos):
        x, y = map(float, model.grid_xypos[i])
        # Nine characters are beyond the standard, and read the same.
        key = _keyword(f"DET_YX{i}")
        header[key] = str((y, x)), f"The #{i} PSF's (y,x) position"
    header["NUM_PSFS"] = len(model.data), "The total number of PSFs"
    header["HISTORY"] = f"Written by psfphot {__version__}: image i is at DET_YXi,"
    header["HISTORY"] = "and both are in the order of y, then x."
    if model.fill_value != 0:
        left_out.append(f"fill_value={model.fill_value}")
    if left_out:
        msg = f"{name}: not written, for it has no place there: {', '.join(left_out)}"
        warnings.warn(msg, AstropyUserWarning, stacklevel=callers_level())
    return hdu


def _check_layout(model: Grid, name: str) -> None:
    os_y, os_x = model.oversampling.tolist()
    if os_y != os_x:
        msg = (
            f"{name}: the layout of STPSF has one OVERSAMP for y and x, "
            f"but the model's oversampling is {(os_y, os_x)}"
        )
        raise ValueError(msg)
    ny, nx = model.data.shape[1:]
    centre = [(nx - 1) / 2, (ny - 1) / 2]
    if model.origin.tolist() != centre:
        msg = (
            f"{name}: in the layout of STPSF a source is at the centre of its image, "
            f"{centre}, but the model's origin is {model.origin.tolist()}"
        )
        raise ValueError(msg)


def _keyword_order(positions: NDArray[Any]) -> list[int]:
    """Tell in which order the keywords stand.

    photutils before 3.1 gives image i the i-th keyword as it stands, and takes
    it for (x, y). Standing in the order of x, then y, they are what it needs,
    if they are the same positions with x and y exchanged; otherwise nothing is.
    """
    transposed = positions[:, ::-1]
    order = sorted_order(transposed)
    return [int(i) for i in order]


def _keyword(key: str) -> str:
    return key if len(key) <= _LONGEST_KEYWORD else f"HIERARCH {key}"


def _add_meta(header: fits.Header, meta: dict[str, Any]) -> list[str]:
    """Put what a header can hold into it; tell what it cannot."""
    left_out = []
    for name, entry in meta.items():
        key = str(name).upper()
        if _NOT_FROM_META.fullmatch(key) or STRUCTURE.fullmatch(key):
            continue
        # STPSF's own models have pairs of value and comment.
        match entry:
            case (value, str(comment)) if isinstance(entry, tuple):
                pass
            case value:
                comment = ""
        value = value.item() if isinstance(value, np.generic) else value
        card = _card(_keyword(_RENAMED.get(key, key)), value, comment)
        if card is None or card.keyword in header:
            left_out.append(f"meta[{name!r}]")
        else:
            header.append(card)
    return left_out


def _card(key: str, value: Any, comment: str) -> fits.Card | None:
    """Make a card of the header that is read as it is meant, if there is one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fits.verify.VerifyWarning)
            card = fits.Card(key, value, comment)
            card.verify("exception")
            read = fits.Card.fromstring(str(card)).value
    except (ValueError, TypeError, fits.verify.VerifyError):
        return None
    # Numbers of more digits than a card has are cut.
    cut = isinstance(value, float) and np.isclose(read, value, rtol=1e-9, atol=0)
    return card if read == value or cut else None
