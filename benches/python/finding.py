"""Milliseconds of the star finders on an image of 2048 x 2048 pixels.

Beside photutils where it is installed, on the same images, in one run; medians.
With the settings' defaults (and ``min_separation=0`` for IRAF's stars), on two
threads.  The memory is the growth of the process's peak, on a larger image.
Usage: python benches/python/finding.py
"""

import importlib
import platform
import statistics
import subprocess
import sys
import time

import numpy as np

from psfphot.detection import DAOStarFinder, IRAFStarFinder, find_peaks

SHAPE = (2048, 2048)
MEMORY_SHAPE = (8192, 4096)
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


def median_ms(call, data, repeats):
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call(data)
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


class Ours:
    """What this bench measures, as a module is."""

    IRAFStarFinder = IRAFStarFinder
    DAOStarFinder = DAOStarFinder
    find_peaks = staticmethod(find_peaks)


def working_memory(dtype):
    """Bytes per pixel beyond the image, in a process of its own (Linux)."""
    code = (
        "import re, numpy as np\n"
        "from psfphot.detection import DAOStarFinder as F\n"
        "kB = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', "
        "open('/proc/self/status').read())[1])\n"
        "F(5., 3.)(np.random.default_rng(0).normal(0, 9, (99, 99)))\n"
        f"d = np.ones({MEMORY_SHAPE}, '{dtype}'); d[::50, ::50] = 99\n"
        "before = kB(); F(5., 3., n_threads=2)(d); print(kB() - before)\n"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return 1024 * int(done.stdout) / (MEMORY_SHAPE[0] * MEMORY_SHAPE[1])


def main():
    print(f"{platform.machine()}, Python {platform.python_version()}, {SHAPE}")
    try:
        theirs = importlib.import_module("photutils.detection")
        version = importlib.import_module("photutils").__version__
    except ImportError:
        theirs = version = None
        print("photutils is not installed: nothing to compare with")
    for n_stars in (500, 20_000):
        image = scene(n_stars)
        for dtype in ("float64", "float32"):
            data = image.astype(dtype)
            for name, call in cases(Ours, n_threads=N_THREADS).items():
                n_found = len(call(data))
                ours = median_ms(call, data, 9)
                line = f"{n_stars:6d} stars, {dtype}, {name}: {ours:6.1f} ms"
                if theirs is not None:
                    other = median_ms(cases(theirs)[name], data, 1)
                    line += f"; photutils {version} {other:7.1f} ms"
                print(f"{line}; {n_found} found")
    for dtype in ("float64", "float32"):
        print(f"memory, {dtype}: {working_memory(dtype):.1f} bytes per pixel")


if __name__ == "__main__":
    main()
