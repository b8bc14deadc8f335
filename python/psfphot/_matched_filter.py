"""How the core is asked to filter an image with its PSF."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from psfphot import _core


class MatchedFilter(NamedTuple):
    """How an image is filtered; see `psfphot.detection.MatchedFilterFinder`.

    `None` stands for what the core finds out by itself.
    """

    psf: _core.Psf
    n_sigma: float = 5.0
    error: float | None = None
    fwhm: float | None = None
    half_width: int | None = None
    sky: bool = True
    min_coverage: float = 0.5
    min_separation: float | None = None
    peak_max: float | None = None
    n_brightest: int | None = None
    n_threads: int | None = None
