"""Simulated data: source lists, images, noise and a grid of PSFs."""

from psfphot._absent import absent_names
from psfphot.datasets._examples import (
    make_4gaussians_image,
    make_100gaussians_image,
)
from psfphot.datasets._models import params_table_to_models
from psfphot.datasets._nircam import make_nircam_psf_grid
from psfphot.datasets._noise import apply_poisson_noise, make_noise_image
from psfphot.datasets._wcs import make_gwcs, make_wcs
from psfphot.psf._rendering.model_image import make_model_image
from psfphot.psf._rendering.random_sources import (
    make_model_params,
    make_random_models_table,
)

__all__ = [
    "apply_poisson_noise",
    "make_4gaussians_image",
    "make_100gaussians_image",
    "make_gwcs",
    "make_model_image",
    "make_model_params",
    "make_nircam_psf_grid",
    "make_noise_image",
    "make_random_models_table",
    "make_wcs",
    "params_table_to_models",
]

__getattr__ = absent_names("datasets")
