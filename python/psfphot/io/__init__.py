"""Images, PSFs and catalogues: from files, and into files.

FITS, tables, units and coordinates are astropy's; here is what is around
them: which extension to take, how a PSF image is normalised, how the sky is
estimated, and that a file is either written whole or not at all.
"""

from psfphot._files import check_writable, replacing
from psfphot.io._catalogs import (
    CATALOG_SUFFIXES,
    add_sky_coordinates,
    require_parquet,
    write_catalog,
    write_regions,
)
from psfphot.io._errors import FileFormatError, MissingPackageError
from psfphot.io._fits import science_extensions, split_extension
from psfphot.io._images import IMAGE_SUFFIXES, FitsImage, read_image, write_image
from psfphot.io._magnitudes import ZeroPoint, add_magnitudes, find_zero_point
from psfphot.io._planes import check_bits, check_error
from psfphot.io._psfs import Psf, measure_fwhm, read_psf
from psfphot.io._sky import Sky, estimate_sky
from psfphot.io._sources import PlacedSources, place_sources, read_sources, start_column

__all__ = [
    "CATALOG_SUFFIXES",
    "IMAGE_SUFFIXES",
    "FileFormatError",
    "FitsImage",
    "MissingPackageError",
    "PlacedSources",
    "Psf",
    "Sky",
    "ZeroPoint",
    "add_magnitudes",
    "add_sky_coordinates",
    "check_bits",
    "check_error",
    "check_writable",
    "estimate_sky",
    "find_zero_point",
    "measure_fwhm",
    "place_sources",
    "read_image",
    "read_psf",
    "read_sources",
    "replacing",
    "require_parquet",
    "science_extensions",
    "split_extension",
    "start_column",
    "write_catalog",
    "write_image",
    "write_regions",
]
