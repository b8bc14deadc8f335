"""Crowded fields: joint fits of whole frames, from the starts to the table.

For each scene seconds, memory above the image and the pulls of the fluxes. Usage:
python benches/python/crowded.py [SCENE ...], of "sizes" (the default), "density",
"wide" (a PSF of 101 pixels), "undersampled", "group".
"""

import sys
import time
import warnings

import numpy as np
import scenes
from _timing import Row, forget_peak, median_seconds, memory, print_rows
from astropy.table import QTable

from psfphot.datasets import make_nircam_psf_grid
from psfphot.psf import CircularGaussianPRF, PSFPhotometry

BOX = (7, 7)
THREADS = (2, 1)


def fit(name, scene):
    """Fit a scene: a row for each number of threads."""
    for n_threads in THREADS:
        photometry = PSFPhotometry(
            scene.psf_model,
            BOX,
            group_warning_threshold=len(scene.starts),
            n_threads=n_threads,
        )
        forget_peak()
        before = memory("VmRSS")
        begin = time.perf_counter()
        table = photometry(scene.data, error=scene.error, init_params=scene.starts)
        seconds = time.perf_counter() - begin
        used = memory("VmHWM") - before
        _, pull = scenes.pulls(table, scene.truth)
        flags = np.asarray(table["flags"])
        accuracy = (
            f"pulls {pull['width']:.3f}, std {pull['std']:.3f}, "
            f"median {pull['median']:+.3f}, {pull['beyond_5']} beyond 5; "
            f"{np.mean(flags & 8 > 0):.2%} not converged, "
            f"{np.mean(flags & 16 > 0):.2%} without errors; +{used:.0f} MB"
        )
        yield Row(
            f"joint fit, {name}", "psfphot", seconds, n_threads, accuracy=accuracy
        )


def sizes():
    for n_stars in (500, 5000, 20_000, 100_000):
        yield from fit(f"{n_stars} on 2048^2", scenes.crowded(n_stars))


def density():
    for n_stars, side in ((5000, 1024), (20_000, 2048), (80_000, 4096)):
        yield from fit(f"{n_stars} on {side}^2", scenes.crowded(n_stars, side))


def undersampled():
    for n_stars in (5000, 20_000):
        scene = scenes.crowded(n_stars, undersampled=True)
        yield from fit(f"{n_stars}, undersampled", scene)


def wide():
    grid = make_nircam_psf_grid(16, fov_pixels=101, seed=0)
    yield from fit("20000, PSF of 101 pixels", scenes.crowded(20_000, psf_model=grid))


def group():
    """One group of 25 stars, 4 pixels apart, whose PSF does not match."""
    rng = np.random.default_rng(0)
    truth = QTable()
    y, x = np.mgrid[:5, :5] * 4.0 + 20
    truth["x_0"] = x.ravel() + rng.uniform(-0.5, 0.5, 25)
    truth["y_0"] = y.ravel() + rng.uniform(-0.5, 0.5, 25)
    truth["flux"] = np.exp(rng.uniform(*np.log(scenes.FLUXES), 25))
    scene = scenes.observed(truth, (60, 60), CircularGaussianPRF(fwhm=3.3), rng)
    photometry = PSFPhotometry(CircularGaussianPRF(fwhm=3.0), BOX, n_threads=1)

    def once():
        photometry(scene.data, error=scene.error, init_params=scene.starts)

    once()
    yield Row(
        "a group of 25, 4 px apart, mismatched", "psfphot", median_seconds(once, 9)
    )


SCENES = {
    "sizes": sizes,
    "density": density,
    "wide": wide,
    "undersampled": undersampled,
    "group": group,
}


def rows(names=("sizes",)):
    for name in names:
        yield from SCENES[name]()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print_rows(rows(sys.argv[1:] or ["sizes"]))
