"""The names of before photutils 3.0, of arguments and of columns."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, hstack, vstack
from astropy.utils.exceptions import AstropyDeprecationWarning

import psfphot
from psfphot import use_future_column_names
from psfphot._deprecated import RenamedColumnsTable, old_arguments
from psfphot.detection import DAOStarFinder, IRAFStarFinder, StarFinder, find_peaks

YY, XX = np.mgrid[:40, :50]
DATA = sum(
    height * np.exp(-((XX - x) ** 2 + (YY - y) ** 2) / 3.4)
    for x, y, height in ((12.3, 11.2, 50.0), (36.6, 28.7, 80.0))
)
KERNEL = np.exp(-((XX - 3) ** 2 + (YY - 3) ** 2) / 3.4)[:7, :7]


@pytest.fixture
def stars():
    return IRAFStarFinder(5.0 * u.Jy, 3.0)(DATA * u.Jy)


def old(message="deprecated in photutils 3.0"):
    return pytest.warns(AstropyDeprecationWarning, match=message)


def test_columns_have_the_new_names_and_are_found_by_the_old(stars):
    assert isinstance(stars, QTable)
    assert "xcentroid" not in stars.colnames
    for before, now in (
        ("xcentroid", "x_centroid"),
        ("ycentroid", "y_centroid"),
        ("pa", "orientation"),
        ("npix", "n_pixels"),
    ):
        with old(f"'{before}' was deprecated .* Use '{now}' instead") as caught:
            column = stars[before]
        assert caught[0].filename == __file__
        assert np.all(column == stars[now])
        with old(), pytest.raises(KeyError):
            stars[before, "nothing"]
    for other in ("x_centroid", "flux", "nothing"):
        assert (other in stars) == (other in stars.colnames)
    with pytest.raises(KeyError, match="npixfit"):
        stars["npixfit"]


def test_old_names_in_lists_rows_and_slices(stars):
    for names in (["id", "xcentroid"], ("id", "xcentroid")):
        with old():
            assert stars[names].colnames == ["id", "x_centroid"]
    with old() as caught:
        assert [row["xcentroid"] for row in stars] == stars["x_centroid"].tolist()
    assert caught[0].filename == __file__
    with old():
        assert stars[1]["pa"] == stars["orientation"][1]
    with old():
        assert tuple(stars[1]["id", "npix"]) == (2, stars["n_pixels"][1])
    for part in (stars[:1], stars[[0]], stars[np.array([True, False])]):
        with old():
            assert part["ycentroid"][0] == stars["y_centroid"][0]


def test_old_names_in_whatever_changes_a_table(stars):
    with old():
        assert "xcentroid" in stars
    with old():
        stars["xcentroid"] = [7.0, 8.0]
    assert stars["x_centroid"].tolist() == [7.0, 8.0]
    with old():
        stars[0]["xcentroid"] = 9.0
    with old():
        stars.sort("xcentroid")
    assert stars["x_centroid"].tolist() == [8.0, 9.0]
    with old():
        assert stars.argsort("xcentroid", reverse=True).tolist() == [1, 0]
    with old():
        assert stars.index_column("xcentroid") == 1
    with old():
        assert len(stars.group_by("xcentroid").groups) == 2
    with old():
        stars.replace_column("xcentroid", [1.0, 2.0])
    with old():
        stars.add_index("xcentroid")
    assert stars.loc[2.0]["id"] == stars["id"][1]
    stars.remove_indices("x_centroid")
    with old():
        stars.rename_columns(["xcentroid", "pa"], ["x", "angle"])
    assert stars["x"].tolist() == [1.0, 2.0]
    # Without the new column the old name is any other name.
    stars["pa"] = [1, 2]
    assert stars["pa"].tolist() == [1, 2]
    with old():
        del stars["ycentroid"]
    with old():
        stars.remove_columns(["npix"])
    assert not {"y_centroid", "n_pixels"} & set(stars.colnames)


def test_old_names_to_keep_and_to_remove(stars):
    with old():
        stars.keep_columns(["id", "npix", "pa"])
    with old():
        stars.remove_column("npix")
    with old():
        stars.rename_column("pa", "angle")
    assert stars.colnames == ["id", "angle"]


def test_the_table_survives_copies_and_joins(stars):
    assert type(stars) is RenamedColumnsTable
    plain = QTable({"a": [1, 2]})
    tables = [
        stars.copy(),
        copy.copy(stars),
        copy.deepcopy(stars),
        pickle.loads(pickle.dumps(stars)),  # noqa: S301
        vstack([stars, stars]),
        hstack([stars, plain]),
        hstack([plain, stars]),
    ]
    for table in tables:
        with old():
            assert table["xcentroid"][0] == stars["x_centroid"][0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        QTable(stars)["x_centroid"]


@pytest.mark.parametrize("ending", ["ecsv", "fits"])
def test_files_hold_a_plain_table(stars, tmp_path, ending):
    path = tmp_path / f"stars.{ending}"
    stars.meta.clear()
    stars.write(path)
    table = QTable.read(path)
    assert type(table) is QTable
    assert table.colnames == stars.colnames
    assert table["flux"].unit == u.Jy
    assert np.all(table["flux"] == stars["flux"])


def test_future_column_names(monkeypatch):
    finder = DAOStarFinder(5.0, 3.0)
    with use_future_column_names():
        assert type(finder(DATA)) is QTable
        with use_future_column_names(enabled=False):
            assert type(finder(DATA)) is RenamedColumnsTable
    assert type(finder(DATA)) is RenamedColumnsTable
    assert psfphot.future_column_names is False
    monkeypatch.setattr(psfphot, "future_column_names", True)
    table = finder(DATA)
    assert type(table) is QTable
    with pytest.raises(KeyError):
        table["xcentroid"]
    with use_future_column_names(enabled=False):
        assert type(finder(DATA)) is RenamedColumnsTable


@pytest.mark.parametrize("finder", [IRAFStarFinder, DAOStarFinder])
def test_old_arguments(finder):
    with old("'brightest' was deprecated .* Use 'n_brightest' instead") as caught:
        assert finder(5, 3, brightest=4).n_brightest == 4
    assert caught[0].filename == __file__
    with old("'peakmax' was"):
        assert finder(5, 3, peakmax=4.0).peak_max == 4.0
    with old(r"Use 'sharpness_range=\(lower, upper\)' instead"):
        assert finder(5, 3, sharplo=0.3).sharpness_range[0] == 0.3
    default = finder(5, 3)
    with old():
        both = finder(5, 3, sharphi=0.9, roundlo=-0.5, roundhi=0.5)
    assert both.sharpness_range == (default.sharpness_range[0], 0.9)
    assert both.roundness_range == (-0.5, 0.5)
    with old():
        half = finder(5, 3, roundhi=0.5, roundness_range=(-0.1, 0.1))
    assert half.roundness_range == (-0.1, 0.5)
    with old():
        assert finder(5, 3, roundlo=0.1, roundness_range=None).roundness_range == (
            0.1,
            default.roundness_range[1],
        )
    with pytest.raises(TypeError, match="brightest"):
        finder(5, 3, brightest=4, n_brightest=4)


def test_old_separation_of_irafstarfinder():
    with old("Use 'min_separation' instead") as caught:
        assert IRAFStarFinder(5, 3, minsep_fwhm=2.5).min_separation == 8
    assert caught[0].filename == __file__
    with old():
        assert IRAFStarFinder(5, 3, minsep_fwhm=0.1).min_separation == 2
    with old():
        finder = IRAFStarFinder(5, 3, minsep_fwhm=2.5, min_separation=4)
    assert finder.min_separation == 4
    with old(), pytest.raises(ValueError, match="minsep_fwhm must be >= 0"):
        IRAFStarFinder(5, 3, minsep_fwhm=-1)


def test_optional_arguments_by_position():
    with old("Passing 'sigma_radius' positionally to 'IRAFStarFinder") as caught:
        assert IRAFStarFinder(5, 3, 2.0).sigma_radius == 2.0
    assert caught[0].filename == __file__
    with old():
        finder = IRAFStarFinder(5, 3, 2.0, 1.5, 0.4, 1.9, 0.1, 0.3, True, 9, 8.0)
    assert (finder.min_separation, finder.exclude_border) == (5, True)
    assert (finder.sharpness_range, finder.roundness_range) == ((0.4, 1.9), (0.1, 0.3))
    assert (finder.n_brightest, finder.peak_max) == (9, 8.0)
    with old():
        finder = DAOStarFinder(5, 3, 0.5, 30.0, 2.0)
    assert (finder.ratio, finder.theta, finder.sigma_radius) == (0.5, 30.0, 2.0)
    with old():
        finder = StarFinder(5, KERNEL, 4.0, True)
    assert (finder.min_separation, finder.exclude_border) == (4.0, True)
    with old():
        assert StarFinder(5, KERNEL, brightest=3, peakmax=8.0).n_brightest == 3
    mask = np.zeros(DATA.shape, dtype=bool)
    for finder in (IRAFStarFinder(5, 3), DAOStarFinder(5, 3), StarFinder(5, KERNEL)):
        for call in (finder, finder.find_stars):
            with old("Passing 'mask' positionally") as caught:
                assert len(call(DATA, mask)) == 2
            assert caught[0].filename == __file__
    with pytest.raises(TypeError, match="positional arguments"):
        StarFinder(5, KERNEL, 4.0, True, 3, 8.0, 1)
    with pytest.raises(TypeError, match="positional arguments"):
        StarFinder(5, KERNEL, 4.0, min_separation=4.0)


def test_old_argument_of_find_peaks():
    with old("'npeaks' was"):
        assert len(find_peaks(DATA, 5.0, npeaks=1)) == 1


def test_a_function_keeps_its_signature():
    @old_arguments("b", renamed={"c": "b"})
    def function(a, *, b=1):
        """Add."""
        return a + b

    assert function.__doc__ == "Add."
    assert function(1) == 2
    assert function(1, b=2) == 3
    with old():
        assert function(1, 2) == 3
    with old():
        assert function(1, c=2) == 3
    with pytest.raises(TypeError):
        function(1, 2, 3)
    with pytest.raises(TypeError):
        function()
