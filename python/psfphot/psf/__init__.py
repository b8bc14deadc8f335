"""PSF photometry: models, groups, fits and images.

The models are astropy models whose values and derivatives are computed in Rust.
"""

from psfphot._absent import absent_names
from psfphot.psf._epsf.build import PSFBuild, build_psf_grid, refine_psf
from psfphot.psf._epsf.builder import EPSFBuilder
from psfphot.psf._epsf.extract import extract_stars
from psfphot.psf._epsf.report import PSFReport
from psfphot.psf._epsf.results import EPSFBuildResults
from psfphot.psf._epsf.selection import PSFStarSelection, select_psf_stars
from psfphot.psf._epsf.star import EPSFStar
from psfphot.psf._epsf.star_fit import EPSFFitter
from psfphot.psf._epsf.star_list import EPSFStars, LinkedEPSFStar

# Imported to register the file formats of PSF grids.
from psfphot.psf._files import formats  # noqa: F401
from psfphot.psf._files.connect import GriddedPSFModelRead
from psfphot.psf._files.readers import stdpsf_reader, webbpsf_reader
from psfphot.psf._files.stdpsf_grid import STDPSFGrid
from psfphot.psf._iterative.management import StarListManagement
from psfphot.psf._iterative.photometry import IterativePSFPhotometry
from psfphot.psf._models.airy import AiryDiskPRF, AiryDiskPSF
from psfphot.psf._models.elliptical import GaussianPRF, GaussianPSF
from psfphot.psf._models.gaussian import (
    CircularGaussianPRF,
    CircularGaussianPSF,
    CircularGaussianSigmaPRF,
)
from psfphot.psf._models.gridded import GriddedPSFModel
from psfphot.psf._models.image import ImagePSF
from psfphot.psf._models.make_model import grid_from_epsfs, make_psf_model
from psfphot.psf._models.moffat import MoffatPRF, MoffatPSF
from psfphot.psf._models.pixel_integral import make_epsf_from_psf
from psfphot.psf._models.polynomial import PolynomialPSFModel
from psfphot.psf._photometry.covariance import GroupCovariance
from psfphot.psf._photometry.fit_gaussian import fit_2dgaussian, fit_fwhm
from psfphot.psf._photometry.fitter import LevenbergMarquardt
from psfphot.psf._photometry.flags import PSF_FLAGS, decode_psf_flags
from psfphot.psf._photometry.grouping import (
    OverlapGrouper,
    SourceGrouper,
    SourceGroups,
)
from psfphot.psf._photometry.measure_psf import PSFMeasurement, measure_psf
from psfphot.psf._photometry.photometry import PSFPhotometry
from psfphot.psf._rendering.simulation import make_psf_model_image

__all__ = [
    "PSF_FLAGS",
    "AiryDiskPRF",
    "AiryDiskPSF",
    "CircularGaussianPRF",
    "CircularGaussianPSF",
    "CircularGaussianSigmaPRF",
    "EPSFBuildResults",
    "EPSFBuilder",
    "EPSFFitter",
    "EPSFStar",
    "EPSFStars",
    "GaussianPRF",
    "GaussianPSF",
    "GriddedPSFModel",
    "GriddedPSFModelRead",
    "GroupCovariance",
    "ImagePSF",
    "IterativePSFPhotometry",
    "LevenbergMarquardt",
    "LinkedEPSFStar",
    "MoffatPRF",
    "MoffatPSF",
    "OverlapGrouper",
    "PSFBuild",
    "PSFMeasurement",
    "PSFPhotometry",
    "PSFReport",
    "PSFStarSelection",
    "PolynomialPSFModel",
    "STDPSFGrid",
    "SourceGrouper",
    "SourceGroups",
    "StarListManagement",
    "build_psf_grid",
    "decode_psf_flags",
    "extract_stars",
    "fit_2dgaussian",
    "fit_fwhm",
    "grid_from_epsfs",
    "make_epsf_from_psf",
    "make_psf_model",
    "make_psf_model_image",
    "measure_psf",
    "refine_psf",
    "select_psf_stars",
    "stdpsf_reader",
    "webbpsf_reader",
]

__getattr__ = absent_names("psf", {"EPSFBuildResult": EPSFBuildResults})
