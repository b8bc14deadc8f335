"""Reader of PSFEx files: images that are the coefficients of a polynomial.

The file is a FITS binary table PSF_DATA with one row and one column, PSF_MASK.
Its step PSF_SAMP may be any fraction of a pixel, or more than one; between the
samples PSFEx interpolates by Lanczos' function of four lobes, by which it also
fitted them. The same function brings them here to a whole number of samples
per pixel, close enough for a spline.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot._files import check_memory
from psfphot._validate import finite_or_none
from psfphot.psf._files.grid_file import each_hdu, hdu_bytes, open_psf_file

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

#: Number of images by the degree of the polynomial.
_TERMS = (1, 3, 6, 10, 15)

#: More variables than this no file of PSFEx has.
_MOST_AXES = 99

#: Lobes of Lanczos' function on each side.
_LOBES = 4

#: Samples per pixel at least, and per step of the file.
_PER_PIXEL = 4
_PER_STEP = 2

#: What the polynomial is one of: SExtractor's positions, however measured.
_POSITION = re.compile(r"(?P<axis>[XY])[A-Z]*_IMAGE(_DBL)?")


class PolynomialImages(NamedTuple):
    """What a `psfphot.psf.PolynomialPSFModel` is made of."""

    data: NDArray[np.float64]
    center: tuple[float, float]
    scale: tuple[float, float]
    oversampling: int
    meta: dict[str, Any]


def psfex_tables(hdus: fits.HDUList) -> list[fits.BinTableHDU]:
    """Return the tables of a file that hold PSFs of PSFEx."""
    return [
        hdu
        for hdu in each_hdu(hdus)
        if "PSFAXIS1" in hdu.header and "PSF_MASK" in (_column_names(hdu) or ())
    ]


def read_psfex(source: Any, extension: int | None = None) -> PolynomialImages:
    """Read a PSF from a file of PSFEx.

    Parameters
    ----------
    source : path-like, file object or `~astropy.io.fits.HDUList`
        The file.
    extension : int or None, optional
        Which PSF of a file with one for each extension of an image, from 1.

    Returns
    -------
    PolynomialImages
        The images, normalised, and the polynomial's variables.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not such a file, or the PSF varies with something else than the
        position, or more than by the fourth degree.
    """
    with open_psf_file(source) as (name, hdus):
        tables = psfex_tables(hdus)
        if not tables:
            msg = f"{name}: not a file of PSFEx, which has a table with PSF_MASK"
            raise ValueError(msg)
        if extension is None and len(tables) > 1:
            msg = f"{name}: has {len(tables)} PSFs; say which by extension, from 1"
            raise ValueError(msg)
        number = 1 if extension is None else extension
        if not 1 <= number <= len(tables):
            msg = f"{name}: extension must be 1 to {len(tables)}, got {extension!r}"
            raise ValueError(msg)
        table = tables[number - 1]
        header = table.header.copy()
        check_memory(hdu_bytes(table), name)
        try:
            mask = np.array(table.data["PSF_MASK"][0], dtype=np.float64)
        except (IndexError, TypeError, ValueError) as exc:
            msg = f"{name}: PSF_MASK is damaged or cut off ({exc})"
            raise ValueError(msg) from exc
    center, scale, degree = _polynomial(header, name)
    images = _images(mask, header, _TERMS[degree], name)
    step = _number(header, "PSF_SAMP", name)
    if not 0 < step <= _PER_STEP * _PER_PIXEL:
        msg = f"{name}: PSF_SAMP must be above 0 and at most 8, got {step:g}"
        raise ValueError(msg)
    oversampling = max(_PER_PIXEL, math.ceil(_PER_STEP / step))
    data = _normalised(_resampled(images, step, oversampling), oversampling, name)
    keys = ("PSF_FWHM", "PSF_SAMP", "CHI2", "LOADED", "ACCEPTED")
    meta = {key.lower(): header[key] for key in keys if key in header}
    return PolynomialImages(data, center, scale, oversampling, meta)


def _column_names(hdu: Any) -> list[str] | None:
    return getattr(getattr(hdu, "columns", None), "names", None)


def _polynomial(
    header: fits.Header, name: str
) -> tuple[tuple[float, float], tuple[float, float], int]:
    """Return centre and scale, from pixel 0, and the degree."""
    n_axes = header.get("POLNAXIS", 0)
    if not isinstance(n_axes, int) or not 0 <= n_axes <= _MOST_AXES:
        msg = f"{name}: POLNAXIS must be 0 to {_MOST_AXES}, got {n_axes!r}"
        raise ValueError(msg)
    if n_axes == 0:
        return (0.0, 0.0), (1.0, 1.0), 0
    names = [str(header.get(f"POLNAME{i}", "")).strip() for i in range(1, n_axes + 1)]
    matches = [_POSITION.fullmatch(key) for key in names]
    if [match and match["axis"] for match in matches] != ["X", "Y"]:
        msg = (
            f"{name}: the PSF must vary with X_IMAGE, Y_IMAGE or not at all, "
            f"it does with {', '.join(names)}"
        )
        raise ValueError(msg)
    groups = [header.get(f"POLGRP{i}", 1) for i in (1, 2)]
    degree = header.get("POLDEG1")
    is_degree = isinstance(degree, int) and degree in range(len(_TERMS))
    if groups[0] != groups[1] or not is_degree:
        msg = (
            f"{name}: x and y must be of one group, and its degree 0 to "
            f"{len(_TERMS) - 1}, got the groups {groups} and POLDEG1 = {degree}"
        )
        raise ValueError(msg)
    x, y = (_number(header, f"POLZERO{i}", name) - 1 for i in (1, 2))
    scales = [_number(header, f"POLSCAL{i}", name) for i in (1, 2)]
    if min(scales) <= 0:
        msg = f"{name}: POLSCAL1 and POLSCAL2 must be positive, got {scales}"
        raise ValueError(msg)
    return (x, y), (scales[0], scales[1]), degree


def _images(
    mask: NDArray[np.float64], header: fits.Header, n_terms: int, name: str
) -> NDArray[np.float64]:
    shape = tuple(int(_number(header, f"PSFAXIS{i}", name)) for i in (2, 1))
    wanted = (n_terms, *shape)
    if min(shape) < 1 or mask.size != math.prod(wanted):
        msg = f"{name}: PSF_MASK must have the shape {wanted}, has {mask.shape}"
        raise ValueError(msg)
    if not np.isfinite(mask).all():
        msg = f"{name}: PSF_MASK has NaN or infinite values"
        raise ValueError(msg)
    return mask.reshape(wanted)


def _resampled(
    images: NDArray[np.float64], step: float, oversampling: int
) -> NDArray[np.float64]:
    """Interpolate at a whole number of samples per pixel about the centre."""
    ny, nx = images.shape[1:]
    along_y, along_x = (_lanczos(n, 1 / (step * oversampling)) for n in (ny, nx))
    return np.asarray(along_y @ images @ along_x.T)


def _lanczos(n: int, finer: float) -> NDArray[np.float64]:
    """Make the matrix that interpolates n samples at steps of ``finer``.

    PSFEx has the source at the sample n // 2, counted from 0. The new samples
    are as many to either side of it as the old reach.
    """
    half = int(np.ceil((n // 2) / finer))
    at = n // 2 + np.arange(-half, half + 1) * finer
    offsets = at[:, np.newaxis] - np.arange(n)
    all_offsets = at[:, np.newaxis] - np.arange(-2 * _LOBES, n + 2 * _LOBES)
    weights, every = (
        np.sinc(d) * np.sinc(d / _LOBES) * (np.abs(d) < _LOBES)
        for d in (offsets, all_offsets)
    )
    return np.asarray(weights / every.sum(axis=1, keepdims=True))


def _normalised(
    images: NDArray[np.float64], oversampling: int, name: str
) -> NDArray[np.float64]:
    """Make the flux total at every position.

    PSFEx normalises by the fluxes of an aperture, which itself holds more or
    less of the flux; older versions so that the samples sum to 1.
    """
    sums = images.sum(axis=(1, 2))
    if not sums[0] > 0:
        msg = f"{name}: the PSF must have a sum above 0, it has {sums[0]:g}"
        raise ValueError(msg)
    images = images / sums[0]
    images[1:] -= (sums[1:] / sums[0])[:, np.newaxis, np.newaxis] * images[0]
    return images * oversampling**2


def _number(header: fits.Header, key: str, name: str) -> float:
    value = header.get(key)
    number = finite_or_none(value)
    if number is None:
        msg = f"{name}: {key} must be a number, got {value!r}"
        raise ValueError(msg)
    return number
