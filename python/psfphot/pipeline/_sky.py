"""The step that measures the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psfphot.background import ResidualBackground2D
from psfphot.pipeline._sky_maps import SkyMaps

if TYPE_CHECKING:
    from psfphot.pipeline._exposure import Exposure


def measure_sky(exposure: Exposure) -> SkyMaps:
    """Measure the background and the noise of its pixels, each as a map.

    Parameters
    ----------
    exposure : `Exposure`
        The image; its masked pixels are left out, and so are stars.

    Returns
    -------
    sky : `SkyMaps`
        The maps of `~psfphot.background.ResidualBackground2D`, whose box
        follows the width of the stars, and their medians. Nothing is set:
        ``exposure.sky = measure_sky(exposure)``.
    """
    settings, mask = exposure.settings, exposure.mask
    maps = ResidualBackground2D(
        exposure.data, mask=mask, fwhm=settings.fwhm, n_threads=settings.n_threads
    )
    background, rms = np.asarray(maps.background), np.asarray(maps.background_rms)
    good = ~mask
    box = " x ".join(str(int(side)) for side in maps.box_size[::-1])
    method = f"surface and meshes of its residuals, boxes of {box} px, stars masked"
    level, noise = float(np.median(background[good])), float(np.median(rms[good]))
    return SkyMaps(level, noise, method, background, rms)
