"""Circles and annuli: sums, areas, positions, patches, arguments."""

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from psfphot.aperture import BoundingBox, CircularAnnulus, CircularAperture

METHODS = ["exact", "center", "subpixel"]


@pytest.fixture
def image():
    rng = np.random.default_rng(1)
    return rng.uniform(1, 2, (40, 50)), rng.uniform(0.5, 1, (40, 50))


def by_points(shape, x, y, radius, n):
    """The part of n x n points of each pixel that are nearer than radius."""
    ys, xs = ((np.arange(n * size) + 0.5) / n - 0.5 for size in shape)
    inside = (xs - x) ** 2 + (ys[:, None] - y) ** 2 < radius**2
    return inside.reshape(shape[0], n, shape[1], n).mean(axis=(1, 3))


@pytest.mark.parametrize(
    ("method", "n"), [("center", 1), ("subpixel", 5), ("exact", 40)]
)
@pytest.mark.parametrize("radii", [(0, 0.9), (0, 6.2), (2.5, 4.3), (3.0, 3.2)])
def test_sums_errors_and_areas(image, radii, method, n):
    data, error = image
    mask = np.random.default_rng(2).random(data.shape) < 0.1
    positions = np.array([[20.23, 13.87], [0.31, 38.72], [49.14, 0.26]])
    if radii[0] > 0:
        apertures = CircularAnnulus(positions, *radii)
    else:
        apertures = CircularAperture(positions, radii[1])
    sums, errors = apertures.do_photometry(data, error, mask, method)
    areas = apertures.area_overlap(data, mask=mask, method=method)
    weights = [
        (
            by_points(data.shape, *position, radii[1], n)
            - by_points(data.shape, *position, radii[0], n)
        )
        * ~mask
        for position in positions
    ]
    tolerance = {"rtol": 1e-2 if method == "exact" else 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(sums, [(w * data).sum() for w in weights], **tolerance)
    np.testing.assert_allclose(areas, [w.sum() for w in weights], **tolerance)
    expected = [np.sqrt((w**2 * error**2).sum()) for w in weights]
    np.testing.assert_allclose(errors, expected, **tolerance)


@given(
    st.floats(10, 30),
    st.floats(10, 30),
    st.floats(0.01, 9),
    st.sampled_from(METHODS),
    st.integers(-5, 5),
)
def test_translation_and_scaling(x, y, radius, method, step):
    data = np.random.default_rng(3).normal(0, 1, (41, 41))
    here, _ = CircularAperture((x, y), radius).do_photometry(data, method=method)
    # Points on the circle may be counted either way once positions are rounded.
    if method == "exact" and np.hypot(x - 20, y - 20) + radius < 14:
        moved = np.roll(data, (step, -step), axis=(0, 1))
        there = CircularAperture((x - step, y + step), radius)
        np.testing.assert_allclose(there.do_photometry(moved)[0], here, atol=1e-9)
    scaled, _ = CircularAperture((x, y), radius).do_photometry(8 * data, method=method)
    np.testing.assert_array_equal(scaled, 8 * here)


@given(st.floats(-3, 43), st.floats(-3, 43), st.floats(0.05, 12))
def test_a_masked_pixel_is_as_absent(x, y, radius):
    rng = np.random.default_rng(4)
    data = rng.normal(0, 1, (40, 40))
    mask = rng.random(data.shape) < 0.2
    spoiled = np.where(mask, np.nan, data)
    aperture = CircularAperture((x, y), radius)
    masked = aperture.do_photometry(spoiled, mask=mask)[0]
    zeroed = aperture.do_photometry(np.where(mask, 0, data))[0]
    np.testing.assert_allclose(masked, zeroed, rtol=1e-12, atol=1e-12)


@given(st.floats(8, 31), st.floats(8, 31), st.floats(0.001, 7), st.floats(0.01, 0.99))
def test_areas_inside(x, y, radius, part):
    circle = CircularAperture((x, y), radius)
    ring = CircularAnnulus((x, y), part * radius, radius)
    data = np.empty((40, 40))
    for aperture in (circle, ring):
        assert aperture.area_overlap(data) == pytest.approx(
            aperture.area, rel=1e-12, abs=1e-13
        )
    assert circle.area == pytest.approx(np.pi * radius**2)


def test_off_the_image_masked_and_bad_values(image):
    data, error = image
    apertures = CircularAperture([(-9, 5), (20, 20), (-1, 5)], 2)
    sums, errors = apertures.do_photometry(data, error)
    assert np.isnan([sums[0], errors[0]]).all()
    assert np.isfinite([sums[1:], errors[1:]]).all()
    assert np.isnan(apertures.do_photometry(data)[1]).all()
    areas = apertures.area_overlap(data, mask=np.ones(data.shape, bool))
    np.testing.assert_array_equal(areas, [np.nan, 0, 0])
    spoiled = data.copy()
    spoiled[20, 20] = np.nan
    assert np.isnan(apertures.do_photometry(spoiled)[0]).tolist() == [True, True, False]
    # A circle so small that it has no pixel's centre is on the image, and empty.
    small = CircularAperture((10.5, 10.5), 0.3)
    assert small.do_photometry(data, method="center")[0].tolist() == [0]
    assert np.isnan(small.do_photometry(data[:5], method="center")[0]).all()


def test_units_and_dtypes(image):
    data, error = image
    aperture = CircularAperture((20, 20), 3)
    plain = aperture.do_photometry(data, error)
    sums, errors = aperture.do_photometry(data << u.Jy, error * 1e3 << u.mJy)
    assert sums.unit == errors.unit == u.Jy
    np.testing.assert_allclose([sums.value, errors.value], plain, rtol=1e-13)
    single = data.astype(">f4")
    np.testing.assert_allclose(aperture.do_photometry(single)[0], plain[0], rtol=1e-6)
    with pytest.raises(ValueError, match="must all have the same units"):
        aperture.do_photometry(data << u.Jy, error)


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_every_number_of_threads_gives_the_same_bits(image, n_threads):
    positions = np.random.default_rng(5).uniform(-5, 50, (2000, 2))
    apertures = CircularAnnulus(positions, 1.2, 3.3)
    expected = apertures.do_photometry(*image)
    got = apertures.do_photometry(*image, n_threads=n_threads)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "positions",
    [
        [(1, 2), (3, 4)],
        ((1, 2), (3, 4)),
        np.array([[1, 2], [3, 4]], dtype=">i4"),
        zip([1, 3], [2, 4], strict=True),
        (pair for pair in [(1, 2), (3, 4)]),
    ],
)
def test_positions_of_every_kind(positions):
    aperture = CircularAperture(positions, 2)
    assert aperture.positions.dtype == np.float64
    assert aperture.positions.tolist() == [[1, 2], [3, 4]]
    assert (aperture.shape, aperture.isscalar, len(aperture)) == ((2,), False, 2)
    assert aperture[1].positions.tolist() == [3, 4]
    assert aperture[1].isscalar
    assert [each.r for each in aperture] == [2, 2]
    assert aperture[:1] == CircularAperture([(1, 2)], 2)
    assert len(aperture[np.array([True, False])]) == 1


def test_one_position():
    aperture = CircularAnnulus((743, 1044), 5, 7)
    assert aperture.isscalar
    assert aperture.shape == ()
    with pytest.raises(TypeError, match="scalar 'CircularAnnulus' object has no len"):
        len(aperture)
    with pytest.raises(TypeError, match="object cannot be indexed"):
        aperture[0]
    assert isinstance(aperture.area_overlap(np.ones((9, 9))), float)
    assert aperture.bbox == BoundingBox(736, 751, 1037, 1052)
    assert aperture.bbox.shape == (15, 15)
    assert aperture.bbox.center == (1044, 743)
    assert aperture.bbox.extent == (735.5, 750.5, 1036.5, 1051.5)


def test_showing_comparing_and_changing():
    aperture = CircularAperture([(1, 2)], 3)
    assert repr(aperture) == "<CircularAperture([[1., 2.]], r=3.0)>"
    assert str(aperture) == "Aperture: CircularAperture\npositions: [[1., 2.]]\nr: 3.0"
    annulus = CircularAnnulus((1, 2), 3, 5)
    assert repr(annulus) == "<CircularAnnulus([1., 2.], r_in=3.0, r_out=5.0)>"
    twin = aperture.copy()
    assert twin == aperture
    assert twin.positions is not aperture.positions
    twin.r = 4
    assert twin != aperture
    assert twin != annulus
    assert aperture.bbox == [BoundingBox(-2, 5, -1, 6)]
    twin.positions = [(5, 6), (7, 8)]
    assert len(twin) == 2
    with pytest.raises(ValueError, match="'r_out' must be greater than 'r_in'"):
        annulus.r_in = 6
    assert (
        len(CircularAperture(np.zeros((0, 2)), 1).do_photometry(np.ones((3, 3)))[0])
        == 0
    )


def test_patches():
    pytest.importorskip("matplotlib")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, 2)
    apertures = CircularAperture(zip([10, 30], [20, 5], strict=True), r=4)
    patches = apertures.plot(ax=axes[0], color="red", lw=2)
    assert [tuple(patch.center) for patch in patches] == [(10, 20), (30, 5)]
    assert all(patch in axes[0].patches for patch in patches)
    assert patches[0].get_edgecolor() == (1, 0, 0, 1)
    assert not patches[0].get_fill()
    # Without axes it is the current ones, here the last.
    one = CircularAperture((743, 1044), r=20)
    for ax in (None, axes[0], axes[1]):
        assert len(one.plot(ax=ax, origin=(700, 1000))) == 1
    assert (len(axes[0].patches), len(axes[1].patches)) == (3, 2)
    assert tuple(axes[1].patches[0].center) == (43, 44)
    ring = CircularAnnulus((5, 6), 2, 3).plot(ax=axes[0], fill=True)[0]
    assert ring.get_fill()
    assert ring.get_path().contains_point(
        (5, 8.5), ring.get_transform() - axes[0].transData
    )
    plt.close(figure)


@pytest.mark.parametrize(
    ("positions", "error", "message"),
    [
        ([1, 2, 3], ValueError, "'positions' must be a pixel position"),
        ([], ValueError, "'positions' must be a pixel position"),
        (5, ValueError, "'positions' must be a pixel position"),
        ([[[1, 2]]], ValueError, "'positions' must be a pixel position"),
        ([(np.nan, 1)], ValueError, "must not contain any nonfinite"),
        ([(1j, 2)], TypeError, "positions must be an array of real numbers"),
        (["ab"], TypeError, "positions must be an array of real numbers"),
        ([(1, 2)] * u.pix, TypeError, "must not be a Quantity"),
        (zip([1] * u.pix, [2] * u.pix, strict=True), TypeError, "must not be a Quan"),
    ],
)
def test_bad_positions(positions, error, message):
    with pytest.raises(error, match=message):
        CircularAperture(positions, 3)


@pytest.mark.parametrize("radius", [0, -1, np.nan, np.inf])
def test_radii_must_be_positive(radius):
    with pytest.raises(ValueError, match="'r' must be a positive scalar, got"):
        CircularAperture((1, 2), radius)
    with pytest.raises(ValueError, match="'r_in' must be a positive scalar"):
        CircularAnnulus((1, 2), radius, 3)


@pytest.mark.parametrize("radius", ["a", None, [1, 2], 3 * u.pix, 1j])
def test_radii_must_be_numbers(radius):
    with pytest.raises(TypeError, match="r must be a number"):
        CircularAperture((1, 2), radius)


@pytest.mark.parametrize("radii", [(2, 1), (2, 2)])
def test_a_hole_is_smaller_than_its_annulus(radii):
    with pytest.raises(ValueError, match="'r_out' must be greater than 'r_in', got"):
        CircularAnnulus((1, 2), *radii)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "foo"}, ValueError, "method must be one of"),
        ({"method": None}, ValueError, "method must be one of"),
        ({"subpixels": 0}, ValueError, "subpixels must be a strictly positive integer"),
        ({"subpixels": 1.5}, ValueError, "subpixels must be a strictly positive"),
        ({"subpixels": True}, ValueError, "subpixels must be a strictly positive"),
        (
            {"method": "subpixel", "subpixels": 10**6},
            ValueError,
            "subpixels must be between",
        ),
        ({"error": np.ones((3, 3))}, ValueError, "data and error must have the same"),
        (
            {"mask": np.ones((3, 3), bool)},
            ValueError,
            "data and mask must have the same",
        ),
        ({"mask": np.full((9, 9), 0.5)}, TypeError, "mask must be a boolean array"),
        ({"error": np.ones((9, 9)) * 1j}, TypeError, "error must be an array of real"),
        ({"n_threads": 0}, ValueError, "n_threads must be None or at least 1"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        CircularAperture((4, 4), 2).do_photometry(np.ones((9, 9)), **arguments)


@pytest.mark.parametrize("data", [np.ones((9, 9)) * 1j, [["a"]], None])
def test_data_must_be_real(data):
    with pytest.raises(TypeError, match="data must be an array of real numbers"):
        CircularAperture((4, 4), 2).do_photometry(data)


def test_data_must_be_an_image():
    with pytest.raises(ValueError, match="data must be a 2D array"):
        CircularAperture((4, 4), 2).do_photometry(np.ones(9))
