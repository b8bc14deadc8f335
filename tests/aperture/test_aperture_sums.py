"""Sums over circles with exact overlaps."""

import numpy as np
import pytest

from psfphot import _core

CENTRES = np.array([[20.0, 20.0], [0.3, 11.7], [39.6, 39.4], [-1.5, 5.0]])


def by_subpixels(data, x, y, radius, n=200):
    """Sum of an image cut into n x n parts per pixel."""
    axis = (np.arange(n * data.shape[0]) + 0.5) / n - 0.5
    inside = (axis - x) ** 2 + (axis[:, None] - y) ** 2 <= radius**2
    fractions = inside.reshape(len(data), n, len(data), n).mean(axis=(1, 3))
    return (fractions * data).sum(), fractions.sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("radius", [0.3, 2.0, 5.5])
def test_sums_are_those_of_subpixels(radius, dtype):
    data = np.random.default_rng(1).uniform(1, 2, (40, 40)).astype(dtype)
    sums, areas = _core.aperture_sums(data, None, *CENTRES[:3].T.copy(), radius)
    for (x, y), total, area in zip(CENTRES, sums, areas, strict=False):
        expected = by_subpixels(data, x, y, radius)
        np.testing.assert_allclose([total, area], expected, rtol=2e-3)


def test_a_circle_inside_has_its_area():
    sums, areas = _core.aperture_sums(
        np.full((40, 40), 3.0), None, *CENTRES[:1].T, 7.25
    )
    np.testing.assert_allclose(areas, np.pi * 7.25**2, rtol=1e-14)
    np.testing.assert_allclose(sums, 3 * np.pi * 7.25**2, rtol=1e-14)


def test_bad_pixels_leave_sum_and_area():
    data = np.ones((40, 40))
    data[20, 20] = np.nan
    data[20, 21] = -np.inf
    mask = np.zeros(data.shape, dtype=bool)
    mask[19, 20] = True
    sums, areas = _core.aperture_sums(data, mask, *CENTRES[:1].T, 4.0)
    np.testing.assert_allclose(sums, 16 * np.pi - 3, rtol=1e-14)
    np.testing.assert_allclose(areas, sums, rtol=1e-14)


def test_off_the_image_is_nan_and_all_masked_is_zero():
    x = np.array([-2.4, -2.5, -2.2, np.nan, np.inf, 1e300, 45.0])
    y = np.array([10.0, 10.0, -2.2, 1.0, 1.0, 1.0, 45.0])
    data = np.ones((40, 40))
    sums, areas = _core.aperture_sums(data, None, x, y, 2.0)
    assert 0 < sums[0] < 0.2
    assert np.isnan(sums[1:]).all()
    assert (areas[1:] == 0).all()
    everything = np.ones(data.shape, dtype=bool)
    sums, areas = _core.aperture_sums(data, everything, x, y, 2.0)
    assert sums[0] == areas[0] == 0


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_every_number_of_threads_gives_the_same_bits(n_threads):
    rng = np.random.default_rng(2)
    data = rng.normal(size=(200, 300))
    x, y = rng.uniform(0, 200, (2, 3000))
    expected = _core.aperture_sums(data, None, x, y, 4.2)
    got = _core.aperture_sums(data, None, x, y, 4.2, n_threads=n_threads)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, np.inf])
def test_radius_must_be_positive_and_finite(radius):
    with pytest.raises(ValueError, match="radius must be positive and finite"):
        _core.aperture_sums(np.ones((4, 4)), None, np.ones(1), np.ones(1), radius)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="y must have the shape"):
        _core.aperture_sums(np.ones((4, 4)), None, np.ones(1), np.ones(2), 1.0)
