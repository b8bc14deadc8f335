"""Robust weights: what cosmic rays hit, and what they must leave alone."""

import numpy as np
import pytest
from frames.score import robust_width
from noisy_frames import NOISE, crowd, fit, hit, lone_stars, pull

FLUXES = (2e3, 1e6)


@pytest.mark.parametrize("has_model", [True, False])
def test_hit_stars_keep_their_fluxes(has_model):
    for frame in (lone_stars(FLUXES, seed=3), crowd(600, 360, seed=1)):
        hit_frame = hit(frame, seed=4)
        error = NOISE if has_model else frame.true_error
        table = fit(hit_frame, error, robust=True)
        pulls = pull(table, frame)
        n = len(frame.x)
        assert np.abs(np.nanmedian(pulls)) < 0.05 + 2.5 / np.sqrt(n)
        assert robust_width(pulls) < 1.1 + 3.3 / np.sqrt(2 * n)
        away = np.hypot(table["x_fit"] - frame.x, table["y_fit"] - frame.y)
        assert np.mean(away > 1.5) < 0.015
        # A quarter of the boxes was hit; nothing else says so many.
        assert np.mean(table["n_rejected"] > 0) > 0.15
        plain = fit(hit_frame, frame.true_error)
        assert robust_width(pull(plain, frame)) > 1.5
        assert "n_rejected" not in plain.colnames


def test_clean_stars_lose_nothing():
    frame = lone_stars(FLUXES, seed=6)
    plain, robust = fit(frame, NOISE), fit(frame, NOISE, robust=True)
    widths = [
        np.std((t["flux_fit"] - frame.flux) / plain["flux_err"])
        for t in (plain, robust)
    ]
    assert widths[1] < 1.03 * widths[0]
    assert np.sum(robust["n_rejected"]) < 0.01 * np.sum(robust["n_pixels_fit"])


@pytest.mark.parametrize("width", [0.95, 1.05])
@pytest.mark.parametrize("fluxes", [(3e4, 1e6), (1e6, 1e8)])
def test_a_psf_that_does_not_match_costs_no_core(width, fluxes):
    frame = lone_stars(fluxes, n_side=12, seed=7)
    plain = fit(frame, NOISE, width=width)
    robust = fit(frame, NOISE, width=width, robust=True)
    np.testing.assert_allclose(robust["flux_fit"], plain["flux_fit"], rtol=2e-3)


def test_without_errors_the_residuals_tell_the_scale():
    frame = hit(lone_stars((2e3, 2e4), seed=8), seed=9)
    table = fit(frame, None, robust=True)
    change = table["flux_fit"] / frame.flux - 1
    assert robust_width(change) < 0.06
    assert np.mean(np.abs(change) > 0.5) < 0.02


def test_the_covariance_is_that_of_the_robust_fit():
    frame = hit(lone_stars(FLUXES, n_side=5, seed=3), seed=4)
    from psfphot.psf import CircularGaussianPRF, PSFPhotometry  # noqa: PLC0415

    phot = PSFPhotometry(CircularGaussianPRF(fwhm=2.5), 7, aperture_radius=3, robust=3)
    table = phot(frame.data, error=NOISE, init_params=frame.starts)
    for row in table:
        variance = phot.group_covariance(row["group_id"]).covariance[2, 2]
        assert variance == pytest.approx(row["flux_err"] ** 2, rel=1e-2)


@pytest.mark.parametrize("robust", [0, -1.0, np.nan, "yes", None])
def test_bad_values_are_refused(robust):
    from psfphot.psf import CircularGaussianPRF, PSFPhotometry  # noqa: PLC0415

    with pytest.raises((TypeError, ValueError), match="robust"):
        PSFPhotometry(CircularGaussianPRF(fwhm=2.5), 7, robust=robust)
