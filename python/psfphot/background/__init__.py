"""Backgrounds around sources."""

from psfphot.background._local import LocalBackground

__all__ = ["LocalBackground"]
