"""The star finders against photutils, column by column."""

import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.wcs import WCS

from psfphot.detection import DAOStarFinder, IRAFStarFinder, StarFinder, find_peaks
from psfphot.utils import NoDetectionsWarning

detection = pytest.importorskip("photutils.detection")

pytestmark = [
    pytest.mark.parity,
    # Older ones import deprecated parts of numpy.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

# Circular min_separation, ties, masks, min_n_pixels and the rest of what the
# documentation of 3.1 lists.
needs_3_1 = pytest.mark.usefixtures("photutils_31")

TOLERANCE = 1e-6


def make_field(shape=(400, 350), n_stars=300, seed=1, saturation=np.inf):
    """Stars anywhere, some off the edges and some blended, and noise."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    yy, xx = np.mgrid[:ny, :nx]
    data = np.zeros(shape)
    for x, y, height in zip(
        rng.uniform(-1, nx, n_stars),
        rng.uniform(-1, ny, n_stars),
        rng.uniform(5, 300, n_stars),
        strict=True,
    ):
        box = np.s_[max(0, int(y) - 9) : int(y) + 10, max(0, int(x) - 9) : int(x) + 10]
        r2 = (xx[box] - x) ** 2 + (yy[box] - y) ** 2
        data[box] += height * np.exp(-r2 / (2 * 1.3**2))
    data += rng.normal(0, 0.5, shape)
    return np.minimum(data, saturation)


def unit_of(column):
    """photutils gives some ratios the unit 1."""
    unit = getattr(column, "unit", None)
    return None if unit == u.dimensionless_unscaled else unit


def assert_same(ours, theirs):
    if theirs is None:
        assert ours is None
        return
    assert len(ours) == len(theirs)
    assert ours.colnames == theirs.colnames
    for name in theirs.colnames:
        if name.startswith("skycoord"):
            # NaN where there is no centroid, which is compared as x and y.
            assert not np.any(ours[name].separation(theirs[name]) > 1e-9 * u.deg)
            continue
        # For float32 images some of photutils' columns are float32, ours are not.
        assert ours[name].dtype.kind == theirs[name].dtype.kind, name
        assert unit_of(ours[name]) == unit_of(theirs[name]), name
        mine, other = (
            np.asarray(getattr(t[name], "value", t[name]), dtype=float)
            for t in (ours, theirs)
        )
        if name == "orientation":
            # An axis at +90 is the same as one at -90 degrees.
            mine = other + (mine - other + 90) % 180 - 90
        np.testing.assert_allclose(
            mine, other, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
        )


def compare(data, threshold=6.0, fwhm=3.0, mask=None, **options):
    ours = IRAFStarFinder(threshold, fwhm, **options)(data, mask=mask)
    theirs = detection.IRAFStarFinder(threshold, fwhm, **options)(data, mask=mask)
    assert ours is not None
    assert_same(ours, theirs)


def compare_dao(data, threshold=4.0, fwhm=3.0, mask=None, **options):
    ours = DAOStarFinder(threshold, fwhm, **options)(data, mask=mask)
    theirs = detection.DAOStarFinder(threshold, fwhm, **options)(data, mask=mask)
    assert ours is not None
    assert_same(ours, theirs)


def compare_star(data, kernel, threshold=6.0, mask=None, **options):
    ours = StarFinder(threshold, kernel, **options)(data, mask=mask)
    theirs = detection.StarFinder(threshold, kernel, **options)(data, mask=mask)
    assert ours is not None
    assert_same(ours, theirs)


def compare_beyond_gaps(ours, theirs, data, mask=None):
    """Where no NaN has a part: beside one, photutils loses stars."""
    gaps = np.random.default_rng(4).uniform(20, 330, (6, 2)).astype(int)
    spoilt = data.copy()
    spoilt[gaps[:, 1], gaps[:, 0]] = np.nan
    beyond = []
    for stars in (ours(spoilt, mask=mask), theirs(spoilt, mask=mask)):
        x, y = (np.asarray(stars[f"{axis}_centroid"]) for axis in "xy")
        distance = np.hypot(x[:, None] - gaps[:, 0], y[:, None] - gaps[:, 1])
        beyond.append(stars[distance.min(axis=1) > 30])
        beyond[-1].remove_column("id")
    assert len(beyond[0]) > 100
    assert_same(*beyond)


def compare_peaks(data, threshold=6.0, **options):
    theirs = detection.find_peaks(data, threshold, **options)
    assert theirs is not None
    assert_same(find_peaks(data, threshold, **options), theirs)


@pytest.fixture(scope="module")
def field():
    return make_field()


@pytest.fixture(scope="module")
def mask():
    rng = np.random.default_rng(3)
    mask = rng.uniform(size=(400, 350)) < 0.01
    mask[100:140, 50:90] = True
    return mask


ANY_SHAPE = {"sharpness_range": None, "roundness_range": None, "min_n_pixels": 1}


def test_isolated_stars_in_any_version(photutils_version):
    y, x = (grid.ravel() for grid in np.mgrid[15:180:30, 15:180:30])
    rng = np.random.default_rng(5)
    yy, xx = np.mgrid[:200, :200]
    data = rng.normal(0, 0.1, (200, 200))
    for x0, y0 in zip(x + rng.uniform(-0.4, 0.4, x.size), y, strict=True):
        data += 100 * np.exp(-((xx - x0) ** 2 + (yy - y0) ** 2) / (2 * 1.3**2))
    theirs = detection.IRAFStarFinder(6.0, 3.0)(data)
    if photutils_version < (3, 1):
        theirs["orientation"] = (theirs["orientation"].value + 90) % 180 - 90
        theirs["orientation"].unit = "deg"
    assert_same(IRAFStarFinder(6.0, 3.0)(data), theirs)


@needs_3_1
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threshold": 2.0},
        {"threshold": -3.0, **ANY_SHAPE},
        {"exclude_border": True},
        {"n_brightest": 50},
        {"peak_max": 100.0},
        {"min_n_pixels": 13},
        {"sigma_radius": 3.0},
        {"fwhm": 1.5, **ANY_SHAPE},
        {"fwhm": 4.5},
        {"fwhm": 8.0, **ANY_SHAPE},
        {"min_separation": 0},
        {"min_separation": 0.5},
        {"min_separation": 1.2},
        {"min_separation": 3.7},
        {"min_separation": 20},
        {"min_separation": 1000},
    ],
    ids=str,
)
def test_options(field, options):
    compare(field, **options)


@needs_3_1
@pytest.mark.parametrize("dtype", ["f4", "i4", ">f8"])
def test_dtypes(field, dtype):
    compare(field.astype(dtype))


@needs_3_1
def test_masks_and_nans(field, mask):
    compare(field, mask=mask)
    ours, theirs = (f(6.0, 3.0) for f in (IRAFStarFinder, detection.IRAFStarFinder))
    compare_beyond_gaps(ours, theirs, field)
    compare_beyond_gaps(ours, theirs, field, mask)


@needs_3_1
def test_threshold_map(field):
    compare(field, threshold=np.linspace(4, 40, field.size).reshape(field.shape))


@needs_3_1
def test_units(field):
    compare(field * u.Jy, threshold=6.0 * u.Jy, peak_max=200 * u.Jy)


@needs_3_1
def test_given_positions(field):
    xy = np.random.default_rng(5).uniform(0, 349, (200, 2))
    xy[:50] = np.floor(xy[:50]) + 0.5
    compare(field, xycoords=xy, **{**ANY_SHAPE, "min_n_pixels": 5})


@needs_3_1
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scale_and_sky(field, scale):
    compare(field * scale, threshold=6.0 * scale)
    compare(field + 1e4)


@needs_3_1
@pytest.mark.parametrize("min_separation", [None, 0, 1, 1.3, 1.5, 2, 5, 11])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_ties(min_separation, dtype):
    # Blocks of one height: flat tops of the convolved image, and many equal
    # peaks. In float64 the sums must agree to the last bit.
    rng = np.random.default_rng(9)
    data = np.zeros((80, 80), dtype=dtype)
    for _ in range(40):
        (y, x), (h, w) = rng.integers(0, 75, 2), rng.integers(1, 9, 2)
        data[y : y + h, x : x + w] = 100
    compare(data, threshold=1.0, min_separation=min_separation, **ANY_SHAPE)


@needs_3_1
def test_saturated_stars():
    compare(make_field(seed=2, saturation=60.0))
    compare(np.round(make_field(seed=2, saturation=60.0)), **ANY_SHAPE)


@needs_3_1
@pytest.mark.parametrize("min_separation", [None, 0, 3, 45])
def test_many_equal_stars(min_separation):
    tile = np.round(make_field((40, 40), 4, seed=3))
    compare(np.tile(tile, (6, 6)), threshold=2.0, min_separation=min_separation)


def test_isolated_stars_of_daostarfinder_in_any_version(photutils_version):
    rng = np.random.default_rng(6)
    yy, xx = np.mgrid[:200, :200]
    data = rng.normal(0, 0.1, (200, 200))
    for y0 in range(15, 180, 30):
        for x0 in range(15, 180, 30):
            r2 = (xx - x0 - rng.uniform(-0.4, 0.4)) ** 2 + (yy - y0) ** 2
            data += 100 * np.exp(-r2 / (2 * 1.3**2))
    ours, theirs = (
        finder(3.0, 3.0)(data) for finder in (DAOStarFinder, detection.DAOStarFinder)
    )
    if photutils_version < (3, 1):
        # The sum over the rectangle.
        assert np.all(theirs["flux"] > ours["flux"])
        for table in (ours, theirs):
            table.remove_columns(["flux", "mag"])
    assert_same(ours, theirs)


SHAPES_OF_ANY_KIND = {"sharpness_range": None, "roundness_range": None}


@needs_3_1
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threshold": 1.0},
        {"threshold": -3.0, **SHAPES_OF_ANY_KIND},
        {"scale_threshold": False},
        {"exclude_border": True},
        {"n_brightest": 50},
        {"peak_max": 100.0},
        {"sigma_radius": 3.0},
        {"fwhm": 1.2, **SHAPES_OF_ANY_KIND},
        {"fwhm": 8.0, **SHAPES_OF_ANY_KIND},
        {"ratio": 0.5, "fwhm": 5.0, **SHAPES_OF_ANY_KIND},
        {"ratio": 0.3, "theta": 65.0, "fwhm": 8.0, **SHAPES_OF_ANY_KIND},
        {"ratio": 0.7, "theta": -400.0, "sigma_radius": 2.5, **SHAPES_OF_ANY_KIND},
        {"min_separation": 0},
        {"min_separation": 3.7},
        {"min_separation": 20},
        {"sharpness_range": (0.5, 0.7)},
        {"roundness_range": (-0.2, 0.1)},
    ],
    ids=str,
)
def test_options_of_daostarfinder(field, mask, options):
    compare_dao(field, **options)
    compare_dao(field, mask=mask, **options)


@needs_3_1
@pytest.mark.parametrize("dtype", ["f4", "i4", ">f8"])
def test_dtypes_of_the_others(field, dtype):
    compare_dao(field.astype(dtype))
    compare_star(field.astype(dtype), np.outer([1, 2, 1], [1, 2, 1]))
    compare_peaks(field.astype(dtype))


@needs_3_1
def test_inputs_of_daostarfinder(field, mask):
    compare_dao(field + 1e4)
    compare_dao(field * u.Jy, threshold=4.0 * u.Jy, peak_max=200 * u.Jy)
    levels = np.linspace(4, 40, field.size).reshape(field.shape)
    compare_dao(field, threshold=levels)
    compare_dao(field * u.Jy, threshold=levels * u.Jy)
    ours, theirs = (f(4.0, 3.0) for f in (DAOStarFinder, detection.DAOStarFinder))
    compare_beyond_gaps(ours, theirs, field, mask)
    xy = np.random.default_rng(5).uniform(0, 349, (200, 2))
    xy[:50] = np.floor(xy[:50]) + 0.5
    compare_dao(field, xycoords=xy, **SHAPES_OF_ANY_KIND)
    compare_dao(field, threshold=levels, xycoords=xy, **SHAPES_OF_ANY_KIND)


KERNELS = {
    "gaussian": np.exp(-(np.hypot(*np.mgrid[-4:5, -4:5]) ** 2) / 3.4),
    "asymmetric": np.array([[0, 1, 1, 0], [1, 3, 6, 2], [0, 2, 2, 1.0]]),
    "even": np.outer([1, 3, 3, 1], [1, 2, 3, 3, 2, 1.0]),
    "constant": np.ones((3, 2)),
    "negative": np.array([[-1, 0, -1], [0, 2, 0], [-1, 0, -1.0]]),
    "line": np.array([[1, 3, 1.0]]),
}


@needs_3_1
@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threshold": 2.0, "min_separation": 0},
        {"min_separation": 6.3, "exclude_border": True},
        {"n_brightest": 40, "peak_max": 150.0},
    ],
    ids=str,
)
def test_kernels(field, mask, kernel, options):
    compare_star(field, kernel, **options)
    compare_star(field, kernel, mask=mask, **options)


@needs_3_1
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"box_size": 1},
        {"box_size": (4, 7)},
        {"box_size": 31},
        {"footprint": np.array([[1, 0, 1, 0], [1, 0, 1, 1], [1, 1, 1, 0]], bool)},
        {"min_separation": 0},
        {"min_separation": 0.4},
        {"min_separation": 1.3},
        {"min_separation": 7.5},
        {"border_width": 20},
        {"border_width": (0, 35)},
        {"n_peaks": 7},
        {"threshold": -2.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("levels", [None, 3.0])
def test_peaks(field, mask, options, levels):
    data = field if levels is None else np.round(field / levels) * levels
    if "n_peaks" in options:
        # Of equal peaks, either may come first.
        data = field
    compare_peaks(data, **options)
    compare_peaks(np.where(mask, np.nan, data), **options)
    compare_peaks(data, mask=mask, **options)


# photutils' functions tell of fits that fail.
@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyUserWarning")
@needs_3_1
@pytest.mark.parametrize("function", ["centroid_com", "centroid_quadratic"])
def test_peaks_with_centroids_and_coordinates(field, mask, function):
    centroids = pytest.importorskip("photutils.centroids")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.cdelt = (30, 20), (-0.1, 0.1)
    options = {"centroid_func": getattr(centroids, function), "wcs": wcs}
    compare_peaks(field, 50.0, box_size=7, mask=mask, **options)
    compare_peaks(field * u.Jy, 50.0 * u.Jy, box_size=5, error=field * u.Jy, **options)
    shape = np.hypot(*np.mgrid[-3:4, -3:4]) < 3.2
    compare_peaks(field, 50.0, footprint=shape, **options)
    compare_peaks(field, 50.0, min_separation=9, box_size=5, **options)


@needs_3_1
@pytest.mark.parametrize(
    ("data", "threshold", "options"),
    [
        (np.zeros((9, 9)), 1.0, {}),
        (np.full((9, 9), np.nan), 1.0, {}),
        (np.eye(9) * 50, 99.0, {}),
        (np.eye(9) * 50, 1.0, {"sharpness_range": (8, 9)}),
        (np.eye(9) * 50, 1.0, {"peak_max": 0.1}),
    ],
)
def test_messages(data, threshold, options):
    """The same warning, or none."""
    for ours, theirs in (
        (IRAFStarFinder, detection.IRAFStarFinder),
        (DAOStarFinder, detection.DAOStarFinder),
    ):
        messages = []
        for finder in (ours, theirs):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                assert finder(threshold, 3.0, **options)(data) is None
            kind = (
                NoDetectionsWarning
                if finder is ours
                else detection.core.NoDetectionsWarning
            )
            messages.append({str(w.message) for w in caught if w.category is kind})
        assert messages[0] == messages[1] != set()


@needs_3_1
@pytest.mark.parametrize("seed", range(25))
def test_random_settings_on_random_fields(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(8, 120, 2))
    data = make_field(shape, int(rng.integers(3, 60)), seed=seed)
    mask = rng.uniform(size=shape) < rng.choice([0.0, 0.05])
    common = {
        "exclude_border": bool(rng.integers(2)),
        "min_separation": rng.choice([None, 0, 0.5, 1.4, 3, 6.3, 20]),
    }
    fwhm = rng.uniform(1, 7)
    ellipse = {"ratio": rng.uniform(0.3, 1), "theta": rng.uniform(-400, 400)}
    kernel = rng.uniform(0, 1, rng.integers(1, 9, 2)) ** 3
    pairs = (
        (IRAFStarFinder, detection.IRAFStarFinder, (3.0, fwhm), {}),
        (DAOStarFinder, detection.DAOStarFinder, (3.0, fwhm), ellipse),
        (StarFinder, detection.StarFinder, (3.0, kernel), {}),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for ours, theirs, arguments, more in pairs:
            options = common | more
            assert_same(
                ours(*arguments, **options)(data, mask=mask),
                theirs(*arguments, **options)(data, mask=mask),
            )
