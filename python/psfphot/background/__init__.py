"""Backgrounds around sources, and estimators of backgrounds.

The clipping is astropy's: `SigmaClip` is `astropy.stats.SigmaClip`.
"""

from astropy.stats import SigmaClip

from psfphot.background._estimators import (
    BackgroundBase,
    BiweightLocationBackground,
    MeanBackground,
    MedianBackground,
    MMMBackground,
    ModeEstimatorBackground,
    SExtractorBackground,
)
from psfphot.background._local import LocalBackground, as_local_background

__all__ = [
    "BackgroundBase",
    "BiweightLocationBackground",
    "LocalBackground",
    "MMMBackground",
    "MeanBackground",
    "MedianBackground",
    "ModeEstimatorBackground",
    "SExtractorBackground",
    "SigmaClip",
    "as_local_background",
]
