"""ImagePSF."""

import numpy as np
import pytest
from astropy import units as u
from psf_samples import check_derivatives, samples

from psfphot.psf import ImagePSF


class TestImagePSF:
    @pytest.mark.parametrize("oversampling", [1, 4, (2, 5)])
    @pytest.mark.parametrize("origin", [None, (12.25, 9.5)])
    def test_is_the_interpolating_spline(self, oversampling, origin):
        interpolate = pytest.importorskip("scipy.interpolate")
        data = samples()
        ny, nx = data.shape
        spline = interpolate.RectBivariateSpline(
            np.arange(ny), np.arange(nx), data, kx=3, ky=3, s=0
        )
        x_0, y_0, flux = 100.3, 50.8, 12.0
        model = ImagePSF(data, oversampling=oversampling, origin=origin)
        os_y, os_x = model.oversampling
        rng = np.random.default_rng(1)
        # The whole image, its edges and corners among it.
        xi = np.r_[rng.uniform(0.01, nx - 1.01, 500), 1e-9, nx - 1 - 1e-9, 0.5, nx - 2]
        eta = np.r_[rng.uniform(0.01, ny - 1.01, 500), 1e-9, ny - 1 - 1e-9, ny - 2, 0.5]
        x = x_0 + (xi - model.origin[0]) / os_x
        y = y_0 + (eta - model.origin[1]) / os_y
        xi = os_x * (x - x_0) + model.origin[0]
        eta = os_y * (y - y_0) + model.origin[1]
        peak = flux * data.max()
        expected = flux * spline(eta, xi, grid=False)
        values = model.evaluate(x, y, flux, x_0, y_0)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12 * peak)
        by_flux, by_x, by_y = model.fit_deriv(x, y, flux, x_0, y_0)
        np.testing.assert_allclose(by_flux, expected / flux, atol=1e-12)
        dx = -flux * os_x * spline(eta, xi, dy=1, grid=False)
        dy = -flux * os_y * spline(eta, xi, dx=1, grid=False)
        np.testing.assert_allclose(by_x, dx, rtol=0, atol=1e-11 * peak)
        np.testing.assert_allclose(by_y, dy, rtol=0, atol=1e-11 * peak)

    def test_goes_through_its_samples_to_the_last(self):
        data = samples()
        model = ImagePSF(data, origin=(0, 0))
        y, x = np.indices(data.shape)
        np.testing.assert_allclose(model(x, y), data, atol=1e-14)

    def test_fill_value_is_the_value_off_the_image_whatever_the_flux(self):
        model = ImagePSF(samples(), flux=3, fill_value=-9.0)
        x, y = np.array([15.0, 15.1, 0.0, 0.0]), np.array([0.0, 0.0, -11.0, -11.1])
        values = model(x, y)
        assert (values[[1, 3]] == -9).all()
        assert (np.abs(values[[0, 2]]) < 1).all()
        assert (np.array(model.fit_deriv(x, y, 3, 0, 0))[:, [1, 3]] == 0).all()
        model.fill_value = np.nan
        assert np.isnan(model(x, y)).tolist() == [False, True, False, True]

    def test_fill_value_at_the_very_edge(self):
        # Whether rounding puts the last sample on or off the edge, the value
        # there is that of the edge or the fill value, not 0.
        data = samples((9, 9))
        for x_0 in np.arange(1, 12) / 3:
            model = ImagePSF(data + 5, x_0=x_0, oversampling=3, fill_value=7.0)
            y, x = np.mgrid[-3:4, -3:9]
            values = model(x, y)
            assert (values > 4).all()
            model.fill_value = None
            assert (model(x, y) > 4).all()

    def test_fill_value_none_continues_the_edge(self):
        data = samples()
        model = ImagePSF(data, flux=3, x_0=0.3, fill_value=None, oversampling=4)
        assert model(1e6, -1e6) == pytest.approx(3 * data[0, -1], rel=1e-9)
        x, y = np.array([-50.0, 0.3, 0.1]), np.array([0.2, 50.0, 0.2])
        check_derivatives(model, x, y)

    def test_does_not_change_with_what_it_was_made_of(self):
        data = samples()
        model = ImagePSF(data)
        before = data.copy()
        data[:] = 0
        assert np.array_equal(model.data, before)
        with pytest.raises(ValueError, match="read-only"):
            model.data[0, 0] = 1

    @pytest.mark.parametrize(
        ("attribute", "value"),
        [("data", samples(seed=5)), ("origin", (10, 10)), ("oversampling", (2, 3))],
    )
    def test_attributes_can_be_set_without_the_copies_noticing(self, attribute, value):
        model = ImagePSF(samples(), oversampling=4)
        point = model(0.3, 0.2)
        twin = model.copy()
        setattr(model, attribute, value)
        again = ImagePSF(**{"data": model.data, "oversampling": 4, attribute: value})
        assert model(0.3, 0.2) == again(0.3, 0.2) != point
        assert twin(0.3, 0.2) == point

    @pytest.mark.parametrize(
        "dtype", ["<f4", ">f4", ">f8", "f2", "i2", ">i4", "u1"], ids=str
    )
    def test_takes_any_real_dtype_and_memory_order(self, dtype):
        data = (100 * np.abs(samples())).astype(dtype)
        expected = ImagePSF(data.astype(float))(0.3, 0.4)
        for variant in (data, np.asfortranarray(data), np.repeat(data, 2, 1)[:, ::2]):
            assert ImagePSF(variant)(0.3, 0.4) == expected
        assert ImagePSF(data).data.dtype.isnative

    def test_a_unit_of_the_data_is_left_out(self):
        data = samples()
        assert ImagePSF(data * u.Jy)(0.3, 0.4) == ImagePSF(data)(0.3, 0.4)

    def test_names_and_constraints_are_astropys(self):
        model = ImagePSF(samples(), name="star", bounds={"x_0": (0, 9)}, meta={"a": 1})
        assert (model.name, model.meta["a"]) == ("star", 1)
        assert model.bounds["x_0"] == (0, 9)
        assert repr(model) == (
            "<ImagePSF(flux=1., x_0=0., y_0=0., name='star', origin=[15.0, 11.0], "
            "oversampling=[1, 1], fill_value=0.0)>"
        )
        assert "PSF shape (oversampled pixels): (23, 31)" in str(model)

    @pytest.mark.parametrize(
        ("data", "error", "match"),
        [
            ([[1, 2], [3, 4]], TypeError, "Input data must be a 2D numpy array"),
            (np.ones(9), ValueError, "Input data must be a 2D numpy array"),
            (np.ones((5, 5, 5)), ValueError, "Input data must be a 2D numpy array"),
            (np.ones((3, 9)), ValueError, "x- and y-axes must both be at least 4"),
            (np.ones((0, 9)), ValueError, "x- and y-axes must both be at least 4"),
            (np.full((9, 9), np.nan), ValueError, "input data must be finite"),
            (np.full((9, 9), np.inf), ValueError, "input data must be finite"),
            (np.ones((9, 9), complex), TypeError, "real numbers"),
            (np.full((9, 9), "a"), TypeError, "real numbers"),
        ],
    )
    def test_bad_data(self, data, error, match):
        with pytest.raises(error, match=match):
            ImagePSF(data)

    @pytest.mark.parametrize(
        ("argument", "value", "match"),
        [
            ("oversampling", 0, "oversampling must be > 0"),
            ("oversampling", (4, -1), "oversampling must be > 0"),
            ("oversampling", 1.5, "oversampling must have integer values"),
            ("oversampling", np.nan, "oversampling must be a finite value"),
            ("oversampling", "4", "oversampling must be a finite value"),
            ("oversampling", (1, 2, 3), "oversampling must have 1 or 2 elements"),
            ("oversampling", [[1, 2]], "oversampling must be 1D"),
            ("origin", (1,), "origin must be 1D and have 2-elements"),
            ("origin", 3, "origin must be 1D and have 2-elements"),
            ("origin", (1, np.nan), "All elements of origin must be finite"),
        ],
    )
    def test_bad_arguments(self, argument, value, match):
        with pytest.raises(ValueError, match=match):
            ImagePSF(samples(), **{argument: value})
