"""PSF photometry: models, groups, fits and images.

The models are astropy models whose values and derivatives are computed in Rust.
"""

from psfphot.psf._fitter import LevenbergMarquardt
from psfphot.psf._flags import PSF_FLAGS, decode_psf_flags
from psfphot.psf._gaussian import CircularGaussianPRF
from psfphot.psf._gridded import GriddedPSFModel
from psfphot.psf._grouping import SourceGrouper
from psfphot.psf._image import ImagePSF
from psfphot.psf._photometry import PSFPhotometry
from psfphot.psf._simulation import make_psf_model_image

__all__ = [
    "PSF_FLAGS",
    "CircularGaussianPRF",
    "GriddedPSFModel",
    "ImagePSF",
    "LevenbergMarquardt",
    "PSFPhotometry",
    "SourceGrouper",
    "decode_psf_flags",
    "make_psf_model_image",
]
