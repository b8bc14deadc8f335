"""``psfphot fit --tile``: images that are measured tile by tile."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from cli_field import FWHM, fit, make_field, run, write_field

from psfphot.io import _images
from psfphot.io._images import read_shape

#: Two tiles by three, with stars on their borders.
SHAPE = (200, 300)
X = np.array([20.0, 99.5, 100.2, 150.0, 199.6, 230.3, 280.0, 60.1])
Y = np.array([30.0, 50.0, 99.5, 120.0, 99.6, 180.0, 99.4, 170.2])

PSF = ("--psf", f"gaussian:{FWHM}")


def test_tiles_write_what_the_whole_image_writes(tmp_path):
    data = make_field(x=X, y=Y, flux=np.full(len(X), 3000.0), shape=SHAPE)
    image = write_field(tmp_path / "a.fits", data=data)
    written = {}
    for name, words in (("whole", []), ("tiled", ["--tile", 128])):
        out = [tmp_path / f"{name}{end}" for end in (".ecsv", "_m.fits", "_r.fits")]
        files = ["-o", out[0], "--model", out[1], "--residual", out[2]]
        fit(image, *PSF, *files, *words)
        pixels = [fits.getdata(path) for path in out[1:]]
        written[name] = QTable.read(out[0]), *pixels
    whole, tiled = written["whole"], written["tiled"]
    assert tiled[0].meta["n_tiles"] == 6
    assert len(tiled[0]) == len(whole[0]) == len(X)
    fluxes = [np.sort(np.asarray(table["flux_fit"])) for table, *_ in written.values()]
    np.testing.assert_allclose(*fluxes, rtol=1e-5)
    for one, other in zip(tiled[1:], whole[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-2)


def test_workers_measure_the_tiles_of_a_large_image(tmp_path, monkeypatch):
    monkeypatch.setattr("psfphot.cli._batch.MOST_WHOLE", SHAPE[0] * SHAPE[1] - 1)
    monkeypatch.setattr("psfphot.cli._batch.TILE", 128)
    data = make_field(x=X, y=Y, flux=np.full(len(X), 3000.0), shape=SHAPE)
    image = write_field(tmp_path / "a.fits", data=data)
    tables = []
    for name, words in (("one", ["--tile", 128]), ("two", ["--workers", 2])):
        out = tmp_path / f"{name}.ecsv"
        fit(image, *PSF, "-o", out, "--iterations", 1, *words)
        tables.append(QTable.read(out))
    one, two = tables
    assert one.meta["n_tiles"] == two.meta["n_tiles"] == 6
    assert len(one) == len(X)
    for column in one.colnames:
        assert np.asarray(one[column]).tobytes() == np.asarray(two[column]).tobytes()


def test_the_size_of_an_image_is_known_without_opening_it_again(tmp_path, monkeypatch):
    # To open a compressed file is to unpack all of it.
    data = make_field(x=X, y=Y, flux=np.full(len(X), 3000.0), shape=SHAPE)
    image = write_field(tmp_path / "a.fits.gz", data=data)
    opened, given = [], _images.open_fits

    def open_fits(path):
        opened.append(path)
        return given(path)

    monkeypatch.setattr(_images, "open_fits", open_fits)
    fit(image, *PSF, "-o", tmp_path / "a.ecsv", "--iterations", 1)
    # Once for the detector, before the PSF is read.
    assert len(opened) == 2


@pytest.mark.parametrize(
    ("words", "n_tiles"),
    [
        ([], 1),
        (["--no-tile"], None),
        (["--extra-columns"], None),
        (["--tile", 128], 6),
    ],
)
def test_large_images_are_measured_by_tiles(tmp_path, monkeypatch, words, n_tiles):
    monkeypatch.setattr("psfphot.cli._batch.MOST_WHOLE", SHAPE[0] * SHAPE[1] - 1)
    data = make_field(x=X, y=Y, flux=np.full(len(X), 3000.0), shape=SHAPE)
    image, out = write_field(tmp_path / "a.fits", data=data), tmp_path / "a.ecsv"
    said = fit(image, *PSF, "-o", out, *words).stdout
    assert ("300 x 200 (--no-tile" in said) == (n_tiles == 1)
    assert QTable.read(out).meta.get("n_tiles") == n_tiles
    monkeypatch.setattr("psfphot.cli._batch.MOST_WHOLE", SHAPE[0] * SHAPE[1])
    fit(image, *PSF, "-o", out, "--overwrite")
    assert "n_tiles" not in QTable.read(out).meta


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-tile"], "--no-tile"),
        (["--plot", "a.png"], "--plot"),
        (["--extra-columns"], "--extra-columns"),
        (["--catalog", "a.ecsv"], "--catalog"),
    ],
)
def test_what_does_not_go_with_tiles_is_said(tmp_path, words, said):
    image = write_field(tmp_path / "a.fits")
    result = run("fit", image, *PSF, "-o", tmp_path / "o.ecsv", "--tile", 128, *words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_image_without_rows_is_no_reason_to_look_for_tiles(tmp_path):
    path = tmp_path / "spectrum.fits"
    fits.PrimaryHDU(np.arange(10.0)).writeto(path)
    assert read_shape(path) is None
    fits.PrimaryHDU(np.zeros((2, 30, 40))).writeto(tmp_path / "cube.fits")
    assert read_shape(tmp_path / "cube.fits") == (30, 40)
    assert read_shape(tmp_path / "none.fits") is None
    result = run("fit", path, "--psf", "gaussian:2", "-o", tmp_path / "stars.ecsv")
    assert result.exit_code == 1
    assert "spectrum.fits[0]: a 2D image is needed" in result.output
