"""PSF models from what is typed."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from stdpsf_files import write_stdpsf

from psfphot.io import FileFormatError, measure_fwhm, read_psf
from psfphot.psf import CircularGaussianPRF, GriddedPSFModel, ImagePSF

CORNERS = [(0, 0), (0, 9), (9, 0), (9, 9)]


@pytest.fixture
def stamp():
    """Gaussian ePSF, sigma 1 px, 4x oversampled, summing to 1."""
    offsets = (np.arange(41) - 20) / 4
    profile = np.exp(-(offsets**2) / 2)
    image = np.outer(profile, profile)
    return image / image.sum()


def write(path, data, **keys):
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(keys)
    hdu.writeto(path)
    return str(path)


def test_gaussian():
    psf = read_psf("gaussian:2.5")
    assert isinstance(psf.model, CircularGaussianPRF)
    # The pixel widens it a little.
    assert 2.5 < psf.fwhm < 2.7


@pytest.mark.parametrize("width", ["", "-1", "nan", "x"])
def test_wrong_gaussian(width):
    with pytest.raises(ValueError, match="needs a width in pixels above 0, got"):
        read_psf(f"gaussian:{width}")


@pytest.mark.parametrize("fwhm", [1.0, 3.0, 10.0, 40.0])
def test_fwhm_is_measured_on_the_model(fwhm):
    measured = measure_fwhm(CircularGaussianPRF(fwhm=fwhm, flux=7, x_0=3.3, y_0=-8))
    pixel = np.sqrt(8 * np.log(2) / 12)
    # Second moments add; half-maximum widths nearly do.
    assert measured == pytest.approx(np.hypot(fwhm, pixel), rel=0.04)


@pytest.mark.parametrize("key", ["OVERSAMP", "DET_SAMP"])
def test_oversampling_from_the_header(tmp_path, stamp, key):
    psf = read_psf(write(tmp_path / "p.fits", stamp, **{key: 4}))
    assert isinstance(psf.model, ImagePSF)
    assert np.ravel(psf.model.oversampling).tolist() == [4, 4]
    assert psf.fwhm == pytest.approx(2.355, rel=0.02)


def test_oversampling_unknown_names_the_option(tmp_path, stamp):
    path = write(tmp_path / "p.fits", stamp)
    with pytest.raises(FileFormatError, match="give --oversampling N"):
        read_psf(path)
    assert np.sum(read_psf(path, oversampling=4).model.data) == pytest.approx(16)


@pytest.mark.parametrize(
    ("total", "becomes", "said"),
    [
        (1, 16, "multiplied by 16"),
        (0.9, 14.4, "multiplied by 16"),
        (16, 16, "left as it is"),
        (15, 15, "left as it is"),
        (3, 16, "scaled to 16"),
        (1e5, 16, "scaled to 16"),
    ],
)
def test_normalisation(tmp_path, stamp, total, becomes, said):
    psf = read_psf(write(tmp_path / "p.fits", stamp * total, OVERSAMP=4))
    assert np.sum(psf.model.data) == pytest.approx(becomes)
    assert said in psf.description


def test_blur_widens_and_keeps_the_flux(tmp_path, stamp):
    path = write(tmp_path / "psf.fits", stamp, OVERSAMP=4)
    sharp, wide = read_psf(path), read_psf(path, blur_sigma=0.75)
    # Variances add up: 1 and 0.75 squared.
    assert wide.fwhm / sharp.fwhm == pytest.approx(1.25, rel=0.01)
    assert wide.model.data.sum() == pytest.approx(16, rel=1e-3)
    assert "blurred by a Gaussian of sigma 0.75 px" in wide.description


def test_blur_of_a_grid(tmp_path, stamp):
    planes = np.array([stamp * 16] * 4)
    positions = {f"DET_YX{i}": f"({y}, {x})" for i, (y, x) in enumerate(CORNERS)}
    path = write(tmp_path / "grid.fits", planes, OVERSAMP=4, NUM_PSFS=4, **positions)
    wide = read_psf(path, grid_order="sorted", blur_sigma=0.75)
    assert isinstance(wide.model, GriddedPSFModel)
    assert len(wide.model.grid_xypos) == 4
    assert wide.fwhm == pytest.approx(2.9437, rel=0.02)


def test_blur_needs_a_file():
    with pytest.raises(ValueError, match="--psf-blur needs a PSF from a file"):
        read_psf("gaussian:2", blur_sigma=1)


def test_grid(tmp_path, stamp):
    keys = {"OVERSAMP": 4, "VERSION": "2.2.0", "DATE": "2025-01-01T00:00:00"}
    keys |= {f"DET_YX{i}": f"({100.0 * (i // 2)}, {100.0 * (i % 2)})" for i in range(4)}
    psf = read_psf(write(tmp_path / "g.fits", np.array([stamp * 16] * 4), **keys))
    assert isinstance(psf.model, GriddedPSFModel)
    assert "grid of 4 ePSFs, 4x oversampled" in psf.description
    assert psf.fwhm == pytest.approx(2.355, rel=0.02)


def test_grid_of_one_image_without_an_axis(tmp_path, stamp):
    path = write(tmp_path / "g.fits", stamp * 15, OVERSAMP=4, DET_YX0="(7.0, 8.5)")
    psf = read_psf(path)
    assert isinstance(psf.model, GriddedPSFModel)
    assert psf.model.grid_xypos.tolist() == [[8.5, 7]]
    assert psf.model.data.sum() == pytest.approx(15)
    assert "left as it is" in psf.description


def test_a_detector_of_a_stdpsf_file(tmp_path):
    path = str(write_stdpsf(tmp_path, "STDPSF_WFPC2_F814W"))
    psf = read_psf(path, detector_id=1)
    assert psf.model.meta["detector"] == "PC"
    assert "grid of 9 ePSFs, 4x oversampled" in psf.description
    with pytest.raises(FileFormatError, match="detector_id must be specified") as error:
        read_psf(path)
    assert str(error.value).count(path) == 1


def test_wrong_files(tmp_path, stamp):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        read_psf(str(tmp_path / "none.fits"))
    cases = {
        "cube.fits": (np.array([stamp] * 4), "is no grid of ePSFs"),
        "line.fits": (stamp[0], "neither a PSF image"),
        "nan.fits": (stamp * np.nan, "finite values"),
        "zero.fits": (stamp * 0, "a sum above 0"),
    }
    for name, (data, message) in cases.items():
        path = write(tmp_path / name, data)
        with pytest.raises(FileFormatError, match=message):
            read_psf(path, oversampling=4)


def stdpsf_of(tmp_path, name, wide):
    """Write PSFs, a core and a wide Gaussian, of flux 1 within 5.5 pixels."""
    y, x = np.mgrid[-60:61, -60:61] / 4
    radius2 = x**2 + y**2

    def gaussian(sigma):
        return np.exp(-radius2 / (2 * sigma**2)) / (2 * np.pi * sigma**2)

    psf = (1 - wide) * gaussian(0.9) + wide * gaussian(4.0)
    inside = psf[radius2 <= 5.5**2].sum() / 16
    header = fits.Header({"NXPSFS": 2, "NYPSFS": 2})
    for i, at in enumerate((0, 1014), 1):
        header[f"IPSFX{i:02d}"] = header[f"JPSFY{i:02d}"] = at
    path = tmp_path / f"STDPSF_{name}_F160W.fits"
    fits.writeto(path, np.array([psf / inside] * 4), header)
    return path, inside


def test_a_renamed_stdpsf_file_is_known_by_its_planes(tmp_path):
    path, _ = stdpsf_of(tmp_path, "WFC3IR", 0.2)
    renamed = path.rename(tmp_path / "mypsf.fits")
    said = read_psf(renamed).description
    assert "used as it is, of flux 1 within 5.5 px, so fluxes are not total" in said
    with fits.open(renamed, mode="update") as hdus:
        hdus[0].data *= 1.02
    assert "not total" not in read_psf(renamed).description


def test_encircled_energies_make_fluxes_total(tmp_path):
    path, inside = stdpsf_of(tmp_path, "WFC3IR", 0.2)
    within = read_psf(path)
    assert "flux 1 within 5.5 px, so fluxes are not total" in within.description
    table = QTable({"radius": [9.0, 2.0, 5.0, 6.0], "EE": [0.99, 0.7, inside, inside]})
    table.write(tmp_path / "ee.ecsv")
    for given in (inside, table, tmp_path / "ee.ecsv", str(tmp_path / "ee.ecsv")):
        total = read_psf(str(path), aperture_correction=given)
        # A star of total flux 1000, as the sky has it.
        y, x = np.mgrid[:41, :41]
        star = total.model.evaluate(x, y, 1000.0, 20.0, 20.0)
        assert star.sum() == pytest.approx(1000, rel=2e-3)
        assert "times the encircled energy" in total.description
        assert "not total" not in total.description
        np.testing.assert_allclose(
            star, within.model.evaluate(x, y, 1000.0 * inside, 20.0, 20.0)
        )


def test_aperture_corrections_that_cannot_be(tmp_path):
    path, _ = stdpsf_of(tmp_path, "WFC3IR", 0.2)
    other, _ = stdpsf_of(tmp_path, "NRCA1", 0.2)
    table = QTable({"radius": [1.0, 3.0], "ee": [0.7, 0.9]})
    with pytest.raises(ValueError, match=r"in \(0, 1\], got 1.1"):
        read_psf(path, aperture_correction=1.1)
    with pytest.raises(
        ValueError, match=r"reach to that of the PSF, 5.5 px, got 1 to 3"
    ):
        read_psf(path, aperture_correction=table)
    with fits.open(other, mode="update") as hdus:
        hdus[0].data *= 1.01  # of no radius that is known
    with pytest.raises(ValueError, match="radius within which the PSF is normalised"):
        read_psf(other, aperture_correction=table)
    with pytest.raises(FileFormatError, match="no column encircled_energy"):
        read_psf(path, aperture_correction=QTable({"r": [1.0]}))
    with pytest.raises(TypeError, match="a number, a table or a file"):
        read_psf(path, aperture_correction=[1])
    with pytest.raises(ValueError, match="a formula's flux is total"):
        read_psf("gaussian:2", aperture_correction=0.9)
