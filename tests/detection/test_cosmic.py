"""Hot pixels and cosmic rays: found on the sky, and no star core eaten."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from psfphot.datasets import make_model_image
from psfphot.detection import detect_cosmic_rays
from psfphot.psf import CircularGaussianPRF, MoffatPSF

SHAPE = (400, 400)


def model(kind, fwhm=2.5):
    if kind == "gaussian":
        return CircularGaussianPRF(fwhm=fwhm)
    return MoffatPSF(alpha=fwhm / 2 / np.sqrt(2 ** (1 / 3) - 1), beta=3.0)


def scene(psf, seed, n):
    """Stars of fluxes up to 1e6 at all phases; with their noise and without."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, SHAPE[1], n), rng.uniform(0, SHAPE[0], n)
    truth = Table({"x_0": x, "y_0": y, "flux": 10 ** rng.uniform(2, 6, n)})
    image = make_model_image(SHAPE, psf, truth, model_shape=(41, 41)) + 50
    error = np.sqrt(1 + image / 2)
    return image, image + rng.normal(0, error), error, truth


@pytest.mark.parametrize("kind", ["gaussian", "moffat"])
@pytest.mark.parametrize("fwhm", [2.2, 2.5, 3.6])
def test_no_star_core_is_bad(kind, fwhm):
    psf = model(kind, fwhm)
    image, data, error, truth = scene(psf, 1, 400)
    sky = np.random.default_rng(2).normal(0, 1, SHAPE)
    flat = detect_cosmic_rays(image + sky, psf, error=1.0)
    noisy = detect_cosmic_rays(data, psf, error=error)
    rows, columns = (np.rint(truth[c]).astype(int).clip(0, 399) for c in ("y_0", "x_0"))
    for bad in (flat, noisy):
        assert not bad[rows, columns].any()
        assert bad.sum() <= 4


@pytest.mark.parametrize("kind", ["gaussian", "moffat"])
def test_crowded_stars_are_no_rays(kind):
    psf = model(kind, 3.0)
    rng = np.random.default_rng(7)
    n = 1600
    x, y = rng.uniform(0, SHAPE[1], n), rng.uniform(0, SHAPE[0], n)
    truth = Table({"x_0": x, "y_0": y, "flux": 10 ** rng.uniform(2, 6.5, n)})
    image = make_model_image(SHAPE, psf, truth, model_shape=(41, 41)) + 50
    error = np.sqrt(4 + image / 2)
    data = image + rng.normal(0, error)
    assert detect_cosmic_rays(data, psf, error=error).sum() < 4
    # Nor where the errors are too small, or the PSF is a little too wide.
    assert detect_cosmic_rays(data, psf, error=5.4).sum() < 8
    assert detect_cosmic_rays(data, model(kind, 3.3), error=error).sum() < 8


@pytest.mark.parametrize("n_pixels", [1, 2, 4, 6])
def test_cosmic_rays_of_some_pixels_are_found(n_pixels):
    psf = model("gaussian")
    _, data, error, _ = scene(psf, 3, 60)
    rng = np.random.default_rng(4)
    truth = np.zeros(SHAPE, bool)
    for _ in range(80):
        y, x = rng.integers(10, 390, 2)
        dy, dx = rng.normal(size=2)
        step = np.hypot(dy, dx)
        for i in range(n_pixels):
            truth[round(y + i * dy / step), round(x + i * dx / step)] = True
    truth &= error < 8
    data[truth] += rng.uniform(40, 400, truth.sum()) * error[truth]
    bad = detect_cosmic_rays(data, psf, error=error)
    assert bad[truth].mean() > 0.95
    assert (bad & ~truth).sum() < 8


def test_the_error_is_measured_where_none_is_given():
    rng = np.random.default_rng(5)
    data = 1000 + np.linspace(0, 500, SHAPE[1]) + rng.normal(0, 7, SHAPE)
    data[30, 40] += 100
    data[200, 210] += 30
    bad = detect_cosmic_rays(data, model("gaussian"))
    assert bad[30, 40]
    assert bad.sum() <= 2
    same = detect_cosmic_rays(data << u.Jy, model("gaussian"), n_threads=1)
    np.testing.assert_array_equal(bad, same)


def test_masked_and_nan_pixels_are_not_found_again():
    data = np.random.default_rng(6).normal(0, 1, (40, 40))
    data[10, 10], data[20, 20], data[30, 30] = np.nan, 500, 500
    mask = np.zeros((40, 40), bool)
    mask[20, 20] = True
    bad = detect_cosmic_rays(data, model("moffat"), mask=mask, error=1.0)
    assert np.argwhere(bad).tolist() == [[30, 30]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"margin": 0.5}, "margin must be at least 1"),
        ({"n_sigma": -1}, "n_sigma must be positive"),
        ({"max_iterations": 0}, "max_iterations must be at least 1"),
        ({"error": 0.0}, "error must be positive"),
        ({"mask": np.ones(3, bool)}, "same shape"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        detect_cosmic_rays(np.eye(20), model("gaussian"), **arguments)
