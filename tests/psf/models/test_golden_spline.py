"""ImagePSF's spline against scipy's interpolating spline of degree 3."""

import numpy as np
import pytest

from psfphot.psf import ImagePSF

N_IMAGES = 9
# Of the image's peak; the bound for values and both derivatives.
TOLERANCE = 1e-12


@pytest.fixture(scope="module", params=range(N_IMAGES))
def case(request, load_golden):
    """One image as a model without oversampling, its points and its peak."""
    golden = load_golden("spline")
    image = golden[f"image{request.param}"]
    model = ImagePSF(image, origin=(0, 0), oversampling=1)
    return model, golden[f"points{request.param}"], np.abs(image).max()


def test_all_images_are_tested(load_golden):
    names = {f"image{i}" for i in range(N_IMAGES)}
    assert names == {n for n in load_golden("spline") if n.startswith("image")}


def test_value(case):
    model, points, peak = case
    x, y, expected = points[:, 0], points[:, 1], points[:, 2]
    value = model.evaluate(x, y, 1.0, 0.0, 0.0)
    np.testing.assert_allclose(value, expected, rtol=0, atol=TOLERANCE * peak)


def test_derivatives(case):
    model, points, peak = case
    x, y, value, d_dx, d_dy = points.T
    flux = 3.0
    d_flux, d_x_0, d_y_0 = model.fit_deriv(x, y, flux, 0.0, 0.0)
    np.testing.assert_allclose(d_flux, value, rtol=0, atol=TOLERANCE * peak)
    np.testing.assert_allclose(d_x_0 / -flux, d_dx, rtol=0, atol=TOLERANCE * peak)
    np.testing.assert_allclose(d_y_0 / -flux, d_dy, rtol=0, atol=TOLERANCE * peak)


def test_oversampled_and_shifted(case):
    """Oversampling and origin only rescale the spline's coordinates."""
    model, points, peak = case
    x, y, value, d_dx, d_dy = points.T
    # Powers of two, so that the coordinates are exact.
    other = ImagePSF(model.data, origin=(2, 1), oversampling=(2, 4))
    column, row = (x - 2) / 4, (y - 1) / 2
    # Rounding may put an edge point outside, where the model is fill_value.
    ny, nx = model.data.shape
    inside = (x > 0) & (x < nx - 1) & (y > 0) & (y < ny - 1)
    column, row = column[inside], row[inside]
    tolerance = 4 * TOLERANCE * peak
    got = other.evaluate(column, row, 1.0, 0.0, 0.0)
    np.testing.assert_allclose(got, value[inside], rtol=0, atol=tolerance)
    _, d_x_0, d_y_0 = other.fit_deriv(column, row, 1.0, 0.0, 0.0)
    np.testing.assert_allclose(d_x_0, -4 * d_dx[inside], rtol=0, atol=tolerance)
    np.testing.assert_allclose(d_y_0, -2 * d_dy[inside], rtol=0, atol=tolerance)
