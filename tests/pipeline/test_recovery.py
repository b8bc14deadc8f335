"""A simulated field, measured and compared with its truth."""

import numpy as np
import pytest

from psfphot.pipeline import compare_with_truth, measure, simulate_star_field
from psfphot.psf import CircularGaussianPRF

PSF = CircularGaussianPRF(fwhm=2.5)


def test_a_field_is_that_of_its_seed():
    image, truth = simulate_star_field(PSF, 96, 40, seed=3)
    again, _ = simulate_star_field(PSF, 96, 40, seed=3)
    other, _ = simulate_star_field(PSF, 96, 40, seed=4)
    np.testing.assert_array_equal(image.data, again.data)
    assert (image.data != other.data).any()
    assert image.shape == (96, 96)
    # At least one in each of the 32 steps of magnitude.
    assert len(truth) >= 32
    light = np.full(image.shape, 150.0)
    yy, xx = np.mgrid[:96, :96].astype(float)
    for x, y, flux in truth.iterrows("x_0", "y_0", "flux"):
        light += PSF.evaluate(xx, yy, flux, x, y, 2.5)
    chi = (image.data - light) / image.error
    assert np.mean(chi) == pytest.approx(0, abs=0.05)
    assert np.std(chi) == pytest.approx(1, abs=0.05)


def test_what_is_measured_is_the_truth():
    image, truth = simulate_star_field(PSF, 256, 150, seed=1)
    recovery = compare_with_truth(measure(image, PSF).catalog, truth, radius=1.0)
    assert len(recovery.true_magnitude) == len(truth)
    bright = recovery.true_magnitude < 22
    assert recovery.found[bright].mean() > 0.9
    alone = recovery.alone & (recovery.magnitude < 23)
    assert alone.sum() > 10
    assert np.abs(np.median(recovery.flux_offset[alone])) < 0.01
    assert np.median(np.abs(recovery.flux_pull[alone])) < 1.5


@pytest.mark.parametrize("words", [(96.5, 40), (96, -1), ("96", 40)])
def test_fields_that_are_none(words):
    with pytest.raises((TypeError, ValueError), match=r"size|n_stars"):
        simulate_star_field(PSF, *words)
