"""The star finders, without any other code to compare with."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from astropy.utils.exceptions import AstropyWarning
from star_lattice import make_field

from psfphot.detection import DAOStarFinder, IRAFStarFinder
from psfphot.utils import NoDetectionsWarning

COLUMNS = [
    "id",
    "x_centroid",
    "y_centroid",
    "fwhm",
    "sharpness",
    "roundness",
    "orientation",
    "n_pixels",
    "peak",
    "flux",
    "mag",
]

NONE_FOUND = "No sources were found"
ALL_FILTERED = "Sources were found, but none pass the filtering criteria"


@pytest.fixture(scope="module")
def field():
    return make_field()


def nearest(stars, x, y):
    return np.hypot(stars["x_centroid"] - x, stars["y_centroid"] - y).argmin()


def test_every_star_is_found_where_it_is(field):
    data, x, y = field
    stars = IRAFStarFinder(6.0, 3.0)(data)
    assert len(stars) == len(x)
    for x0, y0 in zip(x, y, strict=True):
        star = stars[nearest(stars, x0, y0)]
        assert abs(star["x_centroid"] - x0) < 0.2
        assert abs(star["y_centroid"] - y0) < 0.2


def test_columns_types_and_meta(field):
    stars = IRAFStarFinder(6.0, 3.0)(field[0])
    assert isinstance(stars, QTable)
    assert stars.colnames == COLUMNS
    assert stars["id"].tolist() == list(range(1, len(stars) + 1))
    for name in COLUMNS:
        integer = name in {"id", "n_pixels"}
        assert stars[name].dtype == (np.int64 if integer else np.float64), name
    assert stars["orientation"].unit == u.deg
    assert np.all(np.abs(stars["orientation"]) <= 90 * u.deg)
    np.testing.assert_allclose(stars["mag"], -2.5 * np.log10(stars["flux"]), rtol=1e-14)
    np.testing.assert_allclose(stars["sharpness"], stars["fwhm"] / 3.0, rtol=1e-14)
    assert stars.meta["version"]["psfphot"]
    assert stars.meta["date"]


def test_find_stars_is_the_call(field):
    finder = IRAFStarFinder(6.0, 3.0)
    assert np.all(finder.find_stars(field[0])["flux"] == finder(field[0])["flux"])


@pytest.mark.parametrize("dtype", ["f4", ">f8", ">f4", "i4", "u2", "f2"])
def test_any_real_dtype(field, dtype):
    with np.errstate(under="ignore"):  # of float16
        data = np.clip(field[0], 0, None).astype(dtype)
    stars = IRAFStarFinder(6.0, 3.0)(data)
    expected = IRAFStarFinder(6.0, 3.0)(data.astype("f8"))
    assert stars["flux"].dtype == np.float64
    np.testing.assert_allclose(stars["flux"], expected["flux"], rtol=1e-12)


def test_strides_do_not_matter(field):
    data = field[0]
    wide = np.repeat(data, 2, axis=1)[:, ::2]
    for same in (wide, np.asfortranarray(data), data[::-1, ::-1][::-1, ::-1]):
        stars = IRAFStarFinder(6.0, 3.0)(same)
        assert np.all(stars["flux"] == IRAFStarFinder(6.0, 3.0)(data)["flux"])


def test_the_result_does_not_depend_on_the_threads(field):
    tables = [IRAFStarFinder(3.0, 3.0, n_threads=n)(field[0]) for n in (1, 2, 8, None)]
    for table in tables[1:]:
        for name in COLUMNS:
            assert np.all(table[name] == tables[0][name]), name


def test_units_go_through(field):
    data = field[0]
    plain = IRAFStarFinder(6.0, 3.0, peak_max=100.0)(data)
    stars = IRAFStarFinder(6.0 * u.Jy, 3.0, peak_max=100.0 * u.Jy)(data * u.Jy)
    assert stars["flux"].unit == stars["peak"].unit == u.Jy
    assert np.all(stars["flux"].value == plain["flux"])
    assert stars["mag"].unit is None
    with pytest.raises(
        ValueError, match=r"\['data', 'threshold'\] must all have the same"
    ):
        IRAFStarFinder(6.0, 3.0)(data * u.Jy)
    with pytest.raises(ValueError, match="threshold has units of mJy"):
        IRAFStarFinder(6.0 * u.mJy, 3.0)(data * u.Jy)
    with pytest.raises(ValueError, match="data does not have units"):
        IRAFStarFinder(6.0 * u.Jy, 3.0)(data)
    with pytest.raises(ValueError, match="peak_max does not have units"):
        IRAFStarFinder(6.0 * u.Jy, 3.0, peak_max=3.0)


def test_a_masked_pixel_neither_is_a_star_nor_hides_one(field):
    data, x, y = (values.copy() for values in field)
    finder = IRAFStarFinder(6.0, 3.0)
    everything = finder(data)
    mask = np.zeros(data.shape, dtype=bool)
    hidden, hot = (round(y[3]), round(x[3])), (round(y[5]) - 6, round(x[5]))
    for row, column in (hidden, hot):
        mask[row - 2 : row + 3, column - 2 : column + 3] = True
    data[hot] += 500.0
    assert len(finder(data, mask=mask)) == len(everything) - 1
    masked = finder(np.ma.MaskedArray(data, mask))
    assert np.all(masked["flux"] == finder(data, mask=mask)["flux"])
    with pytest.warns(NoDetectionsWarning, match=NONE_FOUND):
        assert finder(data, mask=np.ones_like(mask)) is None


@pytest.mark.parametrize("find", [IRAFStarFinder, DAOStarFinder])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_pixels_hide_no_star(field, find, bad):
    data, x, y = field
    finder = find(6.0, 3.0)
    everything = finder(data)
    brightest = everything[np.argmax(everything["flux"])]
    x, y = brightest["x_centroid"], brightest["y_centroid"]
    for dx in (0, 1):
        spoilt = data.copy()
        spoilt[round(y), round(x) + dx] = bad
        stars = finder(spoilt)
        assert len(stars) == len(everything)
        distance = np.hypot(stars["x_centroid"] - x, stars["y_centroid"] - y)
        star = stars[np.argmin(distance)]
        assert distance.min() < 0.15
        assert abs(star["flux"] / brightest["flux"] - 1) < 0.15
        for name in stars.colnames:
            assert np.all(np.isfinite(stars[name]))


def test_a_hole_gives_no_star(field):
    data = field[0].copy()
    before = IRAFStarFinder(6.0, 3.0)(data)
    data[20:60, 20:60] = np.nan
    for finder in (IRAFStarFinder(6.0, 3.0), DAOStarFinder(6.0, 3.0)):
        stars = finder(data)
        x, y = stars["x_centroid"], stars["y_centroid"]
        assert len(stars) < len(before)
        assert not ((x > 20) & (x < 59) & (y > 20) & (y < 59)).any()


def test_threshold_map(field):
    data = field[0]
    threshold = np.full(data.shape, 6.0)
    finder = IRAFStarFinder(threshold, 3.0)
    everything = IRAFStarFinder(6.0, 3.0)(data)
    assert np.all(finder(data)["flux"] == everything["flux"])
    threshold[:, 75:] = np.inf
    threshold[60:] = np.nan
    stars = IRAFStarFinder(threshold, 3.0)(data)
    here = (everything["x_centroid"] < 74.5) & (everything["y_centroid"] < 59.5)
    assert np.all(stars["flux"] == everything["flux"][here])
    with pytest.raises(ValueError, match="threshold array must have the same shape as"):
        finder(data[1:])


def test_exclude_border():
    data = np.zeros((40, 50))
    data[0:3, 20:23] = data[20:23, 30:33] = [[3, 9, 3], [9, 20, 9], [3, 9, 3]]
    options = {"roundness_range": None, "sharpness_range": None}
    assert len(IRAFStarFinder(6.0, 3.0, **options)(data)) == 2
    stars = IRAFStarFinder(6.0, 3.0, exclude_border=True, **options)(data)
    assert len(stars) == 1
    assert stars["y_centroid"][0] == pytest.approx(21.0)


def test_a_saturated_star_is_one_star():
    yy, xx = np.mgrid[:60, :60]
    data = 1e4 * np.exp(-((xx - 30) ** 2 + (yy - 28) ** 2) / (2 * 3.0**2))
    data = np.minimum(data, 2000.0)
    stars = IRAFStarFinder(
        1.0, 3.0, min_separation=12, sharpness_range=None, roundness_range=None
    )(data)
    assert len(stars) == 1


def test_filters(field):
    data, x, _ = field
    everything = IRAFStarFinder(6.0, 3.0)(data)
    few = IRAFStarFinder(6.0, 3.0, n_brightest=4)(data)
    assert np.all(few["flux"] == np.sort(everything["flux"])[::-1][:4])
    assert few["id"].tolist() == [1, 2, 3, 4]
    faint = IRAFStarFinder(6.0, 3.0, peak_max=80.0)(data)
    assert len(faint) == np.count_nonzero(everything["peak"] <= 80.0)
    apart = IRAFStarFinder(6.0, 3.0, min_separation=60)(data)
    assert 0 < len(apart) < len(x)
    with pytest.warns(NoDetectionsWarning, match=ALL_FILTERED):
        assert IRAFStarFinder(6.0, 3.0, sharpness_range=(5, 6))(data) is None
    with pytest.warns(NoDetectionsWarning, match=ALL_FILTERED):
        assert IRAFStarFinder(6.0, 3.0, roundness_range=(1, 2))(data) is None
    with pytest.warns(NoDetectionsWarning, match=NONE_FOUND):
        assert IRAFStarFinder(6.0, 3.0, min_n_pixels=14)(data) is None


def test_given_positions(field):
    data, _, _ = field
    found = IRAFStarFinder(6.0, 3.0)(data)
    peaks = [
        (x0, y0)
        for x0, y0 in zip(found["x_centroid"], found["y_centroid"], strict=True)
    ]
    stars = IRAFStarFinder(1e9, 3.0, xycoords=peaks)(data)
    assert np.all(stars["flux"] == found["flux"])
    for outside in ((150, 3), (-0.5, 3), (3, 119.5), (np.nan, 3)):
        finder = IRAFStarFinder(6.0, 3.0, xycoords=[outside])
        with pytest.raises(
            ValueError, match="within the bounds of the input data with shape"
        ):
            finder(data)
    with pytest.warns(NoDetectionsWarning, match=NONE_FOUND):
        assert IRAFStarFinder(6.0, 3.0, xycoords=np.zeros((0, 2)))(data) is None


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((20, 30)),
        np.ones((20, 30), dtype="f4"),
        np.full((20, 30), np.nan),
        np.full((20, 30), np.inf),
        np.zeros((1, 1)),
        np.full((1, 1), 5.0),
        np.arange(9.0).reshape(1, 9),
        np.arange(9.0).reshape(9, 1),
    ],
)
def test_images_without_stars(data):
    with pytest.warns(NoDetectionsWarning):
        assert IRAFStarFinder(6.0, 3.0)(data) is None
    if np.all(data == 0):
        with pytest.warns(NoDetectionsWarning, match=NONE_FOUND):
            assert IRAFStarFinder(-6.0, 3.0)(data) is None


def test_the_warning_points_to_the_caller(field):
    assert issubclass(NoDetectionsWarning, AstropyWarning)
    finder = IRAFStarFinder(1e9, 3.0)
    for call in (finder, finder.find_stars):
        with pytest.warns(NoDetectionsWarning) as caught:
            call(field[0])
        assert caught[0].filename == __file__


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_empty_images_are_refused(shape):
    with pytest.raises(ValueError, match="data must not be empty"):
        IRAFStarFinder(6.0, 3.0)(np.zeros(shape))


@pytest.mark.parametrize("data", [np.ones(5), np.ones((3, 3, 3)), np.float64(3)])
def test_data_must_have_two_dimensions(data):
    with pytest.raises(ValueError, match="data must be a 2D array"):
        IRAFStarFinder(6.0, 3.0)(data)


@pytest.mark.parametrize("data", [np.ones((9, 9), dtype=complex), np.full((9, 9), "a")])
def test_data_must_be_real(data):
    with pytest.raises(TypeError, match="data must be an array of real numbers"):
        IRAFStarFinder(6.0, 3.0)(data)


def test_masks_of_another_shape_are_refused(field):
    with pytest.raises(ValueError, match="data and mask must have the same shape"):
        IRAFStarFinder(6.0, 3.0)(field[0], mask=np.zeros((3, 3), dtype=bool))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"fwhm": [3.0, 3.0]}, TypeError, "fwhm must be a scalar value"),
        ({"fwhm": "a"}, TypeError, "fwhm must be a number without a unit"),
        ({"fwhm": 3 * u.pix}, TypeError, "fwhm must be a number without a unit"),
        ({"fwhm": 0}, ValueError, "fwhm must be positive"),
        ({"fwhm": np.nan}, ValueError, "fwhm must be positive"),
        ({"fwhm": np.inf}, ValueError, "fwhm must be finite"),
        ({"sigma_radius": 0}, ValueError, "sigma_radius must be positive"),
        ({"min_separation": -1}, ValueError, "min_separation must be >= 0"),
        ({"min_separation": np.nan}, ValueError, "min_separation must be >= 0"),
        ({"xycoords": [1, 2]}, ValueError, "xycoords must be shaped as an Nx2 array"),
        ({"n_brightest": 0}, ValueError, "n_brightest must be > 0"),
        ({"n_brightest": 1.5}, ValueError, "n_brightest must be an integer"),
        ({"n_brightest": True}, TypeError, "n_brightest must be an integer"),
        ({"sharpness_range": 1}, ValueError, "sharpness_range must be a 2-element"),
        (
            {"roundness_range": (1, 2, 3)},
            ValueError,
            "roundness_range must be a 2-elem",
        ),
        ({"min_n_pixels": 0}, ValueError, "min_n_pixels must be >= 1"),
        ({"min_n_pixels": 5.5}, ValueError, "min_n_pixels must be an integer"),
        ({"n_threads": 0}, ValueError, "n_threads must be None or at least 1"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        IRAFStarFinder(**{"threshold": 6.0, "fwhm": 3.0, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": np.nan}, "threshold must be a number"),
        ({"threshold": np.ones(3)}, "threshold array must have the same shape as"),
        ({"fwhm": 1e12}, "fwhm must give a kernel of at most 255 pixels"),
        ({"peak_max": np.nan}, "peak_max must be a number"),
        ({"roundness_range": (np.nan, 1)}, "roundness_range must be a pair of numbers"),
    ],
)
def test_bad_arguments_that_only_a_call_can_see(field, arguments, message):
    finder = IRAFStarFinder(**{"threshold": 6.0, "fwhm": 3.0, **arguments})
    with pytest.raises(ValueError, match=message):
        finder(field[0])


def test_threshold_must_be_given(field):
    with pytest.raises(TypeError, match="threshold must be a number"):
        IRAFStarFinder(None, 3.0)(field[0])


def test_repr():
    assert repr(IRAFStarFinder(6.0, 3.0)) == (
        "IRAFStarFinder(threshold=6.0, fwhm=3.0, sigma_radius=1.5, "
        "sharpness_range=(0.5, 2.0), roundness_range=(0.0, 0.2), "
        "exclude_border=False, n_brightest=None, peak_max=None, xycoords=None, "
        "min_separation=7.5, min_n_pixels=5, n_threads=None)"
    )
    finder = IRAFStarFinder(np.ones((3, 4)), 3.0, xycoords=[(1, 2)])
    assert "threshold=<array; shape=(3, 4)>" in repr(finder)
    assert "xycoords=<array; shape=(1, 2)>" in repr(finder)
