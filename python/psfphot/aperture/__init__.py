"""Circular apertures and annuli: what PSF photometry needs of them.

photutils has apertures of all other shapes.
"""

from psfphot._absent import absent_names
from psfphot.aperture._bounding_box import BoundingBox
from psfphot.aperture._circles import (
    CircularAnnulus,
    CircularAperture,
    SkyCircularAnnulus,
    SkyCircularAperture,
)
from psfphot.aperture._flags import APERTURE_FLAGS, decode_aperture_flags
from psfphot.aperture._mask import ApertureMask
from psfphot.aperture._photometry import AperturePhotometry, aperture_photometry
from psfphot.aperture._pixel import PixelAperture
from psfphot.aperture._sky import SkyAperture
from psfphot.aperture._statistics import ApertureStats

__all__ = [
    "APERTURE_FLAGS",
    "ApertureMask",
    "AperturePhotometry",
    "ApertureStats",
    "BoundingBox",
    "CircularAnnulus",
    "CircularAperture",
    "PixelAperture",
    "SkyAperture",
    "SkyCircularAnnulus",
    "SkyCircularAperture",
    "aperture_photometry",
    "decode_aperture_flags",
]

__getattr__ = absent_names("aperture")
