"""Images, PSFs and catalogues: from files, and into files.

FITS, tables, units and coordinates are astropy's; here is what is around
them: which extension to take, how a PSF image is normalised, how the sky is
estimated, and that a file is either written whole or not at all.
"""

from psfphot.io._atomic import check_writable, replacing
from psfphot.io._catalogs import (
    CATALOG_SUFFIXES,
    add_sky_coordinates,
    write_catalog,
    write_regions,
)
from psfphot.io._errors import FileFormatError
from psfphot.io._images import IMAGE_SUFFIXES, FitsImage, read_image, write_image
from psfphot.io._psfs import Psf, measure_fwhm, read_psf
from psfphot.io._sky import Sky, estimate_sky

__all__ = [
    "CATALOG_SUFFIXES",
    "IMAGE_SUFFIXES",
    "FileFormatError",
    "FitsImage",
    "Psf",
    "Sky",
    "add_sky_coordinates",
    "check_writable",
    "estimate_sky",
    "measure_fwhm",
    "read_image",
    "read_psf",
    "replacing",
    "write_catalog",
    "write_image",
    "write_regions",
]
