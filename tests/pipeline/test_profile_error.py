"""By what part of it a flux may be off for the PSF's sake, star by star."""

import numpy as np
import pytest
from astropy.table import QTable, vstack
from frames.floor import measured
from frames.renderer import Gaussians, render
from frames.score import nearest, values

from psfphot.io import read_psf
from psfphot.pipeline._bright import with_saturated
from psfphot.pipeline._profile_error import (
    Misfits,
    ProfileError,
    add_profile_errors,
    measure_misfits,
)
from psfphot.pipeline._saturated_stars import SaturatedStars
from psfphot.psf import CircularGaussianPRF
from psfphot.psf._models.convert import to_core
from psfphot.psf._photometry.residuals import quiet_frame, residual_for_core

#: The distance of stars that are alone.
STEP = 21

#: How made-up stars respond: `Misfits.left` and the two after it.
LEFT, BY_WIDENING, BY_CHANCE = 1.5, -0.6, 0.3


def made_up_rows(chi2, snr=200.0, n_pixels=25):
    """Rows of stars of one S/N with so much of chi-squared."""
    n = len(chi2)
    return QTable(
        {
            "flux_fit": np.full(n, 1e4),
            "flux_err": np.full(n, 1e4 / snr),
            "reduced_chi2": chi2,
            "n_pixels_fit": np.full(n, n_pixels),
        }
    )


def made_up_misfits(table, widening=0.0, seed=0):
    """Stars so much wider, with the noise of rows of `made_up_rows`."""
    error = table["flux_err"] / table["flux_fit"] / LEFT
    noise = np.random.default_rng(seed).normal(0, error)
    elongation = 2 * (table["flux_err"] / table["flux_fit"]) ** 2
    responses = (np.full(len(table), v) for v in (LEFT, BY_WIDENING, BY_CHANCE))
    return Misfits(widening + noise, error, elongation, *responses)


def added(table):
    """What the errors are larger by, as a part of the flux."""
    return np.sqrt(np.maximum(table["flux_err"] ** 2 - 50**2, 0)) / 1e4


def test_each_star_tells_whether_the_psf_is_its_own():
    """Of stars that are off among others that are not, only they have larger errors."""
    chi2 = np.random.default_rng(1).chisquare(22, 400) / 22
    table = made_up_rows(chi2)
    profile = add_profile_errors(table, made_up_misfits(table))
    assert profile == (0.0, 0.0, 0.0)
    assert np.max(added(table)) == 0.0
    # 5 % of the profile are (0.05 S/N)^2 of chi-squared.
    is_off = np.arange(400) % 10 == 0
    by_chance = np.where(is_off, chi2 + (0.05 * 200) ** 2 / 22, chi2)
    table = made_up_rows(by_chance)
    assert add_profile_errors(table, made_up_misfits(table)) == (0.0, 0.0, 0.0)
    off = added(table)
    np.testing.assert_allclose(np.median(off[is_off]), BY_CHANCE * 0.05, rtol=0.1)
    assert np.median(off[~is_off]) == 0
    # With the errors of a factor that already holds it, nothing is left to add.
    table = made_up_rows(by_chance)
    table["confusion_factor"] = np.sqrt(np.maximum(by_chance, 1))
    add_profile_errors(table, made_up_misfits(table))
    assert np.max(added(table)) == 0.0


def test_what_another_width_leaves_is_not_taken_for_chance():
    rng, width = np.random.default_rng(4), 0.03
    table = made_up_rows(rng.chisquare(22, 400) / 22 + (width * LEFT * 200) ** 2 / 22)
    profile = add_profile_errors(table, made_up_misfits(table, width))
    assert profile.widening == pytest.approx(width, rel=0.05)
    assert profile.chance < 0.01
    assert profile.in_flux == pytest.approx(-BY_WIDENING * width, rel=0.05)
    np.testing.assert_allclose(np.median(added(table)), 0.6 * width, rtol=0.05)


def test_a_width_that_all_share_is_seen_where_no_star_tells_it():
    rng = np.random.default_rng(8)
    table = made_up_rows(rng.chisquare(22, 400) / 22, snr=60.0)
    profile = add_profile_errors(table, made_up_misfits(table, -0.012))
    assert profile.widening == pytest.approx(0.012, abs=0.004)


def test_elongations_change_fluxes_by_their_square():
    rng = np.random.default_rng(5)
    table = made_up_rows(rng.chisquare(22, 400) / 22 + (0.05 * 200) ** 2 / 22)
    misfits = made_up_misfits(table)
    misfits = misfits._replace(elongation=misfits.elongation + 0.05**2)
    profile = add_profile_errors(table, misfits)
    assert profile.in_flux == pytest.approx(0.05**2, rel=0.2)
    assert np.median(added(table)) == pytest.approx(0.05**2, rel=0.2)


def test_faint_stars_have_the_profile_error_of_the_bright():
    rng = np.random.default_rng(2)
    bright, faint = (rng.chisquare(22, 100) / 22 for _ in range(2))
    table = vstack(
        [made_up_rows(bright + (0.04 * 200) ** 2 / 22), made_up_rows(faint, 10.0)]
    )
    profile = add_profile_errors(table, made_up_misfits(table))
    assert profile.in_flux == pytest.approx(BY_CHANCE * 0.04, rel=0.1)
    off = np.sqrt(table["flux_err"][100:] ** 2 - 1000**2) / 1e4
    np.testing.assert_allclose(off, profile.in_flux, rtol=0.1)
    few = made_up_rows(bright[:9] + 5)
    assert add_profile_errors(few, made_up_misfits(few)) is None
    # Their own residuals tell all the same.
    assert np.all(few["flux_err"] > 55)


def test_rows_that_were_not_fitted_stay_as_they_are():
    table = made_up_rows(np.ones(30))
    for name in ("flux_fit", "flux_err", "reduced_chi2"):
        table[name][:3] = np.nan
    misfits = Misfits(*(np.where(np.arange(30) < 3, np.nan, 0.1) for _ in range(6)))
    assert add_profile_errors(table, misfits) is not None
    assert np.all(np.isnan(table["flux_err"][:3]))
    assert np.all(np.isfinite(table["flux_err"][3:]))


@pytest.mark.parametrize("sky", [1.0, 1e5])
def test_fluxes_are_off_by_what_their_pixels_say(sky):
    """A PSF 2 % too narrow, where photons of the star are the noise and of the sky."""
    wide, shape, flux = 1.02, (31, 31), 1e5
    star = {"x_0": 15.2, "y_0": 14.7}
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = CircularGaussianPRF(flux=flux, **star, fwhm=3 * wide)(x, y)
    model = CircularGaussianPRF(flux=1, **star, fwhm=3)
    profile = model(x, y)
    error = np.sqrt(flux * profile + sky)
    box = np.s_[15 - 5 : 15 + 6, 15 - 5 : 15 + 6]
    weighted = (profile / error**2)[box]
    fitted = np.sum(weighted * light[box]) / np.sum(weighted * profile[box])
    left = residual_for_core(
        quiet_frame(light - fitted * profile, None, error),
        (np.array([star["x_0"]]), np.array([star["y_0"]])),
        psf=to_core(model),
        fwhm=3.0,
        n_threads=1,
    )
    found = measure_misfits(left, np.array([fitted]), (11, 11))
    assert found.widening[0] == pytest.approx(wide - 1, rel=0.1)
    assert found.elongation[0] < 0.01 * (found.left[0] * found.widening[0]) ** 2
    off = found.flux_by_widening[0] * (wide - 1)
    assert off == pytest.approx(fitted / flux - 1, abs=1.5e-3)


def test_stars_of_another_psf_have_honest_errors_among_those_of_the_right_one():
    """A tenth of the stars is 6 % wider than the PSF."""
    rng, side = np.random.default_rng(6), 15 * STEP
    y, x = np.mgrid[:15, :15] * STEP + STEP // 2
    x, y = (v.ravel() + rng.uniform(-0.5, 0.5, v.size) for v in (x, y))
    flux, wide = np.exp(rng.uniform(*np.log((3e4, 3e5)), x.size)), rng.random(225) < 0.1
    psf, clean = Gaussians(((1.0, 2.5, 2.5),), radius=12), np.full((side, side), 100.0)
    for k, width in ((~wide, 1.0), (wide, 1.06)):
        clean += render(clean.shape, psf, x[k], y[k], flux[k], width=width)
    data = rng.normal(clean, np.sqrt(clean + 25))
    run = measured(data, np.sqrt(clean + 25), read_psf("gaussian:2.5"))
    rows = np.column_stack([values(run.catalog, f"{axis}_fit") for axis in "xy"])
    distance, row = nearest(np.column_stack([x, y]), rows)
    fitted, error = (values(run.catalog, f"flux_{n}")[row] for n in ("fit", "err"))
    pulls = (fitted - flux) / error
    # Of the wide ones two have become three stars each, of which one has half the flux.
    one = wide & (distance < 0.1) & (abs(fitted / flux - 1) < 0.1)
    assert np.count_nonzero(wide & ~one) <= 3
    # One part of all fluxes would be 0, and the first of these 4.
    assert 0.7 < np.sqrt(np.mean(pulls[one] ** 2)) < 1.4
    assert 0.8 < np.sqrt(np.mean(pulls[~wide] ** 2)) < 1.2


@pytest.mark.parametrize("widening", [0.0, 0.03, None])
def test_saturated_stars_are_off_by_what_the_others_are(widening):
    """By 2 % only where nothing tells, and not more than once for what wings tell."""
    table = made_up_rows(np.ones(20))
    for name in ("x_fit", "y_fit"):
        table[name] = np.full(20, 5.0)
    table["flags"] = np.zeros(20, dtype=int)
    full = table[:2].copy()
    full["misfit_err"] = [0.0, 40.0]
    full["flux_by_widening"], full["flux_by_chance"] = [1.2, 0.5], [0.3, np.nan]
    nothing = np.zeros((10, 10))
    profile = None if widening is None else ProfileError(widening, 0.0, 0.0)
    rows = with_saturated(table, SaturatedStars(full, nothing, nothing > 0), profile)
    off = np.array([1.2 * widening, 0.0]) if profile else np.full(2, 0.02)
    off = (off * 1e4) ** 2 - np.asarray(full["misfit_err"]) ** 2
    expected = np.sqrt(50**2 + np.maximum(off, 0))
    np.testing.assert_allclose(rows["flux_err"][-2:], expected)
    np.testing.assert_allclose(np.asarray(rows["flux_err"][:-2]), 50)
    assert "flux_by_widening" not in rows.colnames
