"""``psfphot completeness``: from an image to the tables of a test, and its faults."""

from dataclasses import asdict, make_dataclass

import pytest
from astropy.io import fits
from cli_field import FWHM, NOISE, run, write_field

from psfphot.cli import _completeness
from psfphot.cli._command import SectionedOption
from psfphot.cli._fit import fit
from psfphot.cli._words import FitWords
from psfphot.completeness import ArtificialStarResults


@pytest.fixture
def field(tmp_path):
    return write_field(tmp_path / "field.fits", BUNIT="electron")


def completeness(*words):
    return run("completeness", "--psf", f"gaussian:{FWHM}", "--error", NOISE, *words)


def test_an_image_is_tested(field, tmp_path):
    pytest.importorskip("matplotlib")
    path, plot, parts = (tmp_path / name for name in ("a.ecsv", "a.png", "parts"))
    words = [field, "--flux", "10:5000", "-n", 120, "-o", path, "--seed", 3]
    words += ["--plot", plot, "--resume", parts, "--cut", "qfit < 0.5"]
    result = completeness(*words)
    assert result.exit_code == 0, result.output
    results = ArtificialStarResults.read(path)
    assert len(results.table) == 120
    assert results.settings["gain"] == 1
    assert results.settings["seed"] == 3
    n = results.table["recovered"].sum()
    assert 10 < n < 120
    assert f"{n} recovered" in result.output
    assert "m50" in result.output
    assert "false rows" in result.output
    assert results.noise_table is not None
    assert plot.stat().st_size > 10_000
    assert sorted(parts.glob("*.npy"))
    # Magnitudes need a zero point.
    words = [field, "--mag", "18:25", "-n", 20, "-o", tmp_path / "b.fits"]
    result = completeness(*words, "--noise-images", 0)
    assert result.exit_code == 1
    assert "--zeropoint" in result.output
    result = completeness(*words, "--noise-images", 0, "--zeropoint", 26)
    assert result.exit_code == 0, result.output
    magnitude = ArtificialStarResults.read(tmp_path / "b.fits").table["mag_in"]
    assert 18 <= magnitude.min() < magnitude.max() <= 25
    result = completeness(*words, "--zeropoint", 26)
    assert result.exit_code == 1
    assert "add --overwrite" in result.output


def test_positions_of_a_file(field, tmp_path):
    table = tmp_path / "stars.csv"
    table.write_text("x,y,flux\n30.2,25.1,900\n60.4,55.0,2000\n", encoding="utf-8")
    path = tmp_path / "a.fits"
    result = completeness(
        field, "--positions", table, "-o", path, "--noise-images", 0, "-q"
    )
    assert result.exit_code == 0, result.output
    assert result.output == ""
    assert list(ArtificialStarResults.read(path).table["flux_in"].value) == [900, 2000]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ([], 2, "how bright are the stars"),
        (["--mag", "20:25", "--flux", "1:10"], 2, "exclude each other"),
        (["--mag", "25:20"], 2, "the smaller first"),
        (["--flux", "0:20"], 2, "above 0"),
        (["--flux", "1:20", "--cut", "qfit"], 2, "COLUMN OP NUMBER"),
        (["--flux", "1:20", "--cut", "colour > 1"], 1, "no column 'colour'"),
        (["--positions", "none.csv"], 1, "no such file"),
        (["--flux", "1:20", "-o", "a.txt"], 2, "unknown extension"),
        (["--flux", "1:20", "--plot", "a.gif"], 2, "unknown extension"),
        (["--flux", "1:20", "--threshold", "1e9"], 1, "lower --threshold"),
    ],
)
def test_faults_in_one_line(field, monkeypatch, words, status, message):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(field.parent)
    result = completeness(field, "-o", "a.ecsv", *words)
    assert result.exit_code == status, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_file_that_is_none(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    result = completeness(
        tmp_path / "empty.fits", "--flux", "1:20", "-o", tmp_path / "a.ecsv"
    )
    assert result.exit_code == 1
    assert "empty.fits" in result.output


def test_options_of_fit_that_are_not_here_have_its_defaults(monkeypatch):
    """A new one needs nothing here, though it is a new field of the words."""
    more = SectionedOption(["--dwarfs"], default=7, type=int, section="Many images")
    monkeypatch.setattr(fit, "params", [*fit.params, more])
    words = make_dataclass(
        "Words", ["dwarfs"], bases=(FitWords,), kw_only=True, frozen=True
    )
    monkeypatch.setattr(_completeness, "FitWords", words)
    made = asdict(_completeness.words_of_fit({"psf": "gaussian:2", "ext": ("SCI",)}))
    assert made["dwarfs"] == 7
    assert made["psf"] == "gaussian:2"
    assert made["ext"] == ("SCI",)
    defaults = fit.make_context("fit", ["a.fits", "-o", ""]).params
    same = made.keys() - {"psf", "ext"}
    assert {name: made[name] for name in same} == {n: defaults[n] for n in same}
    assert made["catalog_coords"] == "auto"
    assert made["tile"] is None
    assert made["resume"] is False
