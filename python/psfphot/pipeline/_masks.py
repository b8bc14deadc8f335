"""Which pixels are left out, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import as_mask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


#: What the pixels that `mask_cosmic_rays` masks are called in the report.
COSMIC_RAYS = "cosmic rays and hot pixels"


class PixelMasks:
    """The pixels that are left out, by what is wrong with them.

    Parameters
    ----------
    pixels : 2D bool array
        `True` where a pixel is left out from the start; not copied.
    counts : dict
        How many of those by each cause; a pixel may count more than once.
    """

    def __init__(self, pixels: NDArray[np.bool_], counts: Mapping[str, int]) -> None:
        self._all = pixels
        self._counts = dict(counts)
        self._planes: dict[str, NDArray[np.bool_]] = {}

    @property
    def pixels(self) -> NDArray[np.bool_]:
        """2D bool array: `True` where a pixel is left out, for any cause."""
        return self._all

    @property
    def counts(self) -> dict[str, int]:
        """How many pixels each cause masks; a pixel may count more than once."""
        return dict(self._counts)

    @property
    def planes(self) -> dict[str, NDArray[np.bool_]]:
        """The pixels of each cause that was added, as 2D bool arrays."""
        return dict(self._planes)

    @property
    def added(self) -> tuple[str, ...]:
        """The causes that were added."""
        return tuple(self._planes)

    def add(self, cause: str, pixels: Any) -> None:
        """Leave out pixels more.

        Parameters
        ----------
        cause : str
            What is wrong with them, for people: the name of the count. What
            is added to a cause is added to its pixels.
        pixels : 2D bool array
            `True` where a pixel is left out; of the image's shape.

        Raises
        ------
        TypeError, ValueError
            If ``pixels`` is no such array, or every pixel would be left out.
        """
        added = as_mask(pixels, self._all.shape)
        if added is None:
            return
        union: NDArray[np.bool_] = self._all | added
        if union.all():
            msg = f"pixels masked by {cause!r} leave none that is not masked"
            raise ValueError(msg)
        plane = added | self._planes.get(cause, np.False_)
        self._counts[cause] = self._counts.get(cause, 0) + int(
            np.count_nonzero(plane)
            - np.count_nonzero(self._planes.get(cause, np.False_))
        )
        self._planes[cause] = plane
        # A new array: the first one is the image's own.
        self._all = union

    def __repr__(self) -> str:
        counts = ", ".join(f"{cause}: {n}" for cause, n in self._counts.items())
        return f"<PixelMasks({counts})>"
