"""A test of artificial stars to be killed: ``killed_run.py PARTS WORKERS TABLE``."""

import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import studies

from psfphot.completeness import ArtificialStarTest


def run(parts=None, *, n_workers=1):
    """Run the same test of eight images and one of noise."""
    warnings.simplefilter("ignore")
    scene = studies.make_scene(128)
    test = ArtificialStarTest(
        studies.one_pass(),
        flux=(300, 50_000),
        gain=1.0,
        stars_per_image=10,
        pilot=8,
        noise_images=1,
        n_workers=n_workers,
    )
    return test(scene.data, error=scene.error, n_stars=80, resume=parts)


if __name__ == "__main__":
    results = run(sys.argv[1], n_workers=int(sys.argv[2]))
    np.save(sys.argv[3], np.asarray(results.table.as_array()))
