"""Backgrounds of whole images: meshes and maps.

Answers of photutils' ``Background2D`` to the calls that ``cases`` of
``mesh.npz`` lists, on an image of 131 x 113 pixels that the test makes anew from
the seed: a gradient, noise, bright pixels, NaN and two masks.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from astropy.stats import SigmaClip

CASES = [
    {"box_size": 20},
    {"box_size": [16, 11], "filter_size": [5, 3]},
    {"box_size": 12, "mask": True, "exclude_percentile": 10.0},
    {"box_size": [10, 9], "mask": True, "exclude_percentile": 35.5, "filter_size": 1},
    {"box_size": 15, "coverage_mask": True, "fill_value": -3.0},
    {"box_size": 20, "mask": True, "filter_threshold": 112.0},
    {"box_size": 25, "sigma_clip": None, "exclude_percentile": 50.0},
    {"box_size": 25, "sigma_clip": {"sigma": 2.0, "maxiters": 2}},
    {"box_size": 25, "sigma_clip": {"sigma": 2.5, "cenfunc": "mean"}},
    {"box_size": 200},
    *(
        {"box_size": 30, "mask": True, "bkg_estimator": [name, settings]}
        for name, settings in (
            ("MeanBackground", {}),
            ("MedianBackground", {}),
            ("ModeEstimatorBackground", {"median_factor": 2.5, "mean_factor": 1.5}),
            ("MMMBackground", {}),
            ("BiweightLocationBackground", {"c": 5.0}),
        )
    ),
    {"box_size": 30, "bkg_rms_estimator": ["MADStdBackgroundRMS", {}]},
    {"box_size": 30, "bkg_rms_estimator": ["BiweightScaleBackgroundRMS", {}]},
    {
        "box_size": 30,
        "bkg_rms_estimator": ["BiweightScaleBackgroundRMS", {"c": 6.0, "M": 110.0}],
    },
    *(
        {
            "box_size": 20,
            "exclude_percentile": 60.0,
            "interpolator": ["BkgZoomInterpolator", settings],
        }
        for settings in (
            {"clip": False},
            {"order": 1},
            {"order": 2, "mode": "mirror"},
            {"order": 3, "mode": "nearest", "clip": False},
            {"order": 4, "mode": "wrap"},
            {"order": 5, "mode": "constant", "cval": 90.0, "clip": False},
            {"order": 0},
        )
    ),
    {"box_size": 20, "interpolator": ["BkgIDWInterpolator", {}]},
    {
        "box_size": [20, 15],
        "mask": True,
        "interpolator": [
            "BkgIDWInterpolator",
            {"n_neighbors": 4, "power": 2.0, "regularization": 0.5, "leafsize": 3},
        ],
    },
]

# Of the maps every 61st pixel is kept.
STEP = 61


def scene(seed=77, shape=(131, 113)):
    """Make the image, its mask of bad pixels and that of pixels without data."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    data = 100 + 0.1 * x + 0.07 * y + rng.normal(0, 2, shape)
    data[rng.random(shape) < 0.03] += 40
    data[rng.random(shape) < 0.002] = np.nan
    mask = rng.random(shape) < 0.02
    mask[30:62, 20:55] = True
    coverage_mask = (x + 0.3 * y < 30) | (y > 120)
    return data, mask, coverage_mask


def call(module, case, arrays):
    """Call ``Background2D`` of a module as a case says."""
    data, mask, coverage_mask = arrays
    settings = dict(case)
    if settings.pop("mask", False):
        settings["mask"] = mask
    if settings.pop("coverage_mask", False):
        settings["coverage_mask"] = coverage_mask
    if settings.get("sigma_clip") is not None:
        settings["sigma_clip"] = SigmaClip(**settings["sigma_clip"])
    for name in ("bkg_estimator", "bkg_rms_estimator", "interpolator"):
        if name in settings:
            kind, options = settings[name]
            settings[name] = getattr(module, kind)(**options)
    return module.Background2D(data, settings.pop("box_size"), **settings)


def mesh_golden(directory):
    """Write ``mesh.npz``."""
    # The test takes the image of this file, and does without photutils.
    import photutils.background  # noqa: PLC0415

    arrays = {}
    for k, case in enumerate(CASES):
        with warnings.catch_warnings():
            # NaN are masked; interpolators are deprecated.
            warnings.simplefilter("ignore")
            background = call(photutils.background, case, scene())
        for name in ("background", "background_rms"):
            arrays[f"{name}_mesh_{k}"] = getattr(background, f"{name}_mesh")
            arrays[f"{name}_{k}"] = getattr(background, name).ravel()[::STEP]
        arrays[f"n_pixels_{k}"] = background.n_pixels_mesh
    np.savez_compressed(Path(directory) / "mesh.npz", cases=json.dumps(CASES), **arrays)
