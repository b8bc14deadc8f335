"""Tables of photutils' DAOStarFinder, StarFinder and find_peaks.

They are run on the simulated image of ``golden_photometry.py``.  ``python
golden_detection.py`` makes ``detection.npz`` again from ``simulation.npz``.
"""

import json
import sys
from pathlib import Path

import numpy as np
from astropy.table import QTable
from photutils import detection

CALL = {"threshold": 3.0, "fwhm": 2.2}
# Asymmetric: a convolution turns it around.
KERNEL = [
    [0.0, 0.1, 0.2, 0.1, 0.0],
    [0.1, 0.4, 0.7, 0.3, 0.1],
    [0.2, 0.7, 1.0, 0.7, 0.2],
    [0.0, 0.3, 0.7, 0.4, 0.1],
]
PEAKS = {"threshold": 3.0}

# Name -> (class or function, its arguments).  "masked" uses the mask.
CASES = {
    "dao": ("DAOStarFinder", CALL),
    "dao_masked": ("DAOStarFinder", CALL),
    "dao_daophot": ("DAOStarFinder", CALL | {"min_separation": 0}),
    "dao_plain_threshold": ("DAOStarFinder", CALL | {"scale_threshold": False}),
    "dao_elliptical": (
        "DAOStarFinder",
        {"threshold": 3.0, "fwhm": 4.0, "ratio": 0.5, "theta": 30.0}
        | {"sigma_radius": 2.0, "sharpness_range": None, "roundness_range": None},
    ),
    "dao_no_border": (
        "DAOStarFinder",
        CALL | {"fwhm": 4.0, "exclude_border": True, "sharpness_range": None},
    ),
    "dao_few": ("DAOStarFinder", CALL | {"n_brightest": 20, "peak_max": 900.0}),
    "dao_any": (
        "DAOStarFinder",
        CALL | {"threshold": -1.0, "sharpness_range": None, "roundness_range": None},
    ),
    "star": ("StarFinder", {"threshold": 5.0, "kernel": KERNEL}),
    "star_masked": (
        "StarFinder",
        {"threshold": 5.0, "kernel": KERNEL, "min_separation": 0},
    ),
    "star_few": (
        "StarFinder",
        {"threshold": 2.0, "kernel": KERNEL, "n_brightest": 30, "peak_max": 900.0}
        | {"min_separation": 12.5, "exclude_border": True},
    ),
    "star_constant": ("StarFinder", {"threshold": 9.0, "kernel": [[1.0, 1.0]] * 3}),
    "peaks": ("find_peaks", PEAKS),
    "peaks_masked": ("find_peaks", PEAKS | {"box_size": [5, 8]}),
    "peaks_apart": ("find_peaks", PEAKS | {"min_separation": 7.3}),
    "peaks_few": ("find_peaks", PEAKS | {"n_peaks": 25, "border_width": [9, 30]}),
    "peaks_footprint": (
        "find_peaks",
        PEAKS | {"footprint": [[1, 0, 1, 1, 0], [0, 1, 1, 0, 1], [0, 1, 1, 1, 0]]},
    ),
}


def run(name, data, mask):
    """Return photutils' table of a case."""
    call, arguments = CASES[name]
    mask = mask if name.endswith("masked") else None
    function = getattr(detection, call)
    if call == "find_peaks":
        options = {k: v for k, v in arguments.items() if k != "threshold"}
        if "footprint" in options:
            options["footprint"] = np.array(options["footprint"], dtype=bool)
        return function(data, arguments["threshold"], mask=mask, **options)
    return function(**arguments)(data, mask=mask)


def detection_golden(directory, image):
    """Write the tables of all cases."""
    data = image["data"].astype(float)
    tables = {}
    for name in CASES:
        table = run(name, data, image["mask"])
        tables[name] = QTable(table).as_array()
        sys.stdout.write(f"{name:20s} {len(table)} rows\n")
    path = Path(directory) / "detection.npz"
    np.savez_compressed(path, cases=json.dumps(CASES), **tables)


if __name__ == "__main__":
    here = Path(__file__).parent
    with np.load(here / "simulation.npz") as simulation:
        detection_golden(here, simulation)
