"""Images that are written a band of rows at a time."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from psfphot._files import file_suffix, replacing
from psfphot.io._fits import as_path
from psfphot.io._images import image_header
from psfphot.io._on_disk import bands_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot.io._fits_image import FitsImage

#: FITS files are of blocks of so many bytes.
_BLOCK = 2880


def write_image_by_rows(
    path: str | os.PathLike[str],
    like: FitsImage,
    rows_of: Callable[[slice], NDArray[Any]],
    *,
    history: str,
) -> None:
    """Write an image as `write_image` does, of which only some rows are in memory.

    Parameters
    ----------
    path : str or path-like
        The file to write; replaced if it is there.
    like : `FitsImage`
        The image whose shape, unit and coordinates these are.
    rows_of : callable
        Gives the pixels of some rows of it, 2D.
    history : str
        How the image was made, for its HISTORY.

    Raises
    ------
    ValueError
        If the file is to be compressed.
    """
    path = as_path(path)
    if file_suffix(path).endswith(".gz"):
        msg = f"{path}: an image that is written in parts cannot be compressed"
        raise ValueError(msg)
    ny, nx = like.shape
    header = image_header(like, history)
    with warnings.catch_warnings(), replacing(path) as part:
        # Keywords that bend the standard were in the input already.
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        header = fits.PrimaryHDU(np.zeros((1, 1), np.float32), header).header
        header["NAXIS1"], header["NAXIS2"] = nx, ny
        if like.tables:
            header.set("EXTEND", value=True, after="NAXIS2")
        with part.open("wb") as file:
            file.write(header.tostring().encode("ascii"))
            for rows in bands_of(like.shape):
                rows_of(rows).astype(">f4").tofile(file)
            file.write(bytes(-file.tell() % _BLOCK))
        for table in like.tables:
            fits.append(
                part, table.data, table.header, output_verify="silentfix+ignore"
            )
