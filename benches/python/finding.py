"""Milliseconds of the star finders on an image of 2048 x 2048 pixels.

Beside photutils where it is installed, on the same images, in one run; medians.
With the settings' defaults (and ``min_separation=0`` for IRAF's stars), on two
threads.  The memory is the growth of the process's peak.
Usage: python benches/python/finding.py
"""

import numpy as np
from _timing import (
    Row,
    forget_peak,
    median_seconds,
    megabytes,
    memory,
    photutils,
    print_machine,
    print_rows,
)

from psfphot import detection

SHAPE = (2048, 2048)
FWHM = 3.0
NOISE = 5.0
N_THREADS = 2


def scene(n_stars):
    """Gaussians of heights from 30 to 3000 in noise."""
    rng = np.random.default_rng(1)
    sigma, half = FWHM / 2.3548, 8
    wide = np.zeros([n + 2 * half + 2 for n in SHAPE])
    dy, dx = np.mgrid[-half : half + 1, -half : half + 1]
    for x, y, height in zip(
        rng.uniform(0, SHAPE[1] - 1, n_stars),
        rng.uniform(0, SHAPE[0] - 1, n_stars),
        10 ** rng.uniform(1.5, 3.5, n_stars),
        strict=True,
    ):
        i, j = round(x), round(y)
        r2 = (dx + i - x) ** 2 + (dy + j - y) ** 2
        wide[j : j + 2 * half + 1, i : i + 2 * half + 1] += height * np.exp(
            -r2 / (2 * sigma**2)
        )
    data = wide[half : half + SHAPE[0], half : half + SHAPE[1]]
    return data + rng.normal(0, NOISE, SHAPE)


def cases(module, **options):
    """Name and call of each finder of a module."""
    threshold = 5 * NOISE
    iraf, dao = module.IRAFStarFinder, module.DAOStarFinder
    return {
        "IRAFStarFinder": iraf(threshold, FWHM, **options),
        "DAOStarFinder": dao(threshold, FWHM, **options),
        "DAOStarFinder, separation 0": dao(
            threshold, FWHM, min_separation=0, **options
        ),
        "find_peaks": lambda data: module.find_peaks(
            data, threshold, min_separation=2.5 * FWHM, **options
        ),
    }


def working_memory(finder, data):
    """Bytes per pixel beyond the image (Linux)."""
    forget_peak()
    before = memory("VmRSS")
    finder(data)
    return (memory("VmHWM") - before) / megabytes(data) * data.itemsize


def rows():
    theirs, version = photutils("detection")
    for n_stars in (500, 20_000):
        image = scene(n_stars)
        for dtype in ("float64", "float32"):
            data = image.astype(dtype)
            others = cases(theirs) if theirs is not None else {}
            for name, find in cases(detection, n_threads=N_THREADS).items():
                task = f"{name}, {n_stars:,} stars, {dtype}"
                found = f"{len(find(data))} found"
                seconds = median_seconds(lambda: find(data), 9)  # noqa: B023
                yield Row(task, "psfphot", seconds, N_THREADS, accuracy=found)
                if name in others:
                    find = others[name]  # noqa: PLW2901
                    found = f"{len(find(data))} found"
                    seconds = median_seconds(lambda: find(data), 1)  # noqa: B023
                    yield Row(task, f"photutils {version}", seconds, accuracy=found)


def main():
    print_machine(SHAPE)
    # First, while the process has no free memory to use again.
    for dtype in ("float32", "float64"):
        finder = detection.DAOStarFinder(5 * NOISE, FWHM, n_threads=N_THREADS)
        used = working_memory(finder, scene(20_000).astype(dtype))
        print(f"DAOStarFinder, {dtype}: {used:.1f} bytes of memory per pixel")
    print_rows(rows())


if __name__ == "__main__":
    main()
