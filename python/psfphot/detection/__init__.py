"""Finding stars in images."""

from psfphot._absent import absent_names
from psfphot.detection._base import StarFinderBase
from psfphot.detection._cosmic import detect_cosmic_rays
from psfphot.detection._dao import DAOStarFinder
from psfphot.detection._iraf import IRAFStarFinder
from psfphot.detection._matched import MatchedFilterFinder, MatchedFilterMaps
from psfphot.detection._peaks import find_peaks
from psfphot.detection._star import StarFinder

__all__ = [
    "DAOStarFinder",
    "IRAFStarFinder",
    "MatchedFilterFinder",
    "MatchedFilterMaps",
    "StarFinder",
    "StarFinderBase",
    "detect_cosmic_rays",
    "find_peaks",
]

__getattr__ = absent_names("detection")
