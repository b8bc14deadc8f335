"""Warnings of their own kind."""

from astropy.utils.exceptions import AstropyWarning


class NoDetectionsWarning(AstropyWarning):  # type: ignore[misc]  # astropy has no types
    """Nothing was found."""
