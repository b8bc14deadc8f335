"""PSF photometry: models, groups, fits and images.

The models are astropy models whose values and derivatives are computed in Rust.
"""

from psfphot.psf._gaussian import CircularGaussianPRF
from psfphot.psf._gridded import GriddedPSFModel
from psfphot.psf._grouping import SourceGrouper, SourceGroups
from psfphot.psf._image import ImagePSF
from psfphot.psf._photometry import PSFPhotometry
from psfphot.psf._simulation import make_psf_model_image

__all__ = [
    "CircularGaussianPRF",
    "GriddedPSFModel",
    "ImagePSF",
    "PSFPhotometry",
    "SourceGrouper",
    "SourceGroups",
    "make_psf_model_image",
]
