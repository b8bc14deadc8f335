"""Errors of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from psfphot._validate import as_float_array

if TYPE_CHECKING:
    from astropy.units import Quantity
    from numpy.typing import ArrayLike, NDArray


def calc_total_error(
    data: ArrayLike | Quantity,
    bkg_error: ArrayLike | Quantity,
    effective_gain: ArrayLike | Quantity,
) -> NDArray[Any] | Quantity:
    """Add the Poisson noise of sources to the error of the background.

    The total error is √(b² + I/g) with b the error of the background, I the
    image and g the gain; where I is negative or g is 0 it is b.

    Parameters
    ----------
    data : array_like or Quantity
        The image, without background.
    bkg_error : array_like or Quantity
        The 1-sigma errors of ``data`` from all but the sources' Poisson noise;
        of the shape and the unit of ``data``.
    effective_gain : float, array_like or Quantity
        Counts (electrons or photons) per unit of ``data``: a number, or an
        array of the shape of ``data``.

    Returns
    -------
    ndarray or Quantity
        The total error, in the unit of ``data``; of dtype float32 if all arrays
        are float32, else float64.

    Raises
    ------
    TypeError
        If an argument is not numeric or is complex.
    ValueError
        If shapes or units do not go together, or a gain is negative or NaN.
    `~astropy.units.UnitsError`
        If ``data`` times ``effective_gain`` is in neither electrons nor photons.

    Examples
    --------
    >>> from psfphot.utils import calc_total_error
    >>> print(calc_total_error([-9.0, 0.0, 32.0], [3.0, 3.0, 3.0], 2.0))
    [3. 3. 5.]
    """
    unit = _common_unit(data, bkg_error, effective_gain)
    shape = np.shape(data)
    if np.shape(bkg_error) != shape:
        msg = (
            "bkg_error must have the same shape as the input data, "
            f"got data {shape} and bkg_error {np.shape(bkg_error)}"
        )
        raise ValueError(msg)
    if np.ndim(effective_gain) != 0 and np.shape(effective_gain) != shape:
        msg = (
            "If input effective_gain is an array, then it must have the same shape "
            f"as the input data, got {np.shape(effective_gain)} and {shape}"
        )
        raise ValueError(msg)
    image = as_float_array(data, "data").reshape(shape)
    noise = as_float_array(bkg_error, "bkg_error").reshape(shape)
    gain = as_float_array(effective_gain, "effective_gain").reshape(
        np.shape(effective_gain)
    )
    if not (gain >= 0).all():
        raise ValueError("effective_gain must be nonnegative everywhere")
    arrays = [image, noise] if gain.ndim == 0 else [image, noise, gain]
    dtype = np.result_type(*arrays)
    poisson = np.zeros(shape, dtype)
    np.divide(image, gain, out=poisson, where=gain > 0, dtype=dtype)
    total = np.sqrt(noise.astype(dtype) ** 2 + np.maximum(poisson, 0))
    return total if unit is None else total << unit


def _common_unit(data: Any, bkg_error: Any, effective_gain: Any) -> Any:
    """Check that all have units, or none; return that of the data."""
    units: list[Any] = [
        getattr(each, "unit", None) for each in (data, bkg_error, effective_gain)
    ]
    if all(unit is None for unit in units):
        return None
    if any(unit is None for unit in units):
        msg = (
            "If any of data, bkg_error, or effective_gain has units, then they all "
            f"must have units, got {', '.join(map(str, units))}"
        )
        raise ValueError(msg)
    if units[0] != units[1]:
        msg = f"data and bkg_error must have the same units, got {units[0]}, {units[1]}"
        raise ValueError(msg)
    counts = units[0] * units[2]
    if counts not in (u.electron, u.photon):
        msg = (
            f"(data * effective_gain) has units of {counts}, but it must have count "
            "units (u.electron or u.photon)"
        )
        raise u.UnitsError(msg)
    return units[0]
