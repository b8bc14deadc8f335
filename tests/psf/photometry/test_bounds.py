"""Bounds of positions and parameters, alone and in groups."""

import numpy as np
import pytest
from astropy.table import QTable

from psfphot.psf import CircularGaussianPRF, LevenbergMarquardt, PSFPhotometry

NEAR_BOUND = 32


@pytest.fixture
def psf():
    return CircularGaussianPRF(fwhm=2.7)


@pytest.fixture(scope="module")
def stars():
    return QTable(
        {
            "x": [20.2, 22.9, 60.4],
            "y": [30.7, 31.0, 12.6],
            "flux": [900.0, 700.0, 500.0],
            "group_id": [1, 1, 2],
        }
    )


@pytest.fixture(scope="module")
def data(stars):
    y, x = np.mgrid[:61, :80]
    psf = CircularGaussianPRF(fwhm=2.7)
    rng = np.random.default_rng(4)
    image = sum(psf.evaluate(x, y, s["flux"], s["x"], s["y"], 2.7) for s in stars)
    return image + rng.normal(0, 0.5, x.shape)


def shifted(stars, by):
    starts = stars.copy()
    starts["x"] += by
    return starts


def test_positions_stay_within_xy_bounds(psf, stars, data):
    starts = shifted(stars, 0.6)
    table = PSFPhotometry(psf, 7, xy_bounds=(0.25, None))(data, init_params=starts)
    np.testing.assert_allclose(table["x_fit"], starts["x"] - 0.25, atol=1e-12)
    assert np.all(table["flags"] & NEAR_BOUND)
    assert np.all(np.isfinite(table["x_err"]))
    free = PSFPhotometry(psf, 7)(data, init_params=starts)
    wide = PSFPhotometry(psf, 7, xy_bounds=3)(data, init_params=starts)
    for name in ("x_fit", "flux_fit", "flux_err", "flags"):
        np.testing.assert_array_equal(wide[name], free[name])


def test_bounds_of_the_model_hold_in_groups(psf, stars, data):
    psf.flux.bounds = (None, 800.0)
    table = PSFPhotometry(psf, 7)(data, init_params=stars)
    assert table["flux_fit"][0] == 800
    assert list(table["flags"] & NEAR_BOUND) == [NEAR_BOUND, 0, 0]
    psf.flux.bounds = (None, None)
    psf.fwhm.fixed = False
    psf.fwhm.bounds = (2.8, 4)
    table = PSFPhotometry(psf, 7)(data, init_params=stars)
    assert np.all(table["fwhm_fit"] >= 2.8)
    assert np.all(table["flags"][table["fwhm_fit"] == 2.8] & NEAR_BOUND)
    assert np.any(table["fwhm_fit"] == 2.8)


def test_xy_bounds_go_before_those_of_the_model(psf, stars, data):
    psf.x_0.bounds = (0, 15)
    table = PSFPhotometry(psf, 7, xy_bounds=1)(data, init_params=stars)
    np.testing.assert_allclose(table["x_fit"], stars["x"], atol=0.05)


def test_bounds_in_the_wrong_order_are_refused(psf, stars, data):
    psf.flux.bounds = (5, 1)
    with pytest.raises(ValueError, match=r"flux has the bounds \(5"):
        PSFPhotometry(psf, 5)(data, init_params=stars)


def test_settings_of_the_fitter(psf, stars, data):
    starts = shifted(stars, 0.6)
    coarse = PSFPhotometry(psf, 7, fitter=LevenbergMarquardt(max_iterations=1))
    with pytest.warns(UserWarning, match="may not have converged"):
        table = coarse(data, init_params=starts)
    assert np.all(table["flags"] & 8)
    default = PSFPhotometry(psf, 7)(data, init_params=starts)
    loose = LevenbergMarquardt(step_tolerance=0.1)
    table = PSFPhotometry(psf, 7, fitter=loose)(data, init_params=starts)
    difference = np.abs(table["flux_fit"] - default["flux_fit"]) / default["flux_err"]
    assert np.all(difference < 0.1)
    for bad, error in ((0, ValueError), (1.5, ValueError), (True, ValueError)):
        with pytest.raises(error, match="max_iterations"):
            LevenbergMarquardt(max_iterations=bad)
    for tolerance in (0, -1, np.nan):
        with pytest.raises(ValueError, match="step_tolerance"):
            LevenbergMarquardt(step_tolerance=tolerance)
