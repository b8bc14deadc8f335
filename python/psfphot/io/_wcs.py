"""The coordinates of an image: gwcs where a file has it, its header's otherwise."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from psfphot.io._gwcs import (
    INSTALL,
    GeneralizedWCS,
    has_gwcs,
    place_gwcs,
    warn_of_approximation,
    wcs_of_extension,
)

if TYPE_CHECKING:
    from astropy.io import fits

#: Extensions with lookup tables of HST's distortion, and the keywords that ask
#: for them.
_TABLES = ("WCSDVARR", "D2IMARR")
_TABLE_KEYS = ("CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2", "D2IMEXT")


class Coordinates(NamedTuple):
    """An image's coordinates and what they are from."""

    wcs: WCS | GeneralizedWCS | None
    source: str

    @property
    def cutout(self) -> tuple[int, int] | None:
        """(x, y) of the image's first pixel on what a gwcs is of."""
        if not isinstance(self.wcs, GeneralizedWCS):
            return None
        x, y = self.wcs.offset
        return int(x), int(y)


def find_coordinates(header: fits.Header, hdus: fits.HDUList, name: str) -> Coordinates:
    """Find the celestial coordinates of an image.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        The image's.
    hdus : `~astropy.io.fits.HDUList`
        The file, for lookup tables and for gwcs.
    name : str
        The image, for messages.

    Returns
    -------
    coordinates : `Coordinates`
        Those of gwcs in the ASDF extension (JWST) where it is there and can be
        read; a warning says why it is not taken.
    """
    fits_wcs = _celestial_wcs(header, hdus, name)
    lookup = " with lookup tables" if lookup_tables(header, hdus) else ""
    kind = "" if fits_wcs is None else f"the header, {fits_wcs.wcs.ctype[0]}{lookup}"
    said = Coordinates(fits_wcs, kind)
    # Resampled images have no distortion: their header is exact.
    if fits_wcs is not None and fits_wcs.sip is None:
        return said
    if "ASDF" not in hdus or hdus["ASDF"].is_image:
        return said
    if not has_gwcs():
        if fits_wcs is not None:
            warn_of_approximation(name, f"off by up to 0.1 px; for gwcs {INSTALL}")
        return said
    shape = header["NAXIS2"], header["NAXIS1"]
    try:
        gwcs = wcs_of_extension(hdus)
        placed = None if gwcs is None else place_gwcs(gwcs, shape, fits_wcs)
    except Exception as exc:  # noqa: BLE001  (asdf's and gwcs's have many types)
        reason = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
        warn_of_approximation(name, f"for the gwcs cannot be read: {reason}")
        return said
    if placed is None:
        if gwcs is not None and fits_wcs is not None:
            warn_of_approximation(name, "for the gwcs in the file is of another image")
        return said
    x, y = placed.offset
    shifted = (
        "" if (x, y) == (0, 0) else f", of which this is a part from ({x:g}, {y:g})"
    )
    return Coordinates(placed, f"gwcs in the ASDF extension{shifted}")


def lookup_tables(header: fits.Header, hdus: fits.HDUList) -> list[Any]:
    """Copy the extensions without which a header's WCS cannot be read.

    Returns
    -------
    tables : list of `~astropy.io.fits.ImageHDU`
        Empty where the header asks for none.
    """
    if not any(key in header for key in _TABLE_KEYS):
        return []
    return [hdu.copy() for hdu in hdus if hdu.name in _TABLES]


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
        stacklevel=4,
    )
    return None
