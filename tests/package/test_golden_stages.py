"""Groups, apertures, levels, colours and errors against photutils' answers."""

import numpy as np
import pytest
from astropy.stats import SigmaClip

import psfphot.aperture
import psfphot.background
from psfphot.background import LocalBackground
from psfphot.psf import SourceGrouper
from psfphot.utils import calc_total_error, make_random_cmap


@pytest.fixture
def golden(load_golden):
    return load_golden("stages")


def error_of(data):
    return np.sqrt(np.abs(data) + 4.0)


def test_groups(golden):
    separations = golden["cases"]["separations"]
    for separation, expected in zip(separations, golden["groups"], strict=True):
        found = SourceGrouper(separation)(*golden["positions"].T)
        np.testing.assert_array_equal(found, expected)


def test_photometry(golden, simulation):
    cases, data = golden["cases"], simulation["data"]
    for radii, answers in zip(cases["apertures"], golden["photometry"], strict=True):
        name = "CircularAperture" if len(radii) == 1 else "CircularAnnulus"
        aperture = getattr(psfphot.aperture, name)(golden["positions"], *radii)
        for method, expected in zip(cases["methods"], answers, strict=True):
            found = aperture.do_photometry(
                data, error_of(data), simulation["mask"], method
            )
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_levels(golden, simulation):
    cases, data = golden["cases"], simulation["data"]
    for (name, settings), answers in zip(
        cases["estimators"], golden["levels"], strict=True
    ):
        for clip, expected in zip(cases["clips"], answers, strict=True):
            sigma_clip = None if clip is None else SigmaClip(**clip)
            kind = getattr(psfphot.background, name)
            estimator = kind(sigma_clip=sigma_clip, **settings)
            for radii, levels in zip(cases["annuli"], expected, strict=True):
                found = LocalBackground(*radii, bkg_estimator=estimator)(
                    data, *golden["inside"].T, mask=simulation["mask"]
                )
                np.testing.assert_allclose(found, levels, rtol=1e-10, atol=1e-10)


def test_colours(golden):
    pytest.importorskip("matplotlib")
    colors = make_random_cmap(n_colors=7, seed=123).colors
    np.testing.assert_array_equal(colors, golden["colors"])


def test_total_errors(golden, simulation):
    data = simulation["data"][:20]
    found = calc_total_error(data, error_of(data), 2.5)
    np.testing.assert_array_equal(found, golden["total_error"])
