"""PSF photometry: models, groups, fits and images.

The models are astropy models whose values and derivatives are computed in Rust.
"""

# Imported to register the file formats of PSF grids.
from psfphot.psf import _formats  # noqa: F401
from psfphot.psf._airy import AiryDiskPRF, AiryDiskPSF
from psfphot.psf._elliptical import GaussianPRF, GaussianPSF
from psfphot.psf._fit_gaussian import fit_2dgaussian, fit_fwhm
from psfphot.psf._fit_results import GroupCovariance
from psfphot.psf._fitter import LevenbergMarquardt
from psfphot.psf._flags import PSF_FLAGS, decode_psf_flags
from psfphot.psf._gaussian import (
    CircularGaussianPRF,
    CircularGaussianPSF,
    CircularGaussianSigmaPRF,
)
from psfphot.psf._gridded import GriddedPSFModel
from psfphot.psf._grouping import SourceGrouper, SourceGroups
from psfphot.psf._image import ImagePSF
from psfphot.psf._moffat import MoffatPRF, MoffatPSF
from psfphot.psf._photometry import PSFPhotometry
from psfphot.psf._simulation import make_psf_model_image
from psfphot.psf._stdpsf_grid import STDPSFGrid

__all__ = [
    "PSF_FLAGS",
    "AiryDiskPRF",
    "AiryDiskPSF",
    "CircularGaussianPRF",
    "CircularGaussianPSF",
    "CircularGaussianSigmaPRF",
    "GaussianPRF",
    "GaussianPSF",
    "GriddedPSFModel",
    "GroupCovariance",
    "ImagePSF",
    "LevenbergMarquardt",
    "MoffatPRF",
    "MoffatPSF",
    "PSFPhotometry",
    "STDPSFGrid",
    "SourceGrouper",
    "SourceGroups",
    "decode_psf_flags",
    "fit_2dgaussian",
    "fit_fwhm",
    "make_psf_model_image",
]
