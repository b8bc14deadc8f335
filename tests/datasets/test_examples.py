"""Images and WCS of examples."""

import numpy as np
import pytest
from astropy import units as u

from psfphot.datasets import (
    make_4gaussians_image,
    make_100gaussians_image,
    make_gwcs,
    make_wcs,
)


def test_four_gaussians():
    clean = make_4gaussians_image(noise=False)
    assert clean.shape == (100, 200)
    # Flux of the round one, 2π·150·3².
    box = clean[25 - 15 : 25 + 16, 150 - 15 : 150 + 16] - 5
    np.testing.assert_allclose(box.sum(), 2 * np.pi * 150 * 9, rtol=1e-3)
    noise = make_4gaussians_image() - clean
    np.testing.assert_allclose(noise.std(), 5, rtol=0.02)
    np.testing.assert_array_equal(make_4gaussians_image(), noise + clean)


def test_a_hundred_gaussians():
    clean = make_100gaussians_image(noise=False)
    assert clean.shape == (300, 500)
    # 100 fluxes between 500 and 1000, a few of them over the edge.
    assert 0.9 * 75_000 < (clean - 5).sum() < 1.05 * 75_000
    np.testing.assert_allclose((make_100gaussians_image() - clean).std(), 2, rtol=0.01)


@pytest.mark.parametrize("galactic", [False, True])
def test_wcs(galactic):
    wcs = make_wcs((80, 100), galactic=galactic)
    sky = wcs.pixel_to_world([49, 50], [39, 39])
    assert sky.frame.name == ("galactic" if galactic else "icrs")
    assert abs(sky[0].separation(sky[1]).to_value(u.arcsec) - 0.1) < 1e-6
    np.testing.assert_allclose(sky[0].spherical.lon.deg, 197.8925)
    assert wcs.array_shape == (80, 100)
    pytest.importorskip("gwcs")
    other = make_gwcs((80, 100), galactic=galactic)
    points = np.random.default_rng(0).uniform(0, 80, (2, 9))
    apart = other.pixel_to_world(*points).separation(wcs.pixel_to_world(*points))
    assert apart.to_value(u.arcsec).max() < 1e-6
    back = other.world_to_pixel(other.pixel_to_world(*points))
    np.testing.assert_allclose(back, points, atol=1e-6)
