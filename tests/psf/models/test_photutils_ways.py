"""How scripts use models: classes, interpolators, text, units, readers."""

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import NDData
from stdpsf_files import write_stdpsf

from psfphot import psf
from psfphot.psf import GriddedPSFModel, ImagePSF, stdpsf_reader, webbpsf_reader

SHAPES = {
    "AiryDiskPSF": (2.0,),
    "CircularGaussianPRF": (2.0,),
    "CircularGaussianPSF": (2.0,),
    "CircularGaussianSigmaPRF": (1.2,),
    "GaussianPRF": (2.0, 3.0, 20.0),
    "GaussianPSF": (2.0, 3.0, 20.0),
    "MoffatPSF": (2.0, 3.0),
}


@pytest.mark.parametrize("name", SHAPES)
def test_derivatives_can_be_had_of_the_class(name):
    kind = getattr(psf, name)
    x, y = np.random.default_rng(0).uniform(-3, 3, (2, 10))
    parameters = (5.0, 0.3, -0.2, *SHAPES[name])
    of_class = kind.fit_deriv(x, y, *parameters)
    of_model = kind().fit_deriv(x, y, *parameters)
    np.testing.assert_array_equal(of_class, of_model)
    assert "Differentiate" in kind.fit_deriv.__doc__
    step = np.array([1e-6, 0, 0])
    flux = np.subtract(
        kind().evaluate(x, y, *(parameters[:3] + step), *SHAPES[name]),
        kind().evaluate(x, y, *(parameters[:3] - step), *SHAPES[name]),
    )
    np.testing.assert_allclose(of_class[0], flux / 2e-6, rtol=1e-6, atol=1e-9)


def test_an_angle_in_degrees_may_say_so():
    plain = psf.GaussianPRF.fit_deriv(1.0, 0.5, 70.0, 0.0, 0.0, 2.0, 3.0, 30.0)
    named = psf.GaussianPRF.fit_deriv(1.0, 0.5, 70.0, 0.0, 0.0, 2.0, 3.0, 30.0 * u.deg)
    np.testing.assert_array_equal(plain, named)


def test_positions_with_units_give_units():
    model = psf.CircularGaussianPSF(x_0=1 * u.pix, y_0=2 * u.pix, fwhm=2 * u.pix)
    value = model(1 * u.pix, 2 * u.pix)
    assert value.unit == u.dimensionless_unscaled
    np.testing.assert_allclose(value.value, psf.CircularGaussianPSF(fwhm=2)(0, 0))


def test_the_interpolator_is_the_spline_of_the_samples():
    data = np.random.default_rng(0).random((9, 7))
    spline = ImagePSF(data, oversampling=2, origin=(1, 1), fill_value=None).interpolator
    # At the samples it is these; x comes first.
    np.testing.assert_allclose(spline(np.arange(7), np.arange(9)), data.T, atol=1e-14)
    x, y = np.array([1.3, 4.2]), np.array([5.1, 2.7])
    values = spline(x, y, grid=False)
    np.testing.assert_allclose(np.diag(spline(x, y)), values)
    # Beyond the edges the value of the nearest stays.
    np.testing.assert_allclose(spline(-3, 4, grid=False), data[4, 0], atol=1e-14)
    for dx, dy in ((1, 0), (0, 1)):
        slope = spline.partial_derivative(dx, dy)(x, y, grid=False)
        ends = [
            spline(x + sign * 1e-6 * dx, y + sign * 1e-6 * dy, grid=False)
            for sign in (1, -1)
        ]
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)
        np.testing.assert_array_equal(spline(x, y, dx=dx, dy=dy, grid=False), slope)
    with pytest.raises(ValueError, match="dx and dy must be"):
        spline.partial_derivative(2, 0)


def test_another_interpolator_is_refused():
    with pytest.raises(AttributeError):
        ImagePSF(np.ones((5, 5))).interpolator = None
    with pytest.raises(TypeError, match="cannot have an interpolator"):

        class Other(ImagePSF):
            interpolator = None


def make_grid(n, **meta):
    positions = [(10 * x, 10 * y) for y in range(n) for x in range(n)]
    meta |= {"grid_xypos": positions, "oversampling": 2}
    return GriddedPSFModel(NDData(np.ones((n * n, 5, 5)), meta=meta))


def test_a_stale_grid_shape_is_dropped():
    model = make_grid(2, grid_shape=(999, 999), detector="A")
    assert "grid_shape" not in model.meta
    assert model.grid_shape == (2, 2)
    assert model.meta["detector"] == "A"


def test_many_grid_positions_are_shortened():
    assert "..." in str(make_grid(4))
    assert "..." not in str(make_grid(2))
    assert "Number of PSFs: 16" in str(make_grid(4))


def test_readers_are_functions_too(tmp_path):
    model = make_grid(2, detector="NRCA1", filter="F200W")
    path = tmp_path / "grid.fits"
    model.write(path, format="stpsf")
    read = webbpsf_reader(path)
    np.testing.assert_array_equal(read.data, model.data)
    np.testing.assert_array_equal(read.grid_xypos, model.grid_xypos)
    path = write_stdpsf(tmp_path, "STDPSF_NRCA1_F150W")
    np.testing.assert_array_equal(
        stdpsf_reader(path).data, GriddedPSFModel.read(path, format="stdpsf").data
    )
