"""Good calls of the public functions that measure images and make them."""

from functools import partial

import numpy as np
from astropy import units as u
from astropy.table import QTable
from hostile.calls import PSF
from hostile.ingredients import ONES, POSITIONS, SKY, simple, star

from psfphot import (
    aperture,
    background,
    centroids,
    datasets,
    detection,
    matching,
    utils,
)


def levels(kind):
    """Make an estimator and estimate."""
    return lambda data, axis, **words: kind(**words)(data, axis=axis)


ESTIMATORS = {
    name: simple(levels(getattr(background, name)), data=ONES, axis=None, **words)
    for name, words in {
        "BiweightLocationBackground": {"c": 6.0, "M": None},
        "BiweightScaleBackgroundRMS": {"c": 9.0, "M": None},
        "MADStdBackgroundRMS": {"sigma_clip": None},
        "MeanBackground": {"sigma_clip": None},
        "MedianBackground": {"sigma_clip": None},
        "ModeEstimatorBackground": {"median_factor": 3.0, "mean_factor": 2.0},
        "StdBackgroundRMS": {"sigma_clip": None},
    }.items()
}


#: Each call and, by the names of its arguments, what it can be called with.
IMAGES = {
    **ESTIMATORS,
    "ApertureMask": simple(
        lambda data, bbox, other: aperture.ApertureMask(data, bbox).multiply(other),
        data=np.ones((3, 3)),
        bbox=aperture.BoundingBox(1, 4, 2, 5),
        other=ONES,
    ),
    "AperturePhotometry": simple(
        aperture.AperturePhotometry,
        data=ONES,
        apertures=aperture.CircularAperture(POSITIONS, 2),
        method="subpixel",
        subpixels=3,
        n_threads=1,
    ),
    "ApertureStats": simple(
        aperture.ApertureStats,
        data=ONES,
        aperture=aperture.CircularAperture(POSITIONS, 2),
        sum_method="center",
        ddof=0,
        local_bkg=1.0,
    ),
    "BoundingBox": simple(
        lambda shape, **edges: aperture.BoundingBox(**edges).get_overlap_slices(shape),
        ixmin=1,
        ixmax=4,
        iymin=2,
        iymax=5,
        shape=(9, 9),
    ),
    "CircularAnnulus": simple(
        aperture.CircularAnnulus, positions=POSITIONS, r_in=1.0, r_out=2.0
    ),
    "CircularAperture": simple(aperture.CircularAperture, positions=POSITIONS, r=2.0),
    "SkyCircularAnnulus": simple(
        aperture.SkyCircularAnnulus,
        positions=SKY,
        r_in=1 * u.arcsec,
        r_out=2 * u.arcsec,
    ),
    "SkyCircularAperture": simple(
        aperture.SkyCircularAperture, positions=SKY, r=1 * u.arcsec
    ),
    "decode_aperture_flags": simple(
        aperture.decode_aperture_flags, flags=[0, 3], return_bit_values=False
    ),
    "Background2D": simple(
        background.Background2D,
        data=ONES,
        box_size=3,
        filter_size=3,
        fill_value=0.0,
        exclude_percentile=10.0,
        filter_threshold=None,
    ),
    "BkgIDWInterpolator": simple(
        lambda **words: (
            background.Background2D(
                ONES, 3, interpolator=background.BkgIDWInterpolator(**words)
            ).background
        ),
        leafsize=10,
        n_neighbors=4,
        power=1.0,
        regularization=0.0,
    ),
    "BkgZoomInterpolator": simple(
        lambda **words: (
            background.Background2D(
                ONES, 3, interpolator=background.BkgZoomInterpolator(**words)
            ).background
        ),
        order=3,
        mode="reflect",
        cval=0.0,
        clip=True,
    ),
    "LocalBackground": simple(
        lambda x, y, mask, **words: background.LocalBackground(**words)(
            ONES, x, y, mask=mask
        ),
        x=4.0,
        y=4.0,
        mask=None,
        inner_radius=2,
        outer_radius=4,
        n_threads=1,
    ),
    "ResidualBackground2D": simple(
        background.ResidualBackground2D,
        data=ONES,
        box_size=3,
        fwhm=2.0,
        source_threshold=4.0,
        highest_degree=1,
        rounds=1,
    ),
    "as_local_background": simple(
        background.as_local_background, estimator=background.LocalBackground(1, 2)
    ),
    "coverage_mask": simple(
        background.coverage_mask, data=ONES, error=ONES, weight=None, n_threads=1
    ),
    "levels_and_variances": simple(
        partial(background.levels_and_variances, background.LocalBackground(1, 3)),
        data=ONES,
        x=np.array([4.0]),
        y=np.array([4.0]),
        mask=None,
    ),
    "CentroidQuadratic": simple(
        lambda data, **words: centroids.CentroidQuadratic(**words)(data),
        data=star(),
        fit_boxsize=5,
    ),
    "centroid_1dg": simple(centroids.centroid_1dg, data=star(), error=None, mask=None),
    "centroid_2dg": simple(centroids.centroid_2dg, data=star(), error=None, mask=None),
    "centroid_com": simple(centroids.centroid_com, data=star(), mask=None),
    "centroid_quadratic": simple(
        centroids.centroid_quadratic,
        data=star(),
        mask=None,
        fit_boxsize=5,
        xpeak=5,
        ypeak=5,
        search_boxsize=5,
    ),
    "centroid_sources": simple(
        centroids.centroid_sources, data=star(), xpos=[5.0], ypos=[5.0], box_size=5
    ),
    "centroid_symmetry": simple(
        centroids.centroid_symmetry, data=star(), mask=None, radius=3.0
    ),
    "apply_poisson_noise": simple(datasets.apply_poisson_noise, data=ONES, seed=1),
    "make_4gaussians_image": simple(datasets.make_4gaussians_image, noise=True),
    "make_100gaussians_image": simple(datasets.make_100gaussians_image, noise=True),
    "make_model_image": simple(
        datasets.make_model_image,
        shape=(9, 9),
        model=PSF,
        params_table=QTable({"x_0": [3.0], "y_0": [4.0]}),
        model_shape=(5, 5),
        discretize_oversample=2,
    ),
    "make_model_params": simple(
        datasets.make_model_params,
        shape=(30, 30),
        n_sources=3,
        min_separation=1,
        border_size=2,
        flux=(1, 2),
    ),
    "make_nircam_psf_grid": simple(
        datasets.make_nircam_psf_grid,
        n_psfs=1,
        fov_pixels=5,
        oversampling=1,
        detector_size=64,
        wavelength=1.99,
        n_wavelengths=1,
        blur=0.0,
    ),
    "make_noise_image": simple(
        datasets.make_noise_image,
        shape=(5, 6),
        distribution="gaussian",
        mean=0.0,
        stddev=1.0,
        seed=1,
    ),
    "make_random_models_table": simple(
        datasets.make_random_models_table,
        n_sources=3,
        param_ranges={"a": (0, 1)},
        seed=1,
    ),
    "make_wcs": simple(datasets.make_wcs, shape=(9, 9), galactic=False),
    "params_table_to_models": simple(
        datasets.params_table_to_models,
        params_table=QTable({"x_0": [3.0], "y_0": [4.0]}),
        model=PSF,
    ),
    "DAOStarFinder": simple(
        lambda **words: detection.DAOStarFinder(**words)(star()),
        threshold=10.0,
        fwhm=2.5,
        ratio=0.9,
        theta=10.0,
        sigma_radius=1.5,
        n_brightest=3,
        peak_max=None,
        min_separation=2.0,
        sharpness_range=(-9, 9),
        roundness_range=(-9, 9),
        n_threads=1,
    ),
    "IRAFStarFinder": simple(
        lambda **words: detection.IRAFStarFinder(**words)(star()),
        threshold=10.0,
        fwhm=2.5,
        sigma_radius=1.5,
        n_brightest=3,
        min_n_pixels=1,
        sharpness_range=None,
        roundness_range=None,
    ),
    "MatchedFilterFinder": simple(
        lambda **words: detection.MatchedFilterFinder(**words)(star()),
        psf_model=PSF,
        n_sigma=5.0,
        error=1.0,
        fwhm=2.5,
        half_width=2,
        min_coverage=0.3,
        xycoords=None,
    ),
    "StarFinder": simple(
        lambda **words: detection.StarFinder(**words)(star()),
        threshold=10.0,
        kernel=np.ones((3, 3)),
        min_separation=2.0,
        peak_max=None,
    ),
    "detect_cosmic_rays": simple(
        detection.detect_cosmic_rays,
        data=star(),
        psf_model=PSF,
        error=1.0,
        n_sigma=5.0,
        margin=1.3,
        half_width=3,
        max_iterations=2,
    ),
    "find_peaks": simple(
        detection.find_peaks,
        data=star(),
        threshold=10.0,
        box_size=3,
        border_width=1,
        n_peaks=2,
        min_separation=2.0,
    ),
    "XYXYMatch": simple(
        lambda first, second, **words: matching.XYXYMatch(**words)(first, second),
        first=QTable({"TPx": [1.0, 9.0], "TPy": [1.0, 9.0]}),
        second=QTable({"TPx": [1.0, 9.0], "TPy": [1.0, 9.0]}),
        searchrad=3.0,
        separation=0.5,
        xoffset=0.0,
        tolerance=1.0,
    ),
    "match_positions": simple(
        matching.match_positions,
        first=tuple(POSITIONS.T),
        second=tuple(POSITIONS.T),
        radius=2.0,
        n_threads=1,
    ),
    "CutoutImage": simple(
        utils.CutoutImage,
        data=ONES,
        position=(3, 4),
        shape=(3, 3),
        mode="trim",
        fill_value=0.0,
    ),
    "ImageDepth": simple(
        lambda data, mask, **words: utils.ImageDepth(progress_bar=False, **words)(
            data, mask
        ),
        data=np.arange(400.0).reshape(20, 20),
        mask=np.zeros((20, 20), bool),
        aper_radius=1.5,
        n_sigma=5.0,
        n_apertures=5,
        n_iters=1,
        seed=1,
        zeropoint=25.0,
    ),
    "NoiseModel": simple(
        utils.NoiseModel,
        read_noise=1.0,
        effective_gain=2.0,
        background=ONES,
        flat_error=0.0,
        profile_error=0.0,
    ),
    "calc_total_error": simple(
        utils.calc_total_error, data=ONES, bkg_error=ONES, effective_gain=2.0
    ),
    "circular_footprint": simple(utils.circular_footprint, radius=3, dtype=int),
    "make_random_cmap": simple(utils.make_random_cmap, n_colors=5, seed=1),
}
