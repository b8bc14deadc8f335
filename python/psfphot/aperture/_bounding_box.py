"""The pixels that an aperture touches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BoundingBox:
    """A rectangle of pixels; upper ends are one past the last.

    Attributes
    ----------
    ixmin, ixmax : int
        First column, and one past the last.
    iymin, iymax : int
        First row, and one past the last.
    """

    ixmin: int
    ixmax: int
    iymin: int
    iymax: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.iymax - self.iymin, self.ixmax - self.ixmin

    @property
    def center(self) -> tuple[float, float]:
        """Its centre (y, x), pixels."""
        return 0.5 * (self.iymax - 1 + self.iymin), 0.5 * (self.ixmax - 1 + self.ixmin)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Its outer edges (x lowest, x highest, y lowest, y highest), pixels."""
        return self.ixmin - 0.5, self.ixmax - 0.5, self.iymin - 0.5, self.iymax - 0.5
