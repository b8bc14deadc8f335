"""How the core is asked to look for new stars in a residual image."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from psfphot import _core
    from psfphot._validate import Image


class Residual(NamedTuple):
    """A residual image, and the stars that were fitted and subtracted.

    The score of a new star is told beside these, see
    `psfphot.detection.MatchedFilterFinder.search_residual`. Without
    a reach the core takes what ``fwhm`` (pixels) suggests.
    """

    data: Image
    error: Image
    mask: NDArray[np.bool_] | None
    psf: _core.Psf
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    fwhm: float
    reach: float | None = None
    n_threads: int | None = None
