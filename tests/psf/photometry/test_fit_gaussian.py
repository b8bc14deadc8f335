"""Gaussians fitted for a first look."""

import numpy as np
import pytest
from astropy import units as u

from psfphot.psf import (
    CircularGaussianPRF,
    fit_2dgaussian,
    fit_fwhm,
    make_psf_model_image,
)


@pytest.fixture(scope="module")
def cutout():
    y, x = np.mgrid[:20, :31]
    return CircularGaussianPRF(flux=100, x_0=14.3, y_0=9.2, fwhm=3.1)(x, y)


@pytest.fixture(scope="module")
def field():
    return make_psf_model_image(
        (100, 100),
        CircularGaussianPRF(),
        5,
        min_separation=25,
        model_shape=(15, 15),
        flux=(100, 200),
        fwhm=(3, 8),
    )


def test_one_source_of_a_cutout(cutout):
    with pytest.warns(UserWarning, match=r"fit_shape=\(19, 31\)"):
        photometry = fit_2dgaussian(cutout, fix_fwhm=False)
    assert photometry.results["fwhm_init"][0] == 12.5
    np.testing.assert_allclose(photometry.init_params["x_init"], 14.3, atol=1e-9)
    np.testing.assert_allclose(photometry.init_params["flux_init"], 100, rtol=1e-9)
    row = photometry.results[0]
    found = [row[f"{name}_fit"] for name in ("x", "y", "flux", "fwhm")]
    np.testing.assert_allclose(found, [14.3, 9.2, 100, 3.1], rtol=1e-6)
    fixed = fit_2dgaussian(cutout, xypos=(14, 9), fwhm=3.1, fit_shape=7).results
    assert "fwhm_fit" not in fixed.colnames
    np.testing.assert_allclose(fixed["flux_fit"], 100, rtol=1e-6)


def test_many_sources(field):
    data, truth = field
    positions = zip(truth["x_0"], truth["y_0"], strict=True)
    table = fit_2dgaussian(data, xypos=positions, fit_shape=7, fix_fwhm=False).results
    np.testing.assert_allclose(table["fwhm_fit"], truth["fwhm"], rtol=1e-5)
    positions = np.column_stack([truth["x_0"], truth["y_0"]])
    widths = fit_fwhm(data << u.Jy, xypos=positions, fit_shape=7)
    np.testing.assert_allclose(widths, truth["fwhm"], rtol=1e-5)


def test_units_masks_and_errors(cutout):
    data = cutout.copy()
    data[9, 14] = np.nan
    data[8, 13] = 1e6
    mask = np.zeros(data.shape, bool)
    mask[8, 13] = True
    arguments = {"mask": mask, "error": np.full(data.shape, 0.1) << u.Jy}
    with pytest.warns(UserWarning, match="non-finite values"):
        photometry = fit_2dgaussian(
            data << u.Jy, xypos=(14.2, 9.1), fit_shape=9, fwhm=3, fix_fwhm=False,
            **arguments,
        )  # fmt: skip
    table = photometry.results
    assert table["flux_fit"].unit == u.Jy
    np.testing.assert_allclose(table["flux_fit"].value, 100, rtol=1e-6)
    assert table["n_pixels_fit"][0] == 79


def test_a_source_off_the_image_is_flagged(cutout):
    widths = fit_fwhm(cutout, xypos=[(14, 9), (400, 9), (np.nan, 3)], fit_shape=7)
    np.testing.assert_allclose(widths, [3.1, np.nan, np.nan], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"xypos": [(14, 9), (3, 4)]}, ValueError, "fit_shape is required"),
        ({"fit_shape": 4}, ValueError, "fit_shape must have an odd value"),
        ({"xypos": (1, 2, 3), "fit_shape": 3}, ValueError, "xypos must be pairs"),
        ({"fwhm": -1, "fit_shape": 5}, ValueError, "fwhm must be positive"),
        ({"fwhm": "a", "fit_shape": 5}, TypeError, "fwhm"),
        ({"fwhm": [3, 4], "fit_shape": 5}, TypeError, "fwhm"),
        ({"mask": np.ones((2, 2), bool), "fit_shape": 5}, ValueError, "mask"),
        ({"mask": np.ones((20, 31), bool), "fit_shape": 5}, ValueError, "xypos must"),
    ],
)
def test_mistakes(cutout, arguments, error, message):
    with pytest.raises(error, match=message):
        fit_2dgaussian(cutout, **arguments)
