"""Seconds of the stages before the fit: groups, apertures, backgrounds, matches.

Beside photutils where it is installed, on the same sources of the same image, in
one run; medians. Usage: python benches/python/stages.py [n_threads]
"""

import importlib
import sys
import warnings

import numpy as np
from _timing import Row, median_seconds, print_rows

from psfphot.aperture import CircularAperture
from psfphot.background import LocalBackground, MMMBackground
from psfphot.matching import match_positions
from psfphot.psf import SourceGrouper

# A photutils call that takes longer than this is timed once.
LONG = 2.0


def seconds_of(call):
    first = median_seconds(call, 1)
    return first if first > LONG else median_seconds(call, 9)


def theirs(module, name, *arguments, **settings):
    """Make photutils' object of that name, or `None`."""
    try:
        kind = getattr(importlib.import_module(f"photutils.{module}"), name)
    except ImportError:
        return None
    return kind(*arguments, **settings)


def compare(task, ours, other=None, n_threads=1):
    """Make a row of each of two calls."""
    yield Row(task, "psfphot", seconds_of(ours), n_threads)
    if other is not None:
        yield Row(task, "photutils", seconds_of(other))


def groups(rng):
    scenes = [
        ("64,000 sources, separation 25, 4096 x 4096", 64_000, 4096, 25),
        ("a million sources, separation 3, 8192 x 8192", 1_000_000, 8192, 3),
        ("a million sources, separation 25, percolated", 1_000_000, 8192, 25),
    ]
    for title, n, size, separation in scenes:
        x, y = rng.uniform(0, size, (2, n))
        other = theirs("psf", "SourceGrouper", separation)
        # photutils lists all pairs: of these there are billions.
        if separation * separation * n > size * size * 5:
            other = None
        yield from compare(
            f"group: {title}",
            lambda x=x, y=y, s=separation: SourceGrouper(s)(x, y),
            other and (lambda x=x, y=y, f=other: f(x, y)),
        )


def apertures(data, positions, n_threads):
    for radius in (2, 3, 5, 10):
        ours = CircularAperture(positions, radius)
        other = theirs("aperture", "CircularAperture", positions, radius)
        yield from compare(
            f"aperture: 10,000 exact sums, radius {radius}",
            lambda a=ours: a.do_photometry(data, n_threads=n_threads),
            other and (lambda a=other: a.do_photometry(data)),
            n_threads,
        )


def backgrounds(data, positions, n_threads):
    x, y = positions.T
    for name, estimator in (("median", None), ("MMM", MMMBackground())):
        ours = LocalBackground(10, 20, bkg_estimator=estimator, n_threads=n_threads)
        mode = estimator and theirs("background", "MMMBackground")
        other = theirs("background", "LocalBackground", 10, 20, bkg_estimator=mode)
        yield from compare(
            f"background: 10,000 annuli of 10 to 20 pixels, {name}",
            lambda f=ours: f(data, x, y),
            other and (lambda f=other: f(data, x, y)),
            n_threads,
        )


def matches(rng, n_threads):
    for n in (10_000, 1_000_000):
        first = rng.uniform(0, 8192, (2, n))
        second = (first + rng.normal(0, 0.3, (2, n)))[:, rng.permutation(n)]
        yield from compare(
            f"match: {n:,} sources",
            lambda a=first, b=second: match_positions(
                tuple(a), tuple(b), 1, n_threads=n_threads
            ),
            None,
            n_threads,
        )


def rows(n_threads=2):
    rng = np.random.default_rng(0)
    data = rng.normal(100, 3, (2048, 2048))
    data[rng.random(data.shape) < 0.02] += 300
    positions = rng.uniform(20, 2028, (10_000, 2))
    yield from groups(rng)
    yield from apertures(data, positions, n_threads)
    yield from backgrounds(data, positions, n_threads)
    yield from matches(rng, n_threads)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print_rows(rows(int(sys.argv[1]) if len(sys.argv) > 1 else 2))
