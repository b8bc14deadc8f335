"""find_peaks, by itself."""

import numpy as np
import pytest
from astropy import units as u
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from psfphot.detection import find_peaks
from psfphot.utils import NoDetectionsWarning

DATA = np.array([[0, 1, 0, 0, 7], [0, 0, 0, 0, 0], [0, 5, 0, 9, 0], [0, 0, 0, 0, 9]])


def places(*arguments, **options):
    table = find_peaks(*arguments, **options)
    return list(zip(table["x_peak"].tolist(), table["y_peak"].tolist(), strict=True))


def test_columns():
    table = find_peaks(DATA, 2)
    assert table.colnames == ["id", "x_peak", "y_peak", "peak_value"]
    assert table["peak_value"].tolist() == [7, 5, 9, 9]
    assert all(table[name].dtype == np.int64 for name in table.colnames)
    assert find_peaks(DATA.astype("f4"), 2)["peak_value"].dtype == np.float32
    assert find_peaks(DATA.astype("u1"), 2)["peak_value"].dtype == np.uint8
    assert table.meta["version"]["psfphot"]


def test_neighbourhoods():
    tied = [(3, 2), (4, 3)]
    assert places(DATA, 2) == [(4, 0), (1, 2), *tied]
    assert places(DATA, 7) == tied
    assert places(DATA, 2, box_size=5) == tied
    assert places(DATA, 2, box_size=(1, 5)) == [(4, 0), *tied]
    assert places(DATA, 2, box_size=10**9) == tied
    row = np.ones((1, 3), dtype=bool)
    assert places(DATA, 0, footprint=row) == [
        (1, 0),
        (4, 0),
        (1, 2),
        *tied,
    ]
    # Two equal ones are one within the separation.
    assert places(DATA, 2, min_separation=1.4) == [(4, 0), (1, 2), *tied]
    assert places(DATA, 2, min_separation=1.5) == [(4, 0), (1, 2), (3, 2)]
    assert places(DATA, 2, min_separation=2.2) == [(4, 0), (3, 2)]
    assert places(DATA, 2, min_separation=2.3) == [(3, 2)]


def test_selection():
    assert places(DATA, 2, n_peaks=3) == [(3, 2), (4, 3), (4, 0)]
    assert places(DATA.astype("u1"), 2, n_peaks=1) == [(3, 2)]
    assert places(DATA, 2, border_width=1) == [(1, 2), (3, 2)]
    assert places(DATA, 2, border_width=np.array([1, 1])) == [(1, 2), (3, 2)]
    assert places(DATA, 2, border_width=(0, 1)) == [(1, 2), (3, 2)]
    assert places(DATA, 2, n_peaks=np.inf, border_width=(1, 0)) == [
        (1, 2),
        (3, 2),
    ]
    levels = np.where(DATA == 9, 10, 2)
    assert places(DATA, levels) == [(4, 0), (1, 2)]


def test_masked_pixels_are_nans():
    mask = DATA == 9
    expected = [(4, 0), (1, 2)]
    assert places(DATA, 2, mask=mask) == expected
    assert places(np.ma.MaskedArray(DATA, mask), 2) == expected
    assert places(np.where(mask, np.nan, DATA), 2) == expected


def test_units():
    table = find_peaks(DATA * u.Jy, 2 * u.Jy)
    assert table["peak_value"].unit == u.Jy
    with pytest.raises(ValueError, match="must all have the same units"):
        find_peaks(DATA * u.Jy, 2)


def test_nothing():
    with pytest.warns(NoDetectionsWarning, match="No local peaks were found"):
        assert find_peaks(DATA, 9) is None
    with pytest.warns(NoDetectionsWarning, match="Input data is constant"):
        assert find_peaks(np.ones((4, 4)), 0) is None
    with pytest.warns(NoDetectionsWarning, match="No local peaks were found"):
        assert find_peaks(DATA, 2, border_width=100) is None


def test_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.cdelt = (30, 20), (-0.1, 0.1)

    def middle(cutout, mask):
        return 1.25, 1.0

    table = find_peaks(DATA[:, :4], 4, wcs=wcs, centroid_func=middle)
    assert table.colnames == [
        "id",
        "x_peak",
        "y_peak",
        "skycoord_peak",
        "peak_value",
        "x_centroid",
        "y_centroid",
        "skycoord_centroid",
    ]
    assert table["x_centroid"].tolist() == [1.25, 3.25]
    x, y = wcs.world_to_pixel(table["skycoord_centroid"])
    np.testing.assert_allclose(x, table["x_centroid"], atol=1e-9)
    x, y = wcs.world_to_pixel(table["skycoord_peak"])
    np.testing.assert_allclose(y, table["y_peak"], atol=1e-9)


def test_centroid_functions_get_cutouts():
    calls = []

    def centroid(cutout, *, mask, error):
        calls.append((cutout, mask, error))
        return 0, 0

    data = DATA.astype(float)
    mask = np.zeros(data.shape, dtype=bool)
    mask[1, 1], data[1, 2] = True, np.nan
    shape = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1]], dtype=bool)
    error = np.arange(20.0).reshape(4, 5)
    table = find_peaks(
        data, 2, mask=mask, error=error, footprint=shape, centroid_func=centroid
    )
    cutout, hidden, noise = calls[table["x_peak"].tolist().index(1)]
    assert cutout.tolist() == [[0, 0, 0], [0, 5, 0], [0, 0, 0]]
    expected = ~shape
    expected[0, 1:] = True
    assert hidden.tolist() == expected.tolist()
    assert noise.tolist() == error[1:4, 0:3].tolist()
    # At the corner the cutout ends.
    assert calls[0][0].shape == (2, 2)
    assert table["x_centroid"][0] == 3


def test_centroid_functions_may_fail_and_need_no_error():
    def fails(cutout, mask):
        if cutout.max() == 7:
            raise ValueError("too few pixels")
        return 1.0, 1.0

    with pytest.warns(AstropyUserWarning, match=r"\(4, 0\): too few") as caught:
        table = find_peaks(DATA, 4, centroid_func=fails, error=DATA)
    assert caught[0].filename == __file__
    assert np.isnan(table["x_centroid"][0])
    assert table["y_centroid"][1:].tolist() == [2.0, 2.0, 3.0]

    class Broken:
        def __call__(self, cutout, **options):
            assert cutout.shape == options["error"].shape
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        find_peaks(DATA, 4, centroid_func=Broken(), error=DATA)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"box_size": 0}, ValueError, "box_size must be >= 1"),
        ({"box_size": 2.5}, ValueError, "box_size must have integer values"),
        ({"box_size": (3, 3, 3)}, ValueError, "box_size must have 1 or 2 elements"),
        ({"box_size": None}, TypeError, "box_size must be an array of real"),
        ({"footprint": np.ones(3)}, ValueError, "footprint must be a 2D array"),
        ({"footprint": np.zeros((3, 3))}, ValueError, "footprint must have a True"),
        ({"border_width": -1}, ValueError, "border_width must be >= 0"),
        ({"border_width": 1.5}, ValueError, "border_width must have integer"),
        ({"n_peaks": 0}, ValueError, "n_peaks must be > 0"),
        ({"n_peaks": 1.5}, ValueError, "n_peaks must be an integer"),
        ({"n_peaks": [3]}, TypeError, "n_peaks must be a scalar value"),
        ({"n_peaks": True}, TypeError, "n_peaks must be an integer"),
        ({"min_separation": -1}, ValueError, "min_separation must be >= 0"),
        ({"min_separation": [1, 2]}, TypeError, "min_separation must be a scalar"),
        ({"threshold": np.nan}, ValueError, "threshold must be a number"),
        ({"threshold": [1, 2]}, ValueError, "threshold array must have the same"),
        ({"centroid_func": 3}, TypeError, "centroid_func must be a callable"),
        (
            {"centroid_func": max, "box_size": 4},
            ValueError,
            "box_size must have an odd value for both axes",
        ),
        (
            {"centroid_func": max, "error": np.ones(3)},
            ValueError,
            "error must be a 2D array",
        ),
        ({"mask": np.ones((2, 2), dtype=bool)}, ValueError, "same shape"),
        ({"data": np.zeros((0, 3))}, ValueError, "data must not be empty"),
        ({"data": np.zeros(3)}, ValueError, "data must be a 2D array"),
        ({"data": np.zeros((3, 3)) + 1j}, TypeError, "array of real numbers"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        find_peaks(**{"data": DATA, "threshold": 2, **arguments})
