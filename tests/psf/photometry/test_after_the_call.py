"""What is asked after a fit is that of the fit, whatever became of what went in."""

import copy
import pickle

import numpy as np
import pytest
from astropy.table import QTable

from psfphot.psf import CircularGaussianPRF, PSFPhotometry, SourceGrouper

SHAPE = (60, 70)
NOISE = 0.5
STARS = [(1000.0, 20.3, 31.8, 2.0), (500.0, 41.1, 25.6, 3.0), (800.0, 50.2, 10.4, 4.0)]


@pytest.fixture
def data():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    psf = CircularGaussianPRF()
    noise = np.random.default_rng(0).normal(0, NOISE, SHAPE)
    return noise + sum(psf.evaluate(x, y, *star) for star in STARS)


@pytest.fixture
def init():
    flux, x, y, _ = zip(*STARS, strict=True)
    return QTable({"x": x, "y": y, "flux": flux})


def photometry(**options):
    psf = CircularGaussianPRF(fwhm=3)
    psf.fwhm.fixed = False
    return PSFPhotometry(psf, 9, **options)


def n_steps(phot):
    return [info["n_iterations"] for info in phot.fit_info]


def test_a_table_that_is_sorted_and_cut(data, init):
    phot = photometry()
    table = phot(data, error=np.full(SHAPE, NOISE), init_params=init)
    before = phot.make_residual_image(data)
    steps = {
        k: i["n_iterations"] for k, i in zip(table["id"], phot.fit_info, strict=True)
    }
    errors = dict(zip(table["id"].tolist(), table["x_err"].tolist(), strict=True))
    table.sort("flux_fit")
    assert list(table["id"]) == [2, 3, 1]
    table.remove_rows([0])
    np.testing.assert_array_equal(phot.make_residual_image(data), before)
    shown = {
        k: i["n_iterations"] for k, i in zip(table["id"], phot.fit_info, strict=True)
    }
    assert shown == {k: steps[k] for k in (3, 1)}
    for group in (1, 2, 3):
        joint = phot.group_covariance(group)
        assert joint.ids == [group]
        assert np.sqrt(joint.covariance[0, 0]) == pytest.approx(errors[group], 1e-6)
    table["id"] = [7, 8]
    with pytest.raises(ValueError, match=r"none of the fit's: \[7, 8\]"):
        _ = phot.fit_info


def test_a_model_and_settings_that_are_changed(data, init):
    phot = photometry()
    phot(data, init_params=init)
    before = phot.make_residual_image(data)
    phot.psf_model.fwhm = 9.0
    phot.psf_model.fwhm.fixed = True
    phot.fit_shape = 3
    phot.init_params["x_init"] = 0.0
    np.testing.assert_array_equal(phot.make_residual_image(data), before)
    assert len(phot.group_covariance(1).parameters) == 4


def test_starting_values_are_those_of_the_last_call(data, init):
    phot = photometry()
    assert phot.init_params is None
    phot(data, init_params=init)
    phot.init_params["x_init"] = 0.0
    # The user's own, once they have been asked for; in copies too.
    for own in (phot, copy.deepcopy(phot), pickle.loads(pickle.dumps(phot))):  # noqa: S301
        assert np.all(own.init_params["x_init"] == 0)
    assert np.all(phot.results["x_init"] > 0)
    phot(data, init_params=init[:2])
    assert list(phot.init_params["x_init"]) == list(phot.results["x_init"])
    phot.forget()
    assert phot.init_params is None


@pytest.mark.parametrize("grouper", [None, SourceGrouper(100)])
def test_images_that_are_changed_in_place(data, init, grouper):
    """Covariances come from what the fit has left, not from the image."""
    phot, error = photometry(grouper=grouper), np.full(SHAPE, NOISE)
    phot(data, error=error, init_params=init)
    before = phot.group_covariance(1).covariance
    data[:] = 0
    error *= 2
    np.testing.assert_array_equal(phot.group_covariance(1).covariance, before)
    again = pickle.loads(pickle.dumps(phot))  # noqa: S301
    np.testing.assert_array_equal(again.group_covariance(1).covariance, before)


@pytest.mark.parametrize("grouper", [None, SourceGrouper(100)])
def test_param_cov_is_each_source_s_own(data, init, grouper):
    phot = photometry(grouper=grouper)
    table = phot(data, init_params=init)
    for row, info in zip(table, phot.fit_info, strict=True):
        assert "param_cov" in info
        errors = [row[f"{name}_err"] for name in ("flux", "x", "y", "fwhm")]
        found = np.sqrt(np.diag(info["param_cov"]))
        np.testing.assert_allclose(found, errors, rtol=1e-6)
    again = pickle.loads(pickle.dumps(phot.fit_info[0]))  # noqa: S301
    assert type(again) is dict
    assert again["param_cov"].shape == (4, 4)
    assert phot.fit_info[0].get("nothing") is None
    with pytest.raises(KeyError):
        phot.fit_info[0]["nothing"]


def test_images_are_drawn_with_the_fitted_widths():
    """The box of the start, a width of 2, would cut off what was fitted."""
    y, x = np.mgrid[:80, :80]
    data = CircularGaussianPRF().evaluate(x, y, 1000.0, 40.2, 39.7, 5.0)
    psf = CircularGaussianPRF(fwhm=2.0)
    psf.fwhm.fixed = False
    phot = PSFPhotometry(psf, 11)
    error, init = np.ones(data.shape), QTable({"x": [40], "y": [40], "flux": [900.0]})
    phot(data, error=error, init_params=init)
    assert np.abs(phot.make_residual_image(data)).max() < 1e-4 * data.max()
    assert phot.make_model_image(data.shape).sum() == pytest.approx(1000, 1e-5)
