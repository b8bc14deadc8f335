"""The star finders against photutils, column by column."""

import numpy as np
import pytest
from astropy import units as u

from psfphot.detection import IRAFStarFinder

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


def assert_same(ours, theirs):
    if theirs is None:
        assert ours is None
        return
    assert len(ours) == len(theirs)
    assert ours.colnames == theirs.colnames
    for name in theirs.colnames:
        assert ours[name].dtype == theirs[name].dtype, name
        assert str(getattr(ours[name], "unit", None)) == str(
            getattr(theirs[name], "unit", None)
        ), name
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
    spoilt = field.copy()
    spoilt[np.random.default_rng(4).uniform(size=field.shape) < 0.003] = np.nan
    compare(spoilt)
    compare(spoilt, mask=mask)


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
