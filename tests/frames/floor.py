"""Crowded fields on a floor of stars that are too faint to be found."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from frames.renderer import Gaussians, render
from psfphot.io import read_image
from psfphot.pipeline import measure

#: Electrons in a unit of the image, and its read noise.
GAIN, READ_NOISE = 14.0, 0.55
SKY, FWHM = 1.0, 1.75
#: The faintest star of those that can be found, and of all.
FAINTEST, FLOOR = 15.0, 1.0
#: The density of stars of 15 by flux goes on with this slope below.
SLOPE = 1.9


@dataclass(frozen=True)
class Crowd:
    """An image with its sky, its errors, and all its stars."""

    data: np.ndarray
    error: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray


def crowd(side=600, *, has_floor=False, density=0.025, seed=7, width=1.0):
    """Make a field of a steep luminosity function.

    9,000 stars of 600 x 600 pixels by default, and with a floor four times as many
    below the faintest of them; ``width`` is that of the PSF, in those of FWHM.
    """
    rng = np.random.default_rng(seed)
    n = round(density * side**2)
    flux = np.minimum(40 * rng.pareto(0.9, n) + FAINTEST, 3e4)
    if has_floor:
        at_faintest = 0.9 / 40 * n * FAINTEST / (SLOPE - 1)
        steep = SLOPE - 1
        n_floor = round(at_faintest * ((FAINTEST / FLOOR) ** steep - 1))
        high, low = FAINTEST**-steep, FLOOR**-steep
        flux = np.append(flux, rng.uniform(high, low, n_floor) ** (-1 / steep))
    x, y = rng.uniform(0, side, (2, len(flux)))
    psf = Gaussians(((1, FWHM, FWHM),), radius=8)
    clean = SKY + render((side, side), psf, x, y, flux, width=width)
    data = rng.poisson(clean * GAIN) / GAIN + rng.normal(0, READ_NOISE, clean.shape)
    error = np.sqrt(READ_NOISE**2 + np.maximum(data, 0) / GAIN)
    return Crowd(data, error, x, y, flux)


def measured(data, error, psf, settings=None):
    """Measure an image from a file, as it would be."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "image.fits"
        planes = [fits.PrimaryHDU()]
        planes += [
            fits.ImageHDU(plane.astype("f4"), name=name)
            for name, plane in (("SCI", data), ("ERR", error))
        ]
        fits.HDUList(planes).writeto(path)
        return measure(read_image(str(path)), psf, settings)
