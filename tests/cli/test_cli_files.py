"""``psfphot fit`` on files of telescopes: weights, areas, places on detectors."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from cli_field import FLUX, FWHM, SHAPE, X, Y, run, write_field
from stdpsf_files import FILES, stdpsf_hdu

from psfphot.psf import CircularGaussianPRF


def measure(image, directory, *words, psf=f"gaussian:{FWHM}"):
    """Measure at the true positions; the rows are in their order."""
    QTable({"x": X, "y": Y}).write(directory / "truth.ecsv", overwrite=True)
    out = directory / "o.fits"
    words = ["--psf", psf, "--catalog", directory / "truth.ecsv", *words]
    result = run("fit", image, "-o", out, "--overwrite", *words)
    return result, QTable.read(out) if result.exit_code == 0 else None


def test_weights_and_comparisons(tmp_path):
    weight = np.full(SHAPE, 4.0)
    weight[:, -8:] = 0
    path = write_field(tmp_path / "a.fits", planes={"WHT": weight})
    result, plain = measure(path, tmp_path, "--local-bkg", "6", "12")
    assert f"{8 * SHAPE[0]} no weight in" in result.output
    result, weighted = measure(path, tmp_path, "--weight", "WHT")
    assert "errors      from" in result.output
    assert "scaled to the measured noise" in result.output
    np.testing.assert_allclose(weighted["flux_fit"], FLUX, rtol=0.05)
    np.testing.assert_allclose(
        weighted["snr"], weighted["flux_fit"] / weighted["flux_err"]
    )
    result, _ = measure(path, tmp_path, "--weight", "none", "--mask", "WHT < 1")
    assert f"{8 * SHAPE[0]} a.fits[WHT] < 1" in result.output
    assert len(plain) == len(weighted) == len(X)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--weight-type", "ivar"], "--weight-type needs the weights"),
        (["--mask", "WHT=0"], "--mask takes EXT OP NUMBER"),
        (["--weight-type", "rms", "--weight", "WHT"], "'rms' is not one of"),
    ],
)
def test_words_of_weights_that_are_wrong(tmp_path, words, said):
    result, _ = measure(write_field(tmp_path / "a.fits"), tmp_path, *words)
    assert result.exit_code == 2
    assert said in result.output


def test_error_and_weight_are_not_both_given(tmp_path):
    path = write_field(tmp_path / "a.fits", planes={"WHT": np.ones(SHAPE)})
    result, _ = measure(path, tmp_path, "--weight", "WHT", "--error", "2")
    assert result.exit_code == 1
    assert "error and weight exclude each other" in result.stderr


def test_fluxes_are_corrected_for_the_pixels_areas(tmp_path):
    area = 0.9 + 0.2 * np.mgrid[: SHAPE[0], : SHAPE[1]][1] / SHAPE[1]
    _, before = measure(write_field(tmp_path / "a.fits"), tmp_path)
    image = write_field(tmp_path / "b.fits", planes={"AREA": area})
    _, after = measure(image, tmp_path)
    want = area[np.rint(Y).astype(int), np.rint(X).astype(int)]
    np.testing.assert_allclose(after["pixel_area"], want, rtol=1e-6)
    for name in ("flux_fit", "flux_err"):
        np.testing.assert_allclose(after[name], before[name] * want, rtol=1e-6)


@pytest.mark.parametrize("chip", [1, 2])
def test_the_chip_chooses_the_psfs(tmp_path, chip):
    # The lower rows of the file are of chip 2, whose PSFs are wider here.
    name = "STDPSF_ACSWFC_F814W"
    _, x, y = FILES[name]
    hdu = stdpsf_hdu(x, y)
    step, n = 0.25, len(hdu.data)
    offsets = np.arange(-40, 41) * step
    grid = np.meshgrid(offsets, offsets)
    planes = [
        CircularGaussianPRF(fwhm=FWHM * (1.5 if i < n // 2 else 1))(*grid)
        for i in (0, n - 1)
    ]
    hdu.data = np.array([planes[i >= n // 2] for i in range(n)], np.float32)
    hdu.writeto(tmp_path / f"{name}.fits")
    image = write_field(tmp_path / "a.fits", CCDCHIP=chip, DETECTOR="WFC")
    result, table = measure(image, tmp_path, psf=str(tmp_path / f"{name}.fits"))
    assert result.exit_code == 0, result.output
    width = FWHM * (1.5 if chip == 2 else 1)
    assert f"FWHM {width:.1f}" in result.output
    if chip == 1:
        np.testing.assert_allclose(table["flux_fit"], FLUX, rtol=0.05)
    assert "Warning" not in result.output


def test_encircled_energy_on_the_command_line(tmp_path):
    offsets = np.arange(-40, 41) / 4
    psf = CircularGaussianPRF(fwhm=FWHM)(*np.meshgrid(offsets, offsets))
    header = fits.Header({"OVERSAMP": 4})
    fits.writeto(tmp_path / "p.fits", psf, header)
    image = write_field(tmp_path / "a.fits")
    _, plain = measure(image, tmp_path, psf=str(tmp_path / "p.fits"))
    words = ["--aperture-correction", "0.8"]
    result, total = measure(image, tmp_path, *words, psf=str(tmp_path / "p.fits"))
    assert "times the encircled energy 0.8" in result.output
    np.testing.assert_allclose(total["flux_fit"], plain["flux_fit"] / 0.8, rtol=1e-6)
    result, _ = measure(image, tmp_path, "--aperture-correction", "1.5", psf="p.fits")
    assert result.exit_code != 0
