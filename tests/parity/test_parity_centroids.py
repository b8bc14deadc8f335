"""Centroids are photutils', and so are what they refuse and warn of."""

import numpy as np
import pytest
from outcomes import is_error, outcome

from psfphot import centroids

theirs = pytest.importorskip("photutils.centroids")
pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("photutils_31")]

NAMES = (
    "centroid_com",
    "centroid_1dg",
    "centroid_2dg",
    "centroid_quadratic",
    "centroid_symmetry",
)


def star(shape=(15, 17), x=8.3, y=6.8, *, sigma=1.5, noise=0.01, seed=1):
    rows, columns = np.indices(shape)
    distance = (columns - x) ** 2 + 1.3 * (rows - y) ** 2
    image = np.exp(-np.minimum(distance / 2 / sigma**2, 600))
    return image + np.random.default_rng(seed).normal(0, noise, shape)


def masked():
    mask = np.zeros((15, 17), dtype=bool)
    mask[7, 9] = mask[2, 3] = mask[:, 0] = True
    return mask


def bad_pixels():
    image = star()
    image[4, 5] = np.nan
    image[9, 9] = np.inf
    return image


CASES = {
    "plain": (star(), {}),
    "mask": (star(), {"mask": masked()}),
    "masked array": (np.ma.array(star(), mask=masked()), {}),
    "not finite": (bad_pixels(), {}),
    "not finite, masked": (bad_pixels(), {"mask": ~np.isfinite(bad_pixels())}),
    "narrow": (star(sigma=0.6), {}),
    "at an edge": (star(x=0.3, y=13.9), {}),
    "outside": (star(x=-1.5, y=6.0), {}),
    "far": (star(shape=(41, 41), x=37.0, y=30.0, noise=0), {}),
    "flat": (np.ones((9, 9)), {}),
    "zero": (np.zeros((9, 9)), {}),
    "all masked": (star(), {"mask": np.ones((15, 17), dtype=bool)}),
    "tiny": (star(shape=(3, 3), x=1.2, y=0.9), {}),
    "negative": (-star(), {}),
    "a line": (np.arange(9.0), {}),
    "wrong mask": (star(), {"mask": np.zeros((3, 3), dtype=bool)}),
}


def assert_same(mine, yours, atol):
    """Two centres, or the same error."""
    if is_error(yours):
        assert mine is yours
    else:
        np.testing.assert_allclose(mine, yours, rtol=0, atol=atol)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_same_centre_error_and_warning(name, case):
    data, options = CASES[case]
    mine, said = outcome(getattr(centroids, name), data, **options)
    yours, says = outcome(getattr(theirs, name), data, **options)
    assert said == says
    assert_same(mine, yours, 3e-5)


@pytest.mark.parametrize("name", ["centroid_1dg", "centroid_2dg"])
def test_same_with_errors(name):
    error = np.full((15, 17), 0.01) * (1 + np.arange(17))
    error[5, 7] = np.inf
    options = {"error": error, "mask": masked()}
    mine, _ = outcome(getattr(centroids, name), star(), **options)
    yours, _ = outcome(getattr(theirs, name), star(), **options)
    np.testing.assert_allclose(mine, yours, rtol=0, atol=1e-6)


@pytest.mark.parametrize("radius", [1, 2.5, 6.2, 0.5, 7.5, "1"])
def test_same_symmetry_of_any_radius(radius):
    mine, _ = outcome(centroids.centroid_symmetry, star(), radius=radius)
    yours, _ = outcome(theirs.centroid_symmetry, star(), radius=radius)
    assert_same(mine, yours, 3e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"fit_boxsize": 3},
        {"fit_boxsize": (3, 7)},
        {"fit_boxsize": 31},
        {"fit_boxsize": 4},
        {"fit_boxsize": 1},
        {"fit_boxsize": (1, 5)},
        {"xpeak": 7, "ypeak": 5},
        {"xpeak": 6.5, "ypeak": 4, "search_boxsize": 5},
        {"xpeak": 6},
        {"xpeak": 60, "ypeak": 3},
    ],
)
def test_same_quadratic_of_any_box(options):
    mine, said = outcome(centroids.centroid_quadratic, star(), **options)
    yours, says = outcome(theirs.centroid_quadratic, star(), **options)
    assert said == says
    assert_same(mine, yours, 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_same_sources(name):
    image = star((60, 60), 12.3, 11.8) + star((60, 60), 40.7, 30.1, seed=2)
    mask = np.zeros(image.shape, dtype=bool)
    mask[30, 42] = True
    at = [12, 41, 59], [12, 30, 1]
    options = {"box_size": (11, 13), "mask": mask}
    mine, said = outcome(
        centroids.centroid_sources,
        image,
        *at,
        centroid_func=getattr(centroids, name),
        **options,
    )
    yours, says = outcome(
        theirs.centroid_sources,
        image,
        *at,
        centroid_func=getattr(theirs, name),
        **options,
    )
    # Where the cutout has no source, its noise is fitted.
    np.testing.assert_allclose(np.array(mine)[:, :2], np.array(yours)[:, :2], atol=3e-5)
    assert [line.partition(": ")[0] for line in said] == [
        line.partition(": ")[0] for line in says
    ]
