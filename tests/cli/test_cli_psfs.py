"""``psfphot fit`` with PSFs of every kind of file."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from cli_field import FLUX, FWHM, SKY, assert_matches, run, write_field
from stdpsf_files import stdpsf_hdu, write_stdpsf

from psfphot.psf import CircularGaussianPRF

SAMPLES = 4


@pytest.fixture(scope="module")
def stamp():
    """The field's PSF, 4x oversampled, as an ePSF: its sum is 16."""
    offsets = (np.arange(61) - 30) / SAMPLES
    psf = CircularGaussianPRF(fwhm=FWHM)
    yy, xx = np.meshgrid(offsets, offsets, indexing="ij")
    return psf.evaluate(xx, yy, 1.0, 0.0, 0.0, FWHM)


def fit(tmp_path, psf, *words):
    image = tmp_path / "a.fits"
    if not image.exists():
        write_field(image)
    out = tmp_path / "c.ecsv"
    words = ["--psf", psf, "-o", out, "--overwrite", *words]
    return run("fit", image, *words), out


def assert_measures(tmp_path, psf, *words):
    result, out = fit(tmp_path, psf, *words)
    assert result.exit_code == 0, result.output
    catalog = QTable.read(out)
    assert len(catalog) == len(FLUX)
    assert_matches(catalog)
    return catalog


@pytest.mark.parametrize("order", ["auto", "header", "sorted"])
def test_stpsf_grid(tmp_path, stamp, order):
    positions = [(y, x) for y in (0.0, 79.0) for x in (0.0, 89.0)]
    hdu = fits.PrimaryHDU(np.array([stamp] * 4))
    hdu.header.update({"OVERSAMP": SAMPLES, "VERSION": "2.2.0", "NUM_PSFS": 4})
    hdu.header["DATE"] = "2025-01-01T00:00:00"
    hdu.header.update({f"DET_YX{i}": str(at) for i, at in enumerate(positions)})
    hdu.writeto(tmp_path / "grid.fits")
    catalog = assert_measures(tmp_path, tmp_path / "grid.fits", "--grid-order", order)
    assert "grid of 4 ePSFs, 4x oversampled" in catalog.meta["psf"]
    result, _ = fit(tmp_path, tmp_path / "grid.fits", "--oversampling", 2)
    assert result.exit_code == 2
    assert "--oversampling is not for a grid" in result.stderr


def test_stdpsf_grid_of_one_detector(tmp_path, stamp):
    hdu = stdpsf_hdu([1, 90], [1, 80])
    hdu.data = np.array([stamp] * 4, dtype=np.float32)
    hdu.writeto(tmp_path / "STDPSF_NEWCAM_F100W.fits")
    catalog = assert_measures(tmp_path, tmp_path / "STDPSF_NEWCAM_F100W.fits")
    assert "grid of 4 ePSFs" in catalog.meta["psf"]


def test_stdpsf_grid_of_several_detectors(tmp_path, stamp):
    path = write_stdpsf(tmp_path, "STDPSF_WFPC2_F814W")
    planes, header = fits.getdata(path, header=True)
    same = np.array([stamp] * len(planes), dtype=np.float32)
    fits.PrimaryHDU(same, header).writeto(path, overwrite=True)
    assert_measures(tmp_path, path, "--detector-id", 1)
    result, _ = fit(tmp_path, path)
    assert result.exit_code == 1
    assert "--detector-id must be specified" in result.stderr
    assert result.stderr.count("\n") == 1
    result, _ = fit(tmp_path, path, "--detector-id", 17)
    assert result.exit_code == 1
    assert "17" in result.stderr
    assert result.stderr.count("\n") == 1


def test_psf_image(tmp_path, stamp):
    fits.writeto(tmp_path / "p.fits", stamp)
    words = ["--oversampling", SAMPLES]
    catalog = assert_measures(tmp_path, tmp_path / "p.fits", *words)
    assert "image of 61 x 61, 4x oversampled" in catalog.meta["psf"]
    assert catalog.meta["sky_level"] == pytest.approx(SKY, abs=0.3)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["gaussian:-2"], 2, "gaussian:FWHM needs a width in pixels above 0"),
        (["gaussian:2", "--psf-blur", "1"], 2, "--psf-blur needs a PSF from a file"),
        (["gaussian:2", "--oversampling", "4"], 2, "is not for a formula"),
        (["flat.fits", "--detector-id", "4"], 2, "is not for a single PSF image"),
        (["none.fits"], 1, "none.fits: there is no such file"),
        (["text.fits"], 1, "text.fits: is not a FITS file"),
        (["cube.fits"], 1, "cube.fits: is no grid of ePSFs that can be read"),
        (["flat.fits"], 1, "flat.fits: the header does not say how much"),
        (["flat.fits", "--oversampling", "0"], 2, "'--oversampling'"),
        (["flat.fits", "--grid-order", "x"], 2, "'--grid-order'"),
        (["flat.fits", "--detector-id", "x"], 2, "'--detector-id'"),
    ],
)
def test_psfs_that_cannot_be_used(tmp_path, monkeypatch, words, status, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.fits").write_text("hello", encoding="utf-8")
    fits.writeto("cube.fits", np.ones((4, 9, 9)))
    fits.writeto("flat.fits", np.ones((9, 9)))
    result, out = fit(tmp_path, *words)
    assert result.exit_code == status
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not out.exists()
