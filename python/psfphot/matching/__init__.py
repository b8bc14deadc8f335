"""Matching of catalogues by position."""

from psfphot.matching._positions import match_positions
from psfphot.matching._xyxy import XYXYMatch

__all__ = ["XYXYMatch", "match_positions"]
