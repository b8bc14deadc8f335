"""Level 2 images of Roman's Wide Field Instrument, from ASDF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from psfphot._files import check_readable
from psfphot._validate import as_float_array
from psfphot.io._detector import find_detector
from psfphot.io._errors import FileFormatError, MissingPackageError
from psfphot.io._fits import parse_unit
from psfphot.io._fits_image import FitsImage, joined_masks
from psfphot.io._gwcs import INSTALL, GeneralizedWCS, has_gwcs, open_asdf
from psfphot.io._planes import check_bits

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: DO_NOT_USE, and SATURATED together with it.
_BAD, _SATURATED = "1", 1 | 2

#: Keywords of the header made for the image, and where their values are.
_KEYWORDS = {
    "INSTRUME": ("instrument", "name"),
    "DETECTOR": ("instrument", "detector"),
    "FILTER": ("instrument", "optical_element"),
    "EXPTIME": ("exposure", "exposure_time"),
    "PHOTMJSR": ("photometry", "conversion_megajanskys"),
    "PIXAR_SR": ("photometry", "pixel_area"),
}


def read_roman(path: Path, dq_bits: str | None = None) -> FitsImage:
    """Read a level 2 image by asdf and gwcs alone.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    dq_bits : str, optional
        Which bits of ``dq`` are bad; by default 1, DO_NOT_USE.

    Returns
    -------
    image : `~psfphot.io.FitsImage`
        With a header made of the file's meta data. The unit is DN/s unless the
        data have one.

    Raises
    ------
    FileFormatError
        If it is no such file.
    MissingPackageError
        If asdf and gwcs are not installed.
    """
    check_readable(path, "an ASDF file")
    if not has_gwcs():
        msg = f"{path}: ASDF needs asdf, asdf-astropy and gwcs: {INSTALL}"
        raise MissingPackageError(msg)
    bits = check_bits(_BAD if dq_bits is None else dq_bits)
    try:
        with open_asdf(path) as tree:
            roman = tree["roman"]
            meta = roman["meta"]
            data = _plane(roman["data"], f"{path.name}'s data")
            error = roman.get("err")
            flags = roman.get("dq")
            gwcs = meta.get("wcs")
    except Exception as exc:  # (asdf's faults have many types)
        reason = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
        msg = f"{path}: is no level 2 image of Roman that can be read: {reason}"
        raise FileFormatError(msg) from exc
    name = f"{path.name}[data]"
    header = _header(meta, getattr(roman["data"], "unit", None))
    bad = {"not finite": ~np.isfinite(data)}
    if error is not None:
        error = _plane(error, f"{path.name}'s err")
        bad["no usable error"] = ~(np.isfinite(error) & (error > 0))
    saturated = None
    if flags is not None:
        flags = np.asarray(flags).astype(np.int64)
        hit = flags != 0 if bits is None else (flags & bits) != 0
        said = "any bit" if bits is None else f"bits {dq_bits or _BAD}"
        bad[f"dq ({said})"] = hit
        saturated = (flags & _SATURATED) == _SATURATED
    for what, plane in {**bad, "err": error}.items():
        if plane is not None and plane.shape != data.shape:
            msg = f"{name}: the shape of {what} is {plane.shape}, not {data.shape}"
            raise FileFormatError(msg)
    ny, nx = data.shape
    wcs = None if gwcs is None else GeneralizedWCS(gwcs, (ny, nx))
    return FitsImage(
        data,
        error,
        joined_masks(bad, name),
        parse_unit(header["BUNIT"]),
        wcs,
        header,
        name,
        error_source="" if error is None else "err",
        n_masked={what: int(np.count_nonzero(hit)) for what, hit in bad.items()},
        primary=header,
        masks=bad,
        saturated=saturated,
        detector=find_detector(header.get),
        wcs_source="" if wcs is None else "gwcs",
    )


def _plane(values: Any, name: str) -> NDArray[Any]:
    array = as_float_array(np.asarray(getattr(values, "value", values)), name)
    if array.ndim != 2:  # noqa: PLR2004
        msg = f"{name}: a 2D image is needed, this one has {array.ndim} dimensions"
        raise FileFormatError(msg)
    return array


def _header(meta: Any, unit: Any) -> fits.Header:
    header = fits.Header()
    header["TELESCOP"] = "ROMAN"
    for key, (group, entry) in _KEYWORDS.items():
        value = (meta.get(group) or {}).get(entry)
        value = getattr(value, "value", value)
        if isinstance(value, str | int | float):
            header[key] = value
    header["BUNIT"] = "DN/s" if unit is None else unit.to_string()
    return header
