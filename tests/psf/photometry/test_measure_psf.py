"""The width of the PSF, measured on stars of known width."""

import numpy as np
import pytest
from astropy.io import fits
from frames import scenes
from frames.renderer import Gaussians, Moffat, render

from psfphot.psf import CircularGaussianPRF, MoffatPRF, measure_psf


def field(psf, *, n_side=6, step=70, flux=20000.0, sky=100.0, noise=3.0):
    """Stars on a jittered lattice, with a sky and noise."""
    rng = np.random.default_rng(3)
    at = np.arange(n_side) * step + step / 2
    x, y = (g.ravel() + rng.uniform(-1, 1, n_side**2) for g in np.meshgrid(at, at))
    shape = (n_side * step, n_side * step)
    image = render(shape, psf, x, y, rng.uniform(0.5, 2, x.size) * flux)
    return image + sky + rng.normal(0, noise, shape)


@pytest.mark.parametrize("guess", [None, 2.5, 6.0])
def test_a_ccd_frame_from_any_guess(tmp_path, guess):
    scene = scenes.ccd(tmp_path, seed=5, n=500, shape=(700, 700))
    data = fits.getdata(scene.path).astype(float)
    measured = measure_psf(data, mask=data >= 60000, fwhm=guess)
    assert measured.fwhm == pytest.approx(3.6, abs=0.02)
    assert measured.beta == pytest.approx(3.0, abs=0.1)
    assert measured.n_stars >= 20
    assert isinstance(measured.model, MoffatPRF)
    assert measured.model.fwhm == pytest.approx(measured.fwhm, abs=1e-9)
    # The positions are those of stars.
    distance = np.hypot(*(measured.positions[:, None] - np.c_[scene.x, scene.y]).T)
    assert np.mean(distance.min(axis=0) < 0.2) > 0.9


def test_wide_stars_with_a_narrow_guess():
    measured = measure_psf(field(Moffat(9.0, 2.5), step=120), fwhm=3.0)
    assert measured.fwhm == pytest.approx(9.0, abs=0.1)
    assert measured.beta == pytest.approx(2.5, abs=0.15)


@pytest.mark.parametrize("kind", ["moffat", "gaussian"])
def test_gaussian_stars_are_measured_as_gaussians(kind):
    image = field(Gaussians(((1, 2.5, 2.5),)))
    measured = measure_psf(image, kind, error=np.full(image.shape, 3.0))
    assert measured.fwhm == pytest.approx(2.5, abs=0.01)
    assert np.isnan(measured.beta)
    assert isinstance(measured.model, CircularGaussianPRF)
    assert measured.fwhm_scatter < 0.05


def test_masked_cores_and_flat_tops_are_left_out():
    image = field(Gaussians(((1, 3.0, 3.0),)))
    full = np.minimum(image, 1300.0)  # a few stars are brighter in their core
    assert np.count_nonzero(full == 1300.0) > 20
    assert measure_psf(full).fwhm == pytest.approx(3.0, abs=0.02)
    image[full == 1300.0] = np.nan
    measured = measure_psf(image)
    assert measured.fwhm == pytest.approx(3.0, abs=0.02)


def test_what_holds_no_stars_is_refused():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (100, 100))
    with pytest.raises(ValueError, match=r"5 or more .* got 0 of 0 isolated ones"):
        measure_psf(noise)
    rays = rng.normal(0, 1, (400, 400))
    rays[25::50, 25::50] += 1000
    with pytest.raises(ValueError, match="FWHM of 1 pixel or more"):
        measure_psf(rays, "gaussian")


def test_arguments_that_cannot_be_used():
    image = np.zeros((20, 20))
    with pytest.raises(ValueError, match="kind must be one of moffat, gaussian"):
        measure_psf(image, "sersic")
    with pytest.raises(ValueError, match="fwhm"):
        measure_psf(image, fwhm=-1)
    with pytest.raises((TypeError, ValueError), match="n_stars"):
        measure_psf(image, n_stars=0)


@pytest.mark.long
@pytest.mark.parametrize(
    ("step", "fainter", "selection"),
    [
        (14, 0.08, "neighbours below 10 % within 4 FWHM, fitted along"),
        (10, 0.8, "neighbours below 50 % within 2.5 FWHM, fitted along"),
    ],
)
def test_crowds_without_isolated_stars(step, fainter, selection):
    """Stars on a tight lattice: bright ones among neighbours of a part of theirs."""
    rng = np.random.default_rng(8)
    n, psf = 9, Moffat(2.5, 3.0)
    at = np.arange(n) * step + step / 2
    x, y = (g.ravel() + rng.uniform(-0.8, 0.8, n**2) for g in np.meshgrid(at, at))
    flux = np.full((n, n), 20000.0 * fainter)
    flux[1::2, 1::2] = 20000.0
    image = render((n * step, n * step), psf, x, y, flux.ravel())
    image += 100 + rng.normal(0, 3, image.shape)
    error = np.full(image.shape, 3.0)
    widths = [measure_psf(image, fwhm=g, error=error) for g in (2.0, 3.0)]
    for measured in widths:
        assert measured.selection == selection
        assert measured.fwhm == pytest.approx(2.5, abs=0.02)
        assert measured.beta == pytest.approx(3.0, abs=0.15)
    assert np.ptp([measured.fwhm for measured in widths]) < 0.005
