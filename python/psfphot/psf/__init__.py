"""PSF models: astropy models whose values and derivatives are computed in Rust."""

from psfphot.psf._gaussian import CircularGaussianPRF
from psfphot.psf._gridded import GriddedPSFModel
from psfphot.psf._image import ImagePSF

__all__ = [
    "CircularGaussianPRF",
    "GriddedPSFModel",
    "ImagePSF",
]
