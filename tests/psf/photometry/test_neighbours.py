"""Sources that share light with one of another group are flagged."""

import numpy as np
import pytest
from astropy.table import QTable

from psfphot.datasets import make_model_image
from psfphot.psf import PSF_FLAGS, CircularGaussianPRF, PSFPhotometry

FWHM = 3.0
NOISE = 11.0
FLUX = 5000.0
FLAG = PSF_FLAGS.NEIGHBOUR_IN_BOX


def fit(x, flux, *, fwhm=FWHM, fit_shape=7, group=None, x_fixed=False, fitter=None):
    """Fit stars in a row at y = 30; the first is at x = 30."""
    psf = CircularGaussianPRF(fwhm=fwhm)
    stars = QTable({"x_0": x, "y_0": np.full(len(x), 30.0), "flux": flux})
    image = make_model_image((60, 100), psf, stars, model_shape=25)
    image += np.random.default_rng(0).normal(0, NOISE, image.shape)
    init = QTable({"x": x, "y": stars["y_0"], "flux": flux})
    if group is not None:
        init["group_id"] = group
    psf.x_0.fixed = psf.y_0.fixed = x_fixed
    phot = PSFPhotometry(psf, fit_shape, fitter=fitter)
    return phot(image, error=np.full(image.shape, NOISE), init_params=init)


def flagged(table):
    return (np.asarray(table["flags"]) & FLAG > 0).tolist()


@pytest.mark.parametrize("distance", [0.75, 1.0])
def test_two_stars_that_were_not_grouped(distance):
    x = [30.0, 30.0 + distance * FWHM]
    table = fit(x, [FLUX, FLUX])
    pull = np.abs(table["flux_fit"] - FLUX) / table["flux_err"]
    assert np.all(pull > 5)
    assert flagged(table) == [True, True]
    joint = fit(x, [FLUX, FLUX], group=[1, 1])
    assert flagged(joint) == [False, False]
    assert np.all(np.abs(joint["flux_fit"] - FLUX) < 4 * joint["flux_err"])


def test_what_adds_less_than_the_error_is_no_neighbour():
    # Both are in the other's box, narrow ones without much light in common.
    assert flagged(fit([30.0, 33.4], [FLUX, FLUX], fwhm=1.5)) == [False, False]
    assert flagged(fit([30.0, 33.4], [FLUX, FLUX], fwhm=3.0)) == [True, True]
    assert flagged(fit([30.0, 60.0], [FLUX, FLUX])) == [False, False]


def test_every_pair_over_the_error_is_flagged():
    """The light of a neighbour as measured against fits without it."""
    for distance in np.arange(2.0, 5.1, 0.5):
        x = [30.0, 30.0 + distance]
        both = fit(x, [FLUX, FLUX], x_fixed=True)
        alone = fit(x, [FLUX, 0.0], x_fixed=True)
        added = (both["flux_fit"] - alone["flux_fit"])[0] / both["flux_err"][0]
        in_reach = distance <= max(3.5, FWHM)
        # The neighbour's own flux is too high by its share of the first's light.
        if added > 1 and in_reach:
            assert flagged(both) == [True, True], distance
        if not in_reach:
            assert flagged(both) == [False, False], distance


def test_within_a_width_of_a_small_box():
    """The neighbour is off the box of 3 pixels, but not off the star."""
    table = fit([30.0, 32.8], [FLUX, 3 * FLUX], fit_shape=3)
    assert flagged(table) == [True, True]


def test_of_a_third_group_only():
    table = fit([30.0, 32.5, 35.5], [FLUX] * 3, group=[1, 1, 2])
    assert flagged(table) == [False, True, True]


def test_fits_by_astropy_are_flagged_too():
    fitting = pytest.importorskip("astropy.modeling.fitting")
    pytest.importorskip("scipy")
    table = fit([30.0, 33.0], [FLUX, FLUX], fitter=fitting.TRFLSQFitter())
    assert flagged(table) == [True, True]
