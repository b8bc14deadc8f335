"""Backgrounds of images and around sources, and estimators of backgrounds.

The clipping is astropy's: `SigmaClip` is `astropy.stats.SigmaClip`.
"""

from astropy.stats import SigmaClip

from psfphot.background._coverage import Coverage, coverage_mask
from psfphot.background._estimators import (
    BackgroundBase,
    BiweightLocationBackground,
    MeanBackground,
    MedianBackground,
    MMMBackground,
    ModeEstimatorBackground,
    SExtractorBackground,
)
from psfphot.background._interpolators import BkgIDWInterpolator, BkgZoomInterpolator
from psfphot.background._local import (
    LocalBackground,
    as_local_background,
    levels_and_variances,
)
from psfphot.background._mesh import Background2D
from psfphot.background._residual import ResidualBackground2D
from psfphot.background._scatter import (
    BackgroundRMSBase,
    BiweightScaleBackgroundRMS,
    MADStdBackgroundRMS,
    StdBackgroundRMS,
)

__all__ = [
    "Background2D",
    "BackgroundBase",
    "BackgroundRMSBase",
    "BiweightLocationBackground",
    "BiweightScaleBackgroundRMS",
    "BkgIDWInterpolator",
    "BkgZoomInterpolator",
    "Coverage",
    "LocalBackground",
    "MADStdBackgroundRMS",
    "MMMBackground",
    "MeanBackground",
    "MedianBackground",
    "ModeEstimatorBackground",
    "ResidualBackground2D",
    "SExtractorBackground",
    "SigmaClip",
    "StdBackgroundRMS",
    "as_local_background",
    "coverage_mask",
    "levels_and_variances",
]
