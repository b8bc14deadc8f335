"""Catalogues of frames made like real ones, against their truth.

Scenes of ``tests/frames``, five seeds of each by default; SExtractor
(``source-extractor``) on the same files where it is installed. Prints a Markdown table,
with the completeness by flux.
Usage: python benches/python/real_frames.py [--seeds N] [--iterations N] [SCENE ...]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from frames import scenes
from frames.score import nearest, score, values

from psfphot.io import read_image, read_psf
from psfphot.pipeline import Settings, measure

SCENES = ("gradient", "ccd", "drizzled", "jwst")
QUANTILES = (0, 0.2, 0.4, 0.6, 0.8, 0.95)
SEXTRACTOR = shutil.which("source-extractor") or shutil.which("sex")


def completeness(table, scene):
    """Percent of the stars with a row within a pixel, by quantiles of flux."""
    at = np.column_stack([values(table, "x_fit"), values(table, "y_fit")])
    distance, _ = nearest(np.column_stack([scene.x, scene.y]), at)
    edges = np.quantile(scene.flux, QUANTILES)
    parts = [(scene.flux >= low) & (scene.flux < high) for low, high in pairwise(edges)]
    return [100 * np.mean(distance[part] < 1) for part in parts]


def sextractor(scene, directory):
    """SExtractor's catalogue at 1.5 sigma and 5 pixels, with a map of weights."""
    with fits.open(scene.path) as hdus:
        plane = hdus["SCI"] if "SCI" in hdus else hdus[0]
        data = plane.data.astype(np.float32)
        weight = np.isfinite(data).astype(np.float32)
        if "WHT" in hdus:
            weight *= hdus["WHT"].data > 0
        if "DQ" in hdus:
            weight *= hdus["DQ"].data == 0
    fits.writeto(directory / "s.fits", np.nan_to_num(data), overwrite=True)
    fits.writeto(directory / "w.fits", weight, overwrite=True)
    columns = "X_IMAGE Y_IMAGE FLUX_AUTO FLUXERR_AUTO FLAGS"
    (directory / "s.param").write_text("\n".join(columns.split()))
    kernel = "CONV NORM\n1 2 1\n2 4 2\n1 2 1\n"
    (directory / "s.conv").write_text(kernel)
    options = {
        "CATALOG_NAME": "s.cat",
        "CATALOG_TYPE": "FITS_1.0",
        "PARAMETERS_NAME": "s.param",
        "FILTER_NAME": "s.conv",
        "WEIGHT_TYPE": "MAP_WEIGHT",
        "WEIGHT_IMAGE": "w.fits",
        "DETECT_THRESH": "1.5",
        "DETECT_MINAREA": "5",
        "SEEING_FWHM": str(scene.fwhm),
        "VERBOSE_TYPE": "QUIET",
    }
    arguments = [word for key, value in options.items() for word in (f"-{key}", value)]
    (directory / "s.sex").write_text("")
    command = [SEXTRACTOR, "s.fits", "-c", "s.sex", *arguments]
    subprocess.run(  # noqa: S603  (its own words)
        command, cwd=directory, check=True, capture_output=True
    )
    found = Table.read(directory / "s.cat", format="fits")
    table = Table()
    table["x_fit"], table["y_fit"] = found["X_IMAGE"] - 1, found["Y_IMAGE"] - 1
    table["flux_fit"], table["flux_err"] = found["FLUX_AUTO"], found["FLUXERR_AUTO"]
    table["flags"] = found["FLAGS"].astype(int) & ~1
    return table


def psfphot(scene, _, settings=None):
    """Our catalogue, as ``psfphot fit`` makes it."""
    path, _, ext = str(scene.path).removesuffix("]").partition("[")
    image = read_image(path, ext or None)
    return measure(image, read_psf(scene.psf), settings).catalog


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure frames made like real ones.")
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(SCENES))
    parser.add_argument("--seeds", type=int, default=5, help="frames of each")
    parser.add_argument("--iterations", type=int, help="rounds; default: psfphot's")
    options = parser.parse_args()
    rounds = {} if options.iterations is None else {"iterations": options.iterations}
    who = {"psfphot": partial(psfphot, settings=Settings(**rounds))}
    if SEXTRACTOR:
        who["SExtractor"] = sextractor
    heads = "scene|who|rows|fakes, unflagged|found|one to one|brightest 20|bias %|pull"
    heads += "|flagged %|completeness by flux %"
    print(f"|{heads}|\n|{'---|' * (heads.count('|') + 1)}")
    for which in options.scenes or SCENES:
        make = getattr(scenes, which)
        found = {name: ([], []) for name in who}
        for seed in range(1, options.seeds + 1):
            with tempfile.TemporaryDirectory() as name:
                scene = make(Path(name), seed)
                for label, catalogue in who.items():
                    table = catalogue(scene, Path(name))
                    found[label][0].append(score(table, scene))
                    found[label][1].append(completeness(table, scene))
        for label, (scores, complete) in found.items():
            print(row(which, label, scores, complete), flush=True)


def row(scene, who, scores, complete):
    """One row of the table: means over the seeds; pulls are pooled."""

    def mean(name):
        return np.mean([getattr(one, name) for one in scores])

    pulls = np.concatenate([one.pulls for one in scores])
    by_flux = " ".join(f"{value:.0f}" for value in np.mean(complete, axis=0))
    cells = [
        scene,
        who,
        f"{mean('rows'):.0f}",
        f"{mean('fakes'):.1f}, {mean('unflagged_fakes'):.1f}",
        f"{mean('found'):.0f}",
        f"{mean('found_one_to_one'):.0f}",
        f"{mean('brightest'):.1f}",
        f"{100 * mean('bias'):+.2f}",
        f"{np.std(pulls):.2f}",
        f"{100 * mean('flagged'):.1f}",
        by_flux,
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
