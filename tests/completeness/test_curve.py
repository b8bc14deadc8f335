"""Intervals of shares and the logistic curve: right values, and coverage."""

import numpy as np
import pytest
import studies

pytest.importorskip("scipy")

from scipy.optimize import minimize
from scipy.special import xlog1py, xlogy

from psfphot.completeness import fit_completeness, wilson_interval


def draw(seed=0, n=2000, c_max=0.9, m50=22.0, width=0.4):
    rng = np.random.default_rng(seed)
    magnitude = rng.uniform(19, 25, n)
    chance = c_max / (1 + np.exp((magnitude - m50) / width))
    return magnitude, rng.random(n) < chance


@pytest.mark.parametrize("n_sigma", [1.0, 2.0])
def test_wilson_bounds_are_where_the_score_is_n_sigma(n_sigma):
    k, n = np.array([0, 1, 7, 19, 20]), 20
    lower, upper = wilson_interval(k, n, n_sigma=n_sigma)
    for bound in (lower, upper):
        inside = (bound > 0) & (bound < 1)
        score = (k / n - bound) / np.sqrt(bound * (1 - bound) / n + ~inside)
        np.testing.assert_allclose(np.abs(score[inside]), n_sigma, rtol=1e-12)
    assert lower[0] == 0
    assert upper[-1] == 1
    assert 0 < upper[0] < 0.25


def test_nothing_is_known_without_a_trial():
    lower, upper = wilson_interval(0, 0)
    assert (lower, upper) == (0, 1)


def test_the_curve_has_the_greatest_likelihood():
    magnitude, recovered = draw()
    curve = fit_completeness(magnitude, recovered)

    def minus_log_likelihood(parameters):
        c_max, m50, width = parameters
        p = c_max / (1 + np.exp((magnitude - m50) / width))
        return -np.sum(xlogy(recovered, p) + xlog1py(~recovered, -p))

    best = minimize(
        minus_log_likelihood,
        [0.8, 21.5, 0.6],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-9, "maxiter": 5000},
    )
    found = curve.c_max, curve.m50, curve.width
    np.testing.assert_allclose(found, best.x, rtol=1e-5)


def test_errors_are_those_of_the_curvature():
    magnitude, recovered = draw()
    curve = fit_completeness(magnitude, recovered)
    # The bootstrap knows no formula.
    rng = np.random.default_rng(1)
    again = []
    for _ in range(100):
        chosen = rng.integers(len(magnitude), size=len(magnitude))
        one = fit_completeness(magnitude[chosen], recovered[chosen])
        again.append((one.c_max, one.m50, one.width))
    errors = curve.c_max_err, curve.m50_err, curve.width_err
    np.testing.assert_allclose(np.std(again, axis=0), errors, rtol=0.25)


def test_all_bright_stars_recovered():
    magnitude, recovered = draw(c_max=1.0)
    recovered |= magnitude < 21
    curve = fit_completeness(magnitude, recovered)
    assert curve.c_max == 1
    assert curve.c_max_err == 0
    assert abs(curve.m50 - 22) < 4 * curve.m50_err


def test_where_the_completeness_has_a_value():
    magnitude, recovered = draw()
    curve = fit_completeness(magnitude, recovered)
    at, error = curve.magnitude_at(0.5)
    assert curve(at) == pytest.approx(0.5)
    assert curve.m50_err / 2 < error < 2 * curve.m50_err
    at, error = curve.magnitude_at(curve.c_max / 2)
    assert at == pytest.approx(curve.m50)
    with pytest.raises(ValueError, match="below c_max"):
        curve.magnitude_at(0.95)


def test_intervals_of_m50_cover_68_percent():
    offsets, errors = studies.m50_of_seeds(200)
    assert np.std(offsets) < 0.025
    assert abs(np.mean(offsets)) < 0.005
    assert np.mean(np.abs(offsets) < errors) == pytest.approx(0.683, abs=0.04)


@pytest.mark.parametrize(
    ("magnitude", "recovered", "message"),
    [
        ([1, 2, 3], [True, True], "one length"),
        ([1, 2, np.nan], [True, False, True], "finite"),
        ([1, 2, 3], [True, True, True], "not, got 3 of 3"),
        ([1, 2, 3], [False, False, False], "not, got 0 of 3"),
        (np.arange(100), np.arange(100) < 50, "no logistic curve"),
        # A part of the bright ones is lost, and all from one magnitude on.
        (
            np.arange(100),
            (np.arange(100) < 50) & (np.arange(100) % 4 > 0),
            "no logistic curve",
        ),
    ],
)
def test_what_no_curve_fits(magnitude, recovered, message):
    with pytest.raises(ValueError, match=message):
        fit_completeness(magnitude, recovered)
