"""Settings are checked where they are set: at construction and later."""

import numpy as np
import pytest
from astropy.modeling.functional_models import Gaussian2D
from astropy.table import QTable

from psfphot.background import LocalBackground, MMMBackground
from psfphot.psf import CircularGaussianPRF, GaussianPSF, PSFPhotometry

INIT = QTable({"x": [30.0], "y": [30.0], "flux": [900.0]})


@pytest.fixture
def phot():
    return PSFPhotometry(CircularGaussianPRF(fwhm=2.5), 7)


@pytest.fixture
def data():
    y, x = np.mgrid[:60, :60]
    return CircularGaussianPRF().evaluate(x, y, 1000.0, 30.2, 29.7, 2.5)


@pytest.mark.parametrize("shape", [5, [5, 5], np.array([5, 5]), (5, 5), np.int32(5)])
def test_a_shape_of_any_kind(phot, data, shape):
    phot.fit_shape = shape
    assert phot.fit_shape == (5, 5)
    assert phot(data, init_params=INIT)["n_pixels_fit"][0] == 25


def test_other_settings(phot, data):
    phot.xy_bounds = 0.1
    assert phot.xy_bounds == (0.1, 0.1)
    assert phot(data, init_params=INIT)["x_fit"][0] == pytest.approx(30.1)
    phot.fitter_maxiters = None
    assert phot.fitter_maxiters == 100
    phot.psf_model = Gaussian2D(x_stddev=1.2, y_stddev=1.2)
    assert isinstance(phot.psf_model, GaussianPSF)
    assert "fit_shape=(7, 7)" in repr(phot)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("fit_shape", 4, ValueError),
        ("fit_shape", 5.5, ValueError),
        ("xy_bounds", -1, ValueError),
        ("aperture_radius", -1, ValueError),
        ("finder", 3, TypeError),
        ("grouper", "a", TypeError),
        ("fitter", 3, TypeError),
        ("fitter_maxiters", 0, ValueError),
        ("n_threads", 0, ValueError),
        ("keep_columns", 3, TypeError),
        ("psf_model", "a", TypeError),
        ("local_bkg_estimator", MMMBackground(), ValueError),
        ("local_bkg_estimator", 3, ValueError),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_changes(phot, name, value, error):
    before = getattr(phot, name)
    with pytest.raises(error, match=name):
        setattr(phot, name, value)
    assert getattr(phot, name) is before
    if name not in ("psf_model", "fit_shape"):
        with pytest.raises(error, match=name):
            PSFPhotometry(CircularGaussianPRF(fwhm=2.5), 7, **{name: value})


def test_what_is_called_like_a_local_background(phot, data):
    def level(data, x, y, mask=None):
        return np.full(len(x), 3.0)

    phot.local_bkg_estimator = level
    assert phot(data + 3, init_params=INIT)["flux_fit"][0] == pytest.approx(1000)
    phot.local_bkg_estimator = LocalBackground(8, 12)
    assert phot(data + 3, init_params=INIT)["local_bkg"][0] == pytest.approx(3, 1e-4)
