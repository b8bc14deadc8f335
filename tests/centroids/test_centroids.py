"""Centroids of simulated stars, and what is no star."""

from importlib.util import find_spec

import numpy as np
import pytest
from astropy import units as u
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.centroids import (
    CentroidQuadratic,
    centroid_1dg,
    centroid_2dg,
    centroid_com,
    centroid_quadratic,
    centroid_sources,
    centroid_symmetry,
)
from psfphot.utils.exceptions import PhotutilsDeprecationWarning

TRUTH = (10.3, 9.6)

# Of a noiseless Gaussian of 2 pixels: the paraboloid is no Gaussian's.
ACCURACY = {
    centroid_com: 2e-3,
    centroid_1dg: 1e-6,
    centroid_2dg: 1e-6,
    centroid_quadratic: 0.04,
    centroid_symmetry: 1e-3,
}

SCIPY = pytest.mark.skipif(find_spec("scipy") is None, reason="needs scipy")


def each(*functions):
    """Run a test for each function, those that need scipy where it is."""
    fitted = {centroid_1dg, centroid_2dg, centroid_symmetry}
    return pytest.mark.parametrize(
        "function",
        [pytest.param(f, marks=SCIPY if f in fitted else ()) for f in functions],
    )


every = each(*ACCURACY)


def star(x=TRUTH[0], y=TRUTH[1], shape=(21, 21)):
    rows, columns = np.indices(shape)
    return 100 * np.exp(-np.minimum(((columns - x) ** 2 + (rows - y) ** 2) / 8, 600))


@every
def test_a_star_is_where_it_is(function):
    assert function(star()) == pytest.approx(TRUTH, abs=ACCURACY[function])


@every
def test_units_and_float32_make_no_difference(function):
    expected = function(star())
    assert function(star() * u.Jy) == pytest.approx(expected, abs=1e-12)
    assert function(star().astype("f4")) == pytest.approx(expected, abs=1e-5)


@every
@pytest.mark.parametrize("kind", ["mask", "masked array", "nan"])
def test_bad_pixels_do_not_count(function, kind):
    image, mask = star(), np.zeros((21, 21), dtype=bool)
    mask[4, 15] = True
    clean = function(image, mask=mask)
    image[4, 15] = 1e6
    if kind == "mask":
        found = function(image, mask=mask)
    elif kind == "masked array":
        found = function(np.ma.array(image, mask=mask))
    else:
        image[4, 15] = np.nan
        with pytest.warns(AstropyUserWarning, match="nonfinite values"):
            found = function(image)
        assert np.isnan(image[4, 15])
    assert found == pytest.approx(clean, abs=1e-12)


@pytest.mark.parametrize("function", ACCURACY)
def test_what_cannot_be_used_is_named(function):
    with pytest.raises(ValueError, match="data and mask must have the same shape"):
        function(star(), mask=np.zeros((3, 3), dtype=bool))
    with pytest.raises(TypeError, match="data must be an array of real numbers"):
        function(star() * 1j)


@pytest.mark.parametrize("function", [f for f in ACCURACY if f is not centroid_com])
def test_other_dimensions_are_refused(function):
    with pytest.raises(ValueError, match="data must be a 2D array"):
        function(np.ones(5))


def test_mass_has_any_number_of_axes():
    cube = np.zeros((3, 4, 5))
    cube[1, 2, 4] = 2.0
    assert centroid_com(cube).tolist() == [4, 2, 1]
    assert np.isnan(centroid_com(np.zeros((3, 3)))).all()


@each(centroid_1dg, centroid_2dg)
def test_errors_are_weights(function):
    image, error = star(), np.ones((21, 21))
    image[:, 18] += 50.0
    error[:, 18] = 1e6
    found = function(image, error=error)
    assert found == pytest.approx(TRUTH, abs=1e-3)
    with pytest.raises(ValueError, match="same units"):
        function(image * u.Jy, error=error)


@pytest.mark.parametrize("function", [centroid_1dg, centroid_2dg])
def test_no_gaussian_in_what_is_flat(function):
    with pytest.raises(ValueError, match="nonconstant values"):
        function(np.ones((7, 7)))
    if function is centroid_2dg:
        mask = np.ones((7, 7), dtype=bool)
        mask[0, :5] = False
        with pytest.raises(ValueError, match="at least 6 unmasked"):
            function(star(3, 3, (7, 7)), mask=mask)


def test_paraboloid_is_exact():
    y, x = np.indices((9, 11))
    image = 80 - (x - 6.2) ** 2 - 2 * (y - 3.7) ** 2 + 0.5 * (x - 6.2) * (y - 3.7)
    for box in (3, 5, (3, 7)):
        assert centroid_quadratic(image, fit_boxsize=box) == pytest.approx((6.2, 3.7))
    assert CentroidQuadratic(fit_boxsize=3)(image) == pytest.approx((6.2, 3.7))


@pytest.mark.parametrize(
    ("data", "options", "said", "expected"),
    [
        (star(0.2, 10), {}, "at the edge of the data", (0, 10)),
        (-star(), {"xpeak": 10, "ypeak": 10}, "not have a maximum", (np.nan,) * 2),
        (star(), {"mask": star() < 80}, "at least 6 unmasked", (np.nan,) * 2),
        (star(), {"fit_boxsize": 33}, "clamped to the upper bound", None),
    ],
)
@pytest.mark.filterwarnings(
    "ignore::psfphot.utils.exceptions.PhotutilsDeprecationWarning"
)
def test_paraboloids_that_fail(data, options, said, expected):
    with pytest.warns(AstropyUserWarning, match=said):
        found = centroid_quadratic(data, **options)
    if expected is not None:
        np.testing.assert_equal(found, expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fit_boxsize": 4}, "fit_boxsize must have an odd value"),
        ({"fit_boxsize": (1, 3)}, "fit_boxsize is too small"),
        ({"mask": np.ones((21, 21), dtype=bool)}, "All data values are masked"),
    ],
)
def test_paraboloids_that_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        centroid_quadratic(star(), **options)


def test_old_arguments_warn():
    with pytest.warns(PhotutilsDeprecationWarning) as caught:
        found = centroid_quadratic(star(), xpeak=9, ypeak=9, search_boxsize=5)
    assert {str(one.message).split("'")[1] for one in caught} == {
        "xpeak",
        "ypeak",
        "search_boxsize",
    }
    assert found == pytest.approx(centroid_quadratic(star()))


@SCIPY
def test_symmetry_sees_the_core_alone():
    image = star()
    image[:, 17:] += 5.0  # a wall that only the mass feels
    assert centroid_symmetry(image, radius=3) == pytest.approx(TRUTH, abs=2e-3)
    assert abs(centroid_com(image)[0] - TRUTH[0]) > 0.5


@SCIPY
def test_symmetry_stays_where_its_circle_fits():
    x, y = centroid_symmetry(star(19, 10), radius=5)
    assert (x, y) == pytest.approx((15, 10), abs=1e-3)
    assert np.isnan(centroid_symmetry(np.ones((9, 9)))).all()
    assert np.isnan(centroid_symmetry(star(), mask=star() < 300)).all()


@pytest.mark.parametrize("radius", [0.5, 10, np.nan])
def test_symmetry_refuses_other_circles(radius):
    with pytest.raises(ValueError, match="radius must be at least 1"):
        centroid_symmetry(star(), radius=radius)
    with pytest.raises(TypeError, match="radius must be a real number"):
        centroid_symmetry(star(), radius=str(radius))


@every
def test_many_sources(function):
    image = star(12.3, 11.8, (50, 60)) + star(40.7, 30.1, (50, 60))
    x, y = centroid_sources(
        image, [12, 41], [12, 30], box_size=17, centroid_func=function
    )
    accuracy = max(ACCURACY[function], 0.02)
    assert x == pytest.approx([12.3, 40.7], abs=accuracy)
    assert y == pytest.approx([11.8, 30.1], abs=accuracy)


@SCIPY
def test_a_source_that_fails_is_nan():
    image = star(12.3, 11.8, (50, 60))
    image[25:] = 0
    with pytest.warns(AstropyUserWarning, match=r"failed for source at \(40, 40\)"):
        x, _ = centroid_sources(image, [12, 40], [12, 40], centroid_func=centroid_1dg)
    assert np.isfinite(x).tolist() == [True, False]


@SCIPY
def test_footprint_and_errors_are_cut():
    image = star(12.3, 11.8, (50, 60))
    image[12, 17] = 1e4
    footprint = np.ones((13, 13), dtype=bool)
    footprint[6, 11] = False
    error = np.ones(image.shape)
    x, y = centroid_sources(
        image, 12, 12, footprint=footprint, error=error, centroid_func=centroid_2dg
    )
    assert (x[0], y[0]) == pytest.approx((12.3, 11.8), abs=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"xpos": [1, 2]}, "same length"),
        ({"xpos": np.nan}, "only finite values"),
        ({"xpos": 99}, r"outside the input data: \(99, 5\)"),
        ({"box_size": None}, "box_size or footprint must be defined"),
        ({"box_size": 4}, "box_size must have an odd value"),
        ({"footprint": np.zeros((3, 3))}, "at least one True"),
        ({"mask": np.zeros((3, 3), dtype=bool)}, "same shape"),
        ({"mask": np.ones((21, 21), dtype=bool)}, "completely masked"),
        ({"error": np.ones((3, 3)), "centroid_func": centroid_1dg}, "same shape"),
        ({"centroid_func": np.shape}, "must have a 'mask' keyword"),
    ],
)
def test_sources_that_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        centroid_sources(**{"data": star(), "xpos": 5, "ypos": 5} | options)


def test_unknown_keywords_are_named():
    with pytest.raises(TypeError, match=r"Unrecognized keyword.*\['radius'\]"):
        centroid_sources(star(), 5, 5, radius=3)
