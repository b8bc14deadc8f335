"""PSF models made of astropy's, of samples of PSFs, and of image PSFs."""

import numpy as np
import pytest
from astropy.modeling.models import Const2D, Gaussian2D, Moffat2D

from psfphot.psf import (
    CircularGaussianPRF,
    CircularGaussianPSF,
    GriddedPSFModel,
    ImagePSF,
    PSFPhotometry,
    grid_from_epsfs,
    make_epsf_from_psf,
    make_psf_model,
)
from psfphot.utils.exceptions import PhotutilsDeprecationWarning


def make(*args, **options):
    with pytest.warns(PhotutilsDeprecationWarning, match="make_psf_model") as caught:
        model = make_psf_model(*args, **options)
    assert [each.filename for each in caught] == [__file__]
    return model


def test_models_are_normalised_and_fitted():
    model = make(
        Gaussian2D(3, 0, 0, 1.5, 1.5), x_name="x_mean", y_name="y_mean", subsample=20
    )
    assert (model.x_name, model.y_name) == ("x_mean_2", "y_mean_2")
    free = [name for name in model.param_names if not model.fixed[name]]
    assert free == [model.x_name, model.y_name, model.flux_name]
    y, x = np.mgrid[-20:21, -20:21]
    np.testing.assert_allclose(model(x, y).sum(), 1, rtol=1e-6)
    y, x = np.mgrid[:31, :33]
    truth = CircularGaussianPSF(
        flux=70, x_0=15.3, y_0=14.8, fwhm=1.5 * np.sqrt(8 * np.log(2))
    )
    start = {"x": [15], "y": [15], "flux": [50]}
    table = PSFPhotometry(model, (9, 9))(truth(x, y), init_params=_table(start))
    np.testing.assert_allclose(table["flux_fit"], 70, rtol=1e-4)
    np.testing.assert_allclose(table["x_fit"], 15.3, atol=1e-4)
    np.testing.assert_allclose(table["y_fit"], 14.8, atol=1e-4)


def _table(columns):
    from astropy.table import QTable  # noqa: PLC0415

    return QTable(columns)


def test_positions_are_added_in_the_right_direction():
    moffat = Moffat2D(alpha=4.8)
    model = make(moffat, normalize=False)
    model.offset_0 = 10
    assert model(10, 0) == 1
    assert model(0, 0) == moffat(10, 0)


def test_models_that_cannot_be_made_are_refused():
    gaussian = Gaussian2D()
    refused = [
        ({"x_name": "x"}, "'x' parameter name not found"),
        ({"x_name": "x_mean", "y_name": "y_mean", "dx": 0}, "dx and dy must be > 0"),
        ({"subsample": 0}, "subsample must be >= 1"),
    ]
    for options, message in refused:
        with (
            pytest.warns(PhotutilsDeprecationWarning),
            pytest.raises(ValueError, match=message),
        ):
            make_psf_model(gaussian, **options)
    with (
        pytest.warns(PhotutilsDeprecationWarning),
        pytest.raises(ValueError, match="integral is 0"),
    ):
        make_psf_model(gaussian * Const2D(0.0), subsample=3)


@pytest.mark.parametrize("size", [74, 75])
@pytest.mark.parametrize("midpoints", [True, False])
def test_epsfs_are_integrals_over_pixels(size, midpoints):
    fwhm, oversampling = 1.1, 5
    centre = (size - 1) / 2
    y, x = (np.mgrid[:size, :size] - centre) / oversampling
    epsf = make_epsf_from_psf(
        CircularGaussianPSF(fwhm=fwhm)(x, y),
        oversampling=oversampling,
        midpoints=midpoints,
    )
    size -= midpoints
    assert epsf.shape == (size, size)
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / oversampling
    expected = CircularGaussianPRF(fwhm=fwhm)(x, y)
    np.testing.assert_allclose(epsf, expected, rtol=0, atol=2e-4 * expected.max())


def test_epsfs_of_stacks_and_of_what_is_refused():
    stack = np.random.default_rng(0).random((3, 6, 7))
    made = make_epsf_from_psf(stack, oversampling=(2, 3))
    for one, image in zip(made, stack, strict=True):
        np.testing.assert_array_equal(
            one, make_epsf_from_psf(image, oversampling=(2, 3))
        )
    # A cubic is its own spline: mean of x³ over (x - 1, x + 1) is x³ + x.
    x = np.arange(8.0)
    cubic = np.broadcast_to(x**3, (8, 8))
    inside = make_epsf_from_psf(cubic, oversampling=(1, 2))[2:-2, 1:-1]
    np.testing.assert_allclose(inside, np.broadcast_to((x**3 + x)[1:-1], (4, 6)))
    with pytest.raises(ValueError, match="2D or 3D"):
        make_epsf_from_psf(np.ones(9), oversampling=2)
    with pytest.raises(ValueError, match="at least 4"):
        make_epsf_from_psf(np.ones((3, 9)), oversampling=2)
    with pytest.raises(ValueError, match="finite"):
        make_epsf_from_psf(np.full((9, 9), np.nan), oversampling=2)
    with pytest.raises(ValueError, match="oversampling must be > 0"):
        make_epsf_from_psf(np.ones((9, 9)), oversampling=0)


def grid(epsfs, **options):
    with pytest.warns(PhotutilsDeprecationWarning, match="grid_from_epsfs") as caught:
        model = grid_from_epsfs(epsfs, **options)
    assert [each.filename for each in caught] == [__file__]
    return model


def test_grids_of_image_psfs():
    corners = [(0, 0), (50, 0), (0, 40), (50, 40)]
    images = np.random.default_rng(1).random((4, 9, 9))
    epsfs = [
        ImagePSF(image, x_0=x, y_0=y, oversampling=2)
        for image, (x, y) in zip(images, corners, strict=True)
    ]
    meta = {"detector": "A"}
    model = grid(epsfs, meta=meta)
    assert isinstance(model, GriddedPSFModel)
    np.testing.assert_array_equal(model.data, images)
    np.testing.assert_array_equal(model.grid_xypos, corners)
    assert model.meta["detector"] == "A"
    elsewhere = [(x + 5, y) for x, y in corners]
    np.testing.assert_array_equal(
        grid(epsfs, grid_xypos=elsewhere).grid_xypos, elsewhere
    )


def test_image_psfs_that_make_no_grid_are_refused():
    epsf = ImagePSF(np.ones((9, 9)))
    others = {
        "oversampling": ImagePSF(np.ones((9, 9)), oversampling=2),
        "fill_value": ImagePSF(np.ones((9, 9)), fill_value=None),
        "flux": ImagePSF(np.ones((9, 9)), flux=2),
        "shape": ImagePSF(np.ones((9, 8))),
        "origin": ImagePSF(np.ones((9, 9)), origin=(1, 1)),
    }
    for name, other in others.items():
        with (
            pytest.warns(PhotutilsDeprecationWarning),
            pytest.raises(ValueError, match=f"the same {name}"),
        ):
            grid_from_epsfs([epsf, other])
    with (
        pytest.warns(PhotutilsDeprecationWarning),
        pytest.raises(TypeError, match="must be ImagePSF"),
    ):
        grid_from_epsfs([epsf, CircularGaussianPSF()])
    with (
        pytest.warns(PhotutilsDeprecationWarning),
        pytest.raises(ValueError, match="must have 1 positions"),
    ):
        grid_from_epsfs([epsf], grid_xypos=[(0, 0), (1, 1)])
