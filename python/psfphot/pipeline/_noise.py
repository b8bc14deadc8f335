"""What the errors of pixels are where a file does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.utils import NoiseModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure


def pixel_errors(exposure: Exposure, light: NDArray[Any] | None = None) -> Any:
    r"""Tell the 1-sigma errors of the pixels.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky.
    light : 2D array, optional
        The stars' light, without noise, in the image's unit. Where the gain is
        known their photons count; without ``light`` the mean of 3 x 3 pixels
        above the sky stands for it.

    Returns
    -------
    error : 2D ndarray
        The image's own errors if it has some, else the sky's noise and the
        photons: :math:`\sqrt{\mathrm{rms}^2 + \mathrm{light} / \mathrm{gain}}`.
    """
    if exposure.image.error is not None:
        return exposure.image.error
    rms, gain = exposure.sky.rms, exposure.gain
    if gain is None:
        return rms
    if light is None:
        light = _mean_of_neighbours(np.where(exposure.mask, 0, exposure.subtract_sky()))
    read_noise = exposure.settings.read_noise
    if read_noise is None:
        # What is measured is read noise and the sky's photons together.
        noise = NoiseModel(read_noise=rms * gain, effective_gain=gain, background=0.0)
    else:
        sky = np.maximum(exposure.sky.background, 0)
        if read_noise == 0 and not np.all(sky > 0):
            sky = np.maximum(sky, rms**2 * gain)
        noise = NoiseModel(read_noise=read_noise, effective_gain=gain, background=sky)
    return np.sqrt(noise.variance(np.maximum(light, 0)))


def search_noise(exposure: Exposure, light: NDArray[Any], mismatch: float) -> Any:
    """Tell the 1-sigma errors of the pixels of an image whose stars were subtracted.

    Parameters
    ----------
    exposure : `Exposure`
        The image; its errors are set.
    light : 2D array
        What was subtracted; one value for all pixels will do.
    mismatch : float
        By what part of its value that may be wrong: of the brightest of each pixel
        and the eight around it.
    """
    ring = highest_neighbour(light) if light.size > 1 else light
    error: Any = exposure.error
    return np.hypot(error, mismatch * ring)


def highest_neighbour(image: NDArray[Any]) -> NDArray[Any]:
    """Tell the largest of each pixel and the eight around it."""
    for axis in (0, 1):
        before, at, after = _shifted(image, axis)
        image = np.maximum(np.maximum(before, at), after)
    return image


def _mean_of_neighbours(image: NDArray[Any]) -> NDArray[Any]:
    for axis in (0, 1):
        before, at, after = _shifted(image, axis)
        image = (before + at + after) / 3
    return image


def _shifted(image: NDArray[Any], axis: int) -> tuple[NDArray[Any], ...]:
    """Return an image shifted by -1, 0 and 1 pixel; the edges are repeated."""
    n = image.shape[axis]
    width = [(1, 1) if k == axis else (0, 0) for k in (0, 1)]
    padded = np.moveaxis(np.pad(image, width, "edge"), axis, 0)
    return tuple(np.moveaxis(padded[k : k + n], 0, axis) for k in range(3))
