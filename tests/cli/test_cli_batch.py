"""``psfphot fit`` with several images and extensions, and its summary as JSON."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
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

from psfphot import __version__
from psfphot.cli import _batch


@pytest.fixture
def night(tmp_path, monkeypatch):
    """Three images, of which one is broken, and two chips in one file."""
    monkeypatch.chdir(tmp_path)
    write_field(tmp_path / "a.fits", wcs=tangent(), BUNIT="MJy/sr")
    write_field(tmp_path / "c.fits.gz", data=make_field(3))
    (tmp_path / "b.fits").write_bytes((tmp_path / "a.fits").read_bytes()[:9000])
    chips = [fits.PrimaryHDU()]
    for version in (1, 2):
        data = make_field(version, flux=FLUX * version)
        chips.append(fits.ImageHDU(data, name="SCI", ver=version))
        error = np.full(SHAPE, version, dtype=np.float32)
        chips.append(fits.ImageHDU(error, name="ERR", ver=version))
    fits.HDUList(chips).writeto("chips.fits")
    return tmp_path


def files(directory):
    """What a run has written, but for its records."""
    names = {path.name for path in directory.iterdir()}
    return sorted(names - {"run.jsonl"})


def test_a_broken_image_is_reported_and_the_others_are_done(night):
    words = ["--psf", "gaussian:2.5", "--output-dir", "deep/out"]
    images = ["a.fits", "b.fits", "none.fits", "c.fits.gz"]
    result = run("fit", *images, *words, "--residual", "{name}_res.fits")
    assert result.exit_code == 1
    out = night / "deep" / "out"
    assert files(out) == ["a.ecsv", "a_res.fits", "c.ecsv", "c_res.fits"]
    for name in ("a", "c"):
        assert_matches(QTable.read(out / f"{name}.ecsv"))
    errors = result.stderr.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("Error: b.fits")
    assert "cut off or broken" in errors[0]
    assert errors[1] == "Error: none.fits: there is no such file"
    assert "2 of 4 images measured, 18 stars" in result.stdout
    assert "failed      b.fits\nfailed      none.fits\n" in result.stdout


def test_images_that_are_well_end_with_0(night):
    fit("a.fits", "c.fits.gz", "-o", "{name}_cat.fits", "--region", "{name}.reg")
    assert {"a.reg", "c.reg", "a_cat.fits", "c_cat.fits"} <= set(files(night))


def test_the_psf_is_read_once(night, monkeypatch):
    specs = []

    def counted(spec, **options):
        specs.append(spec)
        return read(spec, **options)

    read = _batch.read_psf
    monkeypatch.setattr(_batch, "read_psf", counted)
    fit("a.fits", "c.fits.gz", "--output-dir", "out")
    assert specs == ["gaussian:2.5"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["chips.fits", "--all-ext"], ["chips_SCI", "chips_SCI2"]),
        (["chips.fits", "--ext", "SCI,1", "--ext", "3"], ["chips_3", "chips_SCI1"]),
        (["chips.fits[SCI,1]", "chips.fits[SCI,2]"], ["chips_SCI1", "chips_SCI2"]),
        (["chips.fits[3]", "a.fits"], ["a", "chips"]),
        (["chips.fits", "a.fits", "--ext", "SCI"], ["a", "chips"]),
    ],
)
def test_extensions(night, words, names):
    fit(*words, "--output-dir", "out")
    assert files(night / "out") == [f"{name}.ecsv" for name in names]
    for name in names:
        catalog = QTable.read(night / "out" / f"{name}.ecsv")
        second = name in {"chips_SCI2", "chips_3"} or "chips.fits[3]" in words[:1]
        is_second = second and name != "a"
        assert_matches(catalog, flux=FLUX * (1 + is_second))
        if name.startswith("chips"):
            # Measured on the image, not taken from ERR, which is twice as large.
            assert catalog.meta["sky_noise"] == pytest.approx(1, abs=0.05)
            ratio = np.median(catalog["reduced_chi2"])
            assert ratio == pytest.approx(1 / (1 + is_second) ** 2, rel=0.4)


def test_a_file_named_with_brackets(night):
    write_field(night / "odd[1].fits")
    fit("odd[1].fits", "-o", "odd.ecsv")
    assert_matches(QTable.read("odd.ecsv"))


def test_files_of_each_image(night):
    """{name} in the names of what is read: its own mask and catalogue."""
    for name, stars in (("a", 3), ("c", 5)):
        Table({"x": X[:stars], "y": Y[:stars]}).write(f"{name}.csv")
        fits.writeto(f"{name}_mask.fits", np.eye(*SHAPE, dtype=np.uint8))
    words = ["--catalog", "{name}.csv", "--mask", "{name}_mask.fits"]
    result = fit("a.fits", "c.fits.gz", "--output-dir", "out", *words)
    assert len(QTable.read("out/a.ecsv")) == 3
    assert len(QTable.read("out/c.ecsv")) == 5
    assert "80 a_mask.fits[0]" in result.stdout
    assert "80 c_mask.fits[0]" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.fits", "c.fits.gz", "-o", "x.ecsv"], "-output x.ecsv: there are 2 images"),
        (["a.fits", "c.fits.gz", "-o", "{name}.fits", "--plot", "p.png"], "--plot p."),
        (["a.fits", "a.fits", "--output-dir", "o"], "a.ecsv: is another output"),
        (["a.fits"], "give -o CATALOG or --output-dir"),
        (["a.fits", "--ext", "1", "--all-ext", "-o", "x.ecsv"], "--ext and --all-ext"),
        (["a.fits[1]", "--all-ext", "-o", "x.ecsv"], "a.fits[1]: names its extension"),
        (["a.fits", "-o", "{name}.fits", "--overwrite"], "is the input already"),
        (
            ["a.fits", "--box", "5,4", "-o", "x.ecsv"],
            "--box must be odd, got 5,4",
        ),
        (["a.fits", "--box", "5,5,5", "-o", "x.ecsv"], "give one side or NY,NX"),
        (["a.fits", "--box", "x", "-o", "x.ecsv"], "'--box' / '--fit-shape'"),
        (["a.fits", "--box", "9" * 30, "-o", "x.ecsv"], "from 1 to 99999; got"),
        (["a.fits", "--threshold", "nan", "-o", "x.ecsv"], "nan is not a finite numb"),
        (["a.fits", "--fwhm", "inf", "-o", "x.ecsv"], "'--fwhm': inf is not a finite"),
        (["a.fits", "--max-shift", "0", "-o", "x.ecsv"], "'--max-shift': give pixels"),
        (["a.fits", "--max-shift", "far", "-o", "x.ecsv"], "got 'far'"),
        (["a.fits", "--zeropoint", "x", "-o", "x.ecsv"], "'--zeropoint'"),
        (["a.fits", "--nonsense"], "No such option '--nonsense'"),
        ([], "Missing argument 'IMAGE...'"),
    ],
)
def test_command_lines_that_are_wrong(night, words, message):
    before = files(night)
    result = run("fit", "--psf", "gaussian:2.5", *words)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert set(files(night)) - {"o"} == set(before)


def test_words_that_are_no_command():
    for words in (["fir"], ["--nope"], ["demo", "--size", "3"]):
        result = run(*words)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "--help tells more" in result.stderr


def test_json(night):
    images = ["a.fits", "b.fits", "c.fits.gz"]
    words = ["--psf", "gaussian:2.5", "--output-dir", "out", "--model", "{name}_m.fits"]
    result = run("fit", *images, *words, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["psfphot"] == __version__
    assert document["n_failed"] == 1
    assert document["psf"]["fwhm"] == pytest.approx(2.6, abs=0.1)
    first, broken, third = document["images"]
    assert first["status"] == third["status"] == "measured"
    assert first["n_sources"] == first["n_fitted"] == len(X)
    assert first["outputs"] == {"catalog": "out/a.ecsv", "model": "out/a_m.fits"}
    assert first["unit"] == "MJy / sr"
    assert first["magnitudes"]["system"] == "AB"
    assert first["sky"]["noise"] == pytest.approx(1, abs=0.05)
    assert third["magnitudes"] is None
    assert third["image"] == "c.fits.gz"
    assert broken["status"] == "failed"
    assert "cut off or broken" in broken["error"]
    # What people read is on stderr.
    assert "9 stars above 5 sigma" in result.stderr
    quiet = run("fit", *images, *words, "--json", "-q", "--overwrite")
    assert len(json.loads(quiet.stdout)["images"]) == 3
    assert quiet.stderr.startswith("Error: b.fits")
    assert quiet.stderr.count("\n") == 1


def test_json_has_null_for_what_is_no_number(night):
    Table({"x": [-30.0], "y": [4.0]}).write("far.csv")
    words = ["--catalog", "far.csv", "--forced", "-o", "o.ecsv", "--json"]
    entry = json.loads(fit("a.fits", *words).stdout)["images"][0]
    assert entry["n_fitted"] == 0
    assert entry["n_off_image"] == 1
    assert entry["flags"]["no_overlap"] == 1
    assert entry["positions_fixed"] is True


def test_nothing_on_stdout_if_the_command_line_is_wrong(night):
    result = run("fit", "a.fits", "--psf", "gaussian:x", "-o", "o.ecsv", "--json")
    assert (result.exit_code, result.stdout) == (2, "")


def test_help_fits_a_terminal_and_shows_every_section():
    result = run("fit", "--help")
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80
    sections = ["Needed", "The PSF", "The image", "Which stars", "The fit", "Output"]
    found = [lines.index(f"{section}:") for section in [*sections, "The run"]]
    assert found == sorted(found)
    assert "Examples:" in result.output
    assert "Exit status: 0" in result.output
