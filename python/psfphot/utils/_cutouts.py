"""Parts of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from astropy.nddata import extract_array, overlap_slices

from psfphot._deprecated import by_keyword
from psfphot.aperture import BoundingBox

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray


class CutoutImage:
    """A part of an image that knows where it is from.

    Parameters
    ----------
    data : 2D array_like
        The image.
    position : (y, x)
        The centre of the part, pixels.
    shape : (ny, nx)
        The shape of the part.
    mode : {'trim', 'partial', 'strict'}, optional
        What becomes of a part that is partly off the image: it is trimmed, it is
        filled, or it is refused.
    fill_value : float, optional
        The value of pixels off the image, for the mode 'partial'.
    copy : bool, optional
        Whether to copy; else the part is a view of the image where it can be.

    Attributes
    ----------
    data : 2D ndarray
        The part.
    shape : (ny, nx)
        Its shape.

    Raises
    ------
    `~astropy.nddata.NoOverlapError`
        If the part is off the image.
    `~astropy.nddata.PartialOverlapError`
        If it is partly so, and the mode is 'strict'.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.utils import CutoutImage
    >>> cutout = CutoutImage(np.arange(20).reshape(4, 5), (0, 2), (3, 3))
    >>> cutout.data
    array([[1, 2, 3],
           [6, 7, 8]])
    >>> cutout.xyorigin
    array([1, 0])
    """

    @by_keyword
    def __init__(  # noqa: PLR0917  (photutils' order)
        self,
        data: ArrayLike,
        position: tuple[float, float],
        shape: tuple[int, int],
        mode: Literal["trim", "partial", "strict"] = "trim",
        fill_value: float = np.nan,
        copy: bool = False,
    ) -> None:
        image = np.asanyarray(data)
        self.position = position
        self.input_shape = tuple(shape)
        self.mode = mode
        self.fill_value = fill_value
        self.copy = copy
        self.slices_original, self.slices_cutout = overlap_slices(
            image.shape, self.input_shape, position, mode=mode
        )
        part = extract_array(
            image, self.input_shape, position, mode=mode, fill_value=fill_value
        )
        self.data: NDArray[Any] = part.copy() if copy else part
        self.shape = self.data.shape

    # NumPy gives the dtype by position.
    def __array__(
        self, dtype: DTypeLike | None = None, *, copy: bool | None = None
    ) -> NDArray[Any]:
        return np.array(self.data, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(position={self.position}, shape={self.shape})"

    def __str__(self) -> str:
        kind = type(self)
        return f"<{kind.__module__}.{kind.__qualname__}>\nShape: {self.shape}"

    @property
    def bbox_original(self) -> BoundingBox:
        """The pixels of the image that are in the part."""
        return _box(self.slices_original)

    @property
    def bbox_cutout(self) -> BoundingBox:
        """The pixels of the part that are on the image."""
        return _box(self.slices_cutout)

    @property
    def xyorigin(self) -> NDArray[np.int_]:
        """The pixel (x, y) of the image that is the part's first; may be negative."""
        y, x = (each.start for each in self.slices_original)
        if self.mode == "partial":
            y, x = y - self.slices_cutout[0].start, x - self.slices_cutout[1].start
        return np.array((x, y))


def _box(slices: tuple[slice, slice]) -> BoundingBox:
    y, x = slices
    return BoundingBox(x.start, x.stop, y.start, y.stop)
