"""Good calls of the public functions that make, fit and show PSFs."""

import numpy as np
from astropy.nddata import NDData
from astropy.table import QTable
from hostile.calls import PSF
from hostile.ingredients import (
    ONES,
    POSITIONS,
    epsf_star,
    field,
    grid_data,
    lazy,
    of_files,
    simple,
    star,
    stdpsf_file,
    stpsf_file,
)

from psfphot import (
    detection,
    io,
    plotting,
    psf,
)


def of_model(kind):
    """Make a PSF and evaluate it."""
    return lambda x, y, **words: kind(**words)(x, y)


FORMULAS = {
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
MODELS = {
    **FORMULAS,
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
}
