"""Simulated data: source lists, noise and a grid of PSFs."""

from psfphot.datasets._nircam import make_nircam_psf_grid
from psfphot.datasets._simulation import make_model_params, make_noise_image

__all__ = ["make_model_params", "make_nircam_psf_grid", "make_noise_image"]
