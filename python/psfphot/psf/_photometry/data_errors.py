"""Errors that were made from the very pixels whose errors they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from psfphot._validate import Frame

OF_DATA = (
    "error is the square root of abs(data), pixel by pixel. Pixels that came out low "
    "then count for more, which makes the fluxes of faint stars too low, by a quarter "
    "and more, and scatter more. Give "
    "error=NoiseModel(read_noise=..., effective_gain=..., background=...) of "
    "psfphot.utils instead: its weights come from the fitted model. See the page "
    "'Errors' of the documentation."
)

# Pixels that are looked at first: of an image with other errors no more are.
_FEW = 1000
# How well a root and a square agree, in units of the rounding of the type.
_ROUNDING = 16


def is_root_of_data(frame: Frame) -> bool:
    """Tell whether the square of the error is the absolute value of each pixel.

    Errors that are all the same tell nothing.
    """
    few = max(frame.data.size // _FEW, 1)
    return _are_roots(frame, few) and _are_roots(frame, 1)


def _are_roots(frame: Frame, step: int) -> bool:
    if frame.error is None:
        return False
    data, error = (image.ravel()[::step] for image in (frame.data, frame.error))
    used = np.isfinite(data) & np.isfinite(error)
    if frame.mask is not None:
        used &= ~frame.mask.ravel()[::step]
    data, error = np.abs(data[used]), error[used]
    if len(error) == 0 or np.ptp(error) == 0:
        return False
    tolerance = _ROUNDING * np.finfo(error.dtype).eps
    return bool(np.all(np.abs(error**2 - data) <= tolerance * data))
