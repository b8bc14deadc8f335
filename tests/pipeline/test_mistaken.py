"""Stars that look like cosmic rays, and cosmic rays that look like stars."""

import numpy as np
from cli_field import FWHM, SHAPE, X, Y, make_field, write_field

from psfphot.io import read_image, read_psf
from psfphot.pipeline import Exposure, measure, measure_sky, simulate_star_field
from psfphot.pipeline._mistaken import without_stars


def test_only_what_the_psf_fits_is_taken_back(tmp_path):
    data = make_field()
    # A ray of seven pixels in a corner of its own.
    ray = ([25, 26, 26, 27, 27, 28, 29], [26, 26, 27, 27, 28, 28, 29])
    data[ray] += 200.0
    path = write_field(tmp_path / "a.fits", data=data)
    exposure = Exposure(read_image(path), read_psf(f"gaussian:{FWHM}"))
    exposure.sky = measure_sky(exposure)
    found = np.zeros(SHAPE, dtype=bool)
    found[ray] = True
    x, y = round(X[4]), round(Y[4])
    found[y - 1 : y + 2, x - 1 : x + 2] = True
    rays = without_stars(found, exposure)
    assert rays[ray].all()
    assert np.count_nonzero(rays) == len(ray[0])


def test_a_crowd_without_rays_loses_no_star():
    psf = read_psf("gaussian:2.3")
    image, truth = simulate_star_field(psf.model, 200, 700, seed=4)
    run = measure(image, psf)
    masked = run.exposure.masks.counts.get("cosmic rays and hot pixels", 0)
    # 138 without a second look, cores of 32 stars among them.
    assert masked < 40
    y, x = (np.round(np.asarray(truth[n])).astype(int) for n in ("y_0", "x_0"))
    bright = np.asarray(truth["flux"]) > np.percentile(np.asarray(truth["flux"]), 90)
    inside = (x >= 0) & (y >= 0) & (x < 200) & (y < 200)
    assert not run.exposure.mask[y[bright & inside], x[bright & inside]].any()
