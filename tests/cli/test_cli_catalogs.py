"""``psfphot fit --catalog``: forced photometry and starting values."""

import io

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from cli_field import (
    FLUX,
    SHAPE,
    X,
    Y,
    assert_matches,
    fit,
    make_field,
    run,
    tangent,
    write_field,
)


@pytest.fixture
def image(tmp_path):
    return write_field(tmp_path / "a.fits", wcs=tangent(), BUNIT="electron")


def sky(x=X, y=Y):
    return tangent().pixel_to_world(x, y)


def forced(image, catalog, *words):
    out = image.parent / "out.ecsv"
    words = ["--catalog", catalog, "--forced", "-o", out, "--overwrite", *words]
    result = fit(image, *words)
    return QTable.read(out), result


@pytest.mark.parametrize("names", [("x", "y"), ("x_centroid", "y_centroid")])
@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".csv"])
def test_forced_at_pixels(image, tmp_path, names, suffix):
    path = tmp_path / f"c{suffix}"
    Table(dict(zip(names, (X, Y), strict=True))).write(path)
    catalog, result = forced(image, path)
    np.testing.assert_array_equal(catalog["x_fit"], X)
    np.testing.assert_array_equal(catalog["y_fit"], Y)
    np.testing.assert_array_equal(catalog["id"], np.arange(len(X)) + 1)
    assert_matches(catalog)
    assert np.isnan(catalog["x_err"]).all()
    assert catalog.meta["positions_fixed"] is True
    assert "at fixed positions" in result.output
    assert f"{names[0]} and {names[1]} (pixels)" in result.output


def ra_dec(coords):
    return QTable({"RA": coords.icrs.ra, "Dec": coords.icrs.dec})


def hours(coords):
    return Table({"ra": coords.icrs.ra.hourangle * u.hourangle, "dec": coords.icrs.dec})


def bare(coords):
    return Table({"ra": coords.icrs.ra.deg, "dec": coords.icrs.dec.deg})


def vizier(coords):
    return Table({"RA_ICRS": coords.icrs.ra.deg, "DE_ICRS": coords.icrs.dec.deg})


def mixin(coords):
    return QTable({"where": coords.galactic})


def dotted(coords):
    return Table({"skycoord.ra": coords.ra.deg, "skycoord.dec": coords.dec.deg})


@pytest.mark.parametrize("make", [ra_dec, hours, bare, vizier, mixin, dotted])
def test_forced_at_sky_coordinates(image, tmp_path, make):
    make(sky()).write(tmp_path / "c.ecsv")
    catalog, _ = forced(image, tmp_path / "c.ecsv")
    np.testing.assert_allclose(catalog["x_fit"], X, atol=1e-6)
    np.testing.assert_allclose(catalog["y_fit"], Y, atol=1e-6)
    assert_matches(catalog)


TEXTS = {
    "c.tsv": "ra\tdec\n",
    "c.csv": "name,RA,DEC\n",
    "sex.cat": "#   1 ALPHA_J2000  Right ascension [deg]\n"
    "#   2 DELTA_J2000  Declination [deg]\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_others(image, tmp_path, name):
    stars = sky()
    rows = [
        (f"{a:.9f}", f"{d:.9f}")
        for a, d in zip(stars.ra.deg, stars.dec.deg, strict=True)
    ]
    mark = {"c.tsv": "\t", "c.csv": ",", "sex.cat": " "}[name]
    if name == "c.csv":
        hours = stars.ra.to_string(u.hour, sep=":", precision=6)
        degrees = stars.dec.to_string(u.deg, sep=":", precision=5, alwayssign=True)
        rows = [("star", a, d) for a, d in zip(hours, degrees, strict=True)]
    text = TEXTS[name] + "".join(mark.join(row) + "\n" for row in rows)
    (tmp_path / name).write_text(text, encoding="utf-8")
    catalog, _ = forced(image, tmp_path / name)
    np.testing.assert_allclose(catalog["x_fit"], X, atol=2e-5)
    assert_matches(catalog)


def test_the_units_of_sexagesimal_text_are_none(image, tmp_path):
    stars = sky()
    table = Table({"RAJ2000": stars.ra.to_string(u.hour, sep=" ", precision=6)})
    table["DEJ2000"] = stars.dec.to_string(u.deg, sep=" ", precision=5)
    text = io.BytesIO()
    table.write(text, format="votable")
    # As VizieR writes it.
    old, new = b'name="RAJ2000"', b'name="RAJ2000" unit="&quot;h:m:s&quot;"'
    (tmp_path / "c.vot").write_bytes(text.getvalue().replace(old, new))
    catalog, result = forced(image, tmp_path / "c.vot")
    np.testing.assert_allclose(catalog["y_fit"], Y, atol=2e-5)
    assert not result.stderr


def test_sources_off_the_image_are_flagged_not_lost(image, tmp_path):
    far = SkyCoord([330, 150.2, np.nan, 150], [-30, 30, 30, 89.9], unit="deg")
    ra = np.r_[sky().ra.deg, far.ra.deg]
    dec = np.r_[sky().dec.deg, far.dec.deg]
    Table({"ra": ra, "dec": dec}).write(tmp_path / "c.ecsv")
    catalog, result = forced(image, tmp_path / "c.ecsv", "--group", 5)
    assert len(catalog) == len(X) + 4
    assert_matches(catalog)
    assert np.isnan(catalog["flux_fit"][-4:]).all()
    assert (catalog["flags"][-4:] & (64 | 512) > 0).all()
    assert "13 sources" in result.output
    assert "4 of them off the image" in result.output


def test_no_source_on_the_image(image, tmp_path):
    Table({"x": [-50.0, 400.0], "y": [3.0, 4.0]}).write(tmp_path / "c.ecsv")
    words = ["--model", tmp_path / "m.fits"]
    catalog, result = forced(image, tmp_path / "c.ecsv", *words)
    assert (catalog["flags"] & 64 > 0).all()
    assert "no star without a flag" in result.output
    assert not fits.getdata(tmp_path / "m.fits").any()


def test_without_forced_the_catalogue_gives_the_starts(image, tmp_path):
    table = QTable({"x": X + 0.4, "y": Y - 0.3, "flux": FLUX * 1.1 * u.electron})
    table.write(tmp_path / "c.ecsv")
    out = tmp_path / "o.ecsv"
    fit(image, "--catalog", tmp_path / "c.ecsv", "-o", out)
    catalog = QTable.read(out)
    assert_matches(catalog)
    np.testing.assert_allclose(catalog["x_init"], X + 0.4)
    np.testing.assert_allclose(catalog["flux_init"].value, FLUX * 1.1)
    assert (np.abs(catalog["x_fit"] - X) < 0.1).all()
    assert catalog.meta["positions_fixed"] is False
    assert "threshold_sigma" not in catalog.meta


@pytest.mark.parametrize("flux", [FLUX * u.Jy, FLUX, [*FLUX[:-1], np.nan] * u.electron])
def test_fluxes_that_cannot_start_a_fit_are_kept_only(image, tmp_path, flux):
    QTable({"x": X, "y": Y, "flux": flux}).write(tmp_path / "c.ecsv")
    out = tmp_path / "o.ecsv"
    fit(image, "--catalog", tmp_path / "c.ecsv", "-o", out)
    catalog = QTable.read(out)
    assert_matches(catalog)
    assert "flux_catalog" in catalog.colnames
    # From apertures: not what the catalogue has.
    assert np.abs(catalog["flux_init"].value / FLUX - 1).max() > 0.01


def test_other_columns_are_kept(image, tmp_path):
    table = QTable({"x": X, "y": Y, "id": np.arange(len(X))[::-1] + 70})
    table["name"] = [f"star {i}" for i in range(len(X))]
    table["parallax"] = MaskedColumn(np.arange(len(X)) / 7, unit="mas")
    table["parallax"].mask = np.arange(len(X)) == 3
    table["mag"] = np.linspace(15, 20, len(X)) * u.mag
    table["flags"] = np.full(len(X), 9)
    table["where"] = sky()
    table.write(tmp_path / "c.ecsv")
    for name in ("o.ecsv", "o.fits"):
        out = tmp_path / name
        words = ["--catalog", tmp_path / "c.ecsv", "--forced", "--zeropoint", 25]
        fit(image, *words, "-o", out)
        silent = {} if name == "o.ecsv" else {"unit_parse_strict": "silent"}
        catalog = QTable.read(out, **silent)
        assert catalog["id"].tolist() == list(range(70, 70 + len(X)))
        # Sorted by id, each with what belongs to it.
        np.testing.assert_allclose(catalog["x_fit"], X[::-1])
        assert catalog["name"][0] == "star 8"
        assert catalog["mag_catalog"][0] == 20 * u.mag
        assert catalog["mag"].unit == u.mag
        assert (catalog["flags_catalog"] == 9).all()
        assert catalog["parallax"].unit == u.mas
        np.testing.assert_allclose(catalog["where.ra"], catalog["ra"], rtol=1e-12)


def test_ids_that_are_no_numbers_are_kept_beside(image, tmp_path):
    Table({"x": X, "y": Y, "id": list("abcdefghi")}).write(tmp_path / "c.ecsv")
    catalog, _ = forced(image, tmp_path / "c.ecsv")
    assert catalog["id"].tolist() == list(range(1, 10))
    assert catalog["id_catalog"].tolist() == list("abcdefghi")


def test_a_catalogue_of_ours_for_another_image(image, tmp_path):
    """Its pixels are those of its own image; the sky is the same."""
    first = tmp_path / "first.ecsv"
    fit(image, "-o", first)
    shifted = make_field(2, x=X + 3.25, y=Y - 1.5)
    other = write_field(
        tmp_path / "b.fits", data=shifted, wcs=tangent(48.25, 38.5), BUNIT="electron"
    )
    catalog, result = forced(other, first)
    assert_matches(catalog, x=X + 3.25, y=Y - 1.5)
    assert "ra and dec" in result.output
    own = QTable.read(first)
    np.testing.assert_array_equal(catalog["flux_fit_catalog"], own["flux_fit"])
    wrong, result = forced(other, first, "--catalog-coords", "pixel")
    np.testing.assert_allclose(wrong["x_fit"], own["x_fit"])
    assert "x_fit and y_fit (pixels)" in result.output


CASES = {
    "no file": ("none.ecsv", [], 1, "none.ecsv: there is no such file"),
    "a directory": (".", [], 1, ".: is a directory; give a catalogue"),
    "no table": ("text.ecsv", [], 1, "text.ecsv: is no table that astropy can read"),
    "no format": ("text.what", [], 1, "text.what: is no table that astropy can read"),
    "no rows": ("empty.ecsv", [], 1, "empty.ecsv: the catalogue has no rows"),
    "no columns": ("mag.ecsv", [], 1, "has neither x and y nor ra and dec; it has mag"),
    "no sky": ("x.ecsv", ["--catalog-coords", "sky"], 1, "has no ra and dec; it has x"),
    "no pixels": ("ra.ecsv", ["--catalog-coords", "pixel"], 1, "has no x and y"),
    "no WCS": ("ra.ecsv", ["--ext", "FLAT"], 1, "a.fits[FLAT]: has no WCS to place"),
    "unit": ("unit.ecsv", [], 1, "ra and dec must be angles, got the unit m"),
    "declination": ("south.ecsv", [], 1, "a declination is beyond 90 degrees"),
    "strings": ("words.ecsv", [], 1, "ra and dec must be angles"),
    "forced alone": (None, ["--forced"], 2, "--forced needs the positions: give --cat"),
}


@pytest.mark.parametrize("case", CASES)
def test_catalogues_that_cannot_be_used(tmp_path, monkeypatch, case):
    name, words, status, message = CASES[case]
    monkeypatch.chdir(tmp_path)
    plane = make_field()
    write_field(tmp_path / "a.fits", wcs=tangent(), planes={"FLAT": plane})
    for text in ("text.ecsv", "text.what"):
        (tmp_path / text).write_text("no table\n at all , ,", encoding="utf-8")
    Table({"x": [], "y": []}, dtype=[float, float]).write("empty.ecsv")
    Table({"mag": [1.0]}).write("mag.ecsv")
    Table({"x": [1.0], "y": [2.0]}).write("x.ecsv")
    Table({"ra": [150.0], "dec": [30.0]}).write("ra.ecsv")
    Table({"ra": [150.0], "dec": [95.0]}).write("south.ecsv")
    QTable({"ra": [150.0] * u.m, "dec": [30.0] * u.deg}).write("unit.ecsv")
    Table({"ra": ["ten"], "dec": ["+30:00:00"]}).write("words.ecsv")
    catalog = [] if name is None else ["--catalog", name]
    words = ["--psf", "gaussian:2.5", "-o", "o.ecsv", *catalog, *words]
    result = run("fit", "a.fits", *words)
    assert result.exit_code == status
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not (tmp_path / "o.ecsv").exists()


def test_a_box_that_is_not_square(image, tmp_path):
    fit(image, "-o", tmp_path / "c.ecsv", "--box", "5,9", "--max-shift", 1.5)
    catalog = QTable.read(tmp_path / "c.ecsv")
    assert catalog.meta["fit_shape"] == [5, 9]
    assert catalog.meta["max_shift"] == [1.5, 1.5]
    assert (catalog["n_pixels_fit"] == 45).all()
    fit(image, "-o", tmp_path / "d.ecsv", "--box", "5,9")
    catalog = QTable.read(tmp_path / "d.ecsv")
    assert catalog.meta["max_shift"] == [4.0, 2.0]
    fit(image, "-o", tmp_path / "e.ecsv", "--max-shift", "none")
    assert QTable.read(tmp_path / "e.ecsv").meta["max_shift"] is None
    assert SHAPE == (80, 90)


def test_stars_stop_at_the_largest_shift(image, tmp_path):
    Table({"x": X + 1.2, "y": Y}).write(tmp_path / "c.ecsv")
    words = ["--catalog", tmp_path / "c.ecsv", "--max-shift", 0.5]
    fit(image, "-o", tmp_path / "o.ecsv", *words)
    catalog = QTable.read(tmp_path / "o.ecsv")
    np.testing.assert_allclose(catalog["x_fit"], X + 0.7)
    assert (catalog["flags"] & 32 > 0).all()
