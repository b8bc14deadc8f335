"""From the finder to the catalogue: crowded frames by iterative photometry.

For each scene and number of rounds: seconds, memory above the image, and the
catalogue against the truth. Recovered: mutual nearest within 0.7 px, one to one.
False: rows that are nobody's mutual nearest. Pulls are those of recovered stars,
blends included. Usage: python benches/python/star_lists.py [SCENE ...], of "crowded"
(the default), "bright", "wide", "narrow", "undersampled".
"""

import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import scenes
from _timing import Row, forget_peak, memory, print_rows, timed

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from frames.score import nearest, robust_width

from psfphot.detection import MatchedFilterFinder
from psfphot.psf import CircularGaussianPRF, IterativePSFPhotometry, OverlapGrouper

ROUNDS = (1, 2, 3, 5)
MATCH = 0.7


def grade(table, truth):
    """Compare a catalogue with the truth."""
    fitted = np.isfinite(table["x_fit"])
    rows = np.transpose([table["x_fit"][fitted], table["y_fit"][fitted]])
    stars = np.transpose([truth["x_0"], truth["y_0"]])
    (distance, of_row), (_, of_star) = nearest(rows, stars), nearest(stars, rows)
    is_mutual = of_star[of_row] == np.arange(len(rows))
    good = is_mutual & (distance < MATCH)
    flux, error = (np.asarray(table[n])[fitted] for n in ("flux_fit", "flux_err"))
    pull = ((flux - np.asarray(truth["flux"])[of_row]) / error)[good]
    pull = pull[np.isfinite(pull)]
    return (
        f"{len(table)} rows, {good.sum() / len(stars):.2%} recovered, "
        f"{np.mean(~is_mutual):.2%} false, pull {robust_width(pull):.3f}, median "
        f"{np.median(pull):+.3f}, {np.mean(np.abs(pull) > 3):.1%} beyond 3"
    )


def run(name, scene, psf_model, *, n_threads=2):
    """Photometer a scene: a row for each number of rounds."""
    for rounds in ROUNDS:
        photometry = IterativePSFPhotometry(
            psf_model,
            (7, 7),
            MatchedFilterFinder(psf_model, 5.0, sky=False, n_threads=n_threads),
            grouper=OverlapGrouper(),
            aperture_radius=3,
            mode="all",
            maxiters=rounds,
            n_threads=n_threads,
        )
        forget_peak()
        before = memory("VmRSS")
        table, seconds, cpu = timed(partial(photometry, scene.data, error=scene.error))
        more = f"{cpu:.2f} s CPU, +{memory('VmHWM') - before:.0f} MB"
        yield Row(
            f"finder to catalogue, {name}, {rounds} rounds",
            "psfphot",
            seconds,
            n_threads,
            accuracy=f"{grade(table, scene.truth)}; {table.meta['stopped']}; {more}",
        )


def crowded():
    scene = scenes.crowded(20_000)
    yield from run("20,000", scene, scene.psf_model)


def bright():
    scene = scenes.crowded(20_000, n_bright=25)
    yield from run("20,000 + 25 of 1e6", scene, scene.psf_model)


def wide():
    yield from run(
        "20,000, PSF 1 % wide", scenes.crowded(20_000), CircularGaussianPRF(fwhm=3.03)
    )


def narrow():
    yield from run(
        "20,000, PSF 1 % narrow", scenes.crowded(20_000), CircularGaussianPRF(fwhm=2.97)
    )


def undersampled():
    for n_stars in (5000, 20_000):
        scene = scenes.crowded(n_stars, undersampled=True)
        yield from run(f"{n_stars} undersampled", scene, scene.psf_model)


SCENES = {
    "crowded": crowded,
    "bright": bright,
    "wide": wide,
    "narrow": narrow,
    "undersampled": undersampled,
}


def rows(names=("crowded",)):
    for name in names:
        yield from SCENES[name]()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print_rows(rows(sys.argv[1:] or ["crowded"]))
