"""Warnings of their own kind, which `psfphot.utils.exceptions` has for users."""

from astropy.utils.exceptions import (
    AstropyDeprecationWarning,
    AstropyUserWarning,
    AstropyWarning,
)


class DataErrorWarning(AstropyUserWarning):  # type: ignore[misc]  # astropy has no types
    """The errors of an image are the square roots of its own noisy pixels."""


class NoDetectionsWarning(AstropyWarning):  # type: ignore[misc]
    """Nothing was found."""


class PhotutilsDeprecationWarning(AstropyDeprecationWarning):  # type: ignore[misc]
    """A name or a way of calling that photutils has given up, and that still works."""


# Users know them by this address.
for _warning in (DataErrorWarning, NoDetectionsWarning, PhotutilsDeprecationWarning):
    _warning.__module__ = "psfphot.utils.exceptions"
