"""What headers say of the detector's amplifier: saturation, gain, read noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import finite_or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

#: Keywords, the first that is there with a usable value counts. HST gives a
#: value for each of four amplifiers; their mean is taken.
_SATURATION = ("SATURATE", "SATLEVEL", "SATURATION", "SATUR_LV", "MAXLIN")
_GAIN = ("GAIN", "ATODGAIN", "CCDGAIN", "EGAIN", "HIERARCH ESO DET OUT1 CONAD")
_GAIN_OF_AMPLIFIERS = ("ATODGN",)
_READ_NOISE = ("RDNOISE", "READNSE", "READNOIS", "RON", "ENOISE", "READNOISE")
_READ_NOISE_OF_AMPLIFIERS = ("READNSE",)
_AMPLIFIERS = "ABCD"

#: Flat fields move full pixels by less than this factor; of pixels that are broken
#: in another way there may be so many.
_CREDIBLE, _BROKEN = 2.0, 10


@dataclass(frozen=True)
class HeaderValue:
    """A number and what says so.

    Attributes
    ----------
    value : float
        The number.
    source : str
        The keyword, for people.
    """

    value: float
    source: str

    def __str__(self) -> str:
        return f"{self.value:g} ({self.source})"


def find_saturation(
    keyword: Callable[[str], Any], data: NDArray[Any]
) -> HeaderValue | None:
    """Find the level, in the image's unit, at which pixels are full.

    A level that more than a few pixels exceed by far is in another unit, and
    none. DATAMAX is IRAF's level of good data in some files and, as the FITS standard
    has it, the largest value in others; it counts where pixels exceed it.

    Parameters
    ----------
    keyword : callable
        Gives the value of a keyword, or `None`.
    data : 2D array
        The image.
    """
    found = _first(keyword, _SATURATION)
    if found is not None:
        # A level beyond the range of the image's floats is infinite.
        with np.errstate(invalid="ignore", over="ignore"):
            beyond = np.count_nonzero(data > _CREDIBLE * found.value)
        return found if beyond <= _BROKEN else None
    found = _first(keyword, ("DATAMAX",))
    with np.errstate(invalid="ignore", over="ignore"):
        exceeded = found is not None and bool(
            np.any(data > found.value * (1 + 1e-6))  # (DATAMAX is a rounded number)
        )
    return found if exceeded else None


def find_gain(keyword: Callable[[str], Any]) -> HeaderValue | None:
    """Find the gain in electrons per count."""
    amplifiers = _mean(keyword, _GAIN_OF_AMPLIFIERS)
    return amplifiers or _first(keyword, _GAIN)


def find_read_noise(keyword: Callable[[str], Any]) -> HeaderValue | None:
    """Find the read noise in electrons."""
    amplifiers = _mean(keyword, _READ_NOISE_OF_AMPLIFIERS)
    return amplifiers or _first(keyword, _READ_NOISE)


def _first(keyword: Callable[[str], Any], keys: Sequence[str]) -> HeaderValue | None:
    for key in keys:
        number = finite_or_none(keyword(key))
        if number is not None and number > 0:
            return HeaderValue(number, key.removeprefix("HIERARCH "))
    return None


def _mean(keyword: Callable[[str], Any], prefixes: Sequence[str]) -> HeaderValue | None:
    for prefix in prefixes:
        found = [_first(keyword, (prefix + amplifier,)) for amplifier in _AMPLIFIERS]
        values = [one.value for one in found if one is not None]
        if values:
            return HeaderValue(float(np.mean(values)), f"mean of {prefix}{_AMPLIFIERS}")
    return None
