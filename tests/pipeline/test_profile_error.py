"""By what part of it a flux may be off for the PSF's sake, star by star."""

import numpy as np
import pytest
from astropy.table import QTable, vstack
from frames.floor import measured
from frames.renderer import Gaussians, render
from frames.score import nearest, values

from psfphot.io import read_psf
from psfphot.pipeline._bright import with_saturated
from psfphot.pipeline._profile_error import add_profile_errors, measure_profile_part
from psfphot.pipeline._saturated_stars import SaturatedStars

#: The distance of stars that are alone.
STEP = 21


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


def test_each_star_tells_whether_the_psf_is_its_own():
    """Of stars that are off among others that are not, only they have larger errors."""
    chi2 = np.random.default_rng(1).chisquare(22, 400) / 22
    table = made_up_rows(chi2)
    assert add_profile_errors(table) == 0.0
    np.testing.assert_allclose(np.asarray(table["flux_err"]), 50, rtol=1e-12)
    # 5 % of the profile are (0.05 S/N)^2 of chi-squared.
    is_off = np.arange(400) % 10 == 0
    chi2[is_off] += (0.05 * 200) ** 2 / 22
    table = made_up_rows(chi2)
    assert add_profile_errors(table) == 0.0
    off = np.sqrt(table["flux_err"] ** 2 - 50**2)
    np.testing.assert_allclose(np.median(off[is_off]), 0.025 * 1e4, rtol=0.1)
    assert np.all(off[~is_off] == 0)
    # With the errors of a factor that already holds it, nothing is left to add.
    table = made_up_rows(chi2)
    table["confusion_factor"] = np.sqrt(np.maximum(chi2, 1))
    add_profile_errors(table)
    np.testing.assert_allclose(np.asarray(table["flux_err"]), 50, rtol=1e-12)


def test_faint_stars_have_the_profile_error_of_the_bright():
    rng = np.random.default_rng(2)
    bright, faint = (rng.chisquare(22, 100) / 22 for _ in range(2))
    table = vstack(
        [made_up_rows(bright + (0.04 * 200) ** 2 / 22), made_up_rows(faint, 10.0)]
    )
    part = add_profile_errors(table)
    assert part == pytest.approx(0.02, rel=0.1)
    off = np.sqrt(table["flux_err"][100:] ** 2 - 1000**2) / 1e4
    np.testing.assert_allclose(off, part, rtol=0.05)
    assert measure_profile_part(made_up_rows(bright[:9])) is None
    few = made_up_rows(bright[:9] + 5)
    assert add_profile_errors(few) is None


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
    row = nearest(np.column_stack([x, y]), rows)[1]
    fitted, error = (values(run.catalog, f"flux_{n}")[row] for n in ("fit", "err"))
    pulls = (fitted - flux) / error
    # One part of all fluxes would be 0, and the first of these 4.
    assert np.sqrt(np.mean(pulls[wide] ** 2)) < 1.6
    assert 0.8 < np.sqrt(np.mean(pulls[~wide] ** 2)) < 1.2


@pytest.mark.parametrize("part", [0.0, 0.03, None])
def test_saturated_stars_are_off_by_what_the_others_are(part):
    """By 2 % only where nothing tells, and not more than once for what wings tell."""
    table = made_up_rows(np.ones(20))
    for name in ("x_fit", "y_fit"):
        table[name] = np.full(20, 5.0)
    table["flags"] = np.zeros(20, dtype=int)
    full = table[:2].copy()
    full["misfit_err"] = [0.0, 40.0]
    nothing = np.zeros((10, 10))
    rows = with_saturated(table, SaturatedStars(full, nothing, nothing > 0), part)
    off = (0.02 if part is None else part) * 1e4
    expected = np.sqrt(50**2 + np.maximum(off**2 - full["misfit_err"] ** 2, 0))
    np.testing.assert_allclose(rows["flux_err"][-2:], expected)
    np.testing.assert_allclose(np.asarray(rows["flux_err"][:-2]), 50)
