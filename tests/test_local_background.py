"""The local background: the annulus, the clipping, arguments."""

import numpy as np
import pytest
from astropy import units as u
from astropy.stats import SigmaClip

from psfphot.background import LocalBackground


@pytest.fixture
def image():
    """Noise with stars bright and faint, and a few bad pixels."""
    rng = np.random.default_rng(5)
    data = rng.normal(100, 3, (120, 90))
    data[rng.random(data.shape) < 0.05] += 400
    data[rng.random(data.shape) < 0.02] += 20
    data[rng.random(data.shape) < 0.01] = np.nan
    return data


@pytest.fixture
def positions():
    return np.random.default_rng(6).uniform(-15, 130, (2, 200))


def by_astropy(data, mask, position, radii):
    (x, y), (inner, outer) = position, radii
    yy, xx = np.indices(data.shape)
    r2 = (xx - x) ** 2 + (yy - y) ** 2
    use = (r2 >= inner**2) & (r2 < outer**2) & np.isfinite(data) & ~mask
    values = data[use]
    clipped = SigmaClip(sigma=3, maxiters=10)(values, masked=False)
    return np.median(clipped) if clipped.size else np.nan


@pytest.mark.parametrize("radii", [(0.5, 3), (5, 8.5), (10, 20)])
def test_the_background_is_that_of_astropy(image, positions, radii):
    mask = np.random.default_rng(7).random(image.shape) < 0.1
    got = LocalBackground(*radii)(image, *positions, mask=mask)
    expected = [by_astropy(image, mask, each, radii) for each in positions.T]
    np.testing.assert_allclose(got, expected, rtol=1e-14)
    assert np.isfinite(got).sum() > 50
    assert np.isnan(got).any()


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_every_number_of_threads_gives_the_same_bits(image, positions, n_threads):
    expected = LocalBackground(5, 9)(image, *positions)
    got = LocalBackground(5, 9, n_threads=n_threads)(image, *positions)
    np.testing.assert_array_equal(got, expected)


def test_the_inner_edge_belongs_to_the_annulus_and_the_outer_does_not():
    for x, y, inside in [(13, 10, True), (10, 7, True), (15, 10, False), (13, 14, 0)]:
        data = np.full((20, 20), np.nan)
        data[y, x] = 7
        level = LocalBackground(3, 5)(data, 10, 10)
        assert (level == 7) == inside


def test_one_position_gives_a_scalar_and_units_are_kept(image):
    background = LocalBackground(5, 8)
    assert np.ndim(background(image, 30, 40)) == 0
    assert np.ndim(background(image, [30], [40])) == 0
    assert background(image, [], []).shape == (0,)
    level = background(image * u.Jy, [30, 31], [40, 41])
    assert level.unit == u.Jy
    assert (background(image << u.Jy, 30, 40)).unit == u.Jy
    np.testing.assert_array_equal(level.value, background(image, [30, 31], [40, 41]))


def test_takes_lists_integers_and_masked_arrays():
    data = np.arange(400).reshape(20, 20)
    background = LocalBackground(3, 5)
    assert background(data.tolist(), 10, 10) == background(data, 10, 10) == 210
    mask = data > 200
    masked = np.ma.array(data, mask=mask)
    expected = background(data, 10, 10, mask)
    assert background(masked, 10, 10) == expected < 200
    assert background(data.astype(">f4"), 10, 10) == 210


def test_nothing_to_measure_is_nan(image):
    x, y = [np.nan, 5, np.inf, -500, 1e300], [5, np.nan, 5, 5, 5]
    assert np.isnan(LocalBackground(3, 5)(image, x, y)).all()
    everything = np.ones(image.shape, dtype=bool)
    assert np.isnan(LocalBackground(3, 5)(image, 40, 40, mask=everything))


@pytest.mark.parametrize(
    ("radii", "message"),
    [
        ((0, 1), "inner_radius must be positive"),
        ((np.nan, 2), "inner_radius must be positive"),
        ((1, -2), "outer_radius must be positive"),
        ((1, np.inf), "outer_radius must be positive and finite"),
        ((2, 2), "outer_radius must be greater than inner_radius"),
    ],
)
def test_bad_radii(radii, message):
    with pytest.raises(ValueError, match=message):
        LocalBackground(*radii)


def test_bad_arguments(image):
    with pytest.raises(TypeError, match="inner_radius must be a number"):
        LocalBackground("a", 2)
    with pytest.raises(NotImplementedError, match="bkg_estimator"):
        LocalBackground(1, 2, np.mean)
    with pytest.raises(ValueError, match="n_threads must be None or at least 1"):
        LocalBackground(1, 2, n_threads=0)
    with pytest.raises(TypeError, match="n_threads must be an integer"):
        LocalBackground(1, 2, n_threads=1.5)
    background = LocalBackground(3, 5)
    with pytest.raises(ValueError, match="x and y must have the same shape"):
        background(image, [1, 2], [1])
    with pytest.raises(ValueError, match="data and mask must have the same shape"):
        background(image, 1, 1, mask=np.ones((2, 2), dtype=bool))
    with pytest.raises(ValueError, match="data must be a 2D array"):
        background(image[0], 1, 1)
    with pytest.raises(TypeError, match="data must be an array of real numbers"):
        background(image + 0j, 1, 1)


def test_repr():
    assert repr(LocalBackground(3, 5)) == (
        "LocalBackground(inner_radius=3, outer_radius=5, bkg_estimator=None, "
        "n_threads=None)"
    )
