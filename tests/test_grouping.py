"""Groups: against brute force, order, arguments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psfphot.psf import SourceGrouper

# Halves, so that exact ties and coincidences occur.
axis = st.integers(0, 60).map(lambda k: k / 2)
points = st.lists(st.tuples(axis, axis), min_size=1, max_size=60).map(np.array)
separations = st.floats(0.1, 12) | st.sampled_from([0.5, 2.5, 5.0])


def brute_force(x, y, separation):
    """Spread the lowest index along all links, then number by appearance."""
    near = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 <= separation**2
    labels = np.arange(len(x))
    while True:
        new = np.where(near, labels, len(x)).min(axis=1)
        if np.array_equal(new, labels):
            break
        labels = new
    # A root is the first of its group.
    return np.searchsorted(np.unique(labels), labels) + 1


@given(points, separations)
def test_groups_are_those_of_brute_force(points, separation):
    x, y = points.T
    groups = SourceGrouper(separation)(x, y)
    np.testing.assert_array_equal(groups, brute_force(x, y, separation))


@given(points, separations, st.randoms())
def test_order_changes_nothing_but_the_numbers(points, separation, random):
    order = list(range(len(points)))
    random.shuffle(order)
    grouper = SourceGrouper(separation)
    groups = grouper(*points.T)
    shuffled = grouper(*points[order].T)
    same = groups[:, None] == groups
    np.testing.assert_array_equal(
        same[np.ix_(order, order)], shuffled[:, None] == shuffled
    )


def test_numbers_by_first_appearance_and_includes_the_separation():
    groups = SourceGrouper(5)([100, 0, 103, 3, 50], [0, 0, 4, 4, 0])
    assert groups.tolist() == [1, 2, 1, 2, 3]
    assert groups.dtype == np.int64


def test_takes_scalars_lists_and_other_dtypes():
    assert SourceGrouper(1)(3, 4).tolist() == [1]
    x = np.array([0, 1, 9], dtype=">i4")
    assert SourceGrouper(1)(x, x.astype(">f4") * 0).tolist() == [1, 1, 2]


def test_repr_and_attribute():
    assert repr(SourceGrouper(2.5)) == "SourceGrouper(min_separation=2.5)"
    assert SourceGrouper(3).min_separation == 3


@pytest.mark.parametrize("separation", [0, -1, np.nan, np.inf])
def test_separation_must_be_positive_and_finite(separation):
    with pytest.raises(ValueError, match="min_separation must be a positive finite"):
        SourceGrouper(separation)


@pytest.mark.parametrize("separation", ["a", None, [1, 2]])
def test_separation_must_be_a_number(separation):
    with pytest.raises(TypeError, match="min_separation must be a number"):
        SourceGrouper(separation)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2], [1], r"x and y must have the same shape, got x.shape=\(2,\)"),
        ([], [], "x and y must not be empty"),
        ([np.nan], [1], "x coordinates must be finite"),
        ([1], [np.inf], "y coordinates must be finite"),
        ([[1, 2]], [[1, 2]], "x must be a scalar or a 1D array"),
    ],
)
def test_bad_positions(x, y, message):
    with pytest.raises(ValueError, match=message):
        SourceGrouper(2)(x, y)


def test_positions_must_be_numbers():
    with pytest.raises(TypeError, match="x must be an array of real numbers"):
        SourceGrouper(2)(["a"], [1])


def test_groups_object_is_not_there_yet():
    with pytest.raises(NotImplementedError, match="return_groups_object"):
        SourceGrouper(2)([1], [1], return_groups_object=True)
