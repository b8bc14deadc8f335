"""Stars closer than the PSF is wide, which the first search sees as one."""

import pickle

import numpy as np
import pytest
from astropy.table import QTable

from psfphot import _core
from psfphot.background import LocalBackground
from psfphot.detection import MatchedFilterFinder
from psfphot.psf import (
    CircularGaussianPRF,
    IterativePSFPhotometry,
    OverlapGrouper,
    PSFPhotometry,
)
from psfphot.psf._models.convert import to_core

PSF = CircularGaussianPRF(fwhm=1.8)


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5])
def test_few_new_stars_end_no_rounds_that_a_clump_still_needs(phase):
    x = np.array([19.15, 20.66, 20.12]) + phase
    y = np.array([19.4, 19.0, 20.8])
    flux = np.array([24510.0, 13370.0, 42961.0])
    image = np.zeros((41, 41))
    _core.render_sources(image, to_core(PSF), x, y, flux)
    error = np.sqrt(image + 125.0)
    data = image + error * np.random.default_rng(2).normal(size=image.shape)
    photometry = IterativePSFPhotometry(
        PSF,
        (7, 7),
        MatchedFilterFinder(PSF, 5.0),
        grouper=OverlapGrouper(),
        aperture_radius=3,
        mode="all",
        maxiters=5,
    )
    table = photometry(data, error=error)
    assert len(table) == 3
    left = (data - photometry.make_model_image(data.shape)) / error
    assert np.abs(left).max() < 5


def test_a_star_of_a_close_pair_is_certain_where_its_flux_is_not():
    """The error of a flux without that of its own position, from its covariance."""
    x, y, flux = np.array([20.0, 20.9]), np.array([20.3, 20.0]), np.array([3e3, 2e3])
    image = np.zeros((41, 41))
    _core.render_sources(image, to_core(PSF), x, y, flux)
    error = np.sqrt(image + 25.0)
    data = image + error * np.random.default_rng(1).normal(size=image.shape)
    photometry = PSFPhotometry(PSF, (7, 7), grouper=OverlapGrouper())
    init = QTable({"x": x, "y": y, "flux": flux})
    photometry(data, error=error, init_params=init)
    fit = photometry.last_fit()
    expected = []
    for own in (1, 2):
        joint = photometry.source_covariance(own)
        information = np.linalg.inv(joint.covariance)
        k = joint.parameters.index("flux")
        expected.append(np.sqrt(information[k, k]))
    flux_fit = np.array(photometry.results["flux_fit"])
    significance = fit.significance(np.inf)
    np.testing.assert_allclose(significance, flux_fit * expected, rtol=1e-9)
    assert (significance > 1.5 * fit.snr()).all()
    # What is beyond the limit already is not looked at.
    np.testing.assert_array_equal(fit.significance(1.0), fit.snr())


def test_neighbours_of_the_last_round_have_a_covariance():
    x, y, flux = np.array([15.2, 17.0, 30.1]), np.array([20.3, 20.0, 25.0]), 5e3
    image = np.zeros((41, 41))
    _core.render_sources(image, to_core(PSF), x, y, np.full(3, flux))
    error = np.sqrt(image + 25.0)
    data = image + error * np.random.default_rng(1).normal(size=image.shape)
    finder = MatchedFilterFinder(PSF, 5.0)
    grouper = OverlapGrouper()
    photometry = IterativePSFPhotometry(
        PSF, (7, 7), finder, grouper=grouper, mode="all", aperture_radius=3
    )
    table = photometry(data, error=error)
    pair = np.flatnonzero(table["group_size"] == 2)
    assert len(table) == 3
    assert len(pair) == 2
    joint = photometry.source_covariance(table["id"][pair].tolist())
    error_of = dict(
        zip(joint.parameters, np.sqrt(np.diag(joint.covariance)), strict=False)
    )
    assert error_of["flux"] == pytest.approx(table["flux_err"][pair[0]], rel=1e-6)
    k = joint.parameters.index("flux")
    assert joint.correlation()[k, k + len(joint.parameters)] < -0.05
    again = pickle.loads(pickle.dumps(photometry))  # noqa: S301
    group = int(table["group_id"][pair[0]])
    np.testing.assert_array_equal(
        again.group_covariance(group).covariance, joint.covariance
    )
    photometry.mode = "new"
    photometry(data, error=error)
    with pytest.raises(NotImplementedError, match="a fit of all sources together"):
        photometry.source_covariance([1])


def test_a_sky_of_local_backgrounds_is_no_new_star():
    rng = np.random.default_rng(4)
    x, y = rng.uniform(5, 195, (2, 60))
    image = np.zeros((200, 200))
    _core.render_sources(image, to_core(PSF), x, y, rng.uniform(2e3, 2e4, 60))
    error = np.sqrt(image + 125.0)
    data = image + error * rng.normal(size=image.shape)
    tables = []
    for sky in (0.0, 100.0):
        photometry = IterativePSFPhotometry(
            PSF,
            (7, 7),
            MatchedFilterFinder(PSF, 5.0),
            grouper=OverlapGrouper(),
            local_bkg_estimator=LocalBackground(7, 12),
            aperture_radius=3,
            mode="all",
        )
        tables.append(photometry(data + sky, error=error))
    plain, shifted = tables
    assert sum(shifted.meta["n_new"]) < 20
    assert shifted.meta["n_new"] == plain.meta["n_new"]
    assert len(shifted) == len(plain)
    np.testing.assert_allclose(shifted["flux_fit"], plain["flux_fit"], rtol=1e-4)
