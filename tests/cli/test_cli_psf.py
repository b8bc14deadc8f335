"""``psfphot psf``, and ``psfphot fit`` with the PSF of the image's own stars."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from cli_field import FWHM, make_field, run, write_field

from psfphot.psf import CircularGaussianPRF, GriddedPSFModel

STEP, N = 26, 6


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """36 stars, each where it likes within its cell."""
    rng = np.random.default_rng(2)
    y, x = (20.0 + STEP * axis.ravel() for axis in np.mgrid[:N, :N])
    x, y = x + rng.uniform(-1, 1, N * N), y + rng.uniform(-1, 1, N * N)
    flux = rng.uniform(3e3, 3e4, N * N)
    side = 40 + STEP * (N - 1)
    data = make_field(x=x, y=y, flux=flux, shape=(side, side))
    folder = tmp_path_factory.mktemp("psf")
    QTable({"x": x, "y": y, "flux": flux}).write(folder / "truth.ecsv")
    return write_field(folder / "stars.fits", data=data)


@pytest.fixture(scope="module")
def grid(image):
    pytest.importorskip("matplotlib")
    out = image.with_name("grid.fits")
    plot = image.with_name("grid.png")
    result = run("psf", "build", image, "-o", out, "--plot", plot, "--size", 15)
    assert result.exit_code == 0, result.output
    assert "36 of 36" in result.output
    assert f"wrote       {out}, {plot}" in result.output
    assert plot.read_bytes().startswith(b"\x89PNG")
    return out


def test_what_is_built_is_the_psf(grid):
    model = GriddedPSFModel.read(grid)
    psf = CircularGaussianPRF(fwhm=FWHM)
    images = model.data
    peak = images.max()
    held = images[0].sum() / 16
    assert held == pytest.approx(1)
    assert peak == pytest.approx(float(psf(0, 0)), rel=0.01)
    with fits.open(grid) as file:
        names = [hdu.name for hdu in file]
    assert names[-3:] == ["PSF_ERR", "PSF_STARS", "PSF_REPORT"]


def test_a_built_psf_is_fitted_with(image, grid):
    out = image.with_name("with_grid.ecsv")
    assert run("fit", image, "--psf", grid, "-o", out).exit_code == 0
    truth = QTable.read(image.with_name("truth.ecsv"))
    found = QTable.read(out)
    assert len(found) == len(truth)
    order = np.lexsort((found["x_fit"], np.rint((found["y_fit"] - 20) / STEP)))
    ratio = np.asarray(found["flux_fit"])[order] / truth["flux"]
    assert ratio == pytest.approx(1, abs=0.02)


def test_fit_without_a_psf_builds_one_and_says_so(image):
    out = image.with_name("own.ecsv")
    result = run("fit", image, "-o", out, "--json")
    assert result.exit_code == 0, result.output
    entry = json.loads(result.stdout)["images"][0]
    assert next(iter(entry["seconds"])) == "psf"
    assert entry["seconds"]["psf"] > 0
    told = entry["psf"]
    assert told["description"].startswith("built from 36 stars of the image")
    assert "core known to" in told["description"]
    assert len(QTable.read(out)) == N * N


def test_fit_of_few_stars_takes_a_moffat_and_says_so(tmp_path):
    path = write_field(tmp_path / "few.fits")
    result = run("fit", path, "-o", tmp_path / "few.ecsv")
    assert result.exit_code == 0, result.output
    assert "measured on" in result.output
    assert "too few stars for a PSF of the image's own" in result.output


def test_a_library_is_refined(image):
    out = image.with_name("refined.fits")
    result = run(
        *("psf", "refine", image, "--psf", "gaussian:2.7", "-o", out, "--size", 15),
        *("--order", "constant", "-q"),
    )
    assert result.exit_code == 0, result.output
    assert result.output == ""
    peak = GriddedPSFModel.read(out).data.max()
    assert peak == pytest.approx(float(CircularGaussianPRF(fwhm=FWHM)(0, 0)), rel=0.02)


def test_psfs_are_shown(image, grid):
    out = image.with_name("shown.png")
    result = run("psf", "show", grid, "--image", image, "-o", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"\x89PNG")
    again = run("psf", "show", grid, "-o", out)
    assert again.exit_code == 1
    assert "--overwrite" in again.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["build", "stars.fits", "-o", "x.fits", "--grid", "2x1"],
            "--grid needs NXxNY",
        ),
        (["build", "stars.fits", "-o", "x.fits", "--grid", "a"], "--grid needs NXxNY"),
        (["build", "stars.fits", "-o", "x.txt"], "x.txt"),
        (["build", "nope.fits", "-o", "x.fits"], "nope.fits"),
        (["build", "stars.fits[1]", "--ext", "2", "-o", "x.fits"], "leave out --ext"),
        (["refine", "stars.fits", "-o", "x.fits"], "--psf"),
        (["show", "gaussian:2", "-o", "x.png"], "has no samples"),
        (["show", "nope.fits", "-o", "x.png"], "nope.fits"),
        (["smooth"], "No such command"),
    ],
)
def test_wrong_words_are_told_in_one_line(image, monkeypatch, words, said):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(image.parent)
    result = run("psf", *words)
    assert result.exit_code in {1, 2}
    assert result.output.startswith("Error: ")
    assert said in result.output
    assert len(result.output.strip().splitlines()) == 1
