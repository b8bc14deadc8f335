"""Groups whose PSF is not the stars': slow, but to the minimum."""

import numpy as np
import pytest
from astropy.table import QTable

from psfphot.datasets import make_nircam_psf_grid
from psfphot.psf import (
    CircularGaussianPRF,
    LevenbergMarquardt,
    MoffatPRF,
    PSFPhotometry,
)

SHAPE = (64, 64)
N = 25


@pytest.fixture(scope="module")
def grid():
    return make_nircam_psf_grid(4, fov_pixels=31, detector_size=64)


def scene(spacing, seed):
    """Draw 25 Moffat stars in a square, with errors and starts."""
    rng = np.random.default_rng(seed)
    step = (np.arange(N) % 5 - 2) * spacing, (np.arange(N) // 5 - 2) * spacing
    x, y = (32 + s + rng.uniform(-0.5, 0.5, N) for s in step)
    flux = 10 ** rng.uniform(3, 4.3, N)
    psf = MoffatPRF(alpha=2.0, beta=2.5)
    columns, rows = np.meshgrid(*(np.arange(float(n)) for n in SHAPE[::-1]))
    image = sum(
        psf.evaluate(columns, rows, f, a, b, 2.0, 2.5)
        for f, a, b in zip(flux, x, y, strict=True)
    )
    error = np.sqrt(image + 100)
    starts = QTable(
        {
            "x": x + rng.normal(0, 0.2, N),
            "y": y + rng.normal(0, 0.2, N),
            "flux": flux * rng.uniform(0.7, 1.3, N),
            "group_id": np.ones(N, int),
        }
    )
    return image + error * rng.normal(size=SHAPE), error, starts


@pytest.mark.parametrize("seed", [0, 3, 5])
@pytest.mark.parametrize("kind", ["grid", "Gaussian"])
def test_steps_that_shrink_slowly_are_accelerated(grid, kind, seed):
    psf = grid if kind == "grid" else CircularGaussianPRF(fwhm=3.0)
    data, error, starts = scene(5, seed)
    fit = PSFPhotometry(psf, 7)
    table = fit(data, error=error, init_params=starts)
    assert np.all(table["flags"] & 8 == 0)
    # With the grid 16, 20 and 14; without acceleration 43, 179 and 45.
    assert fit.fit_info[0]["n_iterations"] <= 25
    # It ends at the minimum.
    exact = PSFPhotometry(psf, 7, fitter=LevenbergMarquardt(step_tolerance=1e-7))
    again = exact(data, error=error, init_params=starts)
    for name in ("x", "y", "flux"):
        offset = (table[f"{name}_fit"] - again[f"{name}_fit"]) / again[f"{name}_err"]
        assert np.all(np.abs(np.asarray(offset)) < 1e-3), name
