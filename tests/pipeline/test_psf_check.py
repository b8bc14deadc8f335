"""Whether the PSF is that of the image, and what is said where it is not."""

import numpy as np
import pytest
from astropy.io import fits
from cli_field import run

from psfphot.datasets import make_noise_image
from psfphot.io import read_image, read_psf
from psfphot.pipeline import measure
from psfphot.psf import CircularGaussianPRF, make_psf_model_image


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Sixteen bright stars of FWHM 3.6 px, 3.66 with the pixels."""
    path = tmp_path_factory.mktemp("wide") / "wide.fits"
    image, _ = make_psf_model_image(
        (220, 220),
        CircularGaussianPRF(fwhm=3.6),
        16,
        flux=(3000, 20000),
        model_shape=(41, 41),
        min_separation=32,
        border_size=15,
        seed=3,
    )
    noise = make_noise_image(image.shape, mean=100, stddev=3, seed=4)
    fits.writeto(path, image + noise)
    return path


def test_the_right_psf_is_not_remarked(path):
    check = measure(read_image(path), read_psf("gaussian:3.6")).psf_check
    assert not check.is_off
    assert check.mismatch == pytest.approx(0.02, abs=0.01)


def test_a_narrow_psf_is_remarked_with_the_words_to_type(path, tmp_path):
    done = measure(read_image(path), read_psf("gaussian:2.8"))
    assert done.psf_check.is_off
    assert done.psf_check.mismatch > 0.1
    assert done.psf_check.measured_fwhm == pytest.approx(3.66, abs=0.05)
    option = done.report()["psf"]["suggested"]
    kind, _, numbers = option.partition(":")
    assert kind in {"gaussian", "moffat"}
    assert float(numbers.split(",")[0]) == pytest.approx(3.6, abs=0.05)
    result = run("fit", path, "--psf", "gaussian:2.8", "-o", tmp_path / "c.ecsv")
    assert f"try --psf {option}" in result.stdout
    again = measure(read_image(path), read_psf(option))
    assert not again.psf_check.is_off
    assert np.median(again.catalog["qfit"]) < 0.1
