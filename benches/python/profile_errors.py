"""Where the error of a PSF belongs: in pixels' weights, or in the errors of fluxes.

Lone stars and crowds, fitted with the PSF of the image, one 2 % and one 5 % too wide:
without a profile error; with one in the weights of the pixels, made from the last fit
four times; and with one in the errors of fluxes, as a `NoiseModel` has it. Prints a
Markdown table: the median flux, its robust width, and that of pulls about 0.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "statistics"))

from astropy.table import QTable
from noisy_frames import FWHM, GAIN, READ_NOISE, SKY, crowd, fit, lone_stars

from psfphot.datasets import make_model_image
from psfphot.psf import CircularGaussianPRF
from psfphot.utils import NoiseModel

TERMS = {"read_noise": READ_NOISE, "effective_gain": GAIN, "background": SKY}
WIDTHS = (1.0, 1.02, 1.05)
#: The part that a profile is said to be off by where it is right.
LEAST = 0.02
#: What values are off by (rms, weighted as the sky weights), over what a width is.
OF_VALUES = 1.4
#: How often weights are made.
STEPS = 4


def scenes():
    """Name frames of one flux each, and crowds with stars of a range of fluxes."""
    for flux in (1e4, 1e5):
        yield f"lone, {flux:,.0f}", lone_stars(flux, seed=3)
    for n in (400, 1200):
        frame = crowd(n, 360, fluxes=(1e4, 1e5), seed=4)
        yield f"{n} on 360 x 360, 10,000-100,000", frame


def main():
    """Print the table."""
    heads = "stars|PSF"
    for name in ("without", "in the weights", "after the fit"):
        heads += f"|{name}: flux|scatter|pulls"
    print(f"|{heads}|\n|{'---|' * (heads.count('|') + 1)}")
    for name, frame in scenes():
        for width in WIDTHS:
            cells = [name, f"{width - 1:+.0%}" if width > 1 else "right"]
            part = max(OF_VALUES * (width - 1), LEAST)
            noise = NoiseModel(**TERMS, profile_error=part)
            for table in (
                fit(frame, NoiseModel(**TERMS), width=width),
                fit_weighted(frame, noise, width),
                fit(frame, noise, width=width),
            ):
                cells += compare(frame.flux, table["flux_fit"], table["flux_err"])
            print(f"| {' | '.join(cells)} |", flush=True)


def fit_weighted(frame, noise, width):
    """Fit with the whole variance of the model that was fitted before."""
    psf = CircularGaussianPRF(fwhm=width * FWHM)
    error = np.sqrt(noise.variance(frame.clean))
    for _ in range(STEPS):
        table = fit(frame, error, width=width)
        params = QTable({"x_0": table["x_fit"], "y_0": table["y_fit"]})
        params["flux"] = table["flux_fit"]
        light = make_model_image(frame.data.shape, psf, params, model_shape=(25, 25))
        error = np.sqrt(noise.variance(light))
    return table


def compare(true, flux, error):
    """Tell bias, scatter and the width of the pulls about 0."""
    off, pull = np.asarray(flux / true - 1), np.asarray((flux - true) / error)
    middle = np.median(off)
    scatter = 1.4826 * np.median(np.abs(off - middle))
    width = 1.4826 * np.median(np.abs(pull))
    return [f"{middle:+.2%}", f"{scatter:.2%}", f"{width:.2f}"]


if __name__ == "__main__":
    main()
