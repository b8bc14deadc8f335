"""The step that measures the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psfphot.io import Sky, estimate_sky

if TYPE_CHECKING:
    from psfphot.pipeline._exposure import Exposure


def measure_sky(exposure: Exposure) -> Sky:
    """Measure the level of the background and the noise of its pixels.

    Parameters
    ----------
    exposure : `Exposure`
        The image; its masked pixels are left out.

    Returns
    -------
    sky : `~psfphot.io.Sky`
        Level and noise in the image's unit, as `psfphot.io.estimate_sky` finds
        them; the noise is the median of the errors where there are some.
        Nothing is set: ``exposure.sky = measure_sky(exposure)``.
    """
    sky = estimate_sky(exposure.data, exposure.mask)
    if exposure.error is None:
        return sky
    noise = float(np.median(exposure.error[~exposure.mask]))
    source = exposure.image.error_source
    source = source.removeprefix("the ").removesuffix(" extension")
    return Sky(sky.level, noise, f"level: {sky.method}; noise: median of {source}")
