"""Grids of PSFs whose planes do not sum to the whole flux."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.io import FileFormatError, read_psf
from psfphot.psf import CircularGaussianPRF

SAMPLES = 4
WHOLE = SAMPLES**2


@pytest.fixture
def stamp():
    """An ePSF that sums to 1."""
    y, x = np.mgrid[-24:25, -24:25] / SAMPLES
    image = CircularGaussianPRF(fwhm=2.5)(x, y)
    return image / image.sum()


def grid(tmp_path, stamp, sums):
    """Write planes of these sums at the corners of 100 x 100 pixels."""
    header = fits.Header({"OVERSAMP": SAMPLES, "VERSION": "2.2.0"})
    for i in range(4):
        header[f"DET_YX{i}"] = str((100.0 * (i // 2), 100.0 * (i % 2)))
    path = tmp_path / "grid.fits"
    fits.writeto(path, np.array([total * stamp for total in sums]), header)
    return path


@pytest.mark.parametrize("total", [1.0, 0.9, 1.1])
def test_planes_that_sum_to_1_are_multiplied(tmp_path, stamp, total):
    sums = total * np.array([0.99, 1.0, 1.0, 1.01])
    psf = read_psf(grid(tmp_path, stamp, sums))
    found = psf.model.data.sum(axis=(1, 2))
    # One factor for all: what the planes differ by is the telescope's.
    np.testing.assert_allclose(found, WHOLE * sums)
    assert "multiplied by 16" in psf.description


def test_a_star_has_the_flux_it_has_with_the_formula(tmp_path, stamp):
    psf = read_psf(grid(tmp_path, stamp, [1.0] * 4))
    y, x = np.mgrid[40:61, 40:61]
    star = psf.model.evaluate(x, y, 1000.0, 50.2, 49.9)
    assert star.sum() == pytest.approx(1000, rel=1e-3)


@pytest.mark.parametrize("total", [WHOLE, 0.85 * WHOLE])
def test_planes_of_the_whole_flux_stay(tmp_path, stamp, total):
    psf = read_psf(grid(tmp_path, stamp, [total] * 4))
    np.testing.assert_allclose(psf.model.data.sum(axis=(1, 2)), total)
    assert "left as it is" in psf.description


@pytest.mark.parametrize("total", [100.0 * WHOLE, 0.01, 5.0])
def test_planes_of_another_sum_are_scaled_with_a_warning(tmp_path, stamp, total):
    path = grid(tmp_path, stamp, [total] * 4)
    with pytest.warns(AstropyUserWarning, match="where 16 is the whole flux"):
        psf = read_psf(path)
    np.testing.assert_allclose(psf.model.data.sum(axis=(1, 2)), WHOLE)
    assert "scaled to 16" in psf.description


def test_one_plane_of_another_sum(tmp_path, stamp):
    path = grid(tmp_path, stamp, [15.5, 15.5, 15.5, 1.0])
    with pytest.warns(AstropyUserWarning, match="1 whose own sum is another"):
        psf = read_psf(path)
    sums = psf.model.data.sum(axis=(1, 2))
    np.testing.assert_allclose(sums, [15.5, 15.5, 15.5, WHOLE])


def test_zero_planes_take_no_part(tmp_path, stamp):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        psf = read_psf(grid(tmp_path, stamp, [1.0, 0.0, 0.0, 1.0]))
    assert psf.model.data.sum(axis=(1, 2)).tolist() == pytest.approx([16, 0, 0, 16])


@pytest.mark.parametrize(
    ("sums", "message"),
    [
        ([0.0] * 4, "all planes of the grid are zero"),
        ([-16.0] * 4, "must have sums above 0, 4 of 4 have not"),
        ([16.0, -1.0, 16.0, 16.0], r"1 of 4 have not; that at \(100, 0\) has -1"),
    ],
)
def test_no_light(tmp_path, stamp, sums, message):
    with pytest.raises(FileFormatError, match=message):
        read_psf(grid(tmp_path, stamp, sums))
