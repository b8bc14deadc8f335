"""Golden of the sources that cannot be fitted, or end where they should not.

Called by ``make_golden.py``; see ``README.md`` for what each file holds.
"""

import sys
from pathlib import Path

import numpy as np
from astropy.table import QTable
from golden_photometry import (
    CASE_DEFAULTS,
    NOISE,
    distance,
    read_model,
    run_photutils,
)

SHAPE = (64, 64)

# name: (true x, y, flux) of the star, (x, y, flux, local_bkg) of its start;
# None where there is no star or where the start is the truth.
SOURCES = {
    "normal": ((20.3, 20.7, 3000.0), None),
    "at_left_edge": ((0.4, 30.2, 4000.0), None),
    "centre_outside_image": ((-0.8, 45.1, 8000.0), (0.1, 45.0, 7000.0, 0.0)),
    "at_corner": ((63.2, 63.4, 6000.0), None),
    "negative": ((40.2, 20.4, -2000.0), (40.0, 20.5, -1500.0, 0.0)),
    "far_outside": (None, (-20.0, 10.0, 1000.0, 0.0)),
    "box_just_outside": (None, (-3.6, 5.0, 1000.0, 0.0)),
    "box_just_outside_top": (None, (30.0, 66.5, 1000.0, 0.0)),
    "nan_x": (None, (np.nan, 10.0, 1000.0, 0.0)),
    "infinite_y": (None, (10.0, np.inf, 1000.0, 0.0)),
    "nan_flux": (None, (50.0, 10.0, np.nan, 0.0)),
    "fully_masked": ((50.2, 40.1, 2000.0), None),
    "two_pixels": ((50.4, 52.3, 2000.0), None),
    "centre_masked": ((32.3, 33.6, 5000.0), None),
    "left_its_box": ((29.1, 50.1, 9000.0), (31.8, 50.1, 6000.0, 0.0)),
    "nan_background": ((20.6, 35.2, 3000.0), (20.5, 35.3, 2900.0, np.nan)),
    "background": ((10.1, 57.7, 3000.0), (10.2, 57.5, 2900.0, 1.25)),
    "on_pixel_corner": ((10.5, 10.5, 3000.0), (10.5, 10.5, 3000.0, 0.0)),
    "on_pixel_edge": ((40.5, 6.0, 3000.0), (40.5, 6.0, 3000.0, 0.0)),
}


def flags_golden(directory):
    """Write a small image with difficult sources and photutils' table."""
    model = read_model(directory, "grid")
    y, x = np.indices(SHAPE, dtype=float)
    image = np.zeros(SHAPE)
    rows = []
    for star, start in SOURCES.values():
        if star is not None:
            image += model.evaluate(x, y, star[2], star[0], star[1])
        rows.append(start or (star[0] + 0.1, star[1] - 0.1, 0.9 * star[2], 0.0))
    rng = np.random.default_rng(31)
    data = (image + rng.normal(0, NOISE, SHAPE)).astype(np.float32)
    error = np.sqrt(NOISE**2 + np.abs(image)).astype(np.float32)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[36:45, 46:55] = True
    mask[50:55, 48:53] = True
    mask[52, 50:52] = False
    mask[34, 32] = True

    init = QTable(rows=rows, names=["x", "y", "flux", "local_bkg"])
    # Not in order, because the result's rows are sorted by id.
    init["id"] = np.random.default_rng(32).permutation(len(init)) + 101
    inputs = (data.astype(float), error.astype(float), mask)
    tight = run_photutils(directory, CASE_DEFAULTS, inputs, init, tight=True)
    default = run_photutils(directory, CASE_DEFAULTS, inputs, init, tight=False)
    names = dict(zip(init["id"], SOURCES, strict=True))
    for row, other in zip(tight, default, strict=True):
        sys.stdout.write(
            f"  {names[row['id']]:22s} flags {row['flags']:5d} {other['flags']:5d} "
            f"pixels {row['n_pixels_fit']:3d} ({row['x_fit']:.3f}, {row['y_fit']:.3f}) "
            f"{row['flux_fit']:.1f} +- {row['flux_err']:.1f}\n"
        )
    sys.stdout.write(f"flags: default is {distance(default, tight):.2g} errors away\n")
    tight["flags"] = default["flags"]
    np.savez_compressed(
        Path(directory) / "flags.npz",
        data=data,
        error=error,
        mask=mask,
        names=np.array(list(SOURCES)),
        init=init.as_array(),
        table=QTable(tight).as_array(),
    )
