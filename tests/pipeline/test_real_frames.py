"""What the pipeline makes of frames with the structure of real ones.

The limits are what was reached and must not be lost; benches/python/real_frames.py
shows the same of larger frames over five seeds, SExtractor beside.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from frames import scenes
from frames.score import score, values

from psfphot.io import read_image, read_psf
from psfphot.pipeline import measure

pytestmark = pytest.mark.long


class Limits(NamedTuple):
    """The least stars found; the most fakes per row and so on."""

    found: int
    fakes: float
    brightest: int
    bias: float
    pull: float = np.inf
    seed: int = 1


def measured(scene):
    path, _, ext = str(scene.path).removesuffix("]").partition("[")
    return measure(read_image(path, ext or None), read_psf(scene.psf))


@pytest.mark.parametrize(
    ("make", "limits"),
    [
        (scenes.gradient, Limits(150, 0.0, 20, 0.002, 1.2)),
        (
            partial(scenes.ccd, n=450, shape=(820, 720)),
            Limits(376, 0.01, 19, 0.003, 1.2, seed=2),
        ),
        (
            partial(scenes.drizzled, n=1500, size=1024),
            Limits(1130, 0.006, 20, 0.003),
        ),
        (
            partial(scenes.jwst, n=1500, size=1024),
            Limits(1050, 0.004, 20, 0.003, 1.1),
        ),
    ],
    ids=["gradient", "ccd", "drizzled", "jwst"],
)
def test_stars_and_nothing_else(tmp_path, make, limits):
    scene = make(tmp_path, seed=limits.seed)
    worth = score(measured(scene).catalog, scene)
    assert worth.found >= limits.found
    assert worth.unflagged_fakes <= limits.fakes * worth.rows
    assert worth.brightest >= limits.brightest
    assert worth.not_positive == 0
    assert worth.flagged <= 0.15
    assert abs(worth.bias) < limits.bias
    assert len(worth.pulls) > 50
    assert np.std(worth.pulls) < limits.pull


def test_two_chips_with_cosmic_rays(tmp_path):
    for scene in scenes.hst(tmp_path, seed=1):
        worth = score(measured(scene).catalog, scene)
        assert worth.found >= 1100
        assert worth.unflagged_fakes <= 0.005 * worth.rows
        assert worth.brightest == 20
        assert abs(worth.bias) < 0.003


def test_a_nebula_is_sky(tmp_path):
    scene = scenes.jwst(tmp_path, seed=7, n=900, size=800, nebula=20.0)
    run = measured(scene)
    worth = score(run.catalog, scene)
    assert worth.unflagged_fakes <= 0.01 * worth.rows
    assert worth.brightest >= 19
    assert worth.found >= 500
    # The clouds are in the map of the sky: 20 sigma of it at the peak.
    assert np.ptp(run.sky.background) > 10 * run.sky.noise


def test_a_psf_that_is_2_percent_off(tmp_path):
    scene = scenes.jwst(tmp_path, seed=8, n=900, size=800, width=1.02)
    worth = score(measured(scene).catalog, scene)
    assert worth.unflagged_fakes <= 0.005 * worth.rows
    assert worth.brightest >= 19
    assert abs(worth.bias) < 0.03


def test_dark_pixels_and_stripes_are_no_stars(tmp_path):
    """Over-subtracted hot pixels, stripes and skewed noise, as of amateur CCDs."""
    scene = scenes.amateur(tmp_path, seed=1)
    table = measured(scene).catalog
    worth = score(table, scene)
    assert np.all(values(table, "flux_fit") > 0)
    assert worth.found >= 55
    assert worth.unflagged_fakes <= 1
