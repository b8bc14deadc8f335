"""Matching: against brute force, on the sky, with a shift; arguments."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from hypothesis import given
from hypothesis import strategies as st

from psfphot.datasets import make_model_params
from psfphot.matching import XYXYMatch, match_positions

# Halves, so that exact ties and coincidences occur.
axis = st.integers(0, 40).map(lambda k: k / 2)
points = st.lists(st.tuples(axis, axis), max_size=40).map(
    lambda rows: np.array(rows, float).reshape(-1, 2).T
)


def brute_force(distance, radius):
    """Pairs of a matrix of distances; of equals the first is taken."""
    if 0 in distance.shape:
        return [], []
    pairs = [
        (i, j)
        for i, j in enumerate(distance.argmin(axis=1))
        if distance[i, j] <= radius and distance[:, j].argmin() == i
    ]
    return tuple(np.array(pairs, int).reshape(-1, 2).T.tolist())


def pixel_distance(first, second):
    return np.hypot(*(first[:, :, None] - second[:, None, :]))


@given(points, points, st.floats(0.1, 10) | st.sampled_from([0.5, 2.5, 5.0]))
def test_pairs_are_those_of_brute_force(first, second, radius):
    found = match_positions(tuple(first), tuple(second), radius)
    expected = brute_force(pixel_distance(first, second), radius)
    assert [each.tolist() for each in found] == [list(each) for each in expected]
    assert all(each.dtype == np.int64 for each in found)


@pytest.mark.parametrize("radius", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_pairs_of_shifted_points(radius, n_threads):
    rng = np.random.default_rng(0)
    first = rng.uniform(-20, 60, (2, 300))
    moved = first[:, :200] + rng.normal(0, 0.5, (2, 200))
    second = np.hstack([moved, first[:, 50:90] + 3])
    found = match_positions(tuple(first), tuple(second), radius, n_threads=n_threads)
    expected = brute_force(pixel_distance(first, second), radius)
    np.testing.assert_array_equal(found, expected)


def test_nothing_and_nan_match_nothing():
    empty, some = ([], []), ([1.0], [2.0])
    for pair in ((empty, some), (some, empty), (empty, empty)):
        assert [len(indices) for indices in match_positions(*pair, 1.0)] == [0, 0]
    holed = [np.nan, 5, 1, np.inf], [2, np.nan, 2, 2]
    assert [each.tolist() for each in match_positions(holed, some, 1)] == [[2], [0]]
    assert [each.tolist() for each in match_positions(holed, holed, 1)] == [[2], [2]]


def test_tables_by_any_name_of_their_columns():
    truth = make_model_params((200, 200), 30, flux=(1, 2), min_separation=12)
    order = np.random.default_rng(1).permutation(len(truth))
    fitted = QTable()
    fitted["x_init"] = np.zeros(len(truth))
    fitted["y_init"] = np.zeros(len(truth))
    fitted["x_fit"] = truth["x_0"][order] + 0.2
    fitted["y_fit"] = truth["y_0"][order] - 0.2
    in_truth, in_fitted = match_positions(truth, fitted, 0.5)
    np.testing.assert_array_equal(in_truth, np.arange(len(truth)))
    np.testing.assert_array_equal(order[in_fitted], in_truth)
    pixels = QTable({"x": fitted["x_fit"] * u.pix, "y": fitted["y_fit"] * u.pix})
    np.testing.assert_array_equal(match_positions(truth, pixels, 0.5)[1], in_fitted)
    masked = Table({"xcentroid": [1.0, 1.0], "ycentroid": [2.0, 2.0]})
    masked["xcentroid"] = MaskedColumn([1.0, 1.0], mask=[True, False])
    assert match_positions(masked, ([1], [2]), 1)[0].tolist() == [1]


def test_on_the_sky_also_across_the_meridian_and_at_the_pole():
    rng = np.random.default_rng(2)
    ra = np.concatenate([rng.uniform(-0.01, 0.01, 50) % 360, rng.uniform(0, 360, 50)])
    dec = np.concatenate([rng.uniform(-0.01, 0.01, 50), 90 - rng.uniform(0, 0.01, 50)])
    first = SkyCoord(ra, dec, unit="deg")
    second = first[::-1].directional_offset_by(
        rng.uniform(0, 360, 100) * u.deg, 1 * u.arcsec
    )
    second = second.galactic
    distance = first[:, None].separation(second[None].icrs).arcsec
    for radius in (0.5, 5.0):
        found = match_positions(first, second, radius * u.arcsec)
        np.testing.assert_array_equal(found, brute_force(distance, radius))
        assert (len(found[0]) > 80) == (radius > 1)
    one = match_positions(first[3], second, 2 * u.arcsec)
    assert [each.tolist() for each in one] == [[0], [96]]


@pytest.mark.parametrize(
    ("first", "radius", "error", "message"),
    [
        (([1], [1]), 0, ValueError, "radius must be positive"),
        (([1], [1]), np.nan, ValueError, "radius must be positive"),
        (([1], [1]), 1 * u.arcsec, TypeError, "radius must be a number without a unit"),
        (([1, 2], [1]), 1, ValueError, "x and y must have the same shape"),
        ((["a"], ["b"]), 1, TypeError, "x must be an array of real numbers"),
        (([1], [1], [1]), 1, TypeError, r"first must be a pair \(x, y\)"),
        ("xy", 1, TypeError, r"first must be a pair \(x, y\)"),
        (Table({"x": [1]}), 1, ValueError, "first must have columns for x and y"),
        (QTable({"x": [1] * u.m, "y": [1] * u.m}), 1, ValueError, "first x must be in"),
        (SkyCoord(1, 2, unit="deg"), 1, TypeError, "must both be sky coordinates"),
    ],
)
def test_bad_arguments(first, radius, error, message):
    with pytest.raises(error, match=message):
        match_positions(first, ([1], [1]), radius)


@pytest.mark.parametrize("radius", [1.0, 1 * u.pix])
def test_radii_on_the_sky_must_be_angles(radius):
    here = SkyCoord(1, 2, unit="deg")
    with pytest.raises(TypeError, match="radius must be an angle"):
        match_positions(here, here, radius)
    with pytest.raises(ValueError, match="sky coordinates must be scalar or 1D"):
        match_positions(SkyCoord([[1]], [[2]], unit="deg"), here, 1 * u.deg)


def catalog(x, y):
    return Table({"TPx": x, "TPy": y})


@pytest.fixture
def scene():
    """A reference, and 50 of its 60 sources in another order, shifted."""
    rng = np.random.default_rng(3)
    reference = rng.uniform(0, 200, (2, 60))
    order = rng.permutation(60)[:50]
    return reference, reference[:, order] + rng.normal(0, 0.05, (2, 50)), order


@pytest.mark.parametrize("shift", [(0, 0), (1.3, -0.7), (-2.5, 2.4)])
def test_shifts_are_found(scene, shift):
    reference, image, order = scene
    moved = image + np.array(shift)[:, None]
    in_reference, in_image = XYXYMatch(separation=0.1)(
        catalog(*reference), catalog(*moved)
    )
    assert len(in_image) == 50
    np.testing.assert_array_equal(order[in_image], in_reference)
    assert (np.diff(reference[1, in_reference]) > 0).all()


def test_bins_may_be_small(scene):
    reference, _, order = scene
    pair = catalog(*reference), catalog(*(reference[:, order] + 1.3))
    # A billion bins in all, of which a few are not empty.
    pairs = XYXYMatch(separation=0.1, tolerance=0.1)(*pair, tp_pscale=2e-4)
    assert len(pairs[0]) == 50
    with pytest.raises(ValueError, match="tp_pscale must not be that much smaller"):
        XYXYMatch()(*pair, tp_pscale=1e-10)


def test_shifts_can_be_given(scene):
    reference, image, _ = scene
    moved = image + np.array([[11.0], [-7.0]])
    pair = catalog(*reference), catalog(*moved)
    given = XYXYMatch(use2dhist=False, xoffset=11, yoffset=-7, separation=0.1)
    assert len(given(*pair)[0]) == 50
    assert len(XYXYMatch(use2dhist=False, separation=0.1, tolerance=0.1)(*pair)[0]) == 0


def test_near_sources_are_thinned_in_each_catalogue():
    x, y = [10, 10.2, 50, 50, 80], [10, 10, 50, 50.3, 20]
    for separation, expected in ((0.1, [0, 1, 4, 2, 3]), (0.5, [0, 4, 2])):
        match = XYXYMatch(separation=separation)
        pairs = match(catalog(x, y), catalog(x, y))
        assert [each.tolist() for each in pairs] == [expected, expected]


def test_rows_without_a_position_match_nothing():
    x, y = np.array([1.0, np.nan, 30.0]), np.array([2.0, 2.0, 40.0])
    pairs = XYXYMatch()(catalog(x, y), catalog(x + 0.1, y))
    assert [each.tolist() for each in pairs] == [[0, 2], [0, 2]]
    pairs = XYXYMatch()(catalog(x, y), catalog(x + 500, y))
    assert [each.tolist() for each in pairs] == [[], []]


def test_bad_catalogues():
    good = catalog([1.0], [2.0])
    with pytest.raises(TypeError, match="refcat must be an astropy Table"):
        XYXYMatch()([1, 2], good)
    with pytest.raises(KeyError, match="imcat must have the columns TPx and TPy"):
        XYXYMatch()(good, Table({"TPx": [1]}))
    with pytest.raises(ValueError, match="refcat must contain at least one source"):
        XYXYMatch()(good[:0], good)
    with pytest.raises(TypeError, match="must be an array of real numbers"):
        XYXYMatch()(good, catalog(["a"], ["b"]))


@pytest.mark.parametrize("name", ["searchrad", "separation", "tolerance"])
@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf])
def test_lengths_must_be_positive(name, value):
    with pytest.raises(ValueError, match=f"'{name}' must be a positive number"):
        XYXYMatch(**{name: value})
    with pytest.raises(ValueError, match="xoffset must be finite"):
        XYXYMatch(xoffset=np.nan)


def test_repr():
    assert repr(XYXYMatch(separation=1)) == (
        "XYXYMatch(searchrad=3.0, separation=1.0, use2dhist=True, xoffset=0.0, "
        "yoffset=0.0, tolerance=1.0)"
    )


def test_tweakwcs_takes_our_tables_and_finds_the_same(scene):
    tweakwcs = pytest.importorskip("tweakwcs")
    reference, image, _ = scene
    found = QTable({"x_fit": image[0] + 1.3, "y_fit": image[1] - 0.7})
    found["TPx"], found["TPy"] = found["x_fit"], found["y_fit"]
    for settings in ({"separation": 1}, {"separation": 0.1, "tolerance": 2}):
        expected = tweakwcs.XYXYMatch(**settings)(catalog(*reference), found)
        got = XYXYMatch(**settings)(catalog(*reference), found)
        np.testing.assert_array_equal(got, expected)
