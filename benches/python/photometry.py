"""Stars a second of PSFPhotometry, from given starts to the finished table.

Beside photutils where it is installed, on the same stars of the same image, in
one run; medians. Usage: python benches/python/photometry.py [n_stars]
"""

import sys
import warnings

import numpy as np
from _timing import Row, grid_as_nddata, median_seconds, photutils, print_rows
from scenes import pulls, starts_near

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
    starts = starts_near(truth, np.random.default_rng(1))
    return grid, data, error, starts, truth


def quality(table, truth):
    """The pulls of the fluxes."""
    _, pull = pulls(table, truth)
    return f"pulls {pull['width']:.3f}, {pull['beyond_5']} beyond 5"


def rows(n_stars=5000):
    grid, data, error, starts, truth = scene(n_stars)
    theirs, version = photutils("psf")
    for size in (5, 11):
        task = f"fits {size} x {size}, {n_stars:,} stars"
        for n_threads in (1, 2):
            fit = PSFPhotometry(grid, size, n_threads=n_threads)
            table = fit(data, error=error, init_params=starts)
            seconds = median_seconds(
                lambda fit=fit: fit(data, error=error, init_params=starts), 7
            )
            accuracy = quality(table, truth)
            yield Row(task, "psfphot", seconds, n_threads, n_stars, accuracy)
        if theirs is None:
            continue
        step = max(1, n_stars // 300)
        few = starts[::step]
        fit = theirs.PSFPhotometry(theirs.GriddedPSFModel(grid_as_nddata(grid)), size)
        made = []
        seconds = median_seconds(
            lambda fit=fit, made=made, few=few: made.append(
                fit(data, error=error, init_params=few)
            ),
            1,
        )
        accuracy = quality(made[0], truth[::step])
        yield Row(task, f"photutils {version}", seconds, 1, len(few), accuracy)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print_rows(rows(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
