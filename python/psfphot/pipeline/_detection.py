"""The step that finds stars."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from psfphot.detection import IRAFStarFinder

if TYPE_CHECKING:
    from astropy.table import QTable

    from psfphot.pipeline._exposure import Exposure


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

    def __reduce__(self) -> tuple[type[NoStarsError], tuple[str]]:
        # By default the message would be the argument.
        return type(self), (self.finding,)


def find_stars(exposure: Exposure) -> QTable:
    """Find stars.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky. Of the settings ``threshold``, ``fwhm``,
        ``roundness`` and ``min_separation`` are used.

    Returns
    -------
    stars : `~astropy.table.QTable`
        The table of `~psfphot.detection.IRAFStarFinder`: ``x_centroid`` and
        ``y_centroid`` in pixels, and what describes the detections.

    Raises
    ------
    NoStarsError
        If there are none.
    """
    settings = exposure.settings
    threshold = settings.threshold * exposure.sky.noise
    finder = IRAFStarFinder(
        threshold,
        settings.fwhm,
        min_separation=settings.min_separation,
        roundness_range=(0.0, settings.roundness),
        n_threads=settings.n_threads,
    )
    # Without the sky's level the zeros outside the image would be an edge.
    flat = np.where(exposure.mask, 0, exposure.subtract_sky())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(No s|S)ources were found.*")
        stars = finder(flat.astype(exposure.data.dtype), mask=exposure.mask)
    if stars is None or len(stars) == 0:
        finding = (
            f"{exposure.image.name}: no stars above {settings.threshold:g} sigma "
            f"({threshold:.4g})"
        )
        raise NoStarsError(finding)
    return stars
