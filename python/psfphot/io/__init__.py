"""Images, PSFs and catalogues: from files, and into files.

FITS, tables, units and coordinates are astropy's; here is what is around
them: which extension to take, how a PSF image is normalised, how the sky is
estimated, and that a file is either written whole or not at all.
"""

from psfphot._files import check_writable, replacing
from psfphot.io._area import PixelArea, correct_pixel_area
from psfphot.io._catalogs import (
    CATALOG_SUFFIXES,
    add_sky_coordinates,
    add_snr,
    require_parquet,
    write_catalog,
    write_regions,
)
from psfphot.io._detector import Detector
from psfphot.io._errors import FileFormatError, MissingPackageError
from psfphot.io._fits import science_extensions, split_extension
from psfphot.io._fits_image import FitsImage
from psfphot.io._gwcs import GeneralizedWCS
from psfphot.io._images import IMAGE_SUFFIXES, read_detector, read_image, write_image
from psfphot.io._levels import HeaderValue
from psfphot.io._magnitudes import ZeroPoint, add_magnitudes, find_zero_point
from psfphot.io._masks import parse_mask
from psfphot.io._placement import DetectorCheck, check_detector, place_psf
from psfphot.io._planes import check_bits, check_error
from psfphot.io._psfs import Psf, measure_fwhm, read_psf
from psfphot.io._rounding import rounded
from psfphot.io._sky import Sky, estimate_sky
from psfphot.io._sources import PlacedSources, place_sources, start_column
from psfphot.io._tables import read_sources
from psfphot.io._weights import WEIGHT_TYPES

__all__ = [
    "CATALOG_SUFFIXES",
    "IMAGE_SUFFIXES",
    "WEIGHT_TYPES",
    "Detector",
    "DetectorCheck",
    "FileFormatError",
    "FitsImage",
    "GeneralizedWCS",
    "HeaderValue",
    "MissingPackageError",
    "PixelArea",
    "PlacedSources",
    "Psf",
    "Sky",
    "ZeroPoint",
    "add_magnitudes",
    "add_sky_coordinates",
    "add_snr",
    "check_bits",
    "check_detector",
    "check_error",
    "check_writable",
    "correct_pixel_area",
    "estimate_sky",
    "find_zero_point",
    "measure_fwhm",
    "parse_mask",
    "place_psf",
    "place_sources",
    "read_detector",
    "read_image",
    "read_psf",
    "read_sources",
    "replacing",
    "require_parquet",
    "rounded",
    "science_extensions",
    "split_extension",
    "start_column",
    "write_catalog",
    "write_image",
    "write_regions",
]
