"""Models of Python made into those of the core."""

import numpy as np
import pytest
from astropy import units as u
from astropy.modeling import Fittable2DModel, Parameter
from astropy.modeling.models import Const1D, Gaussian2D, Moffat2D, Pix2Sky_CAR, Sersic2D
from astropy.nddata import NDData
from psf_samples import each_kind

from psfphot.psf import (
    CircularGaussianPRF,
    GaussianPRF,
    GaussianPSF,
    GriddedPSFModel,
    ImagePSF,
    MoffatPRF,
    MoffatPSF,
    PSFPhotometry,
    make_psf_model_image,
)
from psfphot.psf._models.convert import (
    as_psf_model,
    is_compiled,
    parameter_names,
    parameter_value,
    to_core,
)

DATA = np.random.default_rng(0).normal(size=(4, 11, 12))
GRID = {"grid_xypos": [(0, 0), (9, 0), (0, 5), (9, 5)], "oversampling": (2, 3)}


def models():
    grid = GriddedPSFModel(NDData(DATA, meta=GRID))
    grid.origin = (4, 5)
    return [
        ImagePSF(DATA[0], oversampling=(2, 3), origin=(4, 5)),
        grid,
        CircularGaussianPRF(fwhm=2.5),
    ]


def foreign(name):
    """A model of photutils' names and attributes that is none of ours."""

    class Foreign(Fittable2DModel):
        flux, x_0, y_0 = (
            Parameter(default=1),
            Parameter(default=0),
            Parameter(default=0),
        )
        fwhm = Parameter(default=2.5)
        data = DATA if name == "GriddedPSFModel" else DATA[0]
        oversampling = np.array([2, 3])
        origin = np.array([4.0, 5.0])
        grid_xypos = np.array(GRID["grid_xypos"])

        def evaluate(self, *_):
            raise AssertionError

    Foreign.__name__ = name
    Foreign.__module__ = "photutils.psf.some_models"
    return Foreign()


def twin(kind, shape):
    """An instance of a class of photutils' name with the parameters of ours."""

    class Twin(Fittable2DModel):
        flux, x_0, y_0 = (Parameter(default=value) for value in (1, 0, 0))
        n_nodes = 4

        def evaluate(self, *_):
            raise AssertionError

    parameters = {name: Parameter(default=value) for name, value in shape.items()}
    module = {"__module__": "photutils.psf.functional_models"}
    return type(kind.__name__, (Twin,), parameters | module)()


def at_a_point(psf):
    return psf.evaluate(np.array([3.3]), np.array([2.1]), 2.0, 3.0, 2.0)[0]


@pytest.mark.parametrize("model", models(), ids=lambda m: m.__class__.__name__)
def test_ours_and_photutils_give_the_same(model):
    psf = to_core(model)
    shape = model.parameters[3:]
    expected = model.evaluate(3.3, 2.1, 2.0, 3.0, 2.0, *shape)
    assert at_a_point(psf) == expected != 0
    assert at_a_point(to_core(foreign(type(model).__name__))) == expected


@each_kind
def test_analytic_twins(kind, shape):
    x, y = np.array([3.3]), np.array([2.1])
    nodes = {"n_nodes": 4} if kind.__name__ in {"MoffatPRF", "AiryDiskPRF"} else {}
    model = kind(**shape, **nodes)
    expected = model.evaluate(3.3, 2.1, 2.0, 3.0, 2.0, *shape.values())
    for given in (model, twin(kind, shape)):
        assert to_core(given).evaluate(x, y, 2.0, 3.0, 2.0)[0] == expected
        assert as_psf_model(given) is given


def test_a_subclass_of_photutils():
    base = type(twin(MoffatPRF, {"alpha": 2.0, "beta": 3.0}))

    class Same(base):
        pass

    class Other(base):
        def evaluate(self, *args):
            return 2 * super().evaluate(*args)

    assert at_a_point(to_core(Same())) == at_a_point(to_core(base()))
    assert is_compiled(Same())
    # Its own formula is asked, and fails.
    assert not is_compiled(Other())
    with pytest.raises(AssertionError):
        to_core(Other())


def test_an_angle_with_a_unit():
    shape = {"x_fwhm": 3.0, "y_fwhm": 2.0}
    plain = GaussianPRF(**shape, theta=30)
    model = GaussianPRF(**shape, theta=np.deg2rad(30) * u.rad)
    assert parameter_value(model, "theta") == pytest.approx(30)
    assert parameter_value(model, "x_fwhm") == 3
    assert at_a_point(to_core(model)) == pytest.approx(at_a_point(to_core(plain)))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (CircularGaussianPRF(fwhm=2 * u.arcsec), "fwhm"),
        (ImagePSF(np.ones((5, 5)), x_0=2 * u.m), "x_0"),
        (Gaussian2D(1, 2 * u.deg, 3 * u.deg, 1 * u.deg, 1 * u.deg), "x_0"),
        (Moffat2D(1, 2, 3, gamma=1 * u.arcsec, alpha=3), "alpha"),
    ],
    ids=["fwhm", "x_0", "Gaussian2D", "Moffat2D"],
)
def test_lengths_are_in_pixels(model, name):
    with pytest.raises(ValueError, match=f"psf_model must have {name} in pixels, got"):
        to_core(model)


class TestAstropysModels:
    @pytest.mark.parametrize(
        ("model", "kind"),
        [
            (Gaussian2D(3, 1, 2, 2.5, 1.5, 0.4), GaussianPSF),
            (Gaussian2D(3, 1, 2, 2.5, 1.5, theta=20 * u.deg), GaussianPSF),
            (Moffat2D(3, 1, 2, gamma=2.5, alpha=3.5), MoffatPSF),
        ],
        ids=["Gaussian2D", "Gaussian2D, degrees", "Moffat2D"],
    )
    def test_values(self, model, kind):
        model.name = "star"
        ours = as_psf_model(model)
        assert type(ours) is kind
        assert ours.name == "star"
        y, x = np.mgrid[-5:9, -6:8]
        np.testing.assert_allclose(ours(x, y), model(x, y), rtol=1e-12)
        flux = ours.flux.value
        values = to_core(model).evaluate(np.array([1.7]), np.array([2.4]), flux, 1, 2)
        assert values[0] == pytest.approx(model(1.7, 2.4), rel=1e-12)

    def test_flags_and_bounds(self):
        model = Gaussian2D(
            amplitude=2 * u.Jy,
            x_stddev=2,
            y_stddev=3,
            fixed={"x_stddev": True, "y_mean": True},
            bounds={"y_stddev": (1, 4), "theta": (-np.pi / 2, None)},
        )
        ours = as_psf_model(model)
        assert ours.flux.quantity.to_value(u.Jy) == pytest.approx(24 * np.pi)
        fixed = {name for name, is_fixed in ours.fixed.items() if is_fixed}
        assert fixed == {"y_0", "x_fwhm"}
        factor = np.sqrt(8 * np.log(2))
        assert ours.bounds["y_fwhm"] == pytest.approx((factor, 4 * factor))
        assert ours.bounds["theta"] == (pytest.approx(-90), None)
        assert ours.bounds["x_fwhm"] == GaussianPSF.x_fwhm.bounds
        assert as_psf_model(Moffat2D(alpha=2)).bounds["beta"] == MoffatPSF.beta.bounds

    def test_those_that_name_their_parameters_stay(self):
        model = Gaussian2D()
        model.x_name, model.y_name, model.flux_name = "x_mean", "y_mean", "amplitude"
        assert as_psf_model(model) is model
        assert not is_compiled(model)
        # At (3.3, 2.1), of flux 2 at (3, 2).
        expected = 2 * model(0.3, 0.1)
        shape = (*model.parameters[3:],)
        x, y = np.array([3.3]), np.array([2.1])
        values = to_core(model).evaluate(x, y, 2.0, 3.0, 2.0, *shape)
        assert values[0] == pytest.approx(expected)

    def test_subclasses_stay(self):
        class Sharper(Gaussian2D):
            pass

        model = Sharper()
        assert as_psf_model(model) is model

    def test_mistakes(self):
        with pytest.raises(
            ValueError, match="alpha of Moffat2D must be greater than 1"
        ):
            as_psf_model(Moffat2D())
        with pytest.raises(ValueError, match="x_fwhm must be positive and finite"):
            as_psf_model(Gaussian2D(x_stddev=-1))
        tied = Gaussian2D(tied={"y_stddev": lambda model: model.x_stddev})
        with pytest.raises(ValueError, match="tied y_stddev of Gaussian2D"):
            as_psf_model(tied)

    @pytest.mark.parametrize(
        "model",
        [Gaussian2D(1, 0, 0, 1.5, 1.2, 0.3), Moffat2D(1, gamma=2.5, alpha=3)],
        ids=lambda model: model.__class__.__name__,
    )
    def test_photometry(self, model):
        data, params = make_psf_model_image(
            (90, 100), model, 5, model_shape=25, flux=(900, 1000), min_separation=20
        )
        assert params.colnames == ["id", "x_0", "y_0", "flux"]
        photometry = PSFPhotometry(model, (9, 9))
        table = photometry(data, init_params=params["x_0", "y_0", "flux"])
        np.testing.assert_allclose(table["flux_fit"], params["flux"], rtol=1e-6)
        # The shape of astropy's models is free.
        shape = photometry.psf_model.param_names[3:]
        for name in shape:
            value = parameter_value(photometry.psf_model, name)
            np.testing.assert_allclose(table[f"{name}_fit"], value, rtol=1e-5)
        residual = photometry.make_residual_image(data, psf_shape=25)
        assert np.abs(residual).max() < 1e-6 * data.max()


def test_ours_are_compiled_once():
    model = models()[1]
    assert to_core(model) is to_core(model) is to_core(model.copy())


def test_a_subclass_is_its_parent_unless_its_formula_differs():
    class Named(ImagePSF):
        pass

    class Other(ImagePSF):
        def evaluate(self, x, y, flux, x_0, y_0):
            return 2 * super().evaluate(x, y, flux, x_0, y_0)

    assert at_a_point(to_core(Named(DATA[0]))) == at_a_point(to_core(ImagePSF(DATA[0])))
    assert at_a_point(to_core(Other(DATA[0]))) == pytest.approx(
        2 * at_a_point(to_core(ImagePSF(DATA[0])))
    )


def test_what_is_not_supported():
    with pytest.raises(ValueError, match="could not find PSF parameter names"):
        to_core(Sersic2D())
    for wrong in (None, DATA, ImagePSF):
        with pytest.raises(TypeError, match="psf_model must be an Astropy Model"):
            to_core(wrong)
    for wrong in (Const1D(), Pix2Sky_CAR()):
        with pytest.raises(ValueError, match="psf_model must be two-dimensional"):
            to_core(wrong)
    with pytest.raises(ValueError, match="fwhm must be positive"):
        to_core(CircularGaussianPRF(fwhm=-1))
    with pytest.raises(ValueError, match="one value of fwhm"):
        to_core(CircularGaussianPRF(fwhm=[1, 2]))


def test_parameter_names():
    assert parameter_names(ImagePSF(DATA[0])) == ("x_0", "y_0", "flux", ())
    gaussian = parameter_names(CircularGaussianPRF())
    assert gaussian == ("x_0", "y_0", "flux", ("fwhm",))
    model = Gaussian2D()
    with pytest.raises(
        ValueError, match=r"Invalid PSF model - could not find PSF parameter names."
    ):
        parameter_names(model)
    model.x_name, model.y_name, model.flux_name = "x_mean", "y_mean", "amplitude"
    names = parameter_names(model)
    assert names.flux == "amplitude"
    assert names.shape == ("x_stddev", "y_stddev", "theta")
    model.flux_name = "nope"
    with pytest.raises(ValueError, match="no parameter 'nope'"):
        parameter_names(model)
