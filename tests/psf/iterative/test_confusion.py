"""Errors hold the light of stars that were not found."""

import numpy as np
import pytest
from astropy.table import QTable
from frames.floor import FWHM, SKY, crowd
from frames.score import robust_width

from psfphot.detection import MatchedFilterFinder
from psfphot.psf import (
    PSF_FLAGS,
    CircularGaussianPRF,
    IterativePSFPhotometry,
    OverlapGrouper,
    PSFPhotometry,
)

# Some of the faint ones in a crowd.
pytestmark = pytest.mark.filterwarnings("ignore:One or more fit.s. may not")

MODEL = CircularGaussianPRF(fwhm=FWHM)


def positions(x, y, flux=None):
    table = QTable({"x": x, "y": y})
    if flux is not None:
        table["flux"] = flux
    return table


@pytest.fixture(scope="module")
def floor():
    return crowd(220, has_floor=True, density=0.01, seed=3)


def known_stars(scene, *, confusion, least=60.0):
    """Fit the stars that are bright enough, from where they are."""
    bright = scene.flux > least
    stars = positions(scene.x[bright], scene.y[bright], scene.flux[bright])
    photometry = PSFPhotometry(MODEL, (5, 5), grouper=OverlapGrouper())
    photometry.confusion = confusion
    light = SKY + scene.flux[~bright].sum() / scene.data.size
    table = photometry(scene.data - light, error=scene.error, init_params=stars)
    pull = (table["flux_fit"] - scene.flux[bright]) / table["flux_err"]
    return photometry, table, np.asarray(pull)


def test_on_a_clean_field_errors_stay():
    scene = crowd(300, density=0.002, seed=5)
    model = PSFPhotometry(MODEL, (5, 5), grouper=OverlapGrouper(), confusion=True)
    clean = np.sqrt(0.55**2 + (SKY + 0 * scene.data) / 14)
    light = scene.data - SKY
    table = model(
        light,
        error=np.maximum(clean, scene.error),
        init_params=positions(scene.x, scene.y, scene.flux),
    )
    factor = np.asarray(table["confusion_factor"])
    assert abs(np.median(factor) - 1) < 0.02
    assert factor.min() >= 1
    assert factor.max() < 1.06
    flagged = np.asarray(table["flags"]) & PSF_FLAGS.UNMODELLED_COMPANION > 0
    assert flagged.mean() < 0.03


def test_on_a_floor_of_faint_stars_errors_grow_to_what_they_are(floor):
    _, plain, formal = known_stars(floor, confusion=False)
    _, table, pull = known_stars(floor, confusion=True)
    assert "confusion_factor" not in plain.colnames
    assert robust_width(formal) > 1.2
    assert 0.8 < robust_width(pull) < 1.12
    factor = np.asarray(table["confusion_factor"])
    np.testing.assert_allclose(table["flux_err"], plain["flux_err"] * factor)
    np.testing.assert_allclose(table["x_err"], plain["x_err"] * factor)
    np.testing.assert_array_equal(table["flux_fit"], plain["flux_fit"])
    # The brightest are off by their own photons.
    assert factor[np.argmax(table["flux_fit"])] < np.median(factor)
    assert table.meta["confusion_factor"] == pytest.approx(factor.max(), rel=0.2)


def test_covariances_are_those_of_the_errors(floor):
    photometry, table, _ = known_stars(floor, confusion=True)
    group = int(table["group_id"][np.argmin(table["group_size"])])
    rows = np.asarray(table["group_id"]) == group
    joint = photometry.group_covariance(group)
    n = len(joint.parameters)
    flux = joint.parameters.index("flux")
    variances = np.diag(joint.covariance)[flux::n]
    np.testing.assert_allclose(variances, np.asarray(table["flux_err"][rows]) ** 2)


def test_a_star_that_is_two_has_the_flag():
    rng = np.random.default_rng(2)
    model = CircularGaussianPRF(fwhm=3.0)
    rows, columns = np.mgrid[:60, :60]
    data = rng.normal(0, 1, (60, 60))
    for x, y, flux in ((20, 20, 3000), (21.3, 20.4, 1500), (44, 40, 3000)):
        data += model.evaluate(columns, rows, flux, x, y, 3.0)
    error = np.ones_like(data)
    table = PSFPhotometry(model, (7, 7), confusion=True)(
        data, error=error, init_params=positions([20.3, 44], [20.1, 40], [4e3, 3e3])
    )
    assert table["blend_significance"][0] > 3
    assert table["flags"][0] & PSF_FLAGS.UNMODELLED_COMPANION
    assert not table["flags"][1] & PSF_FLAGS.UNMODELLED_COMPANION


@pytest.mark.parametrize("mode", ["new", "all"])
def test_iterations_have_it_too(floor, mode):
    cut = np.s_[:110, :110]
    photometry = IterativePSFPhotometry(
        MODEL,
        (5, 5),
        MatchedFilterFinder(MODEL, 5.0, sky=False),
        grouper=OverlapGrouper(),
        aperture_radius=2,
        mode=mode,
        maxiters=2,
        confusion=True,
        extra_columns=True,
    )
    table = photometry(floor.data[cut] - 1.1 * SKY, error=floor.error[cut])
    assert np.all(table["confusion_factor"] >= 1)
    assert table.meta["confusion_factor"] > 1.05
    assert table.colnames.count("blend_significance") == 1
