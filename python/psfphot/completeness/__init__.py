"""Artificial-star tests: how complete, how biased, how certain a catalogue is.

`ArtificialStarTest` puts stars into an image, measures it again and looks for them;
`ArtificialStarResults` is what comes of it. ``psfphot completeness`` does the same.
"""

from psfphot.completeness._curve import CompletenessCurve, fit_completeness
from psfphot.completeness._cuts import QualityCuts
from psfphot.completeness._intervals import wilson_interval
from psfphot.completeness._map import CompletenessMap
from psfphot.completeness._results import ArtificialStarResults
from psfphot.completeness._run import ArtificialStarTest

__all__ = [
    "ArtificialStarResults",
    "ArtificialStarTest",
    "CompletenessCurve",
    "CompletenessMap",
    "QualityCuts",
    "fit_completeness",
    "wilson_interval",
]
