"""The joint solver of ePSFs, through its wrapper."""

import numpy as np
import pytest

from psfphot.psf import CircularGaussianPRF, ImagePSF
from psfphot.psf._epsf.solver import Cutout, GridField, PolynomialField, solve

SIDE = 15


def make_cutouts(n, seed=0, *, fwhm=2.5, **common):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    cutouts, truth = [], []
    for _ in range(n):
        x_0, y_0 = 7 + rng.uniform(-0.5, 0.5, 2)
        flux = rng.uniform(2e4, 2e5)
        data = CircularGaussianPRF(flux=flux, x_0=x_0, y_0=y_0, fwhm=fwhm)(x, y)
        error = np.sqrt(data + 50)
        data = data + rng.normal(0, error)
        cutouts.append(Cutout(data=data, x=x_0 + 0.03, y=y_0, error=error, **common))
        truth.append((x_0, y_0, flux))
    return cutouts, np.array(truth).T


def test_solution_is_a_psf_that_fits():
    cutouts, (x, y, flux) = make_cutouts(40)
    solution = solve(cutouts)
    assert solution.converged
    assert solution.warnings == []
    assert solution.samples.shape == (1, 61, 61)
    assert solution.samples.sum() == pytest.approx(16)
    assert solution.error.shape == (1, 61, 61)
    assert solution.positions is None
    assert solution.n_stars == pytest.approx([40])
    assert solution.phase_counts.sum() == 40
    assert solution.fwhm == pytest.approx(2.55, abs=0.1)
    assert len(solution.alias["value"]) == 48
    assert np.std(solution.x - x) < 0.01
    assert np.std(solution.y - y) < 0.01
    assert solution.flux == pytest.approx(flux, rel=0.02)
    epsf = ImagePSF(solution.samples[0], oversampling=4, flux=flux[0])
    values = epsf.evaluate(np.arange(3.0), np.zeros(3), flux[0], 0.2, 0.1)
    truth = CircularGaussianPRF(flux=flux[0], x_0=0.2, y_0=0.1, fwhm=2.5)
    assert values == pytest.approx(truth(np.arange(3.0), np.zeros(3)), rel=0.01)


def test_errors_that_follow_the_data_are_recognised():
    cutouts, _ = make_cutouts(40)
    noisy = [
        Cutout(data=c.data, x=c.x, y=c.y, error=np.sqrt(np.maximum(c.data, 0) + 50))
        for c in cutouts
    ]
    assert solve(cutouts, with_error=False).data_slope is None
    assert solve(noisy, with_error=False).data_slope == pytest.approx(1, abs=0.05)


def test_model_error_is_estimated():
    cutouts, _ = make_cutouts(40)
    assert solve(cutouts, with_error=False).model_error < 0.005
    rng = np.random.default_rng(1)
    wrong = [
        Cutout(
            data=c.data * rng.normal(1, 0.05, (SIDE, SIDE)), x=c.x, y=c.y, error=c.error
        )
        for c in cutouts
    ]
    assert 0.02 < solve(wrong, with_error=False).model_error < 0.06


def test_stars_that_differ_make_the_prior_rough():
    # Stars of different widths, as in a mosaic: the error is the whole star's, and the
    # prior must not be what tells its flanks.
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE]
    cutouts = []
    for width in 1.5 * np.exp(rng.normal(0, 0.12, 80)):
        x_0, y_0 = 7 + rng.uniform(-0.5, 0.5, 2)
        flux = rng.uniform(2e4, 2e5)
        data = CircularGaussianPRF(flux=flux, x_0=x_0, y_0=y_0, fwhm=width)(x, y)
        error = np.sqrt(data + 50)
        data = data + rng.normal(0, error)
        cutouts.append(Cutout(data=data, x=x_0, y=y_0, flux=flux, error=error))
    solution = solve(cutouts, with_error=False)
    assert solution.converged
    assert solution.kappa > 2
    assert 0.03 < solution.model_error < 0.09


def test_fields_have_their_planes():
    cutouts, _ = make_cutouts(30)
    rng = np.random.default_rng(2)
    placed = [
        Cutout(
            data=c.data,
            x=c.x,
            y=c.y,
            error=c.error,
            origin=tuple(rng.uniform(0, 99, 2)),
        )
        for c in cutouts
    ]
    field = PolynomialField(degree=1, center=(50, 50), scale=(50, 50))
    solution = solve(placed, field=field, kappa=1, with_error=False)
    assert solution.samples.shape == (3, 61, 61)
    peak = solution.samples[0].max()
    # The PSF is the same everywhere.
    assert abs(solution.samples[1:]).max() < 0.05 * peak
    solution = solve(placed, field=GridField([0, 99], [0, 99]), kappa=1)
    assert solution.samples.shape == solution.error.shape == (4, 61, 61)
    assert solution.positions.tolist() == [[0, 0], [99, 0], [0, 99], [99, 99]]
    assert solution.n_stars.sum() == pytest.approx(30)
    assert solution.samples.sum(axis=(1, 2)) == pytest.approx(16)


def test_few_stars_are_told():
    cutouts, _ = make_cutouts(2)
    solution = solve(cutouts, with_error=False)
    assert any("too few" in told for told in solution.warnings)
    dead = Cutout(data=np.full((SIDE, SIDE), np.nan), x=7, y=7)
    solution = solve([*make_cutouts(8)[0], dead], with_error=False)
    assert not solution.is_used[-1]
    assert solution.warnings[0] == "1 of 9 cutouts could not be fitted"


def test_threads_do_not_change_a_bit():
    cutouts, _ = make_cutouts(20)
    first, second = (solve(cutouts, n_threads=n) for n in (1, 2))
    assert np.array_equal(first.samples, second.samples)
    assert np.array_equal(first.flux, second.flux)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"oversampling": 0}, "oversampling must be one or two positive"),
        ({"shape": (60, 61)}, "shape must be odd"),
        ({"kappa": -1.0}, "kappa must be positive"),
        ({"knots_per_pixel": 7}, "knots_per_pixel must be from 1 to 4"),
        ({"field": "linear"}, "field must be a PolynomialField"),
        ({"field": GridField([1, 0], [0])}, "field must have increasing"),
        ({"max_rounds": 0}, "max_rounds must be at least 1"),
    ],
)
def test_bad_arguments(arguments, message):
    cutouts, _ = make_cutouts(3)
    with pytest.raises(ValueError, match=message):
        solve(cutouts, **arguments)


def test_bad_cutouts():
    with pytest.raises(ValueError, match="cutouts must hold at least one star"):
        solve([])
    with pytest.raises(ValueError, match="2-D data"):
        solve([Cutout(data=np.zeros(9), x=1, y=1)])
    data = np.zeros((9, 9))
    with pytest.raises(ValueError, match=r"cutouts\.error must have the shape"):
        solve([Cutout(data=data, x=4, y=4, error=np.ones((9, 8)))])
    with pytest.raises(ValueError, match="flux and position"):
        solve([Cutout(data=data, x=4, y=4)])
