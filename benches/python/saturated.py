"""Saturated stars of a field like NIRCam's, against their truth.

30 stars whose cores of 1 to 60 pixels are lost among 300 others, through the whole
pipeline; with the PSF that the fit has, one that is 2 % wider, and one that differs by
2 % (rms) of its value in blobs of two pixels. Prints a Markdown table.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from frames.saturated import PSFS, field, score

from psfphot.io import read_image
from psfphot.pipeline import measure

SEEDS = range(1, 3)


def main(kinds):
    """Print the table."""
    heads = "PSF|found|positions|bias, mag|up to 20 px|beyond|pull|median pull"
    heads += "|rows near|false near|others' pull"
    print(f"|{heads}|\n|{'---|' * (heads.count('|') + 1)}")
    for kind in kinds:
        scores = []
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as name:
                truth = field(Path(name), seed, kind)
                run = measure(read_image(truth.path, "SCI"), truth.psf)
                scores.append(score(run.catalog, truth))
        print(row(kind, scores), flush=True)


def row(kind, scores):
    """One row of the table: the stars of all seeds together."""
    bias, pixels, pull, apart, others = (
        np.concatenate([getattr(one, name) for one in scores])
        for name in ("magnitudes", "n_pixels", "pulls", "apart", "others")
    )
    few = pixels <= 20
    found = apart < 1
    cells = [
        kind,
        f"{found.sum()} of {len(found)}",
        f"{np.median(apart):.3f}",
        f"{np.median(bias):+.4f}",
        f"{np.median(bias[few]):+.4f}, {np.median(abs(bias[few])):.4f}",
        f"{np.median(bias[~few]):+.4f}, {np.median(abs(bias[~few])):.4f}",
        f"{np.sqrt(np.mean(pull**2)):.2f}",
        f"{np.median(pull):+.2f}",
        f"{sum(one.n_near for one in scores)}",
        f"{sum(one.n_false for one in scores)}",
        f"{np.sqrt(np.median(others**2)) / 0.6745:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:] or PSFS)
