"""PSF images whose star is not at their centre, and which image of a file it is."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.io import FileFormatError, read_psf
from psfphot.io._psf_center import find_core
from psfphot.psf import CircularGaussianPRF, GriddedPSFModel, ImagePSF, MoffatPSF


def star(shape, x, y, samples=1, fwhm=2.6):
    """An ePSF with the star at these samples."""
    rows, columns = np.indices(shape)
    model = CircularGaussianPRF(fwhm=fwhm)
    return model((columns - x) / samples, (rows - y) / samples)


def write(path, *images, **keys):
    header = fits.Header({"OVERSAMP": 1} | keys)
    hdus = [fits.PrimaryHDU(images[0], header)]
    hdus += [fits.ImageHDU(image, header, name="PSF") for image in images[1:]]
    fits.HDUList(hdus).writeto(path)
    return str(path)


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("place", [(20.0, 20.0), (18.3, 20.9), (19.5, 22.0)])
def test_the_core_is_the_centre(tmp_path, samples, place):
    image = star((40, 40), *place, samples)
    path = write(tmp_path / "p.fits", image, OVERSAMP=samples)
    psf = read_psf(path)
    np.testing.assert_allclose(psf.model.origin, place, atol=2e-3 * samples)
    offset = (np.array(place) - 19.5) / samples
    said = f"centred on its core, ({offset[0]:+.3f}, {offset[1]:+.3f}) px"
    assert said in psf.description
    as_image = read_psf(path, psf_center="image")
    assert as_image.model.origin.tolist() == [19.5, 19.5]
    assert "from the image's centre, which counts" in as_image.description


@pytest.mark.parametrize("shape", [(40, 40), (41, 40), (41, 41)])
@pytest.mark.parametrize("fwhm", [0.7, 1.2, 2.6, 8.0])
def test_a_symmetric_image_stays(tmp_path, shape, fwhm):
    y, x = (np.array(shape) - 1) / 2
    psf = read_psf(write(tmp_path / "p.fits", star(shape, x, y, fwhm=fwhm)))
    assert psf.model.origin.tolist() == [x, y]
    assert "core" not in psf.description


def test_wings_noise_and_neighbours_do_not_move_the_core():
    rows, columns = np.indices((81, 81))
    image = MoffatPSF(flux=1, x_0=41.3, y_0=38.8, alpha=4, beta=2.5)(columns, rows)
    with np.errstate(under="ignore"):  # far wings
        image += 0.3 * star(image.shape, 70, 70, fwhm=5)
    image += np.random.default_rng(1).normal(0, 1e-3 * image.max(), image.shape)
    assert find_core(image) == pytest.approx((41.3, 38.8), abs=0.02)
    # Where the centroid of all is far away.
    total = image.sum()
    assert abs((image * columns).sum() / total - 41.3) > 3


def test_an_image_without_a_core_has_none():
    image = np.full((20, 20), -1.0)
    image[10, 10] = 3.0
    assert find_core(image) is None


def test_blur_keeps_the_centre(tmp_path):
    gaussian_filter = pytest.importorskip("scipy.ndimage").gaussian_filter
    image = star((41, 41), 21.0, 20.0)
    psf = read_psf(write(tmp_path / "p.fits", image), blur_sigma=1.0)
    assert psf.model.origin == pytest.approx((21, 20), abs=1e-3)
    expected = gaussian_filter(image, 1.0, truncate=8)
    np.testing.assert_allclose(psf.model.data, expected, atol=1e-6)


def test_a_grid_off_its_centres_is_told(tmp_path):
    images = np.array([star((41, 41), 21.2, 19.5)] * 4)
    keys = {f"DET_YX{i}": str((9.0 * (i // 2), 9.0 * (i % 2))) for i in range(4)}
    path = write(tmp_path / "g.fits", images, VERSION="2.2.0", **keys)
    with pytest.warns(AstropyUserWarning, match=r"\(\+1.20, -0.50\) px from"):
        psf = read_psf(path)
    assert psf.model.origin.tolist() == [20, 20]


def test_words_that_do_not_go_together(tmp_path):
    path = write(tmp_path / "p.fits", star((41, 41), 20, 20))
    with pytest.raises(ValueError, match="psf_center must be 'core' or 'image'"):
        read_psf(path, psf_center="peak")
    with pytest.raises(ValueError, match="--psf-center is not for a formula"):
        read_psf("gaussian:2", psf_center="core")


def test_an_extension_and_a_plane(tmp_path):
    narrow, wide = (star((41, 41), 20, 20, fwhm=fwhm) for fwhm in (2.5, 5.0))
    path = write(tmp_path / "p.fits", narrow, wide, np.array([wide, narrow]))
    assert read_psf(path).fwhm == pytest.approx(2.6, abs=0.1)
    for ext, fwhm in {
        "0": 2.6,
        "PSF": 5.1,
        "1": 5.1,
        "PSF,1": 5.1,
        "2][0": 5.1,
        "2][1": 2.6,
    }.items():
        psf = read_psf(f"{path}[{ext}]")
        assert isinstance(psf.model, ImagePSF)
        assert psf.fwhm == pytest.approx(fwhm, abs=0.1)
    with pytest.raises(FileFormatError, match="has no extension '3'; it has 0 "):
        read_psf(f"{path}[3]")
    with pytest.raises(FileFormatError, match=r"p.fits\[2\]: is no grid of ePSFs"):
        read_psf(f"{path}[2]")


def test_a_grid_in_an_extension(tmp_path):
    image = star((41, 41), 20, 20)
    path = tmp_path / "g.fits"
    grid = fits.ImageHDU(np.array([image] * 4), name="GRID")
    grid.header.update({"OVERSAMP": 1, "VERSION": "2.2.0"})
    for i in range(4):
        grid.header[f"DET_YX{i}"] = str((9.0 * (i // 2), 9.0 * (i % 2)))
    fits.HDUList([fits.PrimaryHDU(image), grid]).writeto(path)
    model = read_psf(f"{path}[GRID]").model
    assert isinstance(model, GriddedPSFModel)
    assert model.grid_xypos.tolist() == [[0, 0], [9, 0], [0, 9], [9, 9]]
    assert isinstance(read_psf(f"{path}[GRID][3]").model, ImagePSF)
