"""The step that finds stars."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._robust import robust_sigma
from psfphot._validate import check_instance
from psfphot.detection import DAOStarFinder, IRAFStarFinder, MatchedFilterFinder
from psfphot.pipeline._exposure import Exposure
from psfphot.pipeline._noise import pixel_errors
from psfphot.utils import NoDetectionsWarning

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray


class NoStarsError(ValueError):
    """No star stands out of an image's noise.

    Attributes
    ----------
    finding : str
        What was not found where, without any advice.
    """

    def __init__(self, finding: str) -> None:
        self.finding = finding
        super().__init__(
            f"{finding}; lower threshold, or check fwhm of the settings and the PSF"
        )

    @classmethod
    def above(cls, threshold: float, exposure: Exposure) -> NoStarsError:
        """Make the error of an image without stars above a threshold."""
        return cls(f"{exposure.image.name}: no stars above {threshold:g} sigma")

    def __reduce__(self) -> tuple[type[NoStarsError], tuple[str]]:
        # By default the message would be the argument.
        return type(self), (self.finding,)


def find_stars(
    exposure: Exposure,
    *,
    data: NDArray[Any] | None = None,
    error: NDArray[Any] | None = None,
    threshold: float | None = None,
) -> QTable:
    """Find stars.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky. Of the settings ``finder``, ``threshold``,
        ``fwhm`` and ``min_separation`` are used.
    data : 2D array, optional
        The image to search, without its sky, instead of the exposure's: from
        which stars may have been subtracted.
    error : 2D array, optional
        1-sigma errors of its pixels, instead of the exposure's.
    threshold : float, optional
        Instead of that of the settings.

    Returns
    -------
    stars : `~astropy.table.QTable`
        The finder's table: ``x_centroid`` and ``y_centroid`` in pixels, and what
        describes the detections.

    Raises
    ------
    NoStarsError
        If there are none.
    """
    check_instance(exposure, Exposure, "exposure")
    settings = exposure.settings
    threshold = settings.threshold if threshold is None else threshold
    data = exposure.subtract_sky() if data is None else data
    error = pixel_errors(exposure) if error is None else error
    finder = make_finder(exposure, threshold)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)
        if isinstance(finder, MatchedFilterFinder):
            stars = finder(data, mask=exposure.mask, error=error)
        else:
            stars = finder(np.where(exposure.mask, 0, data), mask=exposure.mask)
    if stars is None or len(stars) == 0:
        raise NoStarsError.above(threshold, exposure)
    return stars


#: Stars too faint to find make the filtered image noisier, too: by 1.03 to 1.13 in
#: fields of 1,500 stars a square of 1000 pixels. More than this is correlated noise.
_CORRELATED = 1.2

#: Of fewer pixels a single star may be the better part.
_LEAST_VALUES = 1000

#: The middle of the image, pixels on a side, in which that is measured.
MIDDLE = 1024


def excess_noise(exposure: Exposure, data: NDArray[Any], error: NDArray[Any]) -> float:
    """Tell by what factor the filtered image is noisier than its pixels make it.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its masks and settings.
    data : 2D array
        The image without its sky and its bright stars.
    error : 2D array
        1-sigma errors of its pixels.

    Returns
    -------
    factor : float
        The robust standard deviation of the S/N in the middle of the image, where
        it is above 1.2; else 1. Other finders than the matched filter have 1.
    """
    if exposure.settings.finder != "matched":
        return 1.0
    middle = tuple(
        slice(max(0, (n - MIDDLE) // 2), max(0, (n - MIDDLE) // 2) + MIDDLE)
        for n in exposure.shape
    )
    mask = exposure.mask[middle]
    if np.count_nonzero(~mask) < mask.size // 10:
        return 1.0
    finder = _matched_finder(exposure, exposure.settings.threshold)
    snr = finder.maps(data[middle], mask=mask, error=error[middle]).snr
    values = snr[np.isfinite(snr)]
    if values.size < _LEAST_VALUES:
        return 1.0
    factor = robust_sigma(values)
    return factor if factor > _CORRELATED else 1.0


def make_finder(
    exposure: Exposure, threshold: float
) -> MatchedFilterFinder | DAOStarFinder | IRAFStarFinder:
    """Make the finder of the settings.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its settings; photutils' finders take the sky's noise.
    threshold : float
        Of the matched filter, the PSF itself, the S/N of a star; of photutils'
        finders sigma of a pixel.
    """
    if exposure.settings.finder == "matched":
        return _matched_finder(exposure, threshold)
    kind = DAOStarFinder if exposure.settings.finder == "dao" else IRAFStarFinder
    return kind(
        threshold * np.asarray(exposure.sky.rms, dtype=float),
        exposure.settings.fwhm,
        min_separation=exposure.settings.min_separation,
        n_threads=exposure.settings.n_threads,
    )


def _matched_finder(exposure: Exposure, threshold: float) -> MatchedFilterFinder:
    settings = exposure.settings
    return MatchedFilterFinder(
        exposure.psf.model,
        threshold,
        fwhm=settings.fwhm,
        min_separation=settings.min_separation,
        n_threads=settings.n_threads,
    )
