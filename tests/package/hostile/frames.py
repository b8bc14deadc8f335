"""Good calls of the public functions of files, whole frames and catalogues."""

import numpy as np
from astropy.table import QTable
from hostile.calls import PSF
from hostile.ingredients import (
    CUTS,
    ONES,
    catalog,
    catalog_file,
    exposure,
    field,
    found,
    image_file,
    lazy,
    measured_tiles,
    of_files,
    psf_file,
    run,
    simple,
    start,
)

from psfphot import (
    completeness,
    datasets,
    io,
    pipeline,
    psf,
    report,
)

#: Each call and, by the names of its arguments, what it can be called with.
FRAMES = {
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
    "make_report": lazy(report.make_report, lambda: {"run": run(), "notes": ("a",)}),
    "write_report": of_files(
        report.write_report,
        run=lambda _: run(),
        path=lambda folder: folder / "page.html",
        notes=(),
    ),
}
