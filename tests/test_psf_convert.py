"""Models of Python made into those of the core."""

import numpy as np
import pytest
from astropy.modeling import Fittable2DModel, Parameter
from astropy.modeling.models import Const1D, Gaussian2D, Pix2Sky_CAR
from astropy.nddata import NDData

from psfphot.psf import CircularGaussianPRF, GriddedPSFModel, ImagePSF
from psfphot.psf._convert import parameter_names, to_core

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


def at_a_point(psf):
    return psf.evaluate(np.array([3.3]), np.array([2.1]), 2.0, 3.0, 2.0)[0]


@pytest.mark.parametrize("model", models(), ids=lambda m: m.__class__.__name__)
def test_ours_and_photutils_give_the_same(model):
    psf = to_core(model)
    shape = model.parameters[3:]
    expected = model.evaluate(3.3, 2.1, 2.0, 3.0, 2.0, *shape)
    assert at_a_point(psf) == expected != 0
    assert at_a_point(to_core(foreign(type(model).__name__))) == expected


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
        to_core(Gaussian2D())
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
