"""Everything that can be wrong: one line, an exit status, no file."""

import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from cli_field import make_field
from click.testing import CliRunner

from psfphot.cli import main


@pytest.fixture
def field(tmp_path):
    noise = np.random.default_rng(0).normal(0, 1, (80, 90)).astype(np.float32)
    fits.writeto(tmp_path / "noise.fits", noise)
    stars = noise.copy()
    stars[40, 40] = 500
    stars[39:42, 39:42] += 200
    fits.writeto(tmp_path / "stars.fits", stars)
    fits.writeto(tmp_path / "psf.fits", np.eye(9) + 1)
    fits.writeto(tmp_path / "cube.fits", np.zeros((3, 8, 9)))
    fits.writeto(tmp_path / "flat.fits", np.full((80, 90), 7.0))
    x, y = np.array([[20.3, 60.1, 40.8], [20.9, 30.4, 60.2]])
    fits.writeto(tmp_path / "three.fits", make_field(x=x, y=y, flux=[9e3] * 3))
    sharp = noise.copy()
    sharp[10::20, 10::20] = 5000
    fits.writeto(tmp_path / "sharp.fits", sharp)
    (tmp_path / "text.fits").write_text("hello", encoding="utf-8")
    (tmp_path / "there.ecsv").write_text("mine", encoding="utf-8")
    return tmp_path


CASES = {
    "no image": (["none.fits"], "none.fits: there is no such file"),
    "a directory": (["."], "is a directory"),
    "not FITS": (["text.fits"], "is not a FITS file"),
    "a cube": (["cube.fits"], "a 2D image is needed"),
    "no extension": (["stars.fits", "--ext", "SCI"], "has no extension 'SCI'"),
    "no stars": (["noise.fits", "--threshold", "50"], "lower --threshold"),
    "no PSF": (
        ["stars.fits", "--psf", "nope.fits"],
        "nope.fits: there is no",
    ),
    "bad width": (["stars.fits", "--psf", "gaussian:wide"], "got 'wide'"),
    "oversampling": (["stars.fits", "--psf", "psf.fits"], "--oversampling N"),
    "even box": (["stars.fits", "--fit-shape", "4"], "--box must be odd, got 4"),
    "annulus": (["stars.fits", "--local-bkg", "9", "5"], "INNER below OUTER"),
    "group twice": (["stars.fits", "--group", "5", "--no-group"], "exclude each other"),
    "extension": (["stars.fits", "-o", "out.doc"], "use one of .ecsv, .fits"),
    "no directory": (["stars.fits", "-o", "no/out.ecsv"], "there is no directory"),
    "a directory in the way": (["stars.fits", "-o", "sub.ecsv"], "is a directory"),
    "a file there": (["stars.fits", "-o", "there.ecsv"], "add --overwrite"),
    "over the input": (
        ["stars.fits", "-o", "stars.fits", "--overwrite"],
        "is the input already",
    ),
    "twice the same": (
        ["stars.fits", "--model", "m.fits", "--residual", "m.fits"],
        "another output already",
    ),
    "residual": (["stars.fits", "--residual", "r.png"], "unknown extension '.png'"),
    "plot": (["stars.fits", "--plot", "p.gif"], "use one of .png, .pdf, .svg"),
    "region": (["stars.fits", "--region", "r.txt"], "use one of .reg"),
    "no width": (["stars.fits", "--psf", "airy"], "airy needs its width: airy:FWHM"),
    "wide": (
        ["stars.fits", "--psf", "moffat:900"],
        "moffat:FWHM[,BETA] needs a width from 0.1 to 100 pixels, got '900'",
    ),
    "one radius": (
        ["stars.fits", "--psf", "gaussian:2", "-o", "out.ecsv", "--local-bkg", "4"],
        "requires 2 arguments (main fit --help tells more)",
    ),
    "empty PSF": (["stars.fits", "--psf", ""], "--psf must name a file or a formula"),
    "coordinates": (["stars.fits", "--catalog-coords", "sky"], "give --catalog FILE"),
    "correction": (
        ["stars.fits", "--aperture-correction", "0.9"],
        "--aperture-correction needs a PSF from a file",
    ),
    "one value": (["flat.fits"], "have no noise"),
    "few stars": (
        ["three.fits", "--psf", "moffat"],
        "give it, as moffat:FWHM",
    ),
    "sharp": (["sharp.fits", "--psf", "gaussian"], "got 0 of 0 isolated ones"),
}


#: Wrong whatever the files hold: exit status 2.
USAGE = {
    *("bad width", "even box", "annulus", "group twice", "extension", "residual"),
    *("over the input", "twice the same", "plot", "region"),
    *("wide", "one radius", "no width", "empty PSF", "coordinates", "correction"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_no_file(field, monkeypatch, case):
    words, message = CASES[case]
    (field / "sub.ecsv").mkdir()
    monkeypatch.chdir(field)
    if "--psf" not in words:
        words = [*words, "--psf", "gaussian:2"]
    if "-o" not in words:
        words = [*words, "-o", "out.ecsv"]
    before = {path: path.stat().st_mtime_ns for path in field.iterdir()}
    result = CliRunner().invoke(main, ["fit", *words])
    assert result.exit_code == (2 if case in USAGE else 1)
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert {path: path.stat().st_mtime_ns for path in field.iterdir()} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_directory_without_permission(field):
    closed = field / "closed"
    closed.mkdir(mode=0o500)
    words = ["fit", field / "stars.fits", "--psf", "gaussian:2"]
    words += ["-o", closed / "out.ecsv"]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 1
    assert "cannot write into" in result.stderr


def test_warnings_are_one_line_too(field):
    path = field / "unit.fits"
    fits.writeto(path, fits.getdata(field / "stars.fits"))
    fits.setval(path, "BUNIT", value="furlongs")
    words = ["fit", str(path), "--psf", "gaussian:2", "-o", str(field / "o.ecsv")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: unit.fits[0]: BUNIT 'furlongs'")
    assert result.stderr.count("\n") == 1


def test_failure_of_a_later_output_leaves_no_half_file(field, monkeypatch):
    def fails(*args, **kwargs):
        raise OSError(28, "No space left on device", "r.fits")

    monkeypatch.setattr(fits.HDUList, "writeto", fails)
    monkeypatch.chdir(field)
    words = ["fit", "stars.fits", "--psf", "gaussian:2", "-o", "o.ecsv"]
    result = CliRunner().invoke(main, [*words, "--residual", "r.fits"])
    assert result.exit_code == 1
    assert result.stderr == "Error: r.fits: No space left on device\n"
    assert not [path for path in field.iterdir() if "r.fits" in path.name]


def test_a_fault_of_the_program_keeps_its_traceback(field, monkeypatch):
    def fails(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr("psfphot.pipeline._unusable.measure_sky", fails)
    words = ["fit", str(field / "stars.fits"), "--psf", "gaussian:2"]
    result = CliRunner().invoke(main, [*words, "-o", str(field / "o.ecsv")])
    assert isinstance(result.exception, RuntimeError)


def test_start_needs_neither_matplotlib_nor_scipy():
    code = (
        "import sys; sys.modules['matplotlib'] = sys.modules['scipy'] = None\n"
        "import psfphot.pipeline, psfphot.cli._outputs\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(psfphot.cli.main, ['fit', '-h']).exit_code == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_does_not_load_astropy():
    code = (
        "import sys, psfphot.cli\n"
        "assert not {'astropy', 'matplotlib', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plot_without_matplotlib_says_what_to_install(field, monkeypatch):
    monkeypatch.setattr("psfphot.cli._errors.find_spec", lambda _: None)
    monkeypatch.chdir(field)
    words = ["fit", "stars.fits", "--psf", "gaussian:2", "-o", "o.ecsv"]
    result = CliRunner().invoke(main, [*words, "--plot", "p.png"])
    assert result.exit_code == 1
    assert "pip install 'psfphot[plot]'" in result.stderr
    assert not (field / "o.ecsv").exists()
