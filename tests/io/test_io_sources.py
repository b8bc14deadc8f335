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
    FileFormatError,
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


SEXTRACTOR = """\
#   1 NUMBER                 Running object number
#   2 X_IMAGE                Object position along x                [pixel]
#   3 Y_IMAGE                Object position along y                [pixel]
#   4 FLUX_AUTO              Flux within a Kron-like aperture       [count]
         1    11.500     21.250   1234.5
         2    31.000     41.000     99.0
"""

ALLSTAR = """\
 NL    NX    NY  LOWBAD HIGHBAD  THRESH     AP1  PH/ADU  RNOISE    FRAD
  1   800   800   100.0 32000.0   20.00    3.00    2.00    5.00    7.00

      7   11.500   21.250   14.123   0.0123   120.500       4.   1.0200   0.0100
      9   31.000   41.000   15.900   0.0400   120.100       5.   0.9800  -0.0200
"""

APERTURES = """\
 NL    NX    NY  LOWBAD HIGHBAD  THRESH     AP1  PH/ADU  RNOISE
  2   800   800   100.0 32000.0   20.00    3.00    2.00    5.00


      7   11.500   21.250   14.123   13.99
      120.500  3.20  0.10  0.0123  0.0111

      9   31.000   41.000   15.900   15.80
      120.100  3.20  0.10  0.0400  0.0390
"""

IRAF = """\
#K IRAF       = NOAO/IRAFV2.10EXPORT  version    %-23s
#N ID    XCENTER   YCENTER   MAG         MERR          MSKY           NITER    \\
#U ##    pixels    pixels    magnitudes  magnitudes    counts         ##       \\
#F %-9d  %-10.3f   %-10.3f   %-12.3f     %-14.3f       %-15.7g        %-6d
#N         SHARPNESS   CHI         PIER  PERROR                                \\
#U         ##          ##          ##    perrors                               \\
#F         %-23.3f     %-12.3f     %-6d  %-13s
#
14       11.500    21.250    15.461      0.003         34.85955       4        \\
   -0.032              0.802       0     No_error
18       31.000    41.000    16.329      0.004         30.72200       4        \\
   -0.029              0.945       0     No_error
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.cat", SEXTRACTOR),
        ("a.txt", SEXTRACTOR),
        ("a.als", ALLSTAR),
        ("a.ap", APERTURES),
        ("a.mag", IRAF),
    ],
)
def test_tables_of_sextractor_and_daophot_count_from_1(tmp_path, image, name, text):
    (tmp_path / name).write_text(text)
    placed = place_sources(read_sources(str(tmp_path / name)), image, name=name)
    assert placed.x.tolist() == [10.5, 30]
    assert placed.y.tolist() == [20.25, 40]
    assert "pixels from 1" in placed.source


def test_sextractor_in_fits_ldac(tmp_path, image):
    objects = QTable({"XWIN_IMAGE": [3.0], "YWIN_IMAGE": [5.0], "X_IMAGE": [4.0]})
    objects["Y_IMAGE"] = [6.0]
    head = fits.BinTableHDU(
        QTable({"Field Header Card": [b"SIMPLE"]}), name="LDAC_IMHEAD"
    )
    hdus = [fits.PrimaryHDU(), head, fits.BinTableHDU(objects, name="LDAC_OBJECTS")]
    for name in ("a.fits", "a.cat"):
        fits.HDUList(hdus).writeto(tmp_path / name)
        placed = place_sources(read_sources(tmp_path / name), image, name=name)
        assert (placed.x[0], placed.y[0]) == (2, 4)


@pytest.mark.parametrize("style", [":", " ", "hms"])
def test_sexagesimal_coordinates(tmp_path, image, style):
    sky = image.wcs.pixel_to_world(X, Y)
    hours = {"sep": style} if style != "hms" else {}
    ra = sky.ra.to_string("hourangle", precision=6, **hours)
    dec = sky.dec.to_string("deg", precision=5, alwayssign=True, **hours)
    QTable({"RAJ2000": [*ra, ""], "DEJ2000": [*dec, ""]}).write(tmp_path / "c.csv")
    placed = place_sources(read_sources(tmp_path / "c.csv"), image, name="c")
    np.testing.assert_allclose(placed.x[:-1], X, atol=2e-3)
    np.testing.assert_allclose(placed.y[:-1], Y, atol=2e-3)
    assert np.isnan(placed.x[-1])


def test_text_that_is_no_angle(image):
    table = QTable({"ra": ["10:20:30", "north"], "dec": ["1:2:3", "4"]})
    with pytest.raises(FileFormatError, match="ra and dec must be angles"):
        place_sources(table, image, name="c")
    # One number a column is degrees, as text too.
    sky = image.wcs.pixel_to_world(3.0, 4.0)
    table = QTable({"ra": [f"{sky.ra.deg:.9f}"], "dec": [f"{sky.dec.deg:.9f}"]})
    placed = place_sources(table, image, name="c")
    np.testing.assert_allclose([placed.x[0], placed.y[0]], [3, 4], atol=1e-3)
