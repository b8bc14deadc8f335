"""The simulated image: rendering and noise as photutils makes them."""

import numpy as np

from psfphot.datasets import make_noise_image
from psfphot.psf import make_psf_model_image


def test_rendered_image(grid_model, simulation):
    """Stars up to the edge, their model cut there."""
    call = {
        k: tuple(v) if isinstance(v, list) else v
        for k, v in simulation["setup"]["call"].items()
    }
    expected = simulation["model"]
    image, params = make_psf_model_image(expected.shape, grid_model, **call)
    for column in ("id", "x_0", "y_0", "flux"):
        np.testing.assert_array_equal(params[column], simulation["params"][column])
    assert image.dtype == np.float64
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-10 * expected.max())


def test_noise(simulation):
    """Numpy's stream; the corner suffices, because it is drawn row by row."""
    shape = simulation["model"].shape
    noise = make_noise_image(shape, **simulation["setup"]["noise"])
    expected = simulation["noise_corner"]
    assert noise.shape == shape
    ny, nx = expected.shape
    # The normal distribution's tables may round differently between versions.
    np.testing.assert_allclose(noise[:ny, :nx], expected, rtol=1e-12)
