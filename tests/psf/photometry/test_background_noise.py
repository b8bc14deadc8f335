"""The noise of a measured background is in the error of the flux."""

import numpy as np
import pytest
from astropy.table import QTable

from psfphot.background import (
    BiweightLocationBackground,
    LocalBackground,
    MeanBackground,
    MedianBackground,
    MMMBackground,
    SExtractorBackground,
)
from psfphot.datasets import make_model_image
from psfphot.psf import CircularGaussianPRF, PSFPhotometry, SourceGrouper

FLUX, NOISE, STEP, SIDE = 1500.0, 5.0, 20, 30


@pytest.fixture(scope="module")
def field():
    """900 stars of one flux, 20 pixels apart, on a sky of 100."""
    rng = np.random.default_rng(1)
    places = np.arange(SIDE) * STEP + 15.0
    x, y = (v.ravel() for v in np.meshgrid(places, places))
    x, y = x + rng.uniform(-0.5, 0.5, x.size), y + rng.uniform(-0.5, 0.5, y.size)
    stars = QTable({"x_0": x, "y_0": y, "flux": np.full(x.size, FLUX)})
    shape = (SIDE * STEP + 20,) * 2
    psf = CircularGaussianPRF(fwhm=2.5)
    image = make_model_image(shape, psf, stars, model_shape=15)
    image += rng.normal(100, NOISE, shape)
    return image, QTable({"x": x, "y": y, "flux": stars["flux"]})


def fit(field, estimator, init=None, **options):
    image, starts = field
    phot = PSFPhotometry(
        CircularGaussianPRF(fwhm=2.5), 5, local_bkg_estimator=estimator, **options
    )
    error = np.full(image.shape, NOISE)
    return phot(image, error=error, init_params=starts if init is None else init), phot


def width(table):
    return np.std((table["flux_fit"] - FLUX) / table["flux_err"])


@pytest.mark.parametrize(
    "estimator",
    [
        MeanBackground(),
        MedianBackground(),
        MMMBackground(),
        SExtractorBackground(),
        BiweightLocationBackground(),
        np.median,
    ],
)
def test_pulls_have_a_width_of_one(field, estimator):
    """Of 900 a width is known to 2.4 %; without that noise it is 1.12 to 1.5."""
    table, _ = fit(field, LocalBackground(4, 6, bkg_estimator=estimator))
    assert abs(width(table) - 1) < 0.07
    given = field[1].copy()
    given["local_bkg"] = table["local_bkg"]
    without, _ = fit(field, LocalBackground(4, 6, bkg_estimator=estimator), given)
    np.testing.assert_array_equal(without["flux_fit"], table["flux_fit"])
    np.testing.assert_array_equal(without["x_err"], table["x_err"])
    assert width(without) > 1.08


def test_the_formula(field):
    """(sum wP / sum wP²)² var(sky), here for the mean of all pixels of the annulus."""
    image, starts = field
    annulus = LocalBackground(6, 8, bkg_estimator=MeanBackground(sigma_clip=None))
    table, _ = fit(field, annulus)
    given = starts.copy()
    given["local_bkg"] = table["local_bkg"]
    without, _ = fit(field, None, given)
    y, x = np.indices(image.shape)
    psf = CircularGaussianPRF(fwhm=2.5)
    for k in (0, 17):
        row = table[k]
        box = np.s_[
            round(row["y_init"]) - 2 : round(row["y_init"]) + 3,
            round(row["x_init"]) - 2 : round(row["x_init"]) + 3,
        ]
        profile = psf.evaluate(x[box], y[box], 1.0, row["x_fit"], row["y_fit"], 2.5)
        r = np.hypot(x - row["x_init"], y - row["y_init"])
        sky = image[(r >= 6) & (r < 8)]
        noise = profile.sum() / (profile**2).sum() * sky.std(ddof=1) / sky.size**0.5
        expected = np.hypot(without["flux_err"][k], noise)
        assert row["flux_err"] == pytest.approx(expected, 1e-6)


def test_covariances_have_it_too(field):
    starts = field[1][:40]
    table, phot = fit(field, LocalBackground(4, 6), starts, grouper=SourceGrouper(25))
    joint = phot.group_covariance(int(table["group_id"][0]))
    assert len(joint.ids) == 40
    errors = np.column_stack([table[f"{name}_err"] for name in ("x", "y", "flux")])
    found = np.sqrt(np.diag(joint.covariance)).reshape(40, 3)
    np.testing.assert_allclose(found, errors, rtol=1e-6)


def test_without_errors_it_is_the_same_noise(field):
    image, starts = field
    phot = PSFPhotometry(
        CircularGaussianPRF(fwhm=2.5),
        5,
        local_bkg_estimator=LocalBackground(4, 6),
        covariance="unit",
    )
    table = phot(image, init_params=starts)
    with_error, _ = fit(field, LocalBackground(4, 6))
    ratio = np.asarray(table["flux_err"] / with_error["flux_err"])
    assert abs(np.median(ratio) - 1) < 0.05
