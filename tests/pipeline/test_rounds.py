"""The pipeline's rounds: stars that show beside others once these are subtracted."""

import json

import numpy as np
import pytest
from astropy.table import QTable
from cli_field import FLUX, FWHM, SHAPE, X, Y, fit, make_field, write_field

from psfphot.io import read_image, read_psf, rounded
from psfphot.pipeline import Settings, measure, measure_exposure
from psfphot.pipeline._exposure import Exposure
from psfphot.pipeline._rounds import Surroundings, iterate
from psfphot.psf import PSF_FLAGS

EXTRA = ["crowding", "sharpness", "chi", "n_merged"]
OF_CONFUSION = ["confusion_factor", "blend_significance"]

#: The fainter stars have a companion of half their light, 0.9 FWHM away; the brighter
#: are alone, and tell how well the PSF is known.
FAINT = np.flatnonzero(FLUX <= 1500)
ANGLES = np.linspace(0, 2, len(FAINT))
ALL_X = np.append(X, X[FAINT] + 0.9 * FWHM * np.cos(ANGLES))
ALL_Y = np.append(Y, Y[FAINT] + 0.9 * FWHM * np.sin(ANGLES))
ALL_FLUX = np.append(FLUX, FLUX[FAINT] / 2)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    data = make_field(x=ALL_X, y=ALL_Y, flux=ALL_FLUX)
    return write_field(tmp_path_factory.mktemp("field") / "pairs.fits", data=data)


@pytest.fixture(scope="module")
def image(path):
    return read_image(path)


@pytest.fixture(scope="module")
def psf():
    return read_psf(f"gaussian:{FWHM}")


@pytest.fixture(scope="module")
def iterated(image, psf):
    return measure(image, psf, Settings(extra_columns=True))


def nearest_rows(catalog, x, y):
    """Which row is nearest to each position, and how far."""
    distance = np.hypot(
        np.asarray(catalog["x_fit"])[:, None] - x,
        np.asarray(catalog["y_fit"])[:, None] - y,
    )
    return distance.argmin(axis=0), distance.min(axis=0)


def test_companions_are_found_and_fitted_with_their_stars(iterated):
    rows, distance = nearest_rows(iterated.catalog, ALL_X, ALL_Y)
    assert len(iterated.catalog) == len(ALL_X)
    assert sorted(rows) == list(range(len(ALL_X)))
    assert distance.max() < 0.15
    flux, error = (
        np.asarray(iterated.catalog[n])[rows] for n in ("flux_fit", "flux_err")
    )
    assert np.abs((flux - ALL_FLUX) / error).max() < 5


def test_rows_tell_the_round(iterated):
    catalog, history = iterated.catalog, iterated.history
    at = catalog.colnames.index("iter_detected")
    assert catalog.colnames[at - 1] == "group_size"
    rounds = np.asarray(catalog["iter_detected"])
    assert set(rounds) <= set(range(1, history.n + 1))
    assert np.sum(rounds > 1) == sum(history.n_new) - history.n_dropped
    assert np.sum(rounds > 1) >= len(FAINT) - 1


def test_the_report_tells_the_rounds(iterated):
    report = iterated.report()
    history = iterated.history
    assert report["iterations"] == 5
    assert report["n_rounds"] == history.n == 1 + len(history.n_new)
    assert report["n_new"] == list(history.n_new)
    assert report["stopped"] == history.stopped in ("nothing found", "few found")
    assert iterated.catalog.meta["n_rounds"] == history.n
    assert "rounds" in iterated.seconds


def test_the_extra_columns_are_last(iterated, image, psf):
    assert iterated.catalog.colnames[-4:] == EXTRA
    assert iterated.catalog.colnames[-7:-5] == OF_CONFUSION
    assert all(np.isfinite(iterated.catalog[name]).all() for name in EXTRA)
    # With half its light beside it a star would be brighter.
    rows, _ = nearest_rows(iterated.catalog, X[FAINT], Y[FAINT])
    assert np.min(iterated.catalog["crowding"][rows]) > 0.1
    once = measure(image, psf, Settings(iterations=1, extra_columns=True))
    assert once.catalog.colnames[-5:] == [*EXTRA, "blend_significance"]
    plain = measure(image, psf).catalog
    assert plain.colnames == [n for n in iterated.catalog.colnames if n not in EXTRA]


def test_one_iteration_is_one_fit(image, psf):
    run = measure(image, psf, Settings(iterations=1))
    assert len(run.catalog) < len(ALL_X)
    assert run.history is None
    assert "iter_detected" not in run.catalog.colnames
    assert "rounds" not in run.seconds
    assert run.report()["n_rounds"] == 1


def test_two_iterations_are_the_most_asked_for(image, psf):
    run = measure(image, psf, Settings(iterations=2))
    assert (run.history.n, run.history.most) == (2, 2)
    assert set(run.catalog["iter_detected"]) == {1, 2}


def test_a_catalogue_has_its_own_rows_only(image, psf):
    sources = QTable({"x": X, "y": Y, "name": [f"star {k}" for k in range(len(X))]})
    sources["id"] = np.arange(len(X))[::-1] + 10
    # Robust weights, the default where no cosmic rays are looked for, would take a part
    # of the companions' light off the stars by themselves.
    once = measure(image, psf, Settings(robust=False), sources=sources)
    assert once.history is None
    settings = Settings(iterations=4, robust=False)
    again = measure(image, psf, settings, sources=sources)
    assert again.history.n_new[0] >= len(FAINT) - 1
    bias = []
    has_companion = np.isin(np.arange(len(X)), FAINT)
    for run in (once, again):
        assert sorted(run.catalog["id"]) == sorted(sources["id"])
        order = len(X) + 9 - np.asarray(run.catalog["id"])
        assert list(run.catalog["name"]) == [f"star {k}" for k in order]
        ratio = np.asarray(run.catalog["flux_fit"]) / FLUX[order]
        bias.append(np.median(ratio[has_companion[order]]) - 1)
    # The companions' light is no longer the stars'.
    assert bias[0] > 0.2
    assert abs(bias[1]) < 0.02


def test_no_star_in_closed_pixels(image, psf):
    run = measure(image, psf, Settings(iterations=1))
    exposure = Exposure(image, psf)
    exposure.sky, exposure.error = run.sky, run.exposure.error
    data = exposure.subtract_sky()
    closed = np.ones(SHAPE, dtype=bool)
    nothing = Surroundings(np.zeros((1, 1)), closed, 0.02)
    table, history, _ = iterate(exposure, data, run.photometry, nothing)
    assert history.n_new == ()
    assert len(table) == len(run.catalog)


def test_rows_that_are_kept_are_flagged(image, psf):
    run = measure(image, psf, Settings(keep_all=True))
    rows, distance = nearest_rows(run.catalog, ALL_X, ALL_Y)
    assert distance.max() < 0.15
    flags = np.asarray(run.catalog["flags"])
    is_star = np.isin(np.arange(len(run.catalog)), rows)
    assert not np.any(flags[is_star] & PSF_FLAGS.LOW_SNR)


def test_a_finder_of_photutils_searches_the_residuals_too(image, psf):
    run = measure(image, psf, Settings(finder="dao"))
    assert run.history.n_new[0] >= 3
    _, distance = nearest_rows(run.catalog, ALL_X, ALL_Y)
    assert np.sum(distance < 0.15) >= len(ALL_X) - 2
    assert len(run.catalog) <= len(ALL_X)


def test_the_command_line_iterates(path, tmp_path, image, psf):
    out = tmp_path / "stars.ecsv"
    text = fit(path, "-o", out, "--iterations", 3, "--extra-columns").stdout
    line = next(line for line in text.splitlines() if line.startswith("rounds"))
    assert "new stars in those after the first" in line
    catalog = QTable.read(out)
    run = measure(image, psf, Settings(iterations=3, extra_columns=True))
    expected = rounded(run.catalog)
    assert catalog.colnames == expected.colnames
    np.testing.assert_array_equal(catalog["flux_fit"], expected["flux_fit"])
    once = fit(path, "-o", out, "--overwrite", "--json", "--iterations", 1).stdout
    assert json.loads(once)["images"][0]["n_rounds"] == 1


def test_a_mask_by_hand_holds_in_all_rounds(image, psf):
    exposure = Exposure(image, psf)
    hidden = np.zeros(SHAPE, dtype=bool)
    hidden[:25] = True
    exposure.masks.add("by hand", hidden)
    run = measure_exposure(exposure)
    assert np.all(np.asarray(run.catalog["y_fit"]) > 24)
    assert np.any(np.asarray(run.catalog["iter_detected"]) > 1)
