"""Warnings of their own kind."""

from psfphot._warnings import (
    DataErrorWarning,
    NoDetectionsWarning,
    PhotutilsDeprecationWarning,
)

__all__ = ["DataErrorWarning", "NoDetectionsWarning", "PhotutilsDeprecationWarning"]
