"""Good calls of the public functions that take more than an image, small and quick."""

from functools import cache, partial

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import NDData
from astropy.table import QTable
from hostile_calls import PSF
from stdpsf_files import stdpsf_hdu

from psfphot import (
    aperture,
    background,
    centroids,
    completeness,
    datasets,
    detection,
    io,
    matching,
    pipeline,
    plotting,
    psf,
    report,
    utils,
)

ONES = np.ones((9, 9))
SKY = SkyCoord([10.0, 10.001], [20.0, 20.001], unit="deg")
POSITIONS = np.array([[4.0, 4.0], [6.0, 5.0]])
CUTS = ("qfit < 0.2",)


@cache
def field():
    """An image of few stars, and the stars."""
    return pipeline.simulate_star_field(PSF, 64, 12, seed=1)


@cache
def exposure():
    made = pipeline.Exposure(field()[0], PSF)
    made.sky = pipeline.measure_sky(made)
    return made


@cache
def found():
    return pipeline.find_stars(exposure())


@cache
def start():
    table = pipeline.start_from_detections(found())
    pipeline.group_stars(table, exposure())
    return table


@cache
def run():
    return pipeline.measure(field()[0], PSF)


@cache
def star():
    """Pixels of a star, and its errors."""
    y, x = np.mgrid[:11, :11]
    return 1e4 * PSF.evaluate(x, y, 1, 5.2, 4.9, 2.5) + 1


def catalog():
    """Make a catalogue without what functions of `psfphot.io` add."""
    table = run().catalog.copy()
    table.remove_columns(["snr", "ra", "dec", "ra_err", "dec_err"])
    return table


def measured_tiles(**words):
    with pipeline.measure_tiled(**words) as tiled:
        return tiled.catalog


def epsf_star():
    wcs = datasets.make_wcs((11, 11))
    return psf.EPSFStar(star(), cutout_center=(5.2, 4.9), wcs_large=wcs)


def grid_data():
    samples = np.stack([star()] * 4)
    places = [(9.0 * (k % 2), 9.0 * (k // 2)) for k in range(4)]
    return NDData(samples, meta={"grid_xypos": places, "oversampling": 2})


def image_file(folder):
    """The name of a file with an image."""
    path = folder / "image.fits"
    if not path.exists():
        fits.writeto(path, field()[0].data)
    return str(path)


def psf_file(folder):
    path = folder / "psf.fits"
    if not path.exists():
        fits.writeto(path, star() / star().sum())
    return str(path)


def catalog_file(folder):
    path = folder / "sources.csv"
    if not path.exists():
        path.write_text("x,y\n3,4\n5,6\n", encoding="utf-8")
    return str(path)


def stpsf_file(folder):
    """Write a grid as STPSF does; return its name."""
    path = folder / "grid.fits"
    if not path.exists():
        model = psf.GriddedPSFModel(grid_data())
        model.write(path, format="stpsf")
    return str(path)


def stdpsf_file(folder):
    """Write an STDPSF grid; return its name."""
    path = folder / "stdpsf.fits"
    if not path.exists():
        stdpsf_hdu([0, 9], [0, 9]).writeto(path)
    return str(path)


def simple(call, **arguments):
    """Wrap a call whose arguments need no files."""
    return call, lambda _: arguments


def lazy(call, make):
    """Wrap one whose arguments take time to make."""
    return call, lambda _: make()


def of_files(call, **makers):
    """Wrap one whose arguments are made in a folder."""
    return call, lambda folder: {
        name: make(folder) if callable(make) else make for name, make in makers.items()
    }


def levels(kind):
    """Make an estimator and estimate."""
    return lambda data, axis, **words: kind(**words)(data, axis=axis)


def of_model(kind):
    """Make a PSF and evaluate it."""
    return lambda x, y, **words: kind(**words)(x, y)


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

MODELS = {
    name: simple(
        of_model(getattr(psf, name)),
        x=POSITIONS,
        y=POSITIONS,
        flux=1.0,
        x_0=4.0,
        **words,
    )
    for name, words in {
        "AiryDiskPRF": {"radius": 2.0, "n_nodes": 5},
        "AiryDiskPSF": {"radius": 2.0, "bbox_factor": 5},
        "CircularGaussianPRF": {"fwhm": 2.0, "bbox_factor": 5},
        "CircularGaussianPSF": {"fwhm": 2.0, "bbox_factor": 5},
        "CircularGaussianSigmaPRF": {"sigma": 2.0, "bbox_factor": 5},
        "GaussianPRF": {"x_fwhm": 2.0, "y_fwhm": 3.0, "theta": 20.0},
        "GaussianPSF": {"x_fwhm": 2.0, "y_fwhm": 3.0, "theta": 20.0},
        "MoffatPRF": {"alpha": 2.0, "beta": 3.0, "n_nodes": 5},
        "MoffatPSF": {"alpha": 2.0, "beta": 3.0, "bbox_factor": 5},
    }.items()
}

#: Each call and, by the names of its arguments, what it can be called with.
EXAMPLES = {
    **ESTIMATORS,
    **MODELS,
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
    "ArtificialStarTest": simple(
        completeness.ArtificialStarTest,
        photometry=psf.PSFPhotometry(PSF, 5),
        gain=1.0,
        positions="lattice",
        spacing=20.0,
        flux=(10.0, 100.0),
        match_radius=2.0,
        n_workers=1,
    ),
    "CompletenessCurve": simple(
        lambda magnitude, **words: completeness.CompletenessCurve(**words)(magnitude),
        magnitude=[20.0, 21.0],
        c_max=1.0,
        m50=20.5,
        width=0.3,
        covariance=np.eye(3),
        n_stars=10,
    ),
    "QualityCuts": simple(
        lambda texts, table: completeness.QualityCuts(texts)(table),
        texts=CUTS,
        table=QTable({"qfit": [0.1, 0.3]}),
    ),
    "fit_completeness": simple(
        completeness.fit_completeness,
        magnitude=np.linspace(18, 24, 60),
        recovered=np.linspace(18, 24, 60) + np.tile([0.0, 0.8], 30) < 21,
    ),
    "wilson_interval": simple(
        completeness.wilson_interval, n_successes=[3, 4], n_trials=[5, 6], n_sigma=1.0
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
    "add_magnitudes": lazy(
        io.add_magnitudes,
        lambda: {"catalog": catalog(), "zero_point": io.ZeroPoint(25.0, "AB", "me")},
    ),
    "add_sky_coordinates": lazy(
        io.add_sky_coordinates,
        lambda: {"catalog": catalog(), "wcs": datasets.make_wcs((64, 64))},
    ),
    "add_snr": lazy(io.add_snr, lambda: {"catalog": catalog()}),
    "check_bits": simple(io.check_bits, text="1+4"),
    "check_detector": lazy(
        io.check_detector, lambda: {"image": field()[0], "psf": exposure().psf}
    ),
    "check_error": simple(io.check_error, spec="3.5"),
    "check_writable": of_files(
        io.check_writable,
        path=lambda folder: folder / "new.csv",
        suffixes=(".csv",),
        overwrite=False,
    ),
    "correct_pixel_area": lazy(
        io.correct_pixel_area,
        lambda: {
            "catalog": catalog(),
            "area": io.PixelArea(lambda x, y: 1 + 0 * (x + y), "me"),
        },
    ),
    "estimate_sky": simple(io.estimate_sky, data=ONES + np.eye(9), mask=None),
    "find_zero_point": lazy(
        io.find_zero_point, lambda: {"image": field()[0], "given": 25.0}
    ),
    "measure_fwhm": simple(io.measure_fwhm, model=PSF),
    "parse_mask": simple(io.parse_mask, spec="mask.fits[DQ]>3"),
    "place_psf": lazy(
        io.place_psf,
        lambda: {"psf": exposure().psf, "offset": (1.0, 2.0), "whole": (9, 9)},
    ),
    "place_sources": lazy(
        io.place_sources,
        lambda: {
            "sources": QTable({"x": [3.0], "y": [4.0]}),
            "image": field()[0],
            "coordinates": "auto",
            "name": "sources",
        },
    ),
    "read_detector": of_files(io.read_detector, path=image_file, ext=None),
    "read_image": of_files(
        io.read_image, path=image_file, ext=None, error=None, mask=None, dq_bits=None
    ),
    "read_psf": of_files(
        io.read_psf,
        spec=psf_file,
        oversampling=2,
        grid_order="auto",
        detector_id=None,
        blur_sigma=0.5,
        psf_center=None,
    ),
    "read_sources": of_files(io.read_sources, path=catalog_file),
    "rounded": lazy(io.rounded, lambda: {"table": catalog()}),
    "science_extensions": of_files(io.science_extensions, path=image_file),
    "split_extension": simple(io.split_extension, text="image.fits[SCI]"),
    "start_column": simple(
        io.start_column, sources=QTable({"x": [3.0]}), parameter="x_0"
    ),
    "write_catalog": of_files(
        io.write_catalog,
        path=lambda folder: folder / "catalog.ecsv",
        catalog=lambda _: catalog(),
    ),
    "write_image": of_files(
        io.write_image,
        path=lambda folder: folder / "model.fits",
        data=lambda _: field()[0].data,
        like=lambda _: field()[0],
        history="made",
        error=None,
    ),
    "write_regions": of_files(
        io.write_regions,
        path=lambda folder: folder / "stars.reg",
        catalog=lambda _: catalog(),
        radius=3.0,
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
    "Exposure": lazy(
        pipeline.Exposure,
        lambda: {"image": field()[0], "psf": PSF, "settings": pipeline.Settings()},
    ),
    "Settings": lazy(
        lambda **words: pipeline.Exposure(field()[0], PSF, pipeline.Settings(**words)),
        lambda: {
            "finder": "matched",
            "threshold": 5.0,
            "fwhm": "auto",
            "min_separation": "auto",
            "fit_shape": 5,
            "aperture_radius": 3.0,
            "group_separation": 8.0,
            "local_bkg": (5, 9),
            "max_shift": 2.0,
            "iterations": 2,
            "zero_point": 25.0,
            "n_threads": 1,
        },
    ),
    "build_image_psf": lazy(
        pipeline.build_image_psf,
        lambda: {"image": field()[0], "settings": None, "psf": PSF, "size": 9},
    ),
    "compare_with_truth": lazy(
        pipeline.compare_with_truth,
        lambda: {"catalog": catalog(), "truth": field()[1], "radius": 1.0},
    ),
    "find_stars": lazy(
        pipeline.find_stars,
        lambda: {"exposure": exposure(), "data": None, "error": None, "threshold": 8.0},
    ),
    "fit_stars": lazy(
        pipeline.fit_stars,
        lambda: {"exposure": exposure(), "start": start().copy(), "error": None},
    ),
    "group_stars": lazy(
        pipeline.group_stars, lambda: {"start": start().copy(), "exposure": exposure()}
    ),
    "make_catalog": lazy(
        pipeline.make_catalog,
        lambda: {
            "table": run().photometry.results,
            "exposure": exposure(),
            "start": start().copy(),
            "zero_point": io.ZeroPoint(25.0, "AB", "me"),
        },
    ),
    "map_frames": of_files(
        lambda **words: [*pipeline.map_frames(**words)],
        paths=lambda folder: [image_file(folder)],
        settings=None,
        psf=lambda _: PSF,
        n_workers=1,
        retries=0,
        timeout=60.0,
    ),
    "measure": lazy(
        pipeline.measure,
        lambda: {"image": field()[0], "psf": PSF, "settings": None, "sources": None},
    ),
    "measure_exposure": lazy(
        pipeline.measure_exposure, lambda: {"exposure": exposure(), "sources": None}
    ),
    "measure_sky": lazy(
        pipeline.measure_sky,
        lambda: {"exposure": exposure(), "also": None, "light": None, "stars": None},
    ),
    "measure_tiled": of_files(
        measured_tiles,
        path=image_file,
        psf=lambda _: PSF,
        settings=None,
        tile=256,
        error=None,
        mask=None,
    ),
    "simulate_star_field": simple(
        pipeline.simulate_star_field, psf_model=PSF, size=20, n_stars=2, seed=1
    ),
    "start_from_catalog": lazy(
        pipeline.start_from_catalog,
        lambda: {
            "sources": pipeline.SourceList(QTable({"x": [3.0], "y": [4.0]})),
            "exposure": exposure(),
        },
    ),
    "start_from_detections": lazy(
        pipeline.start_from_detections, lambda: {"stars": found()}
    ),
    "plot_psf": simple(
        plotting.plot_psf, model=psf.ImagePSF(star()), error=None, title="a PSF"
    ),
    "plot_residual": simple(
        plotting.plot_residual,
        data=ONES,
        model=ONES,
        sky=io.Sky(0.0, 1.0, "me"),
        error=None,
        unit=None,
    ),
    "EPSFBuilder": simple(
        psf.EPSFBuilder, oversampling=2, shape=9, maxiters=2, recentering_boxsize=5
    ),
    "EPSFFitter": simple(psf.EPSFFitter, fitter=None, fit_boxsize=5),
    "EPSFStar": simple(
        psf.EPSFStar,
        data=star(),
        weights=None,
        cutout_center=(5.0, 5.0),
        flux=1e4,
        origin=(0, 0),
    ),
    "EPSFStars": simple(psf.EPSFStars, stars_list=[epsf_star()]),
    "LinkedEPSFStar": simple(psf.LinkedEPSFStar, stars_list=[epsf_star()]),
    "GriddedPSFModel": simple(
        of_model(psf.GriddedPSFModel),
        x=POSITIONS,
        y=POSITIONS,
        nddata=grid_data(),
        flux=1.0,
        x_0=4.0,
        fill_value=0.0,
    ),
    "ImagePSF": simple(
        of_model(psf.ImagePSF),
        x=POSITIONS,
        y=POSITIONS,
        data=star(),
        flux=1.0,
        origin=(5, 5),
        oversampling=2,
        fill_value=0.0,
    ),
    "PolynomialPSFModel": simple(
        of_model(psf.PolynomialPSFModel),
        x=POSITIONS,
        y=POSITIONS,
        data=np.stack([star()] * 3),
        center=(5.0, 5.0),
        scale=(5.0, 5.0),
        oversampling=2,
        origin=(5, 5),
    ),
    "IterativePSFPhotometry": simple(
        lambda data, **words: psf.IterativePSFPhotometry(**words)(data),
        data=star(),
        psf_model=PSF,
        fit_shape=5,
        finder=detection.DAOStarFinder(10.0, 2.5),
        grouper=psf.SourceGrouper(5),
        maxiters=2,
        mode="all",
        aperture_radius=3,
        sub_shape=5,
        n_threads=1,
    ),
    "LevenbergMarquardt": simple(
        psf.LevenbergMarquardt, max_iterations=10, step_tolerance=1e-4
    ),
    "OverlapGrouper": simple(
        lambda x, y, **words: psf.OverlapGrouper(**words)(x, y),
        x=[1.0, 2.0],
        y=[1.0, 2.0],
        box_shape=5,
    ),
    "PSFPhotometry": simple(
        lambda data, error, mask, init_params, **words: psf.PSFPhotometry(**words)(
            data, error=error, mask=mask, init_params=init_params
        ),
        data=star(),
        error=None,
        mask=None,
        init_params=QTable({"x": [5.0], "y": [5.0]}),
        psf_model=PSF,
        fit_shape=5,
        grouper=None,
        fitter_maxiters=10,
        xy_bounds=2.0,
        aperture_radius=3,
        local_bkg_estimator=None,
        n_threads=1,
        robust=False,
        fit_background=False,
    ),
    "SourceGrouper": simple(
        lambda x, y, **words: psf.SourceGrouper(**words)(x, y),
        x=[1.0, 2.0],
        y=[1.0, 2.0],
        min_separation=3.0,
    ),
    "SourceGroups": simple(psf.SourceGroups, x=[1.0, 2.0], y=[1.0, 2.0], groups=[1, 1]),
    "StarListManagement": simple(
        psf.StarListManagement,
        n_sigma=4.5,
        min_information=0.01,
        min_distance=0.17,
        merge_distance=0.1,
        min_new=3,
    ),
    "STDPSFGrid": of_files(psf.STDPSFGrid, filename=stdpsf_file),
    "build_psf_grid": lazy(
        psf.build_psf_grid,
        lambda: {
            "data": field()[0].data,
            "error": None,
            "stars": QTable({"x": field()[1]["x_0"], "y": field()[1]["y_0"]}),
            "oversampling": 2,
            "size": 9,
            "n_rounds": 1,
            "kappa": 1.0,
        },
    ),
    "decode_psf_flags": simple(
        psf.decode_psf_flags, flags=[0, 3], return_bit_values=False
    ),
    "extract_stars": simple(
        psf.extract_stars,
        data=NDData(star()),
        catalogs=QTable({"x": [5.0], "y": [5.0]}),
        size=5,
    ),
    "fit_2dgaussian": simple(
        psf.fit_2dgaussian, data=star(), xypos=(5, 5), fwhm=2.5, fit_shape=5
    ),
    "fit_fwhm": simple(psf.fit_fwhm, data=star(), xypos=(5, 5), fwhm=2.5, fit_shape=5),
    "grid_from_epsfs": simple(
        psf.grid_from_epsfs,
        epsfs=[psf.ImagePSF(star())] * 4,
        grid_xypos=[(0.0, 0.0), (9.0, 0.0), (0.0, 9.0), (9.0, 9.0)],
        meta=None,
    ),
    "make_epsf_from_psf": simple(
        psf.make_epsf_from_psf, data=star(), oversampling=2, midpoints=False
    ),
    "make_psf_model": simple(
        psf.make_psf_model, model=PSF, x_name="x_0", y_name="y_0", dx=3, subsample=3
    ),
    "make_psf_model_image": simple(
        psf.make_psf_model_image,
        shape=(20, 20),
        psf_model=PSF,
        n_sources=2,
        model_shape=(5, 5),
        min_separation=1,
        border_size=2,
        seed=1,
    ),
    "measure_psf": lazy(
        psf.measure_psf,
        lambda: {
            "data": field()[0].data,
            "kind": "gaussian",
            "fwhm": 2.5,
            "n_stars": 20,
        },
    ),
    "refine_psf": lazy(
        psf.refine_psf,
        lambda: {
            "model": psf.ImagePSF(star() / star().sum()),
            "data": field()[0].data,
            "error": None,
            "stars": QTable({"x": field()[1]["x_0"], "y": field()[1]["y_0"]}),
            "size": 9,
            "n_rounds": 1,
            "order": 0,
            "kappa": 1.0,
        },
    ),
    "select_psf_stars": lazy(
        psf.select_psf_stars,
        lambda: {
            "data": field()[0].data,
            "catalog": None,
            "fwhm": 2.5,
            "size": 9,
            "n_stars": 5,
            "min_snr": 20.0,
        },
    ),
    "stdpsf_reader": of_files(
        psf.stdpsf_reader, filename=stdpsf_file, detector_id=None
    ),
    "webbpsf_reader": of_files(psf.webbpsf_reader, filename=stpsf_file),
    "make_report": lazy(report.make_report, lambda: {"run": run(), "notes": ("a",)}),
    "write_report": of_files(
        report.write_report,
        run=lambda _: run(),
        path=lambda folder: folder / "page.html",
        notes=(),
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
