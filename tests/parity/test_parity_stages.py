"""Groups, aperture sums, backgrounds and simulations against photutils."""

import warnings

import numpy as np
import pytest

from psfphot import _core
from psfphot.background import LocalBackground
from psfphot.datasets import make_model_params, make_noise_image
from psfphot.psf import (
    CircularGaussianPRF,
    GriddedPSFModel,
    ImagePSF,
    SourceGrouper,
    make_psf_model_image,
)

pytestmark = pytest.mark.parity

photutils = pytest.importorskip("photutils")
psf = pytest.importorskip("photutils.psf")
aperture = pytest.importorskip("photutils.aperture")
background = pytest.importorskip("photutils.background")
datasets = pytest.importorskip("photutils.datasets")


@pytest.fixture
def image():
    rng = np.random.default_rng(5)
    data = rng.normal(100, 3, (300, 200))
    data[rng.random(data.shape) < 0.05] += 400
    data[rng.random(data.shape) < 0.02] += 20
    return data


@pytest.fixture
def positions():
    return np.random.default_rng(6).uniform(-10, 310, (2, 500))


@pytest.mark.parametrize("separation", [3, 9.5, 25])
def test_groups(separation):
    x, y = np.random.default_rng(1).uniform(0, 300, (2, 800)).round(0)
    ours = SourceGrouper(separation)(x, y)
    np.testing.assert_array_equal(ours, psf.SourceGrouper(separation)(x, y))


@pytest.mark.parametrize("radius", [0.4, 3.0, 11.3])
def test_aperture_sums(image, positions, radius):
    mask = np.random.default_rng(2).random(image.shape) < 0.1
    sums, areas = _core.aperture_sums(image, mask, *positions, radius)
    apertures = aperture.CircularAperture(positions.T, radius)
    for overlap, total, area in zip(
        apertures.to_mask(method="exact"), sums, areas, strict=True
    ):
        weights = overlap.to_image(image.shape)
        if weights is None or not weights.any():
            assert np.isnan(total)
            assert area == 0
            continue
        used = np.where(mask, 0, weights)
        np.testing.assert_allclose(total, (used * image).sum(), rtol=1e-12)
        np.testing.assert_allclose(area, used.sum(), rtol=1e-12)


@pytest.mark.parametrize("radii", [(2, 4.5), (5, 8), (10, 20)])
def test_local_backgrounds(image, positions, radii):
    mask = np.random.default_rng(2).random(image.shape) < 0.1
    whole = positions.round(0)
    for x, y in (positions, whole):
        ours = LocalBackground(*radii)(image, x, y, mask=mask)
        theirs = background.LocalBackground(*radii)(image, x, y, mask=mask)
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_sources": 500, "min_separation": 25, "flux": (500, 20_000)},
        {"n_sources": 3000, "border_size": (7, 50), "flux": (1, 2), "sky": (-3, 0)},
        {"n_sources": 40, "min_separation": 0, "seed": 3, "flux": (1, 2)},
        {"n_sources": 9000, "min_separation": 20.0, "seed": 9, "flux": (1, 2)},
        {"n_sources": 0},
    ],
)
def test_model_params(settings):
    with warnings.catch_warnings(record=True) as ours_warned:
        warnings.simplefilter("always")
        ours = make_model_params((2048, 1500), **settings)
    with warnings.catch_warnings(record=True) as theirs_warned:
        warnings.simplefilter("always")
        theirs = datasets.make_model_params((2048, 1500), **settings)
    assert ours.colnames == theirs.colnames
    for name in ours.colnames:
        np.testing.assert_array_equal(ours[name], theirs[name])
    messages = [[str(w.message) for w in each] for each in (ours_warned, theirs_warned)]
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    "settings",
    [
        {"mean": 0, "stddev": 0.5},
        {"mean": 3.5, "distribution": "poisson"},
    ],
)
def test_noise(settings):
    ours = make_noise_image((300, 200), seed=7, **settings)
    theirs = datasets.make_noise_image((300, 200), seed=7, **settings)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


def oversampled_gaussian(size, sigma=6.0):
    axis = np.arange(size) - (size - 1) / 2
    data = np.exp(-(axis**2 + axis[:, None] ** 2) / (2 * sigma**2))
    return data / data.sum() * 16


def gridded(module):
    from astropy.nddata import NDData  # noqa: PLC0415

    stack = [oversampled_gaussian(84, sigma) for sigma in (5.0, 6.0, 6.5, 7.0)]
    corners = [(0, 0), (200, 0), (0, 300), (200, 300)]
    meta = {"grid_xypos": corners, "oversampling": 4}
    return module(NDData(np.array(stack), meta=meta))


@pytest.mark.parametrize(
    ("make_ours", "make_theirs", "settings"),
    [
        (
            lambda: CircularGaussianPRF(fwhm=2.3),
            lambda: psf.CircularGaussianPRF(fwhm=2.3),
            {"fwhm": (1, 4), "min_separation": 0},
        ),
        (
            lambda: CircularGaussianPRF(fwhm=2.0),
            lambda: psf.CircularGaussianPRF(fwhm=2.0),
            {"model_shape": (6, 9), "border_size": 0},
        ),
        (
            lambda: ImagePSF(oversampled_gaussian(82), oversampling=4),
            lambda: psf.ImagePSF(oversampled_gaussian(82), oversampling=4),
            {"x_0": (1, 2), "nonsense": (2, 3)},
        ),
        (
            lambda: gridded(GriddedPSFModel),
            lambda: gridded(psf.GriddedPSFModel),
            {"min_separation": 12},
        ),
    ],
)
def test_model_images(make_ours, make_theirs, settings):
    arguments = {"n_sources": 60, "flux": (500, 20_000), "seed": 4} | settings
    data, table = make_psf_model_image((300, 200), make_ours(), **arguments)
    expected, theirs = psf.make_psf_model_image((300, 200), make_theirs(), **arguments)
    assert table.colnames == theirs.colnames
    for name in table.colnames:
        np.testing.assert_array_equal(table[name], theirs[name])
    # The tails of our Gaussian reach a little farther before they are 0.
    assert data[expected != 0].all()
    np.testing.assert_allclose(data, expected, rtol=0, atol=1e-12 * expected.max())
