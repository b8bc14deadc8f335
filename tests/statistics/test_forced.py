"""Forced photometry: the flux alone, by one linear solve."""

import numpy as np
import pytest
from trials import box_pixels, make_scene, width

from psfphot.psf import CircularGaussianPRF, PSFPhotometry

SIZE = 7
FLUX = 150.0


@pytest.fixture
def psf():
    model = CircularGaussianPRF(fwhm=2.5)
    model.x_0.fixed = model.y_0.fixed = True
    return model


@pytest.fixture
def scene(psf):
    return make_scene(psf, FLUX, 100)


def at_the_truth(scene):
    starts = scene.truth["x", "y", "flux"]
    # Far off, and of either sign: a linear problem does not mind.
    starts["flux"] = np.random.default_rng(5).uniform(-1e4, 1e4, len(starts))
    return starts


def test_it_is_the_linear_solution(psf, scene):
    data = scene.poisson(np.random.default_rng(1))
    fit = PSFPhotometry(psf, SIZE)
    starts = at_the_truth(scene)
    table = fit(data, error=np.sqrt(scene.variance), init_params=starts)
    x, y = box_pixels(starts, SIZE)
    true = [np.asarray(scene.truth[c])[:, None] for c in "xy"]
    profile = psf.evaluate(x * 1.0, y * 1.0, 1.0, *true, 2.5)
    weight = 1 / scene.variance[y, x]
    norm = np.sum(weight * profile**2, axis=1)
    flux = np.sum(weight * profile * data[y, x], axis=1) / norm
    np.testing.assert_allclose(table["flux_err"], 1 / np.sqrt(norm), rtol=1e-12)
    np.testing.assert_allclose(table["flux_fit"], flux, rtol=1e-10, atol=1e-9)
    # One look at the start, one at the solution.
    assert {info["n_iterations"] for info in fit.fit_info} == {2}
    np.testing.assert_array_equal(table["x_fit"], scene.truth["x"])
    assert np.all(np.isnan(table["x_err"]))


def test_a_pair_at_known_positions_is_linear_too(psf):
    pairs = make_scene(psf, FLUX, 100, offset=1.5)
    starts = at_the_truth(pairs)
    starts["group_id"] = pairs.truth["group_id"]
    fit = PSFPhotometry(psf, SIZE)
    data = pairs.poisson(np.random.default_rng(1))
    table = fit(data, error=np.sqrt(pairs.variance), init_params=starts)
    assert {info["n_iterations"] for info in fit.fit_info} == {2}
    pulls = (np.asarray(table["flux_fit"]) - FLUX) / np.asarray(table["flux_err"])
    # 5,000 pulls in pairs: 1.4 % for the width and 1.8 % for the mean at most.
    assert 0.95 < width(pulls) < 1.05
    assert abs(np.mean(pulls)) < 0.07


def test_it_is_unbiased_however_faint(psf, scene):
    rng = np.random.default_rng(2)
    error = np.sqrt(scene.variance)
    pulls = []
    for _ in range(4):
        table = PSFPhotometry(psf, SIZE)(
            scene.poisson(rng), error=error, init_params=at_the_truth(scene)
        )
        pulls.append((table["flux_fit"] - FLUX) / table["flux_err"])
    # The mean of 10,000 pulls is known to 0.01.
    assert abs(np.mean(pulls)) < 0.04
    assert 0.95 < width(pulls) < 1.05


def test_errors_without_an_error_image(psf, scene):
    sigma = 3.0
    rng = np.random.default_rng(4)
    data = scene.image + rng.normal(0, sigma, scene.image.shape)
    table = PSFPhotometry(psf, SIZE)(data, init_params=at_the_truth(scene))
    x, y = box_pixels(scene.truth, SIZE)
    true = [np.asarray(scene.truth[c])[:, None] for c in "xy"]
    profile = psf.evaluate(x * 1.0, y * 1.0, 1.0, *true, 2.5)
    ratio = table["flux_err"] / (sigma / np.sqrt(np.sum(profile**2, axis=1)))
    # chi^2 of 48 degrees of freedom: 10 % each, 0.3 % for their median.
    assert 0.98 < np.median(ratio) < 1.02
