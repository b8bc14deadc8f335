"""The weights of an aperture's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._deprecated import by_keyword
from psfphot._validate import check_instance
from psfphot.aperture._bounding_box import BoundingBox

if TYPE_CHECKING:
    from astropy.units import Quantity
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from psfphot.aperture._bounding_box import Slices


class ApertureMask:
    """The parts of the pixels of a rectangle that are in an aperture.

    Parameters
    ----------
    data : 2D array_like
        The weights, 0 to 1.
    bbox : `BoundingBox`
        The rectangle, of the shape of ``data``.

    Raises
    ------
    TypeError
        If ``bbox`` is no `BoundingBox`.
    ValueError
        If the shapes differ.
    """

    def __init__(self, data: ArrayLike, bbox: BoundingBox) -> None:
        self.data = np.asanyarray(data)
        check_instance(bbox, BoundingBox, "bbox")
        if self.data.shape != bbox.shape:
            msg = (
                "mask data and bounding box must have the same shape, "
                f"got {self.data.shape} and {bbox.shape}"
            )
            raise ValueError(msg)
        self.bbox = bbox

    # NumPy gives the dtype by position.
    def __array__(
        self, dtype: DTypeLike | None = None, *, copy: bool | None = None
    ) -> NDArray[Any]:
        return np.array(self.data, dtype=dtype, copy=copy)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows and columns."""
        return self.data.shape

    def get_overlap_slices(
        self, shape: tuple[int, int]
    ) -> tuple[Slices, Slices] | tuple[None, None]:
        """Tell where image and mask overlap; see `BoundingBox.get_overlap_slices`."""
        return self.bbox.get_overlap_slices(shape)

    @by_keyword
    def to_image(
        self, shape: tuple[int, int], dtype: DTypeLike = float
    ) -> NDArray[Any] | None:
        """Put the weights into an image of zeros.

        Parameters
        ----------
        shape : (ny, nx)
            The shape of the image.
        dtype : dtype, optional
            Of what kind its pixels are.

        Returns
        -------
        2D ndarray or None
            The image; `None` if the mask is off it.
        """
        large, small = self.get_overlap_slices(_as_shape(shape))
        if large is None or small is None:
            return None
        image = np.zeros(shape, dtype)
        image[large] = self.data[small]
        return image

    @by_keyword
    def cutout(
        self, data: ArrayLike | Quantity, fill_value: float = 0.0, copy: bool = False
    ) -> Any:
        """Cut the mask's rectangle out of an image.

        Parameters
        ----------
        data : 2D array_like or Quantity
            The image.
        fill_value : float, optional
            The value of pixels off the image, in its unit.
        copy : bool, optional
            Whether to copy also where the rectangle is on the image as a whole.

        Returns
        -------
        2D ndarray or Quantity, or None
            The values; `None` if the mask is off the image.
        """
        image = np.asanyarray(data)
        large, small = self.get_overlap_slices(_as_shape(image.shape))
        if large is None or small is None:
            return None
        part = image[large]
        if part.shape == self.shape:
            return part.copy() if copy else part
        dtype = np.result_type(image.dtype, np.asarray(fill_value).dtype.type)
        whole: Any = np.full(self.shape, fill_value, dtype=dtype)
        unit = getattr(image, "unit", None)
        if unit is not None:
            whole = whole << unit
        whole[small] = part
        return whole

    @by_keyword
    def multiply(self, data: ArrayLike | Quantity, fill_value: float = 0.0) -> Any:
        """Multiply an image's part with the weights.

        Parameters
        ----------
        data : 2D array_like or Quantity
            The image.
        fill_value : float, optional
            The value where the weight is 0, in the image's unit; before the
            multiplication also that of pixels off the image.

        Returns
        -------
        2D ndarray or Quantity, or None
            The weighted values; `None` if the mask is off the image.
        """
        cutout = self.cutout(data, fill_value=fill_value)
        if cutout is None:
            return None
        with np.errstate(invalid="ignore", over="ignore"):
            weighted = cutout * self.data
        unit = getattr(weighted, "unit", None)
        weighted[self.data == 0] = fill_value if unit is None else fill_value * unit
        return weighted

    @by_keyword
    def get_values(
        self, data: ArrayLike | Quantity, mask: ArrayLike | None = None
    ) -> Any:
        """Give the weighted values of the pixels in the aperture.

        Parameters
        ----------
        data : 2D array_like or Quantity
            The image.
        mask : 2D array_like of bool, optional
            `True` for pixels to leave out.

        Returns
        -------
        1D ndarray or Quantity
            The values times their weights, where these are not 0; none if the mask
            is off the image.

        Raises
        ------
        ValueError
            If ``mask`` has another shape than the image.
        """
        image = np.asanyarray(data)
        bad = None if mask is None else np.asarray(mask, dtype=bool)
        if bad is not None and bad.shape != image.shape:
            msg = (
                "mask and data must have the same shape, "
                f"got {bad.shape} and {image.shape}"
            )
            raise ValueError(msg)
        large, small = self.get_overlap_slices(_as_shape(image.shape))
        if large is None or small is None:
            return image[:0].reshape(-1).astype(float)
        weights = self.data[small]
        used = weights > 0 if bad is None else (weights > 0) & ~bad[large]
        with np.errstate(invalid="ignore", over="ignore"):
            return image[large][used] * weights[used]


def _as_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:  # noqa: PLR2004
        raise ValueError(f"the image must be 2D, got the shape {shape}")
    return shape[0], shape[1]
