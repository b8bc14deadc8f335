"""Local backgrounds and aperture sums, the starting values of a fit."""

import warnings

import numpy as np
import pytest
from astropy.table import QTable

from psfphot.background import LocalBackground
from psfphot.psf import CircularGaussianPRF, PSFPhotometry


@pytest.fixture(params=["plain", "masked"])
def kind(request):
    return request.param


@pytest.fixture
def golden(load_golden):
    return load_golden("background")


def test_local_background(golden, simulation, kind):
    """Annuli inside, cut by the edge and wholly outside (NaN)."""
    data = simulation["data"]
    mask = simulation["mask"] if kind == "masked" else None
    for radii, expected in zip(
        golden["annuli"], golden[f"background_{kind}"], strict=True
    ):
        assert np.isnan(expected).any()
        estimator = LocalBackground(*radii)
        got = estimator(data, golden["x"], golden["y"], mask=mask)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)


def test_local_background_of_one_position_is_a_scalar(golden, simulation):
    estimator = LocalBackground(*golden["annuli"][0])
    x, y = float(golden["x"][4]), float(golden["y"][4])
    got = estimator(simulation["data"], x, y)
    assert np.ndim(got) == 0
    assert got == pytest.approx(golden["background_plain"][0][4], abs=1e-10)


def test_aperture_sums(golden, simulation, kind):
    """Exact circle-pixel overlap, seen as the first flux of a fit."""
    mask = simulation["mask"] if kind == "masked" else None
    init = QTable({"x": golden["x"], "y": golden["y"]})
    for radius, expected, scale in zip(
        golden["radii"], golden[f"sum_{kind}"], golden[f"abs_sum_{kind}"], strict=True
    ):
        model = CircularGaussianPRF(fwhm=2.5)
        phot = PSFPhotometry(model, (3, 3), aperture_radius=float(radius))
        with warnings.catch_warnings():
            # What becomes of the fits at random positions is no matter here.
            warnings.simplefilter("ignore")
            table = phot(simulation["data"], mask=mask, init_params=init)
        got = np.asarray(table["flux_init"])
        np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
        good = np.isfinite(expected)
        assert np.all(np.abs(got - expected)[good] <= 1e-10 * scale[good])
