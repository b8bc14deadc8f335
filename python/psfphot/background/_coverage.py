"""Which pixels of an image hold no data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._validate import (
    as_frame,
    as_image,
    as_n_threads,
    split_mask,
)

if TYPE_CHECKING:
    from astropy.nddata import NDData
    from astropy.units import Quantity
    from numpy.typing import ArrayLike, NDArray

# As many pixels, evenly spaced, say what kinds of values an image has. With 4096
# the part of different values is known to 1 %.
SAMPLE = 4096

# In continuous noise all values differ, and as few as a tenth do in counts.
MANY_VALUES = 0.5

# The side of a block of equal pixels, in an image of many values and of few: in
# counts with a noise of 1, 3 x 3 equal pixels come by chance (0.3^8), and 5 x 5
# do not (0.3^24).
SIDES = {True: 3, False: 5}


@dataclass(frozen=True)
class Coverage:
    """Where an image holds no data, and why; see `coverage_mask`.

    Attributes
    ----------
    mask : 2D ndarray of bool
        `True` for pixels without data, for whatever cause.
    causes : dict of str: 2D ndarray of bool
        The pixels of each cause that there is: ``'not finite'``, ``'error'``,
        ``'weight'``, ``'zero'`` and ``'flat'``. A pixel can have several.
    """

    mask: NDArray[np.bool_]
    causes: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many pixels each cause has."""
        return {cause: int(mask.sum()) for cause, mask in self.causes.items()}


def coverage_mask(
    data: ArrayLike | Quantity | NDData,
    *,
    error: ArrayLike | Quantity | None = None,
    weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Coverage:
    """Find the pixels of an image that hold no data.

    They are those that are NaN or infinite (and masked ones of a masked array);
    whose error is not finite or not positive; whose weight (or exposure time) is
    0, negative or not finite; that are exactly 0 in an image of many different
    values; and that belong to a block of 3 x 3 equal pixels below the median (5 x
    5 in an image of few different values, like counts).

    Parameters
    ----------
    data : 2D array_like, masked array, Quantity or NDData
        The image.
    error : 2D array_like or Quantity, optional
        The errors of the pixels.
    weight : 2D array_like, optional
        Weights or exposures of the pixels, on any scale.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors.

    Returns
    -------
    Coverage
        The mask, and that of each cause.

    Raises
    ------
    TypeError
        If an array has a dtype that cannot be used.
    ValueError
        If the shapes or units do not go together.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.background import coverage_mask
    >>> data = np.random.default_rng(1).normal(5, 1, (100, 100))
    >>> data[:, :20] = 0.0
    >>> data[50, 50] = np.nan
    >>> coverage = coverage_mask(data)
    >>> coverage.counts
    {'not finite': 1, 'zero': 2000, 'flat': 2000}
    """
    threads = as_n_threads(n_threads)
    frame = as_frame(data, error)
    image = frame.data
    bad = ~np.isfinite(image)
    if frame.mask is not None:
        bad |= frame.mask
    causes = {"not finite": bad}
    if frame.error is not None:
        causes["error"] = _not_positive(frame.error)
    if weight is not None:
        causes["weight"] = _bad_weight(weight, image.shape)
    causes |= _fillings(image, np.logical_or.reduce(list(causes.values())), threads)
    causes = {cause: mask for cause, mask in causes.items() if mask.any()}
    every = [np.zeros(image.shape, bool), *causes.values()]
    return Coverage(np.logical_or.reduce(every), causes)


def _not_positive(values: NDArray[Any]) -> NDArray[np.bool_]:
    # NaN compares as False.
    return ~((values > 0) & (values < np.inf))


def _bad_weight(weight: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    weight, masked = split_mask(weight)
    weights = as_image(weight, "weight")
    if weights.shape != shape:
        msg = (
            "data and weight must have the same shape, "
            f"got data {shape} and weight {weights.shape}"
        )
        raise ValueError(msg)
    bad = _not_positive(weights)
    return bad if masked is None else bad | masked


def _fillings(
    image: NDArray[Any], known: NDArray[np.bool_], n_threads: int | None
) -> dict[str, NDArray[np.bool_]]:
    """Find the pixels whose values no detector gives."""
    values = image[~(known | (image == 0))]
    sample = values[:: max(1, values.size // SAMPLE)]
    return find_fillings(image, sample, n_threads)


def find_fillings(
    image: NDArray[Any], sample: NDArray[Any], n_threads: int | None
) -> dict[str, NDArray[np.bool_]]:
    """Find the pixels whose values no detector gives.

    Parameters
    ----------
    image : 2D array
        An image, or a window of one.
    sample : 1D array
        Values of pixels of the whole image that have data, and are not 0.
    n_threads : int or None
        Number of threads.
    """
    if sample.size == 0:
        return {}
    many = bool(np.unique(sample).size > MANY_VALUES * sample.size)
    flat = _core.flat_blocks(
        image, SIDES[many], float(np.median(sample)), n_threads=n_threads
    )
    return {"zero": image == 0, "flat": flat} if many else {"flat": flat}
