"""The file formats of PSF models; of grids as astropy's registry knows them."""

from __future__ import annotations

import gzip
from typing import Any

from astropy.io import fits, registry
from astropy.utils.data import get_readable_fileobj

from psfphot.psf._files.connect import GriddedPSFModelRead, GriddedPSFModelWrite
from psfphot.psf._files.grid_file import FITS_START, GZIP_START, each_hdu
from psfphot.psf._files.psfex import read_psfex
from psfphot.psf._files.stdpsf import read_stdpsf
from psfphot.psf._files.stpsf import read_stpsf
from psfphot.psf._files.stpsf_writer import write_stpsf
from psfphot.psf._models.gridded import GriddedPSFModel
from psfphot.psf._models.polynomial import PolynomialPSFModel

_ORDERS = ("auto", "header", "sorted")


def _read_stpsf(
    path: Any,
    detector_id: int | None = None,
    grid_order: str = "auto",
) -> GriddedPSFModel:
    """Read a grid of PSFs from a FITS file as STPSF (WebbPSF) writes it.

    Parameters
    ----------
    path : path-like, file object or `~astropy.io.fits.HDUList`
        The file.
    detector_id : int or None, optional
        Has no effect: the file holds one detector.
    grid_order : {'auto', 'header', 'sorted'}, optional
        Which detector position belongs to which image; see
        ``GriddedPSFModel.read.help()``.

    Returns
    -------
    GriddedPSFModel
        The model; its ``meta`` is the header in lower case.

    Notes
    -----
    The keywords are ``OVERSAMP``, and ``DET_YX0``, ``DET_YX1``, ... with the
    position "(y, x)" of each image of the stack (N, ny, nx).
    """
    del detector_id
    _check_order(grid_order)
    return GriddedPSFModel(read_stpsf(path, grid_order))


def _read_stdpsf(
    path: Any,
    detector_id: int | None = None,
    grid_order: str = "auto",
) -> GriddedPSFModel:
    """Read a grid of PSFs from an STDPSF file (J. Anderson's ePSF libraries).

    Parameters
    ----------
    path : path-like, file object or `~astropy.io.fits.HDUList`
        The file.
    detector_id : int or None, optional
        Which detector of a file that holds several: WFPC2 1 PC, 2 WF2, 3 WF3,
        4 WF4; ACS/WFC and WFC3/UVIS 1 chip 2, which is extension (SCI, 1), and
        2 chip 1; NIRCam SW (NRCSW) 1 to 4 A1 to A4, 5 to 8 B1 to B4.
    grid_order : {'auto', 'header', 'sorted'}, optional
        Has no effect: these files have one order.

    Returns
    -------
    GriddedPSFModel
        The model, oversampled 4 times; ``meta`` has instrument, detector and
        filter from the file's name.

    Notes
    -----
    The keywords are ``NXPSFS``, ``NYPSFS``, and the positions, counted from 1,
    ``IPSFX01``, ..., ``JPSFY01``, ... or ``IPSFXA5``, ..., ``JPSFYA5``, ...
    """
    _check_order(grid_order)
    return GriddedPSFModel(read_stdpsf(path, detector_id))


def _read_psfex(
    cls: type[PolynomialPSFModel], path: Any, extension: int | None = None
) -> PolynomialPSFModel:
    """Read a PSF that PSFEx wrote.

    The images are brought to a whole number of samples per pixel by the
    interpolation with which PSFEx made them, and normalised so that the
    flux is total at every position.

    Parameters
    ----------
    path : path-like, file object or `~astropy.io.fits.HDUList`
        The file, ``.psf``.
    extension : int or None, optional
        Which PSF of a file with one for each extension of an image, from 1.

    Returns
    -------
    PolynomialPSFModel
        The model; ``meta`` has what the header says of its quality.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not such a file, or the PSF varies with something else
        than the position.
    """
    images = read_psfex(path, extension)
    return cls(
        images.data,
        images.center,
        images.scale,
        oversampling=images.oversampling,
        meta=images.meta,
    )


def _check_order(grid_order: Any) -> None:
    """Refuse what is no ``grid_order``.

    Raises
    ------
    ValueError
        Unless it is ``'auto'``, ``'header'`` or ``'sorted'``.
    """
    if grid_order not in _ORDERS:
        msg = f"grid_order must be 'auto', 'header' or 'sorted', got {grid_order!r}"
        raise ValueError(msg)


def _is_stpsf(origin: str, path: Any, fileobj: Any, *args: Any, **_: Any) -> bool:
    if origin == "write":
        return True  # unless another writer wants the file
    header = _header(path, fileobj, args)
    return all(key in header for key in ("OVERSAMP", "DET_YX0"))


def _is_stdpsf(origin: str, path: Any, fileobj: Any, *args: Any, **_: Any) -> bool:
    if origin == "write":
        return False
    header = _header(path, fileobj, args)
    return all(key in header for key in ("NXPSFS", "NYPSFS"))


def _header(path: Any, fileobj: Any, args: tuple[Any, ...]) -> fits.Header:
    """Read the header of the first image; empty if it is no FITS file."""
    try:
        if args and isinstance(args[0], fits.HDUList):
            hdus = each_hdu(args[0])
            images = (hdu for hdu in hdus if hdu.is_image and hdu.header["NAXIS"])
            return next((hdu.header for hdu in images), fits.Header())
        if fileobj is None:
            with get_readable_fileobj(path, encoding="binary") as opened:
                return _first_header(opened)
        start = fileobj.tell()
        try:
            return _first_header(fileobj)
        finally:
            fileobj.seek(start)
    except Exception:  # noqa: BLE001  (not recognised; reading says why)
        return fits.Header()


def _first_header(file: Any) -> fits.Header:
    start = file.read(len(FITS_START))
    file.seek(-len(start), 1)
    if start.startswith(GZIP_START):
        file = gzip.GzipFile(fileobj=file)
    elif start != FITS_START:
        return fits.Header()
    header = fits.Header.fromfile(file)
    # Images in extensions follow a header without data.
    while header.get("NAXIS") == 0:
        header = fits.Header.fromfile(file)
    return header


# Models know no files: how they meet the formats is theirs from here.
PolynomialPSFModel.read = classmethod(_read_psfex)
GriddedPSFModel.read = registry.UnifiedReadWriteMethod(GriddedPSFModelRead)
GriddedPSFModel.write = registry.UnifiedReadWriteMethod(GriddedPSFModelWrite)

with registry.delay_doc_updates(GriddedPSFModel):
    for _format in ("stpsf", "webbpsf"):
        registry.register_reader(_format, GriddedPSFModel, _read_stpsf)
        registry.register_writer(_format, GriddedPSFModel, write_stpsf, priority=-1)
    registry.register_identifier("stpsf", GriddedPSFModel, _is_stpsf)
    registry.register_reader("stdpsf", GriddedPSFModel, _read_stdpsf)
    registry.register_identifier("stdpsf", GriddedPSFModel, _is_stdpsf)
