"""Warnings of their own kind."""

from psfphot._warnings import NoDetectionsWarning, PhotutilsDeprecationWarning

__all__ = ["NoDetectionsWarning", "PhotutilsDeprecationWarning"]
