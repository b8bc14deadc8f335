"""Artificial-star tests of simulated scenes."""

import warnings

import numpy as np
import pytest
import studies
from astropy import units as u
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.completeness import ArtificialStarTest, QualityCuts
from psfphot.detection import MatchedFilterFinder
from psfphot.io import Psf
from psfphot.pipeline import Settings, simulate_star_field
from psfphot.psf import (
    CircularGaussianPRF,
    IterativePSFPhotometry,
    PSFPhotometry,
)
from psfphot.utils import NoDetectionsWarning


@pytest.fixture(autouse=True)
def quiet_fits():
    """Some fits of crowded stars end early; that is no matter here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="One or more fit")
        yield


@pytest.fixture(scope="module")
def scene():
    return studies.make_scene(192)


def run(scene, n_stars=200, photometry=None, **more):
    arguments = {"flux": (300, 50_000), "gain": 1.0, **more}
    test = ArtificialStarTest(photometry or studies.one_pass(), **arguments)
    return test(scene.data, error=scene.error, n_stars=n_stars)


def same_rows(one, other):
    assert one.colnames == other.colnames
    for name in one.colnames:
        np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]))


def test_next_to_none_is_recovered_by_chance():
    assert studies.chance_rate(3000) <= 0.003


def test_lattices_are_like_one_star_at_a_time():
    n = 200
    lattice, single = studies.lattice_and_single(n, side=96)
    share = (lattice + single) / (2 * n)
    assert 0.2 < share < 0.9
    assert abs(lattice - single) < 3 * np.sqrt(2 * n * share * (1 - share))


def test_errors_of_isolated_stars_are_right():
    results = studies.isolated(6000)
    assert np.mean(results.table["recovered"]) > 0.99
    (row,) = results.error_calibration(1)
    assert row["width"] == pytest.approx(1, abs=0.03)
    assert row["width_95"] == pytest.approx(1, abs=0.05)
    assert row["x_width"] == pytest.approx(1, abs=0.05)
    assert row["y_width"] == pytest.approx(1, abs=0.05)
    assert row["beyond_5"] < 1e-3
    assert abs(row["median"]) < 0.06


def test_without_their_own_noise_bright_stars_scatter_less():
    (row,) = studies.isolated(800, gain=np.inf).error_calibration(1)
    # Of the errors only the sky's part is there, and not the star's in them.
    assert row["width"] == pytest.approx(1, abs=0.1)
    noisy = studies.isolated(800).residuals(1)["scatter"][0]
    quiet = studies.isolated(800, gain=np.inf).residuals(1)["scatter"][0]
    assert quiet < 0.6 * noisy


@pytest.mark.parametrize("make", [studies.one_pass, studies.iterative])
def test_windows_agree_with_the_frame(make):
    frame, local = studies.frame_and_local(50, make(), side=192)
    assert np.mean(frame["recovered"] == local["recovered"]) >= 0.995
    both = frame["recovered"] & local["recovered"]
    assert np.count_nonzero(both) > 20
    difference = np.abs(frame["flux_fit"] - local["flux_fit"])[both]
    assert np.mean(difference < 0.1 * frame["flux_err"][both]) >= 0.995
    np.testing.assert_allclose(frame["x_fit"][both], local["x_fit"][both], atol=0.02)


def test_the_table_has_all_that_was_measured(scene):
    photometry = studies.one_pass()
    results = run(scene, photometry=photometry)
    table = results.table
    assert photometry.results is None
    own = photometry(scene.data, error=scene.error)
    assert set(own.colnames) <= set(table.colnames)
    np.testing.assert_array_equal(table["star"], np.arange(1, 201))
    matched = table["reason"] != "unmatched"
    assert np.isnan(table["flux_fit"][~matched]).all()
    assert (table["id"][~matched] == 0).all()
    assert (table["id"][matched] > 0).all()
    distance = np.hypot(table["x_fit"] - table["x_in"], table["y_fit"] - table["y_in"])[
        matched
    ]
    assert distance.max() <= results.settings["match_radius"]
    claimed = table["reason"] == "claimed"
    assert set(table["claimed_by"][claimed]) <= set(own["id"])
    assert (table["recovered"] == (table["reason"] == "recovered")).all()
    model = photometry.make_model_image(scene.data.shape)
    x, y = (np.round(table[name]).astype(int) for name in ("x_in", "y_in"))
    np.testing.assert_allclose(table["model_in"], model[y, x])
    near = np.hypot(
        np.asarray(own["x_fit"]) - table["x_in"][:, None],
        np.asarray(own["y_fit"]) - table["y_in"][:, None],
    )
    expected = (near <= 2 * results.settings["fwhm"]).sum(axis=1)
    np.testing.assert_array_equal(table["n_near"], expected)


def test_workers_do_not_change_a_bit(scene):
    one, two = (run(scene, n_workers=n, noise_images=1) for n in (1, 2))
    same_rows(one.table, two.table)
    same_rows(one.noise_table, two.noise_table)


def test_cuts_are_those_of_the_catalogue(scene):
    plain = run(scene).table
    cut = run(scene, selection=QualityCuts(["qfit < 0.1"])).table
    lost = plain["recovered"] & ~cut["recovered"]
    assert np.count_nonzero(lost) > 5
    assert (cut["reason"][lost] == "cut").all()
    assert (cut["qfit"][cut["recovered"]] < 0.1).all()


def test_a_selection_returns_bools(scene):
    with pytest.raises(ValueError, match="selection must return"):
        run(scene, selection=lambda table: table["qfit"])


def test_false_rows_of_noise():
    scene = studies.make_scene(192)
    results = run(scene, 50, studies.one_pass(14.0), noise_images=2)
    table = results.noise_table
    assert set(np.unique(table["image"])) == {0, 1}
    # So low a threshold finds noise.
    faint = results.false_rate([-10, -7, -4])[1]
    assert faint["n_false"] > 5
    assert faint["lower"] < faint["false_rate"] < faint["upper"]
    assert faint["per_image"] == faint["n_false"] / 2
    bright = results.false_rate([-12, -9])[0]
    assert bright["n"] > 50
    assert bright["false_rate"] < 0.05
    with pytest.raises(ValueError, match="noise_images=0"):
        run(scene, 20, noise_images=0).false_rate()


def test_units_go_through(scene):
    test = ArtificialStarTest(
        studies.one_pass(40.0 * u.nJy), flux=(300 * u.nJy, 50 * u.uJy), gain=1.0
    )
    data = NDData(
        scene.data << u.nJy, uncertainty=StdDevUncertainty(scene.error << u.nJy)
    )
    results = test(data, n_stars=200)
    assert results.table["flux_in"].unit == u.nJy
    assert results.table["flux_fit"].unit == u.nJy
    plain = run(scene).table
    for name in ("flux_fit", "flux_in", "model_in"):
        np.testing.assert_array_equal(results.table[name].value, plain[name])
    row = QTable({"flux_fit": [4e3] * u.nJy, "flux_err": [9] * u.nJy})
    applied = results.apply(row, bins=2)
    assert applied["flux_err_calibrated"].unit == u.nJy


def test_masked_pixels_get_no_stars(scene):
    mask = np.zeros(scene.data.shape, dtype=bool)
    mask[:, :100] = True
    test = ArtificialStarTest(studies.one_pass(), flux=(300, 5e4), gain=1.0)
    table = test(scene.data, mask=mask, error=scene.error, n_stars=100).table
    assert table["x_in"].min() >= 99.5


def test_positions_and_fluxes_of_a_table(scene):
    rng = np.random.default_rng(0)
    places = Table({"x": rng.uniform(0, 191, 60), "y": rng.uniform(0, 191, 60)})
    places["flux"] = rng.uniform(5e3, 5e4, 60)
    table = run(scene, None, positions=places, flux=None).table
    assert len(table) == 60
    assert set(zip(table["x_in"], table["flux_in"], strict=True)) == set(
        zip(places["x"], places["flux"], strict=True)
    )
    with pytest.raises(ValueError, match="at most the 60 positions"):
        run(scene, 61, positions=places)


def test_any_callable_with_the_columns_will_do(scene):
    found = Table({"x_fit": [20.0], "y_fit": [20.0], "flux_fit": [1e4]})

    def photometry(data, *, mask, error):
        return found if data.sum() else None

    table = run(scene, 20, photometry, psf_model=studies.PSF).table
    assert "flux_err" not in table.colnames
    assert np.count_nonzero(table["reason"] != "unmatched") <= 1


def test_an_image_without_stars():
    empty = studies.make_scene(128, 0)
    with pytest.warns(NoDetectionsWarning):
        results = run(empty, 60, flux=(5e3, 5e4))
    assert results.table["recovered"].all()
    assert results.chance_rate == 0
    with pytest.warns(NoDetectionsWarning):
        none = run(empty, 60, flux=(1, 10)).table
    assert not none["recovered"].any()
    assert "flux_fit" not in none.colnames or np.isnan(none["flux_fit"]).all()


def test_the_pipeline_with_its_settings():
    psf = CircularGaussianPRF(fwhm=2.5)
    image, _ = simulate_star_field(psf, 160, 60, seed=2)
    settings = Settings(zero_point=31.7, iterations=1)
    test = ArtificialStarTest(
        settings, psf=Psf(psf, "a Gaussian", 2.5), flux=(50, 5000), noise_images=1
    )
    results = test(image, n_stars=150)
    # Of electrons, and with the zero point of the settings.
    assert results.settings["gain"] == 1
    assert results.zero_point == 31.7
    curve = results.fit_completeness()
    assert 23 < curve.m50 < 27
    assert results.table["flux_fit"].unit == image.unit
    assert results.noise_table["flux_fit"].unit == image.unit
    bright = results.table[results.table["mag_in"] < 23.5]
    assert np.mean(bright["recovered"]) > 0.9
    with pytest.raises(TypeError, match="FitsImage"):
        test(image.data)


def test_an_unknown_gain_is_told(scene):
    with pytest.warns(AstropyUserWarning, match="gain is not known"):
        run(scene, 20, gain=None)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"flux": None}, ValueError, "flux must be given"),
        ({"photometry": 3}, TypeError, "photometry must be callable"),
        ({"photometry": Settings()}, ValueError, "psf must be given"),
        ({"photometry": len}, ValueError, "psf_model must be given"),
        ({"positions": "grid"}, ValueError, "positions must be"),
        ({"gain": -1}, ValueError, "gain"),
        ({"refit": "all"}, ValueError, "'frame' or 'local'"),
        ({"seed": -1}, ValueError, "seed"),
        ({"n_workers": 0}, ValueError, "n_workers"),
        ({"n_workers": 2, "selection": lambda _: True}, TypeError, "selection cannot"),
    ],
)
def test_bad_arguments(arguments, error, message):
    given = {"photometry": studies.one_pass(), "flux": (1, 2), **arguments}
    with pytest.raises(error, match=message):
        ArtificialStarTest(given.pop("photometry"), **given)


@pytest.mark.parametrize("kind", ["one pass", "iterative"])
def test_windows_of_a_grid_have_the_psfs_of_their_places(grid_model, kind):
    rng = np.random.default_rng(0)
    places = QTable({"x": [30.3, 220.6, 128.1], "y": [200.2, 40.7, 128.5]})
    places["flux"] = [5e4, 5e4, 5e4]
    data = rng.normal(0, 1, (256, 256))
    finder = MatchedFilterFinder(grid_model, 8.0)
    if kind == "iterative":
        photometry = IterativePSFPhotometry(
            grid_model, 5, finder, aperture_radius=3, maxiters=2
        )
    else:
        photometry = PSFPhotometry(grid_model, 5, finder=finder, aperture_radius=3)
    tables = []
    for refit in ("frame", "local"):
        test = ArtificialStarTest(
            photometry, positions=places, gain=1.0, refit=refit, noise_images=0
        )
        with pytest.warns(NoDetectionsWarning):
            tables.append(test(data, error=np.ones(data.shape)).table)
    frame, local = tables
    assert frame["recovered"].all()
    for name in ("x_fit", "y_fit", "flux_fit"):
        np.testing.assert_allclose(frame[name], local[name], rtol=1e-6)
    # The PSFs differ: with those of other places the fluxes would, too.
    np.testing.assert_allclose(frame["flux_fit"], places["flux"], rtol=0.02)


def test_what_has_no_windows(grid_model):
    with pytest.raises(ValueError, match="whole image"):
        ArtificialStarTest(Settings(), psf=studies.PSF, flux=(1, 2), refit="local")

    def photometry(data, *, mask, error):
        raise AssertionError

    with pytest.raises(ValueError, match="cannot be moved"):
        ArtificialStarTest(photometry, psf_model=grid_model, flux=(1, 2), refit="local")
