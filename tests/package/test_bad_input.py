"""What cannot be used is refused by name; masks of every kind are kept."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from psfphot._validate import MAX_THREADS, as_frame, as_n_threads
from psfphot.background import LocalBackground
from psfphot.datasets import make_model_params
from psfphot.detection import IRAFStarFinder
from psfphot.psf import CircularGaussianPRF, PSFPhotometry, SourceGrouper
from psfphot.utils import NoDetectionsWarning

MODEL = CircularGaussianPRF(fwhm=3)
MASK = np.arange(35).reshape(5, 7) % 4 == 0
DATA = np.ones((30, 30))


def starts(**columns):
    values = {"x": [5.0, 20.0], "y": [6.0, 21.0], "flux": [1.0, 1.0]}
    return Table(values | columns)


def giving(result):
    """Stand in for any callable of the photometry's."""
    return lambda *_, **__: result


def both_kinds(values, mask):
    return [np.ma.MaskedArray(values, mask), Masked(values, mask=mask)]


@pytest.mark.parametrize("data", both_kinds(np.ones((5, 7)), MASK))
def test_masks_of_data(data):
    np.testing.assert_array_equal(as_frame(data).mask, MASK)
    joined = as_frame(data, mask=~MASK).mask
    assert joined.all()


def test_masks_of_quantities():
    frame = as_frame(Masked(np.ones((5, 7)) * u.Jy, mask=MASK))
    np.testing.assert_array_equal(frame.mask, MASK)
    assert frame.unit == u.Jy
    error = Masked(np.ones((5, 7)) * u.mJy, mask=MASK)
    noise = as_frame(frame.data * u.Jy, error).error
    np.testing.assert_allclose(noise, np.where(MASK, np.nan, 1e-3))


@pytest.mark.parametrize("error", both_kinds(np.ones((5, 7)), MASK))
def test_masked_errors_are_bad(error):
    noise = as_frame(np.ones((5, 7)), error).error
    np.testing.assert_array_equal(np.isnan(noise), MASK)
    assert np.asarray(getattr(error, "unmasked", error)).all()


def test_the_finder_sees_masks():
    data = np.zeros((40, 40))
    data[19:22, 19:22] = [[3, 9, 3], [9, 20, 9], [3, 9, 3]]
    finder = IRAFStarFinder(6.0, 3.0, sharpness_range=None, roundness_range=None)
    assert len(finder(data)) == 1
    threshold = np.full(data.shape, 6.0)
    for masked in both_kinds(data, data >= 0):
        with pytest.warns(NoDetectionsWarning, match="No sources"):
            assert finder(masked) is None
    for masked in both_kinds(threshold, data >= 0):
        with pytest.warns(NoDetectionsWarning, match="No sources"):
            assert IRAFStarFinder(masked, 3.0)(data) is None


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": MaskedColumn([1, 2], mask=[0, 1])}, "id column must not have masked"),
        ({"group_id": MaskedColumn([1, 2], mask=[0, 1])}, "group_id column must not"),
        ({"group_id": np.array([2**63, 1], "u8")}, "group_id must fit into a signed"),
        ({"x": [1, 2] * u.arcsec}, "x column must be in pixels, got the unit arcsec"),
        ({"y": [[1, 2], [3, 4]]}, "y column must be 1D, got 2 dimensions"),
    ],
)
def test_columns_of_init_params(columns, message):
    with pytest.raises(ValueError, match=message):
        PSFPhotometry(MODEL, 5)(DATA, init_params=QTable(starts(**columns)))


@pytest.mark.parametrize("unit", [u.pix, u.one])
def test_positions_in_pixels_are_taken(unit):
    table = QTable(starts(x=[5.0, 20.0] * unit))
    result = PSFPhotometry(MODEL, 5)(DATA, init_params=table)
    assert result["x_init"].tolist() == [5, 20]


@pytest.mark.parametrize("labels", [1, [1], [[1], [2]], [1, 2, 3]])
def test_labels_of_a_grouper(labels):
    photometry = PSFPhotometry(MODEL, 5, grouper=giving(labels))
    with pytest.raises(ValueError, match="grouper must return one label for each"):
        photometry(DATA, init_params=starts())


@pytest.mark.parametrize(
    ("levels", "error"),
    [
        (1.0, ValueError),
        ([1, 2, 3], ValueError),
        ([[1], [2]], ValueError),
        ([1, 2] * u.Jy, ValueError),
        (["a", "b"], TypeError),
    ],
)
def test_levels_of_a_background(levels, error):
    photometry = PSFPhotometry(MODEL, 5, local_bkg_estimator=giving(levels))
    with pytest.raises(error, match="local_bkg_estimator"):
        photometry(DATA, init_params=starts())


def test_a_finder_returns_a_table():
    photometry = PSFPhotometry(MODEL, 5, finder=giving([1, 2]))
    with pytest.raises(TypeError, match="finder must return an astropy Table, got lis"):
        photometry(DATA)


def test_numbers_of_threads():
    assert as_n_threads(2**70) == MAX_THREADS
    assert IRAFStarFinder(3, 3, n_threads=2**70).n_threads == MAX_THREADS
    for bad in (True, 2.0, "a"):
        with pytest.raises(TypeError, match="n_threads must be an integer"):
            IRAFStarFinder(3, 3, n_threads=bad)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda n: PSFPhotometry(MODEL, 5, fitter_maxiters=n), "fitter_maxiters"),
        (lambda n: PSFPhotometry(MODEL, n + 1), "fit_shape"),
        (lambda n: PSFPhotometry(MODEL, (n + 1, 3)), "fit_shape"),
        (lambda n: IRAFStarFinder(3, 3, n_brightest=n), "n_brightest"),
        (lambda n: IRAFStarFinder(3, 3, min_n_pixels=n), "min_n_pixels"),
        (lambda n: make_model_params((n, 3), 3), "shape"),
        (lambda n: make_model_params((9, 9), n), "n_sources"),
    ],
)
@pytest.mark.parametrize("number", [2**40, 2**65, 2**70])
def test_integers_that_are_too_large(make, name, number):
    with pytest.raises(ValueError, match=f"{name} must be <= 2147483647"):
        make(number)


NOT_NUMBERS = [
    "a",
    "3",
    b"3",
    object(),
    3 * u.pix,
    3 * u.arcsec,
    1j,
    [1],
    [[1], [2, 3]],
]


@pytest.mark.parametrize("value", NOT_NUMBERS)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (SourceGrouper, "min_separation"),
        (lambda value: LocalBackground(1, value), "outer_radius"),
        (lambda value: LocalBackground(value, 5), "inner_radius"),
        (lambda value: make_model_params(9, 1, min_separation=value), "min_separation"),
    ],
)
def test_scalars_that_are_no_numbers(make, name, value):
    with pytest.raises(TypeError, match=f"{name} must be a number without a unit"):
        make(value)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_the_radius_must_be_a_number(value):
    with pytest.raises(ValueError, match="aperture_radius must be a strictly-positive"):
        PSFPhotometry(MODEL, 5, aperture_radius=value)


def test_a_number_beyond_floats():
    with pytest.raises(ValueError, match="min_separation is too large for a float"):
        SourceGrouper(10**400)


def test_arrays_of_the_finder():
    for bad in ([["a", "b"]], [[1j, 2]]):
        with pytest.raises(TypeError, match="xycoords must be an array of real"):
            IRAFStarFinder(3, 3, xycoords=bad)
    with pytest.raises(ValueError, match="xycoords must be in pixels, got the unit"):
        IRAFStarFinder(3, 3, xycoords=[[1, 2]] * u.arcsec)
    with pytest.raises(TypeError, match="threshold must be an array of real numbers"):
        IRAFStarFinder(DATA + 1j, 3)(DATA)
