"""Stars a second of PSFPhotometry, from given starts to the finished table.

Beside photutils where it is installed, on the same stars of the same image, in
one run; medians. Usage: python benches/python/photometry.py [n_stars]
"""

import sys
import warnings

import numpy as np
from _timing import grid_as_nddata, median_seconds, photutils, print_machine
from astropy.table import QTable

from psfphot.datasets import make_nircam_psf_grid, make_noise_image
from psfphot.psf import PSFPhotometry, make_psf_model_image

SHAPE = (2048, 2048)


def scene(n_stars):
    grid = make_nircam_psf_grid(16, fov_pixels=51, seed=0)
    gap = 0.6 * SHAPE[0] / n_stars**0.5
    data, truth = make_psf_model_image(
        SHAPE, grid, n_stars, flux=(500, 20_000), min_separation=gap, seed=0
    )
    error = np.sqrt(np.abs(data) + 25.0)
    data += error * make_noise_image(SHAPE, mean=0, stddev=1, seed=0)
    rng = np.random.default_rng(1)
    starts = QTable()
    starts["x"] = truth["x_0"] + rng.normal(0, 0.1, len(truth))
    starts["y"] = truth["y_0"] + rng.normal(0, 0.1, len(truth))
    starts["flux"] = truth["flux"] * rng.uniform(0.8, 1.2, len(truth))
    return grid, data, error, starts


def main():
    n_stars = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    grid, data, error, starts = scene(n_stars)
    print_machine(f"{n_stars} stars")
    ours = {}
    for size in (5, 11):
        for n_threads in (1, 2):
            fit = PSFPhotometry(grid, size, n_threads=n_threads)
            fit(data, error=error, init_params=starts)
            seconds = median_seconds(
                lambda fit=fit: fit(data, error=error, init_params=starts), 7
            )
            ours[size, n_threads] = n_stars / seconds
            print(
                f"psfphot    {size:2d} x {size:2d}, {n_threads} thread(s): "
                f"{ours[size, n_threads]:10,.0f} stars/s"
            )
    theirs, version = photutils("psf")
    if theirs is None:
        return
    few = starts[:: max(1, n_stars // 300)]
    model = theirs.GriddedPSFModel(grid_as_nddata(grid))
    for size in (5, 11):
        fit = theirs.PSFPhotometry(model, size)
        seconds = median_seconds(
            lambda fit=fit: fit(data, error=error, init_params=few), 1
        )
        rate = len(few) / seconds
        print(
            f"photutils {version} {size:2d} x {size:2d}: {rate:10,.0f} stars/s; "
            f"psfphot, 1 thread, is {ours[size, 1] / rate:,.0f} times as fast"
        )


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
