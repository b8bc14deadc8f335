"""Whole frames: every star known, or found by us, or half of them hidden."""

import warnings
from dataclasses import replace

import numpy as np
from astropy.table import QTable
from frames.floor import FWHM as FLOOR_FWHM
from frames.floor import crowd as crowd_on_floor
from frames.floor import measured
from frames.score import brightest_near, values
from noisy_frames import FWHM, GAIN, NOISE, READ_NOISE, SKY, NoisyFrame, crowd, fit

from psfphot.datasets import make_model_image, make_nircam_psf_grid
from psfphot.detection import MatchedFilterFinder
from psfphot.io import read_psf
from psfphot.psf import (
    CircularGaussianPRF,
    IterativePSFPhotometry,
    OverlapGrouper,
    PSFPhotometry,
)

from .least_errors import information, of_some
from .rows import compare

#: Stars in a pixel, as 20,000 on 2048 x 2048.
DENSITY = 20_000 / 2048**2
SIZE, REACH = 7, 8
#: The stars whose least errors are computed.
MAX_LEAST = 500
#: How far a row may be from its star, pixels.
MATCH = 0.7


def rows(side):
    """Measure frames of ``side`` x ``side`` pixels."""
    psf = CircularGaussianPRF(fwhm=FWHM)
    frame = crowd(round(DENSITY * side**2), side)
    for how, error in (("true errors", frame.true_error), ("noise model", NOISE)):
        yield given(f"crowded, {how}", frame, psf, fit(frame, error))
    under, grid = undersampled(side)
    photometry = PSFPhotometry(
        grid, SIZE, group_warning_threshold=len(under.starts), aperture_radius=3
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = photometry(under.data, error=under.true_error, init_params=under.starts)
    yield given("crowded, undersampled", under, grid, table)
    for name, seen, model in (
        ("found, crowded", frame, psf),
        ("found, undersampled", under, grid),
    ):
        yield found(name, seen, catalog(seen, model))
    yield from on_a_floor(side)


def undersampled(side):
    """Make a crowd of the NIRCam-like PSFs, which are narrower than two pixels."""
    grid = make_nircam_psf_grid(4, fov_pixels=25, detector_size=side)
    rng = np.random.default_rng(2)
    n = round(DENSITY * side**2)
    stars = QTable()
    stars["x_0"], stars["y_0"] = rng.uniform(5, side - 6, (2, n))
    stars["flux"] = np.exp(rng.uniform(*np.log((1e3, 1e5)), n))
    clean = np.asarray(make_model_image((side, side), grid, stars))
    electrons = rng.poisson((clean + SKY) * GAIN)
    data = (electrons + rng.normal(0, READ_NOISE, clean.shape)) / GAIN - SKY
    starts = QTable()
    starts["x"], starts["y"] = (
        stars[c] + rng.normal(0, 0.1, n) for c in ("x_0", "y_0")
    )
    starts["group_id"] = np.ones(n, dtype=int)
    x, y, flux = (np.asarray(stars[c]) for c in ("x_0", "y_0", "flux"))
    return NoisyFrame(data, clean, x, y, flux, starts), grid


def given(name, frame, psf, table):
    """Fluxes of stars that start near the truth, some with their least errors."""
    truth = QTable({"x": frame.x, "y": frame.y, "flux": frame.flux})
    variance = frame.true_error**2
    matrix = information(psf, truth, frame.starts, variance, SIZE, reach=REACH)
    chosen = np.arange(len(truth))[-MAX_LEAST:]
    some = of_some(matrix, 3 * chosen + 2)
    everyone = compare(name, "flux", table["flux_fit"] - frame.flux, table["flux_err"])
    part = compare(
        name,
        "flux",
        (table["flux_fit"] - frame.flux)[chosen],
        table["flux_err"][chosen],
        some,
    )
    return replace(everyone, bias=part.bias, scatter=part.scatter)


def catalog(frame, psf):
    """From the image to the catalogue, in rounds."""
    photometry = IterativePSFPhotometry(
        psf,
        SIZE,
        MatchedFilterFinder(psf, 5.0, sky=False),
        grouper=OverlapGrouper(),
        aperture_radius=3,
        mode="all",
        maxiters=5,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return photometry(frame.data, error=frame.true_error)


def found(name, frame, table):
    """Fluxes of the stars that were found, against the brightest star near them."""
    stars = np.column_stack([frame.x, frame.y])
    at = np.column_stack([values(table, "x_fit"), values(table, "y_fit")])
    flux, error = values(table, "flux_fit"), values(table, "flux_err")
    brightest, distance, _ = brightest_near(stars, at, frame.flux, MATCH)
    has = brightest >= 0
    truth = frame.flux[brightest[has]]
    note = (
        f"{100 * np.mean(distance < MATCH):.1f} % have a row, "
        f"{100 * np.mean(~has):.1f} % of the rows no star"
    )
    return compare(name, "flux", flux[has] - truth, error[has], note=note)


def on_a_floor(side):
    """Crowds by the pipeline, whose errors must hold the stars that nobody sees."""
    psf = read_psf(f"gaussian:{FLOOR_FWHM}")
    for name, has_floor in (("clean", False), ("on 4 times as many", True)):
        scene = crowd_on_floor(side // 2, has_floor=has_floor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = measured(scene.data, scene.error, psf)
        row = found(f"found, {name}", scene, run.catalog)
        factor = run.confusion.factor
        yield replace(row, note=f"errors times {factor:.2f}; {row.note}")
