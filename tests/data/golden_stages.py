"""Groups, aperture photometry, levels of annuli, colours and errors.

Answers of photutils to the calls that ``cases`` of ``stages.npz`` lists, on the
image of ``simulation.npz`` at random positions.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import photutils.aperture
import photutils.background
from astropy.stats import SigmaClip
from photutils.psf import SourceGrouper
from photutils.utils import calc_total_error, make_random_cmap

SEPARATIONS = [2.5, 6.0, 20.0]
METHODS = ["exact", "center", "subpixel"]
APERTURES = [[0.4], [2.0], [6.3], [1.5, 3.5], [8.0, 8.4]]
ANNULI = [[3.0, 5.5], [9.0, 15.0]]
ESTIMATORS = [
    ["MeanBackground", {}],
    ["MedianBackground", {}],
    ["ModeEstimatorBackground", {"median_factor": 2.5, "mean_factor": 1.2}],
    ["MMMBackground", {}],
    ["SExtractorBackground", {}],
    ["BiweightLocationBackground", {}],
    ["BiweightLocationBackground", {"c": 4.5}],
]
CLIPS = [
    None,
    {"sigma": 3, "maxiters": 10},
    {"sigma": 2, "maxiters": None},
    {"sigma_lower": 2, "sigma_upper": 1.5, "maxiters": 2},
    {"sigma": 2.5, "cenfunc": "mean"},
    {"sigma": 3, "stdfunc": "mad_std"},
]


def stages_golden(directory, image):
    """Write ``stages.npz``."""
    rng = np.random.default_rng(41)
    data = image["data"].astype(float)
    error = np.sqrt(np.abs(data) + 4.0)
    positions = rng.uniform(-6, data.shape[0] + 5, (80, 2))
    inside = positions[(positions > 0).all(axis=1) & (positions < 250).all(axis=1)]
    arrays = {
        "positions": positions,
        "groups": [SourceGrouper(s)(*positions.T) for s in SEPARATIONS],
        "photometry": _photometry(positions, data, error, image["mask"]),
        "levels": _levels(inside, data, image["mask"]),
        "inside": inside,
        "colors": make_random_cmap(n_colors=7, seed=123).colors,
        "total_error": calc_total_error(data[:20], error[:20], 2.5),
    }
    cases = {
        "separations": SEPARATIONS,
        "methods": METHODS,
        "apertures": APERTURES,
        "annuli": ANNULI,
        "estimators": ESTIMATORS,
        "clips": CLIPS,
    }
    np.savez_compressed(
        Path(directory) / "stages.npz", cases=json.dumps(cases), **arrays
    )


def _photometry(positions, data, error, mask):
    """Sums and errors: [aperture, method, sum or error, position]."""
    answers = []
    for radii in APERTURES:
        name = "CircularAperture" if len(radii) == 1 else "CircularAnnulus"
        aperture = getattr(photutils.aperture, name)(positions, *radii)
        with warnings.catch_warnings():
            # It is deprecated for another interface.
            warnings.simplefilter("ignore")
            answers.append(
                [aperture.do_photometry(data, error, mask, m) for m in METHODS]
            )
    return np.array(answers)


def _levels(positions, data, mask):
    """Levels: [estimator, clip, annulus, position]."""
    answers = []
    for name, settings in ESTIMATORS:
        for clip in CLIPS:
            sigma_clip = None if clip is None else SigmaClip(**clip)
            kind = getattr(photutils.background, name)
            estimator = kind(sigma_clip=sigma_clip, **settings)
            for radii in ANNULI:
                local = photutils.background.LocalBackground(
                    *radii, bkg_estimator=estimator
                )
                answers.append(local(data, *positions.T, mask=mask))
    shape = len(ESTIMATORS), len(CLIPS), len(ANNULI), len(positions)
    return np.reshape(answers, shape)
