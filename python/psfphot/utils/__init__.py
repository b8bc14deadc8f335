"""Things that several sub-packages share and users may need."""

from psfphot.utils._colormaps import make_random_cmap
from psfphot.utils._errors import calc_total_error
from psfphot.utils.exceptions import NoDetectionsWarning, PhotutilsDeprecationWarning

__all__ = [
    "NoDetectionsWarning",
    "PhotutilsDeprecationWarning",
    "calc_total_error",
    "make_random_cmap",
]
