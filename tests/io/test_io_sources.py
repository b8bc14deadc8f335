"""Catalogues placed on an image with a distorted WCS; Parquet."""

from importlib.util import find_spec

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable, Table
from cli_field import X, Y, fit, run, tangent, write_field

from psfphot.io import (
    place_sources,
    read_image,
    read_sources,
    rounded,
    write_catalog,
)


def distorted():
    """A tangent plane with quadratic terms of some pixels at the corners (SIP)."""
    header = tangent().to_header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header["A_ORDER"] = header["B_ORDER"] = 3
    header.update({"A_2_0": 1e-3, "A_1_1": -5e-4, "B_0_2": 8e-4, "A_3_0": -2e-5})
    return header


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "sip.fits"
    fits.writeto(path, np.random.default_rng(0).normal(0, 1, (80, 90)), distorted())
    return read_image(path)


def test_through_a_distorted_wcs_and_back(image):
    sky = image.wcs.pixel_to_world(X, Y)
    plain = tangent().pixel_to_world(X, Y)
    assert sky.separation(plain).max() > 0.3 * u.arcsec
    placed = place_sources(QTable({"sky": sky}), image, name="c")
    np.testing.assert_allclose(placed.x, X, atol=1e-3)
    np.testing.assert_allclose(placed.y, Y, atol=1e-3)


def test_where_the_distortion_means_nothing_there_is_no_position(image):
    ra, dec = np.meshgrid(np.linspace(0, 359, 40), np.linspace(-89, 89, 30))
    sky = SkyCoord(ra.ravel(), dec.ravel(), unit="deg")
    placed = place_sources(QTable({"sky": sky}), image, name="c")
    far = sky.separation(SkyCoord(150, 30, unit="deg")) > 0.1 * u.deg
    inside = (np.abs(placed.x - 45) < 60) & (np.abs(placed.y - 40) < 60)
    assert not (inside & far).any()
    assert np.isnan(placed.x[far]).mean() > 0.9


def test_masked_positions_have_none(image):
    table = QTable({"x": np.ma.array([1.0, 2.0], mask=[False, True]), "y": [3.0, 4.0]})
    placed = place_sources(table, image, name="c")
    np.testing.assert_array_equal(placed.x, [1, np.nan])


def test_a_table_of_results_starts_from_what_was_fitted(image):
    table = QTable({"x_init": [1.0], "x_fit": [2.0], "y_init": [3.0], "y_fit": [4.0]})
    placed = place_sources(table, image, name="c")
    assert (placed.x[0], placed.y[0]) == (2, 4)
    assert placed.source == "x_fit and y_fit (pixels)"


def test_parquet_round_trip(tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    image = write_field(tmp_path / "a.fits", wcs=tangent(), BUNIT="nJy")
    for name in ("c.parquet", "c.ecsv"):
        fit(image, "-o", tmp_path / name)
    again = read_sources(tmp_path / "c.parquet")
    ecsv = QTable.read(tmp_path / "c.ecsv")
    assert again.colnames == ecsv.colnames
    for name in again.colnames:
        # (text is rounded)
        np.testing.assert_array_equal(rounded(again)[name], Table(ecsv)[name])
        assert again[name].dtype == ecsv[name].dtype
    assert again["flux_fit"].unit == u.nJy
    assert again["mag"].info.description == ecsv["mag"].info.description
    assert again.meta["fit_shape"] == [7, 7]
    own = {key for key in ecsv.meta if key not in {"date"}}
    assert {key: again.meta[key] for key in own} == {key: ecsv.meta[key] for key in own}
    words = ["--catalog", tmp_path / "c.parquet", "--forced"]
    fit(image, *words, "-o", tmp_path / "d.parquet")
    forced = read_sources(tmp_path / "d.parquet")
    np.testing.assert_allclose(forced["x_fit"], again["x_fit"], atol=1e-6)


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    def without(name):
        return None if name == "pyarrow" else find_spec(name)

    image = write_field(tmp_path / "a.fits")
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr("psfphot.io._catalogs.find_spec", without)
    words = ["--psf", "gaussian:2.5", "--overwrite"]
    for more in (
        ["-o", tmp_path / "c.parquet"],
        ["-o", tmp_path / "o.ecsv", "--catalog", tmp_path / "c.parquet"],
    ):
        result = run("fit", image, *words, *more)
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        assert "c.parquet: Parquet needs pyarrow: pip install" in result.stderr
    with pytest.raises(ImportError, match=r"psfphot\[parquet\]"):
        write_catalog(tmp_path / "c.parquet", Table({"x": [1.0]}))
