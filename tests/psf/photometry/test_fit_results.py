"""What photometry tells after a fit."""

import copy
import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from astropy.utils.exceptions import AstropyDeprecationWarning

from psfphot.background import LocalBackground
from psfphot.datasets import make_noise_image
from psfphot.psf import CircularGaussianPRF, PSFPhotometry, SourceGrouper

SHAPE = (61, 80)


@pytest.fixture(scope="module")
def stars():
    return QTable(
        {
            "id": [7, 3, 5, 4],
            "x": [20.2, 22.3, 60.4, -400.0],
            "y": [30.7, 31.0, 12.6, 5.0],
            "flux": [900.0, 700.0, 500.0, 100.0],
            "name": ["a", "b", "c", "d"],
            "flags": [1, 2, 3, 4],
            "sky": [1, 2, 3, 4] * u.deg,
        }
    )


def simulated(stars, fwhm=2.7):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    psf = CircularGaussianPRF()
    image = sum(psf.evaluate(x, y, s["flux"], s["x"], s["y"], fwhm) for s in stars)
    return image + make_noise_image(SHAPE, mean=0, stddev=0.5, seed=4)


def fitted(stars, model=None, error=0.5, **kwargs):
    phot = PSFPhotometry(
        model or CircularGaussianPRF(fwhm=2.7), 7, grouper=SourceGrouper(6), **kwargs
    )
    phot(simulated(stars), error=np.full(SHAPE, error), init_params=stars)
    return phot


def test_starting_values_and_parameters_of_the_model(stars):
    phot = fitted(stars)
    table = phot.results_to_init_params()
    assert table.colnames == ["id", "x_init", "y_init", "flux_init"]
    assert list(table["id"]) == [1, 2, 3]
    valid = np.isfinite(phot.results["x_fit"])
    np.testing.assert_array_equal(table["x_init"], phot.results["x_fit"][valid])
    table = phot.results_to_model_params(reset_ids=False)
    assert table.colnames == ["id", "x_0", "y_0", "flux"]
    assert list(table["id"]) == [3, 5, 7]
    everything = phot.results_to_model_params(remove_invalid=False)
    assert list(everything["id"]) == [3, 4, 5, 7]
    # Fitted again from there, nothing moves by more than the tolerance.
    again = PSFPhotometry(CircularGaussianPRF(fwhm=2.7), 7, grouper=SourceGrouper(6))
    second = again(
        simulated(stars),
        error=np.full(SHAPE, 0.5),
        init_params=phot.results_to_init_params(reset_ids=False),
    )
    first = phot.results[valid]
    assert np.all(np.abs(second["x_fit"] - first["x_fit"]) < 2e-2 * first["x_err"])
    assert fitted_nothing().results_to_init_params() is None


def fitted_nothing():
    return PSFPhotometry(CircularGaussianPRF(fwhm=2.7), 7)


def test_a_free_shape_goes_along(stars):
    model = CircularGaussianPRF(fwhm=2.5)
    model.fwhm.fixed = False
    phot = fitted(stars, model)
    assert "fwhm_init" in phot.results_to_init_params().colnames
    np.testing.assert_allclose(phot.results_to_model_params()["fwhm"], 2.7, rtol=0.05)


def test_flags_by_id(stars):
    decoded = fitted(stars).decode_flags()
    assert list(decoded) == [3, 4, 5, 7]
    assert "no_overlap" in decoded[4]
    assert decoded[3] == decoded[5] == decoded[7] == []
    assert 64 in fitted(stars).decode_flags(return_bit_values=True)[4]
    with pytest.raises(ValueError, match="No results available"):
        fitted_nothing().decode_flags()


def test_how_each_fit_ended(stars):
    info = fitted(stars).fit_info
    assert [one["status"] for one in info] == [1, -4, 1, 1]
    assert "tolerance" in info[0]["message"]
    assert info[1]["n_iterations"] == 0 < info[0]["n_iterations"]
    with pytest.warns(UserWarning, match="converged"):
        info = fitted(stars, fitter_maxiters=1).fit_info
    assert info[0]["status"] == 0
    assert fitted_nothing().fit_info == []


@pytest.mark.parametrize("error", [0.5, None])
def test_the_covariance_of_a_group(stars, error):
    phot = PSFPhotometry(CircularGaussianPRF(fwhm=2.7), 7, grouper=SourceGrouper(6))
    if error is not None:
        error = np.full(SHAPE, error)
    results = phot(simulated(stars), error=error, init_params=stars)
    pair = results[results["group_size"] == 2]
    ids, parameters, covariance = phot.group_covariance(pair["group_id"][0])
    assert ids == [3, 7]
    assert parameters == ["x", "y", "flux"]
    errors = [pair[f"{name}_err"][k] for k in (0, 1) for name in ("x", "y", "flux")]
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), errors, rtol=1e-6)
    # The pair lies along x: what one flux gains, the other loses.
    correlation = phot.group_covariance(pair["group_id"][0]).correlation()
    assert correlation[2, 5] < -0.3
    np.testing.assert_allclose(correlation, correlation.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(correlation), 1)

    lost = results[results["id"] == 4]["group_id"][0]
    assert np.isnan(phot.group_covariance(lost).covariance).all()
    with pytest.raises(ValueError, match="group_id must be one of the results"):
        phot.group_covariance(999)
    with pytest.raises(ValueError, match="No results"):
        fitted_nothing().group_covariance(1)


def test_the_covariance_is_that_of_many_trials(stars):
    """The correlation of the fluxes of a pair, against 300 images."""
    pair = stars[:2]
    psf = CircularGaussianPRF(fwhm=2.7)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = sum(psf.evaluate(x, y, s["flux"], s["x"], s["y"], 2.7) for s in pair)
    rng = np.random.default_rng(8)
    phot = PSFPhotometry(psf, 7, grouper=SourceGrouper(6))
    fluxes = []
    for _ in range(300):
        noisy = image + rng.normal(0, 0.5, SHAPE)
        table = phot(noisy, error=np.full(SHAPE, 0.5), init_params=pair)
        fluxes.append(np.asarray(table["flux_fit"]))
    expected = phot.group_covariance(1).correlation()[2, 5]
    # The scatter of a correlation coefficient of 300 pairs.
    scatter = (1 - expected**2) / np.sqrt(300)
    assert abs(np.corrcoef(np.transpose(fluxes))[0, 1] - expected) < 4 * scatter


def test_fit_params_is_deprecated(stars):
    with pytest.warns(AstropyDeprecationWarning, match="fit_params"):
        table = fitted(stars).fit_params
    assert table.colnames == [
        "id", "x_fit", "y_fit", "flux_fit", "x_err", "y_err", "flux_err"
    ]  # fmt: skip


def test_columns_are_kept_when_asked(stars):
    table = fitted(stars).results
    assert table.colnames[-1] == "flags"
    table = fitted(stars, keep_columns=True).results
    assert table.colnames[-3:] == ["flags", "name", "sky"]
    assert list(table["name"]) == ["b", "d", "c", "a"]
    assert table["sky"].unit == u.deg
    table = fitted(stars, keep_columns="name").results
    assert table.colnames[-2:] == ["flags", "name"]
    with pytest.raises(ValueError, match="must name columns of init_params, got 'no'"):
        fitted(stars, keep_columns=["no"])
    with pytest.raises(ValueError, match="must not name a column of the results"):
        fitted(stars, keep_columns=["flags"])
    with pytest.raises(TypeError, match="keep_columns must be True"):
        fitted(stars, keep_columns=[3])


def test_names_of_before_photutils_3_work_and_warn(stars):
    estimator = LocalBackground(8, 12)
    with pytest.warns(AstropyDeprecationWarning, match="localbkg_estimator"):
        phot = fitted(stars, localbkg_estimator=estimator)
    assert phot.local_bkg_estimator is estimator
    with pytest.warns(AstropyDeprecationWarning, match="npixfit"):
        assert phot.results["npixfit"][0] == 49
    assert "npixfit" not in phot.results.colnames
    with pytest.warns(AstropyDeprecationWarning, match="include_localbkg"):
        phot.make_model_image(SHAPE, include_localbkg=True)
    with pytest.warns(AstropyDeprecationWarning, match="include_localbkg"):
        phot.make_residual_image(simulated(stars), include_localbkg=True)


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda phot: pickle.loads(pickle.dumps(phot))],  # noqa: S301
    ids=["copy", "deepcopy", "pickle"],
)
def test_photometry_is_copied_with_its_results(stars, copied):
    phot = fitted(stars)
    again = copied(phot)
    np.testing.assert_array_equal(again.results["flux_fit"], phot.results["flux_fit"])
    image = phot.make_model_image(SHAPE)
    np.testing.assert_array_equal(again.make_model_image(SHAPE), image)
    group = phot.results["group_id"][0]
    np.testing.assert_array_equal(
        again.group_covariance(group).covariance,
        phot.group_covariance(group).covariance,
    )
    again(simulated(stars), init_params=stars[:2])
    assert len(again.results) == 2
    assert len(phot.results) == 4


def test_the_results_stay_when_the_model_is_changed(stars):
    phot = fitted(stars)
    group = phot.results["group_id"][0]
    before = phot.group_covariance(group).covariance
    phot.psf_model.flux.fixed = True
    phot.psf_model.fwhm = 5
    np.testing.assert_array_equal(phot.group_covariance(group).covariance, before)
