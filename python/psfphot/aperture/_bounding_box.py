"""The pixels that an aperture touches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psfphot._validate import MAX_INT, as_count

if TYPE_CHECKING:
    from typing import Self

Slices = tuple[slice, slice]


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
        If one of them is not an integer.
    ValueError
        If a lower end is above the upper one.
    """

    ixmin: int
    ixmax: int
    iymin: int
    iymax: int

    def __post_init__(self) -> None:
        for name in ("ixmin", "ixmax", "iymin", "iymax"):
            value = getattr(self, name)
            object.__setattr__(self, name, as_count(value, name, least=-MAX_INT))
        for low, high in (("ixmin", "ixmax"), ("iymin", "iymax")):
            if getattr(self, low) > getattr(self, high):
                msg = (
                    f"{low} must be <= {high}, "
                    f"got {getattr(self, low)} and {getattr(self, high)}"
                )
                raise ValueError(msg)

    @classmethod
    def from_float(cls, xmin: float, xmax: float, ymin: float, ymax: float) -> Self:
        """Make the smallest box of whole pixels that holds a rectangle.

        Parameters
        ----------
        xmin, xmax, ymin, ymax : float
            The edges of the rectangle, pixels.
        """
        return cls(
            math.floor(xmin + 0.5),
            math.ceil(xmax + 0.5),
            math.floor(ymin + 0.5),
            math.ceil(ymax + 0.5),
        )

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

    def get_overlap_slices(
        self, shape: tuple[int, int]
    ) -> tuple[Slices, Slices] | tuple[None, None]:
        """Tell which part of an image the box has, and which part of it the image.

        Parameters
        ----------
        shape : (ny, nx)
            The shape of the image.

        Returns
        -------
        of_image, of_box : tuple of two slices, or `None` both
            The rows and the columns of the image, and those of an array of the shape
            of the box. `None` if the box is off the image.
        """
        ny, nx = shape
        y0, y1 = max(self.iymin, 0), min(self.iymax, ny)
        x0, x1 = max(self.ixmin, 0), min(self.ixmax, nx)
        if y0 >= y1 or x0 >= x1:
            return None, None
        of_box = (
            slice(y0 - self.iymin, y1 - self.iymin),
            slice(x0 - self.ixmin, x1 - self.ixmin),
        )
        return (slice(y0, y1), slice(x0, x1)), of_box

    def union(self, other: BoundingBox) -> BoundingBox:
        """Make the smallest box that holds this one and another."""
        return BoundingBox(
            min(self.ixmin, other.ixmin),
            max(self.ixmax, other.ixmax),
            min(self.iymin, other.iymin),
            max(self.iymax, other.iymax),
        )

    def intersection(self, other: BoundingBox) -> BoundingBox | None:
        """Make the box of the pixels that two boxes share; `None` if there are none."""
        x0, x1 = max(self.ixmin, other.ixmin), min(self.ixmax, other.ixmax)
        y0, y1 = max(self.iymin, other.iymin), min(self.iymax, other.iymax)
        return None if x1 < x0 or y1 < y0 else BoundingBox(x0, x1, y0, y1)
