"""Finding stars in images."""

from psfphot.detection._iraf import IRAFStarFinder

__all__ = ["IRAFStarFinder"]
