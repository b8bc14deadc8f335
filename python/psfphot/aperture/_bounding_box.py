"""The pixels that an aperture touches."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral


@dataclass(frozen=True)
class BoundingBox:
    """A rectangle of pixels; upper ends are one past the last.

    Attributes
    ----------
    ixmin, ixmax : int
        First column, and one past the last.
    iymin, iymax : int
        First row, and one past the last.

    Raises
    ------
    TypeError
        If one is not an integer.
    ValueError
        If one past the last is before the first.
    """

    ixmin: int
    ixmax: int
    iymin: int
    iymax: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, Integral) or isinstance(value, bool):
                msg = f"{field.name} must be an integer, got {value!r}"
                raise TypeError(msg)
        for low, high in (("ixmin", "ixmax"), ("iymin", "iymax")):
            if getattr(self, low) > getattr(self, high):
                msg = (
                    f"{low} must be <= {high}, "
                    f"got {getattr(self, low)} and {getattr(self, high)}"
                )
                raise ValueError(msg)

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
