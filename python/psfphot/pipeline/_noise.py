"""What the errors of pixels are where a file does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.utils import NoiseModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure

#: The ratio of photon variance and light is that of a gain where it varies by this part
#: (the median of absolute differences).
_ONE_GAIN = 0.15


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
    noise = noise_model(exposure)
    if noise is None:
        return exposure.sky.rms
    if light is None:
        light = _mean_of_neighbours(np.where(exposure.mask, 0, exposure.subtract_sky()))
    return np.sqrt(noise.variance(np.maximum(light, 0)))


def noise_model(exposure: Exposure) -> NoiseModel | None:
    """Make a model of an exposure's noise.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky.

    Returns
    -------
    noise : `~psfphot.utils.NoiseModel` or `None`
        That of the variances of the image's file where it has errors, else that of
        its gain; `None` where neither is known.
    """
    image = exposure.image
    if image.error is not None:
        return _model_of_variances(exposure)
    rms, gain = exposure.sky.rms, exposure.gain
    if gain is None:
        return None
    read_noise = exposure.settings.read_noise
    if read_noise is None:
        # What is measured is read noise and the sky's photons together.
        return NoiseModel(read_noise=rms * gain, effective_gain=gain, background=0.0)
    sky = np.maximum(exposure.sky.background, 0)
    if read_noise == 0 and not np.all(sky > 0):
        sky = np.maximum(sky, rms**2 * gain)
    return NoiseModel(read_noise=read_noise, effective_gain=gain, background=sky)


def renew_errors(exposure: Exposure, light: Callable[[], NDArray[Any]]) -> None:
    """Make an exposure's errors by the light of its fitted stars, if that is known.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky, whose errors are set.
    light : callable
        Renders the light of all stars, fitted or subtracted; not called where the
        noise is not known.
    """
    noise = noise_model(exposure)
    if noise is not None:
        error = np.sqrt(noise.variance(np.maximum(light(), 0)))
        exposure.error = error.astype(exposure.data.dtype, copy=False)
        exposure.has_renewed_errors = True


def _model_of_variances(exposure: Exposure) -> NoiseModel | None:
    """Make a model of VAR_POISSON and VAR_RNOISE, if their image is that of SCI."""
    image, sky = exposure.image, np.maximum(exposure.sky.background, 0)
    if exposure.noise_planes is not None:
        inverse_gain, empty = exposure.noise_planes
        read_noise = np.sqrt(empty) / inverse_gain
        return NoiseModel(
            read_noise=read_noise, effective_gain=1 / inverse_gain, background=sky
        )
    poisson, read = image.var_poisson, image.var_rnoise
    if poisson is None or read is None:
        return None
    if not has_one_gain(exposure.data, poisson, exposure.mask):
        return None
    return NoiseModel.from_variances(
        exposure.data,
        var_poisson=np.where(exposure.mask, np.nan, poisson),
        var_rnoise=read,
        background=sky,
    )


def has_one_gain(
    data: NDArray[Any], poisson: NDArray[Any], mask: NDArray[np.bool_]
) -> bool:
    """Tell whether the variances of photons are those of the image by a gain.

    Of an image whose sky was subtracted they are not.
    """
    good = ~mask & (data > 0) & (poisson > 0)
    if not good.any():
        return False
    good &= data > np.median(data[good])
    ratios = poisson[good] / data[good]
    typical = np.median(ratios)
    return not np.median(np.abs(ratios - typical)) > _ONE_GAIN * typical


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
