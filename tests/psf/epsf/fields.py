"""Simulated fields of stars, drawn by a formula and not by the builder's splines."""

import numpy as np
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import Table

from psfphot.psf import MoffatPRF, extract_stars

SIDE = 15


def truth(fwhm=2.6):
    return MoffatPRF(alpha=fwhm / 2 / np.sqrt(2 ** (1 / 3) - 1), beta=3)


def positions(n, seed=1, step=22):
    """Put stars on a lattice, each anywhere in its cell's middle."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    y, x = np.divmod(np.arange(n), side)
    shift = rng.uniform(-2, 2, (2, n))
    return 12 + step * x + shift[0], 12 + step * y + shift[1], 24 + step * (side - 1)


def field(n=49, *, seed=1, width=None, sky=5.0, flux=(2e4, 2e5)):
    """Make an image, its errors and the truth; widths may vary along x."""
    rng = np.random.default_rng(seed + 100)
    x, y, side = positions(n, seed)
    fluxes = np.exp(rng.uniform(*np.log(flux), n))
    image = np.zeros((side, side))
    rows, columns = np.indices(image.shape)
    for x_0, y_0, light in zip(x, y, fluxes, strict=True):
        psf = truth(width(x_0 / side) if width else 2.6)
        i, j = round(x_0), round(y_0)
        box = slice(max(j - 12, 0), j + 13), slice(max(i - 12, 0), i + 13)
        image[box] += psf.evaluate(
            columns[box], rows[box], light, x_0, y_0, psf.alpha.value, 3.0
        )
    error = np.sqrt(image + sky**2)
    image = image + rng.normal(0, 1, image.shape) * error
    return image, error, Table({"x": x, "y": y, "flux": fluxes})


def cutouts(n=49, **options):
    image, error, stars = field(n, **options)
    frame = NDData(image, uncertainty=StdDevUncertainty(error))
    near = Table({"x": np.round(stars["x"], 1), "y": np.round(stars["y"], 1)})
    return extract_stars(frame, near, size=SIDE), stars


def compare(epsf, fwhm=2.6):
    """Tell the largest error of an ePSF in its core, in units of the peak."""
    ny, nx = np.shape(epsf)
    y, x = (np.indices((ny, nx)) - (ny - 1) / 2) / 4
    psf = truth(fwhm)
    true = psf.evaluate(x, y, 1.0, 0.0, 0.0, psf.alpha.value, 3.0)
    true *= 16 / true.sum()
    core = np.hypot(x, y) < 2.5
    return np.abs(epsf - true)[core].max() / true.max()
