"""Groups: against brute force, order, arguments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psfphot.psf import SourceGrouper, SourceGroups

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


@pytest.fixture
def groups():
    return SourceGrouper(6)(
        [40, 1, 45, 3, 90], [0, 0, 0, 4, 50], return_groups_object=True
    )


def test_groups_as_an_object(groups):
    assert repr(groups) == "<SourceGroups(n_sources=5, n_groups=3)>"
    assert (len(groups), groups.n_sources, groups.n_groups) == (5, 5, 3)
    assert groups.groups.tolist() == [1, 2, 1, 2, 3]
    assert groups.sizes.tolist() == [2, 2, 2, 2, 1]
    assert groups.size_map == {1: 2, 2: 2, 3: 1}
    assert groups.group_centers == {1: (42.5, 0), 2: (2, 2), 3: (90, 50)}
    x, y = groups.get_group_sources(2)
    assert (x.tolist(), y.tolist()) == ([1, 3], [0, 4])
    for nobody in (0, 4, -1):
        with pytest.raises(ValueError, match=f"Group ID {nobody} not found"):
            groups.get_group_sources(nobody)


def test_ids_may_be_any_integers():
    groups = SourceGroups([1, 2, 3], [4, 5, 6], [7, -2, 7])
    assert groups.size_map == {-2: 1, 7: 2}
    assert groups.sizes.tolist() == [2, 1, 2]
    assert SourceGroups([], [], []).size_map == {}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1, 2], [1], [1, 1]), ValueError, "x, y, and groups must be 1D"),
        ((1, 2, 1), ValueError, "x, y, and groups must be 1D"),
        (([[1]], [[1]], [[1]]), ValueError, "x, y, and groups must be 1D"),
        (([np.nan], [1], [1]), ValueError, "x coordinates must be finite"),
        (([1], [np.inf], [1]), ValueError, "y coordinates must be finite"),
        (([1], [1], [1.5]), TypeError, "groups must be an array of integers"),
        (([1j], [1], [1]), TypeError, "x must be an array of real numbers"),
    ],
)
def test_bad_groups(arguments, error, message):
    with pytest.raises(error, match=message):
        SourceGroups(*arguments)


def test_plot_of_groups(groups):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure  # noqa: PLC0415

    axes = Figure().add_subplot()
    drawn = groups.plot(5, ax=axes, label_groups=True, label_offset=(1, 2), lw=3)
    assert drawn is axes
    assert len(axes.patches) == 5
    colors = [patch.get_edgecolor() for patch in axes.patches]
    assert len(set(colors)) == 3
    assert colors[:4] == [colors[0]] * 2 + [colors[2]] * 2
    assert all(patch.get_linewidth() == 3 for patch in axes.patches)
    labels = {text.get_text(): text.get_position() for text in axes.texts}
    assert labels == {"1": (43.5, 2), "2": (3, 4), "3": (91, 52)}
    axes = Figure().add_subplot()
    style = {"color": "red", "label_groups": True, "label_kwargs": {"color": "blue"}}
    groups.plot(5, ax=axes, cmap="viridis", **style)
    assert {patch.get_edgecolor() for patch in axes.patches} == {(1, 0, 0, 1)}
    assert {text.get_color() for text in axes.texts} == {"blue"}
