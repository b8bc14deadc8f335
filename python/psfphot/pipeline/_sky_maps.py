"""The background of an image, as maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psfphot.io import Sky

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SkyMaps(Sky):
    """The background and its noise at each pixel, and what is typical of them.

    Attributes
    ----------
    background : 2D ndarray
        The level, in the image's unit.
    rms : 2D ndarray
        The 1-sigma noise of a pixel without stars, in the image's unit.
    """

    background: NDArray[Any]
    rms: NDArray[Any]
