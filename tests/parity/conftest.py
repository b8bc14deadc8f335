"""Fixtures of the side-by-side tests: the shared data and photutils' version.

The data are too large for the repository.  The environment variable
``PSFPHOT_SHARED_DATA`` names the directory that holds them; the tests that need
them are skipped without it.
"""

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

GRID = "nircam_nrca1_f200w_fovp101_samp4_npsf16.fits"
MOSAIC = "spitzer_irac_i2_glimpse.fits"
MOSAIC_PSF = "irac_ch2_epsf_4x.fits"


def shared_file(name):
    directory = os.environ.get("PSFPHOT_SHARED_DATA")
    if directory is None:
        pytest.skip("PSFPHOT_SHARED_DATA is not set")
    path = Path(directory) / name
    if not path.is_file():
        pytest.skip(f"PSFPHOT_SHARED_DATA has no {name}")
    return path


@pytest.fixture(scope="session")
def nircam_grid():
    """An STPSF grid of 16 ePSFs of 101 pixels, oversampled 4 times."""
    return shared_file(GRID)


@pytest.fixture(scope="session")
def spitzer_mosaic():
    return shared_file(MOSAIC)


@pytest.fixture(scope="session")
def spitzer_psf():
    """An ePSF of IRAC's channel 2, oversampled 4 times, of sum 1."""
    return shared_file(MOSAIC_PSF)


@pytest.fixture(scope="session")
def photutils_version():
    """photutils' (major, minor)."""
    try:
        release = version("photutils")
    except PackageNotFoundError:
        pytest.skip("photutils is not installed")
    major, minor = release.split(".")[:2]
    return int(major), int(minor)


@pytest.fixture(scope="session")
def photutils_31(photutils_version):
    """Skip where photutils 3.0's finders and readers differ from 3.1's."""
    if photutils_version < (3, 1):
        pytest.skip("needs photutils 3.1")


@pytest.fixture(scope="session")
def check_fits():
    """Compare a parameter's fits: to 1 % of an error bar, errors to 0.1 %."""

    def check(ours, theirs, parameter):
        error = np.asarray(theirs[f"{parameter}_err"])
        fit = f"{parameter}_fit"
        difference = np.abs(np.asarray(ours[fit]) - np.asarray(theirs[fit]))
        assert np.all(difference <= 0.01 * error)
        np.testing.assert_allclose(ours[f"{parameter}_err"], error, rtol=1e-3)

    return check
