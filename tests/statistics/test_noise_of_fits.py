"""Fits with a model of the noise are those with the errors that nobody knows."""

import numpy as np
import pytest
from frames.score import robust_width
from noisy_frames import (
    NOISE,
    crowd,
    fit,
    flux_of_snr,
    lone_stars,
    pairs,
    pull,
)

from psfphot.utils import DataErrorWarning, NoiseModel


@pytest.mark.parametrize("snr", [5, 15, 100])
def test_lone_stars_have_the_fluxes_of_true_errors(snr):
    frame = lone_stars(flux_of_snr(snr), seed=snr)
    own, true = fit(frame, NOISE), fit(frame, frame.true_error)
    bias, best = (np.median(pull(t, frame)) for t in (own, true))
    # The mean of 400 pulls is known to 0.06.
    assert abs(bias) < (0.1 if snr >= 15 else abs(best) + 0.1) + 0.06
    assert abs(bias - best) < 0.02
    assert np.std(pull(own, frame)) == pytest.approx(1, abs=0.1)
    change = (own["flux_fit"] - true["flux_fit"]) / true["flux_err"]
    assert np.std(change) < 0.2


def test_errors_of_the_data_make_faint_stars_fainter():
    """The two numbers of the page on errors: 29 % too low, 1.7 times the scatter."""
    frame = lone_stars(flux_of_snr(10), seed=2)
    with pytest.warns(DataErrorWarning, match="NoiseModel"):
        of_data = fit(frame, np.sqrt(np.abs(frame.data)), fit_shape=5)
    own = fit(frame, NOISE, fit_shape=5)
    low, good = (t["flux_fit"] / frame.flux - 1 for t in (of_data, own))
    assert np.median(low) == pytest.approx(-0.285, abs=0.04)
    assert abs(np.median(good)) < 0.02
    assert robust_width(low) > 1.4 * robust_width(good)


def test_pairs_and_crowds_have_the_right_errors():
    for frame, n in ((pairs(2e4, 1.5, seed=14), 392), (crowd(600, 360, seed=0), 600)):
        table = fit(frame, NOISE)
        true = fit(frame, frame.true_error)
        pulls = pull(table, frame)
        # Of n pulls the width is known to 1 / sqrt(2 n), the robust one to 1.65 of it.
        assert robust_width(pulls) == pytest.approx(1, abs=0.05 + 3.3 / np.sqrt(2 * n))
        assert np.abs(np.median(pulls)) < 0.15
        change = (table["flux_fit"] - true["flux_fit"]) / true["flux_err"]
        assert robust_width(change) < 0.1
        np.testing.assert_allclose(
            np.median(table["flux_err"] / true["flux_err"]), 1, atol=0.01
        )


def test_weights_are_those_of_the_fitted_model():
    """Solved here with weights of the truth's formula at the fitted parameters."""
    frame = lone_stars(2e4, n_side=3, seed=5)
    noise = NoiseModel(
        read_noise=5.0,
        effective_gain=2.0,
        background=100.0,
        flat_error=0.01,
        profile_error=0.02,
    )
    from frames.renderer import Gaussians, render  # noqa: PLC0415

    psf = Gaussians(((1.0, 2.5, 2.5),), radius=12)
    for row in fit(frame, noise):
        x, y, flux = row["x_fit"], row["y_fit"], row["flux_fit"]
        j, i = (int(np.ceil(row[f"{k}_init"] - 3.5)) for k in "xy")
        box = np.s_[i : i + 7, j : j + 7]

        def model(x, y, flux, box=box):
            return render(frame.data.shape, psf, [x], [y], [flux])[box].ravel()

        light = model(x, y, flux)
        variance = (light + 100) / 2 + 6.25 + 5e-4 * light**2
        step = 1e-4
        slopes = np.transpose(
            [
                model(x, y, 1.0),
                (model(x + step, y, flux) - model(x - step, y, flux)) / (2 * step),
                (model(x, y + step, flux) - model(x, y - step, flux)) / (2 * step),
            ]
        )
        normal = slopes.T @ (slopes / variance[:, None])
        left = frame.data[box].ravel() - light
        errors = np.sqrt(np.diag(np.linalg.inv(normal)))
        ahead = np.linalg.solve(normal, slopes.T @ (left / variance))
        assert np.all(np.abs(ahead) < 2e-3 * errors)
        expected = [row[f"{name}_err"] for name in ("flux", "x", "y")]
        np.testing.assert_allclose(expected, errors, rtol=2e-3)
