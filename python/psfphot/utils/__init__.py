"""Things that several sub-packages share and users may need."""

from psfphot._absent import absent_names
from psfphot.utils._colormaps import make_random_cmap
from psfphot.utils._cutouts import CutoutImage
from psfphot.utils._depths import ImageDepth
from psfphot.utils._errors import calc_total_error
from psfphot.utils._footprints import circular_footprint
from psfphot.utils._noise_model import NoiseModel
from psfphot.utils.exceptions import (
    DataErrorWarning,
    NoDetectionsWarning,
    PhotutilsDeprecationWarning,
)

__all__ = [
    "CutoutImage",
    "DataErrorWarning",
    "ImageDepth",
    "NoDetectionsWarning",
    "NoiseModel",
    "PhotutilsDeprecationWarning",
    "calc_total_error",
    "circular_footprint",
    "make_random_cmap",
]

__getattr__ = absent_names("utils")
