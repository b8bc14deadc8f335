"""The steps that tell which pixels are of no use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psfphot.background import coverage_mask
from psfphot.detection import detect_cosmic_rays
from psfphot.pipeline._cuts import is_sharpness_known
from psfphot.pipeline._masks import COSMIC_RAYS
from psfphot.pipeline._noise import pixel_errors
from psfphot.pipeline._saturation import (
    Saturation,
    find_saturation,
    likely_saturated,
)
from psfphot.pipeline._sky import measure_sky

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure

#: What a cause of `coverage_mask` is called in the report.
CAUSES = {
    "not finite": "not finite",
    "error": "no error",
    "weight": "no weight",
    "zero": "exactly 0",
    "flat": "flat blocks",
}


def mask_unexposed(exposure: Exposure) -> None:
    """Mask the pixels that hold no data: what is not exposed is no sky.

    Parameters
    ----------
    exposure : `Exposure`
        The image, to whose masks the causes of
        `~psfphot.background.coverage_mask` are added.

    Raises
    ------
    ValueError
        If no pixel is left.
    """
    image = exposure.image
    coverage = coverage_mask(
        image.data,
        error=image.error,
        weight=image.weight,
        n_threads=exposure.settings.n_threads,
    )
    known = exposure.mask
    for cause, pixels in coverage.causes.items():
        new = pixels & ~known
        if new.any():
            exposure.masks.add(CAUSES[cause], new)


def prepare_sky(exposure: Exposure) -> tuple[Saturation, NDArray[np.bool_]]:
    """Measure the sky and mask what is saturated.

    Parameters
    ----------
    exposure : `Exposure`
        The image; its sky is set, and its saturated pixels are masked.

    Returns
    -------
    saturation : `Saturation`
        The saturated pixels.
    no_data : 2D bool array
        The pixels that were masked before them.

    Raises
    ------
    ValueError
        If no pixel is left, or the pixels have no scatter and no errors.
    """
    no_data = exposure.mask
    image = exposure.image
    level = None if image.saturation is None else image.saturation.value
    full = likely_saturated(image.data, no_data, level, image.saturated)
    exposure.sky = measure_sky(exposure, also=full)
    saturation = find_saturation(
        image.data,
        sky=exposure.sky.background,
        noise=exposure.sky.rms,
        mask=no_data,
        level=level,
        quality_saturated=image.saturated,
    )
    if (saturation.mask | no_data).all():
        msg = (
            f"{image.name}: every pixel in use is saturated or beside one that is "
            f"(level: {saturation.level})"
        )
        raise ValueError(msg)
    if saturation.pixels.any():
        exposure.masks.add("saturated", saturation.mask)
    if full is not None and (full & ~saturation.mask).any():
        # They are sky after all.
        exposure.sky = measure_sky(exposure)
    return saturation, no_data


def mask_cosmic_rays(exposure: Exposure) -> None:
    """Mask hot pixels and cosmic rays, where the PSF tells them from stars.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky.
    """
    found = find_cosmic_rays(exposure)
    if found is None:
        return
    exposure.knows_cosmic_rays = True
    if found.any():
        exposure.masks.add(COSMIC_RAYS, found)


def find_cosmic_rays(exposure: Exposure) -> NDArray[np.bool_] | None:
    """Find hot pixels and cosmic rays; `None` where the PSF does not tell them.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky.
    """
    psf, settings = exposure.psf, exposure.settings
    if not is_sharpness_known(psf):
        return None
    return detect_cosmic_rays(
        exposure.subtract_sky(),
        psf.model,
        mask=exposure.mask,
        error=np.asarray(pixel_errors(exposure), dtype=float),
        n_threads=settings.n_threads,
    )
