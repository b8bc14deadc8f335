"""Warnings of their own kind, which `psfphot.utils.exceptions` has for users."""

from astropy.utils.exceptions import AstropyDeprecationWarning, AstropyWarning


class NoDetectionsWarning(AstropyWarning):  # type: ignore[misc]  # astropy has no types
    """Nothing was found."""


class PhotutilsDeprecationWarning(AstropyDeprecationWarning):  # type: ignore[misc]
    """A name or a way of calling that photutils has given up, and that still works."""


# Users know them by this address.
for _warning in (NoDetectionsWarning, PhotutilsDeprecationWarning):
    _warning.__module__ = "psfphot.utils.exceptions"
