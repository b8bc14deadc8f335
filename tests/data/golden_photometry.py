"""Goldens of the photometry: simulated images and what photutils makes of them.

Called by ``make_golden.py``; see ``README.md`` for what each file holds.
"""

import json
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from astropy.io import fits
from astropy.nddata import NDData
from astropy.table import QTable
from golden_models import GRID_POSITIONS, OVERSAMPLING
from photutils.aperture import AperturePhotometry, CircularAperture
from photutils.background import LocalBackground
from photutils.datasets import make_noise_image
from photutils.detection import IRAFStarFinder
from photutils.psf import (
    CircularGaussianPRF,
    GriddedPSFModel,
    ImagePSF,
    PSFPhotometry,
    SourceGrouper,
    make_psf_model_image,
)
from scipy import optimize

SHAPE = (256, 256)
NOISE = 0.5
# In error bars; a hundredth of what the tests allow.
MAX_RESTARTED = 1e-4

# Every star is fitted on its own box; the separation keeps the boxes of a group
# apart, because photutils counts a shared pixel once per box.
SIMULATION = {"min_separation": 8.5, "border_size": [0, 0], "seed": 11}
N_STARS = 80

# 5 and 11 pixels wide kernels; 4.6 has no pixel outside its footprint, so that
# the sky comes from the convolved image.
FINDER_CASES = {
    "default": {"threshold": 6.0, "fwhm": 3.0},
    "masked": {"threshold": 6.0, "fwhm": 3.0},
    "no_separation": {"threshold": 2.5, "fwhm": 2.5, "min_separation": 0},
    "no_border": {"threshold": 6.0, "fwhm": 3.0, "exclude_border": True},
    "brightest": {"threshold": 6.0, "fwhm": 3.0, "n_brightest": 10},
    "peak_max": {"threshold": 6.0, "fwhm": 3.0, "peak_max": 1000.0},
    "no_sky_pixels": {"threshold": 6.0, "fwhm": 4.6, "sharpness_range": [0.2, 2.0]},
    "wide": {
        "threshold": 3.0,
        "fwhm": 4.0,
        "sigma_radius": 2.5,
        "min_separation": 4.5,
        "sharpness_range": [0.3, 1.5],
        "roundness_range": [0.0, 0.5],
    },
}

PHOTOMETRY_CASES = {
    "ungrouped": {},
    "grouped": {"min_separation": 20},
    "realistic": {"error": "realistic", "fit_shape": [7, 9]},
    "no_error": {"error": None},
    "no_error_grouped": {"error": None, "min_separation": 20},
    "local_background": {
        "error": "realistic",
        "ramp": [5.0, 0.02, -0.01],
        "local_bkg_radii": [9, 15],
    },
    "bad_pixels": {"bad_pixels": True},
    "bad_pixels_grouped": {"bad_pixels": True, "min_separation": 20},
    "image_psf": {"model": "image", "error": "realistic"},
    "gaussian": {"model": "gaussian", "error": "realistic"},
    "gaussian_grouped": {"model": "gaussian", "min_separation": 20},
}
CASE_DEFAULTS = {
    "model": "grid",
    "error": "data",
    "fit_shape": [5, 5],
    "aperture_radius": 5,
    "min_separation": None,
    "local_bkg_radii": None,
    "ramp": None,
    "bad_pixels": False,
}


@contextmanager
def tight_tolerances():
    """Make photutils' fitter go on until rounding stops it.

    astropy's fitter passes ``xtol=1e-7`` and scipy's ``ftol=gtol=1e-8`` to
    ``least_squares``, which then stops up to a fraction of an error bar early.
    """
    original = optimize.least_squares

    def least_squares(*args, **kwargs):
        kwargs |= {"xtol": 1e-13, "ftol": 1e-15, "gtol": 1e-15, "x_scale": "jac"}
        kwargs["max_nfev"] = 2000
        return original(*args, **kwargs)

    with mock.patch.object(optimize, "least_squares", least_squares):
        yield


def read_model(directory, name):
    """Return a model of the file's planes as they lie: by y, then by x."""
    planes = fits.getdata(Path(directory) / "grid_3x3_samp4.fits")
    if name == "image":
        return ImagePSF(planes[4], oversampling=OVERSAMPLING)
    if name == "gaussian":
        return CircularGaussianPRF(fwhm=2.6)
    positions = [(x, y) for y in GRID_POSITIONS for x in GRID_POSITIONS]
    meta = {"grid_xypos": positions, "oversampling": OVERSAMPLING}
    return GriddedPSFModel(NDData(planes, meta=meta))


def simulate(directory):
    """Write the image without noise, the noisy image and its bad pixels."""
    grid = read_model(directory, "grid")
    model, params = make_psf_model_image(
        SHAPE, grid, N_STARS, flux=(500, 20_000), **SIMULATION
    )
    noise = make_noise_image(SHAPE, mean=0, stddev=NOISE, seed=12)
    data = (model + noise).astype(np.float32)

    rng = np.random.default_rng(13)
    mask = rng.random(SHAPE) < 0.02
    x, y = np.round(params["x_0"]).astype(int), np.round(params["y_0"]).astype(int)
    # One star vanishes, two keep a few pixels, one loses its centre.
    mask[y[0] - 3 : y[0] + 4, x[0] - 3 : x[0] + 4] = True
    mask[y[1] - 3 : y[1] + 4, x[1] - 3 : x[1] + 1] = True
    mask[y[2] - 3 : y[2], x[2] - 3 : x[2] + 4] = True
    mask[y[3], x[3]] = True
    nan_pixels = rng.random(SHAPE) < 0.005
    nan_pixels[y[4], x[4]] = True
    nan_pixels[y[5] + 1, x[5] - 2 : x[5] + 3] = True

    setup = {
        "call": SIMULATION | {"n_sources": N_STARS, "flux": [500, 20_000]},
        "noise": {"mean": 0, "stddev": NOISE, "seed": 12},
    }
    arrays = {
        "model": model,
        "params": params.as_array(),
        "noise_corner": noise[:4, :8],
        "data": data,
        "mask": mask,
        "nan_pixels": nan_pixels,
    }
    path = Path(directory) / "simulation.npz"
    np.savez_compressed(path, setup=json.dumps(setup), **arrays)
    return arrays


def finder_golden(directory, image):
    """Write IRAFStarFinder's tables."""
    data = image["data"].astype(float)
    tables = {}
    for name, call in FINDER_CASES.items():
        mask = image["mask"] if name == "masked" else None
        table = IRAFStarFinder(**call)(data, mask=mask)
        tables[name] = QTable(table).as_array()
        sys.stdout.write(f"IRAFStarFinder {name:15s} {len(table)} rows\n")
    path = Path(directory) / "finder.npz"
    np.savez_compressed(path, cases=json.dumps(FINDER_CASES), **tables)
    return tables["default"]


def case_inputs(case, image):
    """Return data, error and mask of a case of PHOTOMETRY_CASES."""
    data = image["data"].astype(float)
    error = None
    if case["error"] == "data":
        error = np.sqrt(np.abs(data))
    elif case["error"] == "realistic":
        error = np.sqrt(NOISE**2 + np.abs(image["model"]))
    if case["ramp"] is not None:
        level, per_x, per_y = case["ramp"]
        y, x = np.indices(data.shape)
        data += level + per_x * x + per_y * y
    mask = None
    if case["bad_pixels"]:
        data[image["nan_pixels"]] = np.nan
        mask = image["mask"]
    return data, error, mask


def run_photutils(directory, case, inputs, init, *, tight):
    """Fit with photutils, by default or to convergence."""
    data, error, mask = inputs
    radii = case["local_bkg_radii"]
    separation = case["min_separation"]
    phot = PSFPhotometry(
        read_model(directory, case["model"]),
        case["fit_shape"],
        grouper=None if separation is None else SourceGrouper(separation),
        aperture_radius=case["aperture_radius"],
        local_bkg_estimator=None if radii is None else LocalBackground(*radii),
        fitter_maxiters=2000 if tight else 100,
    )
    with warnings.catch_warnings():
        # The bad pixels, and the tight fits that end at rounding.
        warnings.filterwarnings("ignore", "Input data contains unmasked")
        warnings.filterwarnings("ignore", "One or more fit")
        if not tight:
            return phot(data, error=error, mask=mask, init_params=init)
        with tight_tolerances():
            return phot(data, error=error, mask=mask, init_params=init)


def distance(one, two):
    """Largest difference of fitted values, in error bars of the second."""
    with np.errstate(invalid="ignore"):
        return max(
            float(
                np.nanmax(np.abs(one[f"{p}_fit"] - two[f"{p}_fit"]) / two[f"{p}_err"])
            )
            for p in ("x", "y", "flux")
        )


def shared_pixels(table, fit_shape):
    """Number of pairs of one group whose boxes share a pixel."""
    good = table[np.isfinite(table["x_init"]) & np.isfinite(table["y_init"])]
    first_x = np.ceil(good["x_init"] - fit_shape[1] / 2)
    first_y = np.ceil(good["y_init"] - fit_shape[0] / 2)
    dx = np.abs(first_x[:, np.newaxis] - first_x)
    dy = np.abs(first_y[:, np.newaxis] - first_y)
    same = good["group_id"][:, np.newaxis] == good["group_id"]
    overlap = same & (dx < fit_shape[1]) & (dy < fit_shape[0])
    return int(np.count_nonzero(overlap) - len(good)) // 2


def checked_fit(directory, name, case, inputs, init):
    """Return the converged table, after showing that it is converged."""
    tight = run_photutils(directory, case, inputs, init, tight=True)
    default = run_photutils(directory, case, inputs, init, tight=False)
    # An independent start must end at the same minimum.
    moved = init.copy()
    for column in ("x", "y", "flux"):
        if f"{column}_init" in tight.colnames:
            moved[column] = tight[f"{column}_init"]
    good = np.isfinite(moved["x"]) & np.isfinite(moved["y"])
    moved["x"][good] += 0.07 * (-1.0) ** moved["id"][good]
    moved["y"][good] -= 0.05
    box = np.array(case["fit_shape"])[:, np.newaxis] / 2
    before = np.ceil([tight["y_init"], tight["x_init"]] - box)
    same_box = np.all(before == np.ceil([moved["y"], moved["x"]] - box), axis=0)
    moved["x"][~same_box], moved["y"][~same_box] = (
        tight["x_init"][~same_box],
        tight["y_init"][~same_box],
    )
    moved["flux"] *= 1.03
    moved["local_bkg"] = tight["local_bkg"]
    again = run_photutils(directory, case, inputs, moved, tight=True)
    report = {
        "restarted": distance(again, tight),
        "default": distance(default, tight),
        "default_flags_differ": int(np.sum(default["flags"] != tight["flags"])),
        "groups": len(np.unique(tight["group_id"])),
        "shared": shared_pixels(tight, case["fit_shape"]),
    }
    sys.stdout.write(f"{name:20s} {len(tight)} rows {report}\n")
    flags = default["flags"]
    if case["min_separation"] is not None and report["shared"]:
        raise RuntimeError(f"{name}: photutils would count pixels twice")
    if report["restarted"] > MAX_RESTARTED:
        raise RuntimeError(f"{name}: another start ends elsewhere")
    # A fit at the rounding limit may end by max_nfev: not a fact of the data.
    tight["flags"] = flags
    return tight


def photometry_golden(directory, image, finder_table):
    """Write PSFPhotometry's converged tables."""
    tables, cases = {}, {}
    for name, changes in PHOTOMETRY_CASES.items():
        case = CASE_DEFAULTS | changes
        inputs = case_inputs(case, image)
        init = QTable()
        init["id"] = np.arange(len(finder_table)) + 1
        init["x"] = finder_table["x_centroid"]
        init["y"] = finder_table["y_centroid"]
        table = checked_fit(directory, name, case, inputs, init)
        tables[name] = QTable(table).as_array()
        cases[name] = case
    path = Path(directory) / "photometry.npz"
    np.savez_compressed(path, cases=json.dumps(cases), **tables)


def background_golden(directory, image):
    """Write local backgrounds and aperture sums at random positions."""
    rng = np.random.default_rng(21)
    data = image["data"].astype(float)
    x = rng.uniform(-6, SHAPE[1] + 5, 60)
    y = rng.uniform(-6, SHAPE[0] + 5, 60)
    x[:6] = [0.0, -0.5, 10.5, 255.0, 100.0, 40.25]
    y[:6] = [0.0, -0.5, 20.0, 255.5, 100.0, -0.25]
    x[6], y[6] = -60.0, 80.0
    arrays = {"x": x, "y": y}
    annuli = [[9.0, 15.0], [5.5, 9.25], [2.0, 4.0]]
    radii = [0.3, 1.0, 2.5, 5.0, 7.77]
    for kind, mask in (("plain", None), ("masked", image["mask"])):
        arrays[f"background_{kind}"] = np.array(
            [LocalBackground(*radii)(data, x, y, mask=mask) for radii in annuli]
        )
        apertures = [CircularAperture(np.column_stack([x, y]), r) for r in radii]
        arrays[f"sum_{kind}"] = np.array(
            [AperturePhotometry(data, a, mask=mask).flux for a in apertures]
        )
        # What the rounding of a sum is measured against.
        arrays[f"abs_sum_{kind}"] = np.array(
            [AperturePhotometry(np.abs(data), a, mask=mask).flux for a in apertures]
        )
    path = Path(directory) / "background.npz"
    np.savez_compressed(path, annuli=annuli, radii=radii, **arrays)
