"""DAOStarFinder, StarFinder and users' finders, by themselves.

`test_detection.py` is about IRAFStarFinder, and what it shares with these.
"""

import numpy as np
import pytest
from astropy import units as u
from astropy.convolution import Gaussian2DKernel
from astropy.table import QTable
from star_lattice import SIGMA, make_field

from psfphot.detection import (
    DAOStarFinder,
    IRAFStarFinder,
    StarFinder,
    StarFinderBase,
    find_peaks,
)
from psfphot.psf import CircularGaussianPRF, PSFPhotometry
from psfphot.utils import NoDetectionsWarning

COMMON = ["id", "x_centroid", "y_centroid"]
COLUMNS = {
    "DAOStarFinder": [
        *COMMON,
        "sharpness",
        "roundness1",
        "roundness2",
        "n_pixels",
        "peak",
        "flux",
        "mag",
        "daofind_mag",
    ],
    "StarFinder": [
        *COMMON,
        "fwhm",
        "roundness",
        "orientation",
        "max_value",
        "flux",
        "mag",
    ],
}


@pytest.fixture(scope="module")
def field():
    return make_field(y_shift=0.4)


def gaussian_kernel(half=4):
    yy, xx = np.mgrid[-half : half + 1, -half : half + 1]
    return np.exp(-(xx**2 + yy**2) / (2 * SIGMA**2))


def dao(threshold=6.0, **options):
    return DAOStarFinder(threshold, 3.0, **options)


def star(threshold=6.0, **options):
    return StarFinder(threshold, gaussian_kernel(), **options)


def iraf(threshold=6.0, **options):
    return IRAFStarFinder(threshold, 3.0, **options)


OURS = pytest.mark.parametrize("make", [dao, star])
ALL = pytest.mark.parametrize("make", [iraf, dao, star])


@OURS
def test_every_star_is_found_where_it_is(field, make):
    data, x, y = field
    stars = make()(data)
    assert len(stars) == len(x)
    # Both are in the order of the rows.
    assert np.all(np.hypot(stars["x_centroid"] - x, stars["y_centroid"] - y) < 0.2)


@OURS
def test_columns_types_and_meta(field, make):
    stars = make()(field[0])
    assert isinstance(stars, QTable)
    assert stars.colnames == COLUMNS[type(make()).__name__]
    assert stars["id"].tolist() == list(range(1, len(stars) + 1))
    for name in stars.colnames:
        integer = name in {"id", "n_pixels"}
        assert stars[name].dtype == (np.int64 if integer else np.float64), name
    np.testing.assert_allclose(stars["mag"], -2.5 * np.log10(stars["flux"]), rtol=1e-14)
    assert stars.meta["version"]["psfphot"]


@ALL
@pytest.mark.parametrize("dtype", ["f4", ">f8", ">f4", "i4", "u2", "f2"])
def test_any_real_dtype(field, make, dtype):
    with np.errstate(under="ignore"):  # of float16
        data = np.clip(field[0], 0, None).astype(dtype)
    stars, expected = make()(data), make()(data.astype("f8"))
    for name in stars.colnames:
        # float32 images have float32 convolutions.
        np.testing.assert_allclose(
            stars[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=name
        )


@OURS
def test_the_result_does_not_depend_on_the_threads(field, make):
    tables = [make(2.0, n_threads=n)(field[0]) for n in (1, 2, 8, None)]
    for table in tables[1:]:
        for name in table.colnames:
            assert np.all(table[name] == tables[0][name]), name
    peaks = [find_peaks(field[0], 1.0, n_threads=n).as_array() for n in (1, 2, None)]
    assert np.all(peaks[0] == peaks[1])
    assert np.all(peaks[0] == peaks[2])


@OURS
def test_units_go_through(field, make):
    data = field[0]
    plain = make(6.0, peak_max=100.0)(data)
    stars = make(6.0 * u.Jy, peak_max=100.0 * u.Jy)(data * u.Jy)
    for name in plain.colnames:
        with_unit = name in {"peak", "flux", "max_value"}
        unit = u.deg if name == "orientation" else u.Jy if with_unit else None
        assert getattr(stars[name], "unit", None) == unit, name
        assert np.all(
            getattr(stars[name], "value", stars[name]) == plain[name].data
        ) or (name == "orientation")
    with pytest.raises(ValueError, match="must all have the same units"):
        make(6.0)(data * u.Jy)
    with pytest.raises(ValueError, match="must all have the same units"):
        make(6.0 * u.Jy, peak_max=3.0)


@ALL
def test_masks_and_bad_pixels(field, make):
    data, x, y = field
    everything = make()(data)
    mask = np.zeros(data.shape, dtype=bool)
    row, column = round(y[3]), round(x[3])
    mask[row - 6 : row + 7, column - 6 : column + 7] = True
    assert len(make()(data, mask=mask)) == len(everything) - 1
    assert len(make()(np.ma.MaskedArray(data, mask))) == len(everything) - 1
    assert len(make()(data, mask=mask.astype(int))) == len(everything) - 1
    for bad in (np.nan, np.inf, -np.inf):
        spoilt = data.copy()
        spoilt[row, column] = bad
        stars = make()(spoilt)
        assert len(stars) == len(everything)
        assert np.all(np.isfinite(stars["flux"]))
        distance = np.hypot(stars["x_centroid"] - x[3], stars["y_centroid"] - y[3])
        assert distance.min() < 0.4


@ALL
@pytest.mark.parametrize(
    "data",
    [
        np.zeros((20, 30)),
        np.ones((20, 30), dtype="f4"),
        np.full((20, 30), np.nan),
        np.full((20, 30), np.inf),
        np.ma.masked_all((20, 30)),
        np.zeros((1, 1)),
        np.full((1, 1), -5.0),
    ],
)
def test_images_without_stars(make, data):
    filled = np.ma.MaskedArray(np.nan_to_num(data.data), np.ma.getmaskarray(data))
    image = filled if np.ma.isMaskedArray(data) else data
    finder = make(50.0)
    with pytest.warns(NoDetectionsWarning, match="ources were found") as caught:
        assert finder(image) is None
    assert caught[-1].filename == __file__
    with pytest.warns(NoDetectionsWarning, match="eaks") as caught:
        assert find_peaks(image, 0.5) is None
    assert caught[-1].filename == __file__


@ALL
def test_images_that_cannot_be_used(make):
    finder = make()
    for shape in ((0, 0), (0, 5)):
        with pytest.raises(ValueError, match="data must not be empty"):
            finder(np.zeros(shape))
    for data in (np.ones(5), np.ones((3, 3, 3)), np.float64(3)):
        with pytest.raises(ValueError, match="data must be a 2D array"):
            finder(data)
    for data in (np.ones((9, 9), dtype=complex), np.full((9, 9), "a")):
        with pytest.raises(TypeError, match="data must be an array of real numbers"):
            finder(data)
    with pytest.raises(ValueError, match="data and mask must have the same shape"):
        finder(np.ones((9, 9)), mask=np.zeros((3, 3), dtype=bool))
    with pytest.raises(TypeError, match="mask must be a boolean array"):
        finder(np.ones((9, 9)), mask=np.full((9, 9), 0.5))


@ALL
def test_thresholds(field, make):
    data = field[0]
    everything = make()(data)
    same = make(np.full(data.shape, 6.0))(data)
    for name in everything.colnames:
        assert np.all(same[name] == everything[name]), name
    levels = np.full(data.shape, 6.0)
    levels[:, 75:] = np.inf
    levels[60:] = np.nan
    here = (everything["x_centroid"] < 74.5) & (everything["y_centroid"] < 59.5)
    assert len(make(levels)(data)) == np.count_nonzero(here)
    for low in (0.0, -4.0):
        assert len(make(low, min_separation=2)(data)) > len(everything)
    with pytest.raises(ValueError, match="threshold must be a number"):
        make(np.nan)(data)
    with pytest.raises(ValueError, match="threshold array must have the same shape as"):
        make(np.ones(3))(data)
    with pytest.raises(TypeError, match="threshold must be an array of real numbers"):
        make(levels + 1j)(data)
    for none in (None, np.ma.masked):
        with pytest.raises(TypeError, match="threshold must be a number"):
            make(none)(data)


@ALL
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"min_separation": -1}, ValueError, "min_separation must be >= 0"),
        ({"min_separation": np.nan}, ValueError, "min_separation must be >= 0"),
        ({"n_brightest": 0}, ValueError, "n_brightest must be > 0"),
        ({"n_brightest": 1.5}, ValueError, "n_brightest must be an integer"),
        ({"n_brightest": True}, TypeError, "n_brightest must be an integer"),
        ({"n_threads": 0}, ValueError, "n_threads must be None or at least 1"),
        ({"nonsense": 0}, TypeError, "nonsense"),
    ],
)
def test_bad_arguments_of_all(make, arguments, error, message):
    with pytest.raises(error, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"fwhm": [3.0, 3.0]}, TypeError, "fwhm must be a scalar value"),
        ({"fwhm": 0}, ValueError, "fwhm must be positive"),
        ({"fwhm": np.nan}, ValueError, "fwhm must be positive"),
        ({"ratio": 0}, ValueError, "ratio must be > 0 and <= 1.0"),
        ({"ratio": 1.1}, ValueError, "ratio must be > 0 and <= 1.0"),
        ({"ratio": np.nan}, ValueError, "ratio must be > 0 and <= 1.0"),
        ({"theta": np.inf}, ValueError, "theta must be finite"),
        ({"theta": 3 * u.deg}, TypeError, "theta must be a number without a unit"),
        ({"sigma_radius": 0}, ValueError, "sigma_radius must be positive"),
        ({"xycoords": [1, 2]}, ValueError, "xycoords must be shaped as an Nx2 array"),
        ({"sharpness_range": 1}, ValueError, "sharpness_range must be a 2-element"),
        ({"roundness_range": (1, 2, 3)}, ValueError, "roundness_range must be a 2-el"),
    ],
)
def test_bad_arguments_of_daostarfinder(arguments, error, message):
    with pytest.raises(error, match=message):
        DAOStarFinder(**{"threshold": 6.0, "fwhm": 3.0, **arguments})


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        (3.0, ValueError, "kernel must be a 2D array"),
        (np.ones(3), ValueError, "kernel must be a 2D array"),
        (np.zeros((0, 3)), ValueError, "kernel must have a positive maximum value"),
        (-np.ones((3, 3)), ValueError, "kernel must have a positive maximum value"),
        ([[1, np.nan]], ValueError, "kernel must contain only finite values"),
        ([[1, 1j]], TypeError, "kernel must be an array of real numbers"),
    ],
)
def test_bad_kernels(kernel, error, message):
    with pytest.raises(error, match=message):
        StarFinder(6.0, kernel)


def test_kernels_that_are_too_large(field):
    with pytest.raises(ValueError, match="kernel must have a shape of at most 511"):
        StarFinder(6.0, np.ones((512, 1)))(field[0])


def test_given_positions(field):
    data, x, y = field
    found = dao()(data)
    stars = dao(xycoords=np.column_stack([x, y]))(data)
    assert np.all(stars["flux"] == found["flux"])
    assert np.all(stars["daofind_mag"] == found["daofind_mag"])
    for outside in ((150, 3), (-0.5, 3), (3, 119.5), (np.nan, 3)):
        with pytest.raises(ValueError, match="xycoords must be within the bounds"):
            dao(xycoords=[outside])(data)
    with pytest.warns(NoDetectionsWarning, match="No sources were found"):
        assert dao(xycoords=np.zeros((0, 2)))(data) is None
    mask = np.ones(data.shape, dtype=bool)
    assert len(dao(1e9, xycoords=[(x[0], y[0])])(data, mask=mask)) == 1


def test_the_threshold_of_daostarfinder_is_that_of_a_pixel(field):
    data = field[0]
    low, high = dao(scale_threshold=True)(data), dao(scale_threshold=False)(data)
    scale = 10 ** (0.4 * (low["daofind_mag"] - high["daofind_mag"]))
    # The kernel of 13 pixels: 1 / sqrt(sum g^2 - (sum g)^2 / 13).
    g = np.exp(-4 * np.log(2) * np.repeat([0, 1, 2, 4], [1, 4, 4, 4]) / 9)
    expected = 1 / np.sqrt(np.sum(g**2) - np.sum(g) ** 2 / 13)
    np.testing.assert_allclose(scale, expected, rtol=1e-12)


def test_long_stars_have_roundness():
    yy, xx = np.mgrid[:41, :41]
    data = 100 * np.exp(-((xx - 20) ** 2) / 8 - (yy - 20) ** 2 / 2)
    round_one = dao(roundness_range=None)(data)
    assert round_one["roundness2"][0] < -0.5
    with pytest.warns(NoDetectionsWarning, match="none pass the filtering"):
        assert dao(roundness_range=(-0.1, 0.1))(data) is None
    own = DAOStarFinder(6.0, 4.71, ratio=0.5, theta=180.0, roundness_range=None)(data)
    assert abs(own["roundness2"][0]) < 1e-3
    across = StarFinder(6.0, data[15:26, 15:26].T)(data.T)
    assert across["orientation"][0] == 90 * u.deg


def test_kernels_of_astropy(field):
    stars = StarFinder(6.0, Gaussian2DKernel(SIGMA, x_size=9, y_size=9))(field[0])
    expected = star()(field[0])
    np.testing.assert_allclose(stars["x_centroid"], expected["x_centroid"], rtol=1e-12)


def test_repr():
    assert repr(dao()) == (
        "DAOStarFinder(threshold=6.0, fwhm=3.0, ratio=1.0, theta=0.0, "
        "sigma_radius=1.5, sharpness_range=(0.2, 1.0), roundness_range=(-1.0, 1.0), "
        "exclude_border=False, n_brightest=None, peak_max=None, xycoords=None, "
        "min_separation=7.5, scale_threshold=True, n_threads=None)"
    )
    assert repr(star()) == (
        "StarFinder(threshold=6.0, kernel=<array; shape=(9, 9)>, min_separation=10.0, "
        "exclude_border=False, n_brightest=None, peak_max=None, n_threads=None)"
    )
    assert DAOStarFinder(6, 3, theta=-30).theta == 330.0


class TestUsersFinder:
    class Finder(StarFinderBase):
        def find_stars(self, data, *, mask=None):
            self.mask = mask
            y, x = np.unravel_index(np.argmax(data), data.shape)
            return QTable({"x_centroid": [x + 0.2], "y_centroid": [y - 0.2]})

    def test_it_is_called_by_the_photometry(self):
        finder = self.Finder()
        yy, xx = np.mgrid[:30, :30]
        data = CircularGaussianPRF(flux=500, x_0=15.0, y_0=15.0, fwhm=3)(xx, yy)
        mask = np.zeros(data.shape, dtype=bool)
        phot = PSFPhotometry(
            CircularGaussianPRF(fwhm=3), 7, finder=finder, aperture_radius=3
        )
        result = phot(data, mask=mask)
        assert result["x_fit"][0] == pytest.approx(15.0, abs=1e-6)
        assert finder.mask is not None

    def test_find_stars_must_be_there(self):
        with pytest.raises(TypeError, match="abstract"):
            StarFinderBase()
        assert isinstance(dao(), StarFinderBase)

    @pytest.mark.parametrize("make", [iraf, dao])
    def test_the_finders_tables_start_a_fit(self, field, make):
        phot = PSFPhotometry(
            CircularGaussianPRF(fwhm=3.06), 7, finder=make(), aperture_radius=4
        )
        result = phot(field[0])
        np.testing.assert_allclose(result["x_fit"], field[1], atol=0.1)
        # Its own table is accepted as starting values, without a warning.
        again = phot(
            field[0], init_params=phot.finder_results["x_centroid", "y_centroid"]
        )
        np.testing.assert_allclose(again["x_fit"], result["x_fit"], atol=1e-3)
