"""Many threads of Python at once, with the interpreter lock and without it."""

import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from psfphot.detection import DAOStarFinder
from psfphot.psf import (
    CircularGaussianPRF,
    PSFPhotometry,
    SourceGrouper,
    make_psf_model_image,
)

N_THREADS = 4


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"),
    reason="an interpreter with a lock",
)
def test_the_lock_stays_off():
    """An extension that does not declare itself safe turns the lock on again."""
    code = "import sys, psfphot.psf; sys.exit(sys._is_gil_enabled())"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_threads_share_a_model_and_get_what_one_gets():
    psf_model = CircularGaussianPRF(fwhm=2.7)
    data, _ = make_psf_model_image(
        (120, 120), psf_model, 40, flux=(500, 5000), min_separation=5, seed=3
    )
    data += np.random.default_rng(3).normal(0, 2, data.shape)
    error = np.full(data.shape, 2.0)
    start_together = Barrier(N_THREADS)

    def measure(wait=True):
        photometry = PSFPhotometry(
            psf_model,
            (5, 5),
            finder=DAOStarFinder(20.0, 2.7),
            grouper=SourceGrouper(8),
            aperture_radius=4,
        )
        if wait:
            start_together.wait(30)
        table = photometry(data, error=error)
        return np.array(table["flux_fit"]), photometry.make_residual_image(data)

    flux, residual = measure(wait=False)
    assert len(flux) > 30
    with ThreadPoolExecutor(N_THREADS) as pool:
        for future in [pool.submit(measure) for _ in range(N_THREADS)]:
            other_flux, other_residual = future.result(60)
            np.testing.assert_array_equal(other_flux, flux)
            np.testing.assert_array_equal(other_residual, residual)
