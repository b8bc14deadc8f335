"""The pipeline's errors hold what is left, and its sky is that between the stars."""

import numpy as np
import pytest

from psfphot.background import LocalBackground
from psfphot.io import read_psf
from psfphot.pipeline import Settings, measure, simulate_star_field
from psfphot.pipeline._simulation import SKY


@pytest.fixture(scope="module")
def field():
    psf = read_psf("gaussian:2.6")
    image, truth = simulate_star_field(psf.model, 200, 500, seed=2)
    return psf, image, truth, measure(image, psf)


def test_the_sky_is_made_anew_without_the_stars(field):
    _, image, truth, run = field
    annuli = LocalBackground(6, 11)(image.data, truth["x_0"], truth["y_0"])
    assert abs(run.sky.level / SKY - 1) < 0.005
    assert np.median(annuli) > SKY * 1.01
    assert "stars subtracted" in run.sky.method


def test_confusion_is_on_with_rounds_and_can_be_turned_off(field):
    psf, image, _, run = field
    assert run.confusion.factor < 1.2
    assert run.report()["confusion"]["confusion_factor"] == run.confusion.factor
    assert run.catalog.meta["confusion_factor"] == run.confusion.factor
    off = measure(image, psf, Settings(iterations=1))
    assert off.confusion is None
    assert "confusion_factor" not in off.catalog.colnames
    on = measure(image, psf, Settings(iterations=1, confusion=True))
    ratio = np.asarray(on.catalog["flux_err"] / off.catalog["flux_err"])
    assert ratio.min() >= 1
    with pytest.raises(TypeError, match="confusion must be True, False or 'auto'"):
        Settings(confusion=1)


def test_a_wrong_psf_is_measured_beyond_the_noise(field):
    _, image, _, run = field
    assert run.confusion.profile_error < 0.01
    wrong = measure(
        image, read_psf("gaussian:2.9"), Settings(iterations=1, confusion=True)
    )
    part = wrong.confusion.profile_error
    assert 0.02 < part < 0.2
    flux, error = (np.asarray(wrong.catalog[n]) for n in ("flux_fit", "flux_err"))
    # Bright stars hold what their own residuals tell, the others that of the bright.
    assert 0.95 < np.median(error / (part * flux)) < 3
    # Their own photons are their noise, and a width moves their fluxes less.
    assert np.mean(error > 0.25 * part * flux) > 0.9
