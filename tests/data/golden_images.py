"""Goldens of images of any models, in every way to discretize them.

Called by ``make_golden.py``; see ``README.md`` for what the file holds.
"""

import json
from pathlib import Path

import numpy as np
from astropy.modeling.models import Gaussian2D, Moffat2D
from photutils.datasets import (
    apply_poisson_noise,
    make_model_image,
    make_model_params,
    make_random_models_table,
)
from photutils.psf import CircularGaussianPRF

SHAPE = (36, 30)

MODELS = {
    "prf": CircularGaussianPRF(fwhm=2.3),
    "gaussian": Gaussian2D(x_stddev=1.2),
    "compound": Gaussian2D(x_stddev=1.2) + Moffat2D(amplitude=3.0),
}
GAUSSIAN = {"x_name": "x_mean", "y_name": "y_mean"}
GAUSSIAN_RANGES = {
    "amplitude": [100, 200],
    "x_mean": [-3, 33],
    "y_mean": [-3, 39],
    "x_stddev": [1, 2],
    "theta": [0, 3],
}
PRF_RANGES = {"x_0": [-3, 33], "y_0": [-3, 39], "flux": [100, 900]}

# model, call, ranges and number of the random sources
CASES = {
    "center": ("prf", {}, PRF_RANGES, 9),
    "even_box": ("prf", {"model_shape": [4, 7]}, PRF_RANGES, 9),
    "own_boxes": ("prf", {}, PRF_RANGES | {"fwhm": [1, 4]}, 9),
    "levels": ("prf", {"model_shape": 5}, PRF_RANGES | {"local_bkg": [-9, 9]}, 9),
    "prf_interp": ("prf", {"discretize_method": "interp"}, PRF_RANGES, 9),
    "prf_oversample": (
        "prf",
        {"discretize_method": "oversample", "discretize_oversample": 3},
        PRF_RANGES,
        9,
    ),
    "gaussian_center": ("gaussian", GAUSSIAN, GAUSSIAN_RANGES, 9),
    "gaussian_factor": (
        "gaussian",
        GAUSSIAN | {"bbox_factor": 1.55},
        GAUSSIAN_RANGES,
        9,
    ),
    "gaussian_interp": (
        "gaussian",
        GAUSSIAN | {"discretize_method": "interp"},
        GAUSSIAN_RANGES,
        9,
    ),
    "gaussian_oversample": (
        "gaussian",
        GAUSSIAN | {"discretize_method": "oversample", "model_shape": 7},
        GAUSSIAN_RANGES,
        9,
    ),
    "gaussian_integrate": (
        "gaussian",
        GAUSSIAN | {"discretize_method": "integrate", "model_shape": 3},
        GAUSSIAN_RANGES | {"x_mean": [0, 30], "y_mean": [0, 36]},
        2,
    ),
    "compound": (
        "compound",
        {
            "x_name": "x_mean_0",
            "y_name": "y_mean_0",
            "params_map": {
                "x_mean_0": "x",
                "y_mean_0": "y",
                "x_0_1": "x",
                "y_0_1": "y",
            },
            "model_shape": 9,
        },
        {"x": [-3, 33], "y": [-3, 39], "amplitude_0": [1, 9]},
        9,
    ),
}


def images_golden(directory):
    """Write images of random sources, their tables, and Poisson noise."""
    arrays, cases = {}, {}
    for seed, (name, (model, call, ranges, n_sources)) in enumerate(CASES.items()):
        table = make_random_models_table(n_sources, ranges, seed=seed)
        cases[name] = {
            "model": model,
            "call": call,
            "ranges": ranges,
            "n_sources": n_sources,
            "seed": seed,
        }
        arrays[name] = table.as_array()
        # A pair in JSON is a list, which photutils takes too.
        arrays[f"{name}_image"] = make_model_image(SHAPE, MODELS[model], table, **call)
    negative = {"shape": [30, 40], "n_sources": 200, "min_separation": -1.5, "seed": 6}
    arrays["negative"] = make_model_params(**negative).as_array()
    arrays["expected_counts"] = np.linspace(0, 300, 35).reshape(5, 7).round(1)
    arrays["counts"] = apply_poisson_noise(arrays["expected_counts"], seed=2)
    setup = {"negative": negative, "poisson_seed": 2}
    np.savez_compressed(
        Path(directory) / "model_images.npz",
        cases=json.dumps(cases),
        setup=json.dumps(setup),
        **arrays,
    )
