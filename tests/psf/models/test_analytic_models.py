"""The models that are formulas: values, derivatives, attributes, fits."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.modeling import Parameter, fitting
from hypothesis import given
from hypothesis import strategies as st
from psf_samples import ANALYTIC, check_derivatives, each_kind

from psfphot import _core
from psfphot.psf import (
    AiryDiskPRF,
    AiryDiskPSF,
    CircularGaussianPRF,
    CircularGaussianPSF,
    CircularGaussianSigmaPRF,
    GaussianPRF,
    GaussianPSF,
    MoffatPRF,
    MoffatPSF,
    PSFPhotometry,
)

SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))
TINY = np.finfo(np.float32).tiny


def gaussian(x, y, x_fwhm, y_fwhm, theta=0.0):
    """Write the density out as a quadratic form."""
    sx, sy, t = x_fwhm * SIGMA_PER_FWHM, y_fwhm * SIGMA_PER_FWHM, np.deg2rad(theta)
    with np.errstate(under="ignore"):
        a = np.cos(t) ** 2 / (2 * sx**2) + np.sin(t) ** 2 / (2 * sy**2)
        b = np.sin(2 * t) * (1 / (2 * sx**2) - 1 / (2 * sy**2))
        c = np.sin(t) ** 2 / (2 * sx**2) + np.cos(t) ** 2 / (2 * sy**2)
        return np.exp(-(a * x**2 + b * x * y + c * y**2)) / (2 * np.pi * sx * sy)


def moffat(x, y, alpha, beta):
    return (beta - 1) / (np.pi * alpha**2) * (1 + (x**2 + y**2) / alpha**2) ** -beta


def airy(x, y, radius):
    special = pytest.importorskip("scipy.special")
    q = radius / (special.jn_zeros(1, 1)[0] / np.pi)
    z = np.pi * np.hypot(x, y) / q
    small = z < 1e-8
    z = np.where(small, 1, z)
    ratio = np.where(small, 1, 2 * special.j1(z) / z)
    return np.pi / (4 * q**2) * ratio**2


DENSITIES = {
    "GaussianPSF": gaussian,
    "CircularGaussianPSF": lambda x, y, fwhm: gaussian(x, y, fwhm, fwhm),
    "CircularGaussianSigmaPSF": lambda x, y, sigma: gaussian(
        x, y, sigma / SIGMA_PER_FWHM, sigma / SIGMA_PER_FWHM
    ),
    "MoffatPSF": moffat,
    "AiryDiskPSF": airy,
}


@np.errstate(under="ignore")
def formula(kind, x, y, *shape):
    """Return the model at points, integrated over pixels by 32 x 32 nodes."""
    name = kind.__name__
    density = DENSITIES[name.replace("PRF", "PSF")]
    if name.endswith("PSF"):
        return density(x, y, *shape)
    nodes, weights = np.polynomial.legendre.leggauss(32)
    dx, dy = np.meshgrid(nodes / 2, nodes / 2)
    x, y = (np.asarray(each)[..., None, None] for each in (x, y))
    values = density(x + dx, y + dy, *shape)
    return values @ (weights / 2) @ (weights / 2)


def shapes_of(kind):
    """Draw shapes that a pixel of 32 x 32 nodes resolves."""
    width, angle = st.floats(0.8, 6), st.floats(-400, 400)
    exponent = st.floats(1.05, 6)
    return {
        "GaussianP": st.tuples(width, width, angle),
        "MoffatP": st.tuples(st.floats(1.5, 6), exponent),
    }.get(kind.__name__[:-2], st.tuples(width))


class TestFormula:
    @each_kind
    def test_values(self, kind, shape):
        y, x = np.mgrid[-6:7, -7:8]
        model = kind(flux=5, x_0=0.3, y_0=-0.2, **shape)
        expected = 5 * formula(kind, x - 0.3, y + 0.2, *shape.values())
        atol = 1e-12 * expected.max()
        np.testing.assert_allclose(model(x, y), expected, rtol=0, atol=atol)
        # Off the pixel grid other code runs.
        points = x + 0.27, y - 0.41
        expected = 5 * formula(kind, points[0] - 0.3, points[1] + 0.2, *shape.values())
        np.testing.assert_allclose(model(*points), expected, rtol=0, atol=atol)

    @each_kind
    @given(data=st.data())
    def test_values_at_any_shape(self, kind, shape, data):
        del shape
        drawn = data.draw(shapes_of(kind))
        x, y = data.draw(st.floats(-4, 4)), data.draw(st.floats(-4, 4))
        kwargs = {"n_nodes": 20} if kind in {MoffatPRF, AiryDiskPRF} else {}
        model = kind(**kwargs)
        value, peak = (model.evaluate(*at, 1, 0, 0, *drawn) for at in [(x, y), (0, 0)])
        assert abs(value - formula(kind, x, y, *drawn)) < 1e-12 * peak

    @each_kind
    @given(data=st.data())
    def test_derivatives_at_any_shape(self, kind, shape, data):
        del shape
        drawn = data.draw(shapes_of(kind))
        model = kind(flux=3, x_0=0.2, y_0=0.1)
        model.parameters = [3, 0.2, 0.1, *drawn]
        check_derivatives(model, np.linspace(-2, 3, 20), np.linspace(2.5, -1.5, 20))

    @pytest.mark.parametrize("theta", [0, 90, 180, -90, 720])
    @pytest.mark.parametrize("kind", [GaussianPSF, GaussianPRF])
    def test_right_angles_are_exact(self, kind, theta):
        y, x = np.mgrid[-5:6, -6:7]
        turned = theta % 180 == 90
        widths = {"x_fwhm": 3.0, "y_fwhm": 1.5}
        swapped = {"x_fwhm": 1.5, "y_fwhm": 3.0}
        values = kind(**widths, theta=theta)(x, y)
        np.testing.assert_array_equal(
            values, kind(**swapped if turned else widths)(x, y)
        )
        # Continuous in the angle, though the way of computation changes.
        near = kind(**widths, theta=theta + 1e-9)(x, y)
        np.testing.assert_allclose(near, values, rtol=0, atol=1e-10)

    def test_the_fluxes_are_totals(self):
        y, x = np.mgrid[-60:61, -60:61]
        for kind, shape in ANALYTIC[:5]:
            assert kind(flux=7, x_0=0.2, **shape)(x, y).sum() == pytest.approx(7)
        # Of wings some is off the image: (1 + R**2/alpha**2)**(1 - beta).
        total = MoffatPRF(flux=7, alpha=2.2, beta=3.1)(x, y).sum()
        assert total == pytest.approx(7, rel=2e-6)
        total = AiryDiskPRF(flux=7, radius=2.6)(x, y).sum()
        assert total == pytest.approx(7, rel=0.02)

    def test_a_narrow_gaussian_is_in_one_pixel(self):
        model = GaussianPRF(x_fwhm=1e-3, y_fwhm=2e-3, theta=30)
        y, x = np.mgrid[-2:3, -2:3]
        expected = (x == 0) & (y == 0)
        np.testing.assert_allclose(model(x, y), expected, rtol=0, atol=1e-14)
        # As small as a fitter's bound lets it be.
        values = model.evaluate(x, y, 1, 0.2, 0.1, TINY, TINY, 30)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-14)
        planes = model.fit_deriv(x, y, 1, 0.2, 0.1, TINY, TINY, 30)
        assert np.isfinite(planes).all()

    def test_nodes(self):
        coarse = MoffatPRF(n_nodes=1)
        assert coarse(0.3, 0.2) == MoffatPSF()(0.3, 0.2)
        fine = MoffatPRF(n_nodes=40)
        assert MoffatPRF()(0.3, 0.2) == pytest.approx(fine(0.3, 0.2), rel=1e-9)
        coarse.n_nodes = 40
        assert coarse(0.3, 0.2) == fine(0.3, 0.2)
        for twin in (
            fine.copy(),
            copy.deepcopy(fine),
            pickle.loads(pickle.dumps(fine)),  # noqa: S301
        ):
            assert twin.n_nodes == 40
            assert twin(0.3, 0.2) == fine(0.3, 0.2)

    @each_kind
    def test_values_are_not_cut_at_the_bounding_box(self, kind, shape):
        model = kind(bbox_factor=0.1, **shape)
        assert model(2, 0) > 0
        if kind in {MoffatPSF, MoffatPRF, AiryDiskPSF, AiryDiskPRF}:
            assert model(300.2, 0) > 0


class TestAttributes:
    @each_kind
    def test_defaults(self, kind, shape):
        model = kind()
        names = ("flux", "x_0", "y_0", *shape)
        assert model.param_names == names
        free = {"flux", "x_0", "y_0"}
        assert model.fixed == {name: name not in free for name in names}
        lower = {"theta": None, "beta": np.nextafter(1, 2)}
        for name in names:
            low = None if name in free else lower.get(name, TINY)
            assert model.bounds[name] == (low, None)
        expected = {"flux": 1, "theta": 0, "beta": 2, "x_0": 0, "y_0": 0}
        assert model.parameters.tolist() == [expected.get(name, 1) for name in names]
        assert model.bbox_factor == (5.5 if "Gauss" in kind.__name__ else 10)
        assert getattr(model, "n_nodes", None) == (
            9 if kind in {MoffatPRF, AiryDiskPRF} else None
        )
        assert repr(model).startswith(f"<{kind.__name__}(flux=1., x_0=0., y_0=0., ")
        assert str(model).startswith(f"Model: {kind.__name__}\nInputs: ('x', 'y')")
        with pytest.raises(TypeError):
            kind(1.0)
        with pytest.raises(TypeError):
            kind(nonsense=1)

    def test_widths(self):
        model = GaussianPSF(flux=3, x_fwhm=2, y_fwhm=4)
        assert (model.x_sigma, model.y_sigma) == pytest.approx((0.8493218, 1.6986436))
        assert model.amplitude == pytest.approx(model(0, 0))
        model = CircularGaussianSigmaPRF(flux=3, sigma=2)
        assert model.fwhm == pytest.approx(4.709640090061899)
        assert model.amplitude == pytest.approx(3 / (8 * np.pi))
        for kind, shape in ANALYTIC:
            model = kind(**shape)
            if kind in {MoffatPSF, AiryDiskPSF, CircularGaussianPSF}:
                half = getattr(model.fwhm, "value", model.fwhm) / 2
                assert model(half, 0) == pytest.approx(model(0, 0) / 2)
            for name in {"amplitude", "sigma", "x_sigma", "fwhm"} - set(shape):
                if hasattr(model, name):
                    with pytest.raises(AttributeError):
                        setattr(model, name, 1)

    def test_bounding_boxes(self):
        box = GaussianPRF(x_0=1, x_fwhm=3, y_fwhm=1.5, theta=30).bounding_box
        (y_low, y_high), (x_low, x_high) = box.bounding_box()
        # From photutils 3.1.1.
        assert (y_low, y_high) == pytest.approx(
            (-4.6346319249197645, 4.6346319249197645)
        )
        assert (x_low, x_high) == pytest.approx(
            (-5.3159386818849175, 7.3159386818849175)
        )
        turned = GaussianPSF(x_fwhm=3, y_fwhm=1.5, theta=90, bbox_factor=2).bounding_box
        (y_low, y_high), (x_low, x_high) = turned.bounding_box()
        assert (x_high, y_high) == pytest.approx(
            (3 * SIGMA_PER_FWHM, 6 * SIGMA_PER_FWHM)
        )
        model = MoffatPRF(alpha=2, beta=3, bbox_factor=4)
        half = 4 * model.fwhm
        assert model.bounding_box.bounding_box() == ((-half, half), (-half, half))
        model.bbox_factor = 8
        assert model.bounding_box.bounding_box()[0] == (-2 * half, 2 * half)
        assert model.copy().bbox_factor == 8


class TestUnits:
    def test_an_angle_with_a_unit(self):
        plain = GaussianPRF(x_fwhm=3, y_fwhm=2, theta=30)
        model = GaussianPRF(x_fwhm=3, y_fwhm=2, theta=(30 * u.deg).to(u.rad))
        assert model(0.3, 0.7) == pytest.approx(plain(0.3, 0.7), rel=1e-14)
        np.testing.assert_allclose(
            model.bounding_box.bounding_box(), plain.bounding_box.bounding_box()
        )

    def test_everything_with_a_unit(self):
        model = GaussianPSF(
            flux=7 * u.Jy,
            x_0=3.3 * u.pix,
            y_0=4.1 * u.pix,
            x_fwhm=2 * u.pix,
            y_fwhm=3 * u.pix,
            theta=0.5 * u.rad,
        )
        plain = GaussianPSF(
            flux=7, x_0=3.3, y_0=4.1, x_fwhm=2, y_fwhm=3, theta=np.rad2deg(0.5)
        )
        y, x = np.mgrid[0:9, 0:8]
        values = model(x * u.pix, y * u.pix)
        np.testing.assert_allclose(values.to_value(u.Jy), plain(x, y), rtol=1e-14)
        parameters = [getattr(model, name).quantity for name in model.param_names]
        planes = model.fit_deriv(x * u.pix, y * u.pix, *parameters)
        by = u.Jy / u.pix
        assert [plane.unit for plane in planes[1:]] == [by] * 4 + [u.Jy / u.deg]
        expected = plain.fit_deriv(x, y, *plain.parameters)
        for plane, values in zip(planes[1:], expected[1:], strict=True):
            np.testing.assert_allclose(plane.value, values, rtol=1e-12, atol=1e-15)
        assert model.x_sigma.unit == u.pix
        assert model.amplitude.unit == u.Jy
        assert model.bounding_box.bounding_box()[0][0].unit == u.pix

    def test_an_exponent_has_none(self):
        model = MoffatPRF(flux=3 * u.Jy, x_0=1 * u.pix, y_0=2 * u.pix, alpha=3 * u.pix)
        value = model(1 * u.pix, 3 * u.pix)
        assert value.unit == u.Jy
        assert value.value == MoffatPRF(flux=3, x_0=1, y_0=2, alpha=3)(1, 3)
        assert model.fwhm.unit == u.pix
        parameters = [getattr(model, name).quantity for name in model.param_names[:4]]
        planes = model.fit_deriv(1 * u.pix, 3 * u.pix, *parameters, 2.0)
        assert planes[3].unit == u.Jy / u.pix
        assert planes[4].unit == u.Jy

    @pytest.mark.parametrize("kind", [GaussianPRF, MoffatPSF, AiryDiskPRF])
    def test_astropys_fitters(self, kind):
        pytest.importorskip("scipy")
        shape = dict(ANALYTIC)[kind]
        truth = kind(flux=500, x_0=4.2, y_0=3.9, **shape)
        start = kind(
            flux=400 * u.Jy,
            x_0=4 * u.pix,
            y_0=4 * u.pix,
            **{
                name: value * (1 if name in {"theta", "beta"} else u.pix)
                for name, value in shape.items()
            },
        )
        y, x = np.mgrid[0:9, 0:9]
        data = truth(x, y) * u.Jy
        fitted = fitting.TRFLSQFitter()(start, x * u.pix, y * u.pix, data)
        np.testing.assert_allclose(fitted.parameters, truth.parameters, rtol=1e-5)
        assert fitted.flux.unit == u.Jy
        assert fitted.x_0.unit == u.pix


class TestAstropysFitters:
    @each_kind
    @pytest.mark.parametrize("fitter", ["TRFLSQFitter", "LevMarLSQFitter"])
    def test_the_shape_is_found(self, kind, shape, fitter):
        pytest.importorskip("scipy")
        truth = kind(flux=500, x_0=7.2, y_0=6.9, **shape)
        start = kind(
            flux=400, x_0=7, y_0=7, **{name: 1.1 * v for name, v in shape.items()}
        )
        for name in shape:
            getattr(start, name).fixed = False
        y, x = np.mgrid[0:15, 0:15]
        fitted = getattr(fitting, fitter)()(start, x, y, truth(x, y), maxiter=300)
        np.testing.assert_allclose(fitted.parameters, truth.parameters, rtol=1e-4)


class TestBadInput:
    @each_kind
    @pytest.mark.parametrize("bad", [0, -1, np.nan, np.inf])
    def test_shapes(self, kind, shape, bad):
        for name in shape:
            if name == "theta" and np.isfinite(bad):
                continue
            must = {"theta": "be finite", "beta": "be greater than 1 and finite"}
            expected = f"{name} must {must.get(name, 'be positive and finite')}, got "
            with pytest.raises(ValueError, match=expected):
                kind(**{name: bad})
            # Set later, it makes no number that might be taken for a value.
            model = kind()
            setattr(model, name, bad)
            assert np.isinf(bad) or np.isnan(model(0.3, 0.2))
            with pytest.raises(ValueError, match=f"{name} must "):
                PSFPhotometry(model, 5)

    def test_beta_of_one(self):
        with pytest.raises(ValueError, match=r"beta must be greater than 1.* got 1\.0"):
            MoffatPSF(beta=1)

    @each_kind
    def test_several_shapes_make_no_psf(self, kind, shape):
        for name in shape:
            several = kind(**shape | {name: [shape[name], 1 + shape[name]]})
            with pytest.raises(ValueError, match=f"must have one value of {name}"):
                PSFPhotometry(several, 5)

    @each_kind
    def test_bounding_boxes(self, kind, shape):
        for bad in (0, -1, np.nan, np.inf):
            with pytest.raises(ValueError, match="bbox_factor must be positive"):
                kind(bbox_factor=bad, **shape)
        for bad in (None, "10", [1, 2], 3 * u.pix):
            with pytest.raises(TypeError, match="bbox_factor must be a number"):
                kind(bbox_factor=bad, **shape)
        model = kind()
        with pytest.raises(ValueError, match="bbox_factor must be positive"):
            model.bbox_factor = 0

    @pytest.mark.parametrize("kind", [MoffatPRF, AiryDiskPRF])
    def test_nodes(self, kind):
        for bad in (0, -1, 2.5, np.nan, None, "9", True, [1, 2], 2**40):
            with pytest.raises(ValueError, match="n_nodes must be"):
                kind(n_nodes=bad)
        with pytest.raises(
            ValueError, match="n_nodes must be an integer from 1 to 200"
        ):
            kind(n_nodes=201)
        assert kind(n_nodes=np.int64(3)).n_nodes == 3

    def test_lengths_without_a_unit(self):
        model = AiryDiskPSF(flux=1, x_0=1 * u.pix, y_0=2 * u.pix, radius=3 * u.pix)
        with pytest.raises(u.UnitsError):
            model(1, 2)

    def test_the_core_knows_its_models(self):
        with pytest.raises(ValueError, match=r"there is no GaussianPRF with .*\[1.0\]"):
            _core.Psf.analytic("GaussianPRF", [1.0])
        with pytest.raises(ValueError, match="there is no Sersic"):
            _core.Psf.analytic("Sersic", [1.0])
        with pytest.raises(ValueError, match="n_nodes must be an integer from 1"):
            _core.Psf.analytic("MoffatPRF", [1.0, 2.0], 0)
        names = _core.Psf.analytic("GaussianPSF", [1, 2, 3]).shape_names
        assert names == ["x_fwhm", "y_fwhm", "theta"]


def test_circular_models_agree():
    y, x = np.mgrid[-4:5, -4:5]
    expected = CircularGaussianPRF(fwhm=2)(x, y)
    by_sigma = CircularGaussianSigmaPRF(sigma=2 * SIGMA_PER_FWHM)(x, y)
    np.testing.assert_allclose(by_sigma, expected, rtol=1e-13)
    turned = GaussianPRF(x_fwhm=2, y_fwhm=2, theta=40)(x, y)
    np.testing.assert_allclose(turned, expected, rtol=1e-13)
    turned = GaussianPSF(x_fwhm=2, y_fwhm=2, theta=40)(x, y)
    np.testing.assert_allclose(turned, CircularGaussianPSF(fwhm=2)(x, y), rtol=1e-13)


@each_kind
def test_signatures_name_the_parameters(kind, shape):
    model = kind(flux=7, x_0=3.3, y_0=4.1, **shape)
    names = [*model.param_names]
    # The derivatives can be had of the class.
    for method, owner in ((kind.evaluate, ["self"]), (kind.fit_deriv, [])):
        assert [*inspect.signature(method).parameters] == [*owner, "x", "y", *names]
        assert ", ".join(names) in inspect.getdoc(method)
        assert "{" not in method.__doc__
    arguments = dict(zip(names, model.parameters, strict=True))
    by_name = model.evaluate(x=3.0, y=4.0, **arguments)
    assert by_name == model.evaluate(3.0, 4.0, *model.parameters)
    with pytest.raises(TypeError, match="evaluate"):
        model.evaluate(3.0, 4.0, *model.parameters, 1.0)
    settings = ["bbox_factor"] + ["n_nodes"] * hasattr(model, "n_nodes")
    every = [*inspect.signature(kind).parameters]
    assert every == [*names, *settings, "kwargs"]


def test_a_subclass_with_its_own_formula_keeps_it():
    class Flat(MoffatPSF):
        level = Parameter(default=2.0)

        def evaluate(self, x, *args):
            return args[-1] + 0 * x

    class Renamed(CircularGaussianPRF):
        fwhm = Parameter(default=2.0)

    assert Flat(level=3.0)(1, 1) == 3
    assert Flat.fit_deriv.__func__ is MoffatPSF.fit_deriv.__func__
    assert Renamed.evaluate is CircularGaussianPRF.evaluate


@pytest.mark.parametrize("theta", [15, 45, 100])
@pytest.mark.parametrize("widths", [(2.0, 3.0), (1.0, 4.0), (1.0, 9.0)])
def test_no_pixel_of_an_elliptical_prf_is_negative(theta, widths):
    """Not by rounding either: noise of negative numbers cannot be drawn."""
    y, x = np.mgrid[:61, :61]
    shape = dict(zip(("x_fwhm", "y_fwhm"), widths, strict=True))
    model = GaussianPRF(flux=1.0, x_0=30.2, y_0=29.7, theta=theta, **shape)
    assert model(x, y).min() >= 0
    assert model(x, y).sum() == pytest.approx(1, rel=1e-12)
    assert np.isnan(model.evaluate(30, 30, 1.0, np.nan, 29.7, *widths, theta))
