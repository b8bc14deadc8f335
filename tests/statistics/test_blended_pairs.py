"""Pairs 1.5 pixels apart (FWHM 3, boxes of 7 x 7): the quoted errors are true.

5,000 stars an image, in pairs whose flux errors are almost opposite (correlation
-0.98): 2,500 independent fluxes. A width (half the range from 16 to 84 %) has a
standard deviation of 0.96/sqrt(n): 1 % for four images, so that 0.05 is 5 of them.
"""

import numpy as np
import pytest
from trials import make_scene, pulls_of, width

from psfphot.psf import CircularGaussianPRF, PSFPhotometry

SIZE = 7
FWHM = 3.0
N_DRAWS = 4
FLUX, SKY = 20_000, 100


@pytest.fixture(scope="module")
def scene():
    psf = CircularGaussianPRF(fwhm=FWHM)
    return make_scene(psf, FLUX, SKY, offset=1.5)


def test_quoted_errors_equal_the_scatter(scene):
    fit = PSFPhotometry(scene.psf, SIZE)
    pulls, _ = pulls_of(fit, scene, N_DRAWS)
    for name, values in pulls.items():
        assert 0.95 < width(values) < 1.05, name
        assert abs(np.median(values)) < 0.1, name
    assert np.all(fit.results["flags"] == 0)
    assert np.all(fit.results["n_pixels_fit"] == SIZE**2)


def test_the_sum_of_a_pair_is_known_much_better(scene):
    # The covariance says so: without it the sum's error would seem 7 times larger.
    rng = np.random.default_rng(7)
    fit = PSFPhotometry(scene.psf, SIZE)
    table = fit(
        scene.poisson(rng), error=np.sqrt(scene.variance), init_params=scene.starts
    )
    flux = np.asarray(table["flux_fit"]).reshape(-1, 2).sum(axis=1)
    pulls, gains = [], []
    for k, label in enumerate(np.unique(table["group_id"])[:800]):
        covariance = fit.group_covariance(label).covariance[np.ix_([2, 5], [2, 5])]
        pulls.append((flux[k] - 2 * FLUX) / np.sqrt(covariance.sum()))
        gains.append(np.sqrt(np.trace(covariance) / covariance.sum()))
    # 800 sums: 3.4 %.
    assert 0.88 < width(pulls) < 1.12
    assert np.median(gains) > 4
