"""The readers of grids of PSFs as functions."""

from __future__ import annotations

from typing import Any

from psfphot._deprecated import by_keyword
from psfphot.psf._files.stdpsf import read_stdpsf
from psfphot.psf._files.stpsf import read_stpsf
from psfphot.psf._models.gridded import GriddedPSFModel

__all__ = ["stdpsf_reader", "webbpsf_reader"]


@by_keyword
def stdpsf_reader(filename: Any, detector_id: int | None = None) -> GriddedPSFModel:
    """Read an STDPSF file; ``GriddedPSFModel.read(filename, format="stdpsf")`` does it.

    Parameters
    ----------
    filename : path-like, file object or `~astropy.io.fits.HDUList`
        The file.
    detector_id : int or None, optional
        Which detector of a file that holds several; see
        ``GriddedPSFModel.read.help("stdpsf")``.

    Returns
    -------
    GriddedPSFModel
        The model.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not such a file, or needs another ``detector_id``.
    """
    return GriddedPSFModel(read_stdpsf(filename, detector_id))


def webbpsf_reader(filename: Any) -> GriddedPSFModel:
    """Read a file of STPSF (WebbPSF), as ``GriddedPSFModel.read(filename)`` does.

    Parameters
    ----------
    filename : path-like, file object or `~astropy.io.fits.HDUList`
        The file.

    Returns
    -------
    GriddedPSFModel
        The model.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not such a file.
    """
    return GriddedPSFModel(read_stpsf(filename))
