"""The astropy models of `psfphot.psf`: grids, Gaussians, and what all have."""

import copy
import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.modeling import fitting
from astropy.nddata import NDData
from hypothesis import given
from hypothesis import strategies as st
from psf_samples import (
    POSITIONS,
    check_derivatives,
    each_model,
    models,
    nddata,
    samples,
)

from psfphot import _core
from psfphot.psf import CircularGaussianPRF, GriddedPSFModel, ImagePSF


class TestGriddedPSFModel:
    def test_sorts_by_y_then_x(self):
        given = nddata(filter="F200W")
        model = GriddedPSFModel(given)
        expected = [[0, 0], [20, 0], [50, 0], [0, 30], [20, 30], [50, 30]]
        assert model.grid_xypos.tolist() == expected
        assert model.meta["grid_xypos"] is model.grid_xypos
        assert np.array_equal(model.data, given.data[[0, 4, 2, 1, 5, 3]])
        assert model.grid_shape == (2, 3)
        assert model.meta["filter"] == "F200W"
        assert model.meta["oversampling"] == (4, 4)
        assert given.meta["grid_xypos"] == POSITIONS
        for array in (model.data, model.grid_xypos):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0

    @pytest.mark.parametrize("oversampling", [1, 4, (2, 5)])
    def test_blends_the_four_around_bilinearly(self, oversampling):
        model = GriddedPSFModel(nddata(oversampling=oversampling))
        x_0, y_0 = 26.0, 9.0
        weights = np.array([0, 24 / 30, 6 / 30, 0, 24 / 30, 6 / 30])
        weights *= np.repeat([21 / 30, 9 / 30], 3)
        images = [
            ImagePSF(data, x_0=x_0, y_0=y_0, oversampling=oversampling)
            for data in model.data
        ]
        x, y = x_0 + np.linspace(-3, 2, 40), y_0 + np.linspace(2, -2.5, 40)
        expected = sum(w * m(x, y) for w, m in zip(weights, images, strict=True))
        values = model.evaluate(x, y, 1, x_0, y_0)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-13)

    def test_off_the_grid_the_nearest_edge_counts(self):
        model = GriddedPSFModel(nddata())
        inside = model.evaluate(50.3, 30.4, 1, 50, 30)
        assert model.evaluate(90.3, 80.4, 1, 90, 80) == pytest.approx(inside)

    def test_of_one_image(self):
        model = GriddedPSFModel(nddata([(7, 8)]))
        image = ImagePSF(model.data[0], oversampling=4)
        for x_0, y_0 in [(0, 0), (7, 8), (100, 200)]:
            value = model.evaluate(x_0 + 0.3, y_0 + 0.2, 1, x_0, y_0)
            assert value == pytest.approx(image(0.3, 0.2))

    def test_float32_agrees_with_float64(self):
        given = nddata()
        single = NDData(given.data.astype(">f4"), meta=given.meta)
        model = GriddedPSFModel(single)
        assert model.data.dtype == np.float32
        x, y = np.linspace(-2, 2, 30), np.linspace(1, -1, 30)
        np.testing.assert_allclose(model(x, y), GriddedPSFModel(given)(x, y), atol=1e-6)

    def test_attributes_can_be_set(self):
        model = GriddedPSFModel(nddata())
        model(0, 0)
        model.oversampling = (2, 3)
        assert model.meta["oversampling"] == (2, 3)
        again = GriddedPSFModel(nddata(oversampling=(2, 3)))
        assert model(1.2, 0.3) == again(1.2, 0.3)
        model.origin = (10, 10)
        assert model(0, 0) == pytest.approx(model.data[0, 10, 10])
        model.fill_value = 3
        assert model(1000, 0) == 3

    def test_representations(self):
        model = GriddedPSFModel(nddata(detector="NRCA1"))
        assert repr(model) == (
            "<GriddedPSFModel(flux=1., x_0=0., y_0=0., oversampling=[4, 4], "
            "fill_value=0.0)>"
        )
        assert "Detector: NRCA1\nNumber of PSFs: 6\nGrid shape: (2, 3)" in str(model)

    def test_needs_an_nddata(self):
        with pytest.raises(TypeError, match="data must be an NDData instance"):
            GriddedPSFModel(samples())

    @pytest.mark.parametrize(
        ("data", "meta", "match"),
        [
            (samples(), {}, "The NDData data attribute must be a 3D numpy ndarray"),
            (np.ones((2, 9, 9)), {}, "number of ePSFs must not be 2 or 3"),
            (np.ones((3, 9, 9)), {}, "number of ePSFs must not be 2 or 3"),
            (np.ones((0, 9, 9)), {}, "number of ePSFs must not be 0"),
            (np.ones((6, 3, 9)), {}, "PSF x- and y-axes must both be at least 4"),
            (np.ones((6, 0, 9)), {}, "PSF x- and y-axes must both be at least 4"),
            (np.full((6, 9, 9), np.nan), {}, "All elements of input data must be"),
            (None, {"grid_xypos": None}, "'grid_xypos' must be in the nddata meta"),
            (None, {"oversampling": None}, "'oversampling' must be in the nddata meta"),
            (None, {"oversampling": 0}, "oversampling must be > 0"),
            (None, {"grid_xypos": POSITIONS[:4]}, "length of grid_xypos must match"),
            (None, {"grid_xypos": [1] * 6}, "grid_xypos must be N pairs"),
            (
                None,
                {"grid_xypos": [*POSITIONS[:5], (20, 31)]},
                "grid_xypos must form a rectangular grid",
            ),
            (
                None,
                {"grid_xypos": [*POSITIONS[:5], (20, np.nan)]},
                "grid_xypos must form a rectangular grid",
            ),
            (
                None,
                {"grid_xypos": [(i, 0) for i in range(6)]},
                "grid_xypos must form a rectangular grid",
            ),
            (
                None,
                {"grid_xypos": [*POSITIONS[:5], (0, 0)]},
                "grid_xypos must not contain duplicate positions",
            ),
        ],
    )
    def test_bad_data(self, data, meta, match):
        data = np.ones((6, 9, 9)) if data is None else data
        meta = {"grid_xypos": POSITIONS, "oversampling": 4} | meta
        meta = {key: value for key, value in meta.items() if value is not None}
        with pytest.raises(ValueError, match=match):
            GriddedPSFModel(NDData(data, meta=meta))


class TestCircularGaussianPRF:
    def test_is_the_integral_over_the_pixel(self):
        flux, x_0, y_0, fwhm = 7.0, 3.3, 4.1, 2.2
        sigma = fwhm / np.sqrt(8 * np.log(2))
        nodes, weights = np.polynomial.legendre.leggauss(20)

        def strip(offsets):
            points = offsets[:, None] + nodes / 2
            density = np.exp(-(points**2) / (2 * sigma**2))
            return density @ weights / 2 / (np.sqrt(2 * np.pi) * sigma)

        y, x = np.mgrid[0:9, 0:8]
        model = CircularGaussianPRF(flux=flux, x_0=x_0, y_0=y_0, fwhm=fwhm)
        expected = flux * np.outer(strip(y[:, 0] - y_0), strip(x[0] - x_0))
        np.testing.assert_allclose(model(x, y), expected, rtol=1e-13)

    def test_its_sum_is_the_flux(self):
        y, x = np.mgrid[-30:31, -30:31]
        for fwhm in (0.01, 1, 5):
            total = CircularGaussianPRF(flux=7, x_0=0.2, fwhm=fwhm)(x, y).sum()
            assert total == pytest.approx(7, rel=1e-13)

    def test_properties(self):
        model = CircularGaussianPRF(flux=3, x_0=1, fwhm=2)
        assert model.sigma == pytest.approx(0.8493218002880191)
        assert model.amplitude == pytest.approx(3 / (2 * np.pi * model.sigma**2))
        assert model.fixed["fwhm"]
        assert model.bounds["fwhm"] == (np.finfo(np.float32).tiny, None)
        half = 5.5 * model.sigma
        assert model.bounding_box.bounding_box() == (
            (-half, half),
            (1 - half, 1 + half),
        )
        assert repr(model) == "<CircularGaussianPRF(flux=3., x_0=1., y_0=0., fwhm=2.)>"

    def test_lengths_with_units(self):
        model = CircularGaussianPRF(
            flux=7 * u.Jy, x_0=3.3 * u.pix, y_0=4.1 * u.pix, fwhm=2.2 * u.pix
        )
        x, y = np.mgrid[0:9, 0:8] * u.pix
        plain = models()[2]
        np.testing.assert_array_equal(
            model(x, y).to_value(u.Jy), plain(x.value, y.value)
        )
        parameters = [getattr(model, name).quantity for name in model.param_names]
        derivatives = model.fit_deriv(x, y, *parameters)
        assert not hasattr(derivatives[0], "unit")
        assert [d.unit for d in derivatives[1:]] == [u.Jy / u.pix] * 3
        assert model.sigma.unit == u.pix
        assert model.amplitude.unit == u.Jy
        assert model.bounding_box.bounding_box()[0][0].unit == u.pix
        with pytest.raises(u.UnitsError):
            model(1, 2)


class TestEveryModel:
    @each_model
    @given(x_0=st.floats(1, 49), y_0=st.floats(1, 29), flux=st.floats(1, 100))
    def test_derivatives_are_the_numerical_ones(self, model, x_0, y_0, flux):
        # Off the samples' edges and the grid's nodes, where derivatives jump.
        x, y = x_0 + np.linspace(-2.9, 3.1, 30), y_0 + np.linspace(2.1, -2.2, 30)
        model = model.copy()
        model.flux, model.x_0, model.y_0 = flux, x_0, y_0
        if abs(x_0 - 20) > 1e-4:
            check_derivatives(model, x, y)

    @each_model
    def test_parameters_broadcast(self, model):
        x_0, y_0 = np.array([3.0, 20.5, 47.0]), np.array([4.0, 14.0, 2.5])
        flux = np.array([1.0, 2.0, 3.0])
        shape = model.parameters[3:]
        x, y = x_0 + 0.3, y_0 - 0.2
        values = model.evaluate(x, y, flux, x_0, y_0, *shape)
        planes = model.fit_deriv(x, y, flux, x_0, y_0, *shape)
        for i in range(3):
            one = x[i], y[i], flux[i], x_0[i], y_0[i], *shape
            assert values[i] == pytest.approx(model.evaluate(*one), rel=1e-13)
            assert [p[i] for p in planes] == pytest.approx(model.fit_deriv(*one))
        # An image for each of three sources at once.
        y, x = np.mgrid[0:5, 0:6]
        column = (slice(None), None, None)
        cube = model.evaluate(x, y, flux[column], x_0[column], y_0[column], *shape)
        assert cube.shape == (3, 5, 6)
        np.testing.assert_allclose(
            cube[1], model.evaluate(x, y, flux[1], x_0[1], y_0[1], *shape), atol=1e-15
        )

    @each_model
    def test_shapes(self, model):
        y, x = np.mgrid[0:3, 0:4]
        assert np.shape(model(1, 2)) == ()
        assert model([1.0, 2.0], 3.0).shape == (2,)
        assert model(x, y).shape == (3, 4)
        assert model(x[:0], y[:0]).shape == (0, 4)
        assert [d.shape for d in model.fit_deriv(x, y, *model.parameters)] == [
            (3, 4)
        ] * len(model.param_names)
        # Enough points for the way of long calls.
        big = np.full((150, 140), 3.0)
        assert (model(big, big) == model(3, 3)).all()

    @each_model
    def test_no_points(self, model):
        for shape in ((0,), (0, 3)):
            none = np.zeros(shape)
            planes = model.fit_deriv(none, none, *model.parameters)
            assert [plane.shape for plane in planes] == [shape] * len(planes)
            assert len(planes) == len(model.param_names)

    @each_model
    def test_plain_lengths_are_pixels(self, model):
        assert model(3 * u.pix, 4 * u.pix) == model(3, 4)
        shape = model.parameters[3:]
        for unit in (u.arcsec, u.m):
            with pytest.raises(u.UnitsError, match=f"no unit, but .* is in {unit}"):
                model(3 * unit, 4 * unit)
            with pytest.raises(u.UnitsError, match=f"no unit, but .* is in {unit}"):
                model.fit_deriv(3.0, 4 * unit, 1, 3, 4, *shape)

    def test_samples_lie_on_pixels(self):
        for model in models()[:2]:
            for unit in (u.arcsec, u.m):
                placed = model.copy()
                placed.x_0, placed.y_0 = 3 * unit, 4 * unit
                with pytest.raises(u.UnitsError, match="must be in pixels, got"):
                    placed(3 * unit, 4 * unit)
            placed.x_0, placed.y_0 = 3 * u.pix, 4 * u.pix
            assert placed(3 * u.pix, 4 * u.pix) == model.evaluate(3, 4, 7, 3, 4)

    @each_model
    def test_points_that_are_no_numbers(self, model):
        values = model([np.nan, 1e300, np.inf], [3.0, 3.0, -np.inf])
        assert np.isnan(values[0])
        assert (values[1:] == 0).all()
        y, x = np.mgrid[0:3, 0:4]
        assert np.isnan(model.evaluate(x, y, 1, np.nan, 1, *model.parameters[3:])).all()
        assert (model.evaluate(x, y, 1, 1e300, 1, *model.parameters[3:]) == 0).all()

    @each_model
    def test_copies_have_parameters_of_their_own(self, model):
        model.x_0.fixed = True
        model.y_0.bounds = (1, 9)
        for twin in (model.copy(), model.deepcopy(), copy.copy(model)):
            assert type(twin) is type(model)
            assert twin(3, 4) == model(3, 4)
            assert twin.fixed["x_0"]
            assert twin.bounds["y_0"] == (1, 9)
            twin.flux = 99
            twin.x_0.fixed = False
            assert model.flux == 7
            assert model.fixed["x_0"]

    @each_model
    def test_copies_share_the_splines(self, model, monkeypatch):
        fresh = model.deepcopy()
        fresh._forget_compiled()
        compiled = []
        compile_once = type(model)._compile
        monkeypatch.setattr(
            type(model),
            "_compile",
            lambda self: compiled.append(1) or compile_once(self),
        )
        twins = [fresh.copy(), fresh.deepcopy(), fresh]
        for twin in twins:
            twin(3, 4)
        assert len(compiled) == 1
        if hasattr(model, "data"):
            assert fresh.copy().data is fresh.data
            assert fresh.deepcopy().data is not fresh.data
            assert not fresh.deepcopy().data.flags.writeable

    @each_model
    def test_pickles_without_the_compiled_part(self, model):
        model(3, 4)
        size = len(pickle.dumps(model))
        again = pickle.loads(pickle.dumps(model))  # noqa: S301
        assert again._compiled.psf is None
        assert size < getattr(model, "data", np.empty(0)).nbytes + 20_000
        assert repr(again) == repr(model)
        assert again(3, 4) == model(3, 4)

    @each_model
    def test_flux_with_a_unit(self, model):
        plain = model(3, 4)
        model = model.copy()
        model.flux = 7 * u.Jy
        assert model(3, 4) == plain * u.Jy
        y, x = np.mgrid[0:3, 0:4]
        parameters = [7 * u.Jy, *model.parameters[1:]]
        by_flux, *others = model.fit_deriv(x, y, *parameters)
        assert not hasattr(by_flux, "unit")
        assert {d.unit for d in others} == {u.Jy}
        assert "7. Jy" in repr(model.copy())

    @each_model
    @pytest.mark.parametrize("fitter", ["TRFLSQFitter", "LevMarLSQFitter"])
    @pytest.mark.parametrize("unit", [None, u.Jy])
    def test_astropys_fitters_find_the_source(self, model, fitter, unit):
        pytest.importorskip("scipy")
        y, x = np.mgrid[0:9, 0:9]
        truth = model.copy()
        truth.flux, truth.x_0, truth.y_0 = 500, 4.2, 3.9
        data = truth(x, y)
        start = model.copy()
        start.flux, start.x_0, start.y_0 = 300, 4, 4
        if unit is not None:
            data, start.flux = data * unit, 300 * unit
        fitted = getattr(fitting, fitter)()(start, x, y, data)
        np.testing.assert_allclose(fitted.parameters, truth.parameters, rtol=1e-5)
        assert fitted.flux.unit == unit

    @each_model
    def test_renders_within_its_bounding_box(self, model):
        assert model.render(np.zeros((90, 90))).sum() > 0

    def test_the_bounding_box_follows_source_and_origin(self):
        model = ImagePSF(samples((8, 12)), x_0=3, y_0=5, oversampling=(2, 4))
        assert model.bounding_box.bounding_box() == ((3, 7), (1.5, 4.5))
        model.x_0 = 4
        model.origin = (0, 0)
        assert model.bounding_box.bounding_box() == ((4.75, 8.75), (3.875, 6.875))


class TestCore:
    """The binding under the models."""

    def test_mistakes_are_exceptions(self):
        psf = _core.Psf.analytic("CircularGaussianPRF", [2])
        two, three = np.zeros(2), np.zeros(3)
        with pytest.raises(ValueError, match="y must have the shape"):
            psf.evaluate(two, three, 1, 0, 0)
        with pytest.raises(ValueError, match="x_0 must have the shape"):
            psf.evaluate(two, two, 1, three, 0)
        with pytest.raises(ValueError, match="shape must hold at most 1"):
            psf.evaluate(two, two, 1, 0, 0, 1, 1)
        with pytest.raises(TypeError, match="the parameters are flux"):
            psf.evaluate(two, two, 1)
        with pytest.raises(ValueError, match="fwhm must be positive"):
            _core.Psf.analytic("CircularGaussianPRF", [0])
        with pytest.raises(ValueError, match="oversampling must be positive"):
            _core.Psf.sampled(samples(), (0, 1))
        with pytest.raises(ValueError, match=r"positions must have the shape \(N, 2\)"):
            _core.Psf.gridded(np.ones((1, 5, 5)), np.ones((1, 3)), (1, 1))

    def test_support(self):
        psf = _core.Psf.sampled(np.ones((9, 17)), (4, 4))
        assert psf.support(10, 20) == (8, 13, 19, 22)
        assert psf.shape_names == []
        assert _core.Psf.analytic("CircularGaussianPRF", [2]).shape_names == ["fwhm"]

    def test_zero_off_the_samples_of_a_non_integer_oversampling(self):
        psf = _core.Psf.sampled(samples(), (2.5, 1.5))
        value = psf.evaluate(np.array([100.0, 0.0]), np.zeros(2), 3.0, 0.0, 0.0)
        assert value[0] == 0
        assert value[1] != 0
