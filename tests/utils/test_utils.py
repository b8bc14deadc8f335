"""Colours at random and total errors."""

import numpy as np
import pytest
from astropy import units as u
from astropy.utils.exceptions import AstropyDeprecationWarning

from psfphot.utils import calc_total_error, make_random_cmap

DATA = np.array([[-9.0, 0.0], [32.0, 7.0]])
NOISE = np.full((2, 2), 3.0)


def test_colours_of_a_seed():
    pytest.importorskip("matplotlib")
    cmap = make_random_cmap(n_colors=500, seed=123)
    assert cmap.N == 500
    # By the definition, from numpy's random numbers.
    from matplotlib.colors import rgb_to_hsv  # noqa: PLC0415

    rng = np.random.default_rng(123)
    hue, saturation, value = rgb_to_hsv(cmap.colors[:, :3]).T
    np.testing.assert_allclose(hue, rng.uniform(0, 1, 500), atol=1e-12)
    np.testing.assert_allclose(saturation, rng.uniform(0.2, 0.7, 500), atol=1e-12)
    np.testing.assert_allclose(value, rng.uniform(0.5, 1, 500), atol=1e-12)
    assert (cmap.colors[:, 3] == 1).all()
    assert make_random_cmap(n_colors=1, seed=1).colors.shape == (1, 4)
    assert (make_random_cmap().colors != make_random_cmap().colors).any()


def test_the_old_name_of_the_number_of_colours():
    pytest.importorskip("matplotlib")
    with pytest.warns(AstropyDeprecationWarning, match="n_colors"):
        old = make_random_cmap(ncolors=5, seed=1)
    np.testing.assert_array_equal(
        old.colors, make_random_cmap(n_colors=5, seed=1).colors
    )


def test_numbers_of_colours():
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="n_colors must be at least 1"):
        make_random_cmap(n_colors=0)
    with pytest.raises(ValueError, match="n_colors must be >= 0"):
        make_random_cmap(n_colors=-1)
    with pytest.raises(TypeError, match="n_colors must be an integer"):
        make_random_cmap(n_colors=2.5)


def test_total_errors():
    total = calc_total_error(DATA, NOISE, 2.0)
    np.testing.assert_allclose(total, [[3, 3], [5, np.sqrt(12.5)]])
    assert total.dtype == np.float64
    assert (calc_total_error(DATA, NOISE, 0) == 3).all()
    gain = np.array([[2.0, 2.0], [0.0, 2.0]])
    np.testing.assert_allclose(calc_total_error(DATA, NOISE, gain)[1], [3, 12.5**0.5])
    single = calc_total_error(DATA.astype("f4"), NOISE.astype("f4"), 2.0)
    assert single.dtype == np.float32
    assert calc_total_error(DATA.astype(int), NOISE.astype("f4"), 2).dtype == np.float64


def test_total_errors_with_units():
    rate = u.electron / u.s
    total = calc_total_error(DATA * rate, NOISE * rate, 2 * u.s)
    assert total.unit == rate
    np.testing.assert_array_equal(total.value, calc_total_error(DATA, NOISE, 2))
    with pytest.raises(ValueError, match="then they all must have units"):
        calc_total_error(DATA * rate, NOISE * rate, 2)
    with pytest.raises(ValueError, match="must have the same units"):
        calc_total_error(DATA * rate, NOISE * u.electron, 2 * u.s)
    with pytest.raises(u.UnitsError, match="must have count units"):
        calc_total_error(DATA * u.Jy, NOISE * u.Jy, 2 * u.s)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((DATA, NOISE[0], 1), ValueError, "bkg_error must have the same shape"),
        ((DATA, NOISE, [1, 2]), ValueError, "effective_gain is an array"),
        ((DATA, NOISE, -1), ValueError, "effective_gain must be nonnegative"),
        ((DATA, NOISE, np.nan), ValueError, "effective_gain must be nonnegative"),
        ((DATA * 1j, NOISE, 1), TypeError, "data must be an array of real numbers"),
        ((DATA, NOISE, "a"), TypeError, "effective_gain must be an array of real"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        calc_total_error(*arguments)
