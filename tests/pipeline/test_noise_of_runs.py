"""The whole pipeline on frames whose noise and sky are known."""

import numpy as np
import pytest
from astropy.io import fits
from frames.renderer import Gaussians, render

from psfphot.io import read_image
from psfphot.matching import match_positions
from psfphot.pipeline import Settings, measure
from psfphot.psf import CircularGaussianPRF

SIDE, FWHM = 320, 2.5


def stars(rng, n, fluxes):
    """Positions, fluxes, and their light without noise."""
    x, y = rng.uniform(6, SIDE - 7, (2, n))
    flux = np.exp(rng.uniform(*np.log(fluxes), n))
    psf = Gaussians(((1.0, FWHM, FWHM),), radius=14)
    return (x, y), flux, render((SIDE, SIDE), psf, x, y, flux)


def measured(path, data, unit, header=None, **planes):
    """The run of a file with such planes."""
    hdus = [
        fits.PrimaryHDU(header=header),
        fits.ImageHDU(data.astype("f4"), fits.Header({"BUNIT": unit}), "SCI"),
    ]
    hdus += [
        fits.ImageHDU(values.astype("f4"), name=name) for name, values in planes.items()
    ]
    fits.HDUList(hdus).writeto(path, overwrite=True)
    psf = CircularGaussianPRF(fwhm=FWHM)
    return measure(read_image(path), psf, Settings(n_threads=1))


def of_stars(run, at, name):
    """A column of the rows of the stars; NaN where there is none."""
    table = run.catalog
    rows = [np.asarray(table[f"{axis}_fit"].value) for axis in "xy"]
    star, row = match_positions(at, rows, 0.7)
    values = np.full(len(at[0]), np.nan)
    values[star] = np.asarray(table[name].value)[row]
    return values


def test_a_slope_of_the_sky_leaves_no_mark(tmp_path):
    rng = np.random.default_rng(31)
    at, flux, clean = stars(rng, 480, (500, 1e5))
    noise = np.sqrt(clean + 225)
    data = rng.poisson(clean + 200) + rng.normal(0, 5, clean.shape)
    slope = 60 * np.linspace(-0.5, 0.5, SIDE)[None, :]
    pulls = []
    for sky in (0, slope):
        run = measured(tmp_path / "sky.fits", data + sky, "electron", ERR=noise)
        left = run.sky.background - 200 - sky
        assert abs(np.mean(left)) < 0.005 * 200
        names = "flux_fit", "flux_err"
        fitted, error = (of_stars(run, at, name) for name in names)
        pulls.append((fitted - flux) / error)
    change = pulls[1] - pulls[0]
    assert np.isfinite(change).mean() > 0.9
    # The noise is the same: what differs is the sky alone.
    assert abs(np.nanmedian(change)) < 0.005
    assert np.nanmedian(abs(change)) < 0.02


def test_errors_by_a_gain_hold_the_photons_of_all_stars(tmp_path):
    rng = np.random.default_rng(50)
    at, _, clean = stars(rng, 350, (500, 1e4))
    data = rng.poisson(clean + 50) + rng.normal(0, 5, clean.shape)
    planes = {"ERR": np.sqrt(clean + 75)}
    runs = [
        measured(tmp_path / "gain.fits", data, "electron", **some)
        for some in ({}, planes)
    ]
    own, true = (of_stars(run, at, "flux_err") for run in runs)
    ratio = own / true
    assert np.nanmedian(ratio) == pytest.approx(1, abs=0.03)
    assert np.nanpercentile(ratio, 10) > 0.9


def test_variances_of_jwst_make_faint_stars_no_fainter(tmp_path):
    rng = np.random.default_rng(52)
    gain, header = 110.0, fits.Header({"TELESCOP": "JWST"})
    at, flux, clean = stars(rng, 300, (1.5, 15))
    electrons = rng.poisson((clean + 0.5) * gain) + rng.normal(0, 11, clean.shape)
    data = electrons / gain
    poisson, read = np.maximum(data, 0) / gain, np.full(data.shape, 0.01)
    planes = {"ERR": np.sqrt(poisson + read)}
    variances = {"VAR_POISSON": poisson, "VAR_RNOISE": read}
    path = tmp_path / "jwst.fits"
    plain = measured(path, data, "MJy/sr", header, **planes)
    run = measured(path, data, "MJy/sr", header, **planes, **variances)
    assert run.image.var_poisson.shape == data.shape
    assert "VAR_POISSON" in run.report()["errors"]
    assert "VAR_POISSON" not in plain.report()["errors"]
    old, new = (of_stars(each, at, "flux_fit") / flux for each in (plain, run))
    assert 0.003 < np.nanmedian(new - old) < 0.02
    # Where the sky was subtracted the ratio tells no gain.
    without = measured(path, data - 0.5, "MJy/sr", header, **planes, **variances)
    assert "VAR_POISSON" not in without.report()["errors"]
