"""Calls of the public functions with an image, errors, a mask and positions."""

import signal
from contextlib import contextmanager

import numpy as np
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable
from astropy.units import UnitsError

from psfphot.aperture import (
    AperturePhotometry,
    ApertureStats,
    CircularAnnulus,
    CircularAperture,
    aperture_photometry,
)
from psfphot.background import (
    Background2D,
    LocalBackground,
    MMMBackground,
    ResidualBackground2D,
    SExtractorBackground,
)
from psfphot.datasets import apply_poisson_noise, make_model_image
from psfphot.detection import (
    DAOStarFinder,
    IRAFStarFinder,
    MatchedFilterFinder,
    StarFinder,
    detect_cosmic_rays,
    find_peaks,
)
from psfphot.matching import XYXYMatch, match_positions
from psfphot.psf import (
    CircularGaussianPRF,
    GriddedPSFModel,
    ImagePSF,
    IterativePSFPhotometry,
    OverlapGrouper,
    PSFPhotometry,
    SourceGrouper,
    decode_psf_flags,
    fit_2dgaussian,
    fit_fwhm,
    measure_psf,
)
from psfphot.utils import ImageDepth, calc_total_error

#: Words for what cannot be used, and what reading and tables say.
ALLOWED = (TypeError, ValueError, NotImplementedError, UnitsError)

#: A call that takes longer hangs: it is a guard, far above what any call takes.
MOST_SECONDS = 60

PSF = CircularGaussianPRF(fwhm=2.5)
POINTS = (np.arange(-2.0, 3.0), np.arange(-2.0, 3.0))


def photometry(data, error, mask, x, y, **keywords):
    table = QTable({"x": x, "y": y, "flux": np.full(len(x), 100.0)})
    measured = PSFPhotometry(PSF, 5, aperture_radius=3, **keywords)
    result = measured(data, error=error, mask=mask, init_params=table)
    if result is not None:
        measured.make_residual_image(data)
        measured.decode_flags()


def iterative(data, error, mask):
    IterativePSFPhotometry(
        PSF,
        5,
        finder=MatchedFilterFinder(PSF, 5),
        grouper=OverlapGrouper(),
        aperture_radius=3,
        mode="all",
        maxiters=2,
        extra_columns=True,
    )(data, error=error, mask=mask)


#: What is called with an image, errors, a mask and positions.
CALLS = {
    "PSFPhotometry": lambda g: photometry(*g),
    "PSFPhotometry, groups": lambda g: photometry(*g, grouper=OverlapGrouper()),
    "PSFPhotometry, sky": lambda g: photometry(
        *g, local_bkg_estimator=LocalBackground(3, 6)
    ),
    "PSFPhotometry, NDData": lambda g: photometry(
        NDData(g.data, uncertainty=StdDevUncertainty(g.error), mask=g.mask),
        None,
        None,
        g.x,
        g.y,
    ),
    "IterativePSFPhotometry": lambda g: iterative(g.data, g.error, g.mask),
    "DAOStarFinder": lambda g: DAOStarFinder(3.0, 2.5)(g.data, mask=g.mask),
    "IRAFStarFinder": lambda g: IRAFStarFinder(3.0, 2.5)(g.data, mask=g.mask),
    "StarFinder": lambda g: StarFinder(3.0, np.ones((3, 3)))(g.data, mask=g.mask),
    "MatchedFilterFinder": lambda g: MatchedFilterFinder(PSF, 5)(
        g.data, error=g.error, mask=g.mask
    ),
    "DAOStarFinder, xycoords": lambda g: DAOStarFinder(
        3.0, 2.5, xycoords=np.transpose([g.x, g.y])
    )(g.data, mask=g.mask),
    "find_peaks": lambda g: find_peaks(g.data, 3.0, box_size=3, mask=g.mask),
    "detect_cosmic_rays": lambda g: detect_cosmic_rays(
        g.data, PSF, error=g.error, mask=g.mask
    ),
    "aperture_photometry": lambda g: aperture_photometry(
        g.data,
        CircularAperture(np.transpose([g.x, g.y]), 3.0),
        error=g.error,
        mask=g.mask,
    ),
    "AperturePhotometry": lambda g: AperturePhotometry(
        g.data,
        CircularAnnulus(np.transpose([g.x, g.y]), 3.0, 5.0),
        error=g.error,
        mask=g.mask,
    ),
    "ApertureStats": lambda g: ApertureStats(
        g.data,
        CircularAperture(np.transpose([g.x, g.y]), 3.0),
        error=g.error,
        mask=g.mask,
    ).to_table(),
    "LocalBackground": lambda g: LocalBackground(3, 6)(g.data, g.x, g.y, mask=g.mask),
    "Background2D": lambda g: (
        Background2D(g.data, 5, mask=g.mask, exclude_percentile=90).background
    ),
    "ResidualBackground2D": lambda g: (
        ResidualBackground2D(g.data, 5, mask=g.mask, fwhm=2.5).background
    ),
    "MMMBackground": lambda g: MMMBackground()(g.data),
    "SExtractorBackground": lambda g: SExtractorBackground()(g.data, axis=0),
    "fit_2dgaussian": lambda g: fit_2dgaussian(
        g.data, xypos=np.transpose([g.x, g.y]), fit_shape=5, mask=g.mask, error=g.error
    ),
    "fit_fwhm": lambda g: fit_fwhm(
        g.data, xypos=np.transpose([g.x, g.y]), fit_shape=5, mask=g.mask, error=g.error
    ),
    "measure_psf": lambda g: measure_psf(g.data, error=g.error, mask=g.mask, fwhm=2.5),
    "make_model_image": lambda g: make_model_image(
        np.shape(g.data), PSF, QTable({"x_0": g.x, "y_0": g.y}), model_shape=(5, 5)
    ),
    "apply_poisson_noise": lambda g: apply_poisson_noise(g.data, seed=1),
    "calc_total_error": lambda g: calc_total_error(g.data, g.error, 2.0),
    "ImageDepth": lambda g: ImageDepth(
        2.0, n_sigma=5, n_apertures=5, n_iters=1, seed=1
    )(g.data, g.mask),
    "ImagePSF": lambda g: ImagePSF(g.data, oversampling=2)(g.x, g.y),
    "GriddedPSFModel": lambda g: GriddedPSFModel(
        NDData(
            np.asarray(g.data)[None],
            meta={"grid_xypos": [(0.0, 0.0)], "oversampling": 2},
        )
    )(g.x, g.y),
    "CircularGaussianPRF": lambda g: PSF(g.x, g.y),
    "SourceGrouper": lambda g: SourceGrouper(3.0)(g.x, g.y),
    "OverlapGrouper": lambda g: OverlapGrouper(5)(g.x, g.y),
    "match_positions": lambda g: match_positions((g.x, g.y), POINTS, 2.0),
    "XYXYMatch": lambda g: XYXYMatch()(
        QTable({"TPx": g.x, "TPy": g.y}), QTable({"TPx": g.x, "TPy": g.y})
    ),
    "decode_psf_flags": lambda g: decode_psf_flags(g.data),
}


@contextmanager
def guarded():
    """End a call that hangs, where there are alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def end(*_):
        raise AssertionError("a call hangs")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
