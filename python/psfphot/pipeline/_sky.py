"""The step that measures the background."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import as_image, as_mask, check_instance
from psfphot.background import ResidualBackground2D
from psfphot.pipeline._exposure import Exposure
from psfphot.pipeline._sky_maps import SkyMaps

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: A noise that is a smaller part of the level may be that of rounding.
ROUNDING = 1e-5

#: As many pixels of a smooth map, evenly spaced, tell its median.
MANY = 65_536


def measure_sky(
    exposure: Exposure,
    also: NDArray[np.bool_] | None = None,
    *,
    light: NDArray[Any] | None = None,
    stars: str | None = None,
) -> SkyMaps:
    """Measure the background and the noise of its pixels, each as a map.

    Parameters
    ----------
    exposure : `Exposure`
        The image; its masked pixels are left out, and so are stars.
    also : 2D bool array, optional
        Pixels to be left out that are not masked yet.
    light : 2D array, optional
        The light of known stars, which is taken off first: in a crowded image there
        is no sky between them.
    stars : str, optional
        What the stars are, for people: "subtracted" where there is ``light``, else
        "masked".

    Returns
    -------
    sky : `SkyMaps`
        The maps of `~psfphot.background.ResidualBackground2D`, whose box
        follows the width of the stars, and their medians. Nothing is set:
        ``exposure.sky = measure_sky(exposure)``. Where all pixels are equal the
        noise is that of the image's own errors.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or the pixels have no scatter and the image no errors.
    """
    check_instance(exposure, Exposure, "exposure")
    settings, data, mask = exposure.settings, exposure.data, exposure.mask
    if also is not None:
        mask = mask | np.asarray(as_mask(also, data.shape, "also"))
    if light is not None:
        data = data - as_image(light, "light").astype(data.dtype, copy=False)
    maps = ResidualBackground2D(
        data, mask=mask, fwhm=settings.fwhm, n_threads=settings.n_threads
    )
    background, rms = np.asarray(maps.background), np.asarray(maps.background_rms)
    good = ~mask
    if rms.min() <= ROUNDING * np.abs(background).max():
        rms = _with_known_noise(exposure, rms, good)
    stars = stars or ("masked" if light is None else "subtracted")
    method = method_of(maps.box_size, stars)
    level, noise = (_median(of, good) for of in (background, rms))
    return SkyMaps(level, noise, method, background, rms)


def method_of(box_size: Any, stars: str = "masked") -> str:
    """Tell people how the sky was measured, in boxes of (ny, nx) pixels."""
    box = " x ".join(str(int(side)) for side in box_size[::-1])
    return f"surface and meshes of its residuals, boxes of {box} px, stars {stars}"


def _with_known_noise(
    exposure: Exposure, rms: NDArray[Any], good: NDArray[np.bool_]
) -> NDArray[Any]:
    """Take the image's own errors where its pixels have no scatter, or the least."""
    image, values = exposure.image, exposure.data[good]
    # The rms of equal pixels may be that of rounding.
    has_scatter = (rms > 0) & (values.min() < values.max())
    if has_scatter[good].all():
        return rms
    image = exposure.image
    if image.error is not None:
        return np.where(has_scatter, rms, image.error).astype(rms.dtype, copy=False)
    known = rms[good & has_scatter]
    if known.size:
        return np.where(has_scatter, rms, known.min())
    msg = (
        f"{image.name}: the {values.size} pixels in use have no noise by which a star "
        f"could stand out (median {np.median(values):g}), and no errors are given"
    )
    raise ValueError(msg)


def _median(smooth: NDArray[Any], good: NDArray[np.bool_]) -> float:
    """Tell the median of the good pixels of a map."""
    step = max(1, math.isqrt(smooth.size // MANY))
    some = good[::step, ::step]
    values = smooth[::step, ::step][some] if some.any() else smooth[good]
    return float(np.median(values))
