"""PSF photometry: models, groups, fits and images.

The models are astropy models whose values and derivatives are computed in Rust.
"""

from psfphot.psf._airy import AiryDiskPRF, AiryDiskPSF
from psfphot.psf._gaussian import (
    CircularGaussianPRF,
    CircularGaussianPSF,
    CircularGaussianSigmaPRF,
    GaussianPRF,
    GaussianPSF,
)
from psfphot.psf._gridded import GriddedPSFModel
from psfphot.psf._grouping import SourceGrouper
from psfphot.psf._image import ImagePSF
from psfphot.psf._moffat import MoffatPRF, MoffatPSF
from psfphot.psf._photometry import PSFPhotometry
from psfphot.psf._simulation import make_psf_model_image

__all__ = [
    "AiryDiskPRF",
    "AiryDiskPSF",
    "CircularGaussianPRF",
    "CircularGaussianPSF",
    "CircularGaussianSigmaPRF",
    "GaussianPRF",
    "GaussianPSF",
    "GriddedPSFModel",
    "ImagePSF",
    "MoffatPRF",
    "MoffatPSF",
    "PSFPhotometry",
    "SourceGrouper",
    "make_psf_model_image",
]
