"""A field of stars for the tests of the command line, as arrays and as files."""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from click.testing import CliRunner

from psfphot.cli import main
from psfphot.psf import CircularGaussianPRF

NOISE, SKY, FWHM = 1.0, 20.0, 2.5
SHAPE = (80, 90)

#: Far from each other and from the edges; each has 100 sigma and more.
X = np.array([14.3, 40.1, 70.6, 15.2, 44.7, 71.9, 20.4, 48.8, 75.5])
Y = np.array([12.7, 15.9, 11.2, 40.6, 38.3, 42.8, 66.1, 63.4, 65.0])
FLUX = np.array([900.0, 1500, 2600, 1100, 3100, 700, 1900, 2200, 1300])


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def fit(*words):
    """``psfphot fit`` with the field's PSF; it must end well."""
    result = run("fit", "--psf", f"gaussian:{FWHM}", *words)
    assert result.exit_code == 0, result.output
    return result


def make_field(seed=1, *, x=X, y=Y, flux=FLUX, shape=SHAPE):
    image = np.random.default_rng(seed).normal(SKY, NOISE, shape)
    yy, xx = np.mgrid[: shape[0], : shape[1]].astype(float)
    psf = CircularGaussianPRF(fwhm=FWHM)
    for star in zip(flux, x, y, strict=True):
        image += psf.evaluate(xx, yy, *star, FWHM)
    return image.astype(np.float32)


def tangent(x_0=45.0, y_0=40.0):
    """Pixels of 1 arcsec, north up, of a field whose centre is at (x_0, y_0)."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 30.0]
    wcs.wcs.crpix = [x_0 + 1, y_0 + 1]
    wcs.wcs.cdelt = [-1 / 3600, 1 / 3600]
    return wcs


def write_field(path, *, data=None, wcs=None, primary=None, planes=None, **keywords):
    """Write SCI, and the planes that are given by name: one or one a version."""
    data = make_field() if data is None else data
    header = fits.Header() if wcs is None else wcs.to_header()
    header.update(keywords)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, header, name="SCI")]
    hdus[0].header.update(primary or {})
    hdus += [fits.ImageHDU(p, name=name) for name, p in (planes or {}).items()]
    fits.HDUList(hdus).writeto(path)
    return path


def assert_matches(catalog, *, x=X, y=Y, flux=FLUX, tolerance=0.15):
    """All stars are there, within a few errors of the truth."""
    distance = np.hypot(
        np.asarray(catalog["x_fit"])[:, None] - x,
        np.asarray(catalog["y_fit"])[:, None] - y,
    )
    distance[np.isnan(distance)] = np.inf
    nearest = distance.argmin(axis=0)
    assert distance.min(axis=0).max() < tolerance
    found = np.asarray(catalog["flux_fit"])[nearest]
    error = np.asarray(catalog["flux_err"])[nearest]
    assert np.abs((found - flux) / error).max() < 6
