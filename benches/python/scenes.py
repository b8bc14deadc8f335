"""Crowded scenes, seeded: images whose stars are known.

The scenes of the crowded-fields benches and tests: uniform positions, fluxes
log-uniform from 500 to 50,000, a Gaussian PSF (or the embedded NIRCam-like grid,
undersampled) on a sky of 100 with a read noise of 5.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.table import QTable

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from frames.score import robust_width

from psfphot.datasets import make_model_image, make_nircam_psf_grid
from psfphot.psf import CircularGaussianPRF

FWHM = 3.0
SKY = 100.0
READ_NOISE = 5.0
FLUXES = (500.0, 50_000.0)
BRIGHT = 1e6


class Scene(NamedTuple):
    """An image without its sky, its errors, the PSF, the stars and their starts."""

    data: Any
    error: Any
    psf_model: Any
    truth: Any
    starts: Any


def crowded(
    n_stars, side=2048, *, undersampled=False, psf_model=None, n_bright=0, seed=0
):
    """Make a scene of ``n_stars`` on ``side`` x ``side`` pixels.

    ``n_bright`` more have a flux of 10⁶. The starts are the truth plus N(0, 0.1 px),
    the fluxes times 0.8 to 1.2, and all stars are one group.
    """
    if psf_model is None:
        if undersampled:
            psf_model = make_nircam_psf_grid(16, fov_pixels=51, seed=0)
        else:
            psf_model = CircularGaussianPRF(fwhm=FWHM)
    rng = np.random.default_rng(seed)
    truth = QTable()
    truth["x_0"] = rng.uniform(0, side - 1, n_stars + n_bright)
    truth["y_0"] = rng.uniform(0, side - 1, n_stars + n_bright)
    truth["flux"] = np.exp(rng.uniform(*np.log(FLUXES), n_stars + n_bright))
    truth["flux"][n_stars:] = BRIGHT
    return observed(truth, (side, side), psf_model, rng)


def observed(truth, shape, psf_model, rng):
    """Observe given stars."""
    data = model_image(shape, psf_model, truth)
    error = np.sqrt(np.maximum(data, 0) + SKY + READ_NOISE**2)
    data += error * rng.normal(size=shape)
    starts = starts_near(truth, rng)
    starts["group_id"] = np.ones(len(truth), dtype=int)
    return Scene(data, error, psf_model, truth, starts)


def starts_near(truth, rng):
    """Where fits start: 0.1 px and up to 20 % of the flux off."""
    starts = QTable()
    starts["x"] = truth["x_0"] + rng.normal(0, 0.1, len(truth))
    starts["y"] = truth["y_0"] + rng.normal(0, 0.1, len(truth))
    starts["flux"] = truth["flux"] * rng.uniform(0.8, 1.2, len(truth))
    return starts


def model_image(shape, psf_model, truth):
    """Render given stars over the PSF's whole support."""
    size = 31
    if hasattr(psf_model, "grid_xypos"):
        samples = np.asarray(psf_model.data).shape[-1]
        size = samples // int(np.max(psf_model.oversampling)) // 2 * 2 + 1
    image = make_model_image(shape, psf_model, truth, model_shape=(size, size))
    return np.asarray(image)


def pulls(table, truth):
    """Errors of the fluxes in units of their quoted errors, and their statistics."""
    pull = np.asarray((table["flux_fit"] - truth["flux"]) / table["flux_err"])
    pull = pull[np.isfinite(pull)]
    return pull, {
        "width": robust_width(pull),
        "std": pull.std(),
        "median": np.median(pull),
        "beyond_5": int(np.sum(np.abs(pull) > 5)),
    }
