"""Artificial stars on the scene of 20,000: the cost of 100,000, in runs of photometry.

CPU time of the whole process. Usage: python benches/python/completeness.py [KIND ...],
of "one_pass" (the default) and "iterative" (some minutes).
"""

import sys
import warnings

import scenes
from _timing import print_machine, timed

from psfphot.completeness import ArtificialStarTest
from psfphot.detection import MatchedFilterFinder
from psfphot.psf import (
    IterativePSFPhotometry,
    PSFPhotometry,
    SourceGrouper,
    StarListManagement,
)

N_STARS = 100_000


def one_pass(psf_model):
    return PSFPhotometry(
        psf_model,
        7,
        finder=MatchedFilterFinder(psf_model, 4.0),
        grouper=SourceGrouper(7),
        aperture_radius=4,
    )


def iterative(psf_model):
    return IterativePSFPhotometry(
        psf_model,
        7,
        MatchedFilterFinder(psf_model, 5.0),
        grouper=SourceGrouper(7),
        aperture_radius=4,
        mode="all",
        management=StarListManagement(),
    )


def main(names):
    warnings.simplefilter("ignore")
    print_machine(f"{N_STARS} artificial stars")
    scene = scenes.crowded(20_000)
    for name in names:
        photometry = globals()[name](scene.psf_model)
        test = ArtificialStarTest(photometry, flux=(100, 50_000), gain=1.0)

        def measure(photometry=photometry):
            return photometry(scene.data, error=scene.error)

        def put_in(test=test):
            return test(scene.data, error=scene.error, n_stars=N_STARS)

        before = [timed(measure)[2] for _ in range(2)]
        results, _, taken = timed(put_in)
        after = [timed(measure)[2] for _ in range(2)]
        one = sum(before + after) / 4
        print(
            f"{name:10s} one run {one:.3f} s; {N_STARS} stars in "
            f"{results.settings['n_images']} images {taken:.1f} s: "
            f"{taken / one:.1f} runs; {results.fit_completeness()}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:] or ["one_pass"])
