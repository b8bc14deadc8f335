"""What results say, against sums by hand; and their files."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from psfphot.completeness import ArtificialStarResults

SETTINGS = {
    "zero_point": 25.0,
    "shape": [100, 200],
    "noise_images": 2,
    "n_images": 3,
    "gain": None,
    "positions": "lattice",
}


def make_results(n=4000, *, unit=None, seed=0):
    """Fluxes 2 % high, their errors 1.5 times too small; fainter than 20 none."""
    rng = np.random.default_rng(seed)
    table = QTable({"star": np.arange(1, n + 1)})
    magnitude = rng.uniform(16, 21, n)
    recovered = rng.random(n) < 1 / (1 + np.exp((magnitude - 19) / 0.3))
    flux = 10 ** (0.4 * (25 - magnitude))
    sigma = 0.05 * flux
    table["x_in"], table["y_in"] = rng.uniform([0, 0], [199, 99], (n, 2)).T
    table["flux_in"], table["mag_in"] = flux, magnitude
    table["weight"] = np.ones(n)
    table["recovered"] = recovered
    table["reason"] = np.where(recovered, "recovered", "unmatched")
    table["chance"] = np.arange(n) < 4
    table["model_in"] = rng.uniform(0, 1, n)
    table["flux_fit"] = np.where(
        recovered, 1.02 * flux + 1.5 * sigma * rng.normal(size=n), np.nan
    )
    table["flux_err"] = np.where(recovered, sigma, np.nan)
    for name in "xy":
        off = 0.1 * rng.normal(size=n)
        table[f"{name}_fit"] = np.where(recovered, table[f"{name}_in"] + off, np.nan)
        table[f"{name}_err"] = np.where(recovered, 0.1, np.nan)
    table["flags"] = np.where(recovered, 3, 0)
    noise = QTable({"image": [0, 0, 1, 1], "false": [True, False, False, False]})
    noise["flux_fit"] = 10 ** (0.4 * (25 - np.array([18.5, 18.6, 18.7, 16.5])))
    if unit is not None:
        for name in ("flux_in", "flux_fit", "flux_err", "model_in"):
            table[name] = table[name] << unit
        noise["flux_fit"] = noise["flux_fit"] << unit
    return ArtificialStarResults(table, noise, dict(SETTINGS))


def test_completeness_is_counted():
    results = make_results()
    table = results.completeness([16, 18, 19, 21])
    magnitude = results.table["mag_in"]
    for row, low, high in zip(table, (16, 18, 19), (18, 19, 21), strict=True):
        inside = (magnitude >= low) & (magnitude < high)
        assert row["n"] == np.count_nonzero(inside)
        assert row["n_recovered"] == np.count_nonzero(
            inside & results.table["recovered"]
        )
        assert row["completeness"] == pytest.approx(row["n_recovered"] / row["n"])
        assert row["lower"] < row["completeness"] < row["upper"]
    by_light = results.completeness(4, by="model_in")
    assert by_light["n"].sum() == 4000
    empty = results.completeness([30, 31])[0]
    assert np.isnan(empty["completeness"])
    assert (empty["lower"], empty["upper"]) == (0, 1)


def test_weights_make_the_stars_uniform():
    results = make_results()
    bright = results.table["mag_in"] < 18.5
    kept = results.table[~bright | (np.arange(4000) % 4 == 0)]
    kept["weight"] = np.where(kept["mag_in"] < 18.5, 4.0, 1.0)
    sparse = ArtificialStarResults(kept, None, SETTINGS)
    (all_of,) = results.completeness([16, 21])
    (some,) = sparse.completeness([16, 21])
    assert some["completeness"] == pytest.approx(all_of["completeness"], abs=0.02)
    # Unequal weights are worth fewer stars.
    width = some["upper"] - some["lower"]
    assert width > all_of["upper"] - all_of["lower"]


def test_the_curve_is_the_true_one():
    curve = make_results().fit_completeness()
    assert abs(curve.m50 - 19) < 3 * curve.m50_err
    assert abs(curve.width - 0.3) < 3 * curve.width_err


@pytest.mark.parametrize("unit", [None, u.nJy])
def test_bias_and_scatter(unit):
    results = make_results(unit=unit)
    (row,) = results.residuals([16.9, 17.1])
    bias, error, scatter = (
        float(row[name] / row["flux"]) for name in ("bias", "bias_err", "scatter")
    )
    assert bias == pytest.approx(0.02, abs=4 * error)
    assert scatter == pytest.approx(0.075, rel=0.25)
    assert row["x_scatter"] == pytest.approx(0.1, rel=0.25)
    assert row["completeness"] > 0.9
    if unit is not None:
        assert row["bias"].unit == unit


def test_errors_are_calibrated():
    results = make_results()
    results.table["flux_fit"] -= 0.02 * results.table["flux_in"]
    (row,) = results.error_calibration([16, 18])
    assert row["width"] == pytest.approx(1.5, abs=0.08)
    assert row["width_95"] == pytest.approx(1.5, abs=0.12)
    assert row["beyond_5"] < 0.01
    assert row["x_width"] == pytest.approx(1, abs=0.06)
    assert row["n"] == np.count_nonzero(
        results.table["recovered"] & (results.table["mag_in"] < 18)
    )


def test_a_catalogue_gets_completeness_and_errors():
    results = make_results(unit=u.nJy)
    flux = [10 ** (0.4 * (25 - 17)), 10 ** (0.4 * (25 - 19)), -1, np.nan] * u.nJy
    catalog = QTable({"flux_fit": flux, "flux_err": [1.0, 1, 1, 1] * u.nJy})
    applied = results.apply(catalog)
    assert catalog.colnames == ["flux_fit", "flux_err"]
    assert applied["completeness"][0] > 0.98
    assert applied["completeness"][1] == pytest.approx(0.5, abs=0.05)
    assert applied["completeness"][2] == 0
    assert np.isnan(applied["completeness"][3])
    np.testing.assert_allclose(applied["flux_err_calibrated"][:2].value, 1.5, rtol=0.25)
    with pytest.raises(ValueError, match="no column 'flux'"):
        results.apply(catalog, flux="flux")


def test_the_map_is_of_the_frame():
    results = make_results()
    left = results.table["x_in"] < 100
    results.table["recovered"] &= ~left
    made = results.map((1, 2), mag_range=(16, 17))
    assert made.completeness.shape == (1, 2)
    assert made.completeness[0, 0] == 0
    assert made.completeness[0, 1] > 0.95
    assert made.n_stars.sum() == np.count_nonzero(results.table["mag_in"] <= 17)
    np.testing.assert_array_equal(made.x_edges, [-0.5, 99.5, 199.5])
    values = made([10, 150, 300], [50, 50, 50])
    assert values[0] == 0
    assert values[1] > 0.95
    assert np.isnan(values[2])


def test_false_rows_and_chance():
    results = make_results()
    table = results.false_rate([16, 18, 19])
    assert table["n"].tolist() == [1, 3]
    assert table["n_false"].tolist() == [0, 1]
    assert table["false_rate"].tolist() == [0, pytest.approx(1 / 3)]
    assert table["per_image"].tolist() == [0, 0.5]
    assert results.chance_rate == 4 / 4000
    assert "of 4000 artificial stars" in repr(results)


@pytest.mark.parametrize("bins", [0, [3], [3, 2], [[1, 2]], "many"])
def test_what_are_no_bins(bins):
    with pytest.raises((TypeError, ValueError), match="bins"):
        make_results(50).completeness(bins)


def test_what_is_no_column():
    with pytest.raises(ValueError, match="column of the table, got 'colour'"):
        make_results(50).completeness(by="colour")
    without = make_results(50)
    del without.table["flux_err"]
    with pytest.raises(ValueError, match="no column flux_err"):
        without.error_calibration()


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".parquet"])
@pytest.mark.parametrize("unit", [None, u.nJy, u.electron])
def test_files_keep_every_bit(tmp_path, suffix, unit):
    pytest.importorskip("pyarrow")
    results = make_results(100, unit=unit)
    path = tmp_path / f"ast{suffix}"
    results.write(path)
    read = ArtificialStarResults.read(path)
    assert read.settings == results.settings
    for one, other in (
        (results.table, read.table),
        (results.noise_table, read.noise_table),
    ):
        assert other.colnames == one.colnames
        for name in one.colnames:
            assert getattr(other[name], "unit", None) == getattr(
                one[name], "unit", None
            )
            before, after = (
                np.asarray(getattr(t[name], "value", t[name])) for t in (one, other)
            )
            assert after.dtype.kind == before.dtype.kind
            np.testing.assert_array_equal(before, after)
    assert read.fit_completeness().m50 == results.fit_completeness().m50
    with pytest.raises(FileExistsError):
        results.write(path)
    results.write(path, overwrite=True)


def test_files_without_noise_and_others(tmp_path):
    quiet = ArtificialStarResults(
        make_results(30).table, None, SETTINGS | {"noise_images": 0}
    )
    quiet.write(tmp_path / "a.ecsv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.ecsv"]
    assert ArtificialStarResults.read(tmp_path / "a.ecsv").noise_table is None
    with pytest.raises(ValueError, match="unknown extension"):
        quiet.write(tmp_path / "a.txt")
    Table({"x": [1.0]}).write(tmp_path / "b.ecsv")
    with pytest.raises(ValueError, match="has no results"):
        ArtificialStarResults.read(tmp_path / "b.ecsv")


def test_the_figure_shows_what_there_is():
    pytest.importorskip("matplotlib")
    results = make_results()
    figure = results.plot()
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[0] == "completeness, 4000 artificial stars"
    assert "over the frame" in titles
    # Nothing recovered, no errors: a figure all the same.
    results.table["recovered"] = False
    del results.table["flux_err"]
    figure = ArtificialStarResults(results.table, None, SETTINGS).plot(5)
    figure.canvas.draw()
