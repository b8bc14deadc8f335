"""Circular apertures: what PSF photometry needs of them.

photutils has apertures of all other shapes.
"""

from psfphot.aperture._bounding_box import BoundingBox
from psfphot.aperture._circles import CircularAnnulus, CircularAperture

__all__ = ["BoundingBox", "CircularAnnulus", "CircularAperture"]
