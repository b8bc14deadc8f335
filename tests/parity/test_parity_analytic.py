"""The analytic models, and fits with them, against photutils' own."""

import numpy as np
import pytest
from astropy import units as u

from psfphot import psf
from psfphot.psf._models.convert import to_core

theirs = pytest.importorskip("photutils.psf")
pytestmark = pytest.mark.parity

CASES = {
    "GaussianPSF": {"x_fwhm": 2.4, "y_fwhm": 3.1, "theta": 35.0},
    "GaussianPSF, aligned": {"x_fwhm": 2.4, "y_fwhm": 3.1, "theta": 90.0},
    "GaussianPRF": {"x_fwhm": 2.4, "y_fwhm": 1.7, "theta": -20.0},
    "GaussianPRF, aligned": {"x_fwhm": 2.4, "y_fwhm": 1.7, "theta": 180.0},
    "GaussianPRF, narrow": {"x_fwhm": 0.5, "y_fwhm": 0.9, "theta": 130.0},
    "GaussianPRF, long": {"x_fwhm": 1.1, "y_fwhm": 7.0, "theta": 50.0},
    "CircularGaussianPSF": {"fwhm": 2.2},
    "CircularGaussianPRF": {"fwhm": 1.3},
    "CircularGaussianSigmaPRF": {"sigma": 1.1},
    "MoffatPSF": {"alpha": 2.2, "beta": 3.1},
    "MoffatPSF, shallow": {"alpha": 1.5, "beta": 1.2},
    "MoffatPRF": {"alpha": 2.2, "beta": 2.5},
    "MoffatPRF, few nodes": {"alpha": 1.1, "beta": 4.765, "n_nodes": 3},
    "AiryDiskPSF": {"radius": 3.2},
    "AiryDiskPRF": {"radius": 2.6},
    "AiryDiskPRF, few nodes": {"radius": 1.3, "n_nodes": 4},
}
each_case = pytest.mark.parametrize("case", CASES)
PLACES = [(3.3, 4.1), (0.0, 0.0), (-7.25, 20.5)]


def make(module, case, **kwargs):
    name = case.partition(",")[0]
    if not hasattr(module, name):
        pytest.skip(f"{name}: since photutils 3.1")
    return getattr(module, name)(**CASES[case] | kwargs)


def is_another_formula(case, version):
    """photutils 3.0 integrates rotated Gaussians along the rotated axes."""
    rotated = case.startswith("GaussianPRF") and not case.endswith("aligned")
    return version < (3, 1) and rotated


def pixels_around(x_0, y_0):
    y, x = np.mgrid[-12:13, -12:13]
    return x + round(x_0), y + round(y_0)


@each_case
@pytest.mark.parametrize("place", PLACES)
def test_values(case, place, photutils_version):
    if is_another_formula(case, photutils_version):
        pytest.skip("since photutils 3.1")
    ours, other = make(psf, case), make(theirs, case)
    parameters = 250.0, *place, *ours.parameters[3:]
    x, y = pixels_around(*place)
    for points in [(x, y), (x + 0.37, y - 0.21)]:
        expected = other.evaluate(*points, *parameters)
        values = ours.evaluate(*points, *parameters)
        np.testing.assert_allclose(
            values, expected, rtol=0, atol=1e-12 * expected.max()
        )


@each_case
@pytest.mark.parametrize("place", PLACES)
def test_derivatives(case, place, photutils_31):
    ours, other = make(psf, case), make(theirs, case)
    parameters = 250.0, *place, *ours.parameters[3:]
    x, y = pixels_around(*place)
    planes = zip(
        ours.fit_deriv(x, y, *parameters),
        other.fit_deriv(x, y, *parameters),
        ours.param_names,
        strict=True,
    )
    for our_plane, their_plane, name in planes:
        scale = np.abs(their_plane).max()
        np.testing.assert_allclose(
            our_plane, their_plane, rtol=0, atol=1e-11 * scale, err_msg=name
        )


@each_case
def test_attributes(case, photutils_31):
    ours, other = make(psf, case, x_0=3, flux=2), make(theirs, case, x_0=3, flux=2)
    assert repr(ours) == repr(other)
    assert str(ours) == str(other)
    assert ours.param_names == other.param_names
    assert ours.fixed == other.fixed
    assert ours.bounds == other.bounds
    assert ours.bbox_factor == other.bbox_factor
    assert getattr(ours, "n_nodes", None) == getattr(other, "n_nodes", None)
    for name in ("amplitude", "sigma", "x_sigma", "y_sigma", "fwhm"):
        assert hasattr(ours, name) == hasattr(other, name)
        expected = getattr(other, name, 0.0)
        expected = getattr(expected, "value", expected)
        value = getattr(ours, name, 0.0)
        assert getattr(value, "value", value) == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(
        ours.bounding_box.bounding_box(), other.bounding_box.bounding_box(), rtol=1e-12
    )


@each_case
def test_units(case, photutils_31):
    kwargs = {
        name: value * u.pix
        for name, value in CASES[case].items()
        if name not in {"theta", "beta", "n_nodes"}
    }
    if "theta" in CASES[case]:
        kwargs["theta"] = (CASES[case]["theta"] * u.deg).to(u.rad)
    kwargs |= {"flux": 3 * u.Jy, "x_0": 0.2 * u.pix, "y_0": 0 * u.pix}
    ours, other = make(psf, case, **kwargs), make(theirs, case, **kwargs)
    value, expected = ours(1 * u.pix, 0.5 * u.pix), other(1 * u.pix, 0.5 * u.pix)
    assert value.unit == expected.unit
    assert value.value == pytest.approx(expected.value, rel=1e-12)
    units = {"x": u.pix, "y": u.pix}, {"z": u.Jy}
    assert ours._parameter_units_for_data_units(
        *units
    ) == other._parameter_units_for_data_units(*units)


@each_case
def test_photutils_models_are_converted(case):
    model = make(psf, case)
    x, y = np.array([1.3, 4.0]), np.array([2.1, 4.0])
    converted = to_core(make(theirs, case)).evaluate(x, y, 2.0, 0.3, 0.2)
    expected = model.evaluate(x, y, 2.0, 0.3, 0.2, *model.parameters[3:])
    assert np.array_equal(converted, expected)


@pytest.mark.parametrize("case", ["GaussianPRF", "MoffatPSF", "CircularGaussianPRF"])
@pytest.mark.parametrize("is_free", [False, True])
def test_fits(case, is_free, check_fits, photutils_31):
    model = make(psf, case)
    data, params = psf.make_psf_model_image(
        (200, 220), model, 12, flux=(2000, 9000), min_separation=22, seed=3
    )
    error = np.sqrt(4 + np.abs(data))
    data = data + np.random.default_rng(5).normal(0, 1, data.shape) * error
    init = params["x_0", "y_0", "flux"]
    tables = []
    for module in (psf, theirs):
        start = make(module, case)
        for name in start.param_names[3:]:
            getattr(start, name).fixed = not is_free
        photometry = module.PSFPhotometry(start, (9, 9))
        tables.append(photometry(data, error=error, init_params=init))
    ours, other = tables
    assert ours.colnames == other.colnames
    names = [name.removesuffix("_fit") for name in ours.colnames if "_fit" in name]
    assert len(names) == (1 + len(model.parameters) if is_free else 4)
    for name in (n for n in names if n != "n_pixels"):
        check_fits(ours, other, name)
