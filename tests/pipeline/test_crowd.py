"""Crowded stars are no cosmic rays to the pipeline."""

import numpy as np

from psfphot.io import read_psf
from psfphot.pipeline import measure, simulate_star_field
from psfphot.pipeline._masks import COSMIC_RAYS


def test_a_crowd_without_rays_loses_no_star():
    psf = read_psf("gaussian:2.3")
    image, truth = simulate_star_field(psf.model, 200, 700, seed=4)
    run = measure(image, psf)
    assert run.exposure.masks.counts.get(COSMIC_RAYS, 0) < 5
    y, x = (np.round(np.asarray(truth[n])).astype(int) for n in ("y_0", "x_0"))
    bright = np.asarray(truth["flux"]) > np.percentile(np.asarray(truth["flux"]), 90)
    inside = (x >= 0) & (y >= 0) & (x < 200) & (y < 200)
    assert not run.exposure.mask[y[bright & inside], x[bright & inside]].any()
