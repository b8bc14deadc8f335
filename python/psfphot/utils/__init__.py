"""Things that several sub-packages share and users may need."""

from psfphot.utils._exceptions import NoDetectionsWarning

__all__ = ["NoDetectionsWarning"]
