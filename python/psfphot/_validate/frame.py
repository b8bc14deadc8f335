"""An image with its errors and mask: made into what the compiled core takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.nddata import NDData, StdDevUncertainty

from psfphot._validate.arrays import as_image, as_mask, nddata_values, split_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate.arrays import Image


class Frame(NamedTuple):
    """An image with its errors, mask and unit, ready for the core."""

    data: Image
    error: Image | None
    mask: NDArray[np.bool_] | None
    unit: u.UnitBase | None
    # The terms of a model of the noise, instead of errors: see `utils.NoiseModel`.
    noise: dict[str, Any] | None = None

    @property
    def arrays(self) -> tuple[Image, Image | None, NDArray[np.bool_] | None]:
        """(data, error, mask), as the functions of the core take them."""
        return self.data, self.error, self.mask


def unpack_nddata(data: NDData) -> tuple[Any, Any, Any]:
    """Take values, mask and 1-sigma error out of NDData, with its unit.

    Raises
    ------
    ValueError
        If the uncertainty says no standard deviation.
    """
    values = nddata_values(data)
    return values, data.mask, _own_error(data) if has_own_error(data) else None


def has_own_error(data: Any) -> bool:
    """Tell whether data bring their errors along, as NDData can."""
    return (
        isinstance(data, NDData)
        and data.uncertainty is not None
        and data.uncertainty.array is not None
    )


def refuse_two_errors(data: Any, error: Any) -> None:
    """Raise a `ValueError` if data that bring their errors get others."""
    if error is not None and has_own_error(data):
        msg = "error must be None where data has an uncertainty of its own"
        raise ValueError(msg)


def as_frame(
    data: Any, error: Any = None, mask: Any = None, *, needs_error: bool = True
) -> Frame:
    """Make data, error and mask into a `Frame`.

    The mask of a masked array or of NDData is joined to ``mask``; where the
    error is masked it becomes NaN. The uncertainty of NDData is the error,
    unless ``needs_error`` is `False`. ``data`` and ``error`` must both have
    units, or neither; the error is converted to the data's.

    Raises
    ------
    TypeError
        If an array has a dtype that cannot be used.
    ValueError
        If shapes or units do not go together, or there are two errors.
    """
    refuse_two_errors(data, error)
    if needs_error and has_own_error(data):
        error = _own_error(data)
    data, own_mask = split_mask(data)
    unit = getattr(data, "unit", None)
    image = as_image(data)
    bad = as_mask(mask, image.shape)
    if own_mask is not None:
        bad = own_mask if bad is None else bad | own_mask
    noise = None
    if error is not None:
        noise = _as_error(error, unit, image.shape)
        if noise.dtype != image.dtype:
            image, noise = image.astype(np.float64), noise.astype(np.float64)
    return Frame(image, noise, bad, unit)


def _own_error(data: NDData) -> Any:
    kind = type(data.uncertainty).__name__
    try:
        # An inverse variance of 0 is an infinite error.
        with np.errstate(divide="ignore", invalid="ignore"):
            sigma = data.uncertainty.represent_as(StdDevUncertainty)
    except Exception as exc:
        # Any class may be an uncertainty, and raise what it likes.
        msg = f"the uncertainty of data must say standard deviations, got {kind}"
        raise ValueError(msg) from exc
    error = np.asarray(sigma.array)
    return error if data.unit is None else error << (sigma.unit or data.unit)


def _as_error(error: Any, unit: u.UnitBase | None, shape: tuple[int, ...]) -> Image:
    error, unknown = split_mask(error)
    error_unit = getattr(error, "unit", None)
    if (unit is None) != (error_unit is None):
        msg = (
            "The inputs ['data', 'error'] must all have the same units: "
            f"data has {unit}, error has {error_unit}"
        )
        raise ValueError(msg)
    if unit is not None and error_unit != unit:
        try:
            error = u.Quantity(error).to(unit)
        except u.UnitConversionError as exc:
            msg = (
                "The inputs ['data', 'error'] must all have the same units: "
                f"data has {unit}, error has {error_unit}"
            )
            raise ValueError(msg) from exc
    noise = as_image(error, "error")
    if noise.shape != shape:
        msg = (
            "data and error must have the same shape, "
            f"got data {shape} and error {noise.shape}"
        )
        raise ValueError(msg)
    if unknown is not None and unknown.any():
        # A copy: the caller's array may be the very same.
        noise = noise.copy()
        noise[unknown] = np.nan
    return noise
