"""Which pixels of an image are saturated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from psfphot._validate import as_finite, as_image, as_mask
from psfphot.pipeline._blobs import Blobs, find_blobs, grow, rim_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# As many pixels at an image's maximum are no chance.
PILE_UP = 10

# A hole in a star, in pixels, and how high the lowest quarter of its rim stands
# above the sky, in standard deviations. Less is a group of dead pixels, more is
# no star.
HOLE = (3, 5000)
HOLE_RIM = 20.0

# An image is full where it is so many standard deviations above the sky.
CLEARLY_ABOVE = 20.0

# What may be saturated before the sky is known is less than this part of an image.
MOST_FULL = 0.2


@dataclass(frozen=True)
class Saturation:
    """Where an image is saturated; see `find_saturation`.

    Attributes
    ----------
    pixels : 2D ndarray of bool
        The saturated pixels, and the holes in stars.
    mask : 2D ndarray of bool
        Those and their neighbours, into which charge flows.
    level : float or None
        The value from which on pixels are saturated, in the unit of the image
        with its sky; `None` if there is none.
    cause : str
        What told it: ``'quality'``, ``'level'`` (the given one), ``'pile-up'``
        or ``'none'``.
    n_holes : int
        The holes among the blobs.
    """

    pixels: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    level: float | None
    cause: Literal["quality", "level", "pile-up", "none"]
    n_holes: int


def find_saturation(
    data: ArrayLike,
    *,
    sky: ArrayLike,
    noise: ArrayLike,
    mask: ArrayLike | None = None,
    level: float | None = None,
    quality_saturated: ArrayLike | None = None,
    may_pile_up: bool = True,
) -> Saturation:
    """Find the saturated pixels of an image.

    They are those that the data quality says are; else those not below the given
    level; else, and also if no pixel is as high as that, those at the image's
    maximum, if there are 10 or more and they are clearly above the sky. Without
    data quality, holes in stars count too: 3 to 5000 connected pixels without
    data whose rim is, in all but its lowest quarter, more than 20 standard
    deviations above the sky.

    Parameters
    ----------
    data : 2D array_like
        The image with its sky, in the unit of ``level``.
    sky, noise : float or 2D array_like
        The background and its noise (1 sigma).
    mask : 2D array_like of bool, optional
        `True` for pixels without data. Those that are not finite have none
        either.
    level : float, optional
        The value from which on pixels are saturated: a header's SATURATE.
    quality_saturated : 2D array_like of bool, optional
        The pixels that the data quality calls saturated.
    may_pile_up : bool, optional
        Whether pixels at the maximum may tell the level: not in a part of an image.

    Returns
    -------
    Saturation
        The pixels.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        If shapes do not go together or the level is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> data = np.random.default_rng(1).normal(100, 5, (50, 50))
    >>> data[20:24, 30:34] = 4000.0
    >>> found = find_saturation(data, sky=100, noise=5)
    >>> found.cause, found.level, int(found.pixels.sum())
    ('pile-up', 4000.0, 16)
    """
    image = as_image(data)
    bad = ~np.isfinite(image)
    if (masked := as_mask(mask, image.shape)) is not None:
        bad |= masked
    with np.errstate(divide="ignore", invalid="ignore"):
        above = (image - np.asarray(sky)) / np.asarray(noise)
    given = None if level is None else as_finite(level, "level")
    if quality_saturated is not None:
        given_mask = as_mask(quality_saturated, image.shape, "quality_saturated")
        pixels = np.array(given_mask, bool)
        return Saturation(pixels, grow(pixels), given, "quality", 0)
    full: float | None = given
    cause: Literal["level", "pile-up", "none"] = "none" if given is None else "level"
    if may_pile_up:
        full, cause = _level(image, bad, above, given)
    pixels = np.zeros(image.shape, bool)
    if full is not None:
        pixels = image >= full
    bad |= pixels
    holes = _holes(bad, above)
    pixels[holes.y, holes.x] = True
    n_holes = len(holes) if full is None else _count_without(holes, image, full)
    return Saturation(pixels, grow(pixels), full, cause, n_holes)


def likely_saturated(
    image: NDArray[Any],
    mask: NDArray[np.bool_],
    level: float | None,
    quality_saturated: NDArray[np.bool_] | None,
) -> NDArray[np.bool_] | None:
    """Tell the pixels that may be saturated, before the sky is known.

    Holes in stars are not among them.

    Parameters
    ----------
    image : 2D ndarray
        The image with its sky.
    mask : 2D ndarray of bool
        `True` for pixels without data.
    level, quality_saturated
        As for `find_saturation`.

    Returns
    -------
    2D ndarray of bool or None
        With their neighbours; `None` where there are none, or so many that they
        may be the sky itself.
    """
    if quality_saturated is not None:
        pixels = np.asarray(quality_saturated)
    else:
        bad = mask | ~np.isfinite(image)
        full, cause = _level(image, bad, None, level)
        if full is None or cause == "none":
            return None
        pixels = (image >= full) & ~bad
    is_some = 0 < np.count_nonzero(pixels) < MOST_FULL * pixels.size
    return grow(pixels) if is_some else None


def _level(
    image: NDArray[Any],
    bad: NDArray[np.bool_],
    above: NDArray[Any] | None,
    given: float | None,
) -> tuple[float | None, Literal["level", "pile-up", "none"]]:
    """Tell from which value on pixels are saturated, and how that is known.

    A pile-up must be clearly above the sky, where that is known.
    """
    if bad.all():
        return given, "none" if given is None else "level"
    highest = float(np.where(bad, -np.inf, image).max())
    if given is not None and highest >= given:
        return given, "level"
    at = (image == highest) & ~bad
    is_high = above is None or np.median(above[at]) > CLEARLY_ABOVE
    if at.sum() >= PILE_UP and is_high:
        return highest, "pile-up"
    return given, "none" if given is None else "level"


def _holes(bad: NDArray[np.bool_], above: NDArray[Any]) -> Blobs:
    """Find the blobs without data that lie in stars."""
    blobs = find_blobs(bad)
    fewest, most = HOLE
    blobs = blobs.select((blobs.sizes >= fewest) & (blobs.sizes <= most))
    rim = rim_quantile(blobs, above, bad, 0.25)
    return blobs.select(rim > HOLE_RIM)


def _count_without(holes: Blobs, image: NDArray[Any], full: float) -> int:
    """Count the holes none of whose pixels is full."""
    is_full = image[holes.y, holes.x] >= full
    return int((np.bincount(holes.label, is_full, len(holes)) == 0).sum())
