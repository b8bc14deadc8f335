"""Catalogues and regions as files, and the sky estimate."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable, Table

from psfphot.io import add_snr, estimate_sky, write_catalog, write_regions


@pytest.fixture
def catalog():
    table = QTable({"id": [1, 2, 3], "x_fit": [0.0, 10.25, np.nan]})
    table["y_fit"] = [0.0, 4.0, 1.0]
    table["flux_fit"] = [1.5, 2.5, np.nan] * u.DN / u.s
    table["flags"] = [0, 9, 512]
    table.meta["fit_shape"] = (5, np.int64(5))
    table.meta["version"] = {"psfphot": "0"}
    table.meta["psf"] = object
    return table


def test_ecsv_round_trip(tmp_path, catalog):
    path = tmp_path / "c.ecsv"
    write_catalog(path, catalog)
    again = QTable.read(path)
    assert again.colnames == catalog.colnames
    assert again["flux_fit"].unit == u.DN / u.s
    np.testing.assert_array_equal(again["x_fit"], catalog["x_fit"])
    assert again.meta["fit_shape"] == [5, 5]
    assert again.meta["version"] == {"psfphot": "0"}
    assert catalog.meta["fit_shape"] == (5, 5)
    assert [p.name for p in tmp_path.iterdir()] == ["c.ecsv"]


@pytest.mark.parametrize("name", ["c.fits", "c.fits.gz"])
def test_fits_keeps_the_meta_as_comments(tmp_path, catalog, name):
    write_catalog(tmp_path / name, catalog)
    again = Table.read(tmp_path / name, unit_parse_strict="silent")
    assert str(again["flux_fit"].unit) == "DN / s"
    np.testing.assert_array_equal(again["flags"], catalog["flags"])
    comments = str(fits.getheader(tmp_path / name, 1)["COMMENT"])
    assert "fit_shape = [5, 5]" in comments
    assert "HIERARCH" not in str(fits.getheader(tmp_path / name, 1))


def test_regions_count_from_1_and_show_flags(tmp_path, catalog):
    path = tmp_path / "c.reg"
    write_regions(path, catalog, radius=2.5)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[2] == "image"
    assert lines[3] == "circle(1.000,1.000,2.50)"
    assert lines[4].startswith("circle(11.250,5.000,2.50) # color=red")
    assert len(lines) == 5  # a star without a position is nowhere


def test_sky_of_noise_with_stars_and_a_slope():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:200, :300]
    image = rng.normal(50, 2, (200, 300)) + 0.2 * x
    for row, column in rng.integers(5, 190, (300, 2)):
        with np.errstate(under="ignore"):
            image += 300 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / 2)
    sky = estimate_sky(image)
    # The slope is 0.2 a pixel: 1.8 r.m.s. in a box, 17 over the image.
    assert sky.noise == pytest.approx(2.8, rel=0.15)
    assert sky.level == pytest.approx(80, abs=3)
    assert "32 x 32" in sky.method


def test_sky_leaves_out_masked_pixels_and_nans():
    rng = np.random.default_rng(2)
    image = rng.normal(10, 1, (96, 96))
    mask = np.zeros(image.shape, dtype=bool)
    image[:40], mask[:40] = 1e6, True
    image[50:53] = np.nan
    sky = estimate_sky(image, mask)
    assert sky.level == pytest.approx(10, abs=0.1)
    assert sky.noise == pytest.approx(1, rel=0.1)


def test_sky_of_a_small_image():
    rng = np.random.default_rng(3)
    assert estimate_sky(rng.normal(5, 1, (20, 11))).noise == pytest.approx(1, rel=0.2)
    with pytest.raises(ValueError, match="finite, unmasked pixels"):
        estimate_sky(np.full((50, 50), np.nan))


@pytest.fixture
def measured():
    rng = np.random.default_rng(4)
    n = 30
    table = QTable({"id": np.arange(n), "x_fit": rng.uniform(0, 500, n)})
    table["y_fit"] = rng.uniform(0, 500, n)
    table["ra"], table["dec"] = rng.uniform(0, 80, (2, n)) * u.deg
    table["flux_fit"] = 10 ** rng.uniform(0, 6, n) * u.DN
    for name in ("x_err", "y_err"):
        table[name] = 10 ** rng.uniform(-4, 0, n)
    for name in ("ra_err", "dec_err"):
        table[name] = 10 ** rng.uniform(-3, 2, n) * u.mas
    table["flux_err"] = 10 ** rng.uniform(-2, 3, n) * u.DN
    table["flux_err"][3] = np.nan
    table["theirs"] = rng.uniform(0, 1, n)
    table.meta["psf"] = "a PSF"
    return table


def test_text_has_the_digits_that_errors_deserve(tmp_path, measured):
    before = measured.copy()
    write_catalog(str(tmp_path / "c.ecsv"), measured)
    assert all((measured[name] == before[name])[:3].all() for name in before.colnames)
    again = QTable.read(tmp_path / "c.ecsv")
    for name, error, unit in (
        ("x_fit", "x_err", 1),
        ("y_fit", "y_err", 1),
        ("ra", "ra_err", 1 / 3.6e6),
        ("dec", "dec_err", 1 / 3.6e6),
        ("flux_fit", "flux_err", 1),
    ):
        value, sigma = (np.asarray(measured[n], float) for n in (name, error))
        off = np.abs(np.asarray(again[name], float) - value) / (sigma * unit)
        known = np.isfinite(sigma)
        assert off[known].max() <= 0.00501
        assert off[known].max() > 0.0005
    np.testing.assert_allclose(again["flux_err"], measured["flux_err"], rtol=1e-5)
    np.testing.assert_array_equal(again["theirs"], measured["theirs"])
    words = (tmp_path / "c.ecsv").read_text().splitlines()[-1].split()
    assert max(len(word) for word in words[1:-1]) <= 15


def test_csv_and_votable(tmp_path, measured):
    write_catalog(tmp_path / "c.csv", measured)
    text = (tmp_path / "c.csv").read_text().splitlines()
    assert text[0].startswith("id,x_fit,y_fit,ra,dec,flux_fit")
    assert len(text) == len(measured) + 1
    again = Table.read(tmp_path / "c.csv")
    np.testing.assert_allclose(
        again["flux_fit"][4], measured["flux_fit"][4].value, rtol=1e-2
    )
    for name in ("c.vot", "c.xml"):
        write_catalog(tmp_path / name, measured)
        votable = QTable.read(tmp_path / name, format="votable", unit_format="generic")
        np.testing.assert_array_equal(votable["x_fit"], measured["x_fit"])
        assert votable["ra_err"].unit == u.mas
        assert "psf = a PSF" in (tmp_path / name).read_text()


def test_snr_follows_the_error(catalog):
    table = QTable({"flux_fit": [10.0, -3.0, 1.0], "flux_err": [2.0, 1.0, 0.0]})
    table["qfit"] = 1.0
    add_snr(table)
    assert table.colnames == ["flux_fit", "flux_err", "snr", "qfit"]
    np.testing.assert_array_equal(table["snr"], [5, -3, np.nan])
