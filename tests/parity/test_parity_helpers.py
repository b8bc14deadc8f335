"""Example images, cutouts, depths and helpers of models, beside photutils'."""

import importlib
import warnings
from itertools import product

import numpy as np
import pytest
from astropy.modeling.models import Const2D, Gaussian2D, Moffat2D

import psfphot.datasets
import psfphot.psf
import psfphot.utils
from psfphot.utils.exceptions import PhotutilsDeprecationWarning

photutils = pytest.importorskip("photutils")
for _name in ("datasets", "psf", "utils"):
    importlib.import_module(f"photutils.{_name}")

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("photutils_31")]


@pytest.mark.parametrize("name", ["make_4gaussians_image", "make_100gaussians_image"])
@pytest.mark.parametrize("noise", [True, False])
def test_example_images(name, noise):
    mine, yours = (
        getattr(module.datasets, name)(noise=noise) for module in (psfphot, photutils)
    )
    np.testing.assert_allclose(mine, yours, rtol=1e-12)


@pytest.mark.parametrize("galactic", [True, False])
@pytest.mark.parametrize("name", ["make_wcs", "make_gwcs"])
def test_wcs(name, galactic):
    if name == "make_gwcs":
        pytest.importorskip("gwcs")
    mine, yours = (
        getattr(module.datasets, name)((90, 110), galactic=galactic)
        for module in (psfphot, photutils)
    )
    points = np.random.default_rng(0).uniform(0, 90, (2, 20))
    sky, other = mine.pixel_to_world(*points), yours.pixel_to_world(*points)
    assert sky.frame.name == other.frame.name
    assert sky.separation(other).arcsec.max() < 1e-9


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_depths(overlap, masked):
    data = psfphot.datasets.make_100gaussians_image() - 5
    settings = {"n_apertures": 200, "n_iters": 2, "mask_pad": 2.5, "seed": 3}
    settings |= {"overlap": overlap, "zeropoint": 23.9, "progress_bar": False}
    mine, yours = (
        module.utils.ImageDepth(4, **settings) for module in (psfphot, photutils)
    )
    mask = data > 20 if masked else None
    np.testing.assert_allclose(mine(data, mask), yours(data, mask), rtol=1e-10)
    np.testing.assert_array_equal(mine.n_apertures_used, yours.n_apertures_used)
    np.testing.assert_allclose(mine.mag_limits, yours.mag_limits, rtol=1e-10)


@pytest.mark.parametrize("mode", ["trim", "partial"])
@pytest.mark.parametrize("position", [(5, 5), (0, 0), (2.5, 3.5), (9.4, 8.5)])
@pytest.mark.parametrize("shape", [(3, 3), (4, 5)])
def test_cutouts(position, shape, mode):
    data = np.arange(110.0).reshape(10, 11)
    mine, yours = (
        module.utils.CutoutImage(data, position, shape, mode=mode)
        for module in (psfphot, photutils)
    )
    np.testing.assert_array_equal(mine.data, yours.data)
    np.testing.assert_array_equal(mine.xyorigin, yours.xyorigin)
    assert mine.slices_original == yours.slices_original
    assert mine.slices_cutout == yours.slices_cutout
    assert str(mine.bbox_original) == str(yours.bbox_original)
    assert str(mine.bbox_cutout) == str(yours.bbox_cutout)


@pytest.mark.parametrize("midpoints", [True, False])
@pytest.mark.parametrize("shape", [(4, 5), (31, 40), (3, 20, 21)])
@pytest.mark.parametrize("oversampling", [1, 4, (3, 5)])
def test_epsfs_of_psfs(shape, oversampling, midpoints):
    data = np.random.default_rng(0).normal(size=shape)
    mine, yours = (
        module.psf.make_epsf_from_psf(
            data, oversampling=oversampling, midpoints=midpoints
        )
        for module in (psfphot, photutils)
    )
    np.testing.assert_allclose(mine, yours, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Moffat2D(5.0, 0, 0, 1.01, 4.79), {"x_name": "x_0", "y_name": "y_0"}),
        (Moffat2D(5.0, 0, 0, 1.01, 4.79), {}),
        (Gaussian2D(2, 5, 6, 1, 2), {"x_name": "x_mean", "y_name": "y_mean"}),
        (
            Gaussian2D(2, 5, 6, 1, 2) * Const2D(3),
            {"x_name": "x_mean_0", "y_name": "y_mean_0", "flux_name": "amplitude_0"},
        ),
    ],
    ids=["moffat", "around the origin", "gaussian", "compound"],
)
@pytest.mark.parametrize("normalize", [True, False])
def test_models_of_models(model, names, normalize):
    y, x = np.mgrid[-3:12, -4:11]
    made = []
    for module in (psfphot, photutils):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", module.utils.PhotutilsDeprecationWarning)
            made.append(
                module.psf.make_psf_model(
                    model, normalize=normalize, subsample=20, **names
                )
            )
    mine, yours = made
    assert mine.param_names == yours.param_names
    assert mine.fixed == yours.fixed
    assert [mine.x_name, mine.y_name, mine.flux_name] == [
        yours.x_name,
        yours.y_name,
        yours.flux_name,
    ]
    np.testing.assert_allclose(mine(x, y), yours(x, y), rtol=1e-10, atol=1e-14)


def test_grids_of_image_psfs():
    rng = np.random.default_rng(0)
    corners = list(product([0, 50], [0, 60]))
    images = [rng.random((9, 9)) for _ in corners]
    with pytest.warns(PhotutilsDeprecationWarning, match="GriddedPSFModel"):
        mine = psfphot.psf.grid_from_epsfs(
            [
                psfphot.psf.ImagePSF(image, x_0=x, y_0=y, oversampling=2)
                for image, (x, y) in zip(images, corners, strict=True)
            ]
        )
    with pytest.warns(photutils.utils.PhotutilsDeprecationWarning):
        yours = photutils.psf.grid_from_epsfs(
            [
                photutils.psf.ImagePSF(image, x_0=x, y_0=y, oversampling=2)
                for image, (x, y) in zip(images, corners, strict=True)
            ]
        )
    np.testing.assert_array_equal(mine.data, yours.data)
    np.testing.assert_array_equal(mine.grid_xypos, yours.grid_xypos)
